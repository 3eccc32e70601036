"""What a report says, as plain data: `report.json` holds exactly this, and `report.html` shows it.

A recipe builds a `Report` from sections of blocks. Every block survives JSON: `from_json(to_json(report)) == report`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from ..errors import BadInput
from ..evaluation.plain import to_plain
from ..evaluation.statistics import Difference, Estimate

SCHEMA = "precis.report/1"


@dataclass(frozen=True)
class Run:
    """What was run: enough to run it again. `seconds` by step, in order; `started` is ISO 8601."""

    commands: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    started: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Text:
    """Paragraphs, parted by empty lines."""

    kind: ClassVar = "text"
    text: str


@dataclass(frozen=True)
class Notice:
    """One thing the reader must know: a `warning` qualifies the numbers, a `note` explains them."""

    kind: ClassVar = "notice"
    text: str
    level: Literal["warning", "note"] = "warning"


@dataclass(frozen=True)
class Column:
    """A table's column: values times `scale` with `digits` decimals; `field` is their name in the table's file."""

    name: str
    help: str = ""
    better: Literal["", "higher", "lower"] = ""
    scale: float = 1.0
    digits: int = 1
    field: str = ""


@dataclass(frozen=True)
class Cell:
    """A text or a number, with its interval and n. A number that is absent says `why`."""

    value: float | int | str | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    why: str = ""


@dataclass(frozen=True)
class Row:
    """A table's row, made of the rows `source` of the table's file; an `aside` (a ceiling) is never marked best."""

    cells: tuple[Cell, ...]
    source: str = ""
    aside: bool = False


@dataclass(frozen=True)
class Table:
    """`file` names the rows behind the numbers, beside the report."""

    kind: ClassVar = "table"
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    file: str = ""


@dataclass(frozen=True)
class Plot:
    """`figure` is the name of a function of `report.plots`, `data` its arguments; `alt` says in words what it shows."""

    kind: ClassVar = "plot"
    figure: str
    data: Mapping[str, Any]
    caption: str
    alt: str


@dataclass(frozen=True)
class Output:
    """One system's text in an example; `numbers` are shown beside it, `candidate` is its id in `outputs.jsonl`."""

    system: str
    text: str
    numbers: Mapping[str, str] = field(default_factory=dict)
    candidate: str = ""


@dataclass(frozen=True)
class Example:
    """One document with its reference summaries and what the systems wrote."""

    id: str
    title: str
    document: str
    references: tuple[str, ...]
    outputs: tuple[Output, ...]
    why: str = ""


@dataclass(frozen=True)
class Examples:
    """Documents side by side. `compare` is what differences are marked against: words that no `reference` or the
    `document` does not have, or a word-by-word difference from the `first` system's text.
    """

    kind: ClassVar = "examples"
    caption: str
    examples: tuple[Example, ...]
    compare: Literal["reference", "document", "first", ""] = "reference"


Block = Text | Notice | Table | Plot | Examples
BLOCKS: dict[str, type[Block]] = {block.kind: block for block in (Text, Notice, Table, Plot, Examples)}


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """`findings` are the few sentences to read if nothing else; `warnings` what to know before believing them."""

    title: str
    sections: tuple[Section, ...]
    run: Run = field(default_factory=Run)
    findings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    subtitle: str = ""


def cell(value: Estimate | Difference | Cell | float | int | str | None, why: str = "", *, scale: float = 1.0) -> Cell:
    """`value` as a table's cell; `scale` multiplies an estimate where a column holds several units."""
    if isinstance(value, Cell):
        return value
    if isinstance(value, Difference):
        value = value.difference
    if isinstance(value, Estimate):
        number, low, high = (None if end is None else end * scale for end in (value.value, value.low, value.high))
        return Cell(number, low, high, value.n, value.why)
    return Cell(value, why=why)


def number(value: float, column: Column) -> str:
    """`value` as the column shows it: 1,234.5 and −0.3, never −0.0."""
    text = f"{value * column.scale:,.{column.digits}f}"
    if text.startswith("-"):
        text = text[1:] if not any(digit in text for digit in "123456789") else "−" + text[1:]
    return text


def to_json(report: Report) -> dict[str, Any]:
    """The report as JSON data; NaN and infinities are null, and `not_finite` says where and which they were."""
    lost: list[dict[str, str]] = []
    sections = [
        {
            "title": section.title,
            "blocks": [
                {"kind": block.kind, **to_plain(block, lost, f"sections[{s}].blocks[{b}]")}
                for b, block in enumerate(section.blocks)
            ],
        }
        for s, section in enumerate(report.sections)
    ]
    rest = {
        item.name: to_plain(getattr(report, item.name), lost, item.name)
        for item in fields(report)
        if item.name != "sections"
    }
    return {"schema": SCHEMA, **rest, "sections": sections, "not_finite": lost}


def from_json(data: Mapping[str, Any]) -> Report:
    """The report that `to_json` turned into `data`; BadInput for anything else."""
    if data.get("schema") != SCHEMA:
        raise BadInput(f"expected {SCHEMA!r}, found {data.get('schema')!r}", field="schema")
    try:
        return Report(
            title=data["title"],
            sections=tuple(
                Section(section["title"], tuple(_block(block) for block in section["blocks"]))
                for section in data["sections"]
            ),
            run=Run(
                **{**data["run"], "commands": tuple(data["run"]["commands"]), "seeds": tuple(data["run"]["seeds"])}
            ),
            findings=tuple(data["findings"]),
            warnings=tuple(data["warnings"]),
            subtitle=data["subtitle"],
        )
    except (KeyError, TypeError) as error:
        raise BadInput(f"not a whole report: {error}") from error


def _block(data: Mapping[str, Any]) -> Block:
    kind = BLOCKS.get(data["kind"])
    if kind is None:
        raise BadInput(f"expected one of {', '.join(BLOCKS)}, found {data['kind']!r}", field="kind")
    values = {name: value for name, value in data.items() if name != "kind"}
    if kind is Table:
        values["columns"] = tuple(Column(**column) for column in values["columns"])
        values["rows"] = tuple(
            Row(**{**row, "cells": tuple(Cell(**own) for own in row["cells"])}) for row in values["rows"]
        )
    elif kind is Examples:
        values["examples"] = tuple(
            Example(
                **{
                    **example,
                    "references": tuple(example["references"]),
                    "outputs": tuple(Output(**output) for output in example["outputs"]),
                }
            )
            for example in values["examples"]
        )
    return kind(**values)
