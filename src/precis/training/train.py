"""`train`: a model, examples and an objective in; the trained model and what came of it out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import UserError
from ..logprobs import Scorer
from ..logprobs.score import why_not
from ..models.reranker import Reranker
from ..models.reward import RewardModel
from ..objectives import Objective
from .batches import Example, fingerprint, fixed_batches, learnable
from .config import TrainConfig
from .guards import DEFAULT_GUARDS, Guard
from .launch import asked_for, carry_out
from .run_folder import TrainResult
from .sources import FixedExamples
from .step import Scoring

_log = logging.getLogger("precis")


def train(
    model: nn.Module,
    examples: Sequence[Example],
    objective: Objective,
    config: TrainConfig,
    run_dir: Path | str,
    *,
    pad_id: int,
    validation: Sequence[Example] | None = None,
    measure: Callable[[int], Mapping[str, float]] | None = None,
    resume: bool = False,
    guards: Sequence[Guard] = DEFAULT_GUARDS,
    quiet: bool = False,
) -> TrainResult:
    """Train `model` in place; it ends with the weights that the result names, averaged where an average was kept.

    `model` is a Hugging Face causal or encoder-decoder model, with LoRA adapters or without, or a `RewardModel`;
    only parameters that require gradients are trained and checkpointed. `validation` is measured without dropout
    before the first step, as `config.evaluate_every` says and after the last; `measure` may add metrics of its
    own to it (ROUGE of samples, say), and is called with the step, on the main process, with the model in evaluation
    mode. Under `accelerate launch` the batches of a step are shared among the processes, and the result is the same.

    `resume` continues what `run_dir` holds, starts if it holds nothing, and returns at once if it has ended.

    Raises `UserError` if the folder holds another training (or one at all, without `resume`), cannot be written,
    or the disk is full; earlier checkpoints are then intact. A collapse does not raise: see `TrainResult`.
    """
    kept = learnable(examples, objective, "training")
    kept_validation = learnable(validation, objective, "validation") if validation else []

    def source(how: Scoring) -> FixedExamples:
        if how.accelerator.num_processes > config.accumulation:
            raise UserError(
                f"a step of {config.accumulation} batches cannot be shared by {how.accelerator.num_processes} "
                f"processes; set accumulation to at least {how.accelerator.num_processes}"
            )
        if how.accelerator.is_main_process:
            _say_what_is_unusual(kept, len(examples), config)
            if any(len(example.tokens.continuations) > 1 for example in kept) and (reason := why_not(model)):
                _log.warning("documents are computed once for each of their candidates: %s", reason)
        return FixedExamples(kept, config, left_out=len(examples) - len(kept))

    return carry_out(
        Scorer(model),
        source,
        objective,
        config,
        Path(run_dir),
        options=_options(model, objective, pad_id),
        identity={"examples": fingerprint(examples), "validation": fingerprint(validation or ())},
        validation=_validation_batches(kept_validation, config),
        measure=measure,
        resume=resume,
        guards=guards,
        quiet=quiet,
    )


def _options(model: nn.Module, objective: Objective, pad_id: int) -> dict[str, Any]:
    """What the scorer must be asked for. Raises `UserError` if this kind of model cannot give it."""
    rewards = isinstance(model, (Reranker, RewardModel))
    if rewards and "logps" in objective.needs:
        kind = "reward model" if isinstance(model, RewardModel) else "reranker"
        raise UserError(f"this objective needs a language model's log-probs, and this is a {kind}")
    if not rewards and "rewards" in objective.needs:
        raise UserError("this objective needs rewards, and this model has no reward head")
    return {"pad_id": pad_id, **asked_for(objective)}


def _validation_batches(examples: list[Example], config: TrainConfig) -> list[list[Example]]:
    lengths = [example.forwarded for example in examples]
    batches = fixed_batches(lengths, tokens_per_batch=config.tokens_per_batch, groups_per_batch=config.groups_per_batch)
    return [[examples[index] for index in batch] for batch in batches]


def _say_what_is_unusual(kept: Sequence[Example], given: int, config: TrainConfig) -> None:
    if len(kept) < given:
        _log.warning("%d of %d examples hold nothing to learn from and are left out", given - len(kept), given)
    budget = config.tokens_per_batch
    large = sum(example.forwarded > budget for example in kept)
    if large:
        _log.warning("%d examples are longer than tokens_per_batch (%d); each is a batch of its own", large, budget)
