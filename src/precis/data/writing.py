"""`write`: records as a file or folder of any kind that holds them, whole or not at all."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import BadInput, UserError
from ..records import Candidate, Comparison, Document, Group
from . import dialogsum, native, openai, pairs, table, trl
from .arrow_rows import write_dataset, write_parquet
from .csv_rows import write_csv
from .files import writing, writing_folder
from .rows import Fields, Record, encode_line

Pair = tuple[Document, list[Candidate]]


def write(kind: str, path: Path | str, records: Iterable[Record] | Iterable[Group]) -> Counter[str]:
    """Write `records` to `path` as `kind`; counts of "rows" and of what the kind leaves out, by reason.

    `precis` holds every record; tables and the data sets' own kinds documents and their reference summaries; `openai`
    comparisons with their candidates and documents; `trl` and `trl-conversational` the preferences of groups. A record
    that a kind cannot hold raises `UserError`, as do a full disk and a folder that cannot be written.
    """
    if kind not in WRITERS:
        raise UserError(f"there is no kind {kind!r} to write; the kinds are {', '.join(WRITERS)}")
    return WRITERS[kind](Path(path), records)


def _write_lines(path: Path, rows: Iterable[dict[str, Any] | None], left_out: str = "") -> Counter[str]:
    """One JSON object a line; None stands for what is left out, for the reason that is counted."""
    counts: Counter[str] = Counter()
    with writing(path) as stream:
        for row in rows:
            counts["rows" if row is not None else f"left out: {left_out}"] += 1
            if row is not None:
                stream.write(encode_line(row))
        _some(counts)
    return counts


def _some(counts: Counter[str]) -> None:
    if not counts["rows"]:
        raise UserError("there is nothing of this kind to write")


def _write_native(path: Path, records: Iterable[Record]) -> Counter[str]:
    return _write_lines(path, map(native.row_of, records))


def _write_trl(path: Path, groups: Iterable[Group], *, conversational: bool) -> Counter[str]:
    return _write_lines(path, trl.rows_of(groups, conversational=conversational))


def _write_openai(path: Path, records: Iterable[Record]) -> Counter[str]:
    kept: dict[type, list[Any]] = defaultdict(list)
    for record in records:
        kept[type(record)].append(record)
    if others := [kind for kind in kept if kind not in (Document, Candidate, Comparison)]:
        raise UserError(f"openai's rows are comparisons; they cannot hold a {others[0].__name__.lower()}")
    documents = {document.id: document for document in kept[Document]}
    candidates = {candidate.id: candidate for candidate in kept[Candidate]}

    def rows() -> Iterator[dict[str, Any] | None]:
        for said in kept[Comparison]:
            if said.source_id not in documents or said.a not in candidates or said.b not in candidates:
                raise UserError(f"a comparison's document {said.source_id} or candidates are not among what is written")
            yield openai.row_of(documents[said.source_id], candidates[said.a], candidates[said.b], said)

    return _write_lines(path, rows(), "ties, which OpenAI's rows do not know")


def _pairs(kind: str, records: Iterable[Record]) -> list[Pair]:
    """Documents in their order, each with its reference summaries."""
    documents: list[Document] = []
    references: dict[str, list[Candidate]] = defaultdict(list)
    for record in records:
        if isinstance(record, Document):
            documents.append(record)
        elif isinstance(record, Candidate) and record.maker.role == "reference":
            references[record.source_id].append(record)
        else:
            name = f"candidate by a {record.maker.role}" if isinstance(record, Candidate) else record.kind
            raise UserError(f"{kind} holds documents and reference summaries, no {name}; write the kind precis instead")
    found = [(document, references.pop(document.id, [])) for document in documents]
    if references:
        raise UserError(f"a reference summary belongs to {min(references)}, which is not among what is to be written")
    return found


def _held(kind: str, pair: Pair, row: dict[str, Any], parse: Callable[[Fields], Iterable[Record]]) -> dict[str, Any]:
    """`row`, if reading it back gives the same records; nothing is lost in silence."""
    document, references = pair
    reason = f"what is known of it and its {len(references)} reference summaries goes beyond that kind"
    try:
        if list(parse(row)) == [document, *references]:
            return row
    except BadInput as error:
        reason = str(error)
    raise UserError(
        f"{kind} cannot hold the document {(document.key or document.id)!r}: {reason}; write the kind precis instead"
    )


def _table_rows(kind: str, records: Iterable[Record]) -> list[dict[str, Any]]:
    parse = partial(table.parse, dataset="", split="", columns={})
    rows = [_held(kind, pair, table.row_of(*pair), parse) for pair in _pairs(kind, records)]
    _some(Counter(rows=len(rows)))
    return rows


def _as_text(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return row | {name: json.dumps(row[name]) for name in names}


def _write_jsonl(path: Path, records: Iterable[Record]) -> Counter[str]:
    return _write_lines(path, _table_rows("jsonl", records))


def _write_csv(path: Path, records: Iterable[Record]) -> Counter[str]:
    rows = _table_rows("csv", records)
    with writing(path) as stream:
        cells = (_as_text(row, "summary", "summary_by", "meta") for row in rows)
        write_csv(stream, [name for name, _ in table.WRITTEN], cells)
    return Counter(rows=len(rows))


def _write_parquet(path: Path, records: Iterable[Record]) -> Counter[str]:
    rows = _table_rows("parquet", records)
    with writing(path) as stream:
        write_parquet(stream, (_as_text(row, "meta") for row in rows), table.WRITTEN)
    return Counter(rows=len(rows))


def _write_dataset(path: Path, records: Iterable[Record]) -> Counter[str]:
    rows = _table_rows("hf", records)
    splits: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        splits[re.sub(r"\W", "_", row["split"]) or "data"].append(_as_text(row, "meta"))
    with writing_folder(path) as folder:
        write_dataset(folder, splits, table.WRITTEN)
    return Counter(rows=len(rows))


def _write_named(path: Path, records: Iterable[Record], *, kind: str) -> Counter[str]:
    """A data set's own kind; its files do not name the split, so they hold one."""
    found = _pairs(kind, records)
    places = {(document.dataset, document.split) for document, _ in found}
    if len(places) > 1:
        raise UserError(f"a {kind} file holds one split of one data set; choose one of {len(places)}")

    dataset, split = max(places, default=("", ""))

    def parse(row: Fields) -> Iterator[Record]:
        if kind == "dialogsum":
            return dialogsum.parse(row, dataset, split)
        return pairs.parse(kind, row, dataset, split)

    def rows() -> Iterator[dict[str, Any]]:
        for document, references in found:
            if kind == "dialogsum":
                row = dialogsum.row_of(document, references)
            else:
                row = pairs.row_of(kind, document, references)
            yield _held(kind, (document, references), row, parse)

    return _write_lines(path, rows())


WRITERS: dict[str, Callable[[Path, Any], Counter[str]]] = {
    "jsonl": _write_jsonl,
    "csv": _write_csv,
    "parquet": _write_parquet,
    "hf": _write_dataset,
    "precis": _write_native,
    "dialogsum": partial(_write_named, kind="dialogsum"),
    **{kind: partial(_write_named, kind=kind) for kind in pairs.NAMES},
    "openai": _write_openai,
    "trl": partial(_write_trl, conversational=False),
    "trl-conversational": partial(_write_trl, conversational=True),
}
