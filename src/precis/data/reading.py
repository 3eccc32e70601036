"""`read`: a file or folder of any kind as records, one bad row at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import BadInput, UserError
from ..records import Document
from . import brio, dialogsum, docstrings, native, openai, pairs, sumllm, summeval, table, tldr, trl
from .arrow_rows import arrow_rows, dataset_files, parquet_rows
from .csv_rows import csv_rows
from .files import dataset_of, files_at, split_of
from .json_rows import json_rows, object_rows
from .rows import Bad, Fields, Record, Rejects, Row
from .tldr_filters import TldrFilter

Parse = Callable[[Fields], Iterable[Record]]
RowsOf = Callable[[Path], Iterator[Row | Bad]]

TABLES: dict[str, RowsOf] = {"jsonl": json_rows, "csv": csv_rows, "parquet": parquet_rows, "hf": arrow_rows}
KINDS = (
    *TABLES, "precis", "dialogsum", *pairs.NAMES, "tldr", "openai", "sumllm", "brio", "summeval", "trl", "docstrings"
)  # fmt: skip
_BY_SUFFIX: dict[str, RowsOf] = {
    ".jsonl": json_rows,
    ".ndjson": json_rows,
    ".json": json_rows,
    ".csv": csv_rows,
    ".tsv": csv_rows,
    ".parquet": parquet_rows,
}
# Kinds whose rows need to know no more than their data set and split.
_PLAIN: dict[str, Callable[..., Iterator[Record]]] = {
    "brio": brio.parse,
    "dialogsum": dialogsum.parse,
    "trl": trl.parse,
}
_SUFFIXES = {"jsonl": {".jsonl", ".ndjson"}, "csv": {".csv", ".tsv"}, "parquet": {".parquet"}}


def read(
    kind: str,
    path: Path | str,
    *,
    columns: table.Columns | None = None,
    dataset: str | None = None,
    split: str | None = None,
    skip_bad: Path | None = None,
    counts: Counter[str] | None = None,
    posts: TldrFilter | None = None,
) -> Iterator[Record]:
    """The records in a file, or in all of a folder's files of this kind: each row's document before its candidates.

    `kind` is one of `KINDS`. The data sets' own kinds read JSONL, a JSON list, CSV, Parquet and `datasets` folders.
    `columns` gives the roles of a table's columns (see `table`). `dataset` and `split` overrule what rows, file names
    (`dev.jsonl` is split "valid") and folders say. `counts` receives "rows", "bad rows" and what was dropped or absent.
    For `tldr`, `posts` says which posts and references to keep, and counts the others.

    A bad row raises `BadInput` with file, line and field, or is set aside in the JSONL file `skip_bad`. What spoils a
    file as a whole (missing, truncated, empty, not what its kind says) raises `BadInput` or `UserError` in any case.
    """
    if kind not in KINDS:
        raise UserError(f"there is no kind {kind!r}; the kinds are {', '.join(KINDS)}")
    table.check_columns(columns or {})
    if columns and kind not in TABLES:
        raise UserError(f"columns can be named for {', '.join(TABLES)}; {kind} has its own")
    if posts is not None and kind != "tldr":
        raise UserError(f"the filters are for posts with their TL;DR; {kind} is not the kind tldr")
    counts = Counter() if counts is None else counts
    if kind == "docstrings":
        return docstrings.read(str(path), dataset=dataset or kind, split=split, counts=counts)
    path = Path(path)
    files = _files(kind, path)
    if split is not None and len(found := sorted({part for _, part, _ in files if part})) > 1:
        raise UserError(f"{path} holds the splits {', '.join(found)}; name one of its files, or leave out the split")
    name = dataset if dataset is not None else dataset_of(path) if kind in (*TABLES, "trl") else kind
    rejects = Rejects(skip_bad, path)
    asked = _Asked(columns or {}, dataset, split, posts, counts)
    sources = [
        (file, rows_of, _parser(kind, file, name, part if split is None else split, asked))
        for file, part, rows_of in files
    ]
    return _records(kind, sources, rejects, counts)


def _files(kind: str, path: Path) -> list[tuple[Path, str, RowsOf]]:
    """Every file to read, the split that it tells, and how its rows are read."""
    saved = path.is_dir() and any((path / name).is_file() for name in ("state.json", "dataset_dict.json"))
    if kind == "hf" or (saved and kind not in TABLES):
        files = dataset_files(path)
        return [(file, part, parquet_rows if file.suffix == ".parquet" else arrow_rows) for file, part in files]
    found = files_at(path, _SUFFIXES.get(kind, set(_BY_SUFFIX)))
    if kind == "brio":  # 0.json, 1.json, …, in a folder that is named for the split
        readers = {**_BY_SUFFIX, ".json": object_rows}
        split = split_of(path.absolute() if path.is_dir() else path.absolute().parent)
        found.sort(key=lambda file: (len(file.stem), file.stem))
        return [(file, split_of(file) or split, readers.get(file.suffix.lower(), json_rows)) for file in found]
    rows_of = TABLES.get(kind)
    return [(file, split_of(file), rows_of or _BY_SUFFIX.get(file.suffix.lower(), json_rows)) for file in found]


@dataclass(frozen=True)
class _Asked:
    """What the caller of `read` said, None where nothing, and where to count."""

    columns: table.Columns
    dataset: str | None
    split: str | None
    posts: TldrFilter | None
    counts: Counter[str]


def _parser(kind: str, file: Path, name: str, part: str, asked: _Asked) -> Parse:
    """How a row of `kind` becomes records; `name` and `part` hold where neither the caller nor the row says better."""
    if kind in TABLES:
        said = (("dataset", asked.dataset), ("split", asked.split))
        fixed = frozenset(role for role, value in said if value is not None)
        parse = partial(table.parse, dataset=name, split=part, columns=asked.columns, fixed=fixed)
        return (lambda fields: parse(table.unpack_cells(fields, asked.columns))) if kind == "csv" else parse
    if kind == "openai":
        return partial(openai.parse, dataset=asked.dataset or "", split=asked.split or "", counts=asked.counts)
    if kind == "tldr":
        return partial(tldr.parse, dataset=name, split=part, admit=asked.posts.admit if asked.posts else None)
    if kind == "sumllm":
        return partial(sumllm.parse, dataset=name, split=part, file=file.name)
    if kind == "summeval":
        return partial(summeval.parse, dataset=name, split=part, counts=asked.counts)
    if kind in pairs.NAMES:
        return partial(pairs.parse, kind, dataset=name, split=part)
    if kind in _PLAIN:
        return partial(_PLAIN[kind], dataset=name, split=part)
    return native.parse


def _records(
    kind: str, sources: list[tuple[Path, RowsOf, Parse]], rejects: Rejects, counts: Counter[str]
) -> Iterator[Record]:
    text_of_key: dict[tuple[str, str, str], str] = {}
    for file, rows_of, parse in sources:
        empty = True
        for row in rows_of(file):
            empty = False
            counts["rows"] += 1
            if isinstance(row, Bad):
                rejects.add(row.error, row.raw)
                counts["bad rows"] += 1
                continue
            try:
                records = list(parse(row.fields))
                if kind != "precis":
                    _one_text_a_key(records, text_of_key)
            except (BadInput, RecursionError) as error:
                wrong = error if isinstance(error, BadInput) else BadInput("nested too deeply")
                rejects.add(wrong.at(path=file, line=row.line), row.fields)
                counts["bad rows"] += 1
            else:
                yield from records
        if empty:
            raise BadInput("there are no rows in it", path=file)


def _one_text_a_key(records: list[Record], text_of_key: dict[tuple[str, str, str], str]) -> None:
    for record in records:
        if isinstance(record, Document) and record.key:
            place = (record.dataset, record.split, record.key)
            if text_of_key.setdefault(place, record.id) != record.id:
                raise BadInput(f"the id {record.key!r} stands for another document in an earlier row", field="id")
