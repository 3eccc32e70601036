"""What a judge's scores and ratings say of each candidate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..records import Group, JudgeInfo, Rating, Score
from .core import is_by


def scores_of(group: Group, judge: JudgeInfo | str) -> list[float | None]:
    """Each candidate's score by one judge (its name, or its exact settings); None where the judge gave none.

    Several scores of one candidate (repeats) are averaged.
    """
    values: dict[str, list[float]] = {}
    for judgement in group.judgements:
        if isinstance(judgement, Score) and is_by(judgement.judge, judge):
            values.setdefault(judgement.candidate, []).append(judgement.value)
    return [sum(found) / len(found) if (found := values.get(c.id)) else None for c in group.candidates]


def ratings_of(group: Group, judge: JudgeInfo | str, axes: Sequence[str]) -> list[float | None]:
    """Each candidate's mean rating over `axes` by one judge; None where an axis has no rating.

    Several ratings of one candidate on one axis are averaged first.
    """
    values: dict[tuple[str, str], list[float]] = {}
    for judgement in group.judgements:
        if isinstance(judgement, Rating) and is_by(judgement.judge, judge):
            values.setdefault((judgement.candidate, judgement.axis), []).append(judgement.value)
    found: list[float | None] = []
    for candidate in group.candidates:
        own = [values.get((candidate.id, axis)) for axis in axes]
        found.append(sum(sum(given) / len(given) for given in own if given) / len(own) if own and all(own) else None)
    return found


def axes_of(groups: Iterable[Group], judge: JudgeInfo | str) -> tuple[str, ...]:
    """The axes on which a judge rated anything, by name."""
    return tuple(
        sorted(
            {
                judgement.axis
                for group in groups
                for judgement in group.judgements
                if isinstance(judgement, Rating) and is_by(judgement.judge, judge)
            }
        )
    )
