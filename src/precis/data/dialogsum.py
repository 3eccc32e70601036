"""DialogSum (Chen et al. 2021): dialogues with one summary and topic, or in the test split with three of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..records import Candidate, Document, check_text
from .rows import Fields, Record, key_of, list_of, reference, text_of


def parse(fields: Fields, dataset: str, split: str) -> Iterator[Record]:
    """A row `{id, dialogue, summary, topic}` or `{id, dialogue, summaries, topics}`.

    The authors' own files say `fname` for `id`, and `summary1`, `topic1` and so on for the lists.
    """
    name = "fname" if "fname" in fields and "id" not in fields else "id"
    if "summaries" in fields:
        summaries = list_of(fields, "summaries")
        meta = {"topics": list_of(fields, "topics")} if "topics" in fields else {}
        names = ["summaries"] * len(summaries)
    elif "summary1" in fields:
        names = _numbered(fields, "summary")
        summaries = [fields[name] for name in names]
        meta = {"topics": [fields[name] for name in _numbered(fields, "topic")]}
    else:
        names, summaries = ["summary"], [text_of(fields, "summary")]
        meta = {"topic": fields["topic"]} if "topic" in fields else {}
    for value in meta.values():
        for topic in value if isinstance(value, list) else [value]:
            check_text(topic, "topic", allow_empty=True)
    document = Document(text_of(fields, "dialogue"), key=key_of(fields, name), dataset=dataset, split=split, meta=meta)
    yield document
    for index, summary in enumerate(summaries):
        check_text(summary, names[index])
        yield reference(document, summary, index)


def row_of(document: Document, references: list[Candidate]) -> dict[str, Any]:
    """The row that `parse` reads back: with lists where there is not exactly one reference summary."""
    texts = [candidate.text for candidate in references]
    summary = {"summary": texts[0]} if len(texts) == 1 else {"summaries": texts}
    topics = {name: document.meta[name] for name in ("topic", "topics") if name in document.meta}
    return {"id": document.key, "dialogue": document.text} | summary | topics


def _numbered(fields: Fields, name: str) -> list[str]:
    """`name1`, `name2` and so on, as far as the row has them."""
    found: list[str] = []
    while f"{name}{len(found) + 1}" in fields:
        found.append(f"{name}{len(found) + 1}")
    return found
