"""SAMSum, CNN/DailyMail and XSum: one document and one reference summary a row, under each data set's own names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..records import Candidate, Document
from .rows import Fields, Record, key_of, reference, text_of

# Kind → the fields of the document and of its summary.
NAMES = {
    "samsum": ("dialogue", "summary"),
    "cnndm": ("article", "highlights"),
    "xsum": ("document", "summary"),
}


def parse(kind: str, fields: Fields, dataset: str, split: str) -> Iterator[Record]:
    """A row `{id, DOCUMENT, SUMMARY}`; all three are required."""
    text, summary = NAMES[kind]
    document = Document(text_of(fields, text), key=key_of(fields, "id"), dataset=dataset, split=split)
    yield document
    yield reference(document, text_of(fields, summary))


def row_of(kind: str, document: Document, references: list[Candidate]) -> dict[str, Any]:
    """The row that `parse` reads back; None where there is no reference summary."""
    text, summary = NAMES[kind]
    return {"id": document.key, text: document.text, summary: references[0].text if references else None}
