"""What does a judge that ranks lists like, beside quality? Places in the list, length, copying, new words.

Liu et al. 2023 rank lists with GPT-4 in one fixed order. Place by place these counts show what the order did; the
correlations show what the texts' traits did, or what they go with. All intervals resample documents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records import Failure, Group, Ranking
from ..textmetrics import text_statistics
from .agreement import correlation
from .choices import judge_labels
from .events import event_mean, event_share
from .statistics import RESAMPLES, Estimate, not_estimable, ratio_estimates

Floats = NDArray[np.float64]
# What ranks are correlated with; of a text, but for the first.
TRAITS = ("place", "words", "copying", "novelty")


@dataclass(frozen=True)
class Slot:
    """One place of the lists of one size: how often its summary was ranked best and worst (shared among the tied),
    and the share of lists that is; 1 / size is fair."""

    place: int
    best: float
    worst: float
    best_share: Estimate
    worst_share: Estimate


@dataclass(frozen=True)
class Slots:
    """The places of all lists of `size` summaries whose order is known."""

    size: int
    lists: int
    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class JudgeBias:
    """One judge's rankings. `slots` by list size, smallest first; lists in `unknown_order` take no part there.

    `traits` are means, over documents, of Spearman's rho within a list between goodness (the best is highest) and
    - `place`: 1 is shown first, so a positive value favours what comes late;
    - `words`: the number of words;
    - `copying`: the share of bigrams copied in order (Stiennon et al. 2020, G.7);
    - `novelty`: the share of trigrams that the document does not have.
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
    shown: Estimate


@dataclass(frozen=True)
class _List:
    """One ranking: `goodness_K` and traits of its K texts (NaN is unknown), in the order shown if that is known."""

    document: str
    ordered: bool
    goodness_K: Floats
    traits: Mapping[str, Floats]
    candidates: int  # of the group


def judge_bias(groups: Iterable[Group], *, resamples: int = RESAMPLES, seed: int = 0) -> list[JudgeBias]:
    """`JudgeBias` of every judge that ranked the groups' candidates, in the order of their first ranking.

    Of copies of one text only the one that was shown counts, where that is known.
    """
    groups = list(groups)
    labels = judge_labels(said.judge for group in groups for said in group.judgements)
    lists: dict[str, list[_List]] = defaultdict(list)
    failures: dict[str, int] = defaultdict(int)
    unusable: dict[str, int] = defaultdict(int)
    for group in groups:
        rankings = [said for said in group.judgements if isinstance(said, Ranking)]
        for said in group.judgements:
            failures[labels[said.judge.id]] += isinstance(said, Failure)
        known = _traits(group) if rankings else {}
        for ranking in rankings:
            own = lists[labels[ranking.judge.id]]
            if known.keys() >= set(ranking.candidate_ids):
                own.append(_list(group, ranking, known))
            else:
                unusable[labels[ranking.judge.id]] += 1
    return [
        JudgeBias(
            judge,
            len(own),
            failures[judge],
            unusable[judge],
            sum(not one.ordered for one in own),
            slot_table([(one.document, one.goodness_K) for one in own if one.ordered], resamples=resamples, seed=seed),
            {trait: _correlation(own, trait, resamples, seed) for trait in TRAITS},
            _shown(own, resamples, seed),
        )
        for judge, own in lists.items()
    ]


def slot_table(lists: Sequence[tuple[str, Floats]], *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[Slots, ...]:
    """`Slots` by size of (document, goodness of each place, first to last); a list of one summary says nothing."""
    by_size: dict[int, list[tuple[str, Floats]]] = defaultdict(list)
    for document, goodness_K in lists:
        if len(goodness_K) > 1:
            by_size[len(goodness_K)].append((document, goodness_K))
    found = []
    for size in sorted(by_size):
        documents = [document for document, _ in by_size[size]]
        goodness_NK = np.stack([goodness_K for _, goodness_K in by_size[size]])
        best_NK, worst_NK = (_top(values) for values in (goodness_NK, -goodness_NK))
        shares = [
            [event_share(column, documents, resamples=resamples, seed=seed) for column in hits_NK.T]
            for hits_NK in (best_NK, worst_NK)
        ]
        slots = tuple(
            Slot(k + 1, float(best_NK[:, k].sum()), float(worst_NK[:, k].sum()), shares[0][k], shares[1][k])
            for k in range(size)
        )
        found.append(Slots(size, len(documents), slots))
    return tuple(found)


def _top(values_NK: Floats) -> Floats:
    """Each row's one point, shared among its highest."""
    hits: Floats = (values_NK == values_NK.max(axis=1, keepdims=True)).astype(np.float64)
    shared: Floats = hits / hits.sum(axis=1, keepdims=True)
    return shared


def _traits(group: Group) -> dict[str, dict[str, float]]:
    """The traits of the texts of a group's candidates, by candidate; NaN where one is undefined."""
    texts = {candidate.id: candidate.text for candidate in (*group.candidates, *group.references)}
    statistics = text_statistics(group.source.text, list(texts.values()))
    return {
        candidate: {
            "words": float(one.words),
            "copying": np.nan if one.copying is None else one.copying,
            "novelty": np.nan if one.novel3 is None else one.novel3,
        }
        for candidate, one in zip(texts, statistics, strict=True)
    }


def _list(group: Group, ranking: Ranking, known: Mapping[str, Mapping[str, float]]) -> _List:
    tier = {candidate: place for place, tied in enumerate(ranking.tiers) for candidate in tied}
    order = [candidate for candidate in ranking.shown or ranking.candidate_ids if candidate in tier]
    traits = {trait: np.array([known[candidate][trait] for candidate in order]) for trait in TRAITS[1:]}
    traits["place"] = np.arange(1.0, len(order) + 1) if ranking.shown else np.full(len(order), np.nan)
    goodness_K = np.array([-float(tier[candidate]) for candidate in order])
    return _List(group.source.id, ranking.shown is not None, goodness_K, traits, len(group.candidates))


def _correlation(lists: Sequence[_List], trait: str, resamples: int, seed: int) -> Estimate:
    """The mean over documents of the correlation within a list, over the texts that have the trait."""
    found, documents = [], []
    for one in lists:
        values_K = one.traits[trait]
        has = np.isfinite(values_K)
        rho = correlation(values_K[has], one.goodness_K[has])
        if rho is not None:
            found.append(rho)
            documents.append(one.document)
    if not found:
        return not_estimable(f"no list says how rank goes with {trait}", missing=len(lists))
    estimate = event_mean(found, documents, resamples=resamples, seed=seed)
    return Estimate(estimate.value, estimate.low, estimate.high, estimate.n, estimate.why, len(lists) - len(found))


def _shown(lists: Sequence[_List], resamples: int, seed: int) -> Estimate:
    by_document: dict[str, Floats] = defaultdict(lambda: np.zeros(2))
    for one in lists:
        if one.ordered:
            by_document[one.document] += (len(one.goodness_K), one.candidates)
    if not by_document:
        return not_estimable("no ranking says what was shown", missing=len(lists))
    counts_N2 = np.stack(list(by_document.values()))
    return ratio_estimates(counts_N2[:, :1], counts_N2[:, 1:], resamples=resamples, seed=seed)[0]
