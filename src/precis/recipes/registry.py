"""The recipes by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from . import human_feedback, llm_reference, stages
from .llm_reference_settings import LLMReference
from .settings import Settings


@dataclass(frozen=True)
class Recipe:
    """`run` takes settings of this kind, a workspace and, by name, `store` and `command`; it gives `report.html`.

    `stages` say what runs with other settings may share.
    """

    name: str
    settings: type[Settings]
    run: Callable[..., Path]
    stages: tuple[stages.Stage, ...]


RECIPES = (
    Recipe("human-feedback", human_feedback.HumanFeedback, human_feedback.run, stages.HUMAN_FEEDBACK),
    Recipe("llm-reference", LLMReference, llm_reference.run, stages.LLM_REFERENCE),
)


def recipe_named(name: str) -> Recipe:
    """The recipe called `name`. Raises `UserError` if there is none."""
    for recipe in RECIPES:
        if recipe.name == name:
            return recipe
    raise UserError(f"there is no recipe {name!r}; there are {', '.join(recipe.name for recipe in RECIPES)}")
