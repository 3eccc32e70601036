"""The report of several runs: a row a run, what varied in the first columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..report.contents import Cell, Column, Report, Row, Section, Table, Text
from ..report.run import describe_run
from ..report.sentences import count
from .sweep_plan import Planned
from .workspace import read_taken, read_times


@dataclass(frozen=True)
class Outcome:
    """A run as it stands: the tables of its summary and the first finding of its report, or why there are none."""

    planned: Planned
    state: Literal["done", "failed", "waiting"]
    tables: tuple[Table, ...]
    why: str = ""
    finding: str = ""


def sweep_report(recipe: str, outcomes: Sequence[Outcome], out: Path, command: str) -> Report:
    """The runs in `out` side by side; runs that failed or wait have rows without numbers, which say why."""
    done, failed = ([one for one in outcomes if one.state == state] for state in ("done", "failed"))
    rest = f"; {len(failed):,} failed" if failed else ""
    seconds = {one.planned.name: sum(read_times(out / one.planned.name)[1].values()) for one in outcomes}
    tables = side_by_side(outcomes)
    beside = Text(
        "Intervals are over the documents of one run, one training each: two runs differ only if they do on several "
        "seeds. Judges of one name may have other settings in another run."
    )
    compared = (Section("Side by side", (beside, *tables)),) if tables else ()
    return Report(
        title=f"Several runs of {recipe}",
        subtitle="What varied, and what came of it",
        findings=(
            f"{len(done):,} of {count(len(outcomes), 'run')} are done{rest}.",
            *(f"{one.planned.name}: {one.finding}" for one in done if one.finding),
        ),
        warnings=tuple(f"Run {one.planned.name} failed: {one.why}." for one in failed),
        sections=(Section("Runs", (_runs(outcomes, out, seconds),)), *compared),
        run=describe_run(
            # The sweep's own, then those that continue one run by itself.
            [*([command] if command else []), *(one.planned.command for one in outcomes)],
            seeds=tuple(dict.fromkeys(int(getattr(one.planned.settings, "seed", 0)) for one in outcomes)),
            started=min((read_times(out / one.planned.name)[0] for one in outcomes), default=None),
            seconds=seconds,
            settings={one.planned.name: dict(one.planned.varied) for one in outcomes},
        ),
    )


def side_by_side(outcomes: Sequence[Outcome]) -> list[Table]:
    """The runs' tables of one caption as one table; a number that a run does not have says why."""
    captions = dict.fromkeys(table.caption for one in outcomes for table in one.tables)
    found = []
    for caption in captions:
        own = {one.planned.name: table for one in outcomes for table in one.tables if table.caption == caption}
        columns = {column.name: column for table in own.values() for column in table.columns}
        rows = [Row((*_first(one, outcomes), *_cells(one, own.get(one.planned.name), columns))) for one in outcomes]
        found.append(Table(caption, (*_varied(outcomes), *columns.values()), tuple(rows)))
    return found


def _cells(one: Outcome, table: Table | None, columns: Iterable[str]) -> Iterator[Cell]:
    held = {} if table is None else dict(zip((column.name for column in table.columns), table.rows[0].cells))
    missing = {
        "done": "this run has no such number",
        "failed": "the run failed",
        "waiting": "the run has not come to its end",
    }
    for name in columns:
        yield held.get(name, Cell(None, why=missing[one.state]))


def _runs(outcomes: Sequence[Outcome], out: Path, seconds: Mapping[str, float]) -> Table:
    rows = []
    for one in outcomes:
        taken = read_taken(out / one.planned.name)
        said = "; ".join(f"{step} from {own.run}" for step, own in taken.items()) or "nothing"
        spent = seconds[one.planned.name]
        state = f"failed: {one.why}" if one.state == "failed" else one.state
        rows.append(
            Row(
                (
                    *_first(one, outcomes),
                    Cell(one.planned.name),
                    Cell(state),
                    Cell(spent if spent else None, why="" if spent else "it has not begun"),
                    Cell(said),
                )
            )
        )
    return Table(
        "Each run is a folder beside this report, with a report of its own.",
        (
            *_varied(outcomes),
            Column("Folder"),
            Column("State"),
            Column("Seconds here", "Of all steps, what was taken over not counted.", digits=0),
            Column("Taken over", "Steps that another run made with the same settings."),
        ),
        tuple(rows),
    )


def _varied(outcomes: Sequence[Outcome]) -> list[Column]:
    return [Column(name, "What varied.") for name in dict.fromkeys(n for one in outcomes for n in one.planned.varied)]


def _first(one: Outcome, outcomes: Sequence[Outcome]) -> list[Cell]:
    return [Cell(one.planned.varied.get(column.name, "")) for column in _varied(outcomes)]
