"""Judges and metrics against people, position bias and ratings: by hand, and on simulated judges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from analysis_world import REFERENCE, choice, panel, policy, text
from precis.evaluation.judgements.axes import axis_ratings
from precis.evaluation.judgements.candidatemetrics import Metric, judge_metrics, logp_metrics, margin, rule_metrics
from precis.evaluation.judgements.choices import Choice
from precis.evaluation.judgements.judgeaccuracy import COIN, OTHER_LABELERS, judge_accuracy, standing
from precis.evaluation.judgements.metricagreement import ENSEMBLE, LABELER, agreements, metric_analysis
from precis.evaluation.judgements.position import position_bias
from precis.evaluation.statistics import Difference, Estimate
from precis.records import Candidate, Comparison, Document, Group, JudgeInfo, Judgement, Ranking, Rating, Score
from precis.sandbox import ComparerSettings, compare, documents

FEW = 200
JUDGE = JudgeInfo("reward", {"model": "m"})


# Metrics of candidates


def test_rules_by_hand() -> None:
    document = Document("the cat sat on the mat and slept all day long")
    copied = Candidate(document.id, "the cat sat on the mat", policy("p"))
    fresh = Candidate(document.id, "A cat slept.", policy("p"), index=1)
    reference = Candidate(document.id, "A cat slept all day.", REFERENCE)
    group = Group(document, (copied, fresh, reference), (reference,))
    found = rule_metrics([group], [copied.id, fresh.id, reference.id])
    assert found["length"].values == {copied.id: 6.0, fresh.id: 3.0, reference.id: 5.0}
    assert found["copying"].values[copied.id] == 1.0
    # ROUGE-1 of "A cat slept." against "A cat slept all day.": precision 1, recall 3/5.
    assert found["rouge1"].values[fresh.id] == pytest.approx(0.75)
    assert reference.id not in found["rouge1"].values  # against itself it would always win
    second = Candidate(document.id, "A cat slept all night.", REFERENCE, index=1)
    two = Group(document, (reference,), (reference, second))
    assert rule_metrics([two], [reference.id])["rouge1"].values[reference.id] == pytest.approx(0.8)


def test_scores_ratings_and_log_probabilities_are_metrics() -> None:
    document = Document("a document")
    a = Candidate(document.id, "one", policy("p"), logp=-6.0, token_ids=(1, 2, 3))
    b = Candidate(document.id, "two", policy("q"), logp=-2.0)
    said: tuple[Judgement, ...] = (
        Score(JUDGE, document.id, a.id, 1.0, "reward"),
        Score(JUDGE, document.id, a.id, 2.0, "reward", repeat=1),
        Rating(JudgeInfo("person:1"), document.id, a.id, "coverage", 6),
        Rating(JudgeInfo("person:2"), document.id, a.id, "coverage", 3),
    )
    group = Group(document, (a, b), judgements=said)
    found = judge_metrics([group])
    assert found["reward"].values == {a.id: 1.5}
    assert found["reward"].scale == "reward"
    assert found["people: coverage"].values == {a.id: 4.5}
    logp = logp_metrics([group])
    assert logp["logp per token"].values == {a.id: -2.0}
    assert np.isnan(margin(logp["logp"], a.id, b.id, same_system=False))  # two policies' own scales
    assert margin(logp["logp"], a.id, b.id, same_system=True) == -4.0
    assert logp_metrics([Group(document, ())]) == {}


# Accuracy


def scored(n: int, skill: float, seed: int = 0) -> tuple[list[Choice], Metric, dict[str, Metric]]:
    """People choose by a hidden quality; the judge sees it with probability `skill`, else a coin; length is noise."""
    generator = np.random.default_rng(seed)
    choices, values, lengths = [], {}, {}
    for number in range(n):
        document = f"d{number}"
        a, b = (text(document, int(generator.integers(5, 50)), policy("p"), index=k) for k in (0, 1))
        outcome = float(generator.integers(0, 2))
        right = generator.random() < skill or generator.random() < 0.5
        values |= {a.id: outcome if right else 1 - outcome, b.id: 1 - outcome if right else outcome}
        lengths |= {a.id: float(len(a.text.split())), b.id: float(len(b.text.split()))}
        choices.append(choice("person:1", document, a, b, outcome, strength=1 + number % 4, batch=f"b{number % 2}"))
    empty = {name: Metric(name, {}) for name in ("copying", "rouge1", "rouge2", "rougeL")}
    return choices, Metric("reward", values, "reward"), empty | {"length": Metric("length", lengths)}


def test_a_good_judge_beats_the_baselines_beyond_the_interval() -> None:
    choices, judge, rules = scored(600, 0.6)
    found = judge_accuracy(choices, judge, rules, resamples=FEW)
    own = found.overall[0]
    assert own.accuracy.value == pytest.approx(0.8, abs=0.04)
    gains = {gain.b: gain for gain in found.gains}
    assert standing(gains["length"]) == "above"
    assert standing(gains[COIN]) == "above"
    assert gains[COIN].difference.value == pytest.approx(own.accuracy.value - 0.5)
    assert standing(gains["rouge1"]) == "unknown"
    assert next(row for row in found.overall if row.name == COIN).accuracy.value == 0.5
    assert [row.name for row in found.by["batch"]] == ["b0", "b1"]
    assert [row.pairs for row in found.by["confidence"]] == [150] * 4
    assert found.calibration is not None
    assert next(row for row in found.overall if row.name == OTHER_LABELERS).pairs == 0


def test_a_judge_that_knows_nothing_is_said_not_to_beat_them() -> None:
    choices, judge, rules = scored(600, 0.0)
    found = judge_accuracy(choices, judge, rules, resamples=FEW)
    assert {gain.b: standing(gain) for gain in found.gains}["length"] == "level"
    worse = Difference("accuracy", "a", "b", Estimate(-0.2, -0.3, -0.1, 9), 0.01)
    assert standing(worse) == "below"


def test_accuracy_by_hand() -> None:
    a, b, same = text("x", 2, policy("p")), text("x", 4, policy("q")), Candidate("x", "p0x0 p0x1 ", policy("q"))
    said = [
        choice("person:1", "x", a, b, 1.0),
        choice("person:2", "x", b, a, 0.0),
        choice("person:3", "x", a, b, 0.0),
        choice("person:1", "x", a, same, 1.0),  # the same text
        choice("person:4", "x", a, b, 0.5),
    ]
    judge = Metric("gptscore", {a.id: 2.0, b.id: 1.0}, "nats/token")
    rules = {name: Metric(name, {}) for name in ("length", "copying", "rouge1", "rouge2", "rougeL")}
    found = judge_accuracy(said, judge, rules, resamples=FEW)
    assert (found.comparisons, found.indifferent, found.identical) == (5, 1, 1)
    assert found.overall[0].accuracy.value == pytest.approx(2 / 3)
    others = next(row for row in found.overall if row.name == OTHER_LABELERS)
    # 1 and 2 are each right against {one alike, one unlike, one indifferent}: a tie, ½; 3 is wrong against both.
    assert (others.accuracy.value, others.pairs) == (pytest.approx(1 / 3), 3)
    assert found.calibration is None
    assert found.no_calibration == "scores in nats/token are no log-odds"
    assert [row.name for row in found.by["systems"]] == ["p / q"]
    assert found.by["confidence"] == ()


# Metric agreement


def test_metric_agreement_by_hand() -> None:
    # Labelers a, b, c, d; the first text of a pair is shorter (3 words) than the second (4).
    choices = panel(["+++-", "--  ", "+-+ "])
    ids = {side.id: float(len(side.text.split())) for c in choices for side in (c.a, c.b)}
    length = Metric("length", ids)
    short = Metric("short", {id: -words for id, words in ids.items()})
    partial = Metric("partial", {id: words for id, words in ids.items() if id in (choices[0].a.id, choices[0].b.id)})
    found = agreements(choices, [length, short, partial], resamples=FEW)
    assert (found.items, found.ensemble_items) == (3, 2)

    def value(one: str, other: str) -> float | None:
        pair = found.of(one, other)
        assert pair is not None
        return pair.agreement.value

    # Labels: 1+3 of + - -, so "+" (the shorter): 3 + 0 + 2 of 9; the longer: 1 + 2 + 1 of 9.
    assert value("short", LABELER) == pytest.approx(5 / 9)
    assert value("length", LABELER) == pytest.approx(4 / 9)
    assert value(LABELER, LABELER) == pytest.approx((3 + 1 + 1) / (6 + 1 + 3))
    assert value(ENSEMBLE, "short") == 1.0
    # Only the first pair has four labels: each + against {+, +, -}, the - against {+, +, +}.
    assert value(LABELER, ENSEMBLE) == pytest.approx(3 / 4)
    assert (value("length", "short"), value("length", "partial")) == (0.0, 1.0)
    pair = found.of("partial", LABELER)
    assert pair is not None
    assert (pair.events, pair.missing) == (4, 5)


def test_pairs_of_one_system_stand_alone_and_correlations_are_within_documents() -> None:
    choices = []
    for number in range(4):
        a, b, c = (text(f"d{number}", words, policy("p"), index=k) for k, words in enumerate((3, 5, 9)))
        choices += [choice("person:1", f"d{number}", one, other, 0.0) for one, other in ((a, b), (b, c))]
        choices.append(choice("person:1", f"d{number}", text(f"d{number}", 7, policy("q")), c, 0.0))
    ids = {side.id: len(side.text.split()) for own in choices for side in (own.a, own.b)}
    longer = Metric("longer", {id: float(words) for id, words in ids.items()})
    # Ranks 3, 5, 7, 9 → 1, 2, 3, 4 against 9, 3, 5, 7 → 4, 1, 2, 3: rho = 1 − 6·(9 + 1 + 1 + 1)/60 = −0.2.
    order = {3: 9.0, 5: 3.0, 7: 5.0, 9: 7.0}
    odd = Metric("odd", {id: order[words] for id, words in ids.items()})
    found = metric_analysis(choices, [longer, odd], resamples=FEW)
    assert (found.all_pairs.items, found.same_system.items) == (12, 8)
    pair = found.same_system.of(LABELER, "longer")
    assert pair is not None and pair.agreement.value == 1.0
    assert found.correlations["longer"]["odd"].value == pytest.approx(-0.2)
    assert found.correlations["odd"]["longer"].n == 4
    assert metric_analysis(panel(["++"]), [longer]).same_system.items == 0


# Position


def simulated_judge(bias: float, pairs: int, *, both: bool, seed: int = 0) -> list[Judgement]:
    """P(choose the first shown) = σ(quality of it − of the other + bias)."""
    generator = np.random.default_rng(seed)
    found: list[Judgement] = []
    for number in range(pairs):
        quality = generator.normal(0, 1.0)  # of a over b
        orders = ("a", "b") if both else (("a", "b")[int(generator.integers(0, 2))],)
        for repeat, first in enumerate(orders):
            towards_first = (quality if first == "a" else -quality) + bias
            chosen = first if generator.random() < expit(towards_first) else ("b" if first == "a" else "a")
            found.append(
                Comparison(
                    JUDGE, f"d{number}", f"x{number}", f"y{number}", chosen,  # type: ignore[arg-type]
                    shown_first=first, repeat=repeat,  # type: ignore[arg-type]
                )
            )  # fmt: skip
    return found


@pytest.mark.parametrize("bias", [-0.7, 0.0, 1.0])
def test_a_known_position_bias_is_recovered(bias: float) -> None:
    found = position_bias("judge", simulated_judge(bias, 3000, both=True), resamples=FEW)
    assert found.bias.value == pytest.approx(bias, abs=0.15)
    assert found.bias.low <= bias <= found.bias.high
    assert found.both_orders == 3000
    assert found.preferences == 6000
    expected = np.mean(expit(np.random.default_rng(1).normal(0, 1, 100_000) + bias))
    assert found.first_chosen.value == pytest.approx(expected, abs=0.02)
    one_order = position_bias("judge", simulated_judge(bias, 3000, both=False), resamples=FEW)
    assert one_order.first_chosen.value == pytest.approx(expected, abs=0.03)
    assert one_order.consistent.why == "no pair was judged in both orders"


def test_position_by_hand() -> None:
    def said(pair: str, choice: str, first: str | None, repeat: int = 0) -> Comparison:
        return Comparison(JUDGE, pair, f"{pair}a", f"{pair}b", choice, shown_first=first, repeat=repeat)  # type: ignore[arg-type]

    found = position_bias(
        "judge",
        [
            said("1", "a", "a"), said("1", "b", "b", 1),  # first both times
            said("2", "a", "a"), said("2", "a", "b", 1),  # a both times: consistent
            said("3", "b", "a"), said("3", "a", "b", 1),  # second both times
            said("4", "a", "a"), said("4", "b", "b", 1),  # first both times
            said("5", "tie", "a"), said("5", "a", "b", 1),  # neither
            said("6", "a", None),
        ],
        resamples=FEW,
    )  # fmt: skip
    assert (found.both_orders, found.first, found.second, found.unknown_order, found.ties) == (5, 2, 1, 1, 1)
    assert found.consistent.value == pytest.approx(1 / 5)
    assert found.first_chosen.value == pytest.approx(5 / 9)
    assert found.bias.value == pytest.approx(0.5 * np.log(2 / 1))
    assert position_bias("judge", [said("6", "a", None)]).first_chosen.why == "no preference with a known order"
    only = position_bias("judge", [said("1", "a", "a"), said("1", "b", "b", 1)])
    assert only.bias.why == "every answer that changed went to the first place, a bias beyond -1.83"


def test_two_people_in_two_orders_are_not_one_judge_in_both() -> None:
    said = [
        Comparison(JudgeInfo(f"person:{name}"), "d", "x", "y", "a", shown_first=first)  # type: ignore[arg-type]
        for name, first in (("1", "a"), ("2", "b"))
    ]
    assert position_bias("people", said, resamples=FEW).both_orders == 0


def test_rankings_say_it_too() -> None:
    ranking = Ranking(JUDGE, "d", (("x",), ("y", "z")), shown=("y", "x", "z"))
    found = position_bias("judge", [ranking, Ranking(JUDGE, "d", (("x",), ("y",)))])
    # Shown y, x, z: x beats y (the second place wins), y and z tie, x beats z (the earlier wins).
    assert (found.preferences, found.ties, found.unknown_order) == (2, 1, 1)
    assert found.first_chosen.value == 0.5


def test_the_sandboxs_biased_annotator_is_found_out() -> None:
    def shown(bias: float, document: Document, first: str) -> Comparison:
        a, b = (Candidate(document.id, words, policy("p"), index=k) for k, words in enumerate(("It rained.", "No.")))
        settings = ComparerSettings(position_bias=bias)
        return compare(document, a, b, settings=settings, shown_first=first, repeat=int(first == "a"))  # type: ignore[arg-type]

    own = list(documents(40, seed=3, split="test"))
    biased = position_bias("comparer", [shown(1.0, document, first) for document in own for first in ("a", "b")])
    assert biased.first_chosen.low > 0.5
    assert biased.first > 5 * biased.second


# Axes


def test_axes_by_hand() -> None:
    makers = {"c1": "sft", "c2": "sft", "c3": "reference"}
    people = [JudgeInfo("person:1"), JudgeInfo("person:2")]
    said = [
        Rating(people[0], "x", "c1", "overall", 7),
        Rating(people[1], "x", "c1", "overall", 4),
        Rating(people[0], "y", "c2", "overall", 7),
        Rating(people[0], "x", "c3", "overall", 2),
        Rating(people[0], "x", "c3", "compatible", 1, low=0, high=1),
        Rating(people[0], "x", "c3", "overall", 4.4, low=1, high=5),
    ]
    found = axis_ratings(said, makers, resamples=FEW)
    assert [(one.axis, one.system) for one in found] == [
        ("overall (1 to 7)", "sft"),
        ("overall (1 to 7)", "reference"),
        ("compatible", "reference"),
        ("overall (1 to 5)", "reference"),
    ]
    sft = found[0]
    assert (sft.mean.value, sft.mean.n, sft.best.value) == (6.0, 2, pytest.approx(2 / 3))
    assert (sft.counts, sft.ratings, sft.raters) == ((0, 0, 0, 1, 0, 0, 2), 3, 2)
    assert found[2].counts == (0, 1)
    assert found[3].counts == (0, 0, 0, 1, 0)
    assert found[3].best.value == 0.0
