"""Measures of summaries that need nothing but text: the judges and the evaluation share them.

Words are Unicode words (UAX #29), case-folded; ideographs count one each:

>>> words("It's #Person1#'s e-mail, 你好!")
["it's", 'person1', 's', 'e', 'mail', '你', '好']

ROUGE alone keeps the tokenizer of `rouge-score` (ASCII letters and digits), so that its numbers are the
published ones. A measure that is undefined for a text, such as the novel 4-grams of a summary of three words,
is None: it is left out of means and counted, never taken for zero.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rouge_score_rs import RougeScorer
from rouge_score_rs.tokenizers import CharacterTokenizer, UnicodeTokenizer

ROUGE_TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
Floats = NDArray[np.float64]
Unit = Literal["auto", "line", "sentence"]

# The package's classes carry no types.
_UNICODE: Any = UnicodeTokenizer()
_SCORER: Any = RougeScorer


def words(text: str) -> list[str]:
    """The case-folded words of `text`; punctuation, symbols and emoji are none."""
    return list(_UNICODE.tokenize(text))


def count_words(text: str) -> int:
    """How many words `text` has: the length that reports and length control mean."""
    return len(_UNICODE.tokenize(text))


# Sentences and turns

_ABBREVIATIONS = {
    *("mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "etc", "e.g", "i.e", "u.s", "u.k", "a.m", "p.m", "inc"),
    *(
        "ltd",
        "co",
        "corp",
        "fig",
        "gen",
        "col",
        "sgt",
        "rep",
        "sen",
        "gov",
        "rev",
        "mt",
        "dept",
        "approx",
        "jan",
        "feb",
    ),
    *("mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"),
}
_END = re.compile(r"""(?:[.!?…]+["'”’»)\]]*(?=\s)\s+|[。！？]+["'”’»」』）]*\s*)""")
_SPEAKER = re.compile(r"[^\s:][^:\n]{0,39}:(?:\s|$)")


def sentences(text: str) -> list[str]:
    """The sentences of `text`: its lines, cut after . ! ? … (and closing quotes) before white space, and after 。！？.

    There is no cut after a common abbreviation or a single letter ("Mr. Smith", "J. K. Rowling"), nor before a
    lower-case letter ("at 5 p.m. he left").
    """
    found = []
    for line in text.splitlines():
        start = 0
        for match in _END.finditer(line):
            if match.end() < len(line) and _ends_sentence(line[start : match.start()], match[0], line[match.end()]):
                found.append(line[start : match.end()].strip())
                start = match.end()
        found.append(line[start:].strip())
    return [sentence for sentence in found if sentence]


def _ends_sentence(before: str, mark: str, following: str) -> bool:
    if following.islower():
        return False
    if not mark.rstrip().startswith(".") or mark.startswith(".."):
        return True
    last = before.rsplit(None, 1)[-1].lstrip("\"'“‘«([") if before.strip() else ""
    return last.lower() not in _ABBREVIATIONS and not (len(last) == 1 and last.isalpha() and last != "I")


def is_dialogue(text: str) -> bool:
    """Whether `text` has at least two lines, most of which open with a speaker ("Tom: …", "#Person1#: …")."""
    lines = [line for line in text.splitlines() if line.strip()]
    return len(lines) >= 2 and 2 * sum(bool(_SPEAKER.match(line.strip())) for line in lines) > len(lines)


def lead(text: str, k: int = 3, *, unit: Unit = "auto") -> str:
    """The Lead-k baseline: the first `k` turns of a dialogue, speakers included, or sentences of prose.

    `unit` is `line` (a turn a line), `sentence`, or `auto` (lines where `is_dialogue`).
    """
    pieces, separator = _units(text, unit)
    return separator.join(pieces[:k])


def longest(text: str, k: int = 3, *, unit: Unit = "auto") -> str:
    """The Longest-k baseline (Chen et al. 2021, DialogSum): the `k` units with most words, in the text's order.

    Of units equally long the earlier ones are taken.
    """
    pieces, separator = _units(text, unit)
    chosen = sorted(range(len(pieces)), key=lambda index: -count_words(pieces[index]))[:k]
    return separator.join(pieces[index] for index in sorted(chosen))


def _units(text: str, unit: Unit) -> tuple[list[str], str]:
    if unit == "line" or (unit == "auto" and is_dialogue(text)):
        return [line.strip() for line in text.splitlines() if line.strip()], "\n"
    return sentences(text), " "


# ROUGE


@dataclass(frozen=True)
class Rouge:
    """One ROUGE variant of N candidates, each from 0 to 1."""

    precision_N: Floats
    recall_N: Floats
    f1_N: Floats


def rouge(
    candidates: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    types: Sequence[str] = ROUGE_TYPES,
    over: Literal["mean", "max"] = "mean",
    stem: bool = True,
    tokenizer: Literal["rouge-score", "unicode", "character"] = "rouge-score",
) -> dict[str, Rouge]:
    """ROUGE of candidate n against `references[n]`, by type, equal to the package `rouge-score`.

    `over` several references, `mean` averages precision, recall and F1 (DialogSum's convention) and `max` takes
    the reference with the highest F1. `rougeLsum` sees the sentences of `sentences`. The tokenizers `unicode` and
    `character` read other scripts than Latin and do not stem. An empty candidate scores 0.

    Raises ValueError if a candidate has no reference: no score is not a score of zero.
    """
    if len(candidates) != len(references):
        raise ValueError(f"{len(candidates)} candidates but references for {len(references)}")
    counts = [len(texts) for texts in references]
    if 0 in counts:
        raise ValueError(f"candidate {counts.index(0)} has no reference")
    split = lru_cache(maxsize=None)(lambda text: "\n".join(sentences(text))) if "rougeLsum" in types else str
    targets = [split(text) for texts in references for text in texts]
    predictions = [text for text, count in zip(map(split, candidates), counts) for _ in range(count)]
    chosen = {"unicode": _UNICODE, "character": CharacterTokenizer()}.get(tokenizer)
    scores = _SCORER(list(types), use_stemmer=stem, tokenizer=chosen).score_batch(targets, predictions)
    starts = np.cumsum([0, *counts[:-1]])
    return {kind: _over_references([score[kind] for score in scores], counts, starts, over) for kind in types}


def _over_references(scores: Sequence[Any], counts: Sequence[int], starts: NDArray[np.int64], over: str) -> Rouge:
    if not scores:
        return Rouge(np.zeros(0), np.zeros(0), np.zeros(0))
    values = np.array(scores, dtype=np.float64)  # one row a pair: precision, recall, F1
    if over == "mean":
        values = np.add.reduceat(values, starts, axis=0) / np.array(counts)[:, None]
    else:
        values = np.stack([rows[rows[:, 2].argmax()] for rows in np.split(values, starts[1:])])
    return Rouge(values[:, 0], values[:, 1], values[:, 2])


def rouge_f1(candidates: Sequence[str], references: Sequence[Sequence[str]], **options: Any) -> dict[str, Floats]:
    """The F1 of `rouge`, by type, with its options."""
    return {kind: scores.f1_N for kind, scores in rouge(candidates, references, **options).items()}


def rouge_reads(text: str) -> bool:
    """Whether ROUGE's own tokenizer sees any word of a text that has words; it is blind to other scripts than Latin."""
    return bool(re.search(r"[a-z0-9]", text.lower())) or not words(text)


# Against the document


@dataclass(frozen=True)
class TextStatistics:
    """What one summary took from its document. None is undefined (no words, or fewer than n)."""

    words: int
    compression: float | None
    coverage: float | None
    density: float | None
    novel1: float | None
    novel2: float | None
    novel3: float | None
    novel4: float | None
    copying: float | None
    repetition: float | None


def text_statistics(document: str, summaries: Sequence[str]) -> list[TextStatistics]:
    """`TextStatistics` of each summary; the document is read once for all of them."""
    source = words(document)
    places, pairs = _places(source), _ngrams(source, 2)
    seen = {n: set(_ngrams(source, n)) for n in (1, 2, 3, 4)}
    found = []
    for summary in summaries:
        own = words(summary)
        lengths = np.array(fragments(source, own, places), dtype=np.float64)
        size = len(own)
        novel = {f"novel{n}": _novelty(seen[n], own, n) for n in (1, 2, 3, 4)}
        found.append(
            TextStatistics(
                words=size,
                compression=len(source) / size if size else None,
                coverage=float(lengths.sum()) / size if size else None,
                density=float((lengths**2).sum()) / size if size else None,
                **novel,
                copying=_copying(pairs, own),
                repetition=repetition(own),
            )
        )
    return found


def _places(document: Sequence[str]) -> Mapping[str, list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for index, word in enumerate(document):
        places[word].append(index)
    return places


def fragments(
    document: Sequence[str], summary: Sequence[str], places: Mapping[str, list[int]] | None = None
) -> list[int]:
    """Lengths of the extractive fragments F(A, S) of Grusky et al. 2018 (figure 3), from words.

    Read the summary from the left; at each word take the longest run that the document also has. `places` is
    where each word stands in the document, if that is known already.
    """
    places = _places(document) if places is None else places
    found, at = [], 0
    while at < len(summary):
        best = 0
        for start in places.get(summary[at], ()):
            # A longer run must agree at its last word too: most starts fail there, at once.
            if start + best >= len(document) or at + best >= len(summary):
                break
            if document[start + best] != summary[at + best]:
                continue
            length = 1
            while (
                start + length < len(document)
                and at + length < len(summary)
                and document[start + length] == summary[at + length]
            ):
                length += 1
            best = max(best, length)
        if best:
            found.append(best)
        at += max(best, 1)
    return found


def novel_ngrams(document: Sequence[str], summary: Sequence[str], n: int) -> float | None:
    """Share of the summary's distinct n-grams that the document does not have (Narayan et al. 2018)."""
    return _novelty(set(_ngrams(document, n)), summary, n)


def _novelty(seen: set[tuple[str, ...]], summary: Sequence[str], n: int) -> float | None:
    own = set(_ngrams(summary, n))
    return len(own - seen) / len(own) if own else None


def repetition(summary: Sequence[str], n: int = 3) -> float | None:
    """Share of the summary's n-grams that repeat an earlier one."""
    grams = _ngrams(summary, n)
    return 1 - len(set(grams)) / len(grams) if grams else None


def copying(document: Sequence[str], summary: Sequence[str]) -> float | None:
    """Longest common subsequence of bigrams with the document / bigrams of the summary (Stiennon et al. 2020, G.7)."""
    return _copying(_ngrams(document, 2), summary)


def _copying(document_pairs: Sequence[tuple[str, ...]], summary: Sequence[str]) -> float | None:
    pairs = _ngrams(summary, 2)
    return lcs_length(document_pairs, pairs) / len(pairs) if pairs else None


def lcs_length(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence, by bit vectors as long as `b` (Hyyrö 2004)."""
    full = (1 << len(b)) - 1
    matches: dict[Hashable, int] = {}
    for index, item in enumerate(b):
        matches[item] = matches.get(item, 0) | 1 << index
    row = full  # a zero bit marks a step of the dynamic programme's row
    for item in a:
        if match := matches.get(item):
            update = row & match
            row = ((row + update) | (row - update)) & full
    return len(b) - row.bit_count()


def _ngrams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(tokens[start:] for start in range(n))))
