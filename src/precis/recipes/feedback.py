"""Who judges the training candidates, and who judges the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..judges.comparer import ComparerJudge
from ..judges.oracle import OracleJudge
from ..judges.protocol import Judge
from ..judges.rouge import RougeJudge
from ..records import Comparison, Group
from ..selection import Selection, pairs_from_comparisons, pairs_from_scores
from .settings import Settings


class FeedbackSettings(Settings):
    """Which judge labels the training candidates (Stiennon et al. 2020, §3.3)."""

    judge: Literal["comparer", "oracle", "rouge"] = "comparer"
    """`comparer` is a simulated person who compares two candidates, right about three times in four (app. C: people
    agree with each other on 73%); `oracle` is the sandbox's truth; `rouge` compares with the reference summaries."""
    pairs_per_group: int | None = 6
    """Pairs a document at most, drawn at random: comparisons asked of a comparer, or taken from a judge's scores."""
    min_gap: float = 0.0
    """Scores that differ by no more make no pair."""
    weigh: bool = False
    """Comparisons weigh by their confidence (app. C: leaving unsure ones out did not help)."""
    margin: float = 0.0
    """Margin of a sure comparison, or of a difference of 1 in score, in rewards; unsure and small ones have less."""


def feedback_judge(settings: FeedbackSettings, *, seed: int) -> Judge:
    """The judge whose word the reward model learns from."""
    if settings.judge == "comparer":
        return ComparerJudge(pairs_per_group=settings.pairs_per_group, seed=seed)
    return RougeJudge() if settings.judge == "rouge" else OracleJudge()


def gold_judge(settings: FeedbackSettings) -> Judge:
    """The judge that the result is measured by: the oracle in the sandbox, elsewhere ROUGE against the references."""
    return RougeJudge() if settings.judge == "rouge" else OracleJudge()


def preferences(groups: Sequence[Group], settings: FeedbackSettings, judge: Judge, *, seed: int) -> Selection:
    """The pairs that the judge's word makes."""
    compared = any(
        isinstance(judgement, Comparison) and judgement.judge.id == judge.info.id
        for group in groups
        for judgement in group.judgements
    )
    if compared:
        return pairs_from_comparisons(groups, [judge.info.name], weigh=settings.weigh, margin=settings.margin)
    return pairs_from_scores(
        groups,
        judge.info,
        min_gap=settings.min_gap,
        per_group=settings.pairs_per_group,
        margin=settings.margin,
        seed=seed,
    )
