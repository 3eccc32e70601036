"""Position bias as a section of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..evaluation.judgements.position import PositionBias
from .contents import Cell, Column, Row, Section, Table, Text, cell
from .intervals import interval_plots
from .sentences import count, percent, plain_number


def position_findings(found: Sequence[PositionBias], names: Mapping[str, str]) -> list[str]:
    """Who likes what comes first, in sentences."""
    said = []
    for one in found:
        share = one.first_chosen
        if share.value is None:
            continue
        verdict = "no bias is shown"
        if share.low is not None and share.high is not None:
            if share.low > 0.5:
                verdict = "what comes first is favoured"
            elif share.high < 0.5:
                verdict = "what comes second is favoured"
        said.append(
            f"{names[one.judge]}: the text shown first is chosen in {percent(share)} of "
            f"{count(one.preferences, 'preference')}; {verdict}."
        )
        if one.both_orders:
            said.append(
                f"{names[one.judge]}: of {count(one.both_orders, 'pair')} judged in both orders: "
                f"{percent(one.consistent)} kept the answer, {one.first} went to the first place both times, "
                f"{one.second} to the second; the first place is worth {plain_number(one.bias)} logits."
            )
    return said


def position_section(found: Sequence[PositionBias], names: Mapping[str, str]) -> Section:
    """Share first chosen, and what pairs judged in both orders say."""
    return Section(
        "Position bias",
        (
            *interval_plots(
                {names[one.judge]: one.first_chosen for one in found},
                "the text shown first is chosen (%)",
                "Share of preferences that went to the text shown first, with 95% intervals; 50% is fair.",
            ),
            position_table(found, names),
            Text(
                "Share first chosen is a bias only if the order was drawn by lot. Pairs judged in both orders need no "
                "lot: the bias in logits is ½ log(first both times / second both times)."
            ),
        ),
    )


def position_table(found: Sequence[PositionBias], names: Mapping[str, str]) -> Table:
    """One row a judge."""
    return Table(
        "What the first place is worth.",
        (
            Column("Judge"),
            Column("First chosen", "Share of preferences that went to the text shown first, %.", "", 100),
            Column("Preferences", "With a known order.", digits=0),
            Column("Ties", digits=0),
            Column("No order", "Comparisons and rankings whose order is not known.", digits=0),
            Column("Both orders", "Pairs judged in both orders.", digits=0),
            Column("Consistent", "Of these, the share that kept its answer, %.", "", 100),
            Column("First twice", "Pairs whose answer went with the first place.", digits=0),
            Column("Second twice", digits=0),
            Column("Bias", "In logits; 0 is fair.", "", 1, 2),
        ),
        tuple(
            Row(
                (
                    Cell(names[one.judge]),
                    cell(one.first_chosen),
                    Cell(one.preferences),
                    Cell(one.ties),
                    Cell(one.unknown_order),
                    Cell(one.both_orders),
                    cell(one.consistent),
                    Cell(one.first),
                    Cell(one.second),
                    cell(one.bias),
                )
            )
            for one in found
        ),
    )
