"""`train`: a model, examples and an objective in; the trained model and what came of it out."""

from __future__ import annotations

import hashlib
import logging
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
from ..logprobs import Scorer
from ..models.reward import RewardModel
from ..models.structure import disable_dropout
from ..objectives import Objective
from .batches import Example, fingerprint, fixed_batches, learnable
from .checkpoint import checkpoints, prune
from .config import TrainConfig
from .guards import DEFAULT_GUARDS, Guard
from .loop import run_to_end
from .optimizers import Average, make_optimizers, trainable
from .precision import autocast_for, keep_float32
from .randomness import seed_everything
from .run_folder import CHECKPOINTS, TrainResult, begin, read_result, sole_user, write_result
from .state import Run, State, keep_weights, restore, together
from .step import Scoring

_log = logging.getLogger("precis")
_ONE_DEVICE = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)


def train(
    model: nn.Module,
    examples: Sequence[Example],
    objective: Objective,
    config: TrainConfig,
    run_dir: Path | str,
    *,
    pad_id: int,
    validation: Sequence[Example] | None = None,
    measure: Callable[[], Mapping[str, float]] | None = None,
    resume: bool = False,
    guards: Sequence[Guard] = DEFAULT_GUARDS,
    quiet: bool = False,
) -> TrainResult:
    """Train `model` in place; it ends with the weights that the result names, averaged where an average was kept.

    `model` is a Hugging Face causal or encoder-decoder model, with LoRA adapters or without, or a `RewardModel`;
    only parameters that require gradients are trained and checkpointed. `validation` is measured without dropout
    before the first step, as `config.evaluate_every` says and after the last; `measure` may add metrics of its
    own to it (ROUGE of samples, say) and is called on the main process with the model in evaluation mode. Under
    `accelerate launch` the batches of a step are shared among the processes, and the result is the same.

    `resume` continues what `run_dir` holds, starts if it holds nothing, and returns at once if it has ended.

    Raises `UserError` if the folder holds another training (or one at all, without `resume`), cannot be written,
    or the disk is full; earlier checkpoints are then intact. A collapse does not raise: see `TrainResult`.
    """
    folder = Path(run_dir)
    kept = learnable(examples, objective, "training")
    kept_validation = learnable(validation, objective, "validation") if validation else []
    accelerator = _accelerator(config, folder)
    scorer = Scorer(model)
    if accelerator.num_processes > 1:
        scorer.to(accelerator.device)
    device = next(scorer.parameters()).device
    autocast = autocast_for(config.precision, device)
    keep_float32(scorer, autocast)
    if not config.dropout:
        disable_dropout(scorer)
    parameters = trainable(scorer)
    identity = {
        "settings": config.result_settings(),
        "objective": objective.settings,
        "examples": fingerprint(examples),
        "validation": fingerprint(validation or ()),
        "model": _model_hash(scorer),
        "processes": accelerator.num_processes,
    }
    with ExitStack() as stack:
        together(accelerator, lambda: stack.enter_context(sole_user(folder)))
        together(accelerator, lambda: begin(folder, identity, resume=resume))
        ended = read_result(folder)
        if ended:
            together(accelerator, lambda: prune(folder / CHECKPOINTS, {ended.kept_step}))
            keep_weights(parameters, ended.checkpoint)
            return ended
        run = Run(
            how=Scoring(scorer, _options(model, objective, pad_id), objective, autocast, accelerator, device),
            config=config,
            folder=folder,
            examples=kept,
            validation=_validation_batches(kept_validation, config),
            extra=measure,
            guards=tuple(guards),
            parameters=parameters,
            optimizers=make_optimizers(scorer, parameters, config),
            average=None,
            state=State(memories=[{} for _ in guards]),
        )
        run.total_steps = config.max_steps or sum(len(run.steps(epoch)) for epoch in range(config.epochs))
        _say_what_is_unusual(run, len(examples))
        seed_everything(config.seed, accelerator.process_index)
        _same_weights_everywhere(run)
        run.average = Average(parameters, config.ema) if config.ema else None
        fresh, was_training = not restore(run), model.training
        scorer.train()
        try:
            stopped, reason = run_to_end(run, fresh=fresh, quiet=quiet)
        finally:
            # What comes next samples or scores: without dropout, and without the gradients' memory.
            scorer.train(was_training)
            for parameter in parameters.values():
                parameter.grad = None
        return _finish(run, stopped, reason, left_out=len(examples) - len(kept))


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
    if accelerator.num_processes > config.accumulation:
        raise UserError(
            f"a step of {config.accumulation} batches cannot be shared by {accelerator.num_processes} processes; "
            f"set accumulation to at least {accelerator.num_processes}"
        )
    return accelerator


def _options(model: nn.Module, objective: Objective, pad_id: int) -> dict[str, Any]:
    """What the scorer must be asked for. Raises `UserError` if this kind of model cannot give it."""
    rewards = isinstance(model, RewardModel)
    if rewards and "logps" in objective.needs:
        raise UserError("this objective needs a language model's log-probs, and this is a reward model")
    if not rewards and "rewards" in objective.needs:
        raise UserError("this objective needs rewards, and this model has no reward head")
    return {"pad_id": pad_id, **{need: True for need in objective.needs if need not in ("logps", "rewards")}}


def _validation_batches(examples: list[Example], config: TrainConfig) -> list[list[Example]]:
    lengths = [example.forwarded for example in examples]
    batches = fixed_batches(lengths, tokens_per_batch=config.tokens_per_batch, groups_per_batch=config.groups_per_batch)
    return [[examples[index] for index in batch] for batch in batches]


def _say_what_is_unusual(run: Run, given: int) -> None:
    if not run.accelerator.is_main_process:
        return
    if len(run.examples) < given:
        left_out = given - len(run.examples)
        _log.warning("%d of %d examples hold nothing to learn from and are left out", left_out, given)
    budget = run.config.tokens_per_batch
    large = sum(example.forwarded > budget for example in run.examples)
    if large:
        _log.warning("%d examples are longer than tokens_per_batch (%d); each is a batch of its own", large, budget)


def _same_weights_everywhere(run: Run) -> None:
    if run.accelerator.num_processes > 1:
        for parameter in run.parameters.values():
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


def _finish(run: Run, stopped: str, reason: str, *, left_out: int) -> TrainResult:
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
        examples=len(run.examples),
        left_out=left_out,
        tokens=state.tokens,
        seconds=state.seconds,
        train=state.train,
        validation=state.validation,
        best=state.best,
        best_step=state.best_step,
    )

    def write() -> None:
        write_result(run.folder, result)
        prune(run.checkpoints, {kept_step})

    together(run.accelerator, write)
    return result
