"""Estimates in sentences, and names short enough for them."""

from __future__ import annotations

from collections.abc import Collection

from ..evaluation.statistics import Difference, Estimate
from .contents import Column, number

_PERCENT = Column("", scale=100)


def percent(estimate: Estimate) -> str:
    """ "78.6% [70.2, 86.1]", or why there is no number."""
    if estimate.value is None:
        return f"not estimable ({estimate.why})"
    value = f"{number(estimate.value, _PERCENT)}%"
    if estimate.low is None or estimate.high is None:
        return f"{value} (no interval: {estimate.why})"
    return f"{value} [{number(estimate.low, _PERCENT)}, {number(estimate.high, _PERCENT)}]"


def points(difference: Difference | Estimate) -> str:
    """ "+3.1 points [−0.4, 6.6]": a difference of two shares."""
    found = difference.difference if isinstance(difference, Difference) else difference
    if found.value is None:
        return f"not estimable ({found.why})"
    text = change(found.value)
    if found.low is None or found.high is None:
        return f"{text} (no interval: {found.why})"
    return f"{text} [{number(found.low, _PERCENT)}, {number(found.high, _PERCENT)}]"


def change(share: float) -> str:
    """ "+3.1 points", without an interval."""
    value = number(share, _PERCENT)
    return f"{value if value.startswith('−') else '+' + value} points"


def plain_number(estimate: Estimate, digits: int = 2) -> str:
    """ "1.25 [0.90, 1.61]"."""
    column = Column("", digits=digits)
    if estimate.value is None:
        return f"not estimable ({estimate.why})"
    if estimate.low is None or estimate.high is None:
        return f"{number(estimate.value, column)} (no interval: {estimate.why})"
    return f"{number(estimate.value, column)} [{number(estimate.low, column)}, {number(estimate.high, column)}]"


def count(n: int, what: str) -> str:
    """ "1 pair", "2,000 pairs"."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def short_names(labels: Collection[str], width: int = 8) -> dict[str, str]:
    """People's names without "person:", a long id cut where that leaves it unlike all others."""
    bare = {label: label.removeprefix("person:") for label in labels}
    cut = {label: name if len(name) <= width + 4 else name[:width] + "…" for label, name in bare.items()}
    return {
        label: cut[label] if label.startswith("person:") and list(cut.values()).count(cut[label]) == 1 else bare[label]
        for label in labels
    }
