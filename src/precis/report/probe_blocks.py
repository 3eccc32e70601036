"""Probes of judges as a section of a report."""

from __future__ import annotations

from collections.abc import Sequence

from ..evaluation.probes.making import SANDBOX
from ..evaluation.probes.run import ProbeResult
from .contents import Block, Cell, Column, Notice, Plot, Row, Section, Table, cell

_DESERVES = {"reject": "lower", "prefer": "higher"}


def probe_section(judge: str, results: Sequence[ProbeResult]) -> Section:
    """One judge on all probes: the intervals, the tables, and where it is fooled."""
    parts = {
        "Edits of summaries": [result for result in results if not result.probe.startswith(SANDBOX)],
        "Cheats against the sandbox's ideal summary": [r for r in results if r.probe.startswith(SANDBOX)],
    }
    blocks: list[Block] = []
    for what, own in parts.items():
        if own:
            blocks += [_plot(judge, what, own), probe_table(judge, own, what)]
    for verdict, said in (("wrong", "on the wrong side more often than not"), ("blind", "exactly as their originals")):
        if those := [result.probe for result in results if result.verdict == verdict]:
            blocks.append(Notice(f"{judge} scores these edits {said}: {', '.join(those)}."))
    return Section(f"Probes of {judge}", tuple(blocks))


def paper_section(results: Sequence[ProbeResult]) -> Section:
    """What the paper reports of such probes."""
    rows = {result.probe: result.paper for result in results if result.paper}
    table = Table(
        "Probes in Stiennon et al. 2020, §4.3; their edits were made by people or by other rules.",
        (Column("Probe"), Column("In the paper")),
        tuple(Row((Cell(probe), Cell(paper))) for probe, paper in rows.items()),
    )
    return Section("In the paper", (table,))


def _plot(judge: str, what: str, results: Sequence[ProbeResult]) -> Plot:
    shown = [result for result in results if result.right.value is not None]
    rows = [
        {"label": r.probe, "value": r.right.value, "low": r.right.low, "high": r.right.high, "n": r.right.n}
        for r in shown
    ]
    return Plot(
        "forest",
        {"rows": rows, "xlabel": "scored as a good judge would (%)"},
        f"{what}: how often {judge} scores them on the right side of the original; 50% is a coin.",
        f"Probes of {judge}: " + "; ".join(f"{r.probe} {r.right.value:.0%}" for r in shown),
    )


def probe_table(judge: str, results: Sequence[ProbeResult], what: str = "Probes") -> Table:
    """Probes of one judge, with what each deserves and how many documents it does not apply to."""
    columns = (
        Column("Probe"),
        Column("Deserves", "The score that the edit deserves, beside the original's."),
        Column("Gets it", "Share of edits that get it, a tie ½, %; n counts documents.", "", 100),
        Column("Score moved by", "Mean of edited minus original, in the judge's unit.", "", 1, 3),
        Column("Length", "Mean ratio of words, edited to original.", "", 1, 2),
        Column("Edits", "Edits with a score on both sides.", digits=0),
        Column("Ties", digits=0),
        Column("No score", "Edits that have no score, or whose originals have none.", digits=0),
        Column("Left out", "Documents to which the edit does not apply.", digits=0),
    )
    reasons = left_out_reasons(results)
    return Table(
        f"{what}, scored by {judge}.",
        columns,
        tuple(
            Row(
                (
                    Cell(r.probe),
                    Cell(_DESERVES[r.good]),
                    cell(r.right),
                    cell(r.shift),
                    Cell(r.length, why="no words" if r.length is None else ""),
                    Cell(r.edits),
                    Cell(r.ties),
                    Cell(r.unscored),
                    Cell(sum(r.left_out.values())),
                )
            )
            for r in results
        ),
        note=f"Left out: {'; '.join(reasons)}." if reasons else "",
    )


def left_out_reasons(results: Sequence[ProbeResult]) -> list[str]:
    """Why probes did not apply: "roles swapped: it names fewer than two people (12)"."""
    return [
        f"{r.probe}: " + ", ".join(f"{why} ({count:,})" for why, count in sorted(r.left_out.items()))
        for r in results
        if r.left_out
    ]
