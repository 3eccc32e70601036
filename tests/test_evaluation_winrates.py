"""Win rates and their length-controlled twins: hand-worked counts, known length effects, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from precis.evaluation.lengthcontrol import fit_logistic, is_separated, length_controlled
from precis.evaluation.winrates import Verdict, Verdicts, judgements_by_judge, verdicts_between, win_rate
from precis.records import Candidate, Comparison, Failure, JudgeInfo, Judgement, Maker, Ranking, Rating, Score

JUDGE = JudgeInfo("judge")
A, B = Maker("policy", "a"), Maker("policy", "b")


def texts(maker: Maker, **by_document: str) -> dict[str, list[Candidate]]:
    return {document: [Candidate(document, text, maker)] for document, text in by_document.items()}


def simulate(n: int, *, policy: float, length: float, mean_ratio: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    ratios = generator.normal(mean_ratio, 0.4, n)
    return (generator.random(n) < expit(policy + length * ratios)).astype(float), ratios


def test_length_control_recovers_a_known_length_effect() -> None:
    outcomes, ratios = simulate(6000, policy=0.3, length=1.5, mean_ratio=0.5, seed=0)
    found = length_controlled(outcomes, ratios)[""]
    assert found.win_rate.value == pytest.approx(expit(0.3), abs=0.02)
    assert found.length_effect.value == pytest.approx(1.5, abs=0.15)
    assert np.mean(outcomes) > 0.7  # the raw rate credits the policy with its length


def test_length_control_intervals_cover_the_truth() -> None:
    covered = []
    for seed in range(150):
        outcomes, ratios = simulate(100, policy=0.3, length=1.0, mean_ratio=0.2, seed=seed)
        found = length_controlled(outcomes, ratios)[""].win_rate
        assert found.low is not None
        assert found.high is not None
        covered.append(found.low <= expit(0.3) <= found.high)
    assert 0.9 <= np.mean(covered) <= 0.99


def test_several_verdicts_of_a_document_are_not_several_documents() -> None:
    outcomes, ratios = simulate(80, policy=0.3, length=1.0, mean_ratio=0.2, seed=5)
    documents = [str(n) for n in range(80)]
    once = length_controlled(outcomes, ratios, documents_N=documents)[""].win_rate
    thrice = length_controlled(np.tile(outcomes, 3), np.tile(ratios, 3), documents_N=documents * 3)[""].win_rate
    assert thrice.value == pytest.approx(once.value)
    assert (thrice.low, thrice.high) == (pytest.approx(once.low, abs=1e-6), pytest.approx(once.high, abs=1e-6))
    assert thrice.n == once.n == 80


def test_systems_share_one_length_effect() -> None:
    one = simulate(4000, policy=0.8, length=1.2, mean_ratio=0.3, seed=1)
    two = simulate(4000, policy=-0.4, length=1.2, mean_ratio=-0.3, seed=2)
    found = length_controlled(
        [*one[0], *two[0], 1.0, 1.0], [*one[1], *two[1], 0.1, 0.2], systems_N=["x"] * 4000 + ["y"] * 4000 + ["z"] * 2
    )
    assert list(found) == ["x", "y", "z"]
    assert found["x"].win_rate.value == pytest.approx(expit(0.8), abs=0.025)
    assert found["y"].win_rate.value == pytest.approx(expit(-0.4), abs=0.025)
    assert found["x"].length_effect == found["y"].length_effect
    assert found["z"].win_rate.why == "it won every comparison"


@pytest.mark.parametrize(
    ("outcomes", "ratios", "why"),
    [
        ([], [], "nothing was judged"),
        ([0.5] * 6, [0.1, 0.2, 0.3, 0, 0, 0], "every comparison is a tie"),
        ([1, 1, 1], [0.1, 0.2, 0.3], "it won every comparison"),
        ([0, 0, 0], [0.1, 0.2, 0.3], "it lost every comparison"),
        ([1, 0, 1, 0], [0, 0, 0, 0], "both always have the same length"),
        ([1, 0, 1, 0], [0.7] * 4, "lengths are always in the same ratio"),
        ([1, 1, 0, 0], [0.2, 0.1, -0.1, -0.2], "lengths predict every verdict (separation)"),
        ([1, 1, 0, 0.5], [0.2, 0.1, -0.1, 0.0], "lengths predict every verdict (separation)"),
        ([1, 0], [0.2, 0.1], "2 documents are too few for 2 coefficients"),
    ],
)
def test_what_cannot_be_estimated_is_said(outcomes: list[float], ratios: list[float], why: str) -> None:
    found = length_controlled(outcomes, ratios)[""]
    assert (found.win_rate.value, found.win_rate.low, found.win_rate.why) == (None, None, why)


def test_extrapolation_is_said_and_empty_sides_refused() -> None:
    outcomes, ratios = simulate(500, policy=0.3, length=1.0, mean_ratio=3.0, seed=0)
    assert "no pair had equal lengths" in length_controlled(outcomes, ratios)[""].note
    with pytest.raises(ValueError, match="not finite"):
        length_controlled([1.0], [np.inf])


def test_logistic_fit_by_hand_and_separation() -> None:
    # Saturated: with x = 0 half win, with x = 1 three of four do; so the slope is the log odds ratio, log 3.
    design = np.array([[1.0, 0]] * 4 + [[1.0, 1]] * 4)
    outcomes = np.array([1, 1, 0, 0, 1, 1, 1, 0.0])
    assert fit_logistic(design, outcomes, np.ones(8)) == pytest.approx([0, np.log(3)], abs=1e-9)
    assert not is_separated(design, outcomes)
    assert is_separated(design, np.array([1, 1, 0, 0, 1, 1, 1, 1.0]))  # quasi-complete
    assert not is_separated(design, np.array([1, 1, 0, 0, 1, 1, 1, 0.5]))


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([-0.5, 0.0, 0.5])), max_size=25))
def test_length_control_never_gives_a_bare_number(rows: list[tuple[float, float]]) -> None:
    outcomes, ratios = [row[0] for row in rows], [row[1] for row in rows]
    found = length_controlled(outcomes, ratios)[""].win_rate
    if found.value is None:
        assert found.why
    else:
        assert found.low is not None
        assert found.high is not None
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_lone_pair_does_not_claim_certainty() -> None:
    # The only pair at ratio 0 is a tie, so its residual vanishes; the interval must not.
    found = length_controlled([0, 0, 0.5, 0.5, 0.5, 0.5], [-0.5] * 5 + [0.0])[""].win_rate
    assert found.value == pytest.approx(0.5)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.2 < 0.8 < found.high


# Verdicts from judgements


def test_verdicts_from_comparisons_in_either_role_and_order() -> None:
    a = texts(A, d1="one two", d2="one", d3="x", d4="y")
    b = texts(B, d1="other", d2="other words here", d3="z", d5="only b")
    ids = {(side, d): c[0].id for side, of in (("a", a), ("b", b)) for d, c in of.items()}
    judgements: list[Judgement] = [
        Comparison(JUDGE, "d1", ids["a", "d1"], ids["b", "d1"], "a", shown_first="a"),
        Comparison(JUDGE, "d1", ids["b", "d1"], ids["a", "d1"], "a", shown_first="a"),  # b wins, shown first
        Comparison(JUDGE, "d2", ids["b", "d2"], ids["a", "d2"], "tie"),
        Comparison(JUDGE, "d2", ids["a", "d2"], "someone else", "a"),
        Failure(JUDGE, "d3", (ids["a", "d3"], ids["b", "d3"]), "unreadable"),
        Failure(JUDGE, "d3", (ids["a", "d3"], "someone else"), "unreadable"),
    ]
    found = verdicts_between(judgements, a, b)
    assert [(v.document, v.outcome, v.words_a, v.words_b, v.shown_first) for v in found.verdicts] == [
        ("d1", 1.0, 2, 1, "a"),
        ("d1", 0.0, 2, 1, "b"),
        ("d2", 0.5, 1, 3, None),
    ]
    assert (found.failures, found.unjudged, found.one_sided, found.identical) == (1, 0, 2, 0)
    rate = win_rate(found, system="a", against="b", judge="judge", resamples=100)
    assert (rate.win_rate.value, rate.win_rate.n) == (0.5, 2)
    assert (rate.comparisons, rate.wins, rate.ties, rate.losses, rate.failures) == (3, 1, 1, 1, 1)
    assert rate.first_shown_wins.value == 1
    assert (rate.both_orders, rate.consistent) == (1, 0)
    assert (rate.words, rate.words_against) == (pytest.approx(5 / 3), pytest.approx(5 / 3))


def test_verdicts_from_rankings_scores_and_ratings() -> None:
    a, b = texts(A, d="mine"), {"d": [Candidate("d", "r one", B), Candidate("d", "r two", B, index=1)]}
    mine, (one, two) = a["d"][0].id, (c.id for c in b["d"])
    ranked = verdicts_between([Ranking(JUDGE, "d", ((one,), ("else", mine), (two,)))], a, b)
    assert sorted((v.b, v.outcome) for v in ranked.verdicts) == sorted([(one, 0.0), (two, 1.0)])
    scores = [Score(JUDGE, "d", mine, 2.0, "s"), Score(JUDGE, "d", one, 2.0, "s"), Score(JUDGE, "d", two, 3.0, "s")]
    scored = verdicts_between([*scores, Score(JUDGE, "d", two, -1.0, "s", repeat=1)], a, b)
    assert sorted((v.b, v.outcome) for v in scored.verdicts) == sorted([(one, 0.5), (two, 1.0)])
    rated = verdicts_between(
        [Rating(JUDGE, "d", mine, "coherence", 7), Rating(JUDGE, "d", one, "coherence", 3)], a, b, axis="coherence"
    )
    assert [v.outcome for v in rated.verdicts] == [1.0]
    alone = verdicts_between([Failure(JUDGE, "d", (mine,), "no score")], a, b)
    assert (alone.failures, alone.unjudged) == (1, 0)


def test_the_same_text_is_a_tie_by_construction() -> None:
    pool = [Candidate("d", "first", A), Candidate("d", "second", A, index=1)]
    scores: list[Judgement] = [Score(JUDGE, "d", c.id, float(n), "s") for n, c in enumerate(pool)]
    same = verdicts_between(scores, {"d": [pool[1]]}, {"d": [pool[1]]})
    assert [v.outcome for v in same.verdicts] == [0.5]
    assert (same.identical, same.unjudged) == (1, 0)
    wins = verdicts_between(scores, {"d": [pool[1]]}, {"d": [pool[0]]})
    assert [v.outcome for v in wins.verdicts] == [1.0]


def test_win_rate_of_nothing_and_of_empty_texts() -> None:
    nothing = win_rate(Verdicts((), failures=3), system="a", against="b", judge="j")
    assert (nothing.win_rate.value, nothing.win_rate.why, nothing.failures) == (None, "nothing was judged", 3)
    assert nothing.words is None
    empty = [Verdict(f"d{n}", "x", "y", 0.0, 0, 5) for n in range(3)]
    rate = win_rate(Verdicts(tuple(empty)), system="a", against="b", judge="j")
    assert rate.win_rate.value == 0
    assert rate.length_controlled.value is None
    assert rate.empty_pairs == 3
    assert "leaves out 3 comparisons" in rate.notes[0]


def test_a_position_biased_judge_is_seen() -> None:
    generator = np.random.default_rng(0)
    verdicts = []
    for n in range(300):
        for first in ("a", "b"):
            prefers_first = generator.random() < 0.8
            outcome = float(prefers_first == (first == "a"))
            verdicts.append(Verdict(f"d{n}", f"a{n}", f"b{n}", outcome, 5, 6, first))  # type: ignore[arg-type]
    rate = win_rate(Verdicts(tuple(verdicts)), system="a", against="b", judge="j", resamples=500)
    assert rate.first_shown_wins.value == pytest.approx(0.8, abs=0.04)
    assert rate.win_rate.value == pytest.approx(0.5, abs=0.04)  # both orders cancel it
    assert rate.both_orders == 300
    assert rate.consistent / 300 == pytest.approx(2 * 0.8 * 0.2, abs=0.08)


def test_people_are_pooled_and_settings_told_apart() -> None:
    judges = [JudgeInfo("person:1"), JudgeInfo("person:2"), JudgeInfo("rm", {"v": 1}), JudgeInfo("rm", {"v": 2})]
    found = judgements_by_judge([Score(judge, "d", "c", 1.0, "s") for judge in judges])
    assert [name.split(" ")[0] for name in found] == ["people", "rm", "rm"]
    assert len(found["people"]) == 2


def test_what_was_answered_when_asked_again_is_no_failure() -> None:
    a, b = texts(A, d1="one", d2="two", d3="same"), texts(B, d1="eins", d2="zwei", d3="same")
    (one,), (other,) = a["d1"], b["d1"]
    both = {name: tuple(c.id for side in (a, b) for c in side[name]) for name in a}
    said: list[Judgement] = [Failure(JUDGE, name, both[name], "the cap is reached") for name in a]
    said.append(Ranking(JUDGE, "d1", ((one.id,), (other.id,))))
    found = verdicts_between(said, a, b)
    # d1 was answered later, d2 never; d3 is the same text, even whatever the judge says.
    assert (found.failures, found.unjudged, found.identical) == (1, 0, 1)
    assert [verdict.outcome for verdict in found.verdicts] == [1.0, 0.5]
