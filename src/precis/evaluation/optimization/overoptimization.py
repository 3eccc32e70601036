"""Over-optimization: where does a better proxy score stop buying better summaries (Stiennon et al. 2020, fig. 5)?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..statistics import RESAMPLES, Estimate, mean_estimates, not_estimable, resampled_counts
from .frontier import BEST_OF_N, GOLD, KL, PROXY, Study
from .goldforms import GoldFit, fit_gold

Floats = NDArray[np.float64]
FOLDS = 5


@dataclass(frozen=True)
class SeedPoint:
    """One seed's means at a point; None where nothing is known."""

    seed: str
    kl: float | None
    proxy: float | None
    gold: float | None
    documents: int


@dataclass(frozen=True)
class Point:
    """Means over documents (and seeds) at one point; intervals resample documents. KL is in nats."""

    label: str
    kl: Estimate
    proxy: Estimate
    gold: Estimate
    seeds: tuple[SeedPoint, ...]


@dataclass(frozen=True)
class Turn:
    """Where gold peaks. `kl` is the KL of that point; its interval, and `shares`, come from finding the peak again in
    each resample: `shares[s]` is how often point s is the peak.

    `fall` is gold at the last point minus gold at the peak. So that picking the highest of noisy points does not look
    like a fall, each document is compared with the peak that the other documents choose (five folds).
    """

    peak: int
    kl: Estimate
    shares: tuple[float, ...]
    fall: Estimate

    @property
    def is_turned(self) -> bool:
        """Whether gold surely falls after its peak: the proxy is over-optimized."""
        return self.fall.high is not None and self.fall.high < 0


@dataclass(frozen=True)
class Curve:
    """One study, measured. `negative_kl` names the points whose mean KL came out below 0, shown as they are."""

    title: str
    method: str
    over: str
    points: tuple[Point, ...]
    turn: Turn | None
    fit: GoldFit
    dropped: int = 0

    @property
    def negative_kl(self) -> tuple[str, ...]:
        return tuple(point.label for point in self.points if point.kl.value is not None and point.kl.value < 0)


def measure(study: Study, *, resamples: int = RESAMPLES, seed: int = 0) -> Curve:
    """The `Curve` of a study. `turn` is None where fewer than two points have a gold score."""
    values = study.values_DS3
    documents, size, _ = values.shape
    named = documents > 1
    flat = mean_estimates(values.transpose(0, 2, 1).reshape(documents, -1), resamples=resamples, seed=seed)
    if not named and study.documents == ("",):
        flat = [_unnamed(estimate) for estimate in flat]
    kl, proxy, gold = (flat[part * size : (part + 1) * size] for part in (KL, PROXY, GOLD))
    points = tuple(
        Point(label, _analytic(kl[s]), proxy[s], gold[s], _seeds(study, s)) for s, label in enumerate(study.labels)
    )
    kl_RS = gold_RS = None
    if named:
        kl_RS, gold_RS = (resampled_means(values[:, :, part], resamples, seed) for part in (KL, GOLD))
    kl_S, gold_S = (_known_means(values[:, :, part]) for part in (KL, GOLD))
    both = None if kl_RS is None or gold_RS is None else (kl_RS, gold_RS)
    form = "best-of-n" if study.method == BEST_OF_N else "rl"
    fit = fit_gold(kl_S, gold_S, form, resampled=both, n=documents)  # type: ignore[arg-type]
    turn = None if np.isfinite(gold_S).sum() < 2 else _turn(values, kl_S, gold_S, both, resamples, seed)
    return Curve(study.title, study.method, study.over, points, turn, fit, study.dropped)


def _analytic(kl: Estimate) -> Estimate:
    """A KL that is the same for every document was computed, not estimated."""
    if kl.value is None or kl.low is None or kl.high is None or kl.high - kl.low > 1e-12:
        return kl
    return Estimate(kl.value, None, None, kl.n, "the same for every document", kl.missing)


def _unnamed(estimate: Estimate) -> Estimate:
    if estimate.value is None:
        return estimate
    return Estimate(estimate.value, None, None, 1, "the rows name no document", estimate.missing)


def _seeds(study: Study, point: int) -> tuple[SeedPoint, ...]:
    found = []
    for e, seed in enumerate(study.seeds):
        own = study.values_DSE3[:, point, e]
        if np.isfinite(own).any():
            kl, proxy, gold = (None if np.isnan(mean) else float(mean) for mean in _known_means(own))
            found.append(SeedPoint(seed, kl, proxy, gold, int(np.isfinite(own[:, GOLD]).sum())))
    return tuple(found)


def _turn(
    values_DS3: Floats,
    kl_S: Floats,
    gold_S: Floats,
    resampled: tuple[Floats, Floats] | None,
    resamples: int,
    seed: int,
) -> Turn:
    peak = int(np.nanargmax(gold_S))
    n = int(np.isfinite(values_DS3[:, peak, GOLD]).sum())
    if resampled is None:
        why = "fewer than two documents"
        return Turn(peak, Estimate(float(kl_S[peak]), None, None, n, why), (), not_estimable(why, n))
    kl_RS, gold_RS = resampled
    peaks_R = np.argmax(np.where(np.isfinite(gold_RS), gold_RS, -np.inf), axis=1)
    at_R = kl_RS[np.arange(len(peaks_R)), peaks_R]
    low, high = (float(bound) for bound in np.nanquantile(at_R, [0.025, 0.975]))
    shares = tuple(float(share) for share in np.bincount(peaks_R, minlength=len(gold_S)) / len(peaks_R))
    fall = _fall(values_DS3[:, :, GOLD], resamples, seed)
    return Turn(peak, Estimate(float(kl_S[peak]), low, high, n), shares, fall)


def _fall(gold_DS: Floats, resamples: int, seed: int) -> Estimate:
    """Last minus peak, the peak chosen on the other folds; an interval that resamples documents."""
    known = np.flatnonzero(np.isfinite(gold_DS).any(axis=0))
    documents = len(gold_DS)
    if documents < 2 * FOLDS:
        return not_estimable(f"{documents} documents are too few; it takes {2 * FOLDS}", documents)
    fold_D = np.random.default_rng(seed).permutation(documents) % FOLDS
    peak_D = np.full(documents, np.nan)
    for fold in range(FOLDS):
        chosen = known[int(np.nanargmax(_known_means(gold_DS[fold_D != fold])[known]))]
        peak_D[fold_D == fold] = gold_DS[fold_D == fold, chosen]
    both_D2 = np.stack([gold_DS[:, known[-1]], peak_D], axis=1)
    last, peak = _known_means(both_D2)
    if not np.isfinite([last, peak]).all():
        return not_estimable("no document has a gold score there", documents)
    draws_R2 = resampled_means(both_D2, resamples, seed)
    low, high = (float(bound) for bound in np.nanquantile(draws_R2[:, 0] - draws_R2[:, 1], [0.025, 0.975]))
    return Estimate(float(last - peak), low, high, documents)


def resampled_means(values_DS: Floats, resamples: int, seed: int) -> Floats:
    """(R, S): column means of what is known, in each of R bootstrap resamples of the documents; NaN if nothing is."""
    known = np.isfinite(values_DS)
    filled, counted = np.where(known, values_DS, 0.0), known.astype(np.float64)
    blocks = []
    for weights in resampled_counts(len(values_DS), resamples, seed):
        below = weights @ counted
        blocks.append(np.where(below > 0, (weights @ filled) / np.maximum(below, 1), np.nan))
    return np.concatenate(blocks)


def _known_means(values_DS: Floats) -> Floats:
    known = np.isfinite(values_DS)
    counts = known.sum(axis=0)
    return np.where(counts > 0, np.where(known, values_DS, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)
