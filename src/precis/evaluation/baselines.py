"""Rules that any trained system must beat, as ordinary candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..records import Candidate, Document, Maker
from ..textmetrics import Unit, lead, longest


def rule_candidates(
    documents: Sequence[Document], rule: Literal["lead", "longest"], k: int = 3, *, unit: Unit = "auto"
) -> list[Candidate]:
    """Lead-k or Longest-k of each document (`textmetrics.lead`, `textmetrics.longest`)."""
    cut = {"lead": lead, "longest": longest}[rule]
    maker = Maker("rule", f"{rule}-{k}", {"unit": unit})
    return [Candidate(document.id, cut(document.text, k, unit=unit), maker) for document in documents]
