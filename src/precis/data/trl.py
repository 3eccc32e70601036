"""TRL's preference format: `{prompt, chosen, rejected}`, as texts or as conversations of one turn each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..errors import BadInput
from ..records import Candidate, Comparison, Document, Group, JudgeInfo, Maker
from .rows import Fields, Record, text_of


def parse(fields: Fields, dataset: str, split: str) -> Iterator[Record]:
    """One row: the prompt is the document, and an unnamed judge prefers `chosen` to `rejected`."""
    document = Document(_said(fields, "prompt", "user"), dataset=dataset, split=split)
    maker = Maker("policy", dataset)
    chosen = Candidate(document.id, _said(fields, "chosen", "assistant", allow_empty=True), maker)
    rejected = Candidate(document.id, _said(fields, "rejected", "assistant", allow_empty=True), maker)
    yield document
    yield chosen
    yield rejected
    yield Comparison(JudgeInfo(dataset), document.id, chosen.id, rejected.id, "a")


def rows_of(
    groups: Iterable[Group],
    *,
    prompt: Callable[[Document | Candidate], str] | None = None,
    conversational: bool = False,
) -> Iterator[dict[str, Any]]:
    """One row a preference of each group; `prompt` renders the source, by default as its text alone."""
    for group in groups:
        text = prompt(group.source) if prompt is not None else group.source.text
        for preference in group.preferences:
            chosen = group.candidates[preference.chosen].text
            rejected = group.candidates[preference.rejected].text
            if conversational:
                yield {
                    "prompt": [{"role": "user", "content": text}],
                    "chosen": [{"role": "assistant", "content": chosen}],
                    "rejected": [{"role": "assistant", "content": rejected}],
                }
            else:
                yield {"prompt": text, "chosen": chosen, "rejected": rejected}


def _said(fields: Fields, name: str, role: str, *, allow_empty: bool = False) -> str:
    """A field's text, or the content of its only message."""
    value = fields.get(name)
    if not isinstance(value, list):
        return text_of(fields, name, allow_empty=allow_empty)
    if len(value) != 1 or not isinstance(value[0], dict) or value[0].get("role") != role:
        raise BadInput(f"expected a text, or one message with the role {role!r}", field=name)
    return text_of(value[0], "content", allow_empty=allow_empty)
