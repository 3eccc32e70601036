"""Do several raters give the same text the same mark? Krippendorff's alpha by axis, and of comparisons.

Alpha is 1 for perfect agreement and 0 for what chance would agree on; nominal knows equal and unequal, ordinal the
order of marks, interval their distances. Unlike a share of equal marks it discounts chance, and takes any number of
raters and missing marks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ...records import Rating
from ..events import enough, event_share
from ..statistics import RESAMPLES, Estimate, not_estimable, resampled_counts
from .agreement import Level, alphas, coincidences
from .choices import Choice

Floats = NDArray[np.float64]
LEVELS: tuple[Level, ...] = get_args(Level)
CHOICES = "comparisons"


@dataclass(frozen=True)
class RaterAgreement:
    """The raters of one axis (or of comparisons, with the values first, tie, second: nominal only).

    `items` were marked by two raters or more, `alone` by one and take no part. `same` is the share of pairs of marks of
    one item that are equal, each pair counting once. `alpha` by level; intervals resample documents.
    """

    axis: str
    raters: tuple[str, ...]
    items: int
    alone: int
    same: Estimate
    alpha: Mapping[str, Estimate]


def rating_agreement(ratings: Sequence[Rating], *, resamples: int = RESAMPLES, seed: int = 0) -> list[RaterAgreement]:
    """`RaterAgreement` by axis and scale, as first met; repeats of one rater are averaged."""
    by_axis: dict[tuple[str, int, int], list[tuple[str, str, str, float]]] = defaultdict(list)
    for one in ratings:
        mark = (one.source_id, one.candidate, one.judge.name, float(one.value))
        by_axis[one.axis, one.low, one.high].append(mark)
    scales = [axis for axis, _, _ in by_axis]
    return [
        _agreement(axis if scales.count(axis) == 1 else f"{axis} ({low} to {high})", marks, LEVELS, resamples, seed)
        for (axis, low, high), marks in by_axis.items()
    ]


def choice_agreement(choices: Sequence[Choice], *, resamples: int = RESAMPLES, seed: int = 0) -> RaterAgreement | None:
    """`RaterAgreement` of comparisons; the same text on both sides takes no part. None without comparisons.

    Of one labeler's several answers on a pair the majority counts.
    """
    marks = [
        (one.document, " ".join(one.item[1:]), one.labeler, float(one.vote)) for one in choices if not one.identical
    ]
    return _agreement(CHOICES, marks, ("nominal",), resamples, seed, choices=True) if marks else None


def _agreement(
    axis: str,
    marks: Sequence[tuple[str, str, str, float]],
    levels: Sequence[Level],
    resamples: int,
    seed: int,
    *,
    choices: bool = False,
) -> RaterAgreement:
    """From (document, item, rater, value); values of `choices` are −1, 0 and 1."""
    raters = tuple(dict.fromkeys(rater for _, _, rater, _ in marks))
    documents = dict.fromkeys(item[:2] for item in marks)
    own: dict[tuple[tuple[str, str], str], list[float]] = defaultdict(list)
    for document, item, rater, value in marks:
        own[(document, item), rater].append(value)
    ratings_JN = np.array([[_joined(own.get((item, rater)), choices) for item in documents] for rater in raters])
    shared = (~np.isnan(ratings_JN)).sum(axis=0) >= 2
    values, coincidences_NVV = _both_ways(ratings_JN) if choices else coincidences(ratings_JN)
    items = int(shared.sum())
    if not items:
        why = f"no {'pair' if choices else 'text'} was marked by two raters"
        lone: dict[str, Estimate] = {level: not_estimable(why) for level in levels}
        return RaterAgreement(axis, raters, 0, len(documents), not_estimable(why), lone)
    met, of_pairs = [], []
    for (document, _), column in zip(documents, ratings_JN.T):
        given = column[~np.isnan(column)]
        one, other = np.triu_indices(len(given), 1)
        met += [float(same) for same in given[one] == given[other]]
        of_pairs += [document] * len(one)
    by_document: dict[str, Floats] = defaultdict(lambda: np.zeros((len(values), len(values))))
    for (document, _), own_VV, counts in zip(documents, coincidences_NVV, shared):
        if counts:
            by_document[document] += own_VV
    sums_DVV = np.stack(list(by_document.values()))
    return RaterAgreement(
        axis,
        raters,
        items,
        len(documents) - items,
        event_share(met, of_pairs, resamples=resamples, seed=seed),
        {level: _alpha(sums_DVV, values, level, resamples, seed) for level in levels},
    )


def _both_ways(signs_JN: Floats) -> tuple[Floats, Floats]:
    """`coincidences` of choices: which text of a pair is the first means nothing, so half of each pair is turned."""
    values, found = coincidences(np.concatenate([signs_JN, -signs_JN], axis=1))
    items = signs_JN.shape[1]
    halved: Floats = (found[:items] + found[items:]) / 2
    return values, halved


def _joined(given: Sequence[float] | None, choices: bool) -> float:
    if not given:
        return float("nan")
    return float(np.sign(np.sum(given))) if choices else float(np.mean(given))


def _alpha(sums_DVV: Floats, values_V: Floats, level: Level, resamples: int, seed: int) -> Estimate:
    """Alpha of all documents with an interval from resampled ones; resamples in which nothing varies have no say."""
    documents, width, _ = sums_DVV.shape
    value = float(alphas(sums_DVV.sum(axis=0)[None], values_V, level)[0]) if width > 1 else float("nan")
    if np.isnan(value):
        return not_estimable("every mark is the same", documents)
    if documents < 2:
        return Estimate(value, None, None, documents, "one document")
    flat = sums_DVV.reshape(documents, -1)
    draws = min(enough(documents, resamples), max(1_000, 20_000_000 // width**2))
    drawn = np.concatenate(
        [
            alphas((weights @ flat).reshape(-1, width, width), values_V, level)
            for weights in resampled_counts(documents, draws, seed)
        ]
    )
    low, high = (float(end) for end in np.nanquantile(drawn, [0.025, 0.975]))
    return Estimate(value, low, high, documents)
