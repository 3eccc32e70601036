"""What the analyses of stored judgements share: what they read, whose comparisons count, how tables are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UserError
from ..app import open_store, show_table

if TYPE_CHECKING:
    from ...evaluation.judgements.choices import Choice
    from ...records import Group
    from ...report.contents import Cell, Column, Table
    from ..options import Where

LabelersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--labeler",
        metavar="NAME",
        help="Whose comparisons count (may be repeated). Default: every person's; every judge's if no person compared.",
    ),
]


def read_groups(where: Where, *, references_compete: bool = True) -> list[Group]:
    """Every document with its candidates, references among them unless they do not compete, and judgements."""
    with open_store(where.store, create=False) as opened:
        groups = opened.groups(where.dataset, where.split, references_compete=references_compete)
    judged = [group for group in groups if group.judgements]
    if not judged:
        raise UserError(
            f"the store {where.store} holds no judgements of such documents; import some, or run precis judge"
        )
    return judged


def read_choices(groups: Sequence[Group], labelers: Sequence[str] | None) -> list[Choice]:
    """The comparisons that count."""
    from ...evaluation.judgements.choices import choices_of, named, people_or_all

    choices = choices_of(groups)
    if not choices:
        raise UserError("no judgement here is a comparison of two texts; import some, or run precis judge comparer")
    if not labelers:
        return people_or_all(choices)
    wanted = named(labelers, list(dict.fromkeys(choice.labeler for choice in choices)), "labeler")
    return [choice for choice in choices if choice.labeler in wanted]


def judged_by(choices: Sequence[Choice]) -> str:
    """Who chose, in a word."""
    from ...evaluation.judgements.choices import PERSON

    names = list(dict.fromkeys(choice.labeler for choice in choices))
    if all(name.startswith(PERSON) for name in names):
        return "people"
    return names[0] if len(names) == 1 else f"{len(names)} judges"


def pooling_warnings(choices: Sequence[Choice]) -> list[str]:
    """A note where several data sets are counted together."""
    datasets = sorted({choice.dataset for choice in choices if choice.dataset})
    if len(datasets) < 2:
        return []
    return [f"{len(datasets)} data sets are counted together ({', '.join(datasets)}); --dataset takes one."]


def show_block(table: Table, columns: Sequence[str] | None = None) -> None:
    """A report's table on the terminal, all columns or those named."""
    places = [n for n, column in enumerate(table.columns) if columns is None or n == 0 or column.name in columns]
    show_table(
        table.caption,
        [table.columns[n].name for n in places],
        [[_text(row.cells[n], table.columns[n]) for n in places] for row in table.rows],
    )


def _text(cell: Cell, column: Column) -> str:
    from ...report.contents import number

    if cell.value is None:
        return "–"
    if isinstance(cell.value, str):
        return cell.value
    text = number(cell.value, column)
    if cell.low is not None and cell.high is not None:
        text += f" [{number(cell.low, column)}, {number(cell.high, column)}]"
    return text
