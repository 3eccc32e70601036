"""The reward model (Stiennon et al. 2020, §3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ...errors import UserError
from ...judges.ensemble import EnsembleJudge
from ...judges.reward import RewardJudge
from ...models import ReadAt, RewardModel, load_reward_model, reward_model_from_policy, save_reward_model
from ...objectives import pairwise_logistic
from ...records import Group
from ...render import load_renderer
from ...selection import Selection, reference_groups
from ...training import TrainConfig
from ...training.run_folder import read_result
from ..settings import Settings
from ..workspace import Workspace, announce
from .policies import load_like
from .training import train_in
from .writer import Writer

# References whose mean reward becomes 0: enough for a mean, few enough to take seconds.
REFERENCES_TO_CENTRE_ON = 500


class RewardSettings(Settings):
    """The reward model (Stiennon et al. 2020, §3.4 and app. B)."""

    training: TrainConfig = TrainConfig(learning_rate=1.5e-5, epochs=1, schedule="cosine")
    """Learning rate of the 1.3B model, 1 epoch, cosine: app. B.1."""
    held_out: float = 0.1
    """Share of the judged documents kept for validation."""
    seeds: tuple[int, ...] = ()
    """Train one reward model for each of these seeds, of head and order; none is the recipe's seed (app. B.1: 3–10)."""
    read_at: ReadAt = "last token"
    """Where the head reads the trunk: at the last token, as in the paper, or at `every token`, for small trunks."""
    keep: Literal["best", "ensemble"] = "best"
    """Of several seeds: the one that orders most validation pairs right, or all of them, whose mean reward counts."""


def train_reward_model(
    work: Workspace, writer: Writer, pairs: Selection, settings: RewardSettings, *, seed: int
) -> RewardJudge | EnsembleJudge:
    """A reward model from the supervised policy, trained on pairs and shifted so that references average 0.

    Of several seeds the one is taken that is best on the validation documents; what it is worth must be measured on
    others. Raises `UserError` if there are too few pairs to train and validate on.
    """
    seeds = settings.seeds or (seed,)
    names = [f"reward-{own}" for own in seeds] if settings.seeds else ["reward"]
    for own, name in zip(seeds, names, strict=True):
        _train_one(work, writer, pairs, settings, seed=own, name=name)
    if len(names) == 1:
        return load_reward_judge(work.models / names[0])
    accuracies = {name: _validation_accuracy(work, name) for name in names}
    announce("  validation accuracy: " + ", ".join(f"{name} {value:.1%}" for name, value in accuracies.items()))
    if settings.keep == "ensemble":
        return EnsembleJudge([load_reward_judge(work.models / name) for name in names])
    return load_reward_judge(work.models / max(names, key=lambda name: accuracies[name]))


def _train_one(
    work: Workspace, writer: Writer, pairs: Selection, settings: RewardSettings, *, seed: int, name: str
) -> None:
    folder = work.models / name
    if folder.is_dir():
        return
    held_out = max(1, round(settings.held_out * len(pairs.groups)))
    if len(pairs.groups) <= held_out:
        raise UserError(f"{len(pairs.groups)} groups with a pair are too few to train and validate a reward model on")
    start = load_like(writer, writer.policy.path, to_train=True) if writer.policy.path is not None else writer
    model = reward_model_from_policy(start.policy, seed=seed, read_at=settings.read_at)
    training, validation = pairs.groups[held_out:], pairs.groups[:held_out]
    config = replace(settings.training, seed=seed)
    renderer, pad_id = writer.renderer, writer.policy.pad_id
    train_in(work, name, model, renderer, pad_id, training, validation, pairwise_logistic(), config)
    centre_on_references(model, writer, training)
    save_reward_model(model, writer.policy.tokenizer, folder, beside=writer.renderer.save)


def _validation_accuracy(work: Workspace, name: str) -> float:
    result = read_result(work.training / name)
    measured = {} if result is None else result.best or result.validation
    return measured.get("accuracy", 0.0)


def centre_on_references(model: RewardModel, writer: Writer, groups: Sequence[Group]) -> None:
    """Shift the rewards so that reference summaries average 0 (app. B.1: only differences were trained)."""
    judge = RewardJudge(model, writer.renderer, pad_id=writer.policy.pad_id, name="untitled")
    tokens = [writer.renderer.group(group) for group in reference_groups(groups).groups[:REFERENCES_TO_CENTRE_ON]]
    rewards = [reward for group in judge.rewards(tokens) for reward in group]
    if rewards:
        model.offset += sum(rewards) / len(rewards)


def load_reward_judge(folder: Path | str) -> RewardJudge:
    """A saved reward model, ready to judge with the template that it was trained with."""
    loaded = load_reward_model(folder)
    renderer = load_renderer(
        Path(folder) if Path(folder).is_dir() else None,
        loaded.tokenizer,
        encoder_decoder=loaded.is_encoder_decoder,
        decoder_start_id=loaded.decoder_start_id,
    )
    return RewardJudge(loaded.model, renderer, pad_id=loaded.pad_id, name=loaded.fingerprint)
