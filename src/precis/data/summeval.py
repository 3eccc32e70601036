"""SummEval (Fabbri et al. 2021): 16 systems' summaries of 100 articles, rated by experts on four axes from 1 to 5.

    {id, document, references: [text × 11], systems: [{system, summary, ratings: {coherence, consistency, fluency,
     relevance}}]}

A rating is the mean of three experts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..errors import BadInput
from ..records import Candidate, Document, JudgeInfo, Maker, Rating, check_text
from .rows import ABSENT, Fields, Record, key_of, list_of, object_of, reference, text_of

EXPERT = JudgeInfo("expert")
LOW, HIGH = 1, 5


def parse(fields: Fields, dataset: str, split: str, counts: Counter[str] | None = None) -> Iterator[Record]:
    """One row's document, reference summaries, and each system's summary with its ratings.

    A rating that is null makes none, and is counted in `counts`.
    """
    document = Document(text_of(fields, "document"), key=key_of(fields, "id"), dataset=dataset, split=split)
    yield document
    for index, text in enumerate(list_of(fields, "references")):
        check_text(text, "references")
        yield reference(document, text, index)
    absent: Counter[str] = Counter()
    written: Counter[tuple[str, str]] = Counter()
    for system in list_of(fields, "systems"):
        if not isinstance(system, dict):
            raise BadInput("expected objects {system, summary, ratings}", field="systems")
        name, text = text_of(system, "system"), text_of(system, "summary", allow_empty=True)
        candidate = Candidate(document.id, text, Maker("policy", name), index=written[name, text])
        written[name, text] += 1
        yield candidate
        for axis, value in object_of(system, "ratings").items():
            check_text(axis, "ratings")
            if value is None:
                absent[f"{ABSENT}rating of {axis}"] += 1
            else:
                yield Rating(EXPERT, document.id, candidate.id, axis, value, low=LOW, high=HIGH)
    if counts is not None:
        counts.update(absent)
