"""Tables of your own, in JSONL, CSV, Parquet or a `datasets` folder: one row a document, columns named as you like.

Columns have roles: `document`, `title`, `id`, `summary` (a reference summary, or a list of several), `summary_by` (who
wrote each), `candidate` and `candidate_by` (summaries by models to be judged, and these models' names), `dataset`,
`split` and `meta`. Those with usual names are found; name others as `document=body summary=abstract`. What has no role
is kept in the document's `meta`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from ..errors import BadInput, UserError
from ..records import Candidate, Document, Maker, check_text
from .rows import Fields, Record, key_of, plain, reference, text_of

# The names under which a column's role is recognised, the first that a row has.
USUAL: dict[str, tuple[str, ...]] = {
    "document": ("document", "text", "article", "dialogue", "post", "body", "source"),
    "title": ("title",),
    "id": ("id", "key"),
    "summary": ("summary", "summaries", "highlights", "abstract", "reference", "references"),
    "summary_by": ("summary_by",),
    "candidate": ("candidate", "candidates"),
    "candidate_by": ("candidate_by",),
    "dataset": ("dataset",),
    "split": ("split",),
    "meta": ("meta",),
}
# The columns of a table that precis writes; True: a list of texts.
WRITTEN = (
    ("id", False),
    ("title", False),
    ("document", False),
    ("summary", True),
    ("summary_by", True),
    ("dataset", False),
    ("split", False),
    ("meta", False),
)
Columns = Mapping[str, str]


def parse_columns(words: Iterable[str]) -> dict[str, str]:
    """`["document=body", "id=post_id"]` as `{"document": "body", "id": "post_id"}`; raises `UserError`."""
    columns = {}
    for word in words:
        role, equals, column = word.partition("=")
        if not equals or not column:
            raise UserError(f"expected ROLE=COLUMN, such as document=body; found {word!r}")
        columns[role] = column
    check_columns(columns)
    return columns


def check_columns(columns: Columns) -> None:
    """Raise `UserError` for a role that does not exist."""
    if unknown := sorted(set(columns) - set(USUAL)):
        raise UserError(f"there is no column role {unknown[0]!r}; the roles are {', '.join(USUAL)}")


def unpack_cells(fields: Fields, columns: Columns) -> Fields:
    """A CSV row where the cells of list columns are what they stand for: nothing, one text, or a JSON list of texts."""
    values = dict(fields)
    for role in ("summary", "summary_by", "candidate", "candidate_by"):
        column = _column(role, fields, columns)
        if column in values:
            values[column] = _unpacked(values[column])
    return values


def _unpacked(cell: str) -> str | list[str] | None:
    if not cell.startswith("["):
        return cell or None
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    return value if isinstance(value, list) and all(isinstance(text, str) for text in value) else cell


def parse(
    fields: Fields, dataset: str, split: str, columns: Columns, *, fixed: frozenset[str] = frozenset()
) -> Iterator[Record]:
    """One row's document, reference summaries and candidates.

    `dataset` and `split` hold where the row has no such column, and for those named in `fixed` in any case.
    """
    column = {role: name for role in USUAL if (name := _column(role, fields, columns)) is not None}
    if "document" not in column:
        names = ", ".join(repr(str(name)[:40]) for name in list(fields)[:12])
        raise BadInput(f"no column looks like the document among {names or 'none'}; say document=COLUMN")
    text = text_of(fields, column["document"])

    def said(role: str, otherwise: str) -> str:
        if role in fixed or role not in column or (fields.get(column[role]) is None and role not in columns):
            return otherwise
        return text_of(fields, column[role], allow_empty=True)

    document = Document(
        text,
        title=said("title", ""),
        key=_key(fields, column.get("id"), required="id" in columns),
        dataset=said("dataset", dataset),
        split=said("split", split),
        meta=_meta(fields, column, required="meta" in columns),
    )
    yield document
    summaries, makers = _texts(fields, column, columns, "summary", document.dataset or dataset)
    for index, (summary, by) in enumerate(zip(summaries, makers, strict=True)):
        yield reference(document, summary, makers[:index].count(by), by=by)
    candidates, makers = _texts(fields, column, columns, "candidate", document.dataset or dataset)
    for index, (candidate, by) in enumerate(zip(candidates, makers, strict=True)):
        yield Candidate(document.id, candidate, Maker("policy", by), makers[:index].count(by))


def row_of(document: Document, references: Iterable[Candidate]) -> dict[str, Any]:
    """The row that `parse` reads back as the document and its reference summaries."""
    references = list(references)
    return {
        "id": document.key,
        "title": document.title,
        "document": document.text,
        "summary": [candidate.text for candidate in references],
        "summary_by": [candidate.maker.name for candidate in references],
        "dataset": document.dataset,
        "split": document.split,
        "meta": dict(document.meta),
    }


def _column(role: str, fields: Fields, columns: Columns) -> str | None:
    """The column that has a role: the one named, or the first usual one that is not named for another role."""
    if role in columns:
        return columns[role]
    taken = set(columns.values())
    return next((name for name in USUAL[role] if name in fields and name not in taken), None)


def _key(fields: Fields, column: str | None, *, required: bool) -> str:
    if column is None or (not required and fields.get(column) in (None, "")):
        return ""
    return key_of(fields, column)


def _texts(
    fields: Fields, column: Mapping[str, str], columns: Columns, role: str, by: str
) -> tuple[list[str], list[str]]:
    """The texts in a role's column, none to several, and the name of who wrote each."""
    if role not in column:
        return [], []
    name = column[role]
    if role in columns and name not in fields:
        text_of(fields, name)  # says that the named column is missing
    value = fields[name]
    texts = value if isinstance(value, list) else [] if value is None else [value]
    for text in texts:
        check_text(text, name, allow_empty=role == "candidate")
    by_column = column.get(f"{role}_by")
    makers = fields.get(by_column) if by_column is not None else None
    if not isinstance(makers, list):
        makers = [by if makers is None else makers] * len(texts)
    if len(makers) != len(texts):
        raise BadInput(f"expected {len(texts)} names, one for each text, found {len(makers)}", field=by_column)
    for maker in makers:
        check_text(maker, str(by_column or name))
    return list(texts), list(makers)


def _meta(fields: Fields, column: Mapping[str, str], *, required: bool) -> dict[str, Any]:
    """What the row says besides; a column `meta` is an object, or one as JSON, whose fields join the others."""
    named = set(column.values())
    meta = {str(name): plain(value) for name, value in fields.items() if name not in named and value is not None}
    if "meta" not in column or (value := fields.get(column["meta"])) is None:
        return meta
    inner = value
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            inner = json.loads(value)
    if isinstance(inner, Mapping):
        return meta | {str(name): item for name, item in inner.items()}
    if required:
        raise BadInput(f"expected an object, or one as JSON, found {type(inner).__name__}", field=column["meta"])
    return meta | {column["meta"]: plain(value)}
