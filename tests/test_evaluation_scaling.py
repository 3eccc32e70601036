"""Scaling fits: slopes by hand, intervals that cover the truth, and what cannot be fitted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from precis.errors import BadInput, UserError
from precis.evaluation.optimization.scaling import TrainingRun, fit_scaling, read_training_runs, sampling_noise

SIZES = [(parameters, pairs) for parameters in (160e6, 1.3e9, 13e9) for pairs in (8e3, 16e3, 64e3)]


def runs(noise: float, seed: int = 0, seeds: int = 2) -> list[TrainingRun]:
    """The paper's slopes, with noise."""
    rng = np.random.default_rng(seed)
    return [
        TrainingRun(0.6 + 0.018 * np.log2(p / 160e6) + 0.011 * np.log2(d / 8e3) + rng.normal(0, noise), p, d, str(s))
        for p, d in SIZES
        for s in range(seeds)
    ]


def test_the_papers_slopes_are_recovered() -> None:
    fit = fit_scaling(runs(0.0))
    assert [slope.axis for slope in fit.slopes] == ["pairs", "parameters"]
    assert [slope.per_doubling.value for slope in fit.slopes] == pytest.approx([0.011, 0.018])
    assert fit.r2 == pytest.approx(1)
    assert fit.predict(160e6, 8e3) == pytest.approx(0.6)


def test_one_axis_by_hand_equals_simple_regression() -> None:
    accuracy = [0.60, 0.62, 0.61, 0.65]
    own = [TrainingRun(a, 1e9, pairs) for a, pairs in zip(accuracy, (8e3, 16e3, 32e3, 64e3))]
    fit = fit_scaling(own)
    # x = 0 … 3, mean 1.5: Σ(x − 1.5)(y − ȳ) / Σ(x − 1.5)² = 0.07 / 5.
    data, model = fit.slopes
    assert data.per_doubling.value == pytest.approx(0.014)
    known = stats.linregress([0, 1, 2, 3], accuracy)
    reach = stats.t.ppf(0.975, 2) * known.stderr
    assert data.per_doubling.low == pytest.approx(0.014 - reach)
    assert fit.r2 == pytest.approx(known.rvalue**2)
    assert model.per_doubling.value is None
    assert model.per_doubling.why == "every run has 1,000,000,000 parameters"


def test_intervals_cover_the_truth() -> None:
    fits = [fit_scaling(runs(0.01, seed=seed)).slopes for seed in range(200)]
    for place, truth in enumerate((0.011, 0.018)):
        ends = [(slopes[place].per_doubling.low or 0, slopes[place].per_doubling.high or 0) for slopes in fits]
        assert 0.90 <= np.mean([low <= truth <= high for low, high in ends]) <= 0.99


def test_too_few_sizes_are_said() -> None:
    with pytest.raises(UserError, match=r"at least two sizes: every run has 8,000 pairs; no run says its parameters"):
        fit_scaling([TrainingRun(0.6, None, 8e3, "1"), TrainingRun(0.61, None, 8e3, "2")])
    two = fit_scaling([TrainingRun(0.6, None, 8e3), TrainingRun(0.62, None, 16e3)])
    assert two.slopes[0].per_doubling.value == pytest.approx(0.02)
    assert "another run is needed" in two.slopes[0].per_doubling.why
    assert two.slopes[0].note.startswith("two sizes: a line fits them")
    with pytest.raises(UserError, match="1 of 3 runs do not say their 'pairs'"):
        fit_scaling([TrainingRun(0.6, 1e9, 8e3), TrainingRun(0.6, 2e9, 16e3), TrainingRun(0.6, 2e9)])


def test_sizes_that_grow_together_cannot_be_told_apart() -> None:
    fit = fit_scaling([TrainingRun(0.6 + 0.01 * k, 1e9 * 2**k, 8e3 * 2**k) for k in range(4)])
    assert all("cannot be told apart" in slope.per_doubling.why for slope in fit.slopes)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"accuracy": 62.8, "pairs": 8000}, "write 62.8% as 0.628"),
        ({"accuracy": 0.6}, "expected the model's size, the number of training pairs, or both"),
        ({"accuracy": 0.6, "pairs": 0}, "field 'pairs': expected a number above 0"),
        ({"pairs": 8000}, "field 'accuracy': expected a number, found nothing"),
        ({"accuracy": 0.6, "pairs": 8000, "n": 0}, "field 'n': expected a number from 1"),
    ],
)
def test_a_wrong_row_is_one_sentence(tmp_path: Path, row: dict[str, float], said: str) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(BadInput) as error:
        read_training_runs([path])
    assert said in str(error.value) and "line 1" in str(error.value)


def test_noise_of_the_held_out_pairs_by_hand() -> None:
    assert sampling_noise([TrainingRun(0.5, 1e9, None, n=100), TrainingRun(0.6, 2e9)]) == pytest.approx(0.05)
    assert sampling_noise([TrainingRun(0.6, 2e9)]) is None
