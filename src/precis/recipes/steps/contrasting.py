"""Contrastive training from a warm policy, and the twin that only imitates: same start, documents and updates."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ...errors import UserError
from ...models import save_policy
from ...objectives import Objective, nll
from ...selection import Selection, beside, reference_groups
from ...training import TrainConfig
from ...training.chosen import use_best_by
from ...training.run_folder import OtherTraining, TrainResult, read_result
from ..workspace import Workspace, announce
from .contrast_settings import (
    By,
    ContrastSettings,
    LossSettings,
    check_watched,
    contrast_guards,
    contrastive_objective,
    folder_of,
    generation_measure,
    metric_of,
)
from .policies import load_like
from .targets import References, refer
from .training import train_in
from .writer import Writer

TWIN = "imitation"


@dataclass(frozen=True)
class Contrasted:
    """What came of contrastive training: a policy for each choice of weights, the first of them first."""

    writers: dict[By, Writer]
    result: TrainResult


def to_contrast(ranked: Selection, loss: LossSettings, references: References) -> Selection:
    """Ranked groups with what is imitated beside them, where the loss looks at it; what has nothing is left out."""
    return beside(ranked.groups, references) if loss.mle_weight or loss.gold_weight else ranked


def choosing(config: TrainConfig, select: Sequence[By], objective: Objective) -> TrainConfig:
    """The settings with which one training keeps the best weights by each choice."""
    first, *others = dict.fromkeys(metric_of(by, objective) for by in select)
    return replace(config, keep_best=True, best_is="lowest", best_metric=first, also_best=tuple(others))


def save_chosen(writer: Writer, run_dir: Path, out: Path, select: Sequence[By], objective: Objective) -> dict[By, Path]:
    """A model folder for each choice of a training that has ended; the writer's model holds the first choice.

    Choices that look at the same number share a folder.
    """
    folders: dict[str, Path] = {}
    found: dict[By, Path] = {}
    for by in select:
        metric = metric_of(by, objective)
        if metric not in folders:
            if folders:
                use_best_by(writer.policy.model, run_dir, metric)
            folders[metric] = folder_of(out, by, select[0])
            save_policy(writer.policy, folders[metric], beside=writer.renderer.save)
        found[by] = folders[metric]
    return found


def contrast(
    work: Workspace,
    warm: Writer,
    ranked: Selection,
    held_out: Selection,
    references: References,
    settings: ContrastSettings,
    *,
    seed: int,
    name: str = "contrastive",
) -> Contrasted:
    """Train the warm policy on ranked candidates; the result is `models/NAME`, and `models/NAME-CHOICE` beside it.

    A collapse stops the recipe with its reason (`contrast_guards`). Raises `UserError` if there is nothing to learn
    from, or nothing to choose weights by.
    """
    check_watched(settings.select, settings.watch)
    objective = contrastive_objective(settings.loss)
    groups, validation = (to_contrast(part, settings.loss, references) for part in (ranked, held_out))
    announce(f"  {groups}")
    if not validation.groups:
        raise UserError(f"no validation document has ranked candidates ({held_out}), so no weights can be chosen")
    folders = [folder_of(work.models / name, by, settings.select[0]) for by in _apart(settings.select, objective)]
    result = read_result(work.training / name)
    if result is None or not all(folder.is_dir() for folder in folders):
        start = load_like(warm, warm.policy.path or "", to_train=True)
        watched = refer(validation.groups, references)[: settings.watch]
        result = train_in(
            work,
            name,
            start.policy.model,
            start.renderer,
            start.policy.pad_id,
            groups.groups,
            validation.groups,
            objective,
            choosing(replace(settings.training, seed=seed), settings.select, objective),
            measure=generation_measure(start, watched, settings.decoding) if watched else None,
            guards=contrast_guards(settings.loss),
        )
        save_chosen(start, work.training / name, work.models / name, settings.select, objective)
    writers = {
        by: load_like(warm, folder) for by, folder in zip(_apart(settings.select, objective), folders, strict=True)
    }
    return Contrasted(writers, result)


def imitate_beside(
    work: Workspace,
    warm: Writer,
    ranked: Selection,
    held_out: Selection,
    references: References,
    settings: ContrastSettings,
    *,
    steps: int,
    seed: int,
    name: str = TWIN,
) -> Writer:
    """The twin: the warm policy, as many updates of imitation alone on the same documents, so that what the ranking
    adds is seen. Its weights are chosen by its own loss, or by `generation` where that is the first choice.

    One that another run made is kept if it imitated the same documents as often; which a ranking orders, and so how
    many updates contrast makes of them, is not seen from settings.
    """
    folder = work.models / name
    if work.took_over or not folder.is_dir():
        start = load_like(warm, warm.policy.path or "", to_train=True)
        groups, validation = (reference_groups(refer(part.groups, references)) for part in (ranked, held_out))
        by: By = "generation" if settings.select[0] == "generation" else "total"
        objective = nll(label_smoothing=settings.loss.label_smoothing)
        watched = validation.groups[: settings.watch]
        imitate = partial(
            train_in,
            work,
            name,
            start.policy.model,
            start.renderer,
            start.policy.pad_id,
            groups.groups,
            validation.groups,
            objective,
            choosing(replace(settings.training, seed=seed, max_steps=steps), [by], objective),
            measure=generation_measure(start, watched, settings.decoding) if watched else None,
        )
        try:
            imitate()
        except OtherTraining:
            if not work.took_over:
                raise
            announce(f"  the {name} that was taken over had other documents or updates: it is trained anew")
            work.make_anew(work.at)
            for room in (work.models, work.training):  # in this order: a model without its training would be believed
                shutil.rmtree(room / name, ignore_errors=True)
            imitate()
        if not folder.is_dir():
            save_policy(start.policy, folder, beside=start.renderer.save)
    return load_like(warm, folder)


def _apart(select: Sequence[By], objective: Objective) -> list[By]:
    """The first choice of each number that is looked at."""
    first: dict[str, By] = {}
    for by in select:
        first.setdefault(metric_of(by, objective), by)
    return list(first.values())
