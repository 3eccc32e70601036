"""Where in a list the best and the worst stood, place by place, and whether all places are alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..columns import column_means
from ..events import event_share
from ..statistics import RESAMPLES, Estimate

Floats = NDArray[np.float64]
_LEAST_EXPECTED = 5.0  # hits a place, below which the chi-square distribution is no good description


@dataclass(frozen=True)
class Uniformity:
    """Pearson's chi-square test that all places are hit alike. `p_value` is None where `why` says so.

    Each list counts as one draw. Passes over one document in rotated orders vary less than that: then p is too large,
    never too small.
    """

    chi_square: float
    degrees: int
    p_value: float | None
    why: str = ""


@dataclass(frozen=True)
class Slot:
    """One place of the lists of one size: how often its summary was ranked best and worst (shared among the tied),
    and the share of lists that is; 1 / size is fair."""

    place: int
    best: float
    worst: float
    best_share: Estimate
    worst_share: Estimate


@dataclass(frozen=True)
class Slots:
    """The places of all lists of `size` summaries whose order is known."""

    size: int
    lists: int
    slots: tuple[Slot, ...]
    best_uniform: Uniformity
    worst_uniform: Uniformity


def slot_table(lists: Sequence[tuple[str, Floats]], *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[Slots, ...]:
    """`Slots` by size of (document, goodness of each place, first to last); a list of one summary says nothing."""
    by_size: dict[int, list[tuple[str, Floats]]] = defaultdict(list)
    for document, goodness_K in lists:
        if len(goodness_K) > 1:
            by_size[len(goodness_K)].append((document, goodness_K))
    found = []
    for size in sorted(by_size):
        documents = [document for document, _ in by_size[size]]
        goodness_NK = np.stack([goodness_K for _, goodness_K in by_size[size]])
        best_NK, worst_NK = top(goodness_NK), top(-goodness_NK)
        shares = [_shares(hits_NK, documents, resamples, seed) for hits_NK in (best_NK, worst_NK)]
        slots = tuple(
            Slot(k + 1, float(best_NK[:, k].sum()), float(worst_NK[:, k].sum()), shares[0][k], shares[1][k])
            for k in range(size)
        )
        tests = (uniformity(hits_NK.sum(axis=0)) for hits_NK in (best_NK, worst_NK))
        found.append(Slots(size, len(documents), slots, *tests))
    return tuple(found)


def _shares(hits_NK: Floats, documents: Sequence[str], resamples: int, seed: int) -> list[Estimate]:
    """The share of each place; where all lists say the same, `event_share` knows an interval."""
    found = column_means(hits_NK, documents, resamples=resamples, seed=seed)
    alike = np.ptp(hits_NK, axis=0) == 0
    return [event_share(hits_NK[:, k], documents) if alike[k] else one for k, one in enumerate(found)]


def top(values_NK: Floats) -> Floats:
    """Each row's one point, shared among its highest."""
    hits: Floats = (values_NK == values_NK.max(axis=1, keepdims=True)).astype(np.float64)
    shared: Floats = hits / hits.sum(axis=1, keepdims=True)
    return shared


def uniformity(hits_K: ArrayLike) -> Uniformity:
    """`Uniformity` of the hits of K places, at least two, with one hit or more in all.

    >>> uniformity([10, 20, 30]).chi_square
    10.0
    """
    from scipy.stats import chi2  # slow to load

    hits = np.asarray(hits_K, dtype=np.float64)
    expected = float(hits.mean())
    statistic, degrees = float(((hits - expected) ** 2).sum() / expected), len(hits) - 1
    if expected < _LEAST_EXPECTED:
        why = f"{expected:.3g} hits a place are expected; the test needs {_LEAST_EXPECTED:.0f}"
        return Uniformity(statistic, degrees, None, why)
    return Uniformity(statistic, degrees, float(chi2.sf(statistic, degrees)))
