"""Files into the store and out of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..records import Candidate, Document
from . import table
from .reading import read
from .rows import ABSENT, Record
from .splits import Shares, split_by_document
from .tldr_filters import FilterReport, TldrFilter
from .writing import write

if TYPE_CHECKING:
    from ..store import Store

# A transaction's size: enough rows that the disk is not waited for, few enough characters for any memory.
_BATCH_RECORDS = 2000
_BATCH_CHARACTERS = 16_000_000


@dataclass
class ImportReport:
    """What an import read, added, knew already and left aside. `str(report)` is what the command prints."""

    path: str
    rows: int = 0
    bad_rows: int = 0
    rejects: str | None = None
    dropped: dict[str, int] = field(default_factory=dict)
    absent: dict[str, int] = field(default_factory=dict)
    filters: FilterReport | None = None
    splits: dict[str, int] = field(default_factory=dict)
    new: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("documents", "candidates", "judgements"), 0))
    known: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("documents", "candidates", "judgements"), 0))
    duplicate_documents: int = 0
    documents_without_reference: int = 0
    without_role: set[str] = field(default_factory=set)
    empty_candidates: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.rows:,} rows in {self.seconds:.1f} s"]
        added = [name for name in self.new if self.new[name] or self.known[name]]
        lines += [f"  {name}: {self.new[name]:,} new, {self.known[name]:,} known" for name in added]
        if self.splits:
            lines += ["  splits: " + ", ".join(f"{name} {count:,}" for name, count in self.splits.items())]
        notes = [
            (self.duplicate_documents, "documents have a text that was met under another id, split or data set"),
            (self.documents_without_reference, f"documents have no reference summary{self._columns_left()}"),
            (self.empty_candidates, "candidates are empty"),
            (self.bad_rows, f"bad rows were set aside in {self.rejects}"),
            *((count, f"dropped: {why}") for why, count in self.dropped.items()),
            *((count, f"absent: {what}") for what, count in self.absent.items()),
        ]
        return "\n".join(lines + [f"  {count:,} {note}" for count, note in notes if count])

    def _columns_left(self) -> str:
        """Columns of such documents that were read as nothing in particular: one may be the summary."""
        left = ", ".join(sorted(self.without_role)[:8])
        return f" (columns without a role: {left}; summary=COLUMN names one)" if left else ""


def import_into(
    store: Store,
    kind: str,
    path: Path | str,
    *,
    columns: table.Columns | None = None,
    dataset: str | None = None,
    split: str | None = None,
    skip_bad: Path | None = None,
    posts: TldrFilter | None = None,
    shares: Shares | None = None,
    seed: int = 0,
    met: list[str] | None = None,
    advance: Callable[[int], None] = lambda rows: None,
) -> ImportReport:
    """Read `path` (see `read`) into the store, batch by batch; `advance` is told of every batch's records.

    `met` is given the ids of the documents that are in the file, new and known ones, in their order. With `shares` each
    document goes into the split that its text falls into (see `split_by_document`, with `seed`).

    Stopped at any moment, by a bad row or by force, it leaves whole batches; run again, it adds only what is missing.
    """
    start = time.monotonic()
    counts: Counter[str] = Counter()
    if shares and split is not None:
        raise UserError("a split and shares of splits say two things; give one of them")
    report = ImportReport(
        str(path),
        rejects=None if skip_bad is None else str(skip_bad),
        filters=None if posts is None else posts.report,
    )
    split_of_id: dict[str, str] = {}
    records = read(
        kind, path, columns=columns, dataset=dataset, split=split, skip_bad=skip_bad, counts=counts, posts=posts
    )
    if shares:
        records = split_by_document(records, shares, seed=seed)
    for batch in _batches(records):
        documents = [record for record in batch if isinstance(record, Document)]
        candidates = [record for record in batch if isinstance(record, Candidate)]
        judgements = [record for record in batch if not isinstance(record, (Document, Candidate))]
        for name, added in (
            ("documents", store.add_documents(documents)),
            ("candidates", store.add_candidates(candidates)),
            ("judgements", store.add_judgements(judgements)),
        ):
            report.new[name] += added.new
            report.known[name] += added.known
            report.duplicate_documents += added.duplicates
        referenced = {candidate.source_id for candidate in candidates if candidate.maker.role == "reference"}
        if kind not in ("precis", "openai", "trl"):  # whose documents come apart from their references, or without
            without = [document for document in documents if document.id not in referenced]
            report.documents_without_reference += len(without)
            report.without_role.update(name for document in without for name in document.meta)
        if met is not None:
            met += [document.id for document in documents]
        split_of_id |= {document.id: document.split for document in documents if shares}
        report.empty_candidates += sum(candidate.is_empty for candidate in candidates)
        advance(len(batch))
    placed = Counter(split_of_id.values())
    report.splits = {name: placed[name] for name in shares or ()}
    report.rows, report.bad_rows = counts.pop("rows", 0), counts.pop("bad rows", 0)
    for why, count in counts.items():
        left = report.absent if why.startswith(ABSENT) else report.dropped
        left[why.removeprefix(ABSENT).removeprefix("dropped: ")] = count
    report.seconds = time.monotonic() - start
    return report


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Batches that end before a document, so that one transaction's documents have their candidates beside them."""
    batch: list[Record] = []
    characters = 0
    for record in records:
        full = len(batch) >= _BATCH_RECORDS or characters >= _BATCH_CHARACTERS
        if full and (isinstance(record, Document) or len(batch) >= 2 * _BATCH_RECORDS):
            yield batch
            batch, characters = [], 0
        batch.append(record)
        characters += len(record.text) if isinstance(record, (Document, Candidate)) else 0
    if batch:
        yield batch


def export_from(
    store: Store, kind: str, path: Path | str, *, dataset: str | None = None, split: str | None = None
) -> Counter[str]:
    """Write what the store holds, of one data set and split if given, as `kind` (see `write`, whose counts it returns).

    `precis` gets everything, `openai` the comparisons, every other kind documents and their reference summaries.
    Preferences (`trl`) are made by selection: write the groups it makes.
    """
    documents = store.documents(dataset, split)
    everything = dataset is None and split is None
    ids = None if everything else [document.id for document in documents]
    candidates = store.candidates(ids)
    records: list[Record] = [*documents]
    if kind not in ("precis", "openai"):
        mine = {document.id for document in documents}
        records += [c for c in candidates if c.maker.role == "reference" and c.source_id in mine]
        return write(kind, path, records)
    if kind == "openai":
        return write(kind, path, [*records, *candidates, *store.judgements("comparison", source_ids=ids)])
    written_from = candidates
    while not everything and written_from:  # what was written from candidates, and from those
        written_from = store.candidates([candidate.id for candidate in written_from])
        candidates = [*candidates, *written_from]
    sources = None if everything else {c.source_id for c in candidates} | set(ids or ())
    return write(kind, path, [*records, *candidates, *store.judgements(source_ids=sources)])
