"""A judge's answer as plain text: without thoughts, Markdown, and the quotation marks and brackets around a verdict."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from ..endpoint.messages import spoken

_MARKUP = str.maketrans({"*": "", "_": " "})
DOUBLE, _SINGLE = '"“”„«»', "'‘’‚"
QUOTES = DOUBLE + _SINGLE
BARE = str.maketrans(dict.fromkeys(QUOTES + "`", ""))
# The whole answer in one pair of quotation marks quotes nothing.
_ALL_QUOTED = re.compile(
    rf"\s*(?:[{DOUBLE}]([^{DOUBLE}]*)[{DOUBLE}]|[{_SINGLE}]([^{QUOTES}]*)[{_SINGLE}])[.!]?\s*", re.DOTALL
)


def as_said(text: str) -> str:
    """Without thoughts and Markdown's stars, full-width signs made narrow, one space where there are several.

    Quotation marks stay. A line end at the very end stays, too: it says that the last line has ended.
    """
    plain = unicodedata.normalize("NFKC", spoken(text)).translate(_MARKUP)
    ended = plain[-1:].splitlines() == [""]
    said = "\n".join(" ".join(line.split()) for line in plain.splitlines()) + "\n" * ended
    quoted = _ALL_QUOTED.fullmatch(said)
    return (quoted[1] or quoted[2] or "") if quoted else said


def without_quotes(said: str) -> str:
    """Without quotation marks and backticks."""
    return "\n".join(" ".join(line.split()) for line in said.translate(BARE).split("\n"))


def filled(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.strip()]


def has_words(lines: Sequence[str]) -> bool:
    return any(re.search(r"\w", line) for line in lines)


_BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">"}
_OPENERS = {closer: opener for opener, closer in _BRACKETS.items()}


def unwrapped(text: str, *, half: bool = False) -> str:
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
