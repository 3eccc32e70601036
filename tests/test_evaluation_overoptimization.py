"""Over-optimization: curves, turning points, fitted forms, the stopping rule and collapsed seeds, by known truths."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from precis.errors import BadInput, UserError
from precis.evaluation.optimization.bestofn import best_of_n_curve, best_of_n_kl
from precis.evaluation.optimization.collapse import SeedRun, curve_seeds, seed_states
from precis.evaluation.optimization.earlystopping import (
    Checkpoint,
    StoppingRule,
    decide,
    ensemble_score,
    noise_of,
    stopping_point,
)
from precis.evaluation.optimization.frontier import Observation, parse, read_observations, studies
from precis.evaluation.optimization.goldforms import fit_gold
from precis.evaluation.optimization.overoptimization import measure
from precis.evaluation.optimization.replay import replay_rule


def rl(kl: float, gold: float, beta: float, document: str = "", **more: object) -> Observation:
    return Observation("ppo", kl, gold, gold, beta=beta, document=document, **more)  # type: ignore[arg-type]


def noisy(means: list[float], *, documents: int = 300, noise: float = 0.5, seed: int = 0) -> list[Observation]:
    """One row a document and β, KL 0, 1, 4, 9 …; the documents' own level is shared by all points."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0, 1, documents)
    return [
        rl(float(s**2) + rng.normal(0, 0.3), mean + level[d] + rng.normal(0, noise), 1 / (s + 1), f"d{d}")
        for s, mean in enumerate(means)
        for d in range(documents)
    ]


# Rows and curves


def test_rows_become_points_by_document_and_seed() -> None:
    rows = [
        Observation("start", 0.0, 0.4, document="p"),
        rl(3.0, 0.5, 0.1, "p", seed="1"),
        rl(5.0, 0.7, 0.1, "p", seed="2"),
        rl(4.0, 0.2, 0.1, "q", seed="1"),
        rl(9.0, 0.3, 0.05, "p", seed="1"),
    ]
    (study,) = studies(rows)
    assert (study.title, study.over, study.labels) == ("ppo over β", "β", ("start", "β 0.1", "β 0.05"))
    curve = measure(study, resamples=200)
    start, weak, strong = curve.points
    assert start.gold.value == 0.4 and start.gold.missing == 1
    assert weak.gold.value == pytest.approx((0.6 + 0.2) / 2)  # seeds first, then documents
    assert weak.kl.value == pytest.approx((4.0 + 4.0) / 2)
    assert [(own.seed, own.gold) for own in weak.seeds] == [("1", pytest.approx(0.35)), ("2", 0.7)]
    assert strong.gold.value == 0.3 and strong.gold.why == "one document"


def test_only_the_last_step_of_each_run_counts_over_beta() -> None:
    rows = [
        rl(kl, gold, beta, "p", run=run, step=step)
        for run, beta, step, kl, gold in [
            ("a", 0.1, 1, 1.0, 0.1), ("a", 0.1, 2, 2.0, 0.2), ("b", 0.05, 1, 3.0, 0.3), ("b", 0.05, 2, 4.0, 0.4),
        ]
    ]  # fmt: skip
    over_beta, first, second = studies(rows)
    assert over_beta.values_DS3[0, :, 2].tolist() == [0.2, 0.4]
    assert (first.title, first.labels) == ("ppo, a, β 0.1, seed 0", ("step 1", "step 2"))
    assert second.over == "step"


def test_a_pool_gives_the_unbiased_best_of_n_curve() -> None:
    rng = np.random.default_rng(0)
    proxy, gold = rng.normal(size=(5, 8)), rng.normal(size=(5, 8))
    rows = [
        Observation("best-of-n", 0.0, gold[d, k], proxy[d, k], document=f"d{d}") for d in range(5) for k in range(8)
    ]
    (study,) = studies([*rows, Observation("best-of-n", 0.0, None, 1.0, document="d0")])
    curve, expected = measure(study, resamples=100), best_of_n_curve(list(proxy), list(gold), resamples=100)
    assert study.labels == ("n 1", "n 2", "n 4", "n 8") and curve.dropped == 1
    for point, known in zip(curve.points, expected.points):
        assert point.kl.value == pytest.approx(known.kl)
        for own, other in ((point.gold, known.gold), (point.proxy, known.proxy)):
            assert (own.value, own.low, own.high) == pytest.approx((other.value, other.low, other.high))


def test_runs_of_one_n_each_make_one_curve() -> None:
    rows = [Observation("best-of-n", best_of_n_kl(n), 0.1 * n, run=f"bo{n}", n=n) for n in (1, 8, 64)]
    (study,) = studies(rows)
    curve = measure(study)
    assert [round(point.kl.value or 0, 2) for point in curve.points] == [0.0, 1.2, 3.17]
    assert curve.points[0].gold.why == "the rows name no document"
    assert curve.turn is not None and curve.turn.peak == 2 and curve.turn.fall.value is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"method": "ppo", "gold": 1, "beta": 0.1}, "field 'kl': expected a number, found nothing"),
        ({"method": "ppo", "gold": 1, "kl": "3"}, "field 'kl': expected a number, found '3'"),
        ({"method": "ppo", "kl": 3}, "field 'gold': expected a score"),
        ({"method": "ppo", "kl": 3, "gold": True}, "field 'gold': expected a number"),
        ({"method": "best-of-n", "n": 0, "gold": 1}, "field 'n': expected a number from 1"),
        ({"method": "best-of-n", "n": 1.5, "gold": 1}, "field 'n': expected a whole number"),
        ({"gold": 1, "kl": 3}, "field 'method': no such field"),
    ],
)
def test_a_wrong_row_is_one_sentence_with_its_place(tmp_path: Path, row: dict[str, object], said: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"method": "start", "gold": 0.5}) + "\n" + json.dumps(row))
    with pytest.raises(BadInput) as error:
        read_observations([path])
    assert f"{path}, line 2, {said}" in str(error.value)


def test_what_is_no_curve_is_refused() -> None:
    with pytest.raises(UserError, match="no method has two points"):
        studies([rl(1.0, 0.5, 0.1)])
    with pytest.raises(UserError, match="some rows have 'n' and some have not"):
        studies([Observation("best-of-n", 0, 1, 1, n=2), Observation("best-of-n", 0, 1, 1)])
    with pytest.raises(UserError, match="ppo a: some rows have 'step' and some have not"):
        studies([rl(1.0, 0.5, 0.1, run="a", step=1), rl(1.0, 0.5, 0.1, run="a")])
    assert parse({"method": "Best-of-N", "n": 64, "gold": 1}).kl == pytest.approx(3.17, abs=5e-3)


# Turning points


def test_a_turn_is_found_with_its_interval() -> None:
    (study,) = studies(noisy([0.0, 0.5, 0.8, 0.7, 0.2]))
    curve = measure(study, resamples=1000)
    assert curve.turn is not None
    assert curve.turn.peak == 2 and curve.turn.is_turned
    assert curve.turn.kl.low is not None and curve.turn.kl.high is not None
    assert 3.5 < curve.turn.kl.low <= (curve.turn.kl.value or 0) <= curve.turn.kl.high < 9.5
    assert sum(curve.turn.shares) == pytest.approx(1) and curve.turn.shares[2] > 0.9
    assert curve.turn.fall.value == pytest.approx(-0.6, abs=0.15)


def test_a_rising_curve_does_not_turn() -> None:
    curve = measure(studies(noisy([0.0, 0.2, 0.4, 0.6]))[0], resamples=500)
    assert curve.turn is not None and curve.turn.peak == 3 and not curve.turn.is_turned


def test_a_flat_curve_is_seldom_said_to_fall() -> None:
    """Comparing the last point with the highest of ten on the same documents would say so most of the time."""
    turned = [measure(studies(noisy([0.0] * 10, documents=60, seed=s))[0], resamples=300) for s in range(40)]
    assert sum(curve.turn is not None and curve.turn.is_turned for curve in turned) <= 4


def test_kl_below_zero_is_shown_as_it_is() -> None:
    rows = [rl(kl, gold, beta, f"d{d}") for beta, kl, gold in
            [(1.0, -0.04, 0.1), (0.5, 0.5, 0.3), (0.2, 2.0, 0.5), (0.1, 4.0, 0.6)] for d in range(3)]  # fmt: skip
    curve = measure(studies(rows)[0], resamples=50)
    assert curve.points[0].kl.value == pytest.approx(-0.04)
    assert curve.negative_kl == ("β 1",) and curve.fit.clipped == 1


# Forms


def test_the_best_of_n_form_is_recovered() -> None:
    d = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
    fit = fit_gold(d**2, 0.2 + d * (1 - 0.25 * d), "best-of-n", resampled=None, n=7)
    values = [
        own.value
        for own in (
            fit.start,
            fit.alpha,
            fit.beta,
            fit.peak_kl,
            fit.peak_gold,
        )
    ]
    assert values == pytest.approx([0.2, 1.0, 0.25, 4.0, 1.2])
    assert fit.r2 == pytest.approx(1) and not fit.extrapolated
    at = fit.gold_at(np.array([4.0]))
    assert at is not None and at[0] == pytest.approx(1.2)


def test_the_reinforcement_learning_form_is_recovered() -> None:
    d = np.array([0.0, 0.3, 1.0, 1.7, 2.4])
    with np.errstate(divide="ignore", invalid="ignore"):
        gold = 0.1 + np.where(d > 0, d * (2 - np.log(d)), 0.0)
    fit = fit_gold(d**2, gold, "rl", resampled=None, n=5)
    values = [own.value for own in (fit.start, fit.alpha, fit.beta, fit.peak_kl, fit.peak_gold)]
    assert values == pytest.approx([0.1, 2.0, 1.0, math.e**2, 0.1 + math.e])
    assert fit.extrapolated  # e² = 7.4 lies beyond 2.4² = 5.8


def test_what_cannot_be_fitted_says_why() -> None:
    few = fit_gold(np.array([0.0, 1.0, 1.0, 4.0]), np.zeros(4), "rl", resampled=None, n=9)
    assert few.alpha.value is None and "3 points with different KL are too few" in few.alpha.why
    d = np.array([0.0, 1.0, 2.0, 3.0])
    rising = fit_gold(d**2, d * (1 + 0.1 * d), "best-of-n", resampled=None, n=9)
    assert rising.beta.value == pytest.approx(-0.1)
    assert rising.peak_kl.value is None and "no peak" in rising.peak_kl.why


def test_intervals_of_the_form_cover_the_truth() -> None:
    """Gold = d(1 − 0.25 d) with d = 0 … 4 and noise: the 95% interval of the peak's KL holds 4 most of the time."""
    held = 0
    for seed in range(40):
        (study,) = studies(noisy([d * (1 - 0.25 * d) for d in range(5)], documents=100, seed=seed))
        peak = measure(replace(study, method="best-of-n"), resamples=300).fit.peak_kl
        held += peak.low is not None and peak.high is not None and peak.low <= 4 <= peak.high
    assert held >= 35


# Stopping


def simulated(form: str, peak: float, count: int, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """KL and true gold at checkpoints evenly spaced in d, gold 0 at the start and 1 at its peak."""
    d = np.linspace(0, reach * peak, count)
    if form == "best-of-n":
        return d**2, d * (2 / peak - d / peak**2)
    return d**2, d * (1 + math.log(peak) - np.log(np.where(d > 0, d, 1.0))) / peak


@pytest.mark.parametrize("noise", [0.02, 0.05, 0.1])
def test_the_rule_lands_within_a_tenth_of_the_peak(noise: float) -> None:
    shares = []
    for form, count, reach, seed in product(("best-of-n", "rl"), (15, 30), (1.5, 2.5, 4.0), range(20)):
        kl, gold = simulated(form, 3.0, count, reach)
        seen = gold + noise * np.random.default_rng(seed).normal(size=count)
        path = [Checkpoint(*own) for own in zip(kl, np.sqrt(kl), seen)]
        _, decision = stopping_point(path)
        shares.append(gold[decision.keep] / gold.max())
    assert np.mean(np.array(shares) >= 0.9) >= 0.99, min(shares)


def test_the_rule_stops_after_the_turn_and_never_needs_the_future() -> None:
    kl, gold = simulated("rl", 3.0, 60, 4.0)
    seen = gold + 0.03 * np.random.default_rng(1).normal(size=60)
    path = [Checkpoint(*own) for own in zip(kl, np.sqrt(kl), seen)]
    at, decision = stopping_point(path)
    assert decision.stop and 15 < at < 40  # the peak is the fifteenth
    assert "the proxy still rises: it is over-optimized" in decision.why
    assert decide(path[: at + 1]) == decision and not decide(path[:at]).stop
    broken = [*path[: at + 1], *(Checkpoint(math.nan, 0.0, 9e9) for _ in range(5))]
    assert stopping_point(broken) == (at, decision)


def test_the_rule_lets_a_good_run_go_on() -> None:
    stopped = [0, 0]
    for seed in range(50):
        noise = np.random.default_rng(seed).normal(size=40)
        for place, held in enumerate((np.sqrt(np.arange(40)) + 0.3 * noise, noise)):
            path = [Checkpoint(float(k), float(k), value) for k, value in enumerate(held)]
            stopped[place] += stopping_point(path)[1].stop
    assert stopped[0] == 0  # a rising score
    assert stopped[1] <= 2  # nothing but noise


def test_the_rule_says_what_went_wrong() -> None:
    falling = [Checkpoint(float(k), -float(k), -float(k)) for k in range(12)]
    found = stopping_point(falling)[1]
    assert found.stop and found.keep == 2 and "the proxy falls too: training breaks down" in found.why
    assert decide([Checkpoint(1.0, 1.0, 1.0), Checkpoint(math.nan, 1.0, 1.0)]).why.startswith("the last checkpoint has")
    unknown = [Checkpoint(float(k), math.nan, -float(k)) for k in range(12)]
    assert stopping_point(unknown)[1].why.endswith("the proxy's score is not known")
    assert "over the limit" in decide([Checkpoint(60.0, 1.0, 1.0)], StoppingRule(kl_limit=50)).why
    assert "too few" in decide([Checkpoint(1.0, 1.0, 1.0)]).why
    with pytest.raises(ValueError, match="no checkpoint"):
        decide([])


def test_noise_and_ensembles_by_hand() -> None:
    assert noise_of(np.array([1.0, 2.0, 3.0, 4.0])) == 0  # a trend is no noise
    assert noise_of(np.array([0.0, 1.0, 0.0])) == pytest.approx(math.sqrt(4 / 6))
    # Documents: means 2 and 1, standard deviations √2 and 0.
    assert ensemble_score([[1.0, 1.0], [3.0, 1.0]]) == pytest.approx((2 - math.sqrt(2) + 1) / 2)
    with pytest.raises(ValueError, match="two models"):
        ensemble_score([[1.0]])


def test_a_run_is_replayed_on_documents_that_the_rule_did_not_see() -> None:
    kl, gold = simulated("rl", 3.0, 30, 3.5)
    rng = np.random.default_rng(0)
    rows = [
        rl(float(kl[s]), gold[s] + rng.normal(0, 0.2), 0.05, f"d{d}", run="a", step=s)
        for s in range(30)
        for d in range(80)
    ]
    (study,) = studies(rows)
    found = replay_rule(study)
    assert found is not None and found.stop and found.share is not None
    assert 0.9 < found.share <= 1
    assert replay_rule(studies(rows[: 9 * 80])[0]) is None


# Seeds


def test_the_collapsed_seeds_of_n_plus_are_flagged() -> None:
    """Huang et al. 2024, 1B: win rates .62 .54 .22 .20; the lower half lies at a KL of 50 to 85."""
    runs = [SeedRun("1", 0.62, 16), SeedRun("2", 0.54, 21), SeedRun("3", 0.22, 50), SeedRun("4", 0.20, 85)]
    assert [own.state for own in seed_states(runs)] == ["sound", "sound", "collapsed", "collapsed"]
    assert [own.state for own in seed_states(runs, start=0.33)] == ["sound", "sound", "collapsed", "collapsed"]
    drifted = [SeedRun(run.seed, run.score, kl) for run, kl in zip(runs, (60, 70, 80, 45))]
    assert [own.state for own in seed_states(drifted)] == ["sound", "sound", "collapsed", "weak"]
    unknown = [SeedRun(run.seed, run.score) for run in runs]
    found = seed_states(unknown)
    assert [own.state for own in found] == ["sound", "sound", "collapsed", "collapsed"]
    assert found[2].why == "0.22 is 0.4 below the best seed; its KL is not known"
    healthy = [SeedRun(str(s), score, 18.0) for s, score in enumerate((0.71, 0.75, 0.73, 0.72))]
    assert {own.state for own in seed_states(healthy)} == {"sound"}


def test_low_and_near_is_weak_and_low_by_chance_is_sound() -> None:
    weak = seed_states([SeedRun("1", 0.6, 15), SeedRun("2", 0.35, 3)])
    assert [own.state for own in weak] == ["sound", "weak"]
    # 20 documents: 0.6 and 0.4 differ by 1.3 standard errors; 2,000: by 13.
    for n, state in ((20, "sound"), (2000, "collapsed")):
        assert seed_states([SeedRun("1", 0.6, 15, n), SeedRun("2", 0.4, 70, n)])[1].state == state
    all_low = seed_states([SeedRun("1", 0.2, 60), SeedRun("2", 0.2, 30)], start=0.33)
    assert [own.state for own in all_low] == ["collapsed", "weak"]
    assert seed_states([]) == []


def test_seeds_of_a_curve_on_another_scale_need_the_start() -> None:
    rows = [
        rl(kl, gold, beta, f"d{d}", seed=seed)
        for beta, seed, kl, gold in
        [(0.1, "1", 5.0, 3.0), (0.1, "2", 6.0, 3.1), (0.05, "1", 9.0, 4.0), (0.05, "2", 60.0, 2.0)]
        for d in range(4)
    ]  # fmt: skip
    assert curve_seeds(measure(studies(rows)[0], resamples=50)) == {}
    start = [Observation("start", 0.0, 2.0, 2.0, document=f"d{d}") for d in range(4)]
    found = curve_seeds(measure(studies([*start, *rows])[0], resamples=50))
    assert [own.state for own in found["β 0.05"]] == ["sound", "collapsed"]
    assert [own.state for own in found["β 0.1"]] == ["sound", "sound"]


def test_no_seed_is_weak_where_nothing_was_trained() -> None:
    """Best of 1 is the policy that all began with: its seeds differ by what they happened to sample."""
    rows = [
        Observation("best-of-n", 0.0, gold + (0.1 if seed == "2" else 0.0), float(k), seed=seed, document=f"d{d}")
        for seed in ("1", "2")
        for d in range(4)
        for k, gold in enumerate((2.0, 3.0, 4.0, 5.0))
    ]
    found = curve_seeds(measure(studies(rows)[0], resamples=50))
    assert set(found) == {"n 2", "n 4"}
    assert {own.state for states in found.values() for own in states} == {"sound"}
