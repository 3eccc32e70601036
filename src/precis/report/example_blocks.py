"""The texts themselves as blocks of a report: their lengths, and documents side by side."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..evaluation.systems import Evaluation
from ..records import Candidate, Document
from ..textmetrics import count_words
from .contents import Example, Examples, Output, Plot


def length_histogram(evaluation: Evaluation, references: Mapping[str, Sequence[Candidate]] | None = None) -> Plot:
    """How long the summaries are, in words, by system and for the references."""
    lengths: dict[str, list[int]] = {}
    if references:
        lengths["references"] = [count_words(r.text) for own in references.values() for r in own]
    for row in evaluation.outputs:
        lengths.setdefault(row["system"], []).append(row["words"])
    pooled = np.array([n for own in lengths.values() for n in own])
    # The longest 1% would squeeze everything else; they are gathered in the last bin.
    top = max(float(np.quantile(pooled, 0.99)) if len(pooled) else 0.0, 10.0)
    width = int(np.ceil((top + 1) / 30))
    edges = np.arange(0, top + width + 1, width)
    series = []
    for name, own in lengths.items():
        if not own:
            continue
        counts = np.histogram(np.minimum(own, edges[-1] - 0.5), edges)[0]
        series.append(
            {"name": name, "mean": float(np.mean(own)), "shares": [float(100 * c / len(own)) for c in counts]}
        )
    means = "; ".join(f"{one['name']} {one['mean']:.0f}" for one in series)
    return Plot(
        "histogram",
        {"series": series, "edges": [float(e) for e in edges], "xlabel": "words", "ylabel": "share of summaries"},
        f"Lengths of the summaries; the line is the mean. The last bin holds everything from {edges[-2]:.0f} words on.",
        f"Histograms of summary lengths; mean words: {means}",
    )


def example_block(
    evaluation: Evaluation,
    documents: Sequence[Document],
    references: Mapping[str, Sequence[Candidate]],
    *,
    count: int = 8,
    extremes: tuple[str, str] | None = None,
    compare: Literal["reference", "document", "first", ""] = "reference",
    seed: int = 0,
) -> Examples:
    """Documents drawn at random and, with `extremes` (two systems), those where ROUGE-1 parts the two most, both ways.

    The caption says how they were chosen, so that nobody has to wonder whether they were picked.
    """
    first: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in evaluation.outputs:
        first.setdefault(row["document"], {}).setdefault(row["system"], row)
    by_id = {document.id: document for document in documents}
    drawn = random.Random(seed).sample(sorted(first), min(count, len(first)))
    why = dict.fromkeys(drawn, "")
    said = f"{len(drawn)} of {len(first)} documents, drawn at random with seed {seed}"
    if extremes:
        one, other = extremes
        gaps = {
            document: own[one]["rouge1"] - own[other]["rouge1"]
            for document, own in first.items()
            if one in own and other in own and None not in (own[one]["rouge1"], own[other]["rouge1"])
        }
        ordered = sorted(gaps, key=lambda document: (gaps[document], document))
        chosen = {document: f"{other} far ahead" for document in ordered[:2] if gaps[document] < 0}
        chosen |= {document: f"{one} far ahead" for document in ordered[-2:] if gaps[document] > 0}
        why |= chosen
        if chosen:
            said += f"; then the {len(chosen)} on which ROUGE-1 parts {one} and {other} most"
    return Examples(
        said + ".", tuple(_example(by_id[d], first[d], references, reason) for d, reason in why.items()), compare
    )


def _example(
    document: Document,
    rows: Mapping[str, Mapping[str, Any]],
    references: Mapping[str, Sequence[Candidate]],
    why: str,
) -> Example:
    outputs = []
    for system, row in rows.items():
        numbers = {} if row["rouge1"] is None else {"ROUGE-1": f"{100 * row['rouge1']:.1f}"}
        numbers["words"] = str(row["words"])
        if not row["finished"]:
            numbers["cut"] = "by the length limit"
        outputs.append(Output(system, row["text"], numbers, row["candidate"]))
    texts = tuple(reference.text for reference in references.get(document.id, ()))
    return Example(document.id, document.title or document.key, document.text, texts, tuple(outputs), why)
