"""Simulated people who compare and rank: the oracle's view, blurred as people's views are.

What an annotator perceives of a summary is the oracle's overall, plus a *taste* that all annotators share for the item
(people agree with each other on things that the rubric does not know), plus the annotator's own noise, plus whatever
biases the settings ask for. With the noise logistic, the choice is a Bradley–Terry model of the difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Literal

from ..records import Candidate, Comparison, Document, JudgeInfo, Ranking
from .oracle import OracleSettings, rate

# Perceived difference, in points of overall, from which the nine-point scale says more than "slightly".
_CONFIDENCE_STEPS = (0.6, 1.4, 2.6)


@dataclass(frozen=True)
class ComparerSettings:
    """Noise and biases of a comparer; the first two are calibrated (docs/sandbox.md) on pairs of references."""

    temperature: float = 0.68  # scale of the annotator's own logistic noise, points of overall
    taste: float = 0.85  # standard deviation of what all annotators share beside the oracle, points
    position_bias: float = 0.0  # points that the summary shown first gains
    length_bias: float = 0.0  # points that twice as many words gain
    oracle: OracleSettings = field(default_factory=OracleSettings)


@dataclass(frozen=True)
class RankerSettings:
    """`position_shape`: which places of the list gain `position_bias` points: `first`, `last` or `ends`."""

    temperature: float = 0.4  # scale of the Gumbel noise, points of overall
    position_bias: float = 0.0
    position_shape: Literal["first", "last", "ends"] = "first"
    length_bias: float = 0.0
    tie_within: float = 0.0  # neighbours nearer than this share a tier, points
    oracle: OracleSettings = field(default_factory=OracleSettings)


def compare(
    document: Document,
    a: Candidate,
    b: Candidate,
    *,
    annotator: str = "comparer-0",
    seed: int = 0,
    settings: ComparerSettings | None = None,
    shown_first: Literal["a", "b"] | None = None,
    repeat: int = 0,
) -> Comparison:
    """A forced choice with nine-point confidence (1 surely a, 9 surely b, never 5).

    The same annotator gives the same answer to the same pair, whichever of the two is called a; without
    `shown_first` the order of showing is drawn. `repeat` asks again, with fresh noise of the annotator's own.
    """
    settings = settings or ComparerSettings()
    low, high = sorted((a, b), key=lambda candidate: candidate.id)
    sign = 1.0 if b is high else -1.0  # towards b
    taste = Random(f"taste|{seed}|{document.id}|{low.id}|{high.id}").gauss(0.0, settings.taste)
    own = Random(f"own|{seed}|{annotator}|{repeat}|{document.id}|{low.id}|{high.id}")
    noise = settings.temperature * _logistic(own)
    if shown_first is None:
        shown_first = "a" if (own.random() < 0.5) == (a is low) else "b"
    towards_b = _perceived(document, b, settings) - _perceived(document, a, settings) + sign * (taste + noise)
    towards_b += settings.position_bias * (1 if shown_first == "b" else -1)
    if towards_b == 0.0:
        towards_b = sign * 1e-9
    strength = sum(abs(towards_b) >= step for step in _CONFIDENCE_STEPS)
    confidence = 6 + strength if towards_b > 0 else 4 - strength
    judge = JudgeInfo(f"sandbox:{annotator}", {"seed": seed, **_plain(settings)})
    return Comparison(
        judge, document.id, a.id, b.id, "b" if towards_b > 0 else "a", confidence, shown_first, repeat=repeat
    )  # fmt: skip


def rank(
    document: Document,
    candidates: Sequence[Candidate],
    *,
    annotator: str = "ranker-0",
    seed: int = 0,
    settings: RankerSettings | None = None,
    repeat: int = 0,
) -> Ranking:
    """The candidates, shown in the order given, ranked best first (Plackett–Luce around the oracle, plus biases)."""
    settings = settings or RankerSettings()
    last = max(1, len(candidates) - 1)
    scored = []
    for place, candidate in enumerate(candidates):
        rng = Random(f"rank|{seed}|{annotator}|{repeat}|{document.id}|{candidate.id}")
        gumbel = -math.log(-math.log(rng.uniform(1e-12, 1 - 1e-12)))
        bonus = settings.position_bias * _place_weight(place / last, settings.position_shape)
        scored.append((_perceived(document, candidate, settings) + settings.temperature * gumbel + bonus, candidate.id))
    scored.sort(key=lambda pair: (-pair[0], pair[1]))
    tiers: list[tuple[str, ...]] = []
    before = math.inf
    for value, name in scored:
        if tiers and before - value < settings.tie_within:
            tiers[-1] = (*tiers[-1], name)
        else:
            tiers.append((name,))
        before = value
    judge = JudgeInfo(f"sandbox:{annotator}", {"seed": seed, **_plain(settings)})
    return Ranking(judge, document.id, tuple(tiers), tuple(candidate.id for candidate in candidates), repeat=repeat)


def _perceived(document: Document, candidate: Candidate, settings: ComparerSettings | RankerSettings) -> float:
    overall = rate(document, candidate.text, settings.oracle).overall
    if settings.length_bias:
        overall += settings.length_bias * math.log2(max(1, len(candidate.text.split())))
    return overall


def _place_weight(x: float, shape: str) -> float:
    """How much of the bias the place `x` (0 first, 1 last) gains."""
    return {"first": 1 - x, "last": x, "ends": abs(2 * x - 1)}[shape]


def _logistic(rng: Random) -> float:
    u = rng.uniform(1e-12, 1 - 1e-12)
    return math.log(u / (1 - u))


def _plain(settings: ComparerSettings | RankerSettings) -> dict[str, Any]:
    """Settings as JSON; a judge with other settings is another judge."""
    return asdict(settings)
