"""Text for a base model: documents with summaries of mixed, mostly mediocre quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from types import MappingProxyType

from .generator import Kind, documents
from .summaries import Level, reference_summary

# Mostly references, a few vague ones: a base model that has room to learn.
BASE_MIX: Mapping[Level, float] = MappingProxyType({"reference": 0.9, "vague": 0.1})


def corpus(
    n: int, *, seed: int, split: str = "train", kind: Kind = "mixed", mix: Mapping[Level, float] = BASE_MIX
) -> Iterator[tuple[str, str]]:
    """`n` pairs of a document's text and a summary, whose level is drawn from `mix` (level: share)."""
    for index, document in enumerate(documents(n, seed=seed, split=split, kind=kind)):
        level = Random(f"corpus|{seed}|{split}|{index}").choices(list(mix), list(mix.values()))[0]
        yield document.text, reference_summary(document, seed=seed, level=level).text
