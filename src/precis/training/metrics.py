"""What a run leaves to look at: `metrics.jsonl`, its record, and trackers (TensorBoard, …), which may fail.

A line of `metrics.jsonl` has `split` (train or validation), `step`, the objective's `loss` and its terms' metrics
(`nll`, `accuracy`, `margin`, … as the terms say). A line of training, over the `log_every` steps that end at
`step`, also has `epoch` (passes over the examples so far), `lr`, `TERM_units` (what was averaged over), `grad_norm`
(mean, before clipping), `tokens` (forwarded), `tokens_per_second` and `peak_memory` (bytes since the start).
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from .checkpoint import disk_errors

_log = logging.getLogger("precis")
Sums = dict[str, tuple[float, float]]


def add_sums(total: Sums, more: Mapping[str, tuple[float, float]]) -> Sums:
    """(sum, count) pairs added up by name."""
    merged = dict(total)
    for name, (value, count) in more.items():
        before = merged.get(name, (0.0, 0.0))
        merged[name] = (before[0] + value, before[1] + count)
    return merged


def means(sums: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """sum / count by name; what was never counted has no mean, and is left out."""
    return {name: value / count for name, (value, count) in sums.items() if count > 0}


class MetricsFile:
    """`metrics.jsonl`: one JSON object a line, which a resumed run continues where its checkpoint stood."""

    def __init__(self, path: Path, position: int, *, enabled: bool = True):
        """Lines beyond `position` bytes belong to steps that will be done again, and are cut off."""
        self.path, self.file = path, None
        if not enabled:
            return
        with disk_errors(f"{path} could not be written"):
            self.file = path.open("ab")
            if self.file.tell() < position:
                raise UserError(
                    f"{path} is shorter than the checkpoint says; restore it, or start again in a new folder"
                )
            self.file.truncate(position)
            self.file.seek(position)

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one line. A number that JSON does not have (NaN) is written as null."""
        if self.file is None:
            return
        finite = {k: None if isinstance(v, float) and v - v != 0 else v for k, v in line.items()}
        with disk_errors(f"{self.path} could not be written"):
            self.file.write(json.dumps(finite, allow_nan=False).encode() + b"\n")
            self.file.flush()

    def position(self) -> int:
        """How many bytes there are, all of them on the disk."""
        if self.file is None:
            return 0
        with disk_errors(f"{self.path} could not be written"):
            os.fsync(self.file.fileno())
            return self.file.tell()

    def close(self) -> None:
        if self.file is not None:
            with disk_errors(f"{self.path} could not be written"):
                self.file.close()


class Trackers:
    """Trackers of accelerate. What goes wrong in one is said once and costs the run nothing but its curves."""

    def __init__(self, accelerator: Any, first_step: int):
        self.accelerator = accelerator
        # Points of steps that a resumed run does again are hidden from TensorBoard.
        kwargs = {"tensorboard": {"purge_step": first_step}}
        self._try(lambda: accelerator.init_trackers("precis", init_kwargs=kwargs))

    def write(self, line: Mapping[str, Any], step: int) -> None:
        split = line.get("split", "train")
        values = {
            f"{split}/{name.removeprefix('validation/')}": value
            for name, value in line.items()
            if isinstance(value, (int, float)) and name != "step"
        }
        self._try(lambda: self.accelerator.log(values, step=step))

    def close(self) -> None:
        # Not `end_training`, which also ends the process group that a next training still needs.
        for tracker in self.accelerator.trackers:
            self._try(tracker.finish)

    def _try(self, call: Any) -> None:
        if not self.accelerator.log_with:
            return
        try:
            call()
        except Exception as error:  # whatever a tracker raises, the training is worth more than its curves
            _log.warning("a metrics tracker failed and is left out from here on: %s", error)
            self.accelerator.log_with = []
            self.accelerator.trackers = []


def peak_memory(device: torch.device) -> int:
    """Most bytes held so far: on the device, or by this process on a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    # ru_maxrss is in KiB on Linux and in bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
