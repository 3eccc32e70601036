"""`precis train ppo` and `precis train rloo`: a policy trained towards a reward, by writing and being scored."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UserError
from .app import DEFAULT_STORE, StoreOption, emit, open_store, say
from .options import DatasetOption, SplitOption, Training, flat

OutFolder = Annotated[
    Path, typer.Option("--out", "-o", help="Folder of the trained policy; training is kept beside it.")
]
RewardOption = Annotated[
    str,
    typer.Option(
        "--reward",
        help="What to maximize: a reward model's folder, a judge (rouge, oracle, length, copying), or FILE.py:FUNCTION "
        "of a document and its summaries.",
    ),
]
OnlineOption = Annotated[
    list[str] | None,
    typer.Option("--online", help="A setting of rollouts, key=value, as in docs/settings.md; may be repeated."),
]
ValueOption = Annotated[
    str | None,
    typer.Option(
        "--value",
        help="Value network: a reward model's folder to start from (default: the reward's own), or `shared` for a new "
        "head on the policy's trunk.",
    ),
]


@dataclass(frozen=True)
class Asked:
    """What both methods are asked."""

    policy: Annotated[str, typer.Option("--policy", help="Folder or hub name of the policy to start from.")]
    reward: RewardOption
    out: OutFolder
    dataset: DatasetOption = None
    split: SplitOption = "train"
    online: OnlineOption = None
    store: StoreOption = DEFAULT_STORE


@flat
def train_ppo_command(asked: Asked, training: Training, value: ValueOption = None) -> None:
    """PPO against a reward, with a value network of its own, started from the reward model."""
    _train(asked, training, value=value, with_value=True)


@flat
def train_rloo_command(asked: Asked, training: Training) -> None:
    """REINFORCE against a reward, each summary against the mean of its document's others; no value network."""
    _train(asked, training, value=None, with_value=False)


def _train(asked: Asked, training: Training, *, value: str | None, with_value: bool) -> None:
    from pydantic import TypeAdapter

    from ..models import check_replaceable, reward_model_from_policy, save_policy, save_reward_model, value_head_on
    from ..recipes.settings import parse_settings
    from ..recipes.steps import ReinforcementSettings, load_reward_judge, load_writer
    from ..training import OnlineConfig, TrainConfig
    from ..training.online import train_online

    check_replaceable(asked.out)
    defaults = ReinforcementSettings().training
    given = parse_settings(TypeAdapter(TrainConfig), [f"seed={training.seed}", *(training.settings or [])])
    named = {setting.partition("=")[0].strip(): None for setting in training.settings or []}
    config = replace(defaults, seed=training.seed, **{name: getattr(given, name) for name in named})
    how = parse_settings(TypeAdapter(OnlineConfig), asked.online or ([] if with_value else ["k=4"]))
    judge = _reward(asked.reward)
    writer = load_writer(asked.policy, to_train=True)
    network = None
    if value == "shared":
        network = value_head_on(writer.policy, seed=training.seed)
    elif with_value:
        known = value or (asked.reward if Path(asked.reward).is_dir() else None)
        # Without a reward model there is nothing better to start from than the policy and a new head.
        network = (
            load_reward_judge(known).model if known else reward_model_from_policy(writer.policy, seed=training.seed)
        )
    with open_store(asked.store, create=False) as opened:
        groups = list(opened.groups(asked.dataset, asked.split))
    if not groups:
        raise UserError(f"the store {asked.store} holds no such documents; import some first")
    result = train_online(
        writer.policy,
        writer.renderer,
        groups,
        judge,
        how,
        config,
        asked.out.with_name(f"{asked.out.name}-training"),
        value=network,
        resume=training.resume,
    )
    save_policy(writer.policy, asked.out, beside=writer.renderer.save)
    if network is not None:
        folder = asked.out.with_name(f"{asked.out.name}-value")
        save_reward_model(network, writer.policy.tokenizer, folder, beside=writer.renderer.save)
    say(f"{asked.out}: {result.steps:,} steps, {result.stopped}: {result.reason}")
    ended = {"folder": str(asked.out), "stopped": result.stopped, "steps": result.steps, "seconds": result.seconds}
    emit(ended, training.as_json)


def _reward(reward: str) -> Any:
    """A judge by its name, a reward model by its folder, or a user's function by file and name."""
    from ..judges.copying import CopyingJudge
    from ..judges.length import LengthJudge
    from ..judges.oracle import OracleJudge
    from ..judges.rouge import RougeJudge
    from ..recipes.steps import load_reward_judge

    judges: dict[str, Any] = {
        "rouge": RougeJudge,
        "oracle": OracleJudge,
        "length": LengthJudge,
        "copying": CopyingJudge,
    }
    if reward in judges:
        return judges[reward]()
    file, colon, name = reward.rpartition(":")
    if colon and file.endswith(".py"):
        return _function(Path(file), name)
    if Path(reward).is_dir():
        return load_reward_judge(reward)
    raise UserError(f"--reward {reward!r} is no folder, none of {', '.join(judges)}, and no FILE.py:FUNCTION")


def _function(file: Path, name: str) -> Any:
    if not file.is_file():
        raise UserError(f"there is no file {file}")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None  # a file that ends in .py has both
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's file, which may fail in any way
        raise UserError(f"{file} cannot be run: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise UserError(f"{file} has no function {name!r}")
    return function
