"""Judges against human ratings, by hand and against scipy's own coefficients.

Run: python -m pytest tests/test_evaluation_metaevaluation.py
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from precis.data import read
from precis.evaluation.judgements.candidatemetrics import rule_metrics
from precis.evaluation.judgements.metaevaluation import JudgeOnAxis, judges_on_axes
from precis.evaluation.judgements.verdicts import Verdicts, verdicts_of
from precis.records import Candidate, Comparison, Document, Failure, Group, JudgeInfo, Maker, Ranking, Rating, Score

REAL = Path(__file__).parent / ".." / ".." / "shared" / "data" / "summeval" / "summeval.jsonl"
EXPERT = JudgeInfo("expert")
MAKERS = [Maker("policy", f"system {n}") for n in range(6)]


def group(number: int, ratings: Sequence[float | None], scores: Sequence[float | None]) -> Group:
    """One document with a summary a system, rated and scored where the number is not None."""
    document = Document(f"document {number}")
    candidates = tuple(Candidate(document.id, f"text {n}", MAKERS[n]) for n in range(len(ratings)))
    judge = JudgeInfo("scorer")
    said = [
        Rating(EXPERT, document.id, c.id, "coherence", value, low=1, high=5)
        for c, value in zip(candidates, ratings)
        if value is not None
    ]
    scored = [
        Score(judge, document.id, c.id, value, "points") for c, value in zip(candidates, scores) if value is not None
    ]
    return Group(document, candidates, judgements=(*said, *scored))


def measured(groups: Sequence[Group], judge: str = "scorer") -> JudgeOnAxis:
    (found,) = judges_on_axes(groups, ["expert: coherence"], [verdicts_of(groups)[judge]], resamples=200)
    return found


def test_ties_and_gaps_by_hand() -> None:
    """Four summaries, two rated alike; the judge ties one pair and lacks one summary of the second document."""
    one = group(0, [1, 2, 2, 4], [0, 1, 3, 3])
    other = group(1, [1, 2, 3], [3, None, 1])
    constant = group(2, [5, 5], [0, 1])
    found = measured([one, other, constant])
    # Pairs of the first: 01 right, 02 right, 03 right, 13 right, 23 a tie of the judge; 12 is a human tie.
    # Of the second only 02 has both, and is wrong. The third is a human tie.
    assert (found.pairs, found.human_ties, found.judge_ties, found.no_value) == (6, 2, 1, 2)
    assert found.accuracy.value == pytest.approx(4.5 / 6)
    assert (found.rated, found.unjudged) == (9, 1)
    tau = stats.kendalltau([1, 2, 2, 4], [0, 1, 3, 3]).statistic
    assert found.within["kendall"].value == pytest.approx((tau - 1) / 2)
    assert (found.within["kendall"].n, found.within["kendall"].missing) == (2, 1)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.lists(st.integers(1, 5), min_size=10, max_size=10), min_size=2, max_size=5))
def test_both_levels_are_scipys(rows: list[list[int]]) -> None:
    groups = [group(n, row[:5], [float(value) for value in row[5:]]) for n, row in enumerate(rows)]
    found = measured(groups)
    human, judge = (np.array([row[half] for row in rows], dtype=float) for half in (slice(5), slice(5, None)))
    for method, own in (("kendall", stats.kendalltau), ("spearman", stats.spearmanr)):
        sides = list(zip(human, judge))
        within = [own(a, b).statistic for a, b in sides if np.ptp(a) and np.ptp(b)]
        if within:
            assert found.within[method].value == pytest.approx(np.mean(within))
        else:
            assert found.within[method].value is None
        means = human.mean(axis=0).round(12), judge.mean(axis=0).round(12)
        between = found.between[method]
        if np.ptp(means[0]) and np.ptp(means[1]):
            assert between.value == pytest.approx(own(*means).statistic)
            assert between.low is None or between.high is None or between.low <= between.high
        else:
            assert between.value is None and "same mean" in between.why
    assert found.systems == 5


def test_few_systems_and_few_documents_have_no_system_level() -> None:
    assert "needs 3" in measured([group(0, [1, 2], [1, 2]), group(1, [1, 2], [1, 2])]).between["kendall"].why
    lone = measured([group(0, [1, 2, 3], [1, 2, 3])]).between["spearman"]
    assert (lone.value, lone.low, lone.why) == (pytest.approx(1), None, "one document")
    # Each document has other systems: nearly every resample lacks one.
    apart = []
    for number in range(3):
        ratings: list[float | None] = [None] * 6
        ratings[2 * number : 2 * number + 2] = [1 + number, 2 + number]
        apart.append(group(number, ratings, [float(n) for n in range(6)]))
    found = measured(apart).between["kendall"]
    assert found.value is not None and found.low is None and "lack a system" in found.why


def test_rankings_and_comparisons_speak_too() -> None:
    one = group(0, [3, 2, 1], [None] * 3)
    a, b, c = (candidate.id for candidate in one.candidates)
    source = one.source.id
    ranker, pairwise, silent = JudgeInfo("ranker"), JudgeInfo("pairwise"), JudgeInfo("silent")
    said = (
        Ranking(ranker, source, ((a,), (b, c))),
        Comparison(pairwise, source, a, b, "a", shown_first="a"),
        Comparison(pairwise, source, b, a, "b", shown_first="a"),
        Comparison(pairwise, source, b, c, "b"),
        Failure(pairwise, source, (a, c), "no answer"),
        Failure(silent, source, (a, b, c), "no answer"),
    )
    spoken = verdicts_of([Group(one.source, one.candidates, judgements=(*one.judgements, *said))])
    assert spoken["ranker"].values == {a: 1.0, b: 0.25, c: 0.25}
    assert spoken["pairwise"].values == {a: 1.0, b: 0.0, c: 1.0}
    assert spoken["pairwise"].failures == 1 and "silent" not in spoken
    groups = [Group(one.source, one.candidates, judgements=(*one.judgements, *said))]
    ranked, compared = judges_on_axes(
        groups, ["expert: coherence"], [spoken["ranker"], spoken["pairwise"]], resamples=100
    )
    assert (ranked.pairs, ranked.judge_ties) == (3, 1)
    assert ranked.accuracy.value == pytest.approx(2.5 / 3)
    # Two pairs were compared: one right (both orders are one vote), one wrong; the third was not.
    assert (compared.pairs, compared.no_value) == (2, 1)
    assert compared.accuracy.value == pytest.approx(0.5)
    assert compared.failures == 1


def test_candidates_that_are_even_over_several_passes_are_a_tie() -> None:
    """Shares of sevenths in another order: their means differ in the last digit, and that is no preference."""
    document, judge = Document("d"), JudgeInfo("ranker pass")
    eight = tuple(Candidate(document.id, f"text {n}", MAKERS[0], n) for n in range(8))
    one, other, *rest = (candidate.id for candidate in eight)
    beaten_by_one, beaten_by_other = (0, 1, 1, 4), (1, 0, 4, 1)
    said = []
    for beats_one, beats_other in zip(beaten_by_one, beaten_by_other, strict=True):
        order = list(rest)
        for beats, name in sorted([(beats_one, one), (beats_other, other)], reverse=True):
            order.insert(7 - beats, name)
        said.append(Ranking(judge, document.id, tuple((name,) for name in order)))
    spoken = verdicts_of([Group(document, eight, judgements=tuple(said))])["ranker pass"]
    assert np.mean([n / 7 for n in beaten_by_one]) != np.mean([n / 7 for n in beaten_by_other])
    assert spoken.vote((document.id, one, other)) == 0


def test_the_lead_over_another_judge_is_paired() -> None:
    """The rival is right in one document and wrong in the other; the third has no correlation of the judge's."""
    groups = [group(0, [1, 2, 3], [1, 2, 3]), group(1, [1, 2, 3], [1, 2, 3]), group(2, [1, 2, 3], [1, 1, 1])]
    judge = verdicts_of(groups)["scorer"]
    numbers = [(1.0, 2.0, 3.0), (3.0, 2.0, 1.0), (3.0, 2.0, 1.0)]
    values = {c.id: value for own, row in zip(groups, numbers) for c, value in zip(own.candidates, row)}
    rival = Verdicts("rival", values)
    found, own = judges_on_axes(groups, ["expert: coherence"], [judge, rival], against=rival, resamples=100)
    assert found.ahead is not None and (found.ahead.a, found.ahead.b) == ("scorer", "rival")
    assert (found.ahead.difference.value, found.ahead.difference.n) == (pytest.approx((0 + 2) / 2), 2)
    assert own.ahead is None and own.within["kendall"].value == pytest.approx(-1 / 3)


def test_a_rule_keeps_its_name() -> None:
    """A stored judge of the same name does not take a rule's place."""
    from precis.evaluation.judgements.candidatemetrics import Metric

    one = group(0, [1, 2], [1, 2])
    found = verdicts_of([one], {"scorer": Metric("scorer", {"c": 9.0})})
    assert found["scorer"] == Verdicts("scorer", {"c": 9.0})


@pytest.mark.skipif(not REAL.is_file(), reason="shared/data/summeval is not beside this checkout")
def test_rouge_on_summeval_is_what_was_published() -> None:
    """Summary-level rho and tau as in table 1 of G-Eval (arXiv 2303.16634), to three decimals for ROUGE-2."""
    found: dict[str, tuple[Document, list[Candidate], list[Candidate], list[Rating]]] = {}
    for record in read("summeval", REAL):
        if isinstance(record, Document):
            found[record.id] = (record, [], [], [])
        elif isinstance(record, Candidate):
            found[record.source_id][2 if record.maker.role == "reference" else 1].append(record)
        elif isinstance(record, Rating):
            found[record.source_id][3].append(record)
    groups = [Group(d, tuple(c), tuple(r), judgements=tuple(said)) for d, c, r, said in found.values()]
    rules = rule_metrics(groups, [candidate.id for group in groups for candidate in group.candidates])
    axes = [f"expert: {axis}" for axis in ("coherence", "consistency", "fluency", "relevance")]
    judges = [Verdicts(name, rules[name].values) for name in ("rouge1", "rouge2")]
    rows = {(one.axis, one.judge): one for one in judges_on_axes(groups, axes, judges, resamples=100)}
    published = {
        "rouge1": ((0.167, 0.126), (0.160, 0.130), (0.115, 0.094), (0.326, 0.252)),
        "rouge2": ((0.184, 0.139), (0.187, 0.155), (0.159, 0.128), (0.290, 0.219)),
    }
    for judge, within in (("rouge1", 2.5e-3), ("rouge2", 5e-4)):
        for axis, (rho, tau) in zip(axes, published[judge], strict=True):
            own = rows[axis, judge].within
            assert own["spearman"].value == pytest.approx(rho, abs=within)
            assert own["kendall"].value == pytest.approx(tau, abs=within)
