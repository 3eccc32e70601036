"""The forms that gold scores follow under optimization against a proxy (Gao et al. 2023, §3.1).

With d = √KL(policy ‖ start), gold gains d(α − βd) by best-of-n and d(α − β log d) by reinforcement learning. They
are fitted by least squares with an intercept, the gold score of the start. α is what optimization buys at first, β
what it costs; where they balance lies the turning point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..statistics import Estimate, not_estimable

Floats = NDArray[np.float64]
Form = Literal["best-of-n", "rl"]
LEAST = 4  # points with different KL: three coefficients and one to spare


@dataclass(frozen=True)
class GoldFit:
    """A fitted form: `start`, `alpha` and `beta`; the KL (nats) and the gold score at its peak; R² over the points.

    Intervals are percentiles over resampled documents. `clipped` counts points whose KL came out below 0: they enter
    as KL 0, because d is not defined for them. `extrapolated`: the peak lies beyond the largest KL seen.
    """

    form: Form
    start: Estimate
    alpha: Estimate
    beta: Estimate
    peak_kl: Estimate
    peak_gold: Estimate
    r2: float | None
    clipped: int = 0
    extrapolated: bool = False

    def gold_at(self, kl_N: Floats) -> Floats | None:
        """The fitted gold score at each KL; None if nothing was fitted."""
        values = (self.start.value, self.alpha.value, self.beta.value)
        if None in values:
            return None
        fitted: Floats = _design(np.asarray(kl_N, dtype=np.float64), self.form) @ np.array(values, dtype=np.float64)
        return fitted


def fit_gold(kl_S: Floats, gold_S: Floats, form: Form, *, resampled: tuple[Floats, Floats] | None, n: int) -> GoldFit:
    """Fit `form` to S points; `resampled` holds KL and gold (R, S) of R resamples of the n documents.

    What cannot be fitted says why: fewer than four different KLs, or no peak (β ≤ 0: gold rises throughout).
    """
    known = np.isfinite(kl_S) & np.isfinite(gold_S)
    kl_S, gold_S = kl_S[known], gold_S[known]
    clipped = int(np.sum(kl_S < 0))
    distinct = len(np.unique(np.maximum(kl_S, 0.0)))
    if distinct < LEAST:
        none = not_estimable(f"{distinct} points with different KL are too few; the form needs {LEAST}", n)
        return GoldFit(form, none, none, none, none, none, None, clipped)
    design_S3 = _design(kl_S, form)
    coefficients = np.linalg.pinv(design_S3) @ gold_S
    residual, spread = gold_S - design_S3 @ coefficients, gold_S - gold_S.mean()
    r2 = 1 - float(residual @ residual) / float(spread @ spread) if np.any(np.abs(spread) > 1e-12) else None
    draws = np.zeros((0, 5))
    if resampled is not None:
        kl_RS, gold_RS = (own[:, known] for own in resampled)
        whole = np.isfinite(kl_RS).all(axis=1) & np.isfinite(gold_RS).all(axis=1)
        each_R3 = np.einsum("rcs,rs->rc", np.linalg.pinv(_design(kl_RS[whole], form)), gold_RS[whole])
        draws = np.concatenate([each_R3, _peaks(each_R3, form)], axis=1)
    values = np.concatenate([coefficients, _peaks(coefficients[None], form)[0]])
    start, alpha, beta, peak_kl, peak_gold = (_estimate(v, draws[:, column], n) for column, v in enumerate(values))
    over = bool(np.isfinite(values[3]) and values[3] > kl_S.max())
    return GoldFit(form, start, alpha, beta, peak_kl, peak_gold, r2, clipped, over)


def _design(kl: Floats, form: Form) -> Floats:
    """Columns 1, d and −d² or −d log d on a new last axis."""
    d = np.sqrt(np.maximum(kl, 0.0))
    shape = d**2 if form == "best-of-n" else d * np.log(np.where(d > 0, d, 1.0))
    return np.stack([np.ones_like(d), d, -shape], axis=-1)


def _peaks(coefficients_R3: Floats, form: Form) -> Floats:
    """(R, 2): KL and gold at the highest point; infinite where gold rises throughout."""
    start, alpha, beta = coefficients_R3.T
    sure = np.where(beta > 0, beta, 1.0)
    ratio = alpha / sure
    d = np.maximum(ratio / 2, 0.0) if form == "best-of-n" else np.exp(np.minimum(ratio - 1, 300.0))
    gain = d * (alpha - sure * d) if form == "best-of-n" else d * sure
    bends = beta > 0
    return np.stack([np.where(bends, d**2, np.inf), np.where(bends, start + gain, np.inf)], axis=1)


def _estimate(value: float, draws_R: Floats, n: int) -> Estimate:
    if not np.isfinite(value):
        return not_estimable("the fitted curve has no peak: gold does not bend down", n)
    if len(draws_R) == 0:
        return Estimate(float(value), None, None, n, "fewer than two documents")
    low, high = (float(bound) for bound in np.quantile(draws_R, [0.025, 0.975], method="nearest"))
    if not np.isfinite(high):
        share = float(np.mean(~np.isfinite(draws_R)))
        return Estimate(float(value), None, None, n, f"no upper end: {share:.0%} of resamples have no peak")
    return Estimate(float(value), low, high, n)
