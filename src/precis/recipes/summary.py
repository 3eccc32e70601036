"""A run in one row of a few tables: what `precis sweep` sets side by side, and `summary.json` holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..evaluation.plain import write_json
from ..evaluation.systems import RULES
from ..evaluation.winrates import WinRate
from ..report.contents import Block, Cell, Column, Notice, Report, Row, Section, Table, cell, to_json
from ..report.write import read_report
from ..training.run_folder import read_result
from .workspace import Workspace

FILE = "summary.json"

Figure = tuple[Column, Cell]


def one_row(caption: str, figures: Iterable[Figure]) -> Table:
    """The figures as a table of one row; runs with a table of the same caption are set below each other."""
    columns, cells = zip(*figures, strict=True)
    return Table(caption, tuple(columns), (Row(tuple(cells)),))


def in_one_row(table: Table) -> list[Figure]:
    """Every number of a table that names its rows in the first column, `NAME: COLUMN`."""
    return [
        (replace(column, name=f"{row.cells[0].value}: {column.name}"), own)
        for row in table.rows
        for column, own in list(zip(table.columns, row.cells, strict=True))[1:]
    ]


def win_rate_figures(
    rates: Sequence[WinRate], system: str, against: str, *, equal_length: bool = True
) -> dict[str, list[Figure]]:
    """By each judge that grades: the win rate of `system` in percent, a tie counting half, and the same at equal
    length. A judge that was not asked about the two, as where both wrote the same texts, has no number.
    """
    own = {rate.judge: rate for rate in rates if (rate.system, rate.against) == (system, against)}
    why = "the judge was not asked: both wrote the same texts, or one wrote none"
    found: dict[str, list[Figure]] = {}
    for judge in dict.fromkeys(rate.judge for rate in rates if rate.judge not in RULES):
        rate = own.get(judge)
        raw, equal = (Cell(None, why=why),) * 2 if rate is None else (cell(rate.win_rate), cell(rate.length_controlled))
        found[judge] = [(Column(judge, f"{system} against {against}, %.", "higher", 100), raw)]
        if equal_length:
            found[judge].append((Column(f"{judge}, equal length", "The same at equal length, %.", "", 100), equal))
    return found


def seconds_figures(
    work: Workspace, steps: Sequence[str], *, trainings: Mapping[str, int] | None = None
) -> list[Figure]:
    """What each step cost in seconds; one that another run made has the seconds that it took there, and says so.

    A step of several `trainings` shows the seconds of one, the mean.
    """
    figures = []
    for step in steps:
        count = (trainings or {}).get(step, 1)
        each = "Seconds, over all resumed parts" + (f"; the mean of {count} trainings." if count > 1 else ".")
        own = _seconds(work, step)
        shown = own if own.value is None or count == 1 else replace(own, value=float(own.value) / count)
        figures.append((Column(f"{step}, s", each), shown))
    return figures


def tokens_figure(work: Workspace, training: str) -> Figure:
    """Tokens that a training forwarded."""
    column = Column(f"{training}, tokens", "Tokens that this training forwarded.", digits=0)
    result = read_result(work.training / training)
    return column, Cell(None, why="there is no such training") if result is None else Cell(result.tokens)


def taken_notices(work: Workspace) -> list[Block]:
    """What a report says of steps that another run made."""
    if not work.taken:
        return []
    said = ", ".join(f"{step} ({own.run}, {own.seconds:,.1f} s there)" for step, own in work.taken.items())
    return [Notice(f"Taken over from runs with the same settings so far: {said}.", "note")]


def write_summary(tables: Sequence[Table], folder: Path) -> Path:
    """`summary.json` in `folder`; it is written before the report, so that a run with a report has one."""
    return write_json(folder / FILE, to_json(Report("Summary", (Section("Summary", tuple(tables)),))))


def read_summary(folder: Path) -> tuple[Table, ...]:
    """The tables of a finished run."""
    (section,) = read_report(folder / FILE).sections
    return tuple(block for block in section.blocks if isinstance(block, Table))


def _seconds(work: Workspace, step: str) -> Cell:
    if step in work.taken:
        made = work.taken[step]
        return Cell(made.seconds, why=f"taken over from {made.run}")
    seconds = work.seconds.get(step)
    return Cell(seconds, why="this run has no such step" if seconds is None else "")
