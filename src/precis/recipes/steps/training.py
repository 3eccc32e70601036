"""Training within a workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import nn

from ...errors import UserError
from ...objectives import Objective
from ...records import Group
from ...render import Renderer
from ...training import DEFAULT_GUARDS, Guard, TrainConfig
from ...training.batches import examples_of
from ...training.run_folder import TrainResult
from ...training.train import train
from ..workspace import Workspace, announce


def train_in(
    work: Workspace,
    name: str,
    model: nn.Module,
    renderer: Renderer,
    pad_id: int,
    groups: Sequence[Group],
    validation: Sequence[Group],
    objective: Objective,
    config: TrainConfig,
    *,
    measure: Callable[[int], Mapping[str, float]] | None = None,
    guards: Sequence[Guard] = DEFAULT_GUARDS,
) -> TrainResult:
    """Train in `training/NAME`, resuming what is there; a collapse stops the recipe with its reason."""
    examples, held_out = examples_of(renderer, groups), examples_of(renderer, validation)
    cut = sum(example.tokens.cut_characters > 0 for example in examples)
    if cut:
        announce(f"  {cut:,} of {len(examples):,} documents were cut to {renderer.max_prefix_tokens} tokens")
    result = train(
        model,
        examples,
        objective,
        config,
        work.training / name,
        pad_id=pad_id,
        validation=held_out,
        measure=measure,
        guards=guards,
        resume=True,
    )
    if result.stopped == "collapse":
        raise UserError(
            f"training {name} was stopped: {result.reason}; its last good weights are in {result.checkpoint}"
        )
    if result.kept_step == 0 and result.steps:
        announce(f"  {name} was best on validation before its first step: the weights that it began with are kept")
    return result
