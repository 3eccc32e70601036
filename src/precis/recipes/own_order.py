"""How well policies' own scores order candidates of documents that they have not seen: a judge's order is the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..evaluation.rewardmodel import Accuracy, accuracies, accuracy_gains, held_out_pairs
from ..evaluation.statistics import Difference
from ..records import Group, JudgeInfo
from ..selection import Selection, pairs_from_ranks, scores_of
from .steps import ordered


@dataclass(frozen=True)
class Order:
    """Pairs as `judge` orders them, the share that each score and rule has right, and how far the first is ahead.

    `accuracies` and `gains` are empty where the judge orders no two candidates.
    """

    judge: JudgeInfo
    pairs: Selection
    accuracies: tuple[Accuracy, ...] = ()
    gains: tuple[Difference, ...] = ()


def own_score_orders(
    choices: Sequence[Group], judges: Sequence[JudgeInfo], own: Mapping[str, JudgeInfo], *, name: str
) -> list[Order]:
    """For each judge, the accuracy of the scores `own` on its pairs of `choices`; `gains` are of the score `name`."""
    found = []
    for judge in judges:
        pairs = pairs_from_ranks(ordered(choices, judge).groups)
        held_out = held_out_pairs(pairs.groups)
        if not held_out.documents_N:
            found.append(Order(judge, pairs))
            continue
        margins = {}
        for policy, info in own.items():
            score = {
                candidate.id: value
                for group in choices
                for candidate, value in zip(group.candidates, scores_of(group, info), strict=True)
                if value is not None
            }
            margins[policy] = np.array(
                [
                    score.get(chosen.id, np.nan) - score.get(rejected.id, np.nan)
                    for chosen, rejected in zip(held_out.chosen_N, held_out.rejected_N, strict=True)
                ]
            )
        every = {**margins, **held_out.margins}
        right = accuracies(every, held_out.documents_N)
        gains = accuracy_gains(every, held_out.documents_N, name=name)
        found.append(Order(judge, pairs, tuple(right), tuple(gains)))
    return found
