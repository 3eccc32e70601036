"""Any judge that scores, or any Python function, as the reward of reinforcement learning; its answers are checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..errors import UserError
from ..judges.protocol import Judge
from ..records import Group, Score

RewardFunction = Callable[[str, Sequence[str]], Sequence[float | None]]
"""A document and its summaries → one number each; None for a summary that cannot be judged."""


def reward_name(reward: Judge | RewardFunction) -> str:
    """What the reward is called in errors, and what a resumed run is checked against."""
    if _is_judge(reward):
        return str(reward.info.id)  # type: ignore[union-attr]
    return str(getattr(reward, "__qualname__", type(reward).__qualname__))


def rewards_of(reward: Judge | RewardFunction, groups: Sequence[Group]) -> list[list[float | None]]:
    """The reward of every candidate of every group; None where there is none.

    Raises `UserError` that names the source for a reward that raises, is not a finite number, or is not there.
    """
    found = _by_judge(reward, groups) if _is_judge(reward) else [_by_function(reward, group) for group in groups]  # type: ignore[arg-type]
    for group, values in zip(groups, found, strict=True):
        for number, value in enumerate(values):
            if value is not None and not math.isfinite(value):
                raise UserError(
                    f"the reward {reward_name(reward)} gave {value} for candidate {number} of source "
                    f"{group.source.id}; a reward is a finite number, or None if there is none"
                )
    return found


def _is_judge(reward: Judge | RewardFunction) -> bool:
    return hasattr(reward, "judge") and hasattr(reward, "info")


def _by_judge(judge: Judge, groups: Sequence[Group]) -> list[list[float | None]]:
    found = []
    for group, judgements in zip(groups, judge.judge(groups), strict=True):
        scores = {judgement.candidate: judgement.value for judgement in judgements if isinstance(judgement, Score)}
        if not scores and any(not candidate.is_empty for candidate in group.candidates):
            raise UserError(f"the judge {judge.info.name} gives no scores, so it cannot be a reward")
        found.append([scores.get(candidate.id) for candidate in group.candidates])
    return found


def _by_function(function: RewardFunction, group: Group) -> list[float | None]:
    texts = [candidate.text for candidate in group.candidates]
    name, source = reward_name(function), group.source.id
    try:
        values = function(group.source.text, texts)
    except Exception as error:  # whatever the user's function raises ends the run with one sentence, not a traceback
        raise UserError(f"the reward {name} failed on source {source}: {type(error).__name__}: {error}") from error
    try:
        found = [None if value is None else float(value) for value in values]
    except (TypeError, ValueError) as error:
        raise UserError(f"the reward {name} did not give a list of numbers for source {source}: {error}") from error
    if len(found) != len(texts):
        raise UserError(f"the reward {name} gave {len(found)} numbers for the {len(texts)} summaries of {source}")
    return found
