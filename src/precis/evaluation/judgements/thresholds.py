"""From which confidence on a labeler can be believed (Stiennon et al. 2020, appendix C.2, step 4).

The paper gives each labeler the confidence above which their labels agree with researchers about 80% of the time, and
filters the reward model's validation set by it. It does not filter the training set: that made reward models worse.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..events import event_share
from ..statistics import RESAMPLES, Estimate, not_estimable
from .labelers import Votes

TARGET = 0.8
LEAST = 10  # labels that a level needs before its agreement decides anything
STRENGTHS = (1, 2, 3, 4)


@dataclass(frozen=True)
class Level:
    """Labels at least `strength` away from indifference: how many can be checked, and how many of those agree."""

    strength: int
    agreement: Estimate
    labels: int


@dataclass(frozen=True)
class Threshold:
    """`threshold` is the least strength from which the labeler agrees often enough; None says `why` there is none.

    Strength s stands for confidences up to 5 − s and from 5 + s on. `kept` is the share of the labeler's labels with
    a confidence that reach it; `unsure` counts labels without a confidence, which take no part.
    """

    labeler: str
    levels: tuple[Level, ...]
    threshold: int | None
    kept: float | None
    unsure: int
    why: str = ""


def confidence_thresholds(
    votes: Votes,
    labelers: Sequence[str],
    judges: Collection[str],
    *,
    target: float = TARGET,
    least: int = LEAST,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Threshold]:
    """The `Threshold` of each labeler against each label of the other `judges` (researchers) on the same pairs."""
    return [
        _threshold(votes, name, [judge for judge in judges if judge != name], target, least, resamples, seed)
        for name in labelers
    ]


def _threshold(
    votes: Votes, name: str, judges: Collection[str], target: float, least: int, resamples: int, seed: int
) -> Threshold:
    own = [by[name] for by in votes.values() if name in by and by[name].sign]
    strengths = [vote.strength for vote in own if vote.strength is not None]
    checked = [
        (vote.strength, float(by[judge].sign == vote.sign), item[0])
        for item, by in votes.items()
        if name in by and (vote := by[name]).sign and vote.strength is not None
        for judge in judges
        if judge in by and by[judge].sign
    ]
    levels = []
    for strength in STRENGTHS:
        reached = [row for row in checked if row[0] >= strength]
        agreement = (
            event_share([row[1] for row in reached], [row[2] for row in reached], resamples=resamples, seed=seed)
            if reached
            else not_estimable("no such label can be checked")
        )
        levels.append(Level(strength, agreement, len(reached)))
    threshold, why = _decide(levels, target, least)
    kept = None
    if threshold is not None:
        kept = sum(strength >= threshold for strength in strengths) / len(strengths)
    return Threshold(name, tuple(levels), threshold, kept, len(own) - len(strengths), why)


def _decide(levels: Sequence[Level], target: float, least: int) -> tuple[int | None, str]:
    for level in levels:
        if level.labels < least:
            return None, f"only {level.labels} labels of strength {level.strength} or more can be checked"
        if level.agreement.value is not None and level.agreement.value >= target:
            return level.strength, ""
    return None, f"even the surest labels agree less often than {target:.0%}"
