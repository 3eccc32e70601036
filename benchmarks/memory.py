"""How much memory one call needs, in the process that makes it; each measurement wants a process of its own."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path


def added_mib(call: Callable[[], object]) -> float:
    """MiB of the peak resident size beyond what the process held before."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")  # the peak begins again at what is resident now
    before = _peak_mib()
    call()
    return _peak_mib() - before


def _peak_mib() -> float:
    """Of this process since it began its own program; `ru_maxrss` would count what its parent held when it forked."""
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # in bytes on macOS
