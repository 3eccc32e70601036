"""Collapse guards: small pure objects that read metrics and say when a training has gone wrong, and why.

A guard is plain data and its memory is a plain dict, so that a resumed run remembers what it had seen.

>>> guard = Guard("entropy", low=0.5, patience=2)
>>> memory, reason = guard.look({}, {"entropy": 0.1})
>>> guard.look(memory, {"entropy": 0.1})[1]
'entropy 0.1 is below 0.5 (2 times in a row)'
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Memory = Mapping[str, Any]


@dataclass(frozen=True)
class Guard:
    """Trips when `metric` is out of bounds `patience` times in a row, or at once when it is not a number.

    `low` and `high` are absolute. `fall` and `rise` are shares of the size of a baseline: 0.5 is "by half", and a
    mean score that goes from −0.25 to −1 has fallen by 3. The baseline is the mean of the first `window` values
    (`start`), or the median of the last `window` values that were within bounds (`recent`); it is used once half
    of the window (at least one value) is filled. A move smaller than `least`, in the metric's own unit, never
    counts: a loss of 0.02 after 0.005 is no explosion. One larger than `most` always does: a likelihood that is poor to
    begin with cannot fall by half before it is worse than chance. Metrics of the validation set are called
    `validation/NAME`. A metric that is not among those given is passed over.
    """

    metric: str
    low: float | None = None
    high: float | None = None
    fall: float | None = None
    rise: float | None = None
    against: Literal["start", "recent"] = "start"
    window: int = 20
    least: float = 0.0
    most: float = math.inf
    patience: int = 1

    def look(self, memory: Memory, metrics: Mapping[str, float]) -> tuple[Memory, str | None]:
        """The memory after these metrics, and the reason to stop, if there is one."""
        if self.metric not in metrics:
            return memory, None
        value = metrics[self.metric]
        if not math.isfinite(value):
            return memory, f"{self.metric} is {value}"
        seen: list[float] = list(memory.get("seen", ()))
        wrong = self._wrong(value, seen)
        count = memory.get("count", 0) + 1 if wrong else 0
        if self.against == "start":
            seen = [*seen, value][: self.window]
        elif not wrong:
            seen = [*seen, value][-self.window :]
        times = f" ({count} times in a row)" if self.patience > 1 else ""
        return {"seen": seen, "count": count}, f"{wrong}{times}" if count >= self.patience else None

    def _wrong(self, value: float, seen: Sequence[float]) -> str:
        if self.low is not None and value < self.low:
            return f"{self.metric} {value:.4g} is below {self.low:g}"
        if self.high is not None and value > self.high:
            return f"{self.metric} {value:.4g} is above {self.high:g}"
        if (self.fall is None and self.rise is None) or len(seen) < max(1, self.window // 2):
            return ""
        base = statistics.fmean(seen) if self.against == "start" else statistics.median(seen)
        for share, move, word in ((self.fall, base - value, "fell"), (self.rise, value - base, "rose")):
            if share is not None and move > min(max(share * abs(base), self.least), self.most):
                return f"{self.metric} {word} from {base:.4g} to {value:.4g}"
        return ""


# A healthy run trips none of these: single bad batches are forgiven and a loss near 0 may double.
DEFAULT_GUARDS = (Guard("loss", rise=1.0, least=0.5, against="recent", window=50, patience=10),)
