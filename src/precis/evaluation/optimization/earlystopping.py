"""When to stop optimizing against a proxy, from what has been seen so far.

The rule needs a score that training does not see: a gold judge on held-out documents, or held-out reward models
(`ensemble_score`). It smooths it over neighbouring checkpoints, keeps the best stretch, and stops once the latest
stretch lies below it by a share of what was gained and beyond the noise. The checkpoint to keep is the middle of the
best stretch, so stopping late costs time, not quality.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtrit

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Checkpoint:
    """What is known at one checkpoint: KL (nats, from the start), the proxy's mean score, the held-out mean score."""

    kl: float
    proxy: float
    held_out: float


@dataclass(frozen=True)
class StoppingRule:
    """`window` checkpoints make a stretch; a fall counts from a share `fall` of the gain and from `sigmas` standard
    errors on; `kl_limit` (nats), if given, stops in any case."""

    window: int = 5
    fall: float = 0.1
    sigmas: float = 3.5
    kl_limit: float | None = None


@dataclass(frozen=True)
class Decision:
    """Whether to stop, which checkpoint to keep (its index), and why, in one sentence."""

    stop: bool
    keep: int
    why: str


def decide(seen: Sequence[Checkpoint], rule: StoppingRule | None = None) -> Decision:
    """Stop now, or go on? Of the checkpoints so far, in order; nothing later is needed or used.

    A checkpoint whose KL or held-out score is not finite stops at once: the policy is broken.
    """
    rule = rule or StoppingRule()
    if not seen:
        raise ValueError("no checkpoint has been seen")
    held = np.array([own.held_out for own in seen], dtype=np.float64)
    kl = np.array([own.kl for own in seen], dtype=np.float64)
    sound = np.isfinite(held) & np.isfinite(kl)
    if not sound[-1]:
        kept = _best(held[:-1], rule.window)[0] if len(seen) > 1 else 0
        return Decision(True, kept, "the last checkpoint has no finite KL or held-out score")
    keep, best, latest = _best(held, rule.window)
    if rule.kl_limit is not None and kl[-1] > rule.kl_limit:
        return Decision(True, keep, f"the KL of {kl[-1]:.3g} nats is over the limit of {rule.kl_limit:g}")
    if len(seen) < 2 * rule.window:
        return Decision(False, keep, f"{len(seen)} checkpoints are too few; it takes {2 * rule.window}")
    gain, doubt = best - held[0], _reach(rule.sigmas, len(seen)) * noise_of(held) * np.sqrt(2 / rule.window)
    if best - latest <= max(rule.fall * gain, doubt):
        return Decision(False, keep, f"the held-out score has not surely fallen: best {best:.3g}, now {latest:.3g}")
    proxy = np.array([own.proxy for own in seen], dtype=np.float64)
    then, now = proxy[max(0, keep - rule.window // 2) :][: rule.window].mean(), proxy[-rule.window :].mean()
    why = "the proxy still rises: it is over-optimized" if now > then else "the proxy falls too: training breaks down"
    if not np.isfinite([then, now]).all():
        why = "the proxy's score is not known"
    return Decision(
        True,
        keep,
        f"the held-out score fell from {best:.3g} (KL {kl[keep]:.3g}) to {latest:.3g} (KL {kl[-1]:.3g}); {why}",
    )


def stopping_point(path: Sequence[Checkpoint], rule: StoppingRule | None = None) -> tuple[int, Decision]:
    """Replay a whole run: the index at which the rule stops, or the last one if it never does, and its decision."""
    if not path:
        raise ValueError("no checkpoint has been seen")
    for length in range(1, len(path) + 1):
        decision = decide(path[:length], rule)
        if decision.stop:
            break
    return length - 1, decision


def ensemble_score(scores_MD: ArrayLike) -> float:
    """A careful held-out score from M reward models on D documents: mean over documents of mean − sd over models.

    Where the models part ways the policy has left what they know (Coste et al. 2023: uncertainty-weighted ensembles).
    Scores must share a scale. Raises ValueError for fewer than two models.
    """
    scores = np.asarray(scores_MD, dtype=np.float64)
    if scores.ndim != 2 or len(scores) < 2:
        raise ValueError("an ensemble needs the scores of at least two models")
    return float(np.mean(scores.mean(axis=0) - scores.std(axis=0, ddof=1)))


def noise_of(values_N: Floats) -> float:
    """Standard deviation of one value's noise, by second differences: a trend or a bend does not count as noise."""
    values = values_N[np.isfinite(values_N)]
    if len(values) < 3:
        return 0.0
    return float(np.sqrt(np.mean(np.diff(values, n=2) ** 2) / 6))


def _reach(sigmas: float, count: int) -> float:
    """`sigmas` standard errors where the noise is known; more where few values tell it (Student's t).

    Second differences of n values know a variance as well as (n − 2) · 18/35 independent ones do.
    """
    return float(stdtrit(max(1.0, (count - 2) * 18 / 35), ndtr(sigmas)))


def _best(held_N: Floats, window: int) -> tuple[int, float, float]:
    """The checkpoint to keep, the mean of the best stretch, and the mean of the latest stretch.

    Stretches within a standard error of the best are as good as it: kept is the middle of the middle one.
    """
    known = np.where(np.isfinite(held_N), held_N, -np.inf)
    width = min(window, len(known))
    means = np.convolve(known, np.ones(width) / width, "valid")
    tied = np.flatnonzero(means >= means.max() - noise_of(held_N) * np.sqrt(2 / width))
    return int(tied[len(tied) // 2]) + width // 2, float(means.max()), float(means[-1])
