"""Which seeds of one training collapsed? Half of the 1B PPO runs of Huang et al. 2024 did: win rates .62 .54 .22 .20.

A collapsed seed scores far below the others (or below where it started) and lies far from the start in KL: it learnt
the proxy's mistakes. A seed that scores low without having moved far is `weak`: another failure, with other remedies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .overoptimization import Curve

State = Literal["sound", "collapsed", "weak"]

FALL = 0.15  # of a win rate: three times the paper's cost of length control, and half of the gap that N+ saw
FAR = 2.0  # times the KL of the nearest sound seed
# Nats that are far in any case, unless sound seeds lie farther: β = .05 leads to 14–19 (Stiennon et al. 2020).
FAR_NATS = 40.0


@dataclass(frozen=True)
class SeedRun:
    """One seed: its score (a win rate unless `fall` says otherwise), KL in nats, and documents judged, if known."""

    seed: str
    score: float
    kl: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class SeedState:
    """A seed and what became of it, in words."""

    run: SeedRun
    state: State
    why: str


def seed_states(runs: Sequence[SeedRun], *, start: float | None = None, fall: float = FALL) -> list[SeedState]:
    """The state of each seed of one setting, in order.

    A score is low if it is `fall` or more below the best seed's, or below `start`, the score of the policy that
    training began with. Where `n` is known, a low win rate must also be lower than chance explains (two standard
    errors). Without `start` the best seed counts as sound: if all collapsed alike, nothing here can show it.
    """
    if not runs:
        return []
    best = max(runs, key=lambda run: run.score)
    low = {run.seed: _why_low(run, best, start, fall) for run in runs}
    near = [run.kl for run in runs if not low[run.seed] and run.kl is not None and run.kl > 0]
    limit = min(FAR * min(near), max(FAR_NATS, min(near))) if near else FAR_NATS
    return [SeedState(run, *_state(run, low[run.seed], limit)) for run in runs]


def _why_low(run: SeedRun, best: SeedRun, start: float | None, fall: float) -> str:
    if start is not None and run.score < start and _is_beyond_chance(start - run.score, run, None):
        return f"{run.score:.3g} is below the {start:.3g} it started from"
    gap = best.score - run.score
    # A hair less than `fall`: 0.35 − 0.2 is not quite 0.15.
    if gap >= fall - 1e-9 and _is_beyond_chance(gap, run, best):
        return f"{run.score:.3g} is {gap:.3g} below the best seed"
    return ""


def _is_beyond_chance(gap: float, run: SeedRun, other: SeedRun | None) -> bool:
    """Two standard errors of win rates on n documents; scores of other kinds and unknown n are taken as they are."""
    sides = [side for side in (run, other) if side is not None]
    if any(side.n is None or not 0 <= side.score <= 1 for side in sides):
        return True
    variance = sum(side.score * (1 - side.score) / max(side.n or 1, 1) for side in sides)
    return gap > 2 * float(np.sqrt(variance))


def _state(run: SeedRun, low: str, limit: float) -> tuple[State, str]:
    if not low:
        return "sound", ""
    if run.kl is None:
        return "collapsed", f"{low}; its KL is not known"
    if run.kl >= limit:
        return "collapsed", f"{low}, at a KL of {run.kl:.3g} nats (far from {limit:.3g} on)"
    return "weak", f"{low}, but its KL of {run.kl:.3g} nats is not far (far from {limit:.3g} on)"


def curve_seeds(curve: Curve) -> dict[str, list[SeedState]]:
    """`seed_states` of every point with several seeds, by the point's label; the score is gold.

    Gold from 0 to 1 is taken for a win rate. On another scale a seed is low if it misses half of what the best point
    gained over the start, which must be known (a first point with KL 0); else nothing is said.
    """
    scores = [seed.gold for point in curve.points for seed in point.seeds if seed.gold is not None]
    first = curve.points[0]
    start = first.gold.value if first.kl.value == 0 else None
    fall = FALL
    if scores and not (min(scores) >= 0 and max(scores) <= 1):
        best = max(point.gold.value for point in curve.points if point.gold.value is not None)
        if start is None or best <= start:
            return {}
        fall = (best - start) / 2
    found = {}
    for point in curve.points:
        if point is first and start is not None:
            continue  # nothing was trained there: its seeds differ by their samples alone
        runs = [SeedRun(own.seed, own.gold, own.kl, own.documents) for own in point.seeds if own.gold is not None]
        if len(runs) > 1:
            found[point.label] = seed_states(runs, start=start, fall=fall)
    return found
