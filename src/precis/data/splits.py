"""Splits that no text crosses: which split a document is in follows from its text alone.

So a text that a data set repeats under several ids or titles is in one split, and documents that are added later move
no other: hashing needs no list of what is already there.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import accumulate

from ..errors import UserError
from ..records import Document
from .rows import Record

Shares = Mapping[str, float]


def parse_shares(words: str) -> dict[str, float]:
    """`"train=0.9,valid1=0.05,valid2=0.05"` as a dict; raises `UserError` unless the shares add up to 1."""
    shares: dict[str, float] = {}
    for word in words.split(","):
        name, _, share = (part.strip() for part in word.partition("="))
        try:
            value = float(share)
        except ValueError:
            value = math.nan
        if not name or name in shares or not value > 0:
            raise UserError(f"expected shares of different splits, such as train=0.9,valid=0.1; found {words!r}")
        shares[name] = value
    check_shares(shares)
    return shares


def check_shares(shares: Shares) -> None:
    """Raise `UserError` unless every share is above 0 and together they are 1."""
    if not all(share > 0 for share in shares.values()) or not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        raise UserError(f"the splits' shares add up to {sum(shares.values()):g}; expected shares above 0 that make 1")


def split_of_text(text: str, shares: Shares, *, seed: int = 0) -> str:
    """The split of every document with this text, white space aside."""
    content = f"{seed}\n{' '.join(text.split())}"
    place = int.from_bytes(hashlib.sha256(content.encode()).digest()[:8]) / 2**64
    bounds = list(accumulate(shares.values()))
    # Shares that add up to a hair less than 1 leave a gap above the last bound.
    return list(shares)[min(bisect_right(bounds, place), len(bounds) - 1)]


def split_by_document(records: Iterable[Record], shares: Shares, *, seed: int = 0) -> Iterator[Record]:
    """The same records, each document with the split that its text falls into.

    Whatever split a document named before is overruled. Candidates and judgements follow their document, by its id.
    """
    check_shares(shares)
    for record in records:
        if isinstance(record, Document):
            yield replace(record, split=split_of_text(record.text, shares, seed=seed))
        else:
            yield record
