"""Scaling fits as a section of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..evaluation.optimization.scaling import ScalingFit, Slope, TrainingRun
from .contents import Block, Cell, Column, Notice, Plot, Row, Section, Table, cell, number

_NAMES = {"pairs": "training pairs", "parameters": "parameters"}
_GAIN = Column("Gain", "Points of accuracy a doubling, with a Student's t interval over runs.", "", 100, 2)
_UNITS = ((1e9, "B", " (billions)"), (1e6, "M", " (millions)"), (1e3, "k", " (thousands)"))


def scaling_section(runs: Sequence[TrainingRun], fit: ScalingFit) -> Section:
    """The slopes, a plot for each axis that varies, and the runs by size."""
    blocks: list[Block] = [slopes_table(fit)]
    blocks += [_plot(runs, fit, slope) for slope in fit.slopes if len(slope.sizes) > 1]
    blocks.append(_sizes(runs, fit))
    blocks += [Notice(f"{_NAMES[slope.axis]}: {slope.note}.", "note") for slope in fit.slopes if slope.note]
    return Section("Accuracy and size", tuple(blocks))


def slopes_table(fit: ScalingFit) -> Table:
    """What a doubling of data and of the model buys, beside the paper's figures."""
    quality = [] if fit.r2 is None else [f"R² = {fit.r2:.3f}"]
    quality += [] if fit.residual_sd is None else [f"runs scatter by {100 * fit.residual_sd:.2f} points around the fit"]
    return Table(
        "What one doubling buys, the other size held fixed.",
        (
            Column("Doubling the"),
            _GAIN,
            Column("In the paper", "Stiennon et al. 2020: 160M–13B parameters, 8k–64k pairs.", "", 100, 1),
            Column("Sizes", digits=0),
        ),
        tuple(
            Row((Cell(_NAMES[slope.axis]), cell(slope.per_doubling), Cell(slope.paper), Cell(len(slope.sizes))))
            for slope in fit.slopes
        ),
        note="; ".join(quality) + "." if quality else "",
    )


def gain_sentence(slope: Slope) -> str:
    """What one doubling buys, with interval and n, and whether the paper's figure lies inside."""
    what, gain = {"pairs": "the data", "parameters": "the model"}[slope.axis], slope.per_doubling
    if gain.value is None:
        return f"Doubling {what}: not estimable, {gain.why}."
    said = f"Doubling {what} buys {number(gain.value, _GAIN)} points of accuracy"
    if gain.low is None or gain.high is None:
        return f"{said} ({gain.n} runs; no interval: {gain.why})."
    holds = "lies inside" if gain.low <= slope.paper <= gain.high else "lies outside"
    interval = f"[{number(gain.low, _GAIN)}, {number(gain.high, _GAIN)}]"
    return f"{said} {interval} ({gain.n} runs); the paper's {number(slope.paper, _GAIN)} {holds}."


def _plot(runs: Sequence[TrainingRun], fit: ScalingFit, slope: Slope) -> Plot:
    """Accuracy over one axis, a line for each size on the other."""
    other = "parameters" if slope.axis == "pairs" else "pairs"
    lines: list[dict[str, Any]] = []
    for size in sorted({getattr(run, other) for run in runs}, key=lambda size: size or 0.0):
        own = [run for run in runs if getattr(run, other) == size]
        x = sorted({getattr(run, slope.axis) for run in own if getattr(run, slope.axis) is not None})
        values = [[run.accuracy for run in own if getattr(run, slope.axis) == at] for at in x]
        name = "accuracy" if size is None else f"{_short(size)} {_NAMES[other]}"
        line = {"name": name, "x": x, "y": [100 * float(np.mean(v)) for v in values]}
        line |= {end: [100 * pick(v) for v in values] for end, pick in (("low", min), ("high", max))}
        lines.append(line)
    middle = {axis: 2**at for axis, at in fit.centre.items()}
    fitted = [fit.predict(**{"parameters": None, "pairs": None} | middle | {slope.axis: at}) for at in slope.sizes]
    if slope.per_doubling.value is not None:
        drawn = [None if value is None else 100 * value for value in fitted]
        lines.append({"name": "fitted, at the mean size", "x": list(slope.sizes), "y": drawn, "dots": False})
    said = "; ".join(f"{line['name']}: " + ", ".join(f"{y:.1f}" for y in line["y"] if y is not None) for line in lines)
    unit, word = next(((unit, word) for unit, _, word in _UNITS if slope.sizes[-1] >= unit), (1.0, ""))
    lines = [{**line, "x": [at / unit for at in line["x"]]} for line in lines]
    return Plot(
        "curves",
        {"lines": lines, "xlabel": f"{_NAMES[slope.axis]}{word}", "ylabel": "accuracy (%)", "xlog": True},
        f"Accuracy over {_NAMES[slope.axis]}; bands run from the lowest seed to the highest.",
        f"Accuracy over {_NAMES[slope.axis]}, {said}",
    )


def _short(size: float) -> str:
    """1300000000 is 1.3B."""
    for unit, name, _ in _UNITS:
        if size >= unit:
            return f"{size / unit:.3g}{name}"
    return f"{size:.3g}"


def _sizes(runs: Sequence[TrainingRun], fit: ScalingFit) -> Table:
    rows = []
    for sizes in sorted({(run.parameters, run.pairs) for run in runs}, key=lambda own: (own[0] or 0.0, own[1] or 0.0)):
        own = [run for run in runs if (run.parameters, run.pairs) == sizes]
        values = [run.accuracy for run in own]
        fitted = fit.predict(*sizes)
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        rows.append(
            Row(
                (
                    *(Cell("–" if size is None else _short(size)) for size in sizes),
                    Cell(float(np.mean(values))),
                    Cell(spread, why="" if spread is not None else "one seed"),
                    Cell(len(own)),
                    Cell(fitted, why="no fit" if fitted is None else ""),
                )
            )
        )
    return Table(
        "The runs, by size.",
        (
            Column("Parameters"),
            Column("Pairs"),
            Column("Accuracy", "Mean over seeds, %.", "", 100),
            Column("SD", "Over seeds, points.", "", 100, 2),
            Column("Seeds", digits=0),
            Column("Fitted", "What the fit says for these sizes, %.", "", 100),
        ),
        tuple(rows),
    )
