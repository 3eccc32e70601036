"""Judges against human ratings, axis by axis: rank correlation within documents and between systems, and pairs.

Two correlations go by one name in the literature on SummEval (Fabbri et al. 2021):
- *summary level*: among the summaries of one document, then the mean over documents. Does it find the better summary?
- *system level*: among the systems' means over documents. Does it find the better system? With few systems it moves
  in large steps, and its interval here tells the doubt from the documents, not from the choice of systems.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...records import Candidate, Group
from ..events import event_share
from ..statistics import (
    RESAMPLES,
    Difference,
    Estimate,
    mean_estimate,
    not_estimable,
    paired_difference,
    resampled_counts,
)
from .agreement import correlation
from .candidatemetrics import judge_metrics
from .choices import maker_labels
from .verdicts import Verdicts

Floats = NDArray[np.float64]
Method = Literal["kendall", "spearman"]
METHODS: tuple[Method, ...] = ("kendall", "spearman")
_FEWEST_SYSTEMS = 3


@dataclass(frozen=True)
class JudgeOnAxis:
    """One judge against the human ratings of one axis; Kendall is tau-b.

    `within` are summary-level correlations by method: `n` documents, `missing` those where it is undefined (one side
    constant, or fewer than two summaries with both). `ahead` is its tau within documents minus that of another judge,
    paired on the documents that have both; None if there is no other. `between` are system-level correlations over
    `systems`; n documents.

    `accuracy` is the share of the `pairs` of one document's summaries that people rated differently in which the judge
    prefers the same one, its ties ½; each pair counts once. `human_ties` pairs were rated equal and take no part;
    on `judge_ties` of the pairs it was undecided; `no_value` pairs lack its verdict and take no part. `unjudged` of the
    axis's `rated` summaries have no value by the judge.
    """

    axis: str
    judge: str
    within: Mapping[str, Estimate]
    ahead: Difference | None
    between: Mapping[str, Estimate]
    systems: int
    accuracy: Estimate
    pairs: int
    human_ties: int
    judge_ties: int
    no_value: int
    rated: int
    unjudged: int
    failures: int


def judges_on_axes(
    groups: Sequence[Group],
    humans: Sequence[str],
    judges: Sequence[Verdicts],
    *,
    against: Verdicts | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[JudgeOnAxis]:
    """`JudgeOnAxis` of every judge by axis, in the axes' and judges' order.

    `humans` are the ratings to hold against: names of `judge_metrics`, as "expert: coherence", whose several raters
    are averaged. `against` is the judge that every other must beat. Only candidates count, not the reference summaries
    unless they compete.
    """
    ratings = judge_metrics(groups)
    systems = maker_labels(candidate.maker for group in groups for candidate in group.candidates)
    found = []
    for axis in humans:
        human = ratings[axis].values
        rated = [[candidate for candidate in group.candidates if candidate.id in human] for group in groups]
        rated = [own for own in rated if own]
        found += [_on_axis(axis, human, rated, judge, against, systems, resamples, seed) for judge in judges]
    return found


def _on_axis(
    axis: str,
    human: Mapping[str, float],
    rated: Sequence[Sequence[Candidate]],
    judge: Verdicts,
    against: Verdicts | None,
    systems: Mapping[str, str],
    resamples: int,
    seed: int,
) -> JudgeOnAxis:
    both = [[candidate for candidate in own if candidate.id in judge.values] for own in rated]
    taus = {method: _within(rated, human, judge.values, method) for method in METHODS}
    ahead = None
    if against is not None and against.judge != judge.judge:
        other = _within(rated, human, against.values, "kendall")
        names = ("kendall", judge.judge, against.judge)
        ahead = paired_difference(taus["kendall"], other, names=names, resamples=resamples, seed=seed)
    between, count = _between(both, human, judge.values, systems, resamples, seed)
    hits, documents, human_ties, judge_ties, no_value = _pairs(rated, human, judge)
    accuracy = (
        event_share(hits, documents, resamples=resamples, seed=seed)
        if hits
        else not_estimable("no pair that people rated differently has its verdict")
    )
    summaries = sum(map(len, rated))
    return JudgeOnAxis(
        axis,
        judge.judge,
        {method: mean_estimate(values, resamples=resamples, seed=seed) for method, values in taus.items()},
        ahead,
        between,
        count,
        accuracy,
        len(hits),
        human_ties,
        judge_ties,
        no_value,
        summaries,
        summaries - sum(map(len, both)),
        judge.failures,
    )


def _within(
    rated: Sequence[Sequence[Candidate]], human: Mapping[str, float], values: Mapping[str, float], method: Method
) -> Floats:
    """The correlation in each document, over the summaries that have both numbers; NaN is undefined."""
    both = [[candidate.id for candidate in own if candidate.id in values] for own in rated]
    found = [correlation([values[id] for id in own], [human[id] for id in own], method) for own in both]
    return np.array([np.nan if value is None else value for value in found])


def _pairs(
    rated: Sequence[Sequence[Candidate]], human: Mapping[str, float], judge: Verdicts
) -> tuple[list[float], list[str], int, int, int]:
    """1, ½ or 0 for every pair that counts, its document, and how many pairs are human ties, judge ties, no value."""
    hits: list[float] = []
    documents: list[str] = []
    human_ties = no_value = 0
    for own in rated:
        for one, other in combinations(own, 2):
            first, second = sorted((one.id, other.id))
            truth = np.sign(human[second] - human[first])
            said = judge.vote((one.source_id, first, second))
            if truth == 0:
                human_ties += 1
            elif np.isnan(said):
                no_value += 1
            else:
                hits.append(0.5 + 0.5 * float(said * truth))
                documents.append(one.source_id)
    return hits, documents, human_ties, hits.count(0.5), no_value


def _between(
    both: Sequence[Sequence[Candidate]],
    human: Mapping[str, float],
    values: Mapping[str, float],
    systems: Mapping[str, str],
    resamples: int,
    seed: int,
) -> tuple[dict[str, Estimate], int]:
    """System-level correlations and how many systems they are of.

    A system's means are over the documents on which it has both numbers, several summaries of one document averaged.
    Resamples in which a system has no document, or one side is constant, have no say; if these are most, there is no
    interval.
    """
    names = sorted({systems[candidate.maker.id] for own in both for candidate in own})
    documents = [own for own in both if own]
    if len(names) < _FEWEST_SYSTEMS:
        why = f"{len(names)} systems have both ratings and values; a correlation needs {_FEWEST_SYSTEMS}"
        return {method: not_estimable(why, len(documents)) for method in METHODS}, len(names)
    place = {name: number for number, name in enumerate(names)}
    sums_D3S = np.zeros((len(documents), 3, len(names)))  # human, judge, documents
    for row, own in enumerate(documents):
        cells: dict[int, list[tuple[float, float]]] = defaultdict(list)
        for candidate in own:
            cells[place[systems[candidate.maker.id]]].append((human[candidate.id], values[candidate.id]))
        for column, pairs in cells.items():
            sums_D3S[row, :, column] = (*np.mean(pairs, axis=0), 1.0)
    whole = _correlations(sums_D3S.sum(axis=0)[None])
    flat = sums_D3S.reshape(len(documents), -1)
    blocks = [
        _correlations((weights @ flat).reshape(-1, 3, len(names)))
        for weights in resampled_counts(len(documents), resamples, seed)
    ]
    found: dict[str, Estimate] = {}
    for method in METHODS:
        value = float(whole[method][0])
        if np.isnan(value):
            found[method] = not_estimable("all systems have the same mean", len(documents))
            continue
        drawn = np.concatenate([block[method] for block in blocks])
        known = drawn[np.isfinite(drawn)]
        if len(documents) < 2 or len(known) < resamples / 2:
            why = "one document" if len(documents) < 2 else "most resamples lack a system: it has too few documents"
            found[method] = Estimate(value, None, None, len(documents), why)
            continue
        low, high = (float(end) for end in np.quantile(known, [0.025, 0.975]))
        found[method] = Estimate(value, low, high, len(documents))
    return found, len(names)


def _correlations(sums_R3S: Floats) -> dict[str, Floats]:
    """Kendall's tau-b and Spearman's rho between the means of human and judge, by resample; NaN is undefined."""
    from scipy.stats import rankdata  # slow to load

    counts_RS = sums_R3S[:, 2]
    with np.errstate(invalid="ignore", divide="ignore"):
        # Means that are equal but for the order of summing are tied.
        human_RS, judge_RS = (np.round(sums_R3S[:, side] / counts_RS, 12) for side in (0, 1))
        one, other = np.triu_indices(counts_RS.shape[1], 1)
        signs = [np.sign(means[:, one] - means[:, other]) for means in (human_RS, judge_RS)]
        ranks = [rankdata(means, axis=1) for means in (human_RS, judge_RS)]
        centred = [own - own.mean(axis=1, keepdims=True) for own in ranks]
        found = {name: _cosine(*pair) for name, pair in (("kendall", signs), ("spearman", centred))}
    lacking = (counts_RS == 0).any(axis=1)
    return {name: np.where(lacking, np.nan, values) for name, values in found.items()}


def _cosine(a_RN: Floats, b_RN: Floats) -> Floats:
    product: Floats = (a_RN * b_RN).sum(axis=1) / np.sqrt((a_RN**2).sum(axis=1) * (b_RN**2).sum(axis=1))
    return product
