"""Ratings on axes as sections of a report."""

from __future__ import annotations

from collections.abc import Sequence

from ..evaluation.judgements.axes import AxisRatings
from .contents import Block, Cell, Column, Plot, Row, Section, Table, cell
from .sentences import count, percent, plain_number


def axes_findings(found: Sequence[AxisRatings]) -> list[str]:
    """Each system on each axis, in sentences."""
    return [
        f"{axis}: "
        + "; ".join(
            f"{one.system} {plain_number(one.mean)}, {percent(one.best)} at {one.high} ({count(one.ratings, 'rating')})"
            for one in found
            if one.axis == axis
        )
        + "."
        for axis in dict.fromkeys(one.axis for one in found)
    ]


def axes_sections(found: Sequence[AxisRatings]) -> list[Section]:
    """One section an axis: histograms by system and a table."""
    sections = []
    for axis in dict.fromkeys(one.axis for one in found):
        own = [one for one in found if one.axis == axis]
        low, high = own[0].low, own[0].high
        blocks: list[Block] = [
            Plot(
                "histogram",
                {
                    "series": [
                        {
                            "name": one.system,
                            "mean": one.mean.value,
                            "shares": [100 * mark / one.ratings for mark in one.counts],
                        }
                        for one in own
                    ],
                    "edges": [low - 0.5 + step for step in range(high - low + 2)],
                    "xlabel": f"{axis} ({low} to {high})",
                    "ylabel": "share of ratings",
                },
                f"Ratings of {axis}, by system; the line is the mean.",
                f"Mean {axis}: " + "; ".join(f"{one.system} {plain_number(one.mean)}" for one in own),
            ),
            axis_table(own),
        ]
        sections.append(Section(axis.capitalize(), tuple(blocks)))
    return sections


def axis_table(own: Sequence[AxisRatings]) -> Table:
    """The systems on one axis."""
    low, high = own[0].low, own[0].high
    return Table(
        f"{own[0].axis}, {low} to {high}. n counts documents.",
        (
            Column("System"),
            Column("Mean", "", "higher", 1, 2),
            Column(f"At {high}", "Share of ratings with the best mark, %.", "higher", 100),
            *(Column(str(mark), f"Ratings of {mark}.", digits=0) for mark in range(low, high + 1)),
            Column("Ratings", digits=0),
            Column("Raters", digits=0),
        ),
        tuple(
            Row(
                (
                    Cell(one.system),
                    cell(one.mean),
                    cell(one.best),
                    *(Cell(mark) for mark in one.counts),
                    Cell(one.ratings),
                    Cell(one.raters),
                )
            )
            for one in own
        ),
    )
