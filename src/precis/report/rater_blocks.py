"""How far raters agree, as a section of a report."""

from __future__ import annotations

from collections.abc import Sequence

from ..evaluation.judgements.raters import LEVELS, RaterAgreement
from .contents import Cell, Column, Plot, Row, Section, Table, Text, cell
from .sentences import count, percent, plain_number


def raters_findings(found: Sequence[RaterAgreement]) -> list[str]:
    """Alpha of each axis, in sentences."""
    return [
        f"{one.axis}: Krippendorff's alpha "
        + ", ".join(f"{level} {plain_number(alpha)}" for level, alpha in one.alpha.items())
        + f"; marks are equal in {percent(one.same)} ({count(one.items, 'item')}, {count(len(one.raters), 'rater')})."
        for one in found
    ]


def raters_section(found: Sequence[RaterAgreement]) -> Section:
    """Alpha by axis, plotted and as a table."""
    shown = [
        (f"{one.axis}, {level}", alpha)
        for one in found
        for level, alpha in one.alpha.items()
        if alpha.value is not None
    ]
    rows = [
        {"label": name, "value": alpha.value, "low": alpha.low, "high": alpha.high, "n": alpha.n, "twin": None}
        for name, alpha in shown
    ]
    caption = "Krippendorff's alpha with 95% intervals; n counts documents, 0 is what chance agrees on."
    data = {"rows": rows, "xlabel": "alpha", "reference": 0.0, "scale": 1.0, "twin": ""}
    said = "; ".join(f"{name} {plain_number(alpha)}" for name, alpha in shown)
    plots = (Plot("forest", data, caption, f"{caption} {said}"),) if shown else ()
    return Section(
        "Agreement of raters",
        (
            *plots,
            raters_table(found),
            Text(
                "Nominal knows equal and unequal marks, ordinal their order, interval their distances. Krippendorff's "
                "custom is to trust 0.8, and 0.667 for tentative conclusions."
            ),
        ),
    )


def raters_table(found: Sequence[RaterAgreement]) -> Table:
    """One row an axis."""
    return Table(
        "Agreement of raters.",
        (
            Column("Axis"),
            *(Column(level.capitalize(), "Krippendorff's alpha.", "", 1, 3) for level in LEVELS),
            Column("Equal", "Share of pairs of marks of one item that are equal, %.", "", 100),
            Column("Items", "Marked by two raters or more.", digits=0),
            Column("Alone", "Items of one rater only, left out.", digits=0),
            Column("Raters", digits=0),
        ),
        tuple(
            Row(
                (
                    Cell(one.axis),
                    *(cell(one.alpha[level]) if level in one.alpha else Cell("") for level in LEVELS),
                    cell(one.same),
                    Cell(one.items),
                    Cell(one.alone),
                    Cell(len(one.raters)),
                )
            )
            for one in found
        ),
    )
