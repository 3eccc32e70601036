"""`precis sweep`: several runs of one recipe, and their results side by side."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from .app import LARGEST_SEED, JsonOption, emit, say, show_table

if TYPE_CHECKING:
    from ..report.contents import Table
    from ..report.html import ShownCell


def sweep_command(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Which recipe, as of `precis run`.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the runs; running again continues what it holds.")
    ],
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="A.B=C,D", help="One setting with several values; may be repeated."),
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            "--run", metavar="NAME=FILE", help="A TOML file or preset:NAME over the other settings; may be repeated."
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", help="Settings that ship with precis, of every run.")
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config", metavar="FILE", help="TOML file of settings, over the preset's, of every run; may be repeated."
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=C", help="One setting of every run, over all files.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=LARGEST_SEED, help="The same as --set seed=N.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a recipe once for every combination of --run and --vary. Killed, it resumes; nothing is trained twice."""
    from ..recipes import sweep
    from ..recipes.registry import recipe_named
    from ..recipes.sweep_plan import plan
    from ..recipes.sweep_report import side_by_side

    known = recipe_named(recipe)
    given = [*(overrides or []), *([f"seed={seed}"] if seed is not None else [])]
    runs = plan(known, out, preset=preset, config=config or [], overrides=given, files=run or [], vary=vary or [])
    found = sweep.run(known, runs, out, command=shlex.join(["precis", *sys.argv[1:]]))
    names = [one.planned.name for one in found.outcomes]
    for table in side_by_side(found.outcomes):
        _show(table, names, varied=len({key for one in found.outcomes for key in one.planned.varied}))
    say(f"The report is {found.report}")
    told = {one.planned.name: {"state": one.state, "why": one.why or None} for one in found.outcomes}
    emit({"report": str(found.report), "json": str(found.report.with_suffix(".json")), "runs": told}, as_json)
    if found.failed:
        said = "; ".join(f"{one.planned.name}: {one.why}" for one in found.failed)
        raise UserError(f"{len(found.failed)} of {len(runs)} runs failed: {said}")


def _show(table: Table, names: Sequence[str], *, varied: int) -> None:
    """A line a number and a column a run, which a terminal is wide enough for; what qualifies a number is said below,
    why one is absent in the report."""
    from ..report.html import shown_rows

    rows = [cells for _, cells in shown_rows(table)]
    notes = dict.fromkeys(own.why for cells in rows for own in cells if _noted(own))
    numbers = list(zip(*([_text(own) for own in cells] for cells in rows), strict=True))[varied:]
    lines = [[column.name, *own] for column, own in zip(table.columns[varied:], numbers, strict=True)]
    show_table(table.caption, ["", *names], lines)
    say("".join(f"* {note}\n" for note in notes))


def _noted(own: ShownCell) -> bool:
    return bool(own.why) and own.text != "–"


def _text(own: ShownCell) -> str:
    return own.text if own.text == "–" else f"{own.text}{'*' if _noted(own) else ''} {own.interval}".rstrip()
