"""What reading a judge's answer gives: an order, a decision, or the reason why there is neither."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Decision = Literal["1", "2", "tie"]
Tiers = tuple[tuple[int, ...], ...]


class Reason(StrEnum):
    """Why an answer gave no verdict: few and fixed sentences, so that they can be counted."""

    NO_VERDICT = "the answer has no line with its verdict"
    NO_LIST = "what the answer ranks is not a list of the summaries' numbers"
    MISSING = "the ranking leaves out a summary"
    TWICE = "the ranking names a summary twice"
    UNKNOWN = "the ranking names a number that no summary has"
    NO_DECISION = "what the answer decides is not 1, 2 or tie"
    CUT = "the answer was cut off by max_tokens before its verdict"


@dataclass(frozen=True)
class Order:
    """Summaries' numbers (from 1) in tiers, best first; numbers in one tier are tied."""

    tiers: Tiers


@dataclass(frozen=True)
class Unreadable:
    """No verdict: the `reason`, and in `detail` the numbers or words it is about."""

    reason: Reason
    detail: str = ""
