"""Reward-model accuracy beside its baselines, and calibration, on pairs whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from precis.evaluation.rewardmodel import (
    LENGTH_CLASSES,
    accuracies,
    accuracy,
    accuracy_by,
    accuracy_gains,
    calibration,
    held_out_pairs,
    length_classes,
)
from precis.records import Candidate, Comparison, Document, Group, JudgeInfo, Maker, Preference

NAN = float("nan")


def test_accuracy_by_hand() -> None:
    found = accuracy([1.0, -2.0, 0.0, NAN], ["a", "a", "b", "c"], resamples=100)
    assert (found.accuracy.value, found.accuracy.n) == (0.5, 2)
    assert (found.pairs, found.ties, found.missing) == (3, 1, 1)
    assert accuracy([NAN]).accuracy.value is None
    assert [row.name for row in accuracies({"reward": [1.0], "length": [-1.0]})] == ["reward", "length"]


def test_gain_over_a_baseline_is_paired() -> None:
    generator = np.random.default_rng(0)
    difficulty = generator.normal(size=400)
    margins = {"reward": difficulty + 1.0, "length": difficulty + 0.5, "none": np.full(400, NAN)}
    documents = [str(n) for n in range(400)]
    gains = {found.b: found for found in accuracy_gains(margins, documents, resamples=500)}
    expected = np.mean(difficulty > -1.0) - np.mean(difficulty > -0.5)
    assert gains["length"].difference.value == pytest.approx(expected)
    assert gains["length"].difference.low is not None
    assert gains["length"].difference.low > 0
    assert gains["none"].difference.value is None


def test_accuracy_by_class() -> None:
    found = accuracy_by([1.0, -1.0, 1.0, 1.0], ["sure", "unsure", "sure", None], resamples=100)
    assert [(row.name, row.accuracy.value, row.pairs) for row in found] == [("sure", 1.0, 2), ("unsure", 0.0, 1)]
    classes = length_classes([-1.0, -0.2, 0.0, 0.2, 1.0, NAN])
    assert classes[-1] is None
    assert classes[:-1] == list(LENGTH_CLASSES)
    ordered = accuracy_by([1.0, -1.0], ["b", "a"], order=["b", "c", "a"], resamples=50)
    assert [row.name for row in ordered] == ["b", "a"]


def simulated_margins(scale: float, n: int = 8000) -> np.ndarray:
    """Margins chosen − rejected of a model that multiplies the true log-odds by `scale`."""
    generator = np.random.default_rng(0)
    logit = generator.normal(0, 1.5, n)
    first_wins = generator.random(n) < expit(logit)
    return scale * np.where(first_wins, logit, -logit)


def test_calibration_of_a_calibrated_and_an_over_confident_model() -> None:
    honest, bold = (
        calibration(simulated_margins(1.0), resamples=300),
        calibration(simulated_margins(3.0), resamples=300),
    )
    assert honest.slope.value == pytest.approx(1, abs=0.08)
    assert bold.slope.value == pytest.approx(1 / 3, abs=0.03)
    assert honest.error is not None
    assert bold.error is not None
    assert honest.error < 0.02 < 0.1 < bold.error
    assert [bin.pairs for bin in honest.bins] == [800] * 10
    predicted = [bin.predicted for bin in honest.bins]
    assert predicted == sorted(predicted)
    assert all(bin.low <= bin.predicted <= bin.high for bin in honest.bins)


def test_calibration_that_cannot_be_estimated() -> None:
    assert calibration([]).slope.why == "nothing was judged"
    assert "every pair is right" in calibration([1.0, 2.0, 3.0]).slope.why
    assert "every pair is wrong" in calibration([-1.0, -2.0, -3.0]).slope.why
    assert calibration([0.0, 0.0, 0.0]).slope.why == "every margin is 0"
    assert calibration([1.0, -1.0]).slope.why == "2 documents are too few"


def test_held_out_pairs_carry_the_baselines() -> None:
    maker, judge = Maker("policy", "p"), JudgeInfo("person:1")
    document = Document("the cat sat on the mat and slept all day long")
    copied = Candidate(document.id, "the cat sat on the mat", maker)
    fresh = Candidate(document.id, "A cat slept.", maker, index=1)
    empty = Candidate(document.id, "", maker, index=2)
    group = Group(
        document,
        (copied, fresh, empty),
        references=(Candidate(document.id, "A cat slept all day.", Maker("reference", "r")),),
        judgements=(Comparison(judge, document.id, copied.id, fresh.id, "b", confidence=8),),
        preferences=(Preference(1, 0), Preference(1, 2)),
    )
    found = held_out_pairs([group, Group(document, (copied,))])
    assert found.documents_N == (document.id, document.id)
    assert found.chosen_N == (fresh, fresh)
    assert found.confidence_N == (3, None)
    assert list(found.margins["length"]) == [-3, 3]
    assert list(found.margins["copying"]) == [-1, 0]
    assert found.margins["rouge1"][0] > 0
    assert set(np.abs(found.margins["random"])) == {1.0}
    assert found.log_ratios_N[0] == pytest.approx(np.log(3 / 6))
    assert np.isnan(found.log_ratios_N[1])
    bare = held_out_pairs([Group(document, (copied, fresh), preferences=(Preference(0, 1),))])
    assert np.isnan(bare.margins["rouge1"][0])
