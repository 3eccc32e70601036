"""`precis run`: a whole recipe, from documents to report."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError
from .app import LARGEST_SEED, JsonOption, ResumeOption, SeedOption, emit, say


def run_command(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Which recipe: human-feedback or llm-reference.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Workspace folder; running again continues what it holds.")],
    preset: Annotated[str | None, typer.Option("--preset", help="Settings that ship with precis.")] = None,
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="TOML file of settings (or preset:NAME), over the preset's; may be repeated, the last wins.",
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=C", help="One setting, over everything else.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=LARGEST_SEED, help="The same as --set seed=N.")
    ] = None,
    resume: ResumeOption = True,
    store: Annotated[
        str | None, typer.Option("--store", help="Another place for the store than the workspace.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a recipe: data, training, candidates, judgements, evaluation and report. Killed, it resumes."""
    from ..recipes.registry import recipe_named
    from ..recipes.settings import load_settings, presets

    known = recipe_named(recipe)
    _check_new(out, resume)
    given = [*(overrides or []), *([f"seed={seed}"] if seed is not None else [])]
    settings = load_settings(known.settings, recipe, preset=preset, config=config, overrides=given)
    if preset is None and not config and not overrides:
        ready = ", ".join(presets(recipe))
        print(
            "precis: no preset and no setting was given: this is the recipe as published, on the sandbox's documents, "
            f"hours without a GPU; presets: {ready}",
            file=sys.stderr,
        )
    report = known.run(settings, out, store=store, command=shlex.join(["precis", *sys.argv[1:]]))
    say(f"The report is {report}")
    emit({"report": str(report), "json": str(report.with_suffix(".json"))}, as_json)


def quickstart_command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the result.")] = Path("precis-demo"),
    seed: SeedOption = 1,
    resume: ResumeOption = True,
    as_json: JsonOption = False,
) -> None:
    """Learn from comparisons in the sandbox, offline, in minutes: from documents to report.html."""
    from ..recipes import human_feedback
    from ..recipes.settings import load_settings

    _check_new(out, resume)
    settings = load_settings(
        human_feedback.HumanFeedback, "human-feedback", preset="sandbox", overrides=[f"seed={seed}"]
    )
    command = shlex.join(["precis", "quickstart", "--out", str(out), "--seed", str(seed)])
    report = human_feedback.run(settings, out, command=command)
    say(f"The report is {report.resolve()}; open it in a browser.")
    emit({"report": str(report), "json": str(report.with_suffix(".json"))}, as_json)


def _check_new(out: Path, resume: bool) -> None:
    if not resume and (out / "config.json").exists():
        raise UserError(f"{out} holds a run already; leave out --no-resume to continue it, or name another folder")
