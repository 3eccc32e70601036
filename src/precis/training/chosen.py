"""The weights that a finished training kept besides its best: those that were best by another metric."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..errors import UserError
from ..logprobs import Scorer
from .checkpoint import checkpoints
from .optimizers import trainable
from .run_folder import CHECKPOINTS, read_result
from .state import keep_weights


def use_best_by(model: nn.Module, run_dir: Path, metric: str) -> int:
    """Put into `model` the weights that were best by `metric`, one of `also_best`; returns their step.

    Raises `UserError` if no training that chose by it has ended in `run_dir`.
    """
    result = read_result(run_dir)
    if result is None or metric not in result.best_steps:
        raise UserError(f"{run_dir} holds no finished training that also chose by {metric}")
    step = result.best_steps[metric]
    path = dict(checkpoints(run_dir / CHECKPOINTS)).get(step)
    if path is None:
        raise UserError(f"the checkpoint of step {step:,} in {run_dir / CHECKPOINTS} is gone or damaged")
    keep_weights(trainable(Scorer(model)), path)
    return step
