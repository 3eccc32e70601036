"""How far judges agree with each other: on pairs, on categories, on orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...records import Comparison, Failure, Judgement, Ranking, Rating, Score
from ..statistics import RESAMPLES, Estimate, mean_estimate, not_estimable, share_estimate

Floats = NDArray[np.float64]
Ties = Literal["exclude", "half", "match"]
Level = Literal["nominal", "ordinal", "interval"]
Item = tuple[str, str, str]  # source, and two candidates in alphabetical order


@dataclass(frozen=True)
class Votes:
    """What each judge says of each pair: −1 the first, +1 the second, 0 a tie; and its failures."""

    votes: Mapping[str, Mapping[Item, int]]
    failures: Mapping[str, int]


@dataclass(frozen=True)
class PairAgreement:
    """Agreement of judges a and b on the pairs that both judged.

    `items` counts those pairs, `ties` those where at least one of the two said tie. `kappa` is Cohen's, on the same
    pairs as `agreement` (None where chance already explains everything).
    """

    a: str
    b: str
    agreement: Estimate
    kappa: float | None
    items: int
    ties: int


def pair_votes(judgements: Iterable[Judgement], *, axis: str = "overall") -> Votes:
    """Votes by judge name, from comparisons, rankings, scores and ratings (on `axis`).

    A judge that saw a pair more than once (in both orders, or again) votes with the majority of its answers; if
    they balance, it votes tie.
    """
    sums: dict[str, dict[Item, int]] = defaultdict(lambda: defaultdict(int))
    scores: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    failures: dict[str, int] = defaultdict(int)
    for judgement in judgements:
        name, source = judgement.judge.name, judgement.source_id
        if isinstance(judgement, Comparison):
            _vote(sums[name], source, judgement.a, judgement.b, {"a": -1, "tie": 0, "b": 1}[judgement.choice])
        elif isinstance(judgement, Ranking):
            tier = {candidate: rank for rank, tied in enumerate(judgement.tiers) for candidate in tied}
            for one, other in combinations(tier, 2):
                _vote(sums[name], source, one, other, _sign(tier[one] - tier[other]))
        elif isinstance(judgement, Score) or (isinstance(judgement, Rating) and judgement.axis == axis):
            scores[name, source][judgement.candidate].append(float(judgement.value))
        elif isinstance(judgement, Failure):
            failures[name] += 1
    for (name, source), values in scores.items():
        means = {candidate: float(np.mean(repeats)) for candidate, repeats in values.items()}
        for one, other in combinations(means, 2):
            _vote(sums[name], source, one, other, _sign(means[other] - means[one]))
    votes = {name: {item: _sign(total) for item, total in own.items()} for name, own in sums.items()}
    return Votes(votes, dict(failures))


def _vote(into: dict[Item, int], source: str, one: str, other: str, sign: int) -> None:
    """Add a vote of `sign` (+1 prefers `other`)."""
    first, second = sorted((one, other))
    into[source, first, second] += sign if first == one else -sign


def _sign(value: float) -> int:
    return int(value > 0) - int(value < 0)


def agreement_matrix(
    votes: Mapping[str, Mapping[Item, int]], *, ties: Ties = "exclude", resamples: int = RESAMPLES, seed: int = 0
) -> list[PairAgreement]:
    """Agreement of every two judges.

    `ties`: `exclude` leaves out pairs where either said tie (Stiennon et al. 2020 leave out the indifferent),
    `half` counts a tie against a preference ½ and two ties 1, `match` takes tie for a third answer.
    """
    return [
        pair_agreement(a, b, votes[a], votes[b], ties=ties, resamples=resamples, seed=seed)
        for a, b in combinations(votes, 2)
    ]


def pair_agreement(
    a: str,
    b: str,
    votes_a: Mapping[Item, int],
    votes_b: Mapping[Item, int],
    *,
    ties: Ties = "exclude",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairAgreement:
    """`PairAgreement` of two judges named a and b; the estimate counts sources and resamples them."""
    shared = [item for item in votes_a if item in votes_b]
    tied = [item for item in shared if not (votes_a[item] and votes_b[item])]
    kept = [item for item in shared if ties != "exclude" or (votes_a[item] and votes_b[item])]
    if not kept:
        why = "no pair was judged by both" if not shared else "every pair that both judged is a tie for one of them"
        return PairAgreement(a, b, not_estimable(why), None, len(shared), len(tied))
    one, other = (np.array([votes[item] for item in kept]) for votes in (votes_a, votes_b))
    half = (ties == "half") & ((one == 0) != (other == 0))
    same = np.where(half, 0.5, (one == other).astype(np.float64))
    estimate = share_estimate(same, [item[0] for item in kept], resamples=resamples, seed=seed)
    return PairAgreement(a, b, estimate, cohen_kappa(one, other), len(shared), len(tied))


def cohen_kappa(a_N: ArrayLike, b_N: ArrayLike) -> float | None:
    """Cohen's kappa of two raters' categories; None if chance alone would agree always (or there is nothing)."""
    a, b = np.asarray(a_N), np.asarray(b_N)
    if len(a) == 0:
        return None
    categories = np.union1d(a, b)
    chance = float(sum(np.mean(a == category) * np.mean(b == category) for category in categories))
    return None if chance >= 1 - 1e-12 else (float(np.mean(a == b)) - chance) / (1 - chance)


def krippendorff_alpha(ratings_JN: ArrayLike, level: Level = "nominal") -> float | None:
    """Krippendorff's alpha of J judges on N items; NaN is no rating. None if nothing can vary or be compared.

    Krippendorff 2011, "Computing Krippendorff's alpha-reliability".
    """
    values, coincidences_NVV = coincidences(ratings_JN)
    alpha = float(alphas(coincidences_NVV.sum(axis=0)[None], values, level)[0]) if len(values) > 1 else np.nan
    return None if np.isnan(alpha) else alpha


def coincidences(ratings_JN: ArrayLike) -> tuple[Floats, Floats]:
    """The values (V,) that items with two ratings or more have, in order, and each item's coincidences (N, V, V)."""
    ratings = np.asarray(ratings_JN, dtype=np.float64)
    known = ~np.isnan(ratings)
    known &= known.sum(axis=0) >= 2
    values: Floats = np.unique(ratings[known])
    counts_NV = ((ratings[:, :, None] == values) & known[:, :, None]).sum(axis=0).astype(np.float64)
    own = counts_NV[:, :, None] * np.eye(len(values))
    pairs_NVV = counts_NV[:, :, None] * counts_NV[:, None, :] - own
    found: Floats = pairs_NVV / np.maximum(counts_NV.sum(axis=1) - 1, 1)[:, None, None]
    return values, found


def alphas(coincidences_RVV: Floats, values_V: Floats, level: Level) -> Floats:
    """Alpha of each of R matrices of coincidences; NaN where nothing varies."""
    marginal_RV = coincidences_RVV.sum(axis=2)
    distance_RVV = _distance(values_V, marginal_RV, level)
    expected_RVV = marginal_RV[:, :, None] * (marginal_RV[:, None, :] - np.eye(len(values_V)))
    disagreed = (marginal_RV.sum(axis=1) - 1) * (coincidences_RVV * distance_RVV).sum(axis=(1, 2))
    by_chance = (expected_RVV * distance_RVV).sum(axis=(1, 2))
    found: Floats = np.where(by_chance > 0, 1 - disagreed / np.where(by_chance > 0, by_chance, 1.0), np.nan)
    return found


def _distance(values_V: Floats, marginal_RV: Floats, level: Level) -> Floats:
    """Squared distances (R or 1, V, V) between values."""
    if level == "nominal":
        return (1 - np.eye(len(values_V)))[None]
    if level == "interval":
        interval: Floats = (values_V[:, None] - values_V[None, :])[None] ** 2
        return interval
    # Ordinal: the ratings between two ranks, half of each end included.
    middle_RV = np.cumsum(marginal_RV, axis=1) - marginal_RV / 2
    ordinal: Floats = (middle_RV[:, :, None] - middle_RV[:, None, :]) ** 2
    return ordinal


def correlation(
    x_N: ArrayLike, y_N: ArrayLike, method: Literal["spearman", "kendall", "pearson"] = "spearman"
) -> float | None:
    """Spearman's rho, Kendall's tau-b or Pearson's r; None for fewer than two points or if one side is constant."""
    from scipy import stats  # slow to load

    x, y = np.asarray(x_N, dtype=np.float64), np.asarray(y_N, dtype=np.float64)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    measures = {"spearman": stats.spearmanr, "kendall": stats.kendalltau, "pearson": stats.pearsonr}
    return float(measures[method](x, y).statistic)


def correlation_by_group(
    x_N: ArrayLike,
    y_N: ArrayLike,
    groups_N: Sequence[str],
    method: Literal["spearman", "kendall"] = "spearman",
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Mean over groups (documents) of the correlation within the group: the summary-level correlation.

    Groups in which it is undefined (one point, or a constant side) are left out and counted as missing.
    """
    x, y = np.asarray(x_N, dtype=np.float64), np.asarray(y_N, dtype=np.float64)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, group in enumerate(groups_N):
        rows[group].append(row)
    within = [correlation(x[own], y[own], method) for own in rows.values()]
    return mean_estimate([np.nan if value is None else value for value in within], resamples=resamples, seed=seed)
