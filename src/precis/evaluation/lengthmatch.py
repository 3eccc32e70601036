"""Summaries as long as the target's: a search for the length penalty of beam search (Liu et al. 2023, §1: their
systems are compared at the reference's length, with penalties from 0 to 0.8 found by hand).

A larger penalty makes beam search write more, but not evenly: lengths come in whole tokens, and another beam may win.
So the search keeps everything that it tried and returns what came nearest; and where the first step leads away from the
target, it searches on the other side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import UserError

WITHIN = 0.02


@dataclass(frozen=True)
class LengthMatch:
    """The penalty whose mean length came nearest to `target`, and all `tried` (penalty, length), in their order.

    `matched` says whether it is within the share asked for; where it is not, a comparison at unequal lengths follows,
    and a report must say so.
    """

    penalty: float
    length: float
    target: float
    matched: bool
    tried: tuple[tuple[float, float], ...]

    @property
    def ratio(self) -> float:
        return self.length / self.target


def match_length(
    length_at: Callable[[float], float],
    target: float,
    *,
    within: float = WITHIN,
    low: float = -2.0,
    high: float = 4.0,
    tries: int = 8,
) -> LengthMatch:
    """The length penalty at which `length_at` is within a share of `target`, by bisection between `low` and `high`.

    `length_at` writes summaries at a penalty and returns their mean length, in any unit that is also the target's; it
    is called at most `tries` times, first in the middle, at 1 by default. Raises `UserError` for a target of 0.
    """
    if not target > 0:
        raise UserError(f"summaries cannot be matched to a mean length of {target:g}")
    tried: list[tuple[float, float]] = []
    for turn in range(max(1, tries)):
        middle = (low + high) / 2
        length = length_at(middle)
        tried.append((middle, length))
        if abs(length / target - 1) <= within:
            break
        first, before = tried[0]
        if turn == 1 and (length - before) * (target - before) < 0:
            low, high = (2 * first - high, first) if middle > first else (first, 2 * first - low)
        else:
            low, high = (middle, high) if length < target else (low, middle)
    penalty, length = min(tried, key=lambda pair: abs(pair[1] / target - 1))
    return LengthMatch(penalty, length, target, abs(length / target - 1) <= within, tuple(tried))
