"""Does a judge like what it sees first? From comparisons with a known order, and from pairs judged in both orders.

In one order alone a liking for the first and better texts in first place look the same, unless order was drawn by lot.
Pairs judged in both orders tell them apart: with P(choose first) = σ(quality + b), the odds of "first both times"
against "second both times" are e^{2b}, whatever the qualities are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...records import Comparison, Judgement, Ranking
from ..events import event_share
from ..statistics import RESAMPLES, Estimate, not_estimable
from .agreement import Item


@dataclass(frozen=True)
class Shown:
    """One preference with its order: `first` is 1 if the text shown first won, 0 if the other did, ½ at a tie.

    `judge` tells the people apart whose judgements are counted together.
    """

    judge: str
    item: Item
    first_text: str
    first: float


@dataclass(frozen=True)
class PositionBias:
    """One judge. `first_chosen` is the share of `preferences` that went to the text shown first (½ is fair); ties take
    no part; `unknown_order` comparisons neither.

    Of `both_orders` pairs, seen once in each order at least: `consistent` is the share that kept its answer, `first`
    and `second` count the pairs whose answer went with the place instead. `bias` is b in logits (0 is fair): what the
    first place is worth, free of what the texts are worth.
    """

    judge: str
    first_chosen: Estimate
    preferences: int
    ties: int
    unknown_order: int
    both_orders: int
    consistent: Estimate
    first: int
    second: int
    bias: Estimate


def position_bias(
    judge: str, judgements: Iterable[Judgement], *, resamples: int = RESAMPLES, seed: int = 0
) -> PositionBias:
    """`PositionBias` of one judge's comparisons, and of its rankings' pairs where `shown` gives the order."""
    shown, unknown = shown_preferences(judgements)
    sure = [one for one in shown if one.first != 0.5]
    chosen = (
        event_share([s.first for s in sure], [s.item[0] for s in sure], resamples=resamples, seed=seed)
        if sure
        else not_estimable("no preference with a known order")
    )
    kept, documents, places, place_documents = _both_orders(shown)
    return PositionBias(
        judge,
        chosen,
        len(sure),
        len(shown) - len(sure),
        unknown,
        len(kept),
        event_share(kept, documents, resamples=resamples, seed=seed)
        if kept
        else not_estimable("no pair was judged in both orders"),
        sum(place == 1 for place in places),
        sum(place == 0 for place in places),
        _bias(places, place_documents, len(kept), resamples, seed),
    )


def shown_preferences(judgements: Iterable[Judgement]) -> tuple[list[Shown], int]:
    """Preferences with a known order, and how many comparisons and rankings have none."""
    found, unknown = [], 0
    for said in judgements:
        if isinstance(said, Comparison):
            if said.shown_first is None:
                unknown += 1
                continue
            first = said.a if said.shown_first == "a" else said.b
            outcome = 0.5 if said.choice == "tie" else float(said.choice == said.shown_first)
            low, high = sorted((said.a, said.b))
            found.append(Shown(said.judge.name, (said.source_id, low, high), first, outcome))
        elif isinstance(said, Ranking):
            if said.shown is None:
                unknown += 1
                continue
            tier = {candidate: place for place, tied in enumerate(said.tiers) for candidate in tied}
            for one, other in combinations([candidate for candidate in said.shown if candidate in tier], 2):
                low, high = sorted((one, other))
                gap = tier[other] - tier[one]
                outcome = 0.5 if gap == 0 else float(gap > 0)
                found.append(Shown(said.judge.name, (said.source_id, low, high), one, outcome))
    return found, unknown


def _both_orders(shown: Sequence[Shown]) -> tuple[list[float], list[str], list[int], list[str]]:
    """Pairs that one judge saw in both orders: 1 if the answer stayed, and their documents; then, of those that went
    with one place both times: 1 for the first place, and their documents.

    A judge asked more than once in an order answers with its mean there; a pair with a tie on one side only is
    not consistent, and goes with no place.
    """
    by_item: dict[tuple[str, Item], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in shown:
        by_item[one.judge, one.item][one.first_text].append(one.first)
    kept, documents, places, place_documents = [], [], [], []
    for (_, item), orders in by_item.items():
        if len(orders) < 2:
            continue
        answer, swapped = (float(np.sign(np.mean(answers) - 0.5)) for answers in orders.values())
        kept.append(float(answer == -swapped))
        documents.append(item[0])
        if answer == swapped != 0:
            places.append(int(answer > 0))
            place_documents.append(item[0])
    return kept, documents, places, place_documents


def _bias(places: Sequence[int], documents: Sequence[str], pairs: int, resamples: int, seed: int) -> Estimate:
    """½ log(first both times / second both times), with the interval of that share."""
    if not pairs:
        return not_estimable("no pair was judged in both orders")
    if not places:
        return not_estimable(f"all {pairs} pairs got one answer in both orders", len(set(documents)))
    share = event_share([float(place) for place in places], documents, resamples=resamples, seed=seed)
    value, low, high = (_half_logit(end) for end in (share.value, share.low, share.high))
    if value is None:
        place, bound = ("first", low) if share.value == 1 else ("second", high)
        most = "" if bound is None else f", a bias beyond {bound:.2f}"
        return not_estimable(f"every answer that changed went to the {place} place{most}", share.n)
    if low is None or high is None:
        return Estimate(value, None, None, share.n, share.why or "too few answers changed with the order")
    return Estimate(value, low, high, share.n)


def _half_logit(share: float | None) -> float | None:
    return float(0.5 * np.log(share / (1 - share))) if share is not None and 0 < share < 1 else None
