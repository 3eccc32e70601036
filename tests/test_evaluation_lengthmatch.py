"""The search for the length penalty at which summaries are as long as the target's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precis.errors import UserError
from precis.evaluation.lengthmatch import match_length


def test_lengths_in_steps_are_matched_by_bisection() -> None:
    """Ten words more for each whole unit of penalty above 0: 1, then 2.5, then 3.25 is near enough to 60."""
    match = match_length(lambda penalty: 30 + 10 * max(0, int(penalty)), 60)
    assert match.tried == ((1.0, 40.0), (2.5, 50.0), (3.25, 60.0))
    assert match.matched and match.penalty == 3.25 and match.ratio == 1


def test_what_cannot_be_reached_is_said_and_the_nearest_kept() -> None:
    match = match_length(lambda penalty: 20 + penalty, 40, tries=5)
    assert not match.matched and len(match.tried) == 5
    assert match.penalty == max(penalty for penalty, _ in match.tried)
    assert match.ratio == pytest.approx((20 + match.penalty) / 40)


def test_a_target_of_no_words_is_a_mistake() -> None:
    with pytest.raises(UserError, match="mean length of 0"):
        match_length(lambda penalty: 1.0, 0)


@given(st.floats(10, 80), st.floats(1, 15), st.floats(-1.9, 3.9))
def test_a_length_that_grows_evenly_is_always_matched(start: float, slope: float, at: float) -> None:
    target = start + slope * (at + 2)
    match = match_length(lambda penalty: start + slope * (penalty + 2), target, tries=12)
    assert match.matched and abs(match.length / target - 1) <= 0.02


def test_when_nothing_is_even_the_nearest_of_all_tried_is_kept() -> None:
    """Another beam can win: a larger penalty may write less."""
    lengths = {1.0: 49.0, 2.5: 70.0, 1.75: 30.0, 2.125: 80.0}
    match = match_length(lambda penalty: lengths.get(penalty, 20.0), 51.0, tries=4)
    assert match.penalty == 1.0 and not match.matched


def test_a_length_that_falls_where_it_should_grow_is_looked_for_on_the_other_side() -> None:
    """18 words at a penalty of 1, fewer above, and 20 to 23 below, where the target is."""
    match = match_length(lambda penalty: 18 - penalty if penalty > 1 else 18 if penalty == 1 else 21 + penalty, 20)
    assert match.matched and match.penalty < 1 and [penalty for penalty, _ in match.tried[:3]] == [1.0, 2.5, -0.5]
    match = match_length(lambda penalty: 22 + (1 - penalty) if penalty < 1 else 22 if penalty == 1 else 18.0, 20)
    assert [penalty for penalty, _ in match.tried[:3]] == [1.0, -0.5, 2.5]
