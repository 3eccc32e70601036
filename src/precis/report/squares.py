"""Tables with the same names down and across."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .contents import Cell, Column, Row, Table


def square_table(
    caption: str, order: Sequence[str], names: Mapping[str, str], value: Callable[[str, str], Cell], column: Column
) -> Table:
    """A table with the same names down and across; `column` says how numbers are shown."""
    return Table(
        caption,
        (
            Column(""),
            *(Column(names[name], "", "", column.scale, column.digits) for name in order),
        ),
        tuple(Row((Cell(names[a]), *(value(a, b) for b in order))) for a in order),
    )
