"""Agreement of labelers, thresholds and drift: by hand, and on labelers made with known habits."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis_world import choice, panel, policy, text
from precis.errors import UserError
from precis.evaluation.events import event_difference, event_mean, event_share
from precis.evaluation.judgements.choices import Choice, choices_of, maker_labels, named, people_or_all, systems_in
from precis.evaluation.judgements.drift import drift, natural, sentinel_pair
from precis.evaluation.judgements.labelers import label_agreement, modal_agreement, votes_of
from precis.evaluation.judgements.thresholds import confidence_thresholds
from precis.records import Candidate, Comparison, Document, Group, JudgeInfo, Maker

FEW = 200  # resamples, where the interval is not the point


# Events


def test_an_event_counts_once_and_documents_are_resampled() -> None:
    hits, documents = [1, 1, 1, 0, 0, 1], ["x", "x", "x", "x", "y", "z"]
    found = event_share(hits, documents, resamples=FEW)
    assert (found.value, found.n) == (pytest.approx(4 / 6), 3)
    # The three documents alone decide the interval: its ends are ratios of whole documents.
    possible = {(3 * i + k) / (4 * i + j + k) for i in range(4) for j in range(4) for k in range(4) if i + j + k == 3}
    assert min(possible) <= found.low <= found.value <= found.high <= max(possible)
    assert event_mean([2.0, 4.0, 9.0], ["x", "x", "y"], resamples=FEW).value == pytest.approx(5)
    assert event_share([], []).why == "nothing was judged"
    assert event_share([0.5, 0.5], ["x", "y"]).why == "every comparison is a tie"
    assert event_share([1, 1, 1], ["x", "y", "y"]).low == pytest.approx(0.025 ** (1 / 2))  # Clopper and Pearson, n = 2


def test_an_event_difference_is_of_shared_events() -> None:
    nan = float("nan")
    found = event_difference([1, 0, nan, 1], [0, 0, 1, nan], ["x", "y", "z", "x"], names=("m", "a", "b"), resamples=FEW)
    assert (found.difference.value, found.difference.n, found.a, found.b) == (0.5, 2, "a", "b")
    assert event_difference([nan], [1.0], ["x"], names=("m", "a", "b")).p_value is None


# Agreement


def test_agreement_by_hand() -> None:
    # Columns: a, b, c are labelers, d is a researcher.
    found = label_agreement(panel(["+++-", "++-+", "+0-+", "-  -"]), ["person:d"], resamples=FEW)
    # Items 1 and 2 have three meetings each (3 and 1 agree), item 3 one (a+ c-): 4 of 7.
    assert found.between_labelers.agreement.value == pytest.approx(4 / 7)
    assert (found.between_labelers.meetings, found.between_labelers.items) == (7, 3)
    # Labelers with the researcher: 0 of 3, 2 of 3, 1 of 2, 1 of 1.
    assert found.labelers_researchers.agreement.value == pytest.approx(4 / 9)
    assert found.between_researchers.agreement.why == "no pair was judged by both"
    assert (found.labels, found.indifferent, found.items, found.repeated) == (14, 1, 4, 4)
    each = {one.labeler: one for one in found.each}
    # a against the others' majority: right, tie of b and c is a half, wrong against c; item 4 has no other labeler.
    assert each["person:a"].with_others.agreement.value == pytest.approx((1 + 0.5 + 0) / 3)
    assert each["person:b"].indifferent == 1
    assert each["person:c"].with_researchers.meetings == 3
    pair = next(pair for pair in found.matrix if {pair.a, pair.b} == {"person:a", "person:b"})
    assert (pair.agreement.value, pair.items, pair.ties) == (1.0, 3, 1)
    none = next(pair for pair in label_agreement(panel(["+ ", " +"]), resamples=FEW).matrix)
    assert none.agreement.why == "no pair was judged by both"


def test_the_modal_label_of_three_by_hand() -> None:
    votes = votes_of(panel(["+++-", "++++"]))
    found = modal_agreement(votes, ["person:a", "person:b", "person:c", "person:d"], 3, resamples=FEW)
    # First pair: each + is held against {+, +, -} and agrees, the - against {+, +, +} does not.
    assert found.agreement.value == pytest.approx((3 + 4) / 8)
    # One labeler instead: each + meets 2 of 3, the - none.
    assert found.single.value == pytest.approx((3 * 2 / 3 + 0 + 4) / 8)
    assert found.gain.difference.value == pytest.approx(1 / 8)
    assert found.items == 2
    nothing = modal_agreement(votes, ["person:a", "person:b"], 3)
    assert nothing.agreement.why == "no pair was judged by 3 labelers and one more labeler"
    against = modal_agreement(votes, ["person:a", "person:b", "person:c"], 3, ["person:d"], resamples=FEW)
    assert against.agreement.value == 0.5


@settings(deadline=None)
@given(st.integers(0, 6), st.integers(0, 6), st.integers(1, 5))
def test_the_modal_label_is_the_mean_over_all_draws(same: int, different: int, n: int) -> None:
    if same + different < n:
        return
    signs = "+" + "+" * same + "-" * different
    voters = "abcdefghijklm"
    votes = votes_of(panel([signs], voters))
    names = [f"person:{letter}" for letter in voters[1 : len(signs)]]
    found = modal_agreement(votes, names, n, ["person:a"], resamples=20)
    draws = [sum(1 if sign == "+" else -1 for sign in draw) for draw in combinations(signs[1:], n)]
    assert len(draws) == comb(same + different, n)
    assert found.agreement.value == pytest.approx(float(np.mean([(np.sign(total) + 1) / 2 for total in draws])))


def test_modal_labels_gain_what_independent_labelers_predict() -> None:
    """Labelers right with 0.8 each: two agree in .68, the modal of three is right in .896, and agrees in .7376."""
    generator = np.random.default_rng(0)
    right = generator.random((1500, 4)) < 0.8
    labels = ["".join("+" if own else "-" for own in row) for row in right]
    found = label_agreement(panel(labels), resamples=FEW)
    assert found.between_labelers.agreement.value == pytest.approx(0.68, abs=0.02)
    assert found.modal_others[0].agreement.value == pytest.approx(0.896 * 0.8 + 0.104 * 0.2, abs=0.02)
    assert found.modal_others[0].gain.difference.low > 0.04


def test_a_labeler_who_sees_a_pair_again_votes_once() -> None:
    one, other = text("d", 3, policy("one")), text("d", 4, policy("other"))
    said = [choice("person:a", "d", one, other, 1.0, strength=3), choice("person:a", "d", other, one, 0.0, strength=1)]
    (by,) = votes_of(said).values()
    assert by["person:a"].strength == 2.0
    (tied,) = votes_of([said[0], choice("person:a", "d", one, other, 0.0, strength=4)]).values()
    assert (tied["person:a"].sign, tied["person:a"].strength) == (0, None)


# Thresholds


def labels_with_confidence(right_by_strength: dict[int, float], n: int = 4000, seed: int = 0) -> list[Choice]:
    """A labeler who agrees with a researcher with a probability that depends on the strength."""
    generator = np.random.default_rng(seed)
    found = []
    for number in range(n):
        document = f"d{number}"
        one, other = text(document, 3, policy("one")), text(document, 4, policy("other"))
        strength = int(generator.integers(1, 5))
        truth = float(generator.integers(0, 2))
        said = truth if generator.random() < right_by_strength[strength] else 1 - truth
        found.append(choice("person:worker", document, one, other, said, strength=strength))
        found.append(choice("person:boss", document, one, other, truth, strength=4))
    return found


@pytest.mark.parametrize(
    ("right", "threshold"),
    [
        ({1: 0.9, 2: 0.9, 3: 0.9, 4: 0.9}, 1),
        ({1: 0.5, 2: 0.76, 3: 0.86, 4: 0.94}, 2),  # from 2 on: mean of .76, .86, .94 = .853
        ({1: 0.5, 2: 0.55, 3: 0.75, 4: 0.95}, 3),  # from 2 on .75, from 3 on .85
        ({1: 0.5, 2: 0.5, 3: 0.6, 4: 0.7}, None),
    ],
)
def test_a_labelers_threshold_is_recovered(right: dict[int, float], threshold: int | None) -> None:
    votes = votes_of(labels_with_confidence(right))
    (found,) = confidence_thresholds(votes, ["person:worker"], ["person:boss"], resamples=FEW)
    assert found.threshold == threshold
    assert found.levels[0].labels == 4000
    if threshold is None:
        assert found.why == "even the surest labels agree less often than 80%"
    else:
        assert found.kept == pytest.approx((5 - threshold) / 4, abs=0.03)


def test_a_threshold_needs_labels_that_can_be_checked() -> None:
    votes = votes_of(labels_with_confidence({1: 0.0, 2: 1.0, 3: 1.0, 4: 1.0}, n=12))
    (found,) = confidence_thresholds(votes, ["person:worker"], ["person:boss"], least=13, resamples=FEW)
    assert (found.threshold, found.kept) == (None, None)
    assert found.why == "only 12 labels of strength 1 or more can be checked"
    (silent,) = confidence_thresholds(votes_of(panel(["++"])), ["person:a"], ["person:b"])
    assert (silent.unsure, silent.levels[0].labels) == (1, 0)


# Drift


def sentinels(rates: dict[str, float], n: int, seed: int = 0) -> list[Choice]:
    generator = np.random.default_rng(seed)
    found = []
    for batch, rate in rates.items():
        for number in range(n):
            document = f"{batch}/{number}"
            one, other = text(document, 3, policy("sft")), text(document, 4, Maker("reference", "people"))
            found.append(choice("person:a", document, one, other, float(generator.random() < rate), batch=batch))
    return found


def test_an_injected_drift_is_flagged_and_nothing_else() -> None:
    rates = {f"batch{number}": 0.45 for number in range(3, 11)} | {"batch7": 0.75}
    found = drift(sentinels(rates, 120), "sft", "reference", resamples=1000)
    assert [one.batch for one in found.batches] == [f"batch{number}" for number in range(3, 11)]
    assert [one.batch for one in found.batches if one.flagged] == ["batch7"]
    (odd,) = (one for one in found.batches if one.flagged)
    assert odd.gap == pytest.approx(0.3, abs=0.1)


def test_a_slow_drift_is_a_trend() -> None:
    rates = {f"batch{number}": 0.3 + 0.04 * number for number in range(10)}
    found = drift(sentinels(rates, 100), "sft", "reference", resamples=1000)
    assert found.trend_flagged
    assert found.trend == pytest.approx(0.04, abs=0.02)


def test_steady_batches_raise_few_alarms() -> None:
    alarms = [
        any(one.flagged for one in drift(sentinels(dict.fromkeys("abcdef", 0.5), 40, seed), "sft", "reference",
                                         resamples=150).batches)
        for seed in range(40)
    ]  # fmt: skip
    assert np.mean(alarms) <= 0.12  # 5% promised; 40 trials


def test_which_pair_is_watched() -> None:
    said = sentinels({"batch1": 0.5, "batch2": 0.5}, 3) + panel(["+++"])
    assert sentinel_pair(said) == ("sft", "reference")
    assert sentinel_pair(panel(["+++"])) is None
    with pytest.raises(UserError, match="compared in 1 batches"):
        drift(panel(["+++"]), "one", "other")
    assert sorted(["batch10", "batch9", "batch"], key=natural) == ["batch", "batch9", "batch10"]


# Choices


def test_choices_come_from_the_store_with_batch_and_confidence() -> None:
    document = Document("A dog barked.", dataset="posts")
    a = Candidate(document.id, "one", Maker("policy", "p"))
    b = Candidate(document.id, "two", Maker("reference", "r"))
    judge = JudgeInfo("person:1", {"batch": "batch3"})
    machine = JudgeInfo("comparer", {"seed": 0})
    other = JudgeInfo("comparer", {"seed": 1})
    said = (
        Comparison(judge, document.id, a.id, b.id, "b", confidence=8, shown_first="a"),
        Comparison(judge, document.id, a.id, b.id, "tie", confidence=5, repeat=1),
        Comparison(machine, document.id, b.id, a.id, "a"),
        Comparison(other, document.id, b.id, a.id, "a"),
    )
    found = choices_of([Group(document, (a,), (b,), said)])
    assert [(c.outcome, c.strength, c.batch) for c in found[:2]] == [(0.0, 3, "batch3"), (0.5, None, "batch3")]
    assert found[0].vote == -found[2].vote * (-1 if found[0].vote == found[2].vote else 1)
    assert [c.vote for c in (found[0], found[2])] == [found[0].vote] * 2  # both prefer b, whichever side it was on
    assert len({c.labeler for c in found}) == 3  # one person, and two settings of one machine
    assert people_or_all(found) == found[:2]
    assert people_or_all(found[2:]) == found[2:]
    assert set(systems_in(found).values()) == {"p", "reference"}
    assert named(["1"], ["person:1"], "labeler") == ["person:1"]
    with pytest.raises(UserError, match="there is no labeler '2' here; there are person:1"):
        named(["2"], ["person:1"], "labeler")


def test_makers_are_told_apart() -> None:
    makers = [Maker("policy", "p", {"T": 0}), Maker("policy", "p", {"T": 1}), Maker("reference", "a")]
    labels = maker_labels([*makers, Maker("reference", "b")])
    assert sorted(labels.values())[2:] == ["reference", "reference"]
    assert len(set(labels.values())) == 3
    contest = [choice("x", "d", text("d", 2, makers[2]), text("d", 3, Maker("reference", "b")), 1.0)]
    assert set(systems_in(contest).values()) == {"reference a", "reference b"}
