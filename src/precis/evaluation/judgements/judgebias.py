"""What does a judge that ranks or scores like, beside quality? Places in the list, length, copying, new words.

Liu et al. 2023 rank lists with GPT-4 in one fixed order. Place by place these counts show what the order did; the
correlations show what the texts' traits did, or what they go with. All intervals resample documents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...records import Candidate, Failure, Group, Ranking
from ...textmetrics import text_statistics
from ..columns import column_means
from ..statistics import RESAMPLES, Estimate, not_estimable, ratio_estimates
from .agreement import correlation
from .candidatemetrics import judge_metrics
from .choices import judge_labels
from .slots import Slots, slot_table, top

Floats = NDArray[np.float64]
Method = Literal["spearman", "pearson"]
_UNDEFINED = "varies in no list, or is known in none"
# What ranks are correlated with; of a text, but for the first.
TRAITS = ("place", "words", "copying", "coverage", "novelty")


@dataclass(frozen=True)
class Ends:
    """The mean of a trait in what was ranked best, in what was ranked worst (means over the tied), and the first minus
    the second within a list."""

    best: Estimate
    worst: Estimate
    difference: Estimate


@dataclass(frozen=True)
class JudgeBias:
    """One judge's lists: its rankings, or what it scored of one document. `slots` by list size, smallest first; lists
    in `unknown_order` take no part there.

    `traits` are means, over lists, of the correlation within a list between rank (the best is highest) and
    - `place`: 1 is shown first, so a positive value favours what comes late;
    - `words`: the number of words;
    - `copying`: the share of bigrams copied in order (Stiennon et al. 2020, G.7);
    - `coverage`: the share of words that lie in fragments of the document (Grusky et al. 2018);
    - `novelty`: the share of trigrams that the document does not have.
    `ends` are the same traits of the best and of the worst. `by_place` are correlations of the place with the other
    traits: what they show is the order of the texts, not the judge's liking.

    `shown` is the share of the ranked groups' candidates that was shown: the others were empty or copies of one that
    was. `failures` are the judge's failures, `unusable` rankings of candidates that the group does not hold.
    """

    judge: str
    lists: int
    failures: int
    unusable: int
    unknown_order: int
    slots: tuple[Slots, ...]
    traits: Mapping[str, Estimate]
    ends: Mapping[str, Ends]
    by_place: Mapping[str, Estimate]
    shown: Estimate


@dataclass(frozen=True)
class _List:
    """One list: ranks `goodness_K` and traits of its K texts (NaN is unknown), in the order shown if that is known."""

    document: str
    ordered: bool
    goodness_K: Floats
    traits: Mapping[str, Floats]
    candidates: int  # of the group


def judge_bias(
    groups: Iterable[Group],
    *,
    stored_order: bool = False,
    method: Method = "spearman",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[JudgeBias]:
    """`JudgeBias` of every judge that ranked, scored or rated the groups' candidates; rankings come first.

    Of copies of one text only the one that was shown counts, where that is known. `stored_order` takes the order of the
    group for the order shown where nothing says it: right for files that keep a prompt's order. Scores become ranks
    (the mean of several scores of one candidate by one judge), so that `method`, Spearman's rho or Pearson's r with
    the trait as it is, means the same for all judges.
    """
    groups = list(groups)
    labels = judge_labels(said.judge for group in groups for said in group.judgements)
    lists: dict[str, list[_List]] = defaultdict(list)
    failures: dict[str, int] = defaultdict(int)
    unusable: dict[str, int] = defaultdict(int)
    known = [_traits(group) if group.judgements else {} for group in groups]
    for group, traits in zip(groups, known, strict=True):
        for said in group.judgements:
            label = labels[said.judge.id]
            failures[label] += isinstance(said, Failure)
            if not isinstance(said, Ranking):
                continue
            own = lists[label]
            if traits.keys() >= set(said.candidate_ids):
                own.append(_ranked(group, said, traits, stored_order))
            else:
                unusable[label] += 1
    ranked = set(lists)
    for name, metric in judge_metrics(groups).items():
        label = f"{name} (scores)" if name in ranked else name
        for group, traits in zip(groups, known, strict=True):
            values = {id: metric.values[id] for id in traits if id in metric.values}
            if values:
                lists[label].append(_list(group, values, list(values), stored_order, traits))
    return [
        _bias(judge, own, failures[judge], unusable[judge], method, resamples, seed) for judge, own in lists.items()
    ]


def _bias(
    judge: str, lists: Sequence[_List], failures: int, unusable: int, method: Method, resamples: int, seed: int
) -> JudgeBias:
    texts = TRAITS[1:]
    columns = [_correlations(lists, trait, method) for trait in TRAITS]
    columns += [_correlations(lists, trait, method, with_place=True) for trait in texts]
    columns += [column for trait in texts for column in _ends(lists, trait)]
    means = column_means(np.array(columns).T, [one.document for one in lists], resamples=resamples, seed=seed)
    names = [*TRAITS, *texts, *(trait for trait in texts for _ in range(3))]
    found = [
        replace(own, missing=int(np.isnan(column).sum()), why=own.why if own.n else f"{name} {_UNDEFINED}")
        for own, column, name in zip(means, columns, names, strict=True)
    ]
    ends = found[len(TRAITS) + len(texts) :]
    return JudgeBias(
        judge,
        len(lists),
        failures,
        unusable,
        sum(not one.ordered for one in lists),
        slot_table([(one.document, one.goodness_K) for one in lists if one.ordered], resamples=resamples, seed=seed),
        dict(zip(TRAITS, found)),
        {trait: Ends(*ends[3 * n : 3 * n + 3]) for n, trait in enumerate(texts)},
        dict(zip(texts, found[len(TRAITS) :])),
        _shown(lists, resamples, seed),
    )


def _traits(group: Group) -> dict[str, dict[str, float]]:
    """The traits of the texts of a group's candidates, by candidate in stored order; NaN where one is undefined."""
    texts = {candidate.id: candidate.text for candidate in _members(group)}
    statistics = text_statistics(group.source.text, list(texts.values()))
    return {
        candidate: {
            "words": float(one.words),
            "copying": np.nan if one.copying is None else one.copying,
            "coverage": np.nan if one.coverage is None else one.coverage,
            "novelty": np.nan if one.novel3 is None else one.novel3,
        }
        for candidate, one in zip(texts, statistics, strict=True)
    }


def _members(group: Group) -> tuple[Candidate, ...]:
    return (*group.candidates, *group.references)


def _ranked(group: Group, ranking: Ranking, known: Mapping[str, Mapping[str, float]], stored_order: bool) -> _List:
    tier = {candidate: -float(place) for place, tied in enumerate(ranking.tiers) for candidate in tied}
    if ranking.shown is not None:
        return _list(group, tier, [candidate for candidate in ranking.shown if candidate in tier], True, known)
    return _list(group, tier, [candidate for candidate in known if candidate in tier], stored_order, known)


def _list(
    group: Group,
    values: Mapping[str, float],
    order: Sequence[str],
    ordered: bool,
    known: Mapping[str, Mapping[str, float]],
) -> _List:
    """The candidates `order` by their `values`, higher is better."""
    from scipy.stats import rankdata  # slow to load

    traits = {trait: np.array([known[candidate][trait] for candidate in order]) for trait in TRAITS[1:]}
    traits["place"] = np.arange(1.0, len(order) + 1) if ordered else np.full(len(order), np.nan)
    goodness_K = rankdata([values[candidate] for candidate in order]).astype(np.float64)
    return _List(group.source.id, ordered, goodness_K, traits, len(group.candidates))


def _correlations(lists: Sequence[_List], trait: str, method: Method, *, with_place: bool = False) -> list[float]:
    """Correlation of rank (or place) and trait in each list, over the texts that have the trait; NaN is undefined."""
    found = []
    for one in lists:
        values_K, against_K = one.traits[trait], one.traits["place"] if with_place else one.goodness_K
        has = np.isfinite(values_K) & np.isfinite(against_K)
        within = correlation(values_K[has], against_K[has], method)
        found.append(np.nan if within is None else within)
    return found


def _ends(lists: Sequence[_List], trait: str) -> tuple[list[float], list[float], list[float]]:
    """The trait of the best, of the worst, and the difference in each list; NaN where all texts are tied, or one of
    the two lacks the trait."""
    best, worst, gaps = [], [], []
    for one in lists:
        at_best, at_worst = (
            float(np.mean(one.traits[trait][top(sign * one.goodness_K[None])[0] > 0])) for sign in (1.0, -1.0)
        )
        gap = at_best - at_worst if np.ptp(one.goodness_K) else np.nan
        gaps.append(gap)
        best.append(np.nan if np.isnan(gap) else at_best)
        worst.append(np.nan if np.isnan(gap) else at_worst)
    return best, worst, gaps


def _shown(lists: Sequence[_List], resamples: int, seed: int) -> Estimate:
    by_document: dict[str, Floats] = defaultdict(lambda: np.zeros(2))
    for one in lists:
        if one.ordered:
            by_document[one.document] += (len(one.goodness_K), one.candidates)
    if not by_document:
        return not_estimable("no ranking says what was shown", missing=len(lists))
    counts_N2 = np.stack(list(by_document.values()))
    return ratio_estimates(counts_N2[:, :1], counts_N2[:, 1:], resamples=resamples, seed=seed)[0]
