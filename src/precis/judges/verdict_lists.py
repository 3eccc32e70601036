"""A list of the summaries' numbers, on one line or a line an item, read into tiers.

A list that leaves out one summary of n is not mended: nobody said that it is the last. Nor is "1. Summary 1 (rank 3),
2. Summary 2 (rank 1), …", line by line: its numbers may be places, or only count the summaries.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from .verdict_text import unwrapped
from .verdict_types import Order, Reason, Tiers, Unreadable

_GOES_ON = re.compile(r"[,;>=→\[({]\s*$")


def read_list(lines: Sequence[str], count: int) -> tuple[Order | Unreadable, Sequence[str]]:
    """A list a line an item, or on one line (which may be broken after a separator); and the lines after it."""
    lines = [line for line in lines if line.strip()]
    if not lines:
        return Unreadable(Reason.NO_LIST), []
    items = read_items(lines)
    used, found = len(items), checked(_tiers(items), count)
    if len(items) < 2 and isinstance(found, Unreadable):
        items, text, used, found = [], lines[0], 1, checked(read_inline(lines[0]), count)
        for line in lines[1:]:
            if isinstance(found, Order) or not _GOES_ON.search(text):
                break
            text, used = f"{text} {line}", used + 1
            found = checked(read_inline(text), count)
    if isinstance(found, Order) and _reasons_differ(items):
        found = Unreadable(Reason.NO_LIST)
    if isinstance(found, Unreadable) and found.reason is Reason.NO_LIST:
        found = Unreadable(Reason.NO_LIST, lines[0].strip()[:60])
    return found, lines[used:]


class Item(NamedTuple):
    """The place it is marked with, the summaries tied there, and what is said of them."""

    place: int | None
    tied: tuple[int, ...]
    reason: str = ""


_BULLET = re.compile(r"^\s*(?:[-•–]\s+)?")


def read_items(lines: Sequence[str]) -> list[Item]:
    """The items that the lines begin with, one a line; blank lines between them do not count."""
    found = []
    for line in lines:
        if line.strip():
            item = _item(_BULLET.sub("", line).strip(), reasons=True)
            if item is None:
                break
            found.append(item)
    return found


_BETWEEN = re.compile(r"\s*(?:-+>|=>|→|>{1,3}|,\s*(?:and|then)\s|,|;)\s*", re.IGNORECASE)


def read_inline(line: str) -> Tiers | None:
    """The tiers of a list on one line, checked against nothing yet; None if it is no list."""
    line = unwrapped(line.strip(), half=True)
    if re.fullmatch(r"\d+(?:\s+\d+)+", line):
        return tuple((int(number),) for number in line.split())
    items = [_item(piece) for piece in _BETWEEN.split(line)]
    return None if None in items else _tiers([item for item in items if item])


WORD = r"(?:(?:summary|candidate)\s*)"
_NUMBER = re.compile(rf"{WORD}?#?\s*(\d{{1,4}})", re.IGNORECASE)
# "1. 4" and "1) Summary 4", and "1: Summary 4"; but not "1: 4", which may as well mean that summary 1 is the fourth.
_MARKED = re.compile(rf"(\d{{1,4}})\s*(?:[.)]\s+|[.):]\s*(?={WORD}|#))(.+)", re.IGNORECASE)
# After a place and a summary, a reason may follow: "1. Summary 4 – the clearest".
_WITH_REASON = re.compile(rf"({WORD}#?\s*\d{{1,4}})\s*(?:[-–—:(]|,\s*(?:because|as|since)\b)(.*)", re.IGNORECASE)


def _item(piece: str, *, reasons: bool = False) -> Item | None:
    marked = _MARKED.fullmatch(piece)
    place, rest, reason = (int(marked[1]), marked[2].strip(), "") if marked else (None, piece, "")
    if marked and reasons and (reasoned := _WITH_REASON.fullmatch(rest)):
        rest, reason = reasoned[1], reasoned[2].strip(" ,;:.!()[]–—")
    tied = []
    for name in re.split(r"\s*={1,2}\s*", rest):
        number = _NUMBER.fullmatch(unwrapped(name.strip(" .")))
        if number is None:
            return None
        tied.append(int(number[1]))
    return Item(place, tuple(tied), reason)


def _tiers(items: Sequence[Item]) -> Tiers | None:
    """None if some items are marked with their place and some are not, or the places are not 1, 2, 3, …"""
    places = [item.place for item in items]
    if any(place is not None for place in places) and places != list(range(1, len(items) + 1)):
        return None
    return tuple(item.tied for item in items)


# What a reason may say of its summary's place: "rank 3", "2nd place, since …", "ranked second", "best", "last".
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_NTH = rf"\d{{1,4}}(?:st|nd|rd|th)|{'|'.join(_ORDINALS)}|best|worst|last"
_REASON_ENDS = (
    r"(?:[\s-](?:place|rank|position|best|overall|summary|one|choice|of\s+(?:all|them)))*\s*(?=$|[,;:.()]|\s[-–—]\s)"
)
_PLACE = re.compile(rf"(?:(?:the|is|in|comes)\s+)*({_NTH}){_REASON_ENDS}", re.IGNORECASE)
_RANK = re.compile(
    r"\b(?:rank(?:s|ed)?|placed?|position)\b[\s:=]*(?:(?:the|is|as|at|in|number|no\.)\s+)*#?\s*"
    rf"({_NTH}|\d{{1,4}})\b(?:\s*(?:/|of)\s*\d+)?{_REASON_ENDS}",
    re.IGNORECASE,
)
# A mark, and what it is out of: "6/10", "6 out of 10"; a reason that is no more than "60%", or a number, which may be a
# mark or a place.
_MARK = re.compile(r"(?<![\d.])(\d{1,4}(?:\.\d{1,4})?)\s*(/\s*\d{1,4}|out\s+of\s+\d{1,4})", re.IGNORECASE)
_MARK_ALONE = re.compile(rf"(\d{{1,4}}(?:\.\d{{1,4}})?)\s*(%|points?|stars?|){_REASON_ENDS}", re.IGNORECASE)
# Whatever else may rank or mark a summary.
_RANKS = re.compile(
    rf"\b(?:{'|'.join(_ORDINALS)}|best|worst|better|worse|last|rank\w*|beats|scor\w+|rated|rating|graded?)\b"
    r"|\d(?:st|nd|rd|th)\b|\d\s*(?:%|points?\b|stars?\b)|[★⭐]"
    r"|(?:\b(?:place|position|mark|number|no\.)|#)[\s:=#]*\d"
    r"|(?:^|\bthe\s)(?:most|least|top|bottom|middle|winner|runner-up|\w+est)\b"
    r"|^(?:very\s+|quite\s+|too\s+)?(?:[A-F][+-]?|excellent|great|strong|good|decent|okay|ok|fair|average|acceptable|"
    r"adequate|middling|mediocre|weak|poor|bad|terrible)$",
    re.IGNORECASE,
)


def _reasons_differ(items: Sequence[Item]) -> bool:
    """Whether the reasons rank the summaries otherwise than the list does, or may do so.

    A list of summaries 1, 2, 3, … in that order may just go through them: what its reasons say of places or marks must
    then bear out the list, for every summary. A list in another order is meant as one, unless a reason contradicts it.
    """
    stated = [_stated_place(item.reason, len(items)) for item in items]
    if any(place not in (None, item.place) for place, item in zip(stated, items)):
        return True
    unplaced = [item.reason for item, place in zip(items, stated) if place is None]  # "rank 1/3" is no mark
    marks = [found for reason in unplaced if (found := _MARK.search(reason) or _MARK_ALONE.match(reason))]
    scales = {"".join(mark[2].lower().split()).rstrip("s") for mark in marks}
    values = [float(mark[1]) for mark in marks] if len(scales) == 1 else []
    in_order = all(item.tied == (n,) for n, item in enumerate(items, 1))
    if not in_order:
        return values != sorted(values, reverse=True) and values != [item.place for item in items]
    falling = len(values) == len(items) and all(a > b for a, b in pairwise(values)) and scales != {""}
    return not falling and None in stated and bool(marks or any(_RANKS.search(item.reason) for item in items))


def _stated_place(reason: str, count: int) -> int | None:
    found = _RANK.search(reason) or _PLACE.match(reason)
    if found is None:
        return None
    place = found[1].lower()
    if place in ("best", "worst", "last"):
        return 1 if place == "best" else count
    return _ORDINALS.index(place) + 1 if place in _ORDINALS else int(re.sub(r"\D", "", place))


def checked(tiers: Tiers | None, count: int) -> Order | Unreadable:
    """The order, if the tiers name each of the summaries 1 to `count` once."""
    if tiers is None:
        return Unreadable(Reason.NO_LIST)
    named = [number for tied in tiers for number in tied]
    strange = sorted({number for number in named if not 1 <= number <= count})
    twice = sorted({number for number in named if named.count(number) > 1})
    missing = sorted(set(range(1, count + 1)) - set(named))
    for reason, numbers in ((Reason.UNKNOWN, strange), (Reason.TWICE, twice), (Reason.MISSING, missing)):
        if numbers:
            return Unreadable(reason, ", ".join(map(str, numbers)))
    return Order(tiers)
