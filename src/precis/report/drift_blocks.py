"""Whether labels still mean the same, as a section of a report."""

from __future__ import annotations

from ..evaluation.judgements.drift import Drift
from .contents import Block, Cell, Column, Notice, Row, Section, Table, cell
from .intervals import interval_plots
from .sentences import change


def drift_section(found: Drift) -> Section:
    """The sentinel pair's win rate by batch."""
    total = sum(one.comparisons for one in found.batches)
    mean = sum((one.win_rate.value or 0) * one.comparisons for one in found.batches) / total
    blocks: list[Block] = [
        *interval_plots(
            {one.batch or "(no batch)": one.win_rate for one in found.batches},
            f"{found.system} preferred (%)",
            f"{found.system} against {found.against} by batch; the dashed line is all batches together.",
            reference=mean,
        ),
        drift_table(found),
    ]
    blocks += [Notice(sentence) for sentence in drift_findings(found) if found.trend_flagged or _flagged(found)]
    return Section("Drift", tuple(blocks))


def drift_table(found: Drift) -> Table:
    """Batches in order, with the test of each."""
    return Table(
        f"{found.system} against {found.against}, by batch.",
        (
            Column("Batch"),
            Column("Win rate", "Share of comparisons, indifference ½, %.", "", 100),
            Column("Gap", "This batch minus all others, points.", "", 100),
            Column("p", "Permutation test, corrected for the number of batches.", "", 1, 3),
            Column("Comparisons", digits=0),
            Column("Flag"),
        ),
        tuple(
            Row(
                (
                    Cell(one.batch or "(no batch)"),
                    cell(one.win_rate),
                    Cell(one.gap),
                    Cell(one.p_value),
                    Cell(one.comparisons),
                    Cell("drift" if one.flagged else ""),
                )
            )
            for one in found.batches
        ),
        note=f"Trend: {change(found.trend)} a batch, p = {found.trend_p:.3f}.",
    )


def _flagged(found: Drift) -> list[str]:
    return [one.batch or "(no batch)" for one in found.batches if one.flagged]


def drift_findings(found: Drift) -> list[str]:
    """Whether labels still mean the same."""
    pair, flagged = f"{found.system} against {found.against}", _flagged(found)
    said = []
    if flagged:
        said.append(f"Drift: {pair} was judged differently in {', '.join(flagged)} than in the other batches.")
    if found.trend_flagged:
        said.append(
            f"Drift: the win rate of {pair} changes by {change(found.trend)} a batch (p = {found.trend_p:.3f})."
        )
    return said or [
        f"No drift found: {pair} was judged alike in {len(found.batches)} batches "
        f"(trend {change(found.trend)} a batch, p = {found.trend_p:.2f})."
    ]
