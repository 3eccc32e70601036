"""A prompted judge's answer, read strictly: an order or a decision, or the reason why there is none.

What counts is the last line that begins with the label (`Ranking:`, `Decision:`); a line that holds it further in
counts only if no line begins with it. A later verdict revises an earlier one, so if the last one cannot be read, an
earlier one is not taken in its place: nobody knows whether it still holds. An answer that is nothing but a verdict
needs no label.

Mended is only what has one meaning: quotes, Markdown, brackets, bullets, full-width signs, a stray full stop, a list on
one line or on several, numbers with or without the word "summary". A list that leaves out one summary of n is *not*
mended: nobody said that it is the last.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Decision = Literal["1", "2", "tie"]
Tiers = tuple[tuple[int, ...], ...]


class Reason(StrEnum):
    """Why an answer gave no verdict: few and fixed sentences, so that they can be counted."""

    NO_VERDICT = "the answer has no line with its verdict"
    NO_LIST = "what the answer ranks is not a list of the summaries' numbers"
    MISSING = "the ranking leaves out a summary"
    TWICE = "the ranking names a summary twice"
    UNKNOWN = "the ranking names a number that no summary has"
    NO_DECISION = "what the answer decides is not 1, 2 or tie"
    CUT = "the answer was cut off by max_tokens before its verdict"


@dataclass(frozen=True)
class Order:
    """Summaries' numbers (from 1) in tiers, best first; numbers in one tier are tied."""

    tiers: Tiers


@dataclass(frozen=True)
class Unreadable:
    """No verdict: the `reason`, and in `detail` the numbers or words it is about."""

    reason: Reason
    detail: str = ""


_MARKUP = str.maketrans(dict.fromkeys("*`\"'“”„‘’‚«»", "") | {"_": " "})
_THOUGHT = re.compile(r"^(?:(?!<think>).)*?</think>|<think>.*?(?:</think>|$)", re.DOTALL | re.IGNORECASE)
_BEFORE_LABEL = r"^[^\w\n]*(?:(?:my|the|final|overall)\s+)*"
_BEST_FIRST = r"(?:\s*\(?(?:from\s+)?best\s+(?:first|to\s+worst)\)?)?"
_BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">"}
_OPENERS = {closer: opener for opener, closer in _BRACKETS.items()}

_WORD = r"(?:(?:summary|candidate)\s*)"
_NUMBER = re.compile(rf"{_WORD}?#?\s*(\d{{1,4}})", re.IGNORECASE)
_BULLET = re.compile(r"^\s*(?:[-•–]\s+)?")
# "1. 4" and "1) Summary 4", and "1: Summary 4"; but not "1: 4", which may as well mean that summary 1 is the fourth.
_MARKED = re.compile(rf"(\d{{1,4}})\s*(?:[.)]\s+|[.):]\s*(?={_WORD}|#))(.+)", re.IGNORECASE)
# After a place and a summary, a reason may follow: "1. Summary 4 – the clearest".
_WITH_REASON = re.compile(rf"({_WORD}#?\s*\d{{1,4}})\s*(?:[-–—:(]|,\s*(?:because|as|since)\b).*", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(?:-+>|=>|→|>{1,3}|,\s*(?:and|then)\s|,|;)\s*", re.IGNORECASE)
_GOES_ON = re.compile(r"[,;>=→\[({]\s*$")

_SIDE = r"(?:(?:the\s+)?(?:summary|candidate|option|number|no\.)\s*)?#?\s*"
_REASON = r"(?:\s*[,:;(–—-]\s*\D*|[.!]\s+\D*|\s+(?:because|as|since)\s\D*|[.!]?)"
_IS_BETTER = r"\s+(?:is\s+(?:the\s+)?(?:better|preferred|superior)(?:\s+one|\s+summary)?|wins)"
_CHOSEN = re.compile(rf"{_SIDE}([12])(?:{_IS_BETTER}(?:\s+than\s+{_SIDE}[12])?)?{_REASON}", re.IGNORECASE | re.DOTALL)
_TIE = re.compile(
    rf"(?:its?\s+(?:is\s+)?)?(?:an?\s+)?(?:tied?|draw)(?:\s+between\s+{_SIDE}1\s+and\s+{_SIDE}2)?{_REASON}",
    re.IGNORECASE | re.DOTALL,
)
_DOUBT = re.compile(r"\b(?:or|tie|tied|draw|both|neither|equal|equally|not|worse|worst)\b", re.IGNORECASE)


def spoken(text: str) -> str:
    """`text` without a reasoning model's thoughts (`<think>…</think>`); thoughts that never end run to the end."""
    return _THOUGHT.sub("", text)


def read_ranking(text: str, count: int) -> Order | Unreadable:
    """The order of summaries 1 to `count` that `text` ends in."""
    plain = _plain(text)
    lines = _after_label(plain, "ranking")
    if lines is not None:
        return _list(lines, count)
    lines = [line for line in plain.splitlines() if line.strip()]
    if len(_items(lines)) == len(lines) or len(lines) == 1:
        found = _list(lines, count)
        if isinstance(found, Order) or found.reason is not Reason.NO_LIST:
            return found
    return Unreadable(Reason.NO_VERDICT)


def read_decision(text: str) -> Decision | Unreadable:
    """`1`, `2` or `tie`, as `text` ends in. "Neither" is none of them: it may blame both or prefer neither."""
    plain = _plain(text)
    after = _after_label(plain, "decision")
    lines = plain.splitlines() if after is None else after
    first = next((line for line in lines if line.strip()), "").strip()
    if after is None and first != plain.strip():
        return Unreadable(Reason.NO_VERDICT)
    value = _unwrapped(first, half=True)
    chosen = _CHOSEN.fullmatch(value)
    if chosen and not _DOUBT.search(value):
        return "1" if chosen[1] == "1" else "2"
    if _TIE.fullmatch(value):
        return "tie"
    return Unreadable(Reason.NO_VERDICT if after is None else Reason.NO_DECISION, value[:60])


def _plain(text: str) -> str:
    """Without thoughts and Markdown, full-width signs made narrow, one space where there are several."""
    plain = unicodedata.normalize("NFKC", spoken(text)).translate(_MARKUP)
    return "\n".join(" ".join(line.split()) for line in plain.splitlines())


def _after_label(plain: str, label: str) -> list[str] | None:
    """What follows the label that counts, line by line, beginning with the rest of its own line; None without one."""
    opening, inside = rf"{_BEFORE_LABEL}{label}{_BEST_FIRST}[^\S\n]*(?::|$)", rf"\b{label}{_BEST_FIRST}\s*:"
    found = list(re.finditer(opening, plain, re.IGNORECASE | re.MULTILINE))
    found = found or list(re.finditer(inside, plain, re.IGNORECASE))
    return plain[found[-1].end() :].splitlines() if found else None


def _list(lines: Sequence[str], count: int) -> Order | Unreadable:
    """A list a line an item, or on one line (which may be broken after a separator)."""
    start = next((n for n, line in enumerate(lines) if line.strip()), None)
    if start is None:
        return Unreadable(Reason.NO_LIST)
    lines = lines[start:]
    items = _items(lines)
    found = _checked(_tiers(items), count)
    if len(items) < 2 and isinstance(found, Unreadable):
        text, found = lines[0], _checked(_inline(lines[0]), count)
        for line in lines[1:]:
            if isinstance(found, Order) or not _GOES_ON.search(text):
                break
            text += " " + line
            found = _checked(_inline(text), count)
    if isinstance(found, Unreadable) and found.reason is Reason.NO_LIST:
        found = Unreadable(Reason.NO_LIST, lines[0].strip()[:60])
    return found


Item = tuple[int | None, tuple[int, ...]]  # the place it is marked with, and the summaries tied there


def _items(lines: Sequence[str]) -> list[Item]:
    """The items that the lines begin with, one a line; blank lines between them do not count."""
    found = []
    for line in lines:
        if line.strip():
            item = _item(_BULLET.sub("", line).strip(), reasons=True)
            if item is None:
                break
            found.append(item)
    return found


def _inline(line: str) -> Tiers | None:
    line = _unwrapped(line.strip(), half=True)
    if re.fullmatch(r"\d+(?:\s+\d+)+", line):
        return tuple((int(number),) for number in line.split())
    items = [_item(piece) for piece in _BETWEEN.split(line)]
    return None if None in items else _tiers([item for item in items if item])


def _item(piece: str, *, reasons: bool = False) -> Item | None:
    marked = _MARKED.fullmatch(piece)
    place, rest = (int(marked[1]), marked[2].strip()) if marked else (None, piece)
    if marked and reasons and (reasoned := _WITH_REASON.fullmatch(rest)):
        rest = reasoned[1]
    tied = []
    for name in re.split(r"\s*={1,2}\s*", rest):
        number = _NUMBER.fullmatch(_unwrapped(name.strip(" .")))
        if number is None:
            return None
        tied.append(int(number[1]))
    return place, tuple(tied)


def _tiers(items: Sequence[Item]) -> Tiers | None:
    """None if some items are marked with their place and some are not, or the places are not 1, 2, 3, …"""
    places = [place for place, _ in items]
    if any(place is not None for place in places) and places != list(range(1, len(items) + 1)):
        return None
    return tuple(tied for _, tied in items)


def _checked(tiers: Tiers | None, count: int) -> Order | Unreadable:
    if tiers is None:
        return Unreadable(Reason.NO_LIST)
    named = [number for tied in tiers for number in tied]
    strange = sorted({number for number in named if not 1 <= number <= count})
    twice = sorted({number for number in named if named.count(number) > 1})
    missing = sorted(set(range(1, count + 1)) - set(named))
    for reason, numbers in ((Reason.UNKNOWN, strange), (Reason.TWICE, twice), (Reason.MISSING, missing)):
        if numbers:
            return Unreadable(reason, ", ".join(map(str, numbers)))
    return Order(tiers)


def _unwrapped(text: str, *, half: bool = False) -> str:
    """Without the brackets around it. With `half`, also without a bracket whose other half is not there, and without
    what punctuation is left at the end."""
    while text:
        before = text
        if half:
            text = text.rstrip(" \t,;.!")
        if len(text) > 1 and _BRACKETS.get(text[0]) == text[-1] and not set(text[1:-1]) & {text[0], text[-1]}:
            text = text[1:-1].strip()
        elif half and text and text[0] in "([{" and _BRACKETS[text[0]] not in text:
            text = text[1:].strip()
        elif half and text and text[-1] in ")]}" and _OPENERS[text[-1]] not in text:
            text = text[:-1].strip()
        if text == before:
            break
    return text
