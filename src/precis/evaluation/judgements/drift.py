"""Do labels mean the same as before? One pair of systems, judged in most batches, whose win rate should stay put.

Stiennon et al. 2020 put samples of one supervised policy against reference summaries into most batches for this.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..events import enough, event_share
from ..statistics import RESAMPLES, Estimate
from .choices import Choice, oriented, systems_in

Floats = NDArray[np.float64]
LEVEL = 0.05  # chance of any false alarm among all batches, and of one about the trend


@dataclass(frozen=True)
class BatchRate:
    """The win rate in one batch. `gap` is it minus all other batches', document means; `p_value` is corrected for the
    number of batches."""

    batch: str
    win_rate: Estimate
    comparisons: int
    gap: float
    p_value: float
    flagged: bool


@dataclass(frozen=True)
class Drift:
    """Batches in order. `trend` is the change of the win rate from one batch to the next (a line's slope)."""

    system: str
    against: str
    batches: tuple[BatchRate, ...]
    trend: float
    trend_p: float
    trend_flagged: bool


def sentinel_pair(choices: Sequence[Choice]) -> tuple[str, str] | None:
    """The two systems judged against each other in most batches (of equals, most often); None if none is in two."""
    names = systems_in(choices)
    batches: dict[tuple[str, str], set[str]] = defaultdict(set)
    times: dict[tuple[str, str], int] = defaultdict(int)
    for choice in choices:
        pair = oriented(names[choice.a.maker.id], names[choice.b.maker.id])
        if pair[0] != pair[1]:
            batches[pair].add(choice.batch)
            times[pair] += 1
    best = max(batches, key=lambda pair: (len(batches[pair]), times[pair]), default=None)
    return best if best is not None and len(batches[best]) > 1 else None


def drift(choices: Sequence[Choice], system: str, against: str, *, resamples: int = RESAMPLES, seed: int = 0) -> Drift:
    """The win rate of `system` over `against` by batch, and which batches differ by more than chance explains.

    A permutation test: documents are dealt to batches at random, and a batch is flagged if its standardised gap is
    beyond 95% of the *largest* gaps so found (Westfall and Young 1993), so that many batches raise no false alarm.
    Raises `UserError` if the two were compared in fewer than two batches.
    """
    names = systems_in(choices)
    outcomes: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for choice in choices:
        sides = names[choice.a.maker.id], names[choice.b.maker.id]
        if set(sides) == {system, against}:
            outcome = choice.outcome if sides[0] == system else 1 - choice.outcome
            outcomes[choice.batch].append((choice.document, outcome))
    batches = sorted(outcomes, key=natural)
    if len(batches) < 2:
        raise UserError(f"{system} and {against} were compared in {len(batches)} batches; drift needs two")
    units, place = _units([outcomes[batch] for batch in batches])
    draws = enough(len(units), resamples)
    gaps, p_values, trend, trend_p = _permutation(units, place, len(batches), draws, seed)
    return Drift(
        system,
        against,
        tuple(
            BatchRate(
                batch,
                event_share(
                    [outcome for _, outcome in outcomes[batch]],
                    [document for document, _ in outcomes[batch]],
                    resamples=resamples,
                    seed=seed,
                ),
                len(outcomes[batch]),
                float(gap),
                float(p),
                bool(p < LEVEL),
            )
            for batch, gap, p in zip(batches, gaps, p_values)
        ),
        trend,
        trend_p,
        trend_p < LEVEL,
    )


def natural(name: str) -> list[tuple[int, int, str]]:
    """A sort key that puts batch3 before batch10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def _units(by_batch: Sequence[Sequence[tuple[str, float]]]) -> tuple[Floats, NDArray[np.intp]]:
    """Each document's mean outcome in each batch, and the batch's number: what is dealt."""
    means, place = [], []
    for number, rows in enumerate(by_batch):
        own: dict[str, list[float]] = defaultdict(list)
        for document, outcome in rows:
            own[document].append(outcome)
        means += [float(np.mean(outcomes)) for outcomes in own.values()]
        place += [number] * len(own)
    return np.array(means), np.array(place, dtype=np.intp)


def _permutation(
    units: Floats, place: NDArray[np.intp], batches: int, resamples: int, seed: int
) -> tuple[Floats, Floats, float, float]:
    """Gaps and family-wise p-values by batch; slope over batches and its p-value."""
    member = np.eye(batches)[place]  # (units, batches)
    sizes = member.sum(axis=0)
    rest = len(units) - sizes
    centred = place - place.mean()
    # Every statistic is linear in the dealt outcomes: one product finds them all.
    weights = np.column_stack([member / sizes - (1 - member) / rest, centred / np.maximum(centred @ centred, 1e-12)])
    spread = np.append(np.sqrt(1 / sizes + 1 / rest), 1.0)
    seen = units @ weights / spread
    generator = np.random.default_rng(seed)
    hits = np.zeros(batches + 1)
    slack = 1e-9
    for start in range(0, resamples, 500):
        dealt = generator.permuted(np.tile(units, (min(500, resamples - start), 1)), axis=1) @ weights / spread
        largest = np.abs(dealt[:, :batches]).max(axis=1)
        hits[:batches] += (largest[:, None] >= np.abs(seen[:batches]) - slack).sum(axis=0)
        hits[batches] += (np.abs(dealt[:, batches]) >= abs(seen[batches]) - slack).sum()
    p_values = (hits + 1) / (resamples + 1)
    return (seen * spread)[:batches], p_values[:batches], float(seen[batches]), float(p_values[batches])
