"""How often each automatic measure chooses as people do, and as each other measure does.

Stiennon et al. 2020, §4.4 and appendix G.7: labelers, ensembles of at least three labelers, and metrics, everyone
against everyone, on pairs of samples of one policy. A metric's tie counts ½; a pair without a value of the metric
takes no part and is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..events import event_share
from ..statistics import RESAMPLES, Estimate, not_estimable
from .agreement import Item, correlation_by_group
from .candidatemetrics import Metric, margin
from .choices import Choice
from .labelers import Vote, votes_of

Floats = NDArray[np.float64]
LABELER, ENSEMBLE = "labeler", "ensemble of labelers"
ENSEMBLE_OF = 3


@dataclass(frozen=True)
class MetricAgreement:
    """Agreement of two of labeler, ensemble and metrics over `events` (labels, or pairs where neither is a labeler).

    `ties` are events in which a metric (or an ensemble of even size) is undecided; `missing` have no value of one.
    """

    a: str
    b: str
    agreement: Estimate
    events: int
    ties: int
    missing: int


@dataclass(frozen=True)
class Agreements:
    """`pairs` of everyone with everyone on `items` pairs of candidates; `ensemble_items` have an ensemble's label."""

    items: int
    ensemble_items: int
    pairs: tuple[MetricAgreement, ...]

    def of(self, a: str, b: str) -> MetricAgreement | None:
        return next((pair for pair in self.pairs if {pair.a, pair.b} == {a, b}), None)


@dataclass(frozen=True)
class MetricAnalysis:
    """`same_system` are pairs of samples of one system, which no difference between systems explains."""

    metrics: tuple[str, ...]
    all_pairs: Agreements
    same_system: Agreements
    correlations: Mapping[str, Mapping[str, Estimate]]


def metric_analysis(
    choices: Sequence[Choice], metrics: Sequence[Metric], *, resamples: int = RESAMPLES, seed: int = 0
) -> MetricAnalysis:
    """`MetricAnalysis` of people's choices; a comparison of the same text twice has no right answer and is left out."""
    usable = [choice for choice in choices if not choice.identical]
    same = [choice for choice in usable if choice.same_system]
    return MetricAnalysis(
        tuple(metric.name for metric in metrics),
        agreements(usable, metrics, resamples=resamples, seed=seed),
        agreements(same, metrics, resamples=resamples, seed=seed),
        metric_correlations(usable, metrics, resamples=resamples, seed=seed),
    )


def agreements(
    choices: Sequence[Choice], metrics: Sequence[Metric], *, resamples: int = RESAMPLES, seed: int = 0
) -> Agreements:
    """Everyone against everyone. An ensemble is the majority of all labelers of a pair, at least three; against a
    labeler it is the others', so that nobody is compared with themselves (leave-one-out)."""
    votes = votes_of(choices)
    signs = {metric.name: _signs(choices, metric) for metric in metrics}
    who = [LABELER, ENSEMBLE, *signs]
    found = []
    for a, b in [(LABELER, LABELER), *combinations(who, 2)]:
        rows, missing = _meetings(a, b, votes, signs)
        hits = [_same(one, other) for _, one, other in rows]
        agreement = (
            event_share(hits, [document for document, _, _ in rows], resamples=resamples, seed=seed)
            if rows
            else not_estimable(_nothing(a, b))
        )
        found.append(
            MetricAgreement(a, b, agreement, len(rows), sum(0 in (one, other) for _, one, other in rows), missing)
        )
    ensembles = sum(len(_cast(by)) >= ENSEMBLE_OF for by in votes.values())
    return Agreements(len(votes), ensembles, tuple(found))


def _nothing(a: str, b: str) -> str:
    if LABELER == a == b:
        return "no pair has two labels"
    if ENSEMBLE in (a, b):
        return f"no pair has {ENSEMBLE_OF + 1 if LABELER in (a, b) else ENSEMBLE_OF} labels"
    return "no pair has a value of both"


def _signs(choices: Sequence[Choice], metric: Metric) -> dict[Item, float]:
    """−1 where the metric prefers the first of the item, +1 the second, 0 neither; NaN without a value."""
    found = {}
    for choice in choices:
        _, first, second = choice.item
        found[choice.item] = float(np.sign(margin(metric, second, first, same_system=choice.same_system)))
    return found


def _cast(by: Mapping[str, Vote]) -> dict[str, int]:
    return {name: vote.sign for name, vote in by.items() if vote.sign}


def _majority(signs: Sequence[int]) -> float:
    return float(np.sign(sum(signs)))


def _same(one: float, other: float) -> float:
    """1 for the same preference, 0 for opposite ones; a tie against a preference ½, two ties 1."""
    return 1.0 if one == other else 0.5 if 0 in (one, other) else 0.0


def _meetings(
    a: str, b: str, votes: Mapping[Item, Mapping[str, Vote]], signs: Mapping[str, Mapping[Item, float]]
) -> tuple[list[tuple[str, float, float]], int]:
    """(document, sign of a, sign of b) of every event, and how many events lack a metric's value."""
    rows: list[tuple[str, float, float]] = []
    missing = 0
    wanted = {name: signs[name] for name in (a, b) if name in signs}
    for item, by in votes.items():
        for one, other in _events(a, b, _cast(by), {name: own[item] for name, own in wanted.items()}):
            if np.isnan(one) or np.isnan(other):
                missing += 1
            else:
                rows.append((item[0], one, other))
    return rows, missing


def _events(a: str, b: str, cast: Mapping[str, int], signs: Mapping[str, float]) -> list[tuple[float, float]]:
    labels = list(cast.values())
    if a == b == LABELER:
        return [(float(one), float(other)) for one, other in combinations(labels, 2)]
    if a == LABELER and b == ENSEMBLE:
        if len(labels) <= ENSEMBLE_OF:
            return []
        return [(float(own), _majority([*labels[:n], *labels[n + 1 :]])) for n, own in enumerate(labels)]
    if a == LABELER:
        return [(float(own), signs[b]) for own in labels]
    if a == ENSEMBLE:
        return [(_majority(labels), signs[b])] if len(labels) >= ENSEMBLE_OF else []
    return [(signs[a], signs[b])]


def metric_correlations(
    choices: Sequence[Choice], metrics: Sequence[Metric], *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, dict[str, Estimate]]:
    """Spearman's rho of every two metrics over the candidates that were compared, within a document, averaged."""
    texts = {side.id: side for choice in choices for side in (choice.a, choice.b)}
    found: dict[str, dict[str, Estimate]] = defaultdict(dict)
    for one, other in combinations([metric for metric in metrics if metric.across], 2):
        both = [id for id in texts if id in one.values and id in other.values]
        estimate = correlation_by_group(
            [one.values[id] for id in both],
            [other.values[id] for id in both],
            [texts[id].source_id for id in both],
            resamples=resamples,
            seed=seed,
        )
        found[one.name][other.name] = found[other.name][one.name] = estimate
    return dict(found)
