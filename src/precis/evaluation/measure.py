"""The rows that every number of an evaluation is made of: one a candidate, with its text and its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..records import Candidate, Document, JudgeInfo, Judgement, Score
from ..textmetrics import ROUGE_TYPES, TextStatistics, rouge_f1, text_statistics

Floats = NDArray[np.float64]

# Of `textmetrics.TextStatistics`, in this order.
STATISTICS = tuple(field.name for field in fields(TextStatistics))


def by_document(
    name: str, candidates: Sequence[Candidate], documents: Sequence[Document]
) -> dict[str, list[Candidate]]:
    """A system's candidates by document id, every document present; UserError for a summary of another document."""
    found: dict[str, list[Candidate]] = {document.id: [] for document in documents}
    for candidate in candidates:
        if candidate.source_id not in found:
            raise UserError(f"system {name!r} has a summary of {candidate.source_id}, which is not among the documents")
        found[candidate.source_id].append(candidate)
    return found


def measure(
    documents: Sequence[Document],
    references: Mapping[str, Sequence[Candidate]],
    texts: Mapping[str, Mapping[str, Sequence[Candidate]]],
    *,
    over: Literal["mean", "max"],
    tokenizer: Literal["rouge-score", "unicode", "character"],
) -> list[dict[str, Any]]:
    """One row a candidate, by document and system, with every metric; None is undefined."""
    rows: list[dict[str, Any]] = []
    for document in documents:
        own = [(name, candidate) for name, of in texts.items() for candidate in of[document.id]]
        for (name, candidate), read in zip(own, text_statistics(document.text, [c.text for _, c in own])):
            others = [r.id for r in references.get(document.id, ()) if r.id != candidate.id]
            rows.append(
                {
                    "system": name,
                    "document": document.id,
                    "key": document.key,
                    "candidate": candidate.id,
                    "index": candidate.index,
                    "finished": candidate.finished,
                    "empty": candidate.is_empty,
                    "references": others,
                    "text": candidate.text,
                    **dict.fromkeys(ROUGE_TYPES),
                    **asdict(read),
                }
            )
    scored = [row for row in rows if row["references"]]
    scores = rouge_f1(
        [row["text"] for row in scored], _reference_texts(scored, references), over=over, tokenizer=tokenizer
    )
    for kind, values in scores.items():
        for row, value in zip(scored, values):
            row[kind] = float(value)
    return rows


def _reference_texts(
    rows: Sequence[Mapping[str, Any]], references: Mapping[str, Sequence[Candidate]]
) -> list[list[str]]:
    return [[r.text for r in references[row["document"]] if r.id in row["references"]] for row in rows]


def add_bertscore(
    rows: list[dict[str, Any]],
    references: Mapping[str, Sequence[Candidate]],
    encoder: Path | str,
    layer: int | None,
    over: Literal["mean", "max"],
) -> None:
    """Put BERTScore's F1 into each row, None where there is no reference or no word piece."""
    from ..judges.bertscore import bertscore  # needs torch and transformers

    scored = [row for row in rows if row["references"]]
    found = bertscore(
        [row["text"] for row in scored], _reference_texts(scored, references), encoder, layer=layer, over=over
    )
    for row in rows:
        row["bertscore"] = None
    for row, value in zip(scored, found.f1_N):
        row["bertscore"] = None if np.isnan(value) else float(value)


def add_scores(rows: list[dict[str, Any]], metric: str, judge: JudgeInfo, judgements: Iterable[Judgement]) -> None:
    """Put the judge's score of each row's candidate into it as `metric`, None where it gave none."""
    found = {one.candidate: one.value for one in judgements if isinstance(one, Score) and one.judge.id == judge.id}
    for row in rows:
        row[metric] = found.get(row["candidate"])


def document_means(
    rows: Sequence[Mapping[str, Any]], system: str, documents: Sequence[Document], metrics: Sequence[str]
) -> Floats:
    """(documents, metrics): mean over the system's candidates, NaN where it has none with a value."""
    place = {document.id: index for index, document in enumerate(documents)}
    sums, counts = np.zeros((2, len(documents), len(metrics)))
    for row in rows:
        if row["system"] == system:
            values = np.array([np.nan if row[metric] is None else row[metric] for metric in metrics], dtype=np.float64)
            sums[place[row["document"]]] += np.nan_to_num(values)
            counts[place[row["document"]]] += ~np.isnan(values)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
