"""Numbers with their intervals: bootstrap over documents, paired tests, seeds.

Everything is resampled by document, because candidates of one document share its difficulty. One seed gives one
set of resamples, so two systems on the same documents are resampled together (paired).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

Floats = NDArray[np.float64]

RESAMPLES = 10_000
_CELLS = 2_000_000  # resampled indices held at once: bounds memory whatever n is


@dataclass(frozen=True)
class Estimate:
    """A number, its 95% interval and the number of documents behind it.

    `value` is None where nothing can be estimated, `low` and `high` are None where no interval can; `why` then
    says so in words. `missing` counts documents that were left out because the quantity is undefined for them.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    why: str = ""
    missing: int = 0

    def __str__(self) -> str:
        if self.value is None:
            return f"not estimable: {self.why}"
        if self.low is None or self.high is None:
            return f"{self.value:.4g} (n={self.n}; no interval: {self.why})"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}] (n={self.n})"


def not_estimable(why: str, n: int = 0, missing: int = 0) -> Estimate:
    return Estimate(None, None, None, n, why, missing)


@dataclass(frozen=True)
class Difference:
    """Mean of a minus mean of b on the documents that both have.

    `p_value` is of a two-sided paired permutation test (signs of the differences flipped); None if `difference`
    has no value.
    """

    metric: str
    a: str
    b: str
    difference: Estimate
    p_value: float | None


@dataclass(frozen=True)
class Seeds:
    """One number a seed: `sd` is the sample standard deviation over seeds, None for a single seed."""

    mean: float
    sd: float | None
    each: Mapping[str, float]

    @property
    def n(self) -> int:
        return len(self.each)


def mean_estimate(values_N: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Mean over N documents with a percentile bootstrap interval; NaN marks a document without a value."""
    values = np.asarray(values_N, dtype=np.float64)
    return mean_estimates(values[:, None], resamples=resamples, seed=seed)[0]


def mean_estimates(values_ND: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> list[Estimate]:
    """`mean_estimate` of each column, all on the same resamples."""
    values = np.asarray(values_ND, dtype=np.float64)
    known = np.isfinite(values)
    return ratio_estimates(np.where(known, values, 0.0), known.astype(np.float64), resamples=resamples, seed=seed)


def ratio_estimates(
    numerators_ND: ArrayLike, denominators_ND: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Estimate]:
    """Σ numerators / Σ denominators by column, resampling documents (rows); 0/0 rows have no say.

    With denominators 1 it is a mean; with counts it is a rate whose unit is smaller than a document.
    """
    numerators, denominators = (np.asarray(a, dtype=np.float64) for a in (numerators_ND, denominators_ND))
    counts = (denominators > 0).sum(axis=0)
    both = np.concatenate([numerators, denominators], axis=1)
    width = numerators.shape[1]
    if counts.max(initial=0) >= 2:
        sums_RE = np.concatenate([weights @ both for weights in resampled_counts(len(both), resamples, seed)])
    else:
        sums_RE = np.zeros((0, 2 * width))
    found = []
    for column in range(width):
        n, missing = int(counts[column]), int(len(both) - counts[column])
        if n == 0:
            found.append(not_estimable("no document has a value", 0, missing))
            continue
        value = float(numerators[:, column].sum() / denominators[:, column].sum())
        if n == 1:
            found.append(Estimate(value, None, None, 1, "one document", missing))
            continue
        below = sums_RE[:, width + column]
        ratios = sums_RE[:, column][below > 0] / below[below > 0]
        low, high = (float(bound) for bound in np.quantile(ratios, [0.025, 0.975]))
        found.append(Estimate(value, low, high, n, "", missing))
    return found


def resampled_counts(n: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each of n documents is drawn in each of `resamples` bootstrap resamples, in blocks (r, n)."""
    generator = np.random.default_rng(seed)
    block = max(1, min(resamples, _CELLS // max(n, 1)))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(0, n, (rows, n)) + n * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def share_estimate(
    hits_N: ArrayLike, documents_N: Sequence[str] | None = None, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """A rate of N events from 0 to 1 (a tie is ½): each document counts once, by the mean of its events.

    Where every document says the same (all 0 or all 1) resampling sees no doubt, so the interval is the exact
    binomial one (Clopper and Pearson 1934). If every event is a tie there is no interval.
    """
    hits = np.asarray(hits_N, dtype=np.float64)
    means = _by_document(hits, documents_N)
    if len(means) == 0:
        return not_estimable("nothing was judged")
    n, value = len(means), float(means.mean())
    if np.all(hits == 0.5):
        return Estimate(0.5, None, None, n, "every comparison is a tie")
    if np.all(means == 0) or np.all(means == 1):
        edge = float(betaincinv(1, n, 0.975) if value == 0 else betaincinv(n, 1, 0.025))
        return Estimate(value, min(value, edge), max(value, edge), n, "")
    return mean_estimate(means, resamples=resamples, seed=seed)


def _by_document(values_N: Floats, documents_N: Sequence[str] | None) -> Floats:
    """Mean value by document, in the order of first appearance."""
    if documents_N is None:
        return values_N
    order = {document: index for index, document in enumerate(dict.fromkeys(documents_N))}
    place = np.array([order[document] for document in documents_N], dtype=np.int64)
    counts = np.bincount(place, minlength=len(order))
    return np.bincount(place, weights=values_N, minlength=len(order)) / np.maximum(counts, 1)


def paired_difference(
    a_N: ArrayLike,
    b_N: ArrayLike,
    *,
    names: tuple[str, str, str] = ("", "a", "b"),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Mean of a − b over documents where both are known, with a bootstrap interval and a permutation test.

    `names` are of the metric, of a and of b.
    """
    a, b = (np.asarray(values, dtype=np.float64)[:, None] for values in (a_N, b_N))
    return paired_differences(a, b, [names], resamples=resamples, seed=seed)[0]


def paired_differences(
    a_ND: ArrayLike,
    b_ND: ArrayLike,
    names_D: Sequence[tuple[str, str, str]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """`paired_difference` of each column, all on the same resamples."""
    differences = np.asarray(a_ND, dtype=np.float64) - np.asarray(b_ND, dtype=np.float64)
    found = []
    for estimate, column, names in zip(
        mean_estimates(differences, resamples=resamples, seed=seed), differences.T, names_D, strict=True
    ):
        known = column[np.isfinite(column)]
        p_value = permutation_p(known, resamples=resamples, seed=seed) if len(known) else None
        found.append(Difference(*names, estimate, p_value))
    return found


def permutation_p(differences_N: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """Two-sided p of mean 0 under random signs; (hits + 1)/(draws + 1), or exact for up to 12 documents."""
    differences = np.asarray(differences_N, dtype=np.float64)
    differences = differences[differences != 0]  # a sign means nothing to them
    n, observed = len(differences), abs(float(differences.sum()))
    slack = 1e-9 * float(np.abs(differences).sum())  # sums in another order differ in their last bits
    if n <= 12:
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float(np.mean(np.abs(signs @ differences) >= observed - slack))
    generator = np.random.default_rng(seed)
    hits, block = 0, max(1, _CELLS // n)
    for start in range(0, resamples, block):
        signs = 1.0 - 2.0 * generator.integers(0, 2, (min(block, resamples - start), n))
        hits += int(np.sum(np.abs(signs @ differences) >= observed - slack))
    return (hits + 1) / (resamples + 1)


def over_seeds(each: Mapping[str, float]) -> Seeds:
    """Several runs of one thing, by seed."""
    if not each:
        raise ValueError("no seed to report")
    values = np.array(list(each.values()), dtype=np.float64)
    return Seeds(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None, dict(each))
