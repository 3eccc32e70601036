"""BRIO's and SimCLS's preprocessed data (Liu et al. 2022; Liu and Liu 2021): one JSON file a document.

    {article, article_untok, abstract, abstract_untok, candidates, candidates_untok}

Articles and abstracts are lists of sentences, candidates lists of [sentences, score]; a score is the ROUGE against the
abstract by which candidates are ordered. What is read is the text as it was written, `…_untok`; without it the
tokenized one. Sentences are joined by a space, as in the authors' code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import BadInput
from ..records import Document, JudgeInfo, Maker, Score, check_text
from .rows import Fields, Record, reference
from .sumllm import numbered_candidates

# Which ROUGE it is no file says: by the code the mean of ROUGE-1, -2 and -Lsum, on XSum the harmonic mean of 1 and 2.
JUDGE = JudgeInfo("rouge (released)")
SCALE = "rouge"
_AS_WRITTEN = "_untok"


def parse(fields: Fields, dataset: str, split: str) -> Iterator[Record]:
    """One file's document, reference summary, candidates and their scores."""
    kind = _AS_WRITTEN if f"candidates{_AS_WRITTEN}" in fields else ""
    document = Document(_text_of(fields, f"article{kind}"), dataset=dataset, split=split)
    yield document
    yield reference(document, _text_of(fields, f"abstract{kind}"))
    candidates, scores = numbered_candidates(fields, f"candidates{kind}", document, Maker("policy", dataset), _joined)
    yield from candidates
    for candidate, score in zip(candidates, scores, strict=True):
        yield Score(JUDGE, document.id, candidate.id, score, SCALE)


def _text_of(fields: Fields, name: str) -> str:
    text = _joined(fields.get(name), name)
    check_text(text, name)
    return text


def _joined(value: Any, name: str) -> str:
    """The text that is a list of sentences, or simply a text."""
    if not isinstance(value, (str, list)):
        found = "nothing" if value is None else type(value).__name__
        raise BadInput(f"expected a list of sentences, found {found}", field=name)
    sentences = [value] if isinstance(value, str) else value
    for sentence in sentences:
        check_text(sentence, name, allow_empty=True)
    return " ".join(sentences)
