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
    n: int,
    *,
    seed: int,
    split: str = "train",
    kind: Kind = "mixed",
    mix: Mapping[Level, float] = BASE_MIX,
    summaries: int = 1,
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """`n` documents' texts, each with so many summaries of it, whose levels are drawn from `mix` (level: share)."""
    for index, document in enumerate(documents(n, seed=seed, split=split, kind=kind)):
        levels = Random(f"corpus|{seed}|{split}|{index}").choices(list(mix), list(mix.values()), k=summaries)
        yield (
            document.text,
            tuple(
                reference_summary(document, seed=seed + number, level=level).text for number, level in enumerate(levels)
            ),
        )
