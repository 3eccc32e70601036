"""Lists of options that several commands share: a parameter that is a dataclass stands for one option a field."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from .app import DEFAULT_STORE, JsonOption, ResumeOption, SeedOption, StoreOption

DatasetOption = Annotated[str | None, typer.Option("--dataset", help="Only this data set's documents.")]
SplitOption = Annotated[str | None, typer.Option("--split", help="Only this split.")]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many documents.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for report.html, with the plots, and report.json.")
]
TrainingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A training setting, as learning_rate=1e-5 (docs/settings.md); may be repeated.",
    ),
]
LossOption = Annotated[
    list[str] | None,
    typer.Option("--loss", metavar="NAME=VALUE", help="A number of the loss, as rank_weight=10; may be repeated."),
]


@dataclass(frozen=True)
class Where:
    """Which documents of which store."""

    dataset: DatasetOption = None
    split: SplitOption = None
    store: StoreOption = DEFAULT_STORE


@dataclass(frozen=True)
class Ending:
    """What becomes of an analysis, and the seed of its intervals."""

    seed: SeedOption = 0
    out: OutOption = None
    as_json: JsonOption = False


@dataclass(frozen=True)
class Training:
    """How a training goes, and what is printed of it."""

    settings: TrainingOption = None
    seed: SeedOption = 0
    resume: ResumeOption = True
    as_json: JsonOption = False


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """`command` as typer takes it: in place of each parameter whose type is a dataclass, the fields of it."""
    lists: dict[str, Any] = {name: kind for name, kind in get_type_hints(command).items() if is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        if name in lists:
            parameters += _options(lists[name])
        else:
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(parameter.replace(annotation=hints[name], kind=kind))

    @functools.wraps(command)
    def called(**given: Any) -> None:
        joined = {name: kind(**{one.name: given.pop(one.name) for one in fields(kind)}) for name, kind in lists.items()}
        command(**given, **joined)

    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called


def _options(kind: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if one.default is MISSING else one.default,
            annotation=hints[one.name],
        )
        for one in fields(kind)
    ]
