"""Tables as the queries see them, and records to rows and back. `migrations` makes the tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import Boolean, Column, Float, Integer, MetaData, Row, Table, Text

from ..errors import BadInput
from ..records import (
    JUDGEMENT_KINDS,
    Candidate,
    Document,
    JudgeInfo,
    Judgement,
    Maker,
    check_text,
    content_hash,
    judgement_id,
)

_METADATA = MetaData()


def _table(name: str, *columns: Column[Any]) -> Table:
    made = Column("created_at", Text)
    return Table(name, _METADATA, Column("seq", Integer, primary_key=True), Column("id", Text), *columns, made)


documents = _table("documents", *(Column(name, Text) for name in ("text", "title", "key", "dataset", "split", "meta")))
sightings = _table("sightings", *(Column(name, Text) for name in ("document_id", "key", "dataset", "split")))
makers = _table("makers", *(Column(name, Text) for name in ("role", "name", "settings")))
candidates = _table(
    "candidates",
    Column("source_id", Text),
    Column("maker_id", Text),
    Column("sample_index", Integer),
    Column("text", Text),
    Column("token_ids", Text),
    Column("tokenizer", Text),
    Column("logp", Float),
    Column("finished", Boolean),
    Column("empty", Boolean),
    Column("parent", Text),
    Column("critique", Text),
)
judges = _table("judges", *(Column(name, Text) for name in ("name", "settings")))
judgements = _table("judgements", *(Column(name, Text) for name in ("kind", "judge_id", "source_id", "data")))
judgement_candidates = Table(
    "judgement_candidates",
    _METADATA,
    Column("judgement_id", Text, primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("candidate_id", Text),
)

Values = dict[str, Any]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def document_row(document: Document) -> Values:
    for name in ("key", "dataset", "split"):
        check_text(getattr(document, name), name, allow_empty=True)
    return {
        "id": document.id,
        "text": document.text,
        "title": document.title,
        "key": document.key,
        "dataset": document.dataset,
        "split": document.split,
        "meta": _json(dict(document.meta)),
    }


def sighting_row(document: Document) -> Values:
    place = [document.dataset, document.split, document.key]
    return {
        "id": content_hash("s", [document.id, *place]),
        "document_id": document.id,
        "dataset": document.dataset,
        "split": document.split,
        "key": document.key,
    }


def document_of(row: Row[Any]) -> Document:
    document = Document(
        text=row.text,
        title=row.title,
        key=row.key,
        dataset=row.dataset,
        split=row.split,
        meta=json.loads(row.meta),
    )
    vars(document)["id"] = row.id  # `id` is a cached property: hashing every text again would double a read
    return document


def maker_row(maker: Maker) -> Values:
    return {"id": maker.id, "role": maker.role, "name": maker.name, "settings": _json(dict(maker.settings))}


def maker_of(row: Row[Any]) -> Maker:
    return Maker(role=row.role, name=row.name, settings=json.loads(row.settings))


def candidate_row(candidate: Candidate) -> Values:
    if candidate.logp is not None and math.isnan(candidate.logp):  # SQLite would keep it as "unknown"
        raise BadInput("expected a log-probability, found NaN", field="logp")
    return {
        "id": candidate.id,
        "source_id": candidate.source_id,
        "maker_id": candidate.maker.id,
        "sample_index": candidate.index,
        "text": candidate.text,
        "token_ids": None if candidate.token_ids is None else _json(candidate.token_ids),
        "tokenizer": candidate.tokenizer,
        "logp": candidate.logp,
        "finished": candidate.finished,
        "empty": candidate.is_empty,
        "parent": candidate.parent,
        "critique": candidate.critique,
    }


def candidate_of(row: Row[Any], maker: Maker) -> Candidate:
    candidate = Candidate(
        source_id=row.source_id,
        text=row.text,
        maker=maker,
        index=row.sample_index,
        token_ids=None if row.token_ids is None else tuple(json.loads(row.token_ids)),
        tokenizer=row.tokenizer,
        logp=row.logp,
        finished=bool(row.finished),
        parent=row.parent,
        critique=row.critique,
    )
    vars(candidate)["id"] = row.id
    return candidate


def judge_row(judge: JudgeInfo) -> Values:
    return {"id": judge.id, "name": judge.name, "settings": _json(dict(judge.settings))}


def judge_of(row: Row[Any]) -> JudgeInfo:
    return JudgeInfo(name=row.name, settings=json.loads(row.settings))


def judgement_row(judgement: Judgement) -> Values:
    # Kind, judge and source have columns of their own; `data` holds the fields that differ by kind.
    own = {field.name: getattr(judgement, field.name) for field in fields(judgement)}
    del own["judge"], own["source_id"]
    return {
        "id": judgement_id(judgement),
        "kind": judgement.kind,
        "judge_id": judgement.judge.id,
        "source_id": judgement.source_id,
        "data": _json(own),
    }


def judgement_of(row: Row[Any], judge: JudgeInfo) -> Judgement:
    own: Mapping[str, Any] = json.loads(row.data)
    values = {name: _tuples(value) for name, value in own.items()}
    return JUDGEMENT_KINDS[row.kind](judge=judge, source_id=row.source_id, **values)


def _tuples(value: Any) -> Any:
    """JSON knows lists only; in judgements every sequence is a tuple."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
