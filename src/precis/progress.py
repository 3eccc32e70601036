"""Progress of long work: a live line on a terminal, plain lines in a log. Both go to stderr; stdout is for results."""

from __future__ import annotations

import sys
import time
from types import TracebackType

PLAIN_EVERY_SECONDS = 15.0
PLAIN_FROM_SECONDS = 5.0


class Progress:
    """Counts towards `total` and says how fast, how far and how long.

    >>> with Progress("sampling", total=2, unit="documents", quiet=True) as progress:
    ...     progress.advance(1, note="1,200 tokens/s")
    """

    def __init__(self, what: str, *, total: int | None, unit: str = "", done: int = 0, quiet: bool = False):
        self.what, self.total, self.unit, self.done = what, total, unit, done
        self.quiet = quiet
        self.note = ""
        self._first = done
        self._live = sys.stderr.isatty() and not quiet
        self._start = self._spoke = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What took no time needs no line in a log; a terminal's live line must be ended.
        if self._live or time.monotonic() - self._start >= PLAIN_FROM_SECONDS:
            self._say(final=True)

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count `count` more; `note` (a rate, a loss) stands at the end of the line."""
        self.done += count
        self.note = note or self.note
        now = time.monotonic()
        if now - self._spoke >= (0.2 if self._live else PLAIN_EVERY_SECONDS):
            self._spoke = now
            self._say()

    def line(self) -> str:
        elapsed = time.monotonic() - self._start
        parts = [f"{self.what}: {self.done:,}" + (f"/{self.total:,}" if self.total is not None else "")]
        parts[0] += f" {self.unit}" if self.unit else ""
        parts += [clock(elapsed)]
        made = self.done - self._first
        if self.total is not None and made > 0 and self.done < self.total:
            parts += [f"{clock(elapsed / made * (self.total - self.done))} left"]
        return ", ".join(parts + ([self.note] if self.note else []))

    def _say(self, final: bool = False) -> None:
        if self.quiet:
            return
        try:
            if self._live:
                sys.stderr.write(f"\r\033[2K{self.line()}" + ("\n" if final else ""))
            else:
                sys.stderr.write(self.line() + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):  # a closed terminal must not stop the work
            self.quiet = True


def clock(seconds: float) -> str:
    """Seconds as people read them: 42s, 3m05s, 2h07m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
