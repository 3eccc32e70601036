"""Rows: what every file is read as before its fields become records, and what happens to the bad ones."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import BadInput, UserError
from ..records import Candidate, Document, Judgement, Maker, check_text

Record = Document | Candidate | Judgement
Fields = Mapping[str, Any]
# How the name of a count begins that says what rows leave open: a null where a rating could be.
ABSENT = "absent: "


@dataclass(frozen=True)
class Row:
    """A row's fields. `line` is where it begins in a text file, or its number in a binary one, from 1."""

    line: int
    fields: Fields


@dataclass(frozen=True)
class Bad:
    """A row that could not be read as fields; the rows after it could."""

    error: BadInput
    raw: str


class Rejects:
    """Bad rows: the first one stops the reading, or all are set aside in a JSONL file.

    Each line of that file has `file`, `line`, `field`, `reason` and `raw`. Raises `UserError` rather than overwrite a
    file that something else wrote.
    """

    def __init__(self, path: Path | None, source: Path):
        self.path = path
        self.count = 0
        if path is not None and path.exists():
            if path.resolve() == source.resolve() or not _is_reject_file(path):
                raise UserError(f"{path} holds something other than bad rows; name another file to set them aside")
            path.unlink()

    def add(self, error: BadInput, raw: Any) -> None:
        if self.path is None:
            raise error
        self.count += 1
        fault = {"file": str(error.path), "line": error.line, "field": error.field, "reason": error.what}
        try:
            line = json.dumps(fault | {"raw": raw}, default=str)
        except (RecursionError, ValueError):
            line = json.dumps(fault | {"raw": "nested too deeply to be written"})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", encoding="ascii") as stream:
                stream.write(line + "\n")
        except OSError as problem:
            raise UserError(f"cannot write the bad rows to {self.path}: {problem.strerror}") from problem


def _is_reject_file(path: Path) -> bool:
    try:
        with open(path, "rb") as stream:
            first = stream.readline()
        return not first or set(json.loads(first)) == {"file", "line", "field", "reason", "raw"}
    except (OSError, ValueError, TypeError, RecursionError):
        return False


def text_of(fields: Fields, name: str, *, allow_empty: bool = False) -> str:
    """The text in field `name`; raises `BadInput` if it is absent, no text, or (unless `allow_empty`) blank."""
    if name not in fields:
        names = ", ".join(repr(str(field)[:40]) for field in list(fields)[:12])
        raise BadInput(f"no such field; the row has {names or 'no fields'}", field=name)
    value = fields[name]
    check_text(value, name, allow_empty=allow_empty)
    return str(value)


def optional_text(fields: Fields, name: str) -> str:
    """The text in field `name`, or "" where it is absent or null."""
    return "" if fields.get(name) is None else text_of(fields, name, allow_empty=True)


def key_of(fields: Fields, name: str) -> str:
    """The id in field `name`: text or a whole number, not blank."""
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return str(value)
    return text_of(fields, name)


def object_of(fields: Fields, name: str) -> Fields:
    """The JSON object in field `name`."""
    value = fields.get(name)
    if not isinstance(value, Mapping):
        raise BadInput(f"expected an object, found {_kind(value)}", field=name)
    return value


def list_of(fields: Fields, name: str) -> list[Any]:
    """The list in field `name`."""
    value = fields.get(name)
    if not isinstance(value, list):
        raise BadInput(f"expected a list, found {_kind(value)}", field=name)
    return value


def _kind(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__


@lru_cache(maxsize=1024)
def _reference_maker(name: str) -> Maker:
    return Maker("reference", name)


def reference(document: Document, text: str, index: int = 0, *, by: str | None = None) -> Candidate:
    """A reference summary of `document`, by `by` or, unnamed, by the people behind its data set."""
    return Candidate(document.id, text, _reference_maker(by or document.dataset), index)


def plain(value: Any) -> Any:
    """`value` as JSON data, for `meta`: dates, decimals and the like become text, what is no number becomes None."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)


def encode_line(value: Any) -> bytes:
    """One line of JSONL: readable UTF-8, or escapes where half a character makes that impossible."""
    try:
        return json.dumps(value, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(value).encode() + b"\n"
