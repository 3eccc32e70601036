"""SumLLM's released candidates (Liu et al. 2023): eight summaries an article, ranked by GPTRank or scored by GPTScore.

    {article, abstract, candidates: [[text, number] × 8]}

Whole numbers from 1 to K are ranks, the best is K. Anything else is a mean log-probability in nats a token, at most 0.
Rows do not say which model judged; the file's name does (`gptrank_gpt4.jsonl`, `gptscore_davinci003.jsonl`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import BadInput
from ..records import Candidate, Document, JudgeInfo, Maker, Ranking, Score, check_text
from .rows import Fields, Record, list_of, reference, text_of

UNNAMED = "unnamed model (released)"
SCALE = "nats/token"
# What a file's name holds → who judged, and who wrote the abstracts, where that was checked against released files.
_NAMED = (
    ("gpt4", "gpt-4 (released)", "chatgpt (released)"),
    ("gpt-4", "gpt-4 (released)", "chatgpt (released)"),
    ("chatgpt", "chatgpt (released)", None),
    ("davinci003", "text-davinci-003 (released)", "text-davinci-003 (released)"),
)


def parse(fields: Fields, dataset: str, split: str, file: str = "") -> Iterator[Record]:
    """One row's document, reference summary, candidates, and their ranking or scores; `file` is the file's name."""
    found = next((names for names in _NAMED if names[0] in file.lower()), ("", UNNAMED, None))
    judge, writer = JudgeInfo(found[1]), found[2]
    document = Document(text_of(fields, "article"), dataset=dataset, split=split)
    yield document
    yield reference(document, text_of(fields, "abstract"), by=writer)
    candidates, numbers = numbered_candidates(fields, "candidates", document, Maker("policy", dataset))
    yield from candidates
    if all(number in range(1, len(numbers) + 1) for number in numbers):
        tiers = (
            tuple(candidate.id for candidate, number in zip(candidates, numbers, strict=True) if number == rank)
            for rank in sorted(set(numbers), reverse=True)
        )
        yield Ranking(judge, document.id, tuple(tiers))
    elif all(number <= 0 for number in numbers):
        for candidate, number in zip(candidates, numbers, strict=True):
            yield Score(judge, document.id, candidate.id, number, SCALE)
    else:
        raise BadInput(
            f"expected ranks from 1 to {len(numbers)}, or mean log-probabilities of at most 0", field="candidates"
        )


def _text(value: Any, name: str) -> str:
    check_text(value, name, allow_empty=True)
    return str(value)


def numbered_candidates(
    fields: Fields, name: str, document: Document, maker: Maker, text: Callable[[Any, str], str] = _text
) -> tuple[list[Candidate], list[float]]:
    """The candidates and the numbers of a field of [text, number] pairs; `text` reads the first of a pair.

    A candidate's index tells the same text written twice, not its place in the row: other files have other orders.
    """
    pairs = list_of(fields, name)
    if not pairs:
        raise BadInput("expected at least one [text, number]", field=name)
    texts: list[str] = []
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadInput(f"expected [text, number], found {str(pair)[:60]!r}", field=name)
        texts.append(text(pair[0], name))
        number = pair[1]
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
            raise BadInput(f"expected a finite number beside each text, found {number!r}", field=name)
    candidates = [Candidate(document.id, own, maker, index=texts[:place].count(own)) for place, own in enumerate(texts)]
    return candidates, [pair[1] for pair in pairs]
