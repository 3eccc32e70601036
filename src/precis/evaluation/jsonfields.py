"""Rows of numbers from JSONL files, for analyses of runs: each fault is one sentence with file, line and field."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from ..data.json_rows import json_rows
from ..data.rows import Bad, Fields
from ..errors import BadInput

T = TypeVar("T")


def read_rows(paths: Sequence[Path], parse: Callable[[Fields], T]) -> list[T]:
    """`parse` of every row of every file. Raises `BadInput` for the first row that is wrong, or a file without rows."""
    found: list[T] = []
    for path in paths:
        before = len(found)
        found += _rows(path, parse)
        if len(found) == before:
            raise BadInput("there are no rows in it", path=path)
    return found


def _rows(path: Path, parse: Callable[[Fields], T]) -> Iterator[T]:
    for row in json_rows(path):
        if isinstance(row, Bad):
            raise row.error
        try:
            yield parse(row.fields)
        except BadInput as error:
            raise error.at(path=path, line=row.line) from error


def number(fields: Fields, name: str, *, least: float | None = None, most: float | None = None) -> float | None:
    """The finite number in field `name`, within bounds; None if it is absent or null."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BadInput(f"expected a number, found {value!r}", field=name)
    if (least is not None and value < least) or (most is not None and value > most):
        bounds = f"from {least:g}" + ("" if most is None else f" to {most:g}") if least is not None else f"≤ {most:g}"
        raise BadInput(f"expected a number {bounds}, found {value!r}", field=name)
    return float(value)


def needed(fields: Fields, name: str, *, least: float | None = None, most: float | None = None) -> float:
    """As `number`, but it must be there."""
    value = number(fields, name, least=least, most=most)
    if value is None:
        raise BadInput("expected a number, found nothing", field=name)
    return value


def whole(fields: Fields, name: str, *, least: int = 0) -> int | None:
    """The whole number in field `name`; None if it is absent or null."""
    value = number(fields, name, least=least)
    if value is not None and value != int(value):
        raise BadInput(f"expected a whole number, found {value!r}", field=name)
    return None if value is None else int(value)


def label(fields: Fields, name: str, default: str = "") -> str:
    """The text or number in field `name` as text; `default` if it is absent or null."""
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise BadInput(f"expected text or a number, found {type(value).__name__}", field=name)
    return str(value)
