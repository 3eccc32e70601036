"""From what a training is made of to its end: the accelerator, the folder, the loop, the weights that are kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, cast

import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import DistributedType, ProjectConfiguration
from torch import nn

from ..errors import UserError
from ..models.structure import disable_dropout
from ..objectives import Objective
from .batches import Example
from .checkpoint import checkpoints, prune
from .config import TrainConfig
from .guards import Guard
from .loop import run_to_end
from .optimizers import Average, Named, make_optimizers, trainable
from .precision import autocast_for, keep_float32
from .randomness import seed_everything
from .run_folder import CHECKPOINTS, TrainResult, begin, read_result, sole_user, write_result
from .sources import Source
from .state import Run, State, keep_weights, restore, together
from .step import Scoring

_ONE_DEVICE = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)


def carry_out(
    scorer: nn.Module,
    make_source: Callable[[Scoring], Source],
    objective: Objective,
    config: TrainConfig,
    folder: Path,
    *,
    options: Mapping[str, Any],
    identity: Mapping[str, Any],
    validation: Sequence[Sequence[Example]] = (),
    measure: Callable[[int], Mapping[str, float]] | None = None,
    resume: bool = False,
    guards: Sequence[Guard] = (),
    quiet: bool = False,
) -> TrainResult:
    """Train the scorer's trainable parameters on what the source gives, from wherever `folder` stands, to the end.

    `scorer` maps groups and `options` to scores; `make_source` is called before the weights of a checkpoint are
    put into it. `identity` is what a resumed training must share with what the folder holds, besides the settings.
    """
    accelerator = _accelerator(config, folder)
    if accelerator.num_processes > 1:
        scorer.to(accelerator.device)
    device = next(scorer.parameters()).device
    autocast = autocast_for(config.precision, device)
    keep_float32(scorer, autocast)
    if not config.dropout:
        disable_dropout(scorer)
    parameters = trainable(scorer)
    whole_identity = {
        "settings": config.result_settings(),
        "objective": objective.settings,
        **identity,
        "model": _model_hash(scorer),
        "processes": accelerator.num_processes,
    }
    with ExitStack() as stack:
        together(accelerator, lambda: stack.enter_context(sole_user(folder)))
        together(accelerator, lambda: begin(folder, whole_identity, resume=resume))
        ended = read_result(folder)
        if ended:
            together(accelerator, lambda: prune(folder / CHECKPOINTS, {ended.kept_step, *ended.best_steps.values()}))
            keep_weights(parameters, ended.checkpoint)
            return ended
        _same_weights_everywhere(accelerator, parameters)
        how = Scoring(scorer, options, objective, autocast, accelerator, device)
        run = Run(
            how=how,
            config=config,
            folder=folder,
            source=make_source(how),
            validation=validation,
            extra=measure,
            guards=tuple(guards),
            parameters=parameters,
            optimizers=make_optimizers(scorer, parameters, config),
            average=None,
            state=State(memories=[{} for _ in guards]),
        )
        run.total_steps = config.max_steps or run.source.total_steps
        seed_everything(config.seed, accelerator.process_index)
        run.average = Average(parameters, config.ema) if config.ema else None
        fresh, modes = not restore(run), [(module, module.training) for module in scorer.modules()]
        scorer.train()
        try:
            stopped, reason = run_to_end(run, fresh=fresh, quiet=quiet)
        finally:
            # As it came: without dropout if it samples or scores next, and without the gradients' memory.
            for module, mode in modes:
                module.training = mode
            for parameter in parameters.values():
                parameter.grad = None
        return _finish(run, stopped, reason)


def asked_for(objective: Objective) -> dict[str, bool]:
    """The scorer's options for what the objective needs beyond what it always gives."""
    return {need: True for need in objective.needs if need not in ("logps", "rewards")}


def _accelerator(config: TrainConfig, folder: Path) -> Accelerator:
    known = [str(getattr(tracker, "value", tracker)) for tracker in get_available_trackers()]
    missing = [tracker for tracker in config.trackers if tracker not in known]
    if missing:
        raise UserError(f"the tracker {missing[0]!r} is not installed; there are {', '.join(known) or 'none'}")
    accelerator = Accelerator(
        cpu=not torch.accelerator.is_available(),  # without this, processes on CPUs would not find each other
        mixed_precision="no",  # the loop's own autocast covers what is to be covered
        log_with=list(config.trackers) or None,
        project_config=ProjectConfiguration(project_dir=str(folder), logging_dir=str(folder / "tensorboard")),
    )
    if accelerator.distributed_type not in _ONE_DEVICE:
        kind = accelerator.distributed_type.value
        raise UserError(f"training is spread by data only; launch it with accelerate on CPUs or GPUs, not with {kind}")
    return accelerator


def _same_weights_everywhere(accelerator: Accelerator, parameters: Named) -> None:
    if accelerator.num_processes > 1:
        for parameter in parameters.values():
            torch.distributed.broadcast(parameter.data, src=0)


def _model_hash(scorer: nn.Module) -> str:
    """Names the architecture and the frozen weights (by the start of each); trained ones are in the checkpoint."""
    digest = hashlib.sha256()
    for name, parameter in scorer.named_parameters():
        digest.update(f"{name} {tuple(parameter.shape)} {parameter.requires_grad}".encode())
        if not parameter.requires_grad:
            start = parameter.detach().flatten()[:16].double().cpu()
            digest.update(start.numpy().tobytes())
    return digest.hexdigest()[:24]


def _finish(run: Run, stopped: str, reason: str) -> TrainResult:
    """Give the model the weights that were worth keeping, and leave the result in the folder."""
    state, config = run.state, run.config
    state.seconds += time.monotonic() - run.started
    if config.keep_best and state.best_step is not None:
        kept_step = state.best_step
    else:
        kept_step = state.healthy_step if stopped == "collapse" else state.step
    path = dict(checkpoints(run.checkpoints)).get(kept_step)
    if path is None:
        raise UserError(f"the checkpoint of step {kept_step:,} in {run.checkpoints} is gone or damaged")
    keep_weights(run.parameters, path)
    result = TrainResult(
        stopped=cast(Literal["finished", "patience", "collapse"], stopped),
        reason=reason,
        steps=state.step,
        kept_step=kept_step,
        checkpoint=path,
        examples=run.source.size,
        left_out=run.source.left_out,
        tokens=state.tokens,
        seconds=state.seconds,
        train=state.train,
        validation=state.validation,
        best=state.best,
        best_step=state.best_step,
        best_steps=state.other_steps,
    )

    def write() -> None:
        write_result(run.folder, result)
        prune(run.checkpoints, {kept_step, *state.other_steps.values()})

    together(run.accelerator, write)
    return result
