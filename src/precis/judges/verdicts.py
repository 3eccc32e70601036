"""A prompted judge's answer, read strictly: an order or a decision, or the reason why there is none.

What counts is the last line that begins with the label (`Ranking:`, `Decision:`). If no line does, a label further in
counts where nothing but a verdict follows it, to the end of the answer. A later verdict revises an earlier one, so if
the last one cannot be read, an earlier one is not taken in its place: nobody knows whether it still holds. An answer
that is nothing but a verdict needs no label.

A judge quotes what it reads, and a text may say "Decision: tie": a label in quotation marks is the text's, not the
judge's (but a key of JSON is the judge's). An answer that was cut off may have quoted and not yet decided, and the line
it stops in may go on: there only a label that begins a line counts, and only lines that have ended.

Mended is only what has one meaning: quotes, Markdown, brackets, bullets, full-width signs, a stray full stop, a list on
one line or on several, numbers with or without the word "summary". A list that leaves out one summary of n is *not*
mended: nobody said that it is the last. Nor is "1. Summary 1 (rank 3), 2. Summary 2 (rank 1), …", line by line: its
numbers may be places, or only count the summaries.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Literal, NamedTuple

from ..endpoint.messages import spoken

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


_MARKUP = str.maketrans({"*": "", "_": " "})
_DOUBLE, _SINGLE = '"“”„«»', "'‘’‚"
_QUOTES = _DOUBLE + _SINGLE
_BARE = str.maketrans(dict.fromkeys(_QUOTES + "`", ""))
# The whole answer in one pair of quotation marks quotes nothing.
_ALL_QUOTED = re.compile(
    rf"\s*(?:[{_DOUBLE}]([^{_DOUBLE}]*)[{_DOUBLE}]|[{_SINGLE}]([^{_QUOTES}]*)[{_SINGLE}])[.!]?\s*", re.DOTALL
)
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
# "the dogs' food" closes nothing, so single quotation marks cannot just be counted.
_SINGLE_OPENS, _SINGLE_CLOSES = re.compile(r"(?<!\w)['‘‚](?=\S)"), re.compile(r"(?<=\S)['’‘](?!\w)")
_OBJECT = re.compile(r"^\W*(?:json\b\s*)?\{", re.MULTILINE | re.IGNORECASE)
_BEFORE_LABEL = r"(?:(?:my|the|final|overall)\s+)*"
_BEST_FIRST = r"(?:\s*\(?(?:from\s+)?best\s+(?:first|to\s+worst)\)?)?"
_BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">"}
_OPENERS = {closer: opener for opener, closer in _BRACKETS.items()}

_WORD = r"(?:(?:summary|candidate)\s*)"
_NUMBER = re.compile(rf"{_WORD}?#?\s*(\d{{1,4}})", re.IGNORECASE)
_BULLET = re.compile(r"^\s*(?:[-•–]\s+)?")
# "1. 4" and "1) Summary 4", and "1: Summary 4"; but not "1: 4", which may as well mean that summary 1 is the fourth.
_MARKED = re.compile(rf"(\d{{1,4}})\s*(?:[.)]\s+|[.):]\s*(?={_WORD}|#))(.+)", re.IGNORECASE)
# After a place and a summary, a reason may follow: "1. Summary 4 – the clearest".
_WITH_REASON = re.compile(rf"({_WORD}#?\s*\d{{1,4}})\s*(?:[-–—:(]|,\s*(?:because|as|since)\b)(.*)", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(?:-+>|=>|→|>{1,3}|,\s*(?:and|then)\s|,|;)\s*", re.IGNORECASE)
_GOES_ON = re.compile(r"[,;>=→\[({]\s*$")

# What a reason may say of its summary's place: "rank 3", "2nd place, since …", "ranked second", "best", "last".
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_NTH = rf"\d{{1,4}}(?:st|nd|rd|th)|{'|'.join(_ORDINALS)}|best|worst|last"
_REASON_ENDS = (
    r"(?:[\s-](?:place|rank|position|best|overall|summary|one|choice|of\s+(?:all|them)))*\s*(?=$|[,;:.()]|\s[-–—]\s)"
)
_PLACE = re.compile(rf"(?:(?:the|is|in|comes)\s+)*({_NTH}){_REASON_ENDS}", re.IGNORECASE)
_RANK = re.compile(
    r"\b(?:rank(?:s|ed)?|placed?|position)\b[\s:=]*(?:(?:the|is|as|at|in|number|no\.)\s+)*#?\s*"
    rf"({_NTH}|\d{{1,4}})\b(?:\s*(?:/|of)\s*\d+)?{_REASON_ENDS}",
    re.IGNORECASE,
)
# A mark, and what it is out of: "6/10", "6 out of 10"; a reason that is no more than "60%", or a number, which may be a
# mark or a place.
_MARK = re.compile(r"(?<![\d.])(\d{1,4}(?:\.\d{1,4})?)\s*(/\s*\d{1,4}|out\s+of\s+\d{1,4})", re.IGNORECASE)
_MARK_ALONE = re.compile(rf"(\d{{1,4}}(?:\.\d{{1,4}})?)\s*(%|points?|stars?|){_REASON_ENDS}", re.IGNORECASE)
# Whatever else may rank or mark a summary.
_RANKS = re.compile(
    rf"\b(?:{'|'.join(_ORDINALS)}|best|worst|better|worse|last|rank\w*|beats|scor\w+|rated|rating|graded?)\b"
    r"|\d(?:st|nd|rd|th)\b|\d\s*(?:%|points?\b|stars?\b)|[★⭐]"
    r"|(?:\b(?:place|position|mark|number|no\.)|#)[\s:=#]*\d"
    r"|(?:^|\bthe\s)(?:most|least|top|bottom|middle|winner|runner-up|\w+est)\b"
    r"|^(?:very\s+|quite\s+|too\s+)?(?:[A-F][+-]?|excellent|great|strong|good|decent|okay|ok|fair|average|acceptable|"
    r"adequate|middling|mediocre|weak|poor|bad|terrible)$",
    re.IGNORECASE,
)

_SIDE = r"(?:(?:the\s+)?(?:summary|candidate|option|number|no\.)\s*)?#?\s*"
_REASON = r"(?:\s*[,:;(–—-]\s*\D*|[.!]\s+\D*|\s+(?:because|as|since)\s\D*|[.!]?)"
_IS_BETTER = r"\s+(?:is\s+(?:the\s+)?(?:better|preferred|superior)(?:\s+one|\s+summary)?|wins)"
_CHOSEN = re.compile(
    rf"{_SIDE}([12])(?:{_IS_BETTER}(?:\s+than\s+{_SIDE}[12])?)?(?P<reason>{_REASON})", re.IGNORECASE | re.DOTALL
)
_TIE = re.compile(  # but "tie-breaker" is none
    r"(?:its?\s+(?:is\s+)?)?(?:an?\s+)?(?:tied?|draw)(?!-\w)"
    rf"(?:\s+between\s+{_SIDE}1\s+and\s+{_SIDE}2)?(?P<reason>{_REASON})",
    re.IGNORECASE | re.DOTALL,
)
# What a tie's reason says if it is no tie after all; and what says that it is one, in words that could deny it.
_PREFERS = re.compile(
    r"^\W*not\b|\bno\b(?=\s*(?:$|[,;:.!–—-]))|\b(?:but|yet|however|though|although|still|except|unless|nearly|almost|"
    r"slight\w*|break\w*|instead|rather|first|second|former|latter|(?:summary|candidate|option)\s(?:one|two|[ab])|better|"
    r"best|worse|worst|superior|prefer\w*|pick\w*|choose|chosen|chose|choice|lean\w*|favou?r\w*|edges?|wins?|winner)\b",
    re.IGNORECASE,
)
_PREFERS_NONE = re.compile(
    r"\bneither\b(?:\s(?:summary|one|of\s(?:them|the\stwo)|is|wins|stands\sout|clearly|really|the))*"
    r"(?:\s(?:better|best|worse|winner|preferred|preferable|superior))?\b"
    r"|\bno\s(?:(?:clear|real|obvious|strong)\s)?(?:winner|difference|preference|better\sone)\b",
    re.IGNORECASE,
)
_IS_PREFERRED = (
    r"(?:\s(?:one|summary|candidate|option))?\s(?:wins\b|(?:is|was|seems|looks|would\sbe)\s(?:\w+\s){0,2}"
    r"(?:better|best|preferred|preferable|superior|stronger|clearer|more)\b)"
)
_PREFERS_THE_OTHER = re.compile(rf"\bother{_IS_PREFERRED}", re.IGNORECASE)
# What a choice's reason says if it is no choice after all, by what was chosen.
_DENIES = {
    chosen: re.compile(
        rf"\b(?:{other}|other){_IS_PREFERRED}|\bno\b(?=\s*[,;:.!–—-])|^\W*(?:is\s)?(?:rejected|inferior|loses|lost)\b",
        re.IGNORECASE,
    )
    for chosen, other in (("1", "second|latter"), ("2", "first|former"))
}
# A list in the other direction: nobody knows whether what follows it stands in that one.
_WORST_FIRST = re.compile(
    r"\bworst[\s-]+(?:to|->|→)[\s-]+best\b|\bworst\s(?:one\s|summary\s)?first\b|\bbest\s(?:one\s|summary\s)?last\b"
    r"|\b(?:reversed?|inverse|inverted|ascending)\s(?:ranking|list)\b|\bleast\sto\smost\b|\blowest\sto\shighest\b",
    re.IGNORECASE,
)
_DOUBT = re.compile(r"\b(?:or|tie|tied|draw|both|neither|equal|equally|not|worse|worst)\b", re.IGNORECASE)


def read_ranking(text: str, count: int, *, cut: bool = False) -> Order | Unreadable:
    """The order of summaries 1 to `count` that `text` ends in; with `cut`, `text` was cut off by max_tokens."""
    found = _ranking(_said(text), count, cut)
    return Unreadable(Reason.CUT) if cut and isinstance(found, Unreadable) else found


def _ranking(said: str, count: int, cut: bool) -> Order | Unreadable:
    if reverse := _WORST_FIRST.search(_bare(said)):
        return Unreadable(Reason.NO_LIST, reverse[0])
    after = _after_label(said, "ranking", cut)
    if after is not None:
        found, rest = _list(after.lines, count)
        unfinished = cut and found != _list(after.lines[:-1], count)[0]
        return Unreadable(Reason.NO_VERDICT) if unfinished or (after.inside and _has_words(rest)) else found
    lines = _unlabelled(said, "ranking", cut)
    if lines and (len(_items(lines)) == len(lines) or len(lines) == 1):
        found, _ = _list(lines, count)
        if isinstance(found, Order) or found.reason is not Reason.NO_LIST:
            return found
    return Unreadable(Reason.NO_VERDICT)


def read_decision(text: str, *, cut: bool = False) -> Decision | Unreadable:
    """`1`, `2` or `tie`, as `text` ends in; with `cut`, `text` was cut off by max_tokens.

    "Neither" is none of them: it may blame both or prefer neither.
    """
    found = _decision(_said(text), cut)
    return Unreadable(Reason.CUT) if cut and isinstance(found, Unreadable) else found


def _decision(said: str, cut: bool) -> Decision | Unreadable:
    after = _after_label(said, "decision", cut)
    lines = _unlabelled(said, "decision", cut)
    if after:
        lines = [line for line in (after.lines[:-1] if cut else after.lines) if line.strip()]
    elif len(lines) != 1:
        return Unreadable(Reason.NO_VERDICT)
    value = _unwrapped(lines[0].strip(), half=True) if lines else ""
    chosen, tie = _CHOSEN.fullmatch(value), _TIE.fullmatch(value)
    bare = any(found and not found["reason"] for found in (chosen, tie)) and not _has_words(lines[1:])
    if after and after.inside and not bare:
        return Unreadable(Reason.NO_VERDICT, value[:60])
    if chosen and not _DOUBT.search(value):
        side: Decision = "1" if chosen[1] == "1" else "2"
        denied = _DENIES[side].search(" ".join([chosen["reason"], *lines[1:]]))
        return Unreadable(Reason.NO_DECISION, value[:60]) if denied else side
    if tie and not _PREFERS.search(reason := _PREFERS_NONE.sub("", tie["reason"])):
        return Unreadable(Reason.NO_DECISION, value[:60]) if _PREFERS_THE_OTHER.search(reason) else "tie"
    return Unreadable(Reason.NO_VERDICT if after is None else Reason.NO_DECISION, value[:60])


def _said(text: str) -> str:
    """Without thoughts and Markdown's stars, full-width signs made narrow, one space where there are several.

    Quotation marks stay. A line end at the very end stays, too: it says that the last line has ended.
    """
    plain = unicodedata.normalize("NFKC", spoken(text)).translate(_MARKUP)
    ended = plain[-1:].splitlines() == [""]
    said = "\n".join(" ".join(line.split()) for line in plain.splitlines()) + "\n" * ended
    quoted = _ALL_QUOTED.fullmatch(said)
    return (quoted[1] or quoted[2] or "") if quoted else said


def _bare(said: str) -> str:
    """Without quotation marks and backticks."""
    return "\n".join(" ".join(line.split()) for line in said.translate(_BARE).split("\n"))


def _has_words(lines: Sequence[str]) -> bool:
    return any(re.search(r"\w", line) for line in lines)


class _After(NamedTuple):
    """What follows the label that counts, line by line, beginning with the rest of its own line.

    `inside` means that the label stands further in on its line: nothing but a verdict may follow it then.
    """

    lines: list[str]
    inside: bool


def _after_label(said: str, label: str, cut: bool) -> _After | None:
    """What follows the label that counts; None without one."""
    # Labels are looked for without quotation marks; `places` says where they stand among them.
    places = [place for place, sign in enumerate(said) if ord(sign) not in _BARE]
    plain = "".join(said[place] for place in places)
    opening = rf"^[^\w\n]*(?P<label>{_BEFORE_LABEL}{label}){_BEST_FIRST}[^\S\n]*(?::|$)"
    for found in reversed(list(re.finditer(opening, plain, re.IGNORECASE | re.MULTILINE))):
        begins = places[found.start("label")]
        before = _line_before(said, begins)
        if not set(before).isdisjoint(_QUOTES) and not _is_key(said, places[found.end("label") - 1]):
            continue
        # Markdown's marks for code and quotations may set off the judge's own verdict; but who was cut off may quote.
        if cut and ("`" in before or before.startswith(">") or _open_double(said[:begins].removesuffix(before))):
            return None
        return _After(_bare(plain[found.end() :]).split("\n"), inside=False)
    further_in = list(re.finditer(rf"\b(?P<label>{label}){_BEST_FIRST}\s*:", plain, re.IGNORECASE))
    if cut or not further_in:
        return None
    found = further_in[-1]
    begins, ends = places[found.start()], places[found.end() - 1] + 1
    lines = _bare(plain[found.end() :]).split("\n")
    if _is_key(said, places[found.end("label") - 1]):
        return _After(lines, inside=False) if _OBJECT.search(said[:begins]) else None
    if _in_quotation(_line_before(said, begins), said[ends:].split("\n")[0]):
        return None
    return _After(lines, inside=True)


def _unlabelled(said: str, label: str, cut: bool) -> list[str]:
    """The lines of an answer that may be nothing but a verdict: it is whole, and does not speak of the label either."""
    plain = _bare(said)
    spoken_of = re.search(rf"\b{label}\s*:", plain, re.IGNORECASE)
    return [] if cut or spoken_of else [line for line in plain.split("\n") if line.strip()]


def _line_before(said: str, place: int) -> str:
    return said[said.rfind("\n", 0, place) + 1 : place]


def _is_key(said: str, last: int) -> bool:
    """Whether a quotation mark follows the word that ends at `last`: `"ranking": …` is no quoted verdict."""
    return said[last + 1 : last + 2] in tuple(_QUOTES)


def _in_quotation(before: str, after: str) -> bool:
    """Whether a quotation on this line began `before` and is still open, or ends in what comes `after`."""
    opened = [mark.end() for mark in _SINGLE_OPENS.finditer(before)]
    if opened and not _SINGLE_CLOSES.search(before, opened[-1] + 1):
        return True
    if before.endswith(tuple(_QUOTES)) or _open_double(before) or before.count("`") % 2:
        return True
    after = _APOSTROPHE.sub("", after).strip()
    return sum(map(after.count, _QUOTES + "`")) % 2 == 1 and not after.startswith(tuple(_QUOTES + "`"))


def _open_double(before: str) -> bool:
    return sum(map(before.count, _DOUBLE)) % 2 == 1


def _list(lines: Sequence[str], count: int) -> tuple[Order | Unreadable, Sequence[str]]:
    """A list a line an item, or on one line (which may be broken after a separator); and the lines after it."""
    lines = [line for line in lines if line.strip()]
    if not lines:
        return Unreadable(Reason.NO_LIST), []
    items = _items(lines)
    used, found = len(items), _checked(_tiers(items), count)
    if len(items) < 2 and isinstance(found, Unreadable):
        items, text, used, found = [], lines[0], 1, _checked(_inline(lines[0]), count)
        for line in lines[1:]:
            if isinstance(found, Order) or not _GOES_ON.search(text):
                break
            text, used = f"{text} {line}", used + 1
            found = _checked(_inline(text), count)
    if isinstance(found, Order) and _reasons_differ(items):
        found = Unreadable(Reason.NO_LIST)
    if isinstance(found, Unreadable) and found.reason is Reason.NO_LIST:
        found = Unreadable(Reason.NO_LIST, lines[0].strip()[:60])
    return found, lines[used:]


class Item(NamedTuple):
    """The place it is marked with, the summaries tied there, and what is said of them."""

    place: int | None
    tied: tuple[int, ...]
    reason: str = ""


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
    place, rest, reason = (int(marked[1]), marked[2].strip(), "") if marked else (None, piece, "")
    if marked and reasons and (reasoned := _WITH_REASON.fullmatch(rest)):
        rest, reason = reasoned[1], reasoned[2].strip(" ,;:.!()[]–—")
    tied = []
    for name in re.split(r"\s*={1,2}\s*", rest):
        number = _NUMBER.fullmatch(_unwrapped(name.strip(" .")))
        if number is None:
            return None
        tied.append(int(number[1]))
    return Item(place, tuple(tied), reason)


def _tiers(items: Sequence[Item]) -> Tiers | None:
    """None if some items are marked with their place and some are not, or the places are not 1, 2, 3, …"""
    places = [item.place for item in items]
    if any(place is not None for place in places) and places != list(range(1, len(items) + 1)):
        return None
    return tuple(item.tied for item in items)


def _reasons_differ(items: Sequence[Item]) -> bool:
    """Whether the reasons rank the summaries otherwise than the list does, or may do so.

    A list of summaries 1, 2, 3, … in that order may just go through them: what its reasons say of places or marks must
    then bear out the list, for every summary. A list in another order is meant as one, unless a reason contradicts it.
    """
    stated = [_stated_place(item.reason, len(items)) for item in items]
    if any(place not in (None, item.place) for place, item in zip(stated, items)):
        return True
    unplaced = [item.reason for item, place in zip(items, stated) if place is None]  # "rank 1/3" is no mark
    marks = [found for reason in unplaced if (found := _MARK.search(reason) or _MARK_ALONE.match(reason))]
    scales = {"".join(mark[2].lower().split()).rstrip("s") for mark in marks}
    values = [float(mark[1]) for mark in marks] if len(scales) == 1 else []
    in_order = all(item.tied == (n,) for n, item in enumerate(items, 1))
    if not in_order:
        return values != sorted(values, reverse=True) and values != [item.place for item in items]
    falling = len(values) == len(items) and all(a > b for a, b in pairwise(values)) and scales != {""}
    return not falling and None in stated and bool(marks or any(_RANKS.search(item.reason) for item in items))


def _stated_place(reason: str, count: int) -> int | None:
    found = _RANK.search(reason) or _PLACE.match(reason)
    if found is None:
        return None
    place = found[1].lower()
    if place in ("best", "worst", "last"):
        return 1 if place == "best" else count
    return _ORDINALS.index(place) + 1 if place in _ORDINALS else int(re.sub(r"\D", "", place))


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
