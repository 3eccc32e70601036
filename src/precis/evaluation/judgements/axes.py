"""Ratings on named axes, by system: the histogram, the mean, and the share with the best mark (7 of 7).

Stiennon et al. 2020, §4.1 and appendix C: overall, accuracy, coverage and coherence, 1 to 7.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...records import Rating
from ..events import event_mean, event_share
from ..statistics import RESAMPLES, Estimate
from .choices import table_order


@dataclass(frozen=True)
class AxisRatings:
    """One system on one axis from `low` to `high`. `counts` are ratings by mark, a mean of several raters rounded.

    `best` is the share with the best mark exactly. Each of the `ratings` counts once; estimates resample documents.
    """

    axis: str
    system: str
    low: int
    high: int
    counts: tuple[int, ...]
    mean: Estimate
    best: Estimate
    ratings: int
    raters: int


def axis_ratings(
    ratings: Sequence[Rating], systems: Mapping[str, str], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[AxisRatings]:
    """`AxisRatings` by axis (as first met), then system; `systems` names the system of each candidate's id.

    Ratings of one axis on several scales are kept apart.
    """
    rows: dict[tuple[str, int, int], dict[str, list[Rating]]] = defaultdict(lambda: defaultdict(list))
    for rating in ratings:
        rows[rating.axis, rating.low, rating.high][systems[rating.candidate]].append(rating)
    scales: dict[str, int] = defaultdict(int)
    for axis, _, _ in rows:
        scales[axis] += 1
    found = []
    for (axis, low, high), by_system in rows.items():
        for system in sorted(by_system, key=table_order):
            own = by_system[system]
            values, documents = [float(rating.value) for rating in own], [rating.source_id for rating in own]
            marks = [math.floor(value + 0.5) - low for value in values]
            found.append(
                AxisRatings(
                    axis if scales[axis] == 1 else f"{axis} ({low} to {high})",
                    system,
                    low,
                    high,
                    tuple(marks.count(mark) for mark in range(high - low + 1)),
                    event_mean(values, documents, resamples=resamples, seed=seed),
                    event_share([float(v == high) for v in values], documents, resamples=resamples, seed=seed),
                    len(own),
                    len({rating.judge.name for rating in own}),
                )
            )
    return found
