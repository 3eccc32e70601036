"""Figures as inline SVG: data in, a string out, the same string every time.

Text stays text (so that it can be read aloud, found and shown in any script) and is never taken for markup or
mathematics. Colours are the page's variables, so figures follow light and dark mode; the palette is Okabe and
Ito's, which survives colour blindness, and series differ by marker or dash as well.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from hashlib import sha256
from typing import Any, ParamSpec
from xml.etree import ElementTree

import numpy as np

INK, MUTED, LINE, PAPER = "#1f2329", "#667080", "#d5dae1", "#fefefe"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS, DASHES = ("o", "s", "^", "D", "v", "P"), ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)))
_VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line", PAPER: "--paper"}
_VARIABLES |= {colour: f"--c{n}" for n, colour in enumerate(COLOURS)}
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
WIDTH = 6.2  # inches; 72 points each
SMOOTHED = 120

Line = Mapping[str, Any]
P = ParamSpec("P")


def _drawn(draw: Callable[P, Any]) -> Callable[P, str]:
    """`draw` makes a matplotlib figure; the result gives it as SVG."""

    @wraps(draw)
    def as_svg(*args: P.args, **kwargs: P.kwargs) -> str:
        import matplotlib

        written = io.StringIO()
        with matplotlib.rc_context(), warnings.catch_warnings():
            # A label's dollar signs are not mathematics; a hash salt makes ids the same every time.
            matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "precis", "text.parse_math": False})
            warnings.simplefilter("ignore")  # a glyph that this font lacks is drawn by the reader's browser
            draw(*args, **kwargs).savefig(
                written, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
            )
        return _themed(written.getvalue())

    return as_svg


@_drawn
def forest(
    rows: Sequence[Mapping[str, Any]],
    *,
    xlabel: str,
    reference: float | None = 0.5,
    scale: float = 100.0,
    twin: str = "",
) -> Any:
    """Intervals one below the other: rows of {label, value, low, high, n, twin: {value, low, high} or None}.

    `twin` names the second, hollow mark of each row (the length-controlled rate). A value that is None is not drawn.
    """
    figure, axes = _figure(0.42 * len(rows) + 1.0)
    for y, row in enumerate(rows):
        shift = 0.13 if twin else 0.0
        _interval(axes, y - shift, row, scale, COLOURS[0], filled=True)
        if row.get("twin"):
            _interval(axes, y + shift, row["twin"], scale, COLOURS[1], filled=False)
    labels = [f"{_clean(row['label'])}  (n={row['n']})" for row in rows]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.5, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if reference is not None:
        axes.axvline(reference * scale, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    axes.grid(axis="x", color=LINE, linewidth=0.6)
    axes.set_xlabel(_clean(xlabel))
    if twin:
        axes.plot([], [], "o", color=COLOURS[0], markersize=6, label="raw")
        axes.plot([], [], "o", color=COLOURS[1], markersize=6, markerfacecolor=PAPER, label=_clean(twin))
        _legend(axes, above=True)
    return figure


def _interval(axes: Any, y: float, row: Mapping[str, Any], scale: float, colour: str, *, filled: bool) -> None:
    if row.get("value") is None:
        return
    if row.get("low") is not None and row.get("high") is not None:
        axes.plot([row["low"] * scale, row["high"] * scale], [y, y], color=colour, linewidth=1.8, solid_capstyle="butt")
    face = colour if filled else PAPER
    axes.plot([row["value"] * scale], [y], "o", color=colour, markersize=6, markerfacecolor=face, markeredgewidth=1.6)


@_drawn
def curves(
    lines: Sequence[Line],
    *,
    xlabel: str,
    ylabel: str,
    xlog: bool = False,
    marks: Sequence[Mapping[str, Any]] = (),
    dots: bool = True,
) -> Any:
    """Lines of {name, x, y, low, high, dots}: low and high are a band. `marks` of {x, label} are vertical lines."""
    figure, axes = _figure(3.3)
    _draw_lines(axes, lines, dots=dots)
    if xlog:
        axes.set_xscale("log", base=2)
        ticks = sorted({x for line in lines for x in line["x"]})
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    for mark in marks:
        axes.axvline(mark["x"], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        axes.annotate(
            _clean(mark["label"]), (mark["x"], 0), xycoords=("data", "axes fraction"), xytext=(4, 4),
            textcoords="offset points", va="bottom", color=MUTED,
        )  # fmt: skip
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_xlabel(_clean(xlabel))
    axes.set_ylabel(_clean(ylabel))
    if len(lines) > 1:
        _legend(axes, above=True)
    return figure


@_drawn
def panels(panels: Sequence[Mapping[str, Any]], *, xlabel: str) -> Any:
    """Small multiples, two a row: each panel is {title, lines}, lines as in `curves`.

    A noisy line of more than `SMOOTHED` points is drawn faint under its running mean over a twenty-fifth of it.
    """
    height = (len(panels) + 1) // 2
    figure = _canvas(1.9 * height + 0.3)
    for n, panel in enumerate(panels):
        axes = figure.add_subplot(height, 2, n + 1)
        _plain(axes)
        _draw_lines(axes, panel["lines"], dots=False)
        axes.set_title(_clean(panel["title"]), loc="left", fontsize=10.5, color=INK)
        axes.grid(color=LINE, linewidth=0.6)
        if n >= len(panels) - 2:
            axes.set_xlabel(_clean(xlabel))
        if len(panel["lines"]) > 1:
            _legend(axes)
    return figure


@_drawn
def histogram(series: Sequence[Mapping[str, Any]], *, edges: Sequence[float], xlabel: str, ylabel: str) -> Any:
    """One small histogram below the other over common bins: series of {name, mean, shares}, the mean marked."""
    figure = _canvas(0.62 * len(series) + 0.7)
    figure.get_layout_engine().set(hspace=0.0, h_pad=0.02)
    highest = max((share for one in series for share in one["shares"]), default=1) or 1
    first = None
    for n, one in enumerate(series):
        axes = figure.add_subplot(len(series), 1, n + 1, sharex=first)
        first = first or axes
        _plain(axes)
        axes.stairs(one["shares"], edges, color=COLOURS[0], fill=True, alpha=0.55)
        axes.axvline(one["mean"], color=COLOURS[1], linewidth=1.4)
        axes.set_ylim(0, highest * 1.05)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_ylabel(_clean(one["name"]), rotation=0, ha="right", va="center", color=INK, fontsize=10)
        axes.tick_params(labelbottom=n == len(series) - 1)
        axes.grid(axis="x", color=LINE, linewidth=0.6)
    axes.set_xlabel(_clean(xlabel))
    figure.supylabel(_clean(ylabel), fontsize=10, color=MUTED)
    return figure


@_drawn
def calibration(bins: Sequence[Mapping[str, Any]], *, xlabel: str, ylabel: str) -> Any:
    """Predicted against actual: bins of {predicted, actual, low, high, pairs}; the diagonal is perfect."""
    figure, axes = _figure(3.4)
    axes.plot([0.5, 1], [0.5, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="calibrated")
    for bin in bins:
        if bin["low"] is not None:
            axes.plot([bin["predicted"]] * 2, [bin["low"], bin["high"]], color=COLOURS[0], linewidth=1.8)
    shown = [bin for bin in bins if bin["actual"] is not None]
    axes.plot([b["predicted"] for b in shown], [b["actual"] for b in shown], "o", color=COLOURS[0], label="measured")
    axes.set_xlim(0.49, 1.01)
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_xlabel(_clean(xlabel))
    axes.set_ylabel(_clean(ylabel))
    _legend(axes)
    return figure


FIGURES: dict[str, Callable[..., str]] = {
    "forest": forest,
    "curves": curves,
    "panels": panels,
    "histogram": histogram,
    "calibration": calibration,
}


def _draw_lines(axes: Any, lines: Sequence[Line], *, dots: bool) -> None:
    for n, line in enumerate(lines):
        colour = COLOURS[n % len(COLOURS)]
        x = np.asarray(line["x"], dtype=np.float64)
        y, low, high = (_floats(line.get(name)) for name in ("y", "low", "high"))
        marker = MARKERS[n % len(MARKERS)] if dots and line.get("dots", True) else ""
        axes.plot(
            x, y, color=colour, linewidth=1.7, linestyle=DASHES[n % len(DASHES)], marker=marker, markersize=4.5,
            label=_clean(line["name"]),
        )  # fmt: skip
        if len(x) > SMOOTHED and not dots and _is_noisy(y):
            axes.lines[-1].set_alpha(0.28)
            axes.lines[-1].set_label("")
            mean = _running_mean(y, len(x) // 25)
            axes.plot(
                x, mean, color=colour, linewidth=1.7, linestyle=DASHES[n % len(DASHES)], label=_clean(line["name"])
            )
        if low is not None and high is not None:
            axes.fill_between(x, low, high, color=colour, alpha=0.14, linewidth=0)


def _is_noisy(y: Any) -> bool:
    """Whether steps from point to point are more than a hundredth of the range: a schedule needs no smoothing."""
    known = y[np.isfinite(y)]
    return len(known) > 1 and float(np.median(np.abs(np.diff(known)))) > 0.01 * float(np.ptp(known))


def _running_mean(y: Any, window: int) -> Any:
    """Centred mean of what is known in the window; shorter at both ends."""
    known = np.isfinite(y)
    kernel = np.ones(window)
    sums, counts = np.convolve(np.where(known, y, 0.0), kernel, "same"), np.convolve(known, kernel, "same")
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _floats(values: Any) -> Any:
    """An array in which None is NaN, a gap in the line; None stays None."""
    return None if values is None else np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _figure(height: float) -> tuple[Any, Any]:
    figure = _canvas(height)
    axes = figure.add_subplot()
    _plain(axes)
    return figure, axes


def _canvas(height: float) -> Any:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure


def _plain(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=10)
    axes.patch.set_visible(False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_color(INK)
        axis.label.set_size(10.5)


def _legend(axes: Any, *, above: bool = False) -> None:
    place: dict[str, Any] = {"loc": "best"}
    if above:
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "ncols": 3, "borderaxespad": 0.2}
    axes.legend(frameon=False, fontsize=10, labelcolor=INK, **place)


def _clean(label: Any) -> str:
    """A label on one line, short enough for a figure, without characters that XML cannot hold."""
    text = " ".join(_CONTROL.sub("", str(label)).split())
    return text if len(text) <= 44 else text[:43] + "…"


def _themed(written: str) -> str:
    """Matplotlib's file as an inline element: colours as variables, ids that no other figure of a page has."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(written)
    for name in ("width", "height"):
        del root.attrib[name]
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):  # a style would rule the whole page
                parent.remove(child)
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    prefix = f"f{sha256(written.encode('utf-8')).hexdigest()[:8]}-"
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name == "id":
                element.set(name, prefix + value)
            elif name == f"{{{_XLINK}}}href":
                del element.attrib[name]
                element.set("href", f"#{prefix}{value.removeprefix('#')}")
            elif value.startswith("url(#"):
                element.set(name, value.replace("url(#", f"url(#{prefix}"))
            elif name == "style":
                value = re.sub(r"#[0-9a-f]{6}", lambda match: _variable(match[0]), value)
                element.set(name, re.sub(r"font-family: [^;]*", "font-family: var(--font, sans-serif)", value))
    return ElementTree.tostring(root, encoding="unicode")


def _variable(colour: str) -> str:
    return f"var({_VARIABLES[colour]}, {colour})" if colour in _VARIABLES else colour
