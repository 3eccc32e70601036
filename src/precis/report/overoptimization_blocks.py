"""Over-optimization curves, collapsed seeds and the stopping rule as sections of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..evaluation.optimization.collapse import SeedState
from ..evaluation.optimization.overoptimization import Curve, Point
from ..evaluation.optimization.replay import Replay
from ..evaluation.statistics import Estimate
from .contents import Block, Cell, Column, Notice, Plot, Row, Section, Table, Text, cell

_SMOOTH = 60  # points of a fitted line


def curve_section(curve: Curve, seeds: Mapping[str, Sequence[SeedState]], replay: Replay | None) -> Section:
    """One curve: gold and proxy against KL, the points, the turning point, the fit, seeds and the stopping rule."""
    plots = [_plot(curve, part) for part in ("gold", "proxy")]
    blocks: list[Block] = [plot for plot in plots if plot is not None]
    blocks += [points_table(curve), Text(turn_sentence(curve))]
    if curve.negative_kl:
        blocks.append(
            Notice(
                f"The mean KL of {', '.join(curve.negative_kl)} came out below 0. A KL is never negative: this is the "
                "noise of estimating it from samples. It is shown as it is; the fitted form takes it for 0.",
                "note",
            )
        )
    if curve.dropped:
        blocks.append(Notice(f"{curve.dropped:,} candidates without a proxy or gold score were left out.", "note"))
    blocks.append(_fit(curve))
    if any(len(point.seeds) > 1 for point in curve.points):
        blocks.append(_seeds(curve, seeds))
    if replay is not None:
        blocks.append(Text(replay_sentence(replay)))
    return Section(curve.title, tuple(blocks))


def _plot(curve: Curve, part: str) -> Plot | None:
    """Gold or proxy against KL, in the order of KL; None if no point has the score."""
    points = sorted(
        (point for point in curve.points if getattr(point, part).value is not None and point.kl.value is not None),
        key=lambda point: float(point.kl.value or 0.0),
    )
    if not points:
        return None
    estimates = [getattr(point, part) for point in points]
    x = [point.kl.value for point in points]
    ends = {end: [getattr(estimate, end) for estimate in estimates] for end in ("low", "high")}
    lines: list[dict[str, Any]] = [{"name": part, "x": x, "y": [e.value for e in estimates], **ends}]
    if part == "gold":
        along = np.linspace(max(0.0, float(x[0] or 0.0)), float(x[-1] or 0.0), _SMOOTH)
        fitted = curve.fit.gold_at(along)
        if fitted is not None:
            lines.append({"name": "fitted form", "x": along.tolist(), "y": fitted.tolist(), "dots": False})
    turned = part == "gold" and curve.turn is not None and curve.turn.is_turned
    marks = [{"x": curve.turn.kl.value, "label": "turning point"}] if turned and curve.turn is not None else []
    said = "; ".join(f"KL {point.kl.value:.3g}: {getattr(point, part).value:.3g}" for point in points)
    return Plot(
        "curves",
        {"lines": lines, "xlabel": "KL from the start (nats)", "ylabel": part, "marks": marks},
        f"{'Gold' if part == 'gold' else 'Proxy'} score against KL; the band is the 95% interval over documents.",
        f"{curve.title}, {part}: {said}",
    )


def points_table(curve: Curve) -> Table:
    """Every point with its KL, proxy and gold, and how often it is the peak."""
    shares = curve.turn.shares if curve.turn is not None else ()
    return Table(
        f"{curve.title}: the points.",
        (
            Column("Point"),
            Column("KL (nats)", "Mean over documents; analytic for best-of-n.", "", 1, 2),
            Column("Proxy", "Mean score by the judge that was optimized.", "", 1, 3),
            Column("Gold", "Mean score by the judge that was not.", "higher", 1, 3),
            Column("Is the peak", "In how many of 100 resamples of the documents gold is highest here.", "", 100, 0),
        ),
        tuple(
            Row((Cell(point.label), *(cell(own) for own in _measured(point)), _share(shares, place)))
            for place, point in enumerate(curve.points)
        ),
    )


def _measured(point: Point) -> tuple[Estimate, Estimate, Estimate]:
    return point.kl, point.proxy, point.gold


def _share(shares: Sequence[float], place: int) -> Cell:
    return Cell(shares[place]) if shares else Cell(None, why="needs two documents")


def turn_sentence(curve: Curve) -> str:
    """Where gold peaks, how sure that is, and whether it falls afterwards."""
    turn = curve.turn
    if turn is None:
        return "Fewer than two points have a gold score: there is no turning point to look for."
    peak, last = curve.points[turn.peak], curve.points[-1]
    said = f"Gold is highest at {peak.label} (KL {turn.kl.value:.3g} nats, {_interval(turn.kl)}): {peak.gold}."
    if turn.peak == len(curve.points) - 1:
        return f"{said} That is the last point: no turn was reached."
    fall = f"From the peak to {last.label} it changes by {turn.fall}"
    if turn.is_turned:
        return f"{said} {fall}: it surely falls, so the proxy is over-optimized beyond the peak."
    return f"{said} {fall}: no fall is sure."


def _interval(kl: Estimate) -> str:
    return f"95% interval {kl.low:.3g} to {kl.high:.3g}" if kl.low is not None else f"no interval: {kl.why}"


def _fit(curve: Curve) -> Table:
    fit = curve.fit
    form = "d(α − βd)" if fit.form == "best-of-n" else "d(α − β log d)"
    note = "R² is not defined." if fit.r2 is None else f"R² = {fit.r2:.3f}."
    if fit.extrapolated:
        note += " The peak lies beyond the largest KL seen: it is extrapolated."
    return Table(
        f"The form of Gao et al. 2023: gold = start + {form}, with d = √KL.",
        (Column("Coefficient"), Column("Value", digits=3)),
        tuple(
            Row((Cell(name), cell(value)))
            for name, value in (
                ("start (gold at KL 0)", fit.start),
                ("α (bought at first)", fit.alpha),
                ("β (what it costs)", fit.beta),
                ("KL at the peak (nats)", fit.peak_kl),
                ("gold at the peak", fit.peak_gold),
            )
        ),
        note=note,
    )


def _seeds(curve: Curve, states: Mapping[str, Sequence[SeedState]]) -> Table:
    rows = []
    for point in curve.points:
        if len(point.seeds) < 2:
            continue
        said = {own.run.seed: own for own in states.get(point.label, ())}
        for seed in point.seeds:
            state = said.get(seed.seed)
            verdict = "not judged" if state is None else f"{state.state}: {state.why}" if state.why else state.state
            numbers = (
                Cell(value, why="unknown" if value is None else "") for value in (seed.kl, seed.proxy, seed.gold)
            )
            rows.append(Row((Cell(point.label), Cell(seed.seed), *numbers, Cell(verdict))))
    return Table(
        "Seeds, each on its own.",
        (
            Column("Point"),
            Column("Seed"),
            Column("KL (nats)", digits=1),
            Column("Proxy", digits=3),
            Column("Gold", digits=3),
            Column("State", "Collapsed: low gold far from the start. Weak: low gold near it."),
        ),
        tuple(rows),
    )


def replay_sentence(replay: Replay) -> str:
    """What the stopping rule would have done."""
    did = f"stopped at {replay.stopped}" if replay.stop else "not stopped this run"
    share = "" if replay.share is None else f", {100 * replay.share:.0f}% of the best gain that they see"
    measured = "" if replay.gold is None else f": gold {replay.gold:.3g} on the other half{share}"
    return (
        f"The stopping rule, shown gold on half of the documents, would have {did} and kept {replay.kept}{measured}. "
        f"Its reason: {replay.why}."
    )
