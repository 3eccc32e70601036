"""Krippendorff's alpha of ratings and comparisons by axis.

Run: python -m pytest tests/test_evaluation_raters.py
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis_world import panel
from precis.evaluation.judgements.agreement import Level, krippendorff_alpha
from precis.evaluation.judgements.raters import LEVELS, choice_agreement, rating_agreement
from precis.records import JudgeInfo, Rating

# Krippendorff 2011, section E: four observers, twelve units; 0 is no mark.
OBSERVED = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
)


def ratings(rows: tuple[tuple[int, ...], ...], axis: str = "overall") -> list[Rating]:
    """One document a unit."""
    return [
        Rating(JudgeInfo(f"person:{rater}"), f"d{unit}", f"c{unit}", axis, value)
        for rater, row in enumerate(rows)
        for unit, value in enumerate(row)
        if value
    ]


def test_krippendorffs_own_example() -> None:
    (found,) = rating_agreement(ratings(OBSERVED), resamples=500)
    # The paper gives three decimals.
    golden = {"nominal": 0.743, "ordinal": 0.815, "interval": 0.849}
    for level, alpha in found.alpha.items():
        assert alpha.value == pytest.approx(golden[level], abs=5e-4)
        assert alpha.low is not None and alpha.high is not None and alpha.low < alpha.value <= alpha.high <= 1
        assert alpha.n == 11
    assert (found.items, found.alone, len(found.raters)) == (11, 1, 4)
    # Of 55 pairs of marks: six pairs a unit of four marks, three a unit of three, one a unit of two.
    equal = [3, 3, 6, 6, 6, 0, 6, 3, 6, 3, 1]
    assert found.same.value == pytest.approx(sum(equal) / 55)


def by_definition(rows: NDArray[np.float64], level: Level) -> float | None:
    """Alpha from the definition, pair by pair: 1 − observed / expected disagreement."""
    units = [column[~np.isnan(column)] for column in rows.T]
    units = [unit for unit in units if len(unit) > 1]
    pool = np.concatenate(units) if units else np.zeros(0)
    if len(np.unique(pool)) < 2:
        return None

    def distance(a: float, b: float) -> float:
        if level == "nominal":
            return float(a != b)
        if level == "interval":
            return (a - b) ** 2
        low, high = min(a, b), max(a, b)
        between = np.sum((pool >= low) & (pool <= high))
        return float((between - (np.sum(pool == low) + np.sum(pool == high)) / 2) ** 2)

    observed = sum(
        distance(a, b) / (len(unit) - 1)
        for unit in units
        for i, a in enumerate(unit)
        for j, b in enumerate(unit)
        if i != j
    )
    expected = sum(distance(a, b) for i, a in enumerate(pool) for j, b in enumerate(pool) if i != j)
    return 1 - (len(pool) - 1) * float(observed) / float(expected)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 7).flatmap(
        lambda width: st.lists(
            st.lists(st.sampled_from([np.nan, 1.0, 2.0, 3.0, 5.0]), min_size=width, max_size=width),
            min_size=2,
            max_size=4,
        )
    ),
    st.sampled_from(LEVELS),
)
def test_alpha_is_its_definition(rows: list[list[float]], level: Level) -> None:
    expected = by_definition(np.array(rows), level)
    found = krippendorff_alpha(rows, level)
    if expected is None:
        assert found is None
    else:
        assert found == pytest.approx(expected, abs=1e-9)


def test_what_cannot_be_estimated_is_said() -> None:
    (alone,) = rating_agreement(ratings(((1, 2, 3), (0, 0, 0))))
    assert (alone.items, alone.alone, alone.same.value) == (0, 3, None)
    assert "two raters" in alone.alpha["ordinal"].why
    (alike,) = rating_agreement(ratings(((4, 4), (4, 4))))
    assert alike.alpha["nominal"].value is None and "every mark is the same" in alike.alpha["nominal"].why
    assert alike.same.value == 1
    (lone,) = rating_agreement(ratings(((1,), (2,), (2,))))
    assert lone.alpha["interval"].why == "one document"
    assert [one.axis for one in rating_agreement([*ratings(((1,), (2,))), *ratings(((1,), (2,)), "style")])] == [
        "overall",
        "style",
    ]


def test_comparisons_are_nominal() -> None:
    found = choice_agreement(panel(["++", "--", "+-", "+ "]), resamples=200)
    assert found is not None
    assert (found.items, found.alone, found.axis) == (3, 1, "comparisons")
    assert found.same.value == pytest.approx(2 / 3)
    expected = by_definition(np.array([[1.0, -1, 1], [1, -1, -1]]), "nominal")
    assert found.alpha.keys() == {"nominal"} and found.alpha["nominal"].value == pytest.approx(expected)
    assert choice_agreement([]) is None
