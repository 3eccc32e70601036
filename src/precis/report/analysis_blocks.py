"""Analyses as blocks of a report: reward models, best-of-N, agreement, and how a training run went."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..evaluation.judgements.agreement import PairAgreement
from ..evaluation.optimization.bestofn import Curve
from ..evaluation.rewardmodel import Accuracy, Calibration
from ..evaluation.statistics import Difference, Estimate
from .contents import Block, Cell, Column, Notice, Plot, Row, Table, Text, cell, number

_ACCURACY = Column("Accuracy", "Share of held-out pairs ordered as the judge did, a tie ½, %.", "higher", 100)
_POINTS = 1_000  # of a training curve; more would not be seen and make the file heavy


def accuracy_table(
    caption: str,
    rows: Sequence[Accuracy],
    gains: Sequence[Difference] = (),
    *,
    what: str = "Scorer",
    contest: bool = True,
) -> Table:
    """Accuracies; with `gains`, how far one scorer is ahead of each other one on the same pairs.

    `what` names the first column; without `contest` (classes of pairs, not scorers) no value is marked best.
    """
    ahead = {gain.b: gain for gain in gains}
    columns = [Column(what), _ACCURACY if contest else replace(_ACCURACY, better="")]
    if gains:
        columns.append(Column(f"{gains[0].a} is ahead by", "Points of accuracy, paired by document.", "", 100))
    columns += [Column("Pairs", digits=0), Column("Ties", digits=0), Column("No score", digits=0)]
    return Table(
        caption,
        tuple(columns),
        tuple(
            Row(
                (
                    Cell(row.name),
                    cell(row.accuracy),
                    *([cell(ahead[row.name]) if row.name in ahead else Cell("")] if gains else []),
                    Cell(row.pairs),
                    Cell(row.ties),
                    Cell(row.missing),
                )
            )
            for row in rows
        ),
    )


def calibration_blocks(found: Calibration) -> list[Block]:
    """The curve, its table and the slope."""
    bins = [
        {
            "predicted": b.predicted,
            "actual": b.actual.value,
            "low": b.actual.low,
            "high": b.actual.high,
            "pairs": b.pairs,
        }
        for b in found.bins
    ]
    said = "; ".join(f"{b.predicted:.2f} predicted, {b.actual.value:.2f} actual" for b in found.bins if b.actual.value)
    table = Table(
        "Calibration: pairs in order of the predicted probability.",
        (
            Column("Predicted range"),
            Column("Predicted", "Mean of σ(|reward difference|), %.", "", 100),
            Column("Actual", "How often the higher reward was the judge's choice, %.", "", 100),
            Column("Pairs", digits=0),
        ),
        tuple(
            Row((Cell(f"{b.low:.3f} to {b.high:.3f}"), Cell(b.predicted), cell(b.actual), Cell(b.pairs)))
            for b in found.bins
        ),
    )
    error = "" if found.error is None else f"Mean gap between predicted and actual: {100 * found.error:.1f} points. "
    return [
        Plot(
            "calibration",
            {"bins": bins, "xlabel": "predicted probability", "ylabel": "share that came true"},
            "Is the reward model as often right as it claims? Points below the dashed line are over-confident.",
            f"Calibration of the reward model: {said}",
        ),
        table,
        Text(
            f"{error}The slope that fits best (1 is calibrated, below 1 over-confident): {_shown(found.slope, 1, 2)}."
        ),
    ]


def best_of_n_blocks(
    curve: Curve, *, proxy: str, gold: str, scale: float = 1.0, digits: int = 3, drawn: bool = True
) -> list[Block]:
    """What choosing among n candidates buys, in gold's units, with the ceiling and the turning point.

    The KL is known for candidates that were `drawn` independently; for those of a search it is not, and stands nowhere.
    """
    points = [point for point in curve.points if point.gold.value is not None]
    line: dict[str, Any] = {"name": f"chosen by {proxy}", "x": [point.n for point in points]}
    for name, attribute in (("y", "value"), ("low", "low"), ("high", "high")):
        values = [getattr(point.gold, attribute) for point in points]
        line[name] = [None if value is None else value * scale for value in values]
    lines = [line]
    if curve.ceiling.value is not None:
        ceiling = curve.ceiling.value * scale
        lines.append(
            {
                "name": f"ceiling, {gold} chooses",
                "x": line["x"],
                "y": [ceiling] * len(points),
                "dots": False,
            }
        )
    fall = curve.after_peak.difference
    over = fall.high is not None and fall.high < 0
    kl = [Column("KL (nats)", "log n − (n − 1)/n, of independent samples.", "", 1, 2)] if drawn else []
    table = Table(
        f"Best of n, chosen by {proxy}.",
        (
            Column("n", digits=0),
            *kl,
            Column(f"{gold}", "Expected score of the chosen one.", "higher", scale, digits),
            Column(f"{proxy}", "Expected score by the judge that chooses.", "", 1, 3),
        ),
        (
            *(
                Row((Cell(str(point.n)), *(Cell(point.kl) for _ in kl), cell(point.gold), cell(point.proxy)))
                for point in curve.points
            ),
            Row((Cell(f"ceiling ({gold})"), *(Cell("") for _ in kl), cell(curve.ceiling), Cell("")), aside=True),
        ),
    )
    blocks: list[Block] = [
        Plot(
            "curves",
            {
                "lines": lines,
                "xlabel": "candidates a document (n)",
                "ylabel": gold,
                "xlog": True,
                "marks": [{"x": curve.peak, "label": "turning point"}] if over else [],
            },
            f"Expected {gold} of the best of n by {proxy}; the band is the 95% interval.",
            f"Best-of-n by {proxy}: "
            + "; ".join(f"n={p.n}: {p.gold.value * scale:.{digits}f}" for p in points if p.gold.value is not None),
        ),
        table,
    ]
    if over:
        loss = _shown(fall, scale, digits)
        blocks.append(Notice(f"Over-optimization: beyond n = {curve.peak}, {gold} falls; last minus peak is {loss}."))
    return blocks


def _shown(estimate: Estimate, scale: float, digits: int) -> str:
    """An estimate in a sentence."""
    column = Column("", scale=scale, digits=digits)
    if estimate.value is None:
        return f"not estimable ({estimate.why})"
    if estimate.low is None or estimate.high is None:
        return f"{number(estimate.value, column)} (no interval: {estimate.why})"
    low, high = number(estimate.low, column), number(estimate.high, column)
    return f"{number(estimate.value, column)} [{low}, {high}]"


def agreement_table(pairs: Sequence[PairAgreement], failures: Mapping[str, int] | None = None) -> Table:
    """Agreement of every two judges."""
    failed = ", ".join(f"{judge}: {count}" for judge, count in (failures or {}).items() if count)
    return Table(
        "Agreement between judges.",
        (
            Column("Judges"),
            Column("Agreement", "Share of pairs with the same preference, %; n counts documents.", "", 100),
            Column("Kappa", "Cohen's: agreement beyond chance.", "", 1, 2),
            Column("Pairs", "Judged by both.", digits=0),
            Column("Ties", "Of these, pairs on which one of the two said tie.", digits=0),
        ),
        tuple(
            Row(
                (
                    Cell(f"{pair.a} and {pair.b}"),
                    cell(pair.agreement),
                    cell(pair.kappa, "" if pair.kappa is not None else "chance explains everything"),
                    Cell(pair.items),
                    Cell(pair.ties),
                )
            )
            for pair in pairs
        ),
        note=f"Failures, left out: {failed}." if failed else "",
    )


def read_metrics(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The rows of a `metrics.jsonl`, and how many lines were no JSON object (a killed run leaves half a last line)."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    rows, broken = [], 0
    for line in filter(str.strip, lines):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            broken += 1
    return rows, broken


def training_plot(
    rows: Sequence[Mapping[str, Any]], curves: Mapping[str, Sequence[str]], *, x: str = "step", caption: str = ""
) -> Plot | None:
    """How a run went: one panel for each of `curves` (title → names of metrics); None if no row has any of them.

    Numbers that are not finite leave gaps. Long curves keep every so-many-th point.
    """
    panels: list[dict[str, Any]] = []
    for title, names in curves.items():
        lines = []
        for name in names:
            points = [(row[x], row[name]) for row in rows if _is_number(row.get(x)) and row.get(name) is not None]
            points = points[:: max(1, len(points) // _POINTS)]
            if any(_is_number(value) for _, value in points):
                values = [value if _is_number(value) else None for _, value in points]
                lines.append({"name": name, "x": [step for step, _ in points], "y": values})
        if lines:
            panels.append({"title": title, "lines": lines})
    if not panels:
        return None
    last = "; ".join(_said(line) for panel in panels for line in panel["lines"])
    return Plot("panels", {"panels": panels, "xlabel": x}, caption or "Training.", f"Training curves: {last}")


def _said(line: Mapping[str, Any]) -> str:
    known = [value for value in line["y"] if value is not None]
    return f"{line['name']} from {known[0]:.3g} to {known[-1]:.3g}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
