"""precis' own JSONL: every document, candidate and judgement on one line, whole, under its content hash."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ..errors import BadInput
from ..records import (
    JUDGEMENT_KINDS,
    Candidate,
    Document,
    JudgeInfo,
    Maker,
    candidate_from_json,
    check_text,
    document_from_json,
    judgement_from_json,
    judgement_id,
    to_json,
)
from .rows import Fields, Record

_TYPES: dict[str, type[Any]] = {"document": Document, "candidate": Candidate, **JUDGEMENT_KINDS}
# Columns of their own in a database, which holds neither NUL nor half a character.
_COLUMNS = ("key", "dataset", "split", "source_id", "tokenizer", "parent", "critique")


def parse(fields: Fields) -> Iterator[Record]:
    """One line's record. Raises `BadInput` for an unknown, missing or wrongly typed field, and for a wrong id."""
    kind = fields.get("record")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise BadInput(f"expected one of {', '.join(_TYPES)}, found {kind!r}", field="record")
    data = {name: value for name, value in fields.items() if name not in ("record", "id")}
    _check(_TYPES[kind], data, "")
    for name in _COLUMNS:
        if isinstance(data.get(name), str):
            check_text(data[name], name, allow_empty=True)
    record: Record
    if kind == "document":
        record = document_from_json(data)
    elif kind == "candidate":
        record = candidate_from_json(data)
    else:
        record = judgement_from_json(kind, data)
    if (said := fields.get("id")) is not None and said != id_of(record):
        raise BadInput(f"the content is not that of {said!r}; the line was changed after it was written", field="id")
    yield record


def row_of(record: Record) -> dict[str, Any]:
    """The line that `parse` reads back as `record`."""
    kind = "document" if isinstance(record, Document) else getattr(record, "kind", "candidate")
    return {"record": kind, "id": id_of(record)} | to_json(record)


def id_of(record: Record) -> str:
    return record.id if isinstance(record, (Document, Candidate)) else judgement_id(record)


_HINTS = {kind: get_type_hints(kind) for kind in (*_TYPES.values(), Maker, JudgeInfo)}


def _check(record_type: type[Any], data: Mapping[str, Any], within: str) -> None:
    """Raise `BadInput` unless `data` are the fields of `record_type`, each of its type."""
    hints, fields = _HINTS[record_type], dataclasses.fields(record_type)
    if unknown := set(data) - {field.name for field in fields}:
        raise BadInput("no such field in this kind of record", field=within + min(unknown)[:40])
    for field in fields:
        name, hint = field.name, hints[field.name]
        if name not in data:
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise BadInput("this field is missing", field=within + name)
        elif dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(data[name], dict):
            _check(hint, data[name], f"{name}.")
        elif not _fits(data[name], hint):
            raise BadInput(f"expected {_words(hint)}, found {str(data[name])[:60]!r}", field=within + name)


def _fits(value: Any, hint: Any) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is tuple:
        return isinstance(value, list) and all(_fits(item, parts[0]) for item in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, dict)
    if hint is int or (hint is float and isinstance(value, int)):
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    if hint is float:
        return isinstance(value, float) and math.isfinite(value)
    return isinstance(hint, type) and isinstance(value, hint)


def _words(hint: Any) -> str:
    """A type as a reader of the error knows it."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(part) for part in parts)
    if origin is Literal:
        return " or ".join(repr(part) for part in parts)
    if origin is tuple:
        return f"a list of {_words(parts[0])}"
    names = {str: "text", int: "a whole number", float: "a finite number", bool: "true or false", type(None): "null"}
    return names.get(hint, "an object")
