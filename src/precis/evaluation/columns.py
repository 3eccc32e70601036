"""Means of many quantities at once: one set of resampled documents for all, which is faster and pairs them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .events import enough
from .statistics import RESAMPLES, Estimate, ratio_estimates

Floats = NDArray[np.float64]


def column_means(
    values_NC: Floats, documents_N: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Estimate]:
    """The mean of each of C columns over N events, each event counting once; NaN is unknown. Documents are resampled.

    Of an estimate `n` counts the documents that have a value, `missing` those that have none.
    """
    places = {document: place for place, document in enumerate(dict.fromkeys(documents_N))}
    at = np.array([places[document] for document in documents_N], dtype=np.int64)
    known = np.isfinite(values_NC)
    sums_DC, counts_DC = np.zeros((2, len(places), values_NC.shape[1]))
    np.add.at(sums_DC, at, np.where(known, values_NC, 0.0))
    np.add.at(counts_DC, at, known.astype(np.float64))
    return ratio_estimates(sums_DC, counts_DC, resamples=enough(len(places), resamples), seed=seed)
