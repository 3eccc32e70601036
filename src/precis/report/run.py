"""What a run ran on: the machine and the versions, without names of people, hosts or places."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from .contents import Run

PACKAGES = ("precis", "torch", "transformers", "accelerate", "peft", "numpy", "rouge-score-rs")


def describe_run(
    commands: Sequence[str],
    *,
    seeds: Sequence[int] = (),
    started: datetime | None = None,
    seconds: Mapping[str, float] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Run:
    """A `Run` on this machine with the installed versions."""
    return Run(
        commands=tuple(commands),
        seeds=tuple(seeds),
        started=(started or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds"),
        seconds=dict(seconds or {}),
        machine=machine(),
        versions=versions(),
        settings=dict(settings or {}),
    )


def machine() -> dict[str, str]:
    """Processor, cores, memory, accelerator (if torch is loaded and sees one) and system."""
    found = {"processor": _processor(), "cores": str(_cores())}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["memory"] = f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["accelerator"] = ", ".join(torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count()))
    found["system"] = f"{platform.system()} {platform.machine()}"
    return found


def versions() -> dict[str, str]:
    """Of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
