"""Judges against human ratings, as sections of a report."""

from __future__ import annotations

from collections.abc import Sequence

from ..evaluation.judgements.metaevaluation import JudgeOnAxis
from .contents import Cell, Column, Plot, Row, Section, Table, Text, cell
from .sentences import count, percent, plain_number


def judges_findings(found: Sequence[JudgeOnAxis]) -> list[str]:
    """The judges of each axis from the highest summary-level tau down, in sentences."""
    said = []
    for axis in dict.fromkeys(one.axis for one in found):
        own = [one for one in found if one.axis == axis]
        known = [one for one in own if one.within["kendall"].value is not None]
        ordered = sorted(known, key=lambda one: -(one.within["kendall"].value or 0.0))
        listed = "; ".join(
            f"{one.judge} {plain_number(one.within['kendall'])}, right on {percent(one.accuracy)} of pairs"
            for one in ordered
        )
        said.append(f"{axis}: tau-b within documents: {listed or 'not estimable for any judge'}.")
    return said


def judges_warnings(found: Sequence[JudgeOnAxis]) -> list[str]:
    """What took no part."""
    said = []
    for judge in dict.fromkeys(one.judge for one in found):
        own = [one for one in found if one.judge == judge]
        most = max(own, key=lambda one: one.unjudged)
        if most.unjudged:
            said.append(
                f"{judge} has no value of {most.unjudged:,} of {most.rated:,} rated summaries: left out"
                + (f" (it failed on {count(own[0].failures, 'judgement')})." if own[0].failures else ".")
            )
    return said


def judges_sections(found: Sequence[JudgeOnAxis]) -> list[Section]:
    """One section an axis: a plot of the correlations within documents and the table."""
    sections = []
    for axis in dict.fromkeys(one.axis for one in found):
        own = [one for one in found if one.axis == axis]
        sections.append(Section(axis.capitalize(), (*_plot(own), judges_table(own))))
    sections.append(
        Section(
            "How to read the numbers",
            (
                Text(
                    "Within documents (summary level): the correlation among the summaries of one document, averaged "
                    "over documents. Between systems (system level): the correlation of the systems' means over "
                    "documents. Few systems make it jump; its interval resamples documents, not systems, and leans to "
                    "0, since drawing documents again adds noise to the means. Pairs: the share of pairs of one "
                    "document's summaries with different ratings in which the judge prefers the same one; 50% is a "
                    "coin."
                ),
            ),
        )
    )
    return sections


def _plot(own: Sequence[JudgeOnAxis]) -> tuple[Plot, ...]:
    shown = [(one.judge, one.within["kendall"]) for one in own if one.within["kendall"].value is not None]
    if not shown:
        return ()
    rows = [
        {"label": name, "value": tau.value, "low": tau.low, "high": tau.high, "n": tau.n, "twin": None}
        for name, tau in shown
    ]
    caption = f"Kendall's tau-b with {own[0].axis} within documents, 95% intervals; n counts documents."
    data = {"rows": rows, "xlabel": "tau-b, mean over documents", "reference": 0.0, "scale": 1.0, "twin": ""}
    return (Plot("forest", data, caption, caption + " " + "; ".join(f"{n} {plain_number(t)}" for n, t in shown)),)


def judges_table(own: Sequence[JudgeOnAxis]) -> Table:
    """The judges on one axis."""
    first = own[0]
    rival = next((one.ahead.b for one in own if one.ahead is not None), "")
    return Table(
        f"{first.axis}: {first.rated:,} rated summaries of {first.systems} systems.",
        (
            Column("Judge"),
            Column("tau-b", "Kendall's, within documents (summary level).", "higher", 1, 3),
            Column("rho", "Spearman's, within documents (summary level).", "higher", 1, 3),
            Column("Ahead by", f"tau-b minus that of {rival}, on the same documents." if rival else "", "", 1, 3),
            Column("tau-b, systems", "Between systems' means (system level).", "higher", 1, 3),
            Column("rho, systems", "Between systems' means (system level).", "higher", 1, 3),
            Column("Pairs right", "Of pairs that people rated differently, its ties ½, %.", "higher", 100),
            Column("Pairs", digits=0),
            Column("Undecided", "Of these, pairs on which the judge is tied.", digits=0),
            Column("No value", "Pairs without the judge's verdict, left out.", digits=0),
            Column("No tau", "Documents in which it is undefined: one side constant.", digits=0),
        ),
        tuple(
            Row(
                (
                    Cell(one.judge),
                    *(cell(one.within[method]) for method in ("kendall", "spearman")),
                    cell("") if one.ahead is None else cell(one.ahead),
                    *(cell(one.between[method]) for method in ("kendall", "spearman")),
                    cell(one.accuracy),
                    Cell(one.pairs),
                    Cell(one.judge_ties),
                    Cell(one.no_value),
                    Cell(one.within["kendall"].missing),
                )
            )
            for one in own
        ),
        note=f"{count(first.human_ties, 'pair')} that people rated equal take no part."
        + (f" Ahead by: of {rival}." if rival else ""),
    )
