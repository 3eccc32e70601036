"""Intervals, tests, divergence, best-of-N and agreement against hand-worked or brute-force values."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from precis.evaluation.judgements.agreement import (
    agreement_matrix,
    cohen_kappa,
    correlation,
    correlation_by_group,
    krippendorff_alpha,
    pair_votes,
)
from precis.evaluation.optimization.bestofn import best_of_n_curve, best_of_n_kl, expected_best
from precis.evaluation.optimization.divergence import kl_from_samples
from precis.evaluation.statistics import (
    mean_estimate,
    mean_estimates,
    over_seeds,
    paired_difference,
    permutation_p,
    ratio_estimates,
    resampled_counts,
    share_estimate,
)
from precis.records import Comparison, Failure, JudgeInfo, Ranking, Rating, Score

NAN = float("nan")


def test_bootstrap_interval_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(3).normal(5, 2, 400)
    found = mean_estimate(values)
    error = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - error, values.mean() + error), abs=0.02)
    assert found.n == 400
    assert mean_estimate(values) == found  # same seed, same interval
    assert mean_estimate(values, seed=1) != found


def test_bootstrap_covers_the_truth_about_95_times_in_100() -> None:
    generator = np.random.default_rng(0)
    found = [mean_estimate(generator.exponential(1, 80), resamples=800, seed=n) for n in range(300)]
    covered = np.mean([e.low is not None and e.high is not None and e.low <= 1 <= e.high for e in found])
    assert 0.90 <= covered <= 0.98


def test_resampling_in_blocks_draws_n_each_time() -> None:
    blocks = list(resampled_counts(1_500_000, 3, 0))
    assert len(blocks) == 3
    assert [block.sum() for block in blocks] == [1_500_000] * 3


def test_missing_values_are_left_out_and_counted() -> None:
    one, two, three = mean_estimates([[1.0, NAN, NAN], [3.0, 7.0, NAN], [NAN, NAN, NAN]], resamples=200)
    assert (one.value, one.n, one.missing) == (2.0, 2, 1)
    assert one.low == 1.0
    assert one.high == 3.0
    assert (two.value, two.low, two.high, two.n, two.why) == (7.0, None, None, 1, "one document")
    assert (three.value, three.n, three.missing) == (None, 0, 3)
    assert "no document has a value" in str(three)


def test_ratio_of_sums_is_not_the_mean_of_ratios() -> None:
    found = ratio_estimates([[1.0], [9.0]], [[2.0], [9.0]], resamples=500)[0]
    assert found.value == pytest.approx(10 / 11)
    assert (found.low, found.high) == pytest.approx((0.5, 1.0))


def test_share_counts_each_document_once() -> None:
    found = share_estimate([1, 1, 1, 1, 0], ["a", "a", "a", "a", "b"], resamples=300)
    assert found.value == 0.5
    assert found.n == 2


def test_unanimous_shares_have_an_exact_interval() -> None:
    # Clopper-Pearson for 20 of 20: the lower end p solves p^20 = 0.025.
    found = share_estimate([1.0] * 20)
    assert (found.value, found.low, found.high) == pytest.approx((1, 0.025 ** (1 / 20), 1))
    none = share_estimate([0.0] * 20)
    assert (none.value, none.low, none.high) == pytest.approx((0, 0, 1 - 0.025 ** (1 / 20)))
    ties = share_estimate([0.5] * 20)
    assert (ties.value, ties.low, ties.why) == (0.5, None, "every comparison is a tie")
    assert share_estimate([]).value is None


def test_paired_difference_by_hand() -> None:
    found = paired_difference([3.0, 5.0, NAN, 4.0], [1.0, 2.0, 9.0, NAN], names=("rouge1", "a", "b"), resamples=200)
    assert found.difference.value == 2.5
    assert (found.difference.n, found.difference.missing) == (2, 2)
    assert found.p_value == 0.5  # signs ++, +-, -+, --: |sum| >= 5 twice of four
    assert paired_difference([NAN], [1.0]).p_value is None


def test_permutation_test_exact_and_sampled_agree() -> None:
    differences = np.random.default_rng(1).normal(0.5, 1, 12)
    exact = permutation_p(differences)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 12)).reshape(12, -1)
    assert exact == pytest.approx(np.mean(np.abs(differences @ signs) >= abs(differences.sum()) - 1e-12))
    doubled = permutation_p(np.concatenate([differences, [1e-12, -1e-12]]), resamples=40_000)
    assert doubled == pytest.approx(exact, abs=0.01)
    assert permutation_p([0.0, 0.0]) == 1.0
    assert permutation_p(np.ones(100)) == pytest.approx(1 / 10_001)


def test_seeds_are_reported_as_seeds() -> None:
    found = over_seeds({"0": 1.0, "1": 2.0, "2": 6.0})
    assert (found.mean, found.n) == (3.0, 3)
    assert found.sd == pytest.approx(np.sqrt(7))
    assert over_seeds({"0": 1.0}).sd is None


# Divergence


def test_kl_by_sampling_recovers_a_known_kl() -> None:
    policy, reference = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
    truth = float(np.sum(policy * np.log(policy / reference)))
    drawn = np.random.default_rng(0).choice(3, 4000, p=policy)
    found = kl_from_samples(np.log(policy)[drawn], np.log(reference)[drawn], tokens_N=np.full(4000, 2))
    assert found.per_sequence.low is not None
    assert found.per_sequence.high is not None
    assert found.per_sequence.low < truth < found.per_sequence.high
    assert found.per_token.value == pytest.approx((found.per_sequence.value or 0) / 2)


def test_kl_of_a_policy_with_itself_is_zero_and_absence_is_said() -> None:
    assert kl_from_samples([-3.0, -4.0], [-3.0, -4.0]).per_sequence.value == 0
    assert "infinite" in kl_from_samples([-3.0, -4.0], [-3.0, -np.inf]).per_sequence.why
    assert kl_from_samples([], []).per_sequence.why == "no samples"
    assert kl_from_samples([-1.0], [-1.0]).per_token.why == "token counts are not given"
    with pytest.raises(ValueError, match="sample 1"):
        kl_from_samples([-3.0, NAN], [-3.0, -4.0])
    by_document = kl_from_samples([-1.0, -1.0, -5.0], [-2.0, -2.0, -5.0], documents_N=["a", "a", "b"])
    assert by_document.per_sequence.value == pytest.approx(2 / 3)
    assert by_document.per_sequence.n == 2


# Best-of-N


def test_best_of_n_kl_golden() -> None:
    assert best_of_n_kl(64) == pytest.approx(3.17, abs=0.005)
    assert best_of_n_kl(1) == 0


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 3)), min_size=1, max_size=6), st.data())
def test_expected_best_equals_enumeration(scores: list[tuple[int, int]], data: st.DataObject) -> None:
    n = data.draw(st.integers(1, len(scores)))
    values = []
    for subset in combinations(scores, n):
        top = max(proxy for proxy, _ in subset)
        values.append(np.mean([gold for proxy, gold in subset if proxy == top]))
    proxy, gold = zip(*scores)
    # Tied candidates share their gold over the pool, which has the same mean over all subsets.
    assert expected_best(proxy, gold, n) == pytest.approx(np.mean(values))


def test_best_of_n_curve_shows_over_optimization_and_ceiling() -> None:
    generator = np.random.default_rng(0)
    true = generator.normal(size=(300, 16))
    good = best_of_n_curve(list(true + generator.normal(size=(300, 16))), list(true))
    assert [point.n for point in good.points] == [1, 2, 4, 8, 16]
    values = [point.gold.value or 0 for point in good.points]
    assert values == sorted(values)
    assert values[-1] < (good.ceiling.value or 0)
    assert good.ceiling.value == pytest.approx(true.max(axis=1).mean())
    assert good.peak == 16
    assert good.after_peak.difference.value == 0
    bad = best_of_n_curve(list(-true), list(true))
    assert bad.peak == 1
    assert bad.after_peak.difference.high is not None
    assert bad.after_peak.difference.high < 0


def test_best_of_n_curve_counts_small_pools() -> None:
    curve = best_of_n_curve([[1, 2, 3], [1]], [[1, 2, 3], [5]], ns=[1, 3])
    assert (curve.points[0].gold.n, curve.points[0].gold.missing) == (2, 0)
    assert (curve.points[1].gold.value, curve.points[1].gold.n, curve.points[1].gold.missing) == (3, 1, 1)
    with pytest.raises(ValueError, match="document 1"):
        best_of_n_curve([[1.0], [NAN]], [[1.0], [1.0]])
    with pytest.raises(ValueError, match="no candidates"):
        best_of_n_curve([], [])


# Agreement


def test_kappa_and_alpha_golden() -> None:
    # Cohen's kappa of [[20, 5], [10, 15]]: (0.7 − 0.5)/(1 − 0.5).
    a = [1] * 25 + [0] * 25
    b = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert cohen_kappa(a, b) == pytest.approx(0.4)
    assert cohen_kappa([1, 1], [1, 1]) is None
    # Krippendorff 2011, section E: four observers, twelve units.
    four = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
    assert krippendorff_alpha(four, "nominal") == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(four, "ordinal") == pytest.approx(0.815, abs=5e-4)
    assert krippendorff_alpha(four, "interval") == pytest.approx(0.849, abs=5e-4)
    assert krippendorff_alpha([[1, 1], [1, 1]]) is None


JUDGES = {name: JudgeInfo(name) for name in ("x", "y", "z")}


def test_votes_come_from_every_kind_of_judgement() -> None:
    x, y, z = JUDGES.values()
    votes = pair_votes(
        [
            Comparison(x, "d", "c1", "c2", "a"),
            Comparison(x, "d", "c2", "c1", "b"),  # the same answer, the other way round
            Comparison(x, "d", "c1", "c3", "a"),
            Comparison(x, "d", "c3", "c1", "a"),  # a contradiction is a tie
            Ranking(y, "d", (("c2",), ("c1", "c3"))),
            Score(z, "d", "c1", 1.0, "s"),
            Score(z, "d", "c2", 3.0, "s"),
            Score(z, "d", "c2", 1.0, "s", repeat=1),
            Rating(z, "d", "c3", "coherence", 7),  # another axis
            Failure(z, "d", ("c3",), "silent"),
        ]
    )
    assert votes.votes["x"] == {("d", "c1", "c2"): -1, ("d", "c1", "c3"): 0}
    assert votes.votes["y"] == {("d", "c1", "c2"): 1, ("d", "c2", "c3"): -1, ("d", "c1", "c3"): 0}
    assert votes.votes["z"] == {("d", "c1", "c2"): 1}
    assert votes.failures == {"z": 1}


def test_agreement_and_ties_by_hand() -> None:
    items = [(f"d{n}", "c1", "c2") for n in range(5)]
    votes = {
        "x": dict(zip(items, [1, 1, -1, 0, 0])),
        "y": dict(zip(items, [1, -1, -1, 1, 0])),
        "z": {items[0]: 1},
    }
    excluded = agreement_matrix(votes)[0]
    assert (excluded.agreement.value, excluded.items, excluded.ties) == (pytest.approx(2 / 3), 5, 2)
    assert agreement_matrix(votes, ties="half")[0].agreement.value == pytest.approx((1 + 0 + 1 + 0.5 + 1) / 5)
    assert agreement_matrix(votes, ties="match")[0].agreement.value == pytest.approx(3 / 5)
    apart = agreement_matrix({"x": votes["x"], "z": {("other", "c1", "c2"): 1}})[0]
    assert (apart.agreement.value, apart.agreement.why) == (None, "no pair was judged by both")


def test_correlation_by_group() -> None:
    assert correlation([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)
    assert correlation([1, 2, 3], [1, 3, 2], "kendall") == pytest.approx(1 / 3)
    assert correlation([1, 1, 1], [1, 2, 3]) is None
    # Within each document perfectly right, across documents perfectly wrong: only the first is measured.
    x, y, groups = [1, 2, 11, 12], [11, 12, 1, 2], ["a", "a", "b", "b"]
    found = correlation_by_group([*x, 5], [*y, 5], [*groups, "c"])
    assert (found.value, found.n, found.missing) == (pytest.approx(1), 2, 1)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_alpha_does_not_depend_on_who_is_who(order: tuple[int, ...]) -> None:
    ratings = np.array([[1, 2, NAN, 3], [1, 3, 3, 3], [2, 2, 3, NAN]])
    assert krippendorff_alpha(ratings[list(order)], "ordinal") == krippendorff_alpha(ratings, "ordinal")
