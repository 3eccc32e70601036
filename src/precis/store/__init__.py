"""The workspace's memory: every document, candidate and judgement, who made it and when. The only SQL.

Append-only: a row is written once, under the hash of its content, and never changed or removed. So writing twice
changes nothing, and a killed `sample` or `judge` resumes where it stopped. SQLite by default, shared by as many
processes as you like; a `postgresql://` address works too.

    store = Store("my-workspace")                 # my-workspace/feedback.db
    store.add_documents(documents)                # Added(new=11278, known=0, duplicates=0)
    store.groups(split="train")                   # documents with their references, candidates and judgements
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Row, Select, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from ..errors import BadInput
from ..records import Candidate, Document, Group, JudgeInfo, Judgement, Maker
from . import migrations as _migrations
from . import schema
from .engine import explained, locate, open_engine
from .statistics import stats

# Databases bound the parameters of one statement; longer lists of ids are asked in parts.
_CHUNK = 900
_PLACE = tuple(schema.sightings.c[name] for name in ("seq", "key", "dataset", "split"))


class Added(NamedTuple):
    """What a write did: `new` rows, rows `known` before, and known documents met under one more key or split."""

    new: int
    known: int
    duplicates: int = 0


class Store:
    """One workspace's database. `url_or_path` is a folder, a .db file or a `postgresql://` address.

    Opening makes the database if there is none (unless `create=False`) and brings an old one's schema up to date.
    Every method raises `UserError`, in one sentence, when the file or server cannot be used (missing, damaged, full
    disk, no permission, locked for longer than `busy_seconds`, made by a newer precis); what was stored stays.
    """

    def __init__(
        self,
        url_or_path: str | Path,
        *,
        create: bool = True,
        busy_seconds: float = 60.0,
        migrations: Sequence[_migrations.Migration] = _migrations.MIGRATIONS,
    ):
        self.url = locate(url_or_path)
        self.engine = open_engine(self.url, create=create, busy_seconds=busy_seconds)
        with self._read() as connection:
            current = not _migrations.pending(connection, migrations)
        if not current:
            with self._write() as connection:
                _migrations.migrate(connection, migrations)

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Writing

    def add_documents(self, documents: Iterable[Document]) -> Added:
        """Add documents; the first of several with one text is kept, every key and split it was met under is noted."""
        batch = list(documents)
        rows, sightings = [schema.document_row(d) for d in batch], [schema.sighting_row(d) for d in batch]
        with self._write() as connection:
            new = _insert(connection, schema.documents, rows)
            places = _insert(connection, schema.sightings, sightings)
        return Added(new, len(batch) - new, duplicates=max(0, places - new))

    def add_candidates(self, candidates: Iterable[Candidate]) -> Added:
        """Add candidates and their makers. Raises `BadInput` if a source is not in the store."""
        batch = list(candidates)
        rows = [schema.candidate_row(c) for c in batch]
        makers = {c.maker.id: c.maker for c in batch}
        with self._write() as connection:
            present = {row["id"] for row in rows}
            sources = {c.source_id for c in batch} - present
            sources -= _present(connection, schema.documents, sources)
            sources -= _present(connection, schema.candidates, sources)
            if sources:
                raise BadInput(
                    f"a candidate is written from {min(sources)}, which is not in the store; add its documents first",
                    field="source_id",
                )
            _insert(connection, schema.makers, [schema.maker_row(maker) for maker in makers.values()])
            new = _insert(connection, schema.candidates, rows)
        return Added(new, len(batch) - new)

    def add_judgements(self, judgements: Iterable[Judgement]) -> Added:
        """Add judgements and their judges. Raises `BadInput` if a candidate is missing or has another source."""
        batch = list(judgements)
        rows = [schema.judgement_row(j) for j in batch]
        judges = {j.judge.id: j.judge for j in batch}
        links = [
            {"judgement_id": row["id"], "place": place, "candidate_id": candidate}
            for row, judgement in zip(rows, batch, strict=True)
            for place, candidate in enumerate(judgement.candidate_ids)
        ]
        with self._write() as connection:
            wanted = {link["candidate_id"] for link in links}
            query = select(schema.candidates.c.seq, schema.candidates.c.id, schema.candidates.c.source_id)
            source_of = {row.id: row.source_id for row in _chunked(connection, query, schema.candidates.c.id, wanted)}
            for judgement in batch:
                for candidate in judgement.candidate_ids:
                    if source_of.get(candidate) != judgement.source_id:
                        what = "has another source" if candidate in source_of else "is not in the store; add it first"
                        raise BadInput(
                            f"a {judgement.kind} by {judgement.judge.name} names candidate {candidate}, which {what}",
                            field="candidate",
                        )
            _insert(connection, schema.judges, [schema.judge_row(judge) for judge in judges.values()])
            new = _insert(connection, schema.judgements, rows)
            _insert(connection, schema.judgement_candidates, links)
        return Added(new, len(batch) - new)

    # Reading: lists in the order of insertion

    def documents(
        self,
        dataset: str | None = None,
        split: str | None = None,
        limit: int | None = None,
        *,
        ids: Collection[str] | None = None,
    ) -> list[Document]:
        """The documents that were met in a data set and split, the first `limit` of them, with their key there.

        A text that was met in several places is a document of each of them; asked for by id alone, it is as first met.
        """
        columns, met = schema.documents.c, schema.sightings.c
        query, order = select(schema.documents), columns.seq
        if dataset is not None or split is not None:
            there = {met.dataset: dataset, met.split: split}
            first = _where(select(func.min(met.seq)).group_by(met.document_id), there)
            query, order = select(columns.id, columns.text, columns.title, columns.meta, *_PLACE), met.seq
            query = query.join(schema.sightings, met.document_id == columns.id).where(met.seq.in_(first))
        with self._read() as connection:
            if ids is None and limit is not None:
                rows = list(connection.execute(query.order_by(order).limit(limit)))
            else:
                rows = _chunked(connection, query, columns.id, ids)[:limit]
        return [schema.document_of(row) for row in rows]

    def sources(self, ids: Collection[str]) -> dict[str, Document | Candidate]:
        """What candidates were written from: documents, or candidates where a summary is the source."""
        found: dict[str, Document | Candidate] = {document.id: document for document in self.documents(ids=ids)}
        rest = [source for source in ids if source not in found]
        return found | {candidate.id: candidate for candidate in self.candidates(ids=rest)}

    def makers(self, role: str | None = None, name: str | None = None) -> list[Maker]:
        columns = schema.makers.c
        query = _where(select(schema.makers), {columns.role: role, columns.name: name})
        with self._read() as connection:
            return [schema.maker_of(row) for row in _chunked(connection, query, columns.id, None)]

    def judges(self, name: str | None = None) -> list[JudgeInfo]:
        query = _where(select(schema.judges), {schema.judges.c.name: name})
        with self._read() as connection:
            return [schema.judge_of(row) for row in _chunked(connection, query, schema.judges.c.id, None)]

    def candidates(
        self,
        source_ids: Collection[str] | None = None,
        role: str | None = None,
        maker_id: str | None = None,
        *,
        ids: Collection[str] | None = None,
    ) -> list[Candidate]:
        """Candidates by source, by their maker's role and by maker; give `source_ids` or `ids`, not both."""
        columns = schema.candidates.c
        query = _where(select(schema.candidates), {columns.maker_id: maker_id})
        if role is not None:
            query = query.join(schema.makers, schema.makers.c.id == columns.maker_id).where(
                schema.makers.c.role == role
            )
        key, values = (columns.id, ids) if source_ids is None else (columns.source_id, source_ids)
        with self._read() as connection:
            rows = _chunked(connection, query, key, values)
            makers = {row.id: schema.maker_of(row) for row in connection.execute(select(schema.makers))}
        return [schema.candidate_of(row, makers[row.maker_id]) for row in rows]

    def references(self, source_ids: Collection[str] | None = None) -> dict[str, list[Candidate]]:
        """The reference summaries of each source that has any."""
        found: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in self.candidates(source_ids, role="reference"):
            found[candidate.source_id].append(candidate)
        return dict(found)

    def judgements(
        self,
        kind: str | None = None,
        judge_id: str | None = None,
        source_ids: Collection[str] | None = None,
        *,
        judge_name: str | None = None,
        candidate_ids: Collection[str] | None = None,
    ) -> list[Judgement]:
        """Judgements by kind, judge and source, or those that name any of `candidate_ids`."""
        columns, links = schema.judgements.c, schema.judgement_candidates.c
        query = _where(select(schema.judgements), {columns.kind: kind, columns.judge_id: judge_id})
        if judge_name is not None:
            query = query.join(schema.judges, schema.judges.c.id == columns.judge_id)
            query = query.where(schema.judges.c.name == judge_name)
        key, values = columns.source_id, source_ids
        if candidate_ids is not None:
            query = query.join(schema.judgement_candidates, links.judgement_id == columns.id)
            key, values = links.candidate_id, candidate_ids
        with self._read() as connection:
            rows = _chunked(connection, query, key, values)
            judges = {row.id: schema.judge_of(row) for row in connection.execute(select(schema.judges))}
        found = [schema.judgement_of(row, judges[row.judge_id]) for row in rows]
        if candidate_ids is not None and source_ids is not None:
            return [judgement for judgement in found if judgement.source_id in set(source_ids)]
        return found

    def groups(
        self,
        dataset: str | None = None,
        split: str | None = None,
        limit: int | None = None,
        *,
        source_ids: Collection[str] | None = None,
        maker_ids: Collection[str] | None = None,
        judge_ids: Collection[str] | None = None,
        references_compete: bool = False,
    ) -> list[Group]:
        """Every chosen source with its candidates, references and judgements, in the order of insertion.

        Candidates are those of `maker_ids`, by default of every maker but references; reference summaries are in
        `references`, and among the candidates too when `references_compete` (people compare them with samples in
        OpenAI's data). Judgements are those of `judge_ids` (by default of every judge) whose candidates are all in the
        group. A source without candidates or judgements still makes a group, so that the caller can count it.
        """
        sources: Iterable[Document | Candidate]
        if source_ids is None:
            sources = self.documents(dataset, split, limit)
        else:
            found = self.sources(source_ids)
            sources = [found[source] for source in dict.fromkeys(source_ids) if source in found][:limit]
        all_sources = source_ids is None and dataset is None and split is None and limit is None
        ids = None if all_sources else [source.id for source in sources]
        references: dict[str, list[Candidate]] = defaultdict(list)
        candidates: dict[str, list[Candidate]] = defaultdict(list)
        judgements: dict[str, list[Judgement]] = defaultdict(list)
        for candidate in self.candidates(ids):
            is_reference = candidate.maker.role == "reference"
            if is_reference:
                references[candidate.source_id].append(candidate)
            competes = references_compete if is_reference and maker_ids is None else maker_ids is None
            if competes or (maker_ids is not None and candidate.maker.id in maker_ids):
                candidates[candidate.source_id].append(candidate)
        for judgement in self.judgements(source_ids=ids):
            if judge_ids is None or judgement.judge.id in judge_ids:
                judgements[judgement.source_id].append(judgement)
        groups = []
        for source in sources:
            members = {c.id for c in candidates[source.id]} | {c.id for c in references[source.id]}
            within = [j for j in judgements[source.id] if members.issuperset(j.candidate_ids)]
            groups.append(
                Group(source, tuple(candidates[source.id]), tuple(references[source.id]), judgements=tuple(within))
            )
        return groups

    # What is done already, so that a killed run resumes and nothing paid for is bought twice

    def candidate_indices(self, source_ids: Collection[str] | None, maker_id: str) -> dict[str, set[int]]:
        """For each source that has any: the sample indices that `maker_id` has written."""
        columns = schema.candidates.c
        query = select(columns.seq, columns.source_id, columns.sample_index).where(columns.maker_id == maker_id)
        found: dict[str, set[int]] = defaultdict(set)
        with self._read() as connection:
            for row in _chunked(connection, query, columns.source_id, source_ids):
                found[row.source_id].add(row.sample_index)
        return dict(found)

    def judged(self, judge_id: str, kind: str | None = None, *, failures: bool = False) -> set[tuple[str, ...]]:
        """The candidate ids of each judgement by this judge, in the judgement's own order.

        Failures count as judged only when `failures`: asking again may bring a verdict.
        """
        columns, links = schema.judgements.c, schema.judgement_candidates.c
        query = _where(select(links.judgement_id, links.candidate_id), {columns.judge_id: judge_id, columns.kind: kind})
        query = query.join(schema.judgements, columns.id == links.judgement_id)
        if not failures:
            query = query.where(columns.kind != "failure")
        found: dict[str, list[str]] = defaultdict(list)
        with self._read() as connection:
            for row in connection.execute(query.order_by(links.judgement_id, links.place)):
                found[row.judgement_id].append(row.candidate_id)
        return {tuple(ids) for ids in found.values()}

    def judged_candidates(self, judge_id: str, kind: str | None = None, *, failures: bool = False) -> set[str]:
        """The ids of all candidates that this judge has judged; see `judged`."""
        return {candidate for ids in self.judged(judge_id, kind, failures=failures) for candidate in ids}

    def failed_candidates(self, judge_id: str, reasons: Collection[str]) -> set[str]:
        """The ids of candidates on which this judge gave no verdict for one of these reasons."""
        columns, links = schema.judgements.c, schema.judgement_candidates.c
        query = _where(select(links.candidate_id, columns.data), {columns.judge_id: judge_id, columns.kind: "failure"})
        query = query.join(schema.judgements, columns.id == links.judgement_id)
        with self._read() as connection:
            return {row.candidate_id for row in connection.execute(query) if json.loads(row.data)["why"] in reasons}

    def stats(self) -> dict[str, Any]:
        """What the store holds, as plain JSON data; see `statistics.stats`."""
        with self._read() as connection:
            return stats(connection)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with explained(self.url), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with explained(self.url), self.engine.connect().execution_options(write=True) as connection, connection.begin():
            yield connection


def _insert(connection: Connection, table: Table, rows: list[schema.Values]) -> int:
    """Insert the rows that are not there yet; how many were new."""
    if not rows:
        return 0
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    if "created_at" in table.c:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        rows = [row | {"created_at": now} for row in rows]
    statement = dialect.insert(table).on_conflict_do_nothing()
    return connection.execute(statement, rows, execution_options={"preserve_rowcount": True}).rowcount


def _present(connection: Connection, table: Table, ids: Collection[str]) -> set[str]:
    return {row.id for row in _chunked(connection, select(table.c.seq, table.c.id), table.c.id, ids)}


def _where(query: Select[Any], equal: dict[Column[Any], str | None]) -> Select[Any]:
    """`query` narrowed to rows whose columns equal the values that are not None."""
    for column, value in equal.items():
        if value is not None:
            query = query.where(column == value)
    return query


def _chunked(
    connection: Connection, query: Select[Any], key: Column[Any], values: Collection[str] | None
) -> list[Row[Any]]:
    """The rows whose `key` is among `values` (None: all), each once, in the order of insertion (`seq`)."""
    if values is None:
        rows = {row.seq: row for row in connection.execute(query).all()}
    else:
        wanted = list(dict.fromkeys(values))
        rows = {}
        for start in range(0, len(wanted), _CHUNK):
            part = connection.execute(query.where(key.in_(wanted[start : start + _CHUNK]))).all()
            rows |= {row.seq: row for row in part}
    return [rows[seq] for seq in sorted(rows)]
