"""Best-of-N: what choosing among n candidates buys, by the judge that chooses (proxy) and by another one (gold).

One pool of K candidates a document gives the whole curve for n = 1 … K, without resampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..statistics import RESAMPLES, Difference, Estimate, mean_estimates, paired_difference

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BestOfN:
    """Expected proxy and gold score of the candidate, of n, that the proxy likes best; `kl` in nats, analytic."""

    n: int
    kl: float
    proxy: Estimate
    gold: Estimate


@dataclass(frozen=True)
class Curve:
    """Best-of-n for each n. `ceiling` is gold's own choice among all K: what no proxy can exceed.

    `peak` is the n with the highest gold score, and `after_peak` gold at the largest n minus gold at the peak:
    if its interval lies below 0, the proxy is over-optimized.
    """

    points: tuple[BestOfN, ...]
    ceiling: Estimate
    peak: int
    after_peak: Difference


def best_of_n_kl(n: int) -> float:
    """KL(best-of-n ‖ policy) = log n − (n − 1)/n nats (Stiennon et al. 2020), at most (Beirami et al. 2024).

    >>> round(best_of_n_kl(64), 2)
    3.17
    """
    if n < 1:
        raise ValueError(f"best of {n} candidates is not defined")
    return log(n) - (n - 1) / n


def expected_best(proxy_K: ArrayLike, gold_K: ArrayLike, n: int) -> float:
    """Expected gold of the proxy's favourite among n candidates drawn without replacement from K.

    Unbiased for n fresh samples: the i-th worst of K (from 0) is the best of n with probability
    C(i, n−1) / C(K, n). Candidates that the proxy ties share their gold.
    """
    proxy, gold = np.asarray(proxy_K, dtype=np.float64), np.asarray(gold_K, dtype=np.float64)
    return float(_weights(len(proxy), n) @ _ordered(proxy, gold))


def best_of_n_curve(
    proxy: Sequence[ArrayLike],
    gold: Sequence[ArrayLike],
    *,
    ns: Sequence[int] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Curve:
    """`Curve` over documents; `proxy[d]` and `gold[d]` are the scores of document d's K candidates.

    `ns` is 1, 2, 4 … and the largest K unless given. A document with fewer than n candidates has no say at n
    (counted as missing there). Raises ValueError if a score is not finite: drop the candidate, and count it.
    """
    proxies, golds = ([np.asarray(row, dtype=np.float64) for row in rows] for rows in (proxy, gold))
    for document, (one, other) in enumerate(zip(proxies, golds, strict=True)):
        if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
            raise ValueError(f"document {document} needs one finite proxy and gold score for each candidate")
    most = max((len(row) for row in proxies), default=0)
    if most == 0:
        raise ValueError("no candidates to choose from")
    chosen = sorted({*(2**i for i in range(most.bit_length())), most} if ns is None else set(ns))
    values_DN2 = np.full((len(proxies), len(chosen), 2), np.nan)
    for document, (one, other) in enumerate(zip(proxies, golds)):
        ordered = np.stack([_ordered(one, one), _ordered(one, other)], axis=1)
        for column, n in enumerate(chosen):
            if n <= len(one):
                values_DN2[document, column] = _weights(len(one), n) @ ordered
    best = np.array([[row.max() if len(row) else np.nan] for row in golds])
    flat = np.concatenate([values_DN2[:, :, 0], values_DN2[:, :, 1], best], axis=1)
    estimates = mean_estimates(flat, resamples=resamples, seed=seed)
    points = [
        BestOfN(n, best_of_n_kl(n), estimates[column], estimates[len(chosen) + column])
        for column, n in enumerate(chosen)
    ]
    known = [column for column, point in enumerate(points) if point.gold.value is not None]
    top = max(known, key=lambda column: points[column].gold.value or 0.0)
    fall = paired_difference(
        values_DN2[:, known[-1], 1],
        values_DN2[:, top, 1],
        names=("gold", f"best of {points[known[-1]].n}", f"best of {points[top].n}"),
        resamples=resamples,
        seed=seed,
    )
    return Curve(tuple(points), estimates[-1], points[top].n, fall)


@lru_cache(maxsize=4096)
def _weights(size: int, n: int) -> Floats:
    if not 1 <= n <= size:
        raise ValueError(f"best of {n} needs 1 to {size} candidates")
    return np.array([comb(i, n - 1) / comb(size, n) for i in range(size)])


def _ordered(proxy_K: Floats, gold_K: Floats) -> Floats:
    """Gold in ascending order of the proxy; where the proxy ties, the mean of the tied."""
    _, tie, counts = np.unique(proxy_K, return_inverse=True, return_counts=True)
    means = np.bincount(tie, weights=gold_K) / counts
    return np.repeat(means, counts)
