"""What every judge is: given groups, it returns judgements, or a `Failure` that says why there is none.

A person behind the labelling page, a reward model, a prompted model behind an endpoint, ROUGE and the sandbox's
oracle all fit. `info` names the judge and its settings; its id is how the store knows which work is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from ..records import Candidate, Failure, Group, JudgeInfo, Judgement, Score

# Why there is no verdict, where asking again would bring none: it lies in the candidates, or in what the judge's
# settings leave out, and not in bad luck. A candidate that joins its document later is a reason of its own to ask.
EMPTY = "the candidate is empty"
NOT_DRAWN = "no pair was drawn with this candidate"
NOTHING_TO_COMPARE = "there is only one text, so there is nothing to compare"
NOTHING_TO_RANK = "there is only one text, so there is nothing to rank"
FINAL = frozenset({EMPTY, NOT_DRAWN, NOTHING_TO_COMPARE, NOTHING_TO_RANK})


class Judge(Protocol):
    """Anything that judges candidates."""

    @property
    def info(self) -> JudgeInfo: ...

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        """One list of judgements a group, in the groups' order.

        Every candidate of a group is named by at least one judgement or failure: silence is not allowed.
        """
        ...


ScoreGroup = Callable[[Group, Sequence[Candidate]], Sequence[float | None]]


def score_candidates(info: JudgeInfo, scale: str, groups: Sequence[Group], score: ScoreGroup) -> list[list[Judgement]]:
    """Score every candidate that is not empty; an empty one, or one without a score, is a `Failure`, not a zero."""
    return [list(_score_group(info, scale, group, score)) for group in groups]


def _score_group(info: JudgeInfo, scale: str, group: Group, score: ScoreGroup) -> Iterator[Judgement]:
    source = group.source.id
    written = [candidate for candidate in group.candidates if not candidate.is_empty]
    for candidate in group.candidates:
        if candidate.is_empty:
            yield Failure(info, source, (candidate.id,), EMPTY)
    if not written:
        return
    for candidate, value in zip(written, score(group, written), strict=True):
        if value is None:
            yield Failure(info, source, (candidate.id,), "the candidate has no word, so it has no score")
        else:
            yield Score(info, source, candidate.id, float(value), scale)
