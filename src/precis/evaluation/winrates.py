"""How often a judge prefers one system's summary to another's, on the same documents.

A tie counts ½; a failure of the judge is counted and takes no part; each document counts once, by the mean of its
verdicts. Where both systems wrote the very same text the outcome is a tie by construction, judged or not: left
out, such documents would push the rate away from ½ (best-of-N often picks what the other system picked).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..records import Candidate, Comparison, Failure, JudgeInfo, Judgement, Ranking, Rating, Score
from ..textmetrics import count_words
from .lengthcontrol import LengthControl, length_controlled
from .statistics import RESAMPLES, Estimate, not_estimable, share_estimate

Side = Literal["a", "b"]
Texts = Mapping[str, Sequence[Candidate]]  # candidates by document id


@dataclass(frozen=True)
class Verdict:
    """One verdict between a's and b's text of one document: `outcome` is 1 for a, 0 for b, ½ for a tie."""

    document: str
    a: str
    b: str
    outcome: float
    words_a: int
    words_b: int
    shown_first: Side | None = None


@dataclass(frozen=True)
class Verdicts:
    """All verdicts of one judge between two systems, and what gave none.

    `failures` are documents that the judge failed on and gave no verdict of, where the texts differ; `unjudged` are
    documents that both systems summarized and the judge said nothing of; `one_sided` are documents that only one of the
    two summarized; `identical` are pairs of the same text, ties by construction.
    """

    verdicts: tuple[Verdict, ...]
    failures: int = 0
    unjudged: int = 0
    one_sided: int = 0
    identical: int = 0


@dataclass(frozen=True)
class WinRate:
    """How often `judge` prefers `system` to `against`, raw and at equal length, with everything that qualifies it.

    `wins`, `ties`, `losses` and `comparisons` count verdicts; estimates count documents. `first_shown_wins` is the
    share of verdicts with a preference that went to the text shown first (½ is fair); of `both_orders` pairs that
    were judged both ways, `consistent` gave one answer. Lengths are mean words over the judged documents.
    """

    system: str
    against: str
    judge: str
    win_rate: Estimate
    length_controlled: Estimate
    length_effect: Estimate
    comparisons: int
    wins: int
    ties: int
    losses: int
    failures: int
    unjudged: int
    one_sided: int
    identical: int
    words: float | None
    words_against: float | None
    empty_pairs: int
    first_shown_wins: Estimate
    both_orders: int
    consistent: int
    notes: tuple[str, ...] = field(default_factory=tuple)


def verdicts_between(judgements: Iterable[Judgement], a: Texts, b: Texts, *, axis: str = "overall") -> Verdicts:
    """What `judgements` (of one judge) say of a's texts against b's, by document.

    Comparisons and rankings say it themselves. Scores and ratings (on `axis`) do by being higher; a judge's
    repeated scores of one text are averaged first.
    """
    of_a = {c.id: (document, c) for document, texts in a.items() for c in texts}
    of_b = {c.id: (document, c) for document, texts in b.items() for c in texts}
    length = {c.id: count_words(c.text) for _, c in (*of_a.values(), *of_b.values())}
    found: list[Verdict] = []
    values: dict[str, list[float]] = defaultdict(list)
    failed: set[str] = set()

    def note(one: str, other: str, outcome: float, first: str | None = None) -> None:
        """Record `one` against `other` if they are a's and b's (in either role) of the same document."""
        for left, right, result in ((one, other, outcome), (other, one, 1 - outcome)):
            if left in of_a and right in of_b and of_a[left][0] == of_b[right][0] and not same(left, right):
                shown: Side | None = None if first is None else "a" if first == left else "b"
                found.append(Verdict(of_a[left][0], left, right, result, length[left], length[right], shown))
                return

    def same(left: str, right: str) -> bool:
        return of_a[left][1].text.strip() == of_b[right][1].text.strip()

    def fails(candidates: Sequence[str], document: str) -> bool:
        """Whether the two are not told apart for it: the same text on both sides is even, whatever a judge says."""
        ours, theirs = ([i for i in candidates if i in side] for side in (of_a, of_b))
        if len(candidates) == 1 and (ours or theirs):  # it cannot be told from any text of the other side
            ours, theirs = ours or [c.id for c in a.get(document, ())], theirs or [c.id for c in b.get(document, ())]
            if not (ours and theirs):
                return True
        return any(not same(one, other) for one in ours for other in theirs)

    for judgement in judgements:
        if isinstance(judgement, Comparison):
            first = judgement.shown_first and (judgement.a if judgement.shown_first == "a" else judgement.b)
            note(judgement.a, judgement.b, {"a": 1.0, "tie": 0.5, "b": 0.0}[judgement.choice], first)
        elif isinstance(judgement, Ranking):
            tier = {candidate: rank for rank, tied in enumerate(judgement.tiers) for candidate in tied}
            ids = [candidate for candidate in tier if candidate in of_a or candidate in of_b]
            for index, one in enumerate(ids):
                for other in ids[index + 1 :]:
                    note(one, other, _preference(tier[other], tier[one]))
        elif isinstance(judgement, Score) or (isinstance(judgement, Rating) and judgement.axis == axis):
            values[judgement.candidate].append(float(judgement.value))
        elif isinstance(judgement, Failure) and fails(judgement.candidate_ids, judgement.source_id):
            failed.add(judgement.source_id)
    score = {candidate: float(np.mean(repeats)) for candidate, repeats in values.items()}
    identical = 0
    for document in (d for d in a if d in b):
        for left in a[document]:
            for right in b[document]:
                if same(left.id, right.id):
                    identical += 1
                    found.append(Verdict(document, left.id, right.id, 0.5, length[left.id], length[right.id]))
                elif left.id in score and right.id in score:
                    note(left.id, right.id, _preference(score[left.id], score[right.id]))
    judged = {verdict.document for verdict in found}
    both = {document for document in a if a[document] and b.get(document)}
    written = {document for texts in (a, b) for document, of in texts.items() if of}
    failed -= judged  # asked again, it answered
    return Verdicts(tuple(found), len(failed), len(both - judged - failed), len(written - both), identical)


def judgements_by_judge(judgements: Sequence[Judgement]) -> dict[str, list[Judgement]]:
    """Judgements by judge's name; people are pooled; a name with several settings is told apart by a hash."""

    def name(judge: JudgeInfo) -> str:
        return "people" if judge.name.startswith("person:") else judge.name

    settings: dict[str, set[str]] = defaultdict(set)
    for judge in {judgement.judge.id: judgement.judge for judgement in judgements}.values():
        settings[name(judge)].add(judge.id)
    found: dict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        label = name(judgement.judge)
        alone = label == "people" or len(settings[label]) == 1
        found[label if alone else f"{label} ({judgement.judge.id[2:8]})"].append(judgement)
    return dict(found)


def _preference(one: float, other: float) -> float:
    return 1.0 if one > other else 0.0 if one < other else 0.5


def win_rate(
    found: Verdicts, *, system: str, against: str, judge: str, resamples: int = RESAMPLES, seed: int = 0
) -> WinRate:
    """The win rate of `system` over `against` that `found` amounts to, with its interval and length-controlled twin."""
    verdicts = found.verdicts
    documents = [verdict.document for verdict in verdicts]
    outcomes = np.array([verdict.outcome for verdict in verdicts])
    long_enough = [verdict for verdict in verdicts if verdict.words_a and verdict.words_b]
    control = length_controlled(
        [verdict.outcome for verdict in long_enough],
        [float(np.log(verdict.words_a / verdict.words_b)) for verdict in long_enough],
        documents_N=[verdict.document for verdict in long_enough],
    ).get("", LengthControl(not_estimable("nothing was judged"), not_estimable("nothing was judged")))
    empty = len(verdicts) - len(long_enough)
    notes = [control.note] if control.note else []
    if empty:
        notes.append(f"length control leaves out {empty} comparisons with an empty summary")
    first = [v for v in verdicts if v.shown_first and v.outcome != 0.5]
    both_orders, consistent = _consistency(verdicts)
    return WinRate(
        system=system,
        against=against,
        judge=judge,
        win_rate=share_estimate(outcomes, documents, resamples=resamples, seed=seed),
        length_controlled=control.win_rate,
        length_effect=control.length_effect,
        comparisons=len(verdicts),
        wins=int(np.sum(outcomes > 0.5)),
        ties=int(np.sum(outcomes == 0.5)),
        losses=int(np.sum(outcomes < 0.5)),
        failures=found.failures,
        unjudged=found.unjudged,
        one_sided=found.one_sided,
        identical=found.identical,
        words=_mean([v.words_a for v in verdicts]),
        words_against=_mean([v.words_b for v in verdicts]),
        empty_pairs=empty,
        first_shown_wins=share_estimate(
            [float((v.outcome == 1) == (v.shown_first == "a")) for v in first],
            [v.document for v in first],
            resamples=resamples,
            seed=seed,
        )
        if first
        else not_estimable("the order of presentation is not recorded"),
        both_orders=both_orders,
        consistent=consistent,
        notes=tuple(notes),
    )


def _consistency(verdicts: Sequence[Verdict]) -> tuple[int, int]:
    """Pairs judged in both orders, and how many of them got one answer."""
    answers: dict[tuple[str, str], dict[Side, Counter[float]]] = defaultdict(dict)
    for verdict in verdicts:
        if verdict.shown_first:
            answers[verdict.a, verdict.b].setdefault(verdict.shown_first, Counter())[verdict.outcome] += 1
    both = [orders for orders in answers.values() if len(orders) == 2]
    return len(both), sum(set(orders["a"]) == set(orders["b"]) and len(orders["a"]) == 1 for orders in both)


def _mean(values: Sequence[int]) -> float | None:
    return float(np.mean(values)) if values else None
