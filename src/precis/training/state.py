"""Everything that a training in progress holds, and how it goes into a checkpoint and comes back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from torch import Tensor, nn
from torch.optim import Optimizer

from ..errors import UserError
from ..progress import Progress
from .batches import Example
from .checkpoint import checkpoints, load_state, load_tensors, prune, save_checkpoint
from .config import TrainConfig
from .guards import Guard, Memory
from .metrics import MetricsFile, Sums, Trackers
from .optimizers import Average, load_optimizer_tensors, optimizer_tensors
from .randomness import random_state, set_random_state
from .run_folder import CHECKPOINTS
from .sources import Source
from .step import Scoring

T = TypeVar("T")
_log = logging.getLogger("precis")


@dataclass
class State:
    """Where a training stands, as JSON data. `sums`, `line_tokens` and `line_seconds` are of the open metrics line."""

    step: int = 0
    epoch: int = 0
    step_in_epoch: int = 0
    tokens: int = 0
    seconds: float = 0.0
    sums: Sums = field(default_factory=dict)
    line_tokens: int = 0
    line_seconds: float = 0.0
    metrics_position: int = 0
    train: dict[str, float] = field(default_factory=dict)
    validation: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    best_step: int | None = None
    since_best: int = 0
    other_best: dict[str, float] = field(default_factory=dict)
    other_steps: dict[str, int] = field(default_factory=dict)
    healthy_step: int = 0
    memories: list[Memory] = field(default_factory=list)


@dataclass
class Run:
    """A training in progress: what it was given, what it has made, and where it stands."""

    how: Scoring
    config: TrainConfig
    folder: Path
    source: Source
    validation: Sequence[Sequence[Example]]
    extra: Callable[[int], Mapping[str, float]] | None
    guards: Sequence[Guard]
    parameters: Mapping[str, nn.Parameter]
    optimizers: list[Optimizer]
    average: Average | None
    state: State
    total_steps: int = 0
    metrics: MetricsFile | None = None
    trackers: Trackers | None = None
    progress: Progress | None = None
    started: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)

    @property
    def accelerator(self) -> Accelerator:
        return self.how.accelerator

    @property
    def validates(self) -> bool:
        return bool(self.validation) or self.extra is not None

    @property
    def checkpoints(self) -> Path:
        return self.folder / CHECKPOINTS


def save(run: Run) -> None:
    """Write a checkpoint and delete those that nobody needs any more."""
    state, main = run.state, run.accelerator.is_main_process
    if all(not memory.get("count") for memory in state.memories):
        state.healthy_step = state.step
    now = time.monotonic()
    state.seconds, run.started, run.saved = state.seconds + now - run.started, now, now
    randomness = gather_object([random_state()]) if run.accelerator.num_processes > 1 else [random_state()]

    def write() -> None:
        # Lines first: a checkpoint must never point beyond what the disk holds.
        state.metrics_position = run.metrics.position() if run.metrics else 0
        tensors: dict[str, dict[str, Tensor]] = {
            "weights": dict(run.parameters),
            "optimizer": optimizer_tensors(run.optimizers, run.parameters),
            "average": run.average.tensors if run.average else {},
        }
        save_checkpoint(
            run.checkpoints,
            state.step,
            {name: content for name, content in tensors.items() if content},
            {"state": asdict(state), "random": randomness},
        )
        newest = [step for step, _ in checkpoints(run.checkpoints)][-run.config.keep_checkpoints :]
        prune(run.checkpoints, {*newest, state.healthy_step, *_known(state.best_step), *state.other_steps.values()})
        run.source.keep(state.epoch)

    together(run.accelerator, write if main else lambda: None)


def restore(run: Run) -> bool:
    """Continue from the newest checkpoint; False if there is none."""
    found = checkpoints(run.checkpoints)
    if not found:
        return False
    damaged = [path.name for path in run.checkpoints.glob("step-*") if path not in [whole for _, whole in found]]
    if damaged:
        _log.warning("damaged checkpoints are passed over: %s", ", ".join(sorted(damaged)))
    path = found[-1][1]
    content = load_state(path)
    run.state = State(**content["state"])
    run.state.sums = {name: (value, count) for name, (value, count) in run.state.sums.items()}
    load_weights(run.parameters, path, "weights")
    load_optimizer_tensors(run.optimizers, run.parameters, load_tensors(path, "optimizer"))
    if run.average:
        for name, tensor in load_tensors(path, "average").items():
            run.average.tensors[name].copy_(tensor)
    set_random_state(content["random"][run.accelerator.process_index])
    return True


def load_weights(parameters: Mapping[str, nn.Parameter], path: Path, name: str) -> None:
    """Put the weights of a checkpoint into the model."""
    tensors = load_tensors(path, name)
    if tensors.keys() != parameters.keys():
        raise UserError(f"the checkpoint {path} was not made by training this model")
    with torch.no_grad():
        for key, parameter in parameters.items():
            parameter.copy_(tensors[key])


def keep_weights(parameters: Mapping[str, nn.Parameter], path: Path) -> None:
    """The weights that a finished training is about: the averaged ones, where an average was kept."""
    load_weights(parameters, path, "average" if (path / "average.safetensors").exists() else "weights")


def together(accelerator: Accelerator, call: Callable[[], T]) -> T | None:
    """What `call` returns on the main process, None on the others; its `UserError` is raised on all of them."""
    if accelerator.num_processes == 1:
        return call()
    value, error = None, None
    if accelerator.is_main_process:
        try:
            value = call()
        except UserError as problem:
            error = str(problem)
    box: list[Any] = [error]
    broadcast_object_list(box)
    if box[0] is not None:
        raise UserError(box[0])
    return value


def _known(step: int | None) -> set[int]:
    return set() if step is None else {step}
