"""The labels of an answer (`Ranking:`, `Decision:`) that are the judge's own, and which of them counts.

A label is the judge's own if it begins a line, begins a sentence, or follows words that announce an answer ("so my
final ranking:"). "Fluency ranking:", "not my ranking:" and "it says Ranking:" are no verdicts. After a label within a
line nothing but a verdict may follow; and unless it is called final or revised, it may not differ from the others.

A judge quotes what it reads, and a text may say "Decision: tie": a label in quotation marks is the text's, not the
judge's (but a key of JSON is the judge's). An answer that was cut off may have quoted and not yet decided, and the line
it stops in may go on: there only a label that begins a line counts, and only lines (or values of JSON) that have ended.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from .verdict_text import BARE, DOUBLE, QUOTES, filled, without_quotes
from .verdict_types import Reason, Unreadable

_Verdict = TypeVar("_Verdict")


class Label(NamedTuple):
    """A label of the judge's own, with what stands before it and, line by line, what follows it.

    `begins` is its place in what was said, `phrase` the label with the words that belong to it. `inside` means that
    other words stand before it on its line: nothing but a verdict may follow it then.
    """

    begins: int
    before: str
    phrase: str
    lines: list[str]
    inside: bool


# What makes a label the judge's own: what may stand before it and after it.
_S = r"[^\S\n]"
_REVISES = r"(?:final|revised|updated|new|corrected|amended|definitive|ultimate|actual)"
_SO = r"(?:so|thus|hence|therefore|consequently|accordingly)"
_ANNOUNCES = (
    rf"(?:{_REVISES}|{_SO}|my|our|the|overall|then|and|actually|wait|now|finally|here\s(?:is|are)|this\sis|following|"
    r"resulting|complete|full|in\s(?:conclusion|summary|short|sum)|to\s(?:conclude|sum\sup)|answer|conclusion|result|"
    r"best[\s-]to[\s-]worst|best[\s-]first|worst[\s-]to[\s-]best|worst[\s-]first|reversed?|inverse|inverted|"
    r"ascending|descending)"
)
_BEFORE_LABEL = rf"(?P<phrase>(?:{_ANNOUNCES}[,:;…]*{_S}+(?:[-–—]+{_S}+)?)*)"
_AFTER_LABEL = (
    rf"(?:{_S}*\((?:{_REVISES}|overall|(?:from\s)?(?:the\s)?(?:best|worst)|(?:in\s)?(?:as|des)cending|1\s?=)[^()\n]*\)"
    rf"|{_S}+(?:from\s)?(?:best|worst)[\s-](?:first|to[\s-](?:best|worst))|{_S}+is(?:\sas\sfollows)?)*"
)
_OPENS_LINE = re.compile(rf"[^\w\n]*{_BEFORE_LABEL}", re.IGNORECASE)
_KEY = re.compile(rf"{_BEFORE_LABEL}$", re.IGNORECASE)
_OBJECT = re.compile(r"^\W*(?:json\b\s*)?\{", re.MULTILINE | re.IGNORECASE)
# A value of JSON, which ends where the next key or the object's end comes.
_VALUE = re.compile(rf"\s*(\[[^\[\]{{}}]*\]|[{DOUBLE}][^{DOUBLE}\n]*[{DOUBLE}]|\d+)\s*(?=[,}}])")


def find_labels(said: str, name: str) -> list[Label]:
    """The labels that are the judge's own, in their order."""
    # They are looked for without quotation marks; `places` says where they stand among them.
    places = [place for place, sign in enumerate(said) if ord(sign) not in BARE]
    plain = "".join(said[place] for place in places)
    found = []
    for word in re.finditer(
        rf"\b(?P<name>{name}){_AFTER_LABEL}{_S}*(?P<colon>:|$)", plain, re.IGNORECASE | re.MULTILINE
    ):
        line = _line_before(plain, word.start())
        is_key = _is_key(said, places[word.end("name") - 1])
        opens = _OPENS_LINE.fullmatch(line)
        announced = opens or (
            _KEY.search(line) if is_key else _announced(line, _line_before(said, places[word.start()]))
        )
        if announced is None or not (opens or word["colon"]):
            continue
        start = word.start() - len(announced["phrase"])
        begins = places[start]
        before, after = _line_before(said, begins), said[places[word.end() - 1] + 1 :]
        if opens:
            own = is_key or set(before).isdisjoint(QUOTES)
        elif is_key:
            own = before.endswith(tuple(QUOTES)) and bool(_OBJECT.search(said[:begins]))
        else:
            own = not _in_quotation(before, after.split("\n")[0])
        if own:
            value = _VALUE.match(after) if is_key and _OBJECT.search(said[:begins]) else None
            if value:
                lines = [without_quotes(" ".join(value[1].split())), *without_quotes(after[value.end() :]).split("\n")]
            else:
                lines = without_quotes(plain[word.end() :]).split("\n")
            found.append(
                Label(begins, without_quotes(plain[:start]), plain[start : word.end()], lines, not (opens or is_key))
            )
    return found


_ANNOUNCED = re.compile(
    rf"(?:[.!?;…][^\w\s]*\s+|(?<!not\s)\b{_SO}\b,?\s+|^\W*(?:explanation|reason(?:s|ing)?|output):\s*)"
    rf"{_BEFORE_LABEL}$",
    re.IGNORECASE,
)
_EXPLANATION_ENDS = re.compile(rf"^\W*explanation:\s*[{DOUBLE}].*[{DOUBLE}]\s*$", re.IGNORECASE)


def _announced(line: str, quoted: str) -> re.Match[str] | None:
    """Whether a label after `line` begins a sentence, or is announced; `quoted` is `line` with quotation marks."""
    if _EXPLANATION_ENDS.match(quoted):
        return _KEY.search("")
    return _ANNOUNCED.search(line)


def _line_before(said: str, place: int) -> str:
    return said[said.rfind("\n", 0, place) + 1 : place]


def _is_key(said: str, last: int) -> bool:
    """Whether a quotation mark follows the word that ends at `last`: `"ranking": …` is no quoted verdict."""
    return said[last + 1 : last + 2] in tuple(QUOTES)


_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
# "the dogs' food" closes nothing, so single quotation marks cannot just be counted.
_SINGLE_OPENS, _SINGLE_CLOSES = re.compile(r"(?<!\w)['‘‚](?=\S)"), re.compile(r"(?<=\S)['’‘](?!\w)")


def _in_quotation(before: str, after: str) -> bool:
    """Whether a quotation on this line began `before` and is still open, or ends in what comes `after`."""
    opened = [mark.end() for mark in _SINGLE_OPENS.finditer(before)]
    if opened and not _SINGLE_CLOSES.search(before, opened[-1] + 1):
        return True
    if before.endswith(tuple(QUOTES)) or _open_double(before) or before.count("`") % 2:
        return True
    after = _APOSTROPHE.sub("", after).strip()
    return sum(map(after.count, QUOTES + "`")) % 2 == 1 and not after.startswith(tuple(QUOTES + "`"))


def _open_double(before: str) -> bool:
    return sum(map(before.count, DOUBLE)) % 2 == 1


_REVISING = re.compile(rf"\b(?:{_REVISES}|overall|actually)\b", re.IGNORECASE)


def last_verdict(labels: Sequence[Label], read: Callable[[Label], _Verdict | Unreadable]) -> _Verdict | Unreadable:
    """What the last label says. If it does not say that it revises the others, it may have to agree with them."""
    last, found = labels[-1], read(labels[-1])
    sure = _REVISING.search(last.phrase) or not (last.inside or _under_an_aspect(last))
    if sure or all(read(label) == found for label in labels[:-1]):
        return found
    return Unreadable(Reason.NO_VERDICT)


# "Fluency:" or "## Fluency", on the line before a label.
_HEADING = re.compile(r"#+\s*(\w.*)|((?:[\w-]+\s){0,3}[\w-]+):")
_HEADING_OF_ALL = re.compile(
    rf"\b(?:{_SO}|{_REVISES}|overall|answer|conclusion|result|correction|summary|rather|wait|actually|verdict|decision)\b",
    re.IGNORECASE,
)


def _under_an_aspect(label: Label) -> bool:
    """Whether the line before is a heading such as "Fluency:", so that the verdict may be one of several."""
    lines = filled(label.before.split("\n"))
    return bool(lines) and bool(_HEADING.fullmatch(lines[-1].strip())) and not _HEADING_OF_ALL.search(lines[-1])


def may_be_cut(said: str, label: Label) -> bool:
    """Whether a verdict at this label is the judge's even if the answer was cut off.

    Markdown's marks for code and quotations may set off the judge's own verdict; but who was cut off may quote.
    """
    before = _line_before(said, label.begins)
    quotes = "`" in before or before.startswith(">") or _open_double(said[: label.begins].removesuffix(before))
    return not (re.search(r"\w", before) or quotes)


def unlabelled(said: str, label: str, cut: bool) -> list[str]:
    """The lines of an answer that may be nothing but a verdict: it is whole, and does not speak of the label either."""
    plain = without_quotes(said)
    spoken_of = re.search(rf"\b{label}\s*:", plain, re.IGNORECASE)
    return [] if cut or spoken_of else [line for line in plain.split("\n") if line.strip()]
