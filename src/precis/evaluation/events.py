"""Shares and differences in which each comparison counts once, and documents are still resampled whole.

This is how agreement, win rates and accuracies of stored comparisons are published, so that numbers can be set side
by side; an evaluation of systems (`systems`) counts each document once instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .statistics import RESAMPLES, Difference, Estimate, not_estimable, permutation_p, ratio_estimates, share_estimate

Floats = NDArray[np.float64]
_DRAWS = 10_000_000  # documents drawn for one interval


def event_share(
    hits_N: ArrayLike, documents_N: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Share of N events from 0 to 1 (a tie is ½); `n` counts documents.

    Where every event says the same there is nothing to resample: see `share_estimate`.
    """
    hits = np.asarray(hits_N, dtype=np.float64)
    if len(hits) == 0 or (np.ptp(hits) == 0 and hits[0] in (0.0, 0.5, 1.0)):
        return share_estimate(hits, documents_N)
    return event_mean(hits, documents_N, resamples=resamples, seed=seed)


def event_mean(
    values_N: ArrayLike, documents_N: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Mean of N values with an interval over documents."""
    values = np.asarray(values_N, dtype=np.float64)
    if len(values) == 0:
        return not_estimable("nothing was judged")
    sums_D, counts_D = _by_document(values, documents_N)
    draws = enough(len(sums_D), resamples)
    return ratio_estimates(sums_D[:, None], counts_D[:, None], resamples=draws, seed=seed)[0]


def event_difference(
    a_N: ArrayLike,
    b_N: ArrayLike,
    documents_N: Sequence[str],
    *,
    names: tuple[str, str, str],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Mean of a − b over the events where both are known (NaN is unknown); the test flips whole documents' signs.

    `names` are of the metric, of a and of b.
    """
    gaps = np.asarray(a_N, dtype=np.float64) - np.asarray(b_N, dtype=np.float64)
    known: list[int] = np.flatnonzero(~np.isnan(gaps)).tolist()
    if not known:
        return Difference(*names, not_estimable("no comparison has a value of both"), None)
    documents = [documents_N[n] for n in known]
    estimate = event_mean(gaps[known], documents, resamples=resamples, seed=seed)
    sums_D, _ = _by_document(gaps[known], documents)
    return Difference(*names, estimate, permutation_p(sums_D, resamples=enough(len(sums_D), resamples), seed=seed))


def enough(documents: int, resamples: int) -> int:
    """Resamples for so many documents: fewer than asked, but at least 1,000, where there are many."""
    return min(resamples, max(1_000, _DRAWS // max(documents, 1)))


def _by_document(values_N: Floats, documents_N: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum and number of the values of each document, in the order of first appearance."""
    places = {document: place for place, document in enumerate(dict.fromkeys(documents_N))}
    at = np.array([places[document] for document in documents_N], dtype=np.int64)
    sums: Floats = np.bincount(at, weights=values_N, minlength=len(places)).astype(np.float64)
    counts: Floats = np.bincount(at, minlength=len(places)).astype(np.float64)
    return sums, counts
