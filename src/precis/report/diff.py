"""What differs between texts, word by word, as segments to be marked: ("same" | "new" | "gone", text)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "new", "gone"]
Segment = tuple[Kind, str]

# What belongs to words and Python's \w leaves out: accents, Hebrew and Arabic vowels, Indic and Thai signs, joiners.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
_MARKS += "\u0900-\u0963\u0966-\u0d7f\u0e31-\u0e4e\u200c\u200d"
_TOKEN = re.compile(rf"[\w{_MARKS}]+(?:['’][\w{_MARKS}]+)*|\s+|[^\w\s]")
_LONGEST = 2_000  # tokens; matching takes quadratic time


def unknown_words(text: str, known: Iterable[str]) -> list[Segment]:
    """`text` with the words that none of the texts in `known` has marked "new"; case does not matter.

    >>> unknown_words("A big cat slept.", ["The cat slept a lot."])
    [('same', 'A '), ('new', 'big'), ('same', ' cat slept.')]
    """
    seen = {token.casefold() for other in known for token in _TOKEN.findall(other)}
    return _joined(
        ("new" if token[0].isalnum() and token.casefold() not in seen else "same", token)
        for token in _TOKEN.findall(text)
    )


def difference(old: str, new: str) -> list[Segment]:
    """How `old` becomes `new`; texts longer than 2,000 tokens are given unmarked.

    >>> difference("the cat sat", "the dog sat")
    [('same', 'the '), ('gone', 'cat'), ('new', 'dog'), ('same', ' sat')]
    """
    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    if max(len(before), len(after)) > _LONGEST:
        return [("same", new)]
    matcher = SequenceMatcher(None, _folded(before), _folded(after), autojunk=False)
    segments: list[Segment] = []
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            segments.append(("same", "".join(after[new_start:new_end])))
            continue
        segments.append(("gone", "".join(before[old_start:old_end])))
        segments.append(("new", "".join(after[new_start:new_end])))
    return _joined(segments)


def _folded(tokens: Sequence[str]) -> list[str]:
    return [" " if token.isspace() else token.casefold() for token in tokens]


def _joined(segments: Iterable[Segment]) -> list[Segment]:
    """Neighbours of one kind as one segment; a space between two marked words is marked with them."""
    found: list[Segment] = []
    for kind, text in segments:
        if not text:
            continue
        if (
            len(found) >= 2
            and kind == "new"
            and found[-1][0] == "same"
            and found[-2][0] == "new"
            and found[-1][1].isspace()
        ):
            found[-2:] = [("new", found[-2][1] + found[-1][1] + text)]
        elif found and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1] + text)
        else:
            found.append((kind, text))
    return found
