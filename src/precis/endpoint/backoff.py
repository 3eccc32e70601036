"""When to try again: full jitter between exponentially growing bounds, and what the server asks for."""

from __future__ import annotations

import math
import queue
import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TypeVar

_FIRST_BOUND = 1.0
# Waiting in slices keeps Ctrl-C quick where a system cannot interrupt a wait.
_SLICE = 0.5

T = TypeVar("T")


class Clock:
    """Time and chance, in one place so that tests need not wait."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def date(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def jitter(self, bound: float) -> float:
        return random.uniform(0, bound)

    def wait(self, results: queue.SimpleQueue[T], seconds: float | None) -> T | None:
        """The next result; None when `seconds` have passed, or a while before."""
        try:
            return results.get(timeout=_SLICE if seconds is None else max(0.0, min(seconds, _SLICE)))
        except queue.Empty:
            return None


def delay(tries: int, after: float | None, longest: float, clock: Clock) -> float:
    """Seconds to wait after the `tries`-th try failed.

    Full jitter, uniform between 0 and 1 s · 2^(tries-1), so that many clients do not come back together. Where the
    server says how long (`after`), it is that and up to a second more. Neither is above `longest`, but for the second.
    """
    if after is not None:
        return min(after, longest) + clock.jitter(_FIRST_BOUND)
    return clock.jitter(min(longest, _FIRST_BOUND * 2.0 ** min(tries - 1, 30)))


def retry_after(headers: Mapping[str, str], clock: Clock) -> float | None:
    """The seconds that `Retry-After` asks to wait: a number or a date; None if it says neither."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - clock.date()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
