"""How far people who compare agree: with each other, with researchers, and with the majority of several.

Stiennon et al. 2020, §3.3 and appendix C. Who was indifferent to a pair takes no part in it and is counted. Each pair
of labels counts once; intervals resample documents.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from ..events import event_difference, event_share
from ..statistics import RESAMPLES, Difference, Estimate, not_estimable
from .agreement import Item, PairAgreement, cohen_kappa, krippendorff_alpha
from .choices import Choice

MODAL_OF = (3, 5, 7)


@dataclass(frozen=True)
class Vote:
    """One labeler's view of a pair: −1 the first of the item, +1 the second, 0 indifferent; how sure, if known."""

    sign: int
    strength: float | None


Votes = Mapping[Item, Mapping[str, Vote]]


@dataclass(frozen=True)
class Agreed:
    """`agreement` over `meetings`: two labels of one of the `items` (pairs of candidates), neither indifferent."""

    agreement: Estimate
    meetings: int
    items: int


@dataclass(frozen=True)
class ModalAgreement:
    """How often the modal label of `labelers` labelers, drawn without the judge it is held against, agrees with it.

    `single` is one labeler's agreement on the same pairs, `gain` what the others add. An even vote counts ½.
    """

    labelers: int
    agreement: Estimate
    single: Estimate
    gain: Difference
    items: int


@dataclass(frozen=True)
class LabelerAgreement:
    """One labeler: labels given, how many indifferent, and agreement with the modal label of all others (left out:
    the labeler's own) and with researchers."""

    labeler: str
    labels: int
    indifferent: int
    with_others: Agreed
    with_researchers: Agreed


@dataclass(frozen=True)
class LabelAgreement:
    """Agreement of the labelers and researchers of one set of comparisons.

    `labels` and `indifferent` count labels, `items` pairs of candidates, `repeated` those with two labels or more.
    `alpha` is Krippendorff's, nominal, over everyone's labels.
    """

    labelers: tuple[str, ...]
    researchers: tuple[str, ...]
    labels: int
    indifferent: int
    items: int
    repeated: int
    between_labelers: Agreed
    labelers_researchers: Agreed
    between_researchers: Agreed
    modal_others: tuple[ModalAgreement, ...]
    modal_researchers: tuple[ModalAgreement, ...]
    each: tuple[LabelerAgreement, ...]
    matrix: tuple[PairAgreement, ...]
    alpha: float | None


def votes_of(choices: Iterable[Choice]) -> dict[Item, dict[str, Vote]]:
    """Each labeler's vote on each pair; a labeler who saw a pair again votes with the majority of the answers."""
    answers: dict[Item, dict[str, list[Choice]]] = defaultdict(lambda: defaultdict(list))
    for choice in choices:
        answers[choice.item][choice.labeler].append(choice)
    return {item: {name: _vote(own) for name, own in by.items()} for item, by in answers.items()}


def _vote(answers: Sequence[Choice]) -> Vote:
    total = sum(answer.vote for answer in answers)
    sign = int(total > 0) - int(total < 0)
    strengths = [answer.strength for answer in answers if answer.vote == sign and answer.strength is not None]
    return Vote(sign, float(np.mean(strengths)) if sign and strengths else None)


def label_agreement(
    choices: Sequence[Choice], researchers: Collection[str] = (), *, resamples: int = RESAMPLES, seed: int = 0
) -> LabelAgreement:
    """`LabelAgreement` of everyone who chose; `researchers` are the labels of those who are no labelers."""
    votes = votes_of(choices)
    met = {item: by for item, by in votes.items() if len(by) > 1}  # all that agreement is about
    everyone = list(dict.fromkeys(choice.labeler for choice in choices))
    people = [name for name in everyone if name not in researchers]
    experts = [name for name in everyone if name in researchers]

    def between(ones: Collection[str], others: Collection[str]) -> Agreed:
        return agreed(met, ones, others, resamples=resamples, seed=seed)

    def modal(targets: Collection[str] | None) -> tuple[ModalAgreement, ...]:
        found = [modal_agreement(met, people, n, targets, resamples=resamples, seed=seed) for n in MODAL_OF]
        return tuple(one for one in found if one.items or one.labelers == 3)

    flat = [(name, vote) for by in votes.values() for name, vote in by.items()]
    labels = Counter(name for name, _ in flat)
    indifferent = Counter(name for name, vote in flat if not vote.sign)
    return LabelAgreement(
        labelers=tuple(people),
        researchers=tuple(experts),
        labels=len(flat),
        indifferent=indifferent.total(),
        items=len(votes),
        repeated=len(met),
        between_labelers=between(people, people),
        labelers_researchers=between(people, experts),
        between_researchers=between(experts, experts),
        modal_others=modal(None),
        modal_researchers=modal(experts) if experts else (),
        each=tuple(
            LabelerAgreement(
                name,
                labels[name],
                indifferent[name],
                with_the_others(met, name, people, resamples=resamples, seed=seed),
                between([name], experts),
            )
            for name in people
        ),
        matrix=tuple(
            labeler_pair(a, b, met, resamples=resamples, seed=seed) for a, b in combinations([*people, *experts], 2)
        ),
        alpha=_alpha(met, everyone),
    )


def agreed(
    votes: Votes, ones: Collection[str], others: Collection[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Agreed:
    """Agreement of each of `ones` with each of `others` (every two of them where both are the same people)."""
    hits, documents, items = [], [], set()
    for item, by in votes.items():
        for a, b in combinations([name for name, vote in by.items() if vote.sign], 2):
            if (a in ones and b in others) or (b in ones and a in others):
                hits.append(float(by[a].sign == by[b].sign))
                documents.append(item[0])
                items.add(item)
    return Agreed(_share(hits, documents, resamples, seed), len(hits), len(items))


def _share(hits: Sequence[float], documents: Sequence[str], resamples: int, seed: int) -> Estimate:
    if not hits:
        return not_estimable("no pair was judged by both")
    return event_share(hits, documents, resamples=resamples, seed=seed)


def modal_agreement(
    votes: Votes,
    labelers: Collection[str],
    n: int,
    targets: Collection[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ModalAgreement:
    """The modal label of n of `labelers` against each of `targets`; None: against each labeler that is not of the n.

    Exact: the mean over all draws of n of those who judged the pair.
    """
    modal, single, documents, items = [], [], [], set()
    for item, by in votes.items():
        cast = {name: by[name].sign for name in by if name in labelers and by[name].sign}
        judges = cast if targets is None else {name: by[name].sign for name in by if name in targets and by[name].sign}
        for name, sign in judges.items():
            rest = [own for other, own in cast.items() if other != name]
            if len(rest) < n:
                continue
            same = sum(own == sign for own in rest)
            modal.append(_majority_agrees(same, len(rest) - same, n))
            single.append(same / len(rest))
            documents.append(item[0])
            items.add(item)
    if not items:
        who = "a researcher" if targets is not None else "one more labeler"
        nothing = not_estimable(f"no pair was judged by {n} labelers and {who}")
        gain = Difference("agreement", f"modal of {n}", "one labeler", nothing, None)
        return ModalAgreement(n, nothing, nothing, gain, 0)
    names = ("agreement", f"modal of {n}", "one labeler")
    return ModalAgreement(
        n,
        event_share(modal, documents, resamples=resamples, seed=seed),
        event_share(single, documents, resamples=resamples, seed=seed),
        event_difference(modal, single, documents, names=names, resamples=resamples, seed=seed),
        len(items),
    )


def _majority_agrees(same: int, different: int, n: int) -> float:
    """Chance that most of n drawn from `same` + `different` labels are of the first kind; half at an even vote."""
    total = 0.0
    for drawn in range(n + 1):
        ways = comb(same, drawn) * comb(different, n - drawn)
        total += ways * (1.0 if 2 * drawn > n else 0.5 if 2 * drawn == n else 0.0)
    return total / comb(same + different, n)


def with_the_others(
    votes: Votes, name: str, labelers: Collection[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Agreed:
    """Agreement of one labeler with the modal label of all other `labelers` of the pair; if that is even, ½."""
    hits, documents = [], []
    for item, by in votes.items():
        if name not in by or not by[name].sign:
            continue
        others = [by[other].sign for other in by if other in labelers and other != name and by[other].sign]
        if others:
            hits.append(0.5 if sum(others) == 0 else float((sum(others) > 0) == (by[name].sign > 0)))
            documents.append(item[0])
    return Agreed(_share(hits, documents, resamples, seed), len(hits), len(hits))


def labeler_pair(a: str, b: str, votes: Votes, *, resamples: int = RESAMPLES, seed: int = 0) -> PairAgreement:
    """Agreement of two judges where neither was indifferent."""
    shared = [(item[0], by[a].sign, by[b].sign) for item, by in votes.items() if a in by and b in by]
    sure = [row for row in shared if row[1] and row[2]]
    if not sure:
        why = "one of the two was always indifferent" if shared else "no pair was judged by both"
        return PairAgreement(a, b, not_estimable(why), None, len(shared), len(shared))
    hits = [float(one == other) for _, one, other in sure]
    estimate = event_share(hits, [row[0] for row in sure], resamples=resamples, seed=seed)
    kappa = cohen_kappa([row[1] for row in sure], [row[2] for row in sure])
    return PairAgreement(a, b, estimate, kappa, len(shared), len(shared) - len(sure))


def _alpha(votes: Votes, everyone: Sequence[str]) -> float | None:
    """Krippendorff's alpha over labels of preference; the order of a pair is arbitrary, but the same for all."""
    signs_JN = np.full((len(everyone), len(votes)), np.nan)
    rows = {name: row for row, name in enumerate(everyone)}
    for column, by in enumerate(votes.values()):
        for name, vote in by.items():
            if vote.sign:
                signs_JN[rows[name], column] = vote.sign
    return krippendorff_alpha(signs_JN)
