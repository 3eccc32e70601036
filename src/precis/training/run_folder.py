"""The folder of one training: whose it is, who works in it, what came of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import UserError
from .checkpoint import checkpoints, disk_errors, write_json

IDENTITY_FILE, RESULT_FILE, METRICS_FILE = "training.json", "result.json", "metrics.jsonl"
CHECKPOINTS = "checkpoints"


class OtherTraining(UserError):
    """The folder holds a training that began otherwise."""


@dataclass(frozen=True)
class TrainResult:
    """What came of a training. The model then has the weights of step `kept_step`, kept in `checkpoint`.

    `stopped` is `finished`, `patience` (no new best for long enough) or `collapse`; `reason` says why in words.
    `train` and `validation` hold the last metrics of each, `best` those of validation at `best_step`; `best_steps`
    names the step of each of `also_best`, whose checkpoints are kept too. `left_out` counts examples that held nothing
    to learn from. `tokens` counts those forwarded in training and `seconds` the time spent, over all resumed parts;
    work that a kill threw away is not in them.
    """

    stopped: Literal["finished", "patience", "collapse"]
    reason: str
    steps: int
    kept_step: int
    checkpoint: Path
    examples: int
    left_out: int
    tokens: int
    seconds: float
    train: Mapping[str, float] = field(default_factory=dict)
    validation: Mapping[str, float] = field(default_factory=dict)
    best: Mapping[str, float] = field(default_factory=dict)
    best_step: int | None = None
    best_steps: Mapping[str, int] = field(default_factory=dict)


def begin(run_dir: Path, identity: Mapping[str, Any], *, resume: bool) -> None:
    """Claim the folder for one training, or check that it holds this very one.

    A training that never came to its first checkpoint, before the first step, holds nothing; a mended one may
    take its place. Raises `OtherTraining` if it holds another.
    """
    path = run_dir / IDENTITY_FILE
    with disk_errors(f"the run folder {run_dir} cannot be used"):
        run_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists() or not checkpoints(run_dir / CHECKPOINTS):
            write_json(path, identity)
            return
        if not resume:
            raise UserError(f"{run_dir} already holds a training; continue it with resume, or name another folder")
        before = json.loads(path.read_text("utf-8"))
    # Through JSON, so that tuples and lists compare equal.
    changed = list(_differences(before, json.loads(json.dumps(identity))))
    if changed:
        raise OtherTraining(
            f"{run_dir} holds a training that began otherwise: {', '.join(changed[:4])}; "
            "resume it with what it began with, or name another folder"
        )


@contextmanager
def sole_user(run_dir: Path) -> Iterator[None]:
    """Refuse a second process in the same run folder. The system drops the lock when a process dies."""
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        yield
        return
    with disk_errors(f"the run folder {run_dir} cannot be used"):
        run_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(run_dir / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another process is training in {run_dir}; wait for it, or name another folder") from None
        except OSError:
            pass  # a network disk without locks
        yield
    finally:
        os.close(handle)


def write_result(run_dir: Path, result: TrainResult) -> None:
    """Leave `result.json`; the checkpoint is named relative to the folder, so that a run can be moved."""
    write_json(run_dir / RESULT_FILE, {**asdict(result), "checkpoint": str(result.checkpoint.relative_to(run_dir))})


def read_result(run_dir: Path) -> TrainResult | None:
    """The result of a training that has ended here, if one has."""
    path = run_dir / RESULT_FILE
    if not path.exists():
        return None
    with disk_errors(f"{path} could not be read"):
        content = json.loads(path.read_text("utf-8"))
        return TrainResult(**{**content, "checkpoint": run_dir / content["checkpoint"]})


def _differences(before: Any, now: Any, name: str = "") -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            yield from _differences(before.get(key), now.get(key), key)
    elif before != now:
        yield name if isinstance(now, (list, dict)) else f"{name} ({before} then, {now} now)"
