"""`Report` → one HTML file that needs no network and no script. Every text is escaped: documents are hostile."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ..progress import clock
from .contents import Cell, Column, Example, Examples, Report, Row, Table, number
from .diff import Segment, difference, unknown_words
from .plots import FIGURES

OPEN_DOCUMENT = 700  # characters; longer documents start folded


@dataclass(frozen=True)
class ShownCell:
    """A cell as it is shown: the number, its interval, its n (if the table's differ) and why it is absent."""

    text: str
    interval: str
    n: str
    why: str
    best: bool
    is_text: bool
    source: str


def render_html(report: Report) -> str:
    """The whole file; the same report gives the same bytes."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    script, style = _resource("filter.js"), _resource("report.css")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return environment.from_string(_resource("template.html")).render(
        report=report,
        style=Markup(style),  # ours, from the package
        script=Markup(script),
        script_digest=digest,
        draw=_draw,
        shown_rows=shown_rows,
        common_n=common_n,
        is_numeric=_is_numeric,
        paragraphs=_paragraphs,
        marked=marked,
        clock=clock,
        open_document=OPEN_DOCUMENT,
    )


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _draw(figure: str, data: dict[str, Any], alt: str) -> Markup:
    """The figure's SVG, described for those who cannot see it."""
    svg = FIGURES[figure](**data).removeprefix("<svg")
    return Markup('<svg role="img" aria-label="{}"').format(alt) + Markup(svg)


def _paragraphs(text: str) -> list[str]:
    return [paragraph.strip() for paragraph in text.split("\n\n") if paragraph.strip()]


# Tables


def common_n(table: Table) -> int | None:
    """The n of most numbers with an interval: said once in the caption, and beside the numbers that differ."""
    found = Counter(own.n for row in table.rows for own in row.cells if own.n is not None and own.low is not None)
    n, times = found.most_common(1)[0] if found else (None, 0)
    return n if 2 * times > found.total() else None


def _is_numeric(table: Table, place: int) -> bool:
    return not any(isinstance(row.cells[place].value, str) and row.cells[place].value for row in table.rows)


def shown_rows(table: Table) -> list[tuple[Row, list[ShownCell]]]:
    """Each row with its cells as they are shown, the best of each column marked."""
    best = [
        _best(column, [row.cells[n] for row in table.rows if not row.aside]) for n, column in enumerate(table.columns)
    ]
    same_n = common_n(table)
    return [
        (
            row,
            [
                _shown(own, column, best[n] if not row.aside else None, same_n, _source(table, row, column))
                for n, (own, column) in enumerate(zip(row.cells, table.columns, strict=True))
            ],
        )
        for row in table.rows
    ]


def _best(column: Column, cells: Sequence[Cell]) -> str | None:
    """A column's best value as it is shown, so that values that look equal are equally best; None if no contest."""
    values = [cell.value for cell in cells if isinstance(cell.value, (int, float))]
    if not column.better or len(values) < 2:
        return None
    return number(max(values) if column.better == "higher" else min(values), column)


def _shown(cell: Cell, column: Column, best: str | None, same_n: int | None, source: str) -> ShownCell:
    if cell.value is None:
        return ShownCell("–", "", "", cell.why, False, False, source)
    if isinstance(cell.value, str):
        return ShownCell(cell.value, "", "", cell.why, False, True, source)
    text = number(cell.value, column)
    interval = ""
    if cell.low is not None and cell.high is not None:
        interval = f"[{number(cell.low, column)}, {number(cell.high, column)}]"
    n = f"n={cell.n}" if cell.n is not None and cell.n != same_n else ""
    return ShownCell(text, interval, n, cell.why, text == best, False, source)


def _source(table: Table, row: Row, column: Column) -> str:
    if not table.file or not column.field:
        return ""
    return f"{table.file}: {column.field}" + (f" where {row.source}" if row.source else "")


# Examples


def marked(block: Examples, example: Example, place: int) -> list[Segment]:
    """The text of the example's output number `place` with its differences marked as the block asks."""
    text = example.outputs[place].text
    if block.compare == "reference" and example.references:
        return unknown_words(text, example.references)
    if block.compare == "document":
        return unknown_words(text, [example.document])
    if block.compare == "first" and place > 0:
        return difference(example.outputs[0].text, text)
    return [("same", text)]
