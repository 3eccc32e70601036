"""Several runs of one recipe: each an ordinary workspace, nothing trained twice, and their results side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import UserError
from ..report.write import read_report, write_report
from . import summary
from .registry import Recipe
from .settings import Settings, check_unchanged, same_result
from .stages import shared
from .sweep_plan import Planned
from .sweep_report import Outcome, sweep_report
from .takeover import take_over
from .workspace import announce, only_one


@dataclass(frozen=True)
class Sweep:
    """What came of a sweep, run by run; `report` is its `report.html`."""

    report: Path
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.state == "failed")


def run(recipe: Recipe, runs: Sequence[Planned], out: Path, *, command: str = "") -> Sweep:
    """Make every run in `out/NAME`, those that are finished excepted, and `out/report.html` of what they found.

    What an earlier finished run made with the same settings is taken over before a run begins. A run that ends with a
    user's mistake is noted, and the others go on. The report is written after each run. Raises `UserError`, before
    anything runs, if a folder holds a run with other settings.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(f"{out} is a file; name a folder for the runs") from None
    if (out / "config.json").exists():
        raise UserError(f"{out} holds a single run; name another folder for several")
    with only_one(out):
        for planned in runs:
            check_unchanged(planned.settings, out / planned.name)
        outcomes = {
            planned.name: _outcome(
                planned, out, "done" if finished(out / planned.name, planned.settings) else "waiting"
            )
            for planned in runs
        }
        report = _write(recipe, outcomes, out, command)
        for place, planned in enumerate(runs, start=1):
            if outcomes[planned.name].state == "done":
                announce(f"run {place} of {len(runs)}, {planned.name}: done before")
                continue
            announce(f"run {place} of {len(runs)}, {planned.name}")
            done = [one for one in runs if outcomes[one.name].state == "done"]
            outcomes[planned.name] = _make(recipe, planned, done, out)
            report = _write(recipe, outcomes, out, command)
    return Sweep(report, tuple(outcomes.values()))


def finished(folder: Path, settings: Settings) -> bool:
    """Whether the run in `folder` came to its report with these settings: another grader has not graded yet."""
    there = all((folder / name).is_file() for name in ("config.json", "report.json", summary.FILE))
    return there and same_result(settings, folder)


def _make(recipe: Recipe, planned: Planned, done: Sequence[Planned], out: Path) -> Outcome:
    folder = out / planned.name
    try:
        if not folder.exists():
            _take_over(recipe, planned, done, out)
        recipe.run(planned.settings, folder, command=planned.command)
    except UserError as error:
        announce(f"  run {planned.name} failed: {error}")
        return _outcome(planned, out, "failed", str(error))
    return _outcome(planned, out, "done")


def _take_over(recipe: Recipe, planned: Planned, done: Sequence[Planned], out: Path) -> None:
    """From the run that shares most: all from one, so that models and what they wrote belong together."""
    stages = {one.name: shared(recipe.stages, planned.settings, one.settings) for one in done}
    nearest = max(stages, key=lambda name: len(stages[name]), default=None)
    if nearest is None or not stages[nearest]:
        return
    steps = ", ".join(step for stage in stages[nearest] for step in stage.steps)
    announce(f"  taken over from {nearest}, as far as it has them: {steps}")
    take_over(out / nearest, out / planned.name, stages[nearest], planned.settings)


def _outcome(planned: Planned, out: Path, state: Literal["done", "failed", "waiting"], why: str = "") -> Outcome:
    if state != "done":
        return Outcome(planned, state, (), why)
    findings = read_report(out / planned.name / "report.json").findings
    return Outcome(planned, state, summary.read_summary(out / planned.name), finding=findings[0] if findings else "")


def _write(recipe: Recipe, outcomes: dict[str, Outcome], out: Path, command: str) -> Path:
    html, _ = write_report(sweep_report(recipe.name, list(outcomes.values()), out, command), out)
    return html
