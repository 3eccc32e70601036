"""Phrases written once, in the topic owner's own voice, and spoken by anyone.

The language files hold every phrase as its owner, A, would say it to T: `lend me your drill`, `my boiler is
leaking`, `you are working that day`. I, me, my are A; you, your are T (and `thee` is T as an object, because
English "you" hides the case); we, us, our are A's family. A phrase is compiled once and rendered for a point of
view, which moves the pronouns and makes the verbs agree:

>>> phrase = compile_phrase("lend me your drill", verb_first=True)
>>> render(phrase, {"A": third("Amara", "f", named=True), "T": third("Ben", "m")}, form="s3")
'lends Amara his drill'

`^` marks another verb to inflect: `pack the car and ^drive home`. `~` before an alternative marks it as
colloquial, for documents only. Alternatives are separated by ` | `.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from .inflection import inflect, is_past, word_set

_PERSON_WORDS = {
    "i": ("A", 0), "me": ("A", 1), "my": ("A", 2), "mine": ("A", 3), "myself": ("A", 4),
    "you": ("T", 0), "thee": ("T", 1), "your": ("T", 2), "yours": ("T", 3), "yourself": ("T", 4),
    "we": ("W", 0), "us": ("W", 1), "our": ("W", 2), "ours": ("W", 3), "ourselves": ("W", 4),
}  # fmt: skip
_MODALS = word_set("can could will would must should might may cannot")
_ADVERBS = word_set(
    "never always only just still also often really already rarely hardly finally usually now first then sometimes",
    "both once simply nearly almost accidentally",
)


class Forms(NamedTuple):
    """How one person is referred to, and which verb form follows: 1 (I), 2 (you), 3 (she) or p (they)."""

    subject: str
    object: str
    possessive: str
    possessive_pronoun: str
    reflexive: str
    agreement: str


FIRST = Forms("I", "me", "my", "mine", "myself", "1")
SECOND = Forms("you", "you", "your", "yours", "yourself", "2")
WE = Forms("we", "us", "our", "ours", "ourselves", "p")
THEY = Forms("they", "them", "their", "theirs", "themselves", "p")
_SHE = Forms("she", "her", "her", "hers", "herself", "3")
_HE = Forms("he", "him", "his", "his", "himself", "3")


def third(name: str, gender: str, *, named: bool = False) -> Forms:
    """A third person: by pronoun, or by name when `named`."""
    pronoun = _SHE if gender == "f" else _HE
    if not named:
        return pronoun
    possessive = name + ("'" if name.endswith("s") and " " in name else "'s")
    return Forms(name, name, possessive, possessive, pronoun.reflexive, "3")


class Piece(NamedTuple):
    """`kind` is `word`, `person` (value is the case), `agree` (value is a verb) or `head` (value is a verb)."""

    kind: str
    value: str
    role: str = ""
    case: int = 0
    tail: str = ""


Phrase = tuple[Piece, ...]
_BE = {"am": "be", "are": "be", "was": "was", "were": "was"}
_SPLIT = re.compile(r"^([\^=]?)([\w'’-]+)(\W*)$")


@cache
def variants(text: str) -> tuple[str, ...]:
    """The alternatives of a phrase that summaries may use."""
    return tuple(part for part in map(str.strip, text.split("|")) if not part.startswith("~"))


@cache
def spoken_variants(text: str) -> tuple[str, ...]:
    """All alternatives, for documents; colloquial ones twice, so that documents and summaries differ in wording."""
    parts = [part.strip() for part in text.split("|")]
    return tuple(part.lstrip("~ ") for part in parts) + tuple(part[1:].strip() for part in parts if part[0] == "~")


@cache
def compile_phrase(text: str, *, verb_first: bool = False) -> Phrase:
    """`text`, one alternative, as pieces. `verb_first`: it is a verb phrase whose first word inflects."""
    pieces: list[Piece] = []
    literal: list[str] = []
    head_open = verb_first
    subject = ""  # the person whose verb is still to come
    last_subject = ""

    def flush() -> None:
        if literal:
            pieces.append(Piece("word", " ".join(literal)))
            literal.clear()

    for token in text.split():
        match = _SPLIT.match(token)
        mark, word, tail = match.groups() if match else ("", token, "")
        low = word.lower()
        if low in _PERSON_WORDS and mark != "=":
            flush()
            role, case = _PERSON_WORDS[low]
            pieces.append(Piece("person", "", role, case, tail))
            subject = role if case == 0 and not tail else ""
            last_subject = role if case == 0 else last_subject
        elif head_open and low in _ADVERBS and not mark:
            literal.append(token)
        elif head_open or (mark == "^" and not last_subject):
            flush()
            pieces.append(Piece("head", low, tail=tail))
            head_open = False
        elif subject and low in ("and", "who"):
            subject = ""
            literal.append(token)
        elif subject and low in _ADVERBS:
            literal.append(token)
        elif mark != "=" and (subject or mark == "^"):
            role = subject or last_subject
            subject = ""
            if low in _MODALS or (is_past(low) and low not in _BE):
                literal.append(word + tail)
            else:
                flush()
                pieces.append(Piece("agree", _BE.get(low, low), role, tail=tail))
        else:
            subject = "" if mark == "=" else subject
            literal.append(word + tail)
    flush()
    return tuple(pieces)


def agree(verb: str, agreement: str) -> str:
    """`verb` (base form, or `was`) for a subject."""
    if verb == "be":
        return {"1": "am", "3": "is"}.get(agreement, "are")
    if verb == "was":
        return "was" if agreement in "13" else "were"
    return inflect(verb, "s3") if agreement == "3" else verb


def render(phrase: Phrase, people: Mapping[str, Forms], form: str = "base") -> str:
    """`phrase` as said of `people` (by role); its head verbs take `form` (base, s3, ing, past)."""
    words = []
    for kind, value, role, case, tail in phrase:
        if kind == "word":
            words.append(value)
        elif kind == "person":
            words.append(people[role][case] + tail)
        elif kind == "agree":
            words.append(agree(value, people[role].agreement) + tail)
        else:
            plural_past = value == "be" and form == "past" and people["A"].agreement in "2p"
            words.append(("were" if plural_past else inflect(value, form)) + tail)
    return " ".join(words)


_CONTRACTIONS = [
    (re.compile(rf"\b{full}\b", re.IGNORECASE), short)
    for full, short in (
        (r"(I) am", r"\1'm"), (r"(you|we|they) are", r"\1're"),
        (r"(he|she|it|that|there|who|what) is(?! no\b)", r"\1's"),
        (r"(is|are|was|were|do|does|did|has|have|had|could|would|should) not", r"\1n't"), (r"(ca)nnot", r"\1n't"),
        (r"(I|you|he|she|we|they|it) will", r"\1'll"),
    )
]  # fmt: skip
_ENDS_OPEN = re.compile(r"\b(I|you|he|she|it|that|what|there|we|they)('(?:m|re|s|ll))(?=[.,;!?]|$)")
_OPENED = {"'m": " am", "'re": " are", "'s": " is", "'ll": " will"}


def contract(text: str) -> str:
    """Spoken contractions: `I am not` becomes `I'm not`; never before a full stop (`yes, I am.`)."""
    for pattern, short in _CONTRACTIONS:
        text = pattern.sub(short, text)
    return _ENDS_OPEN.sub(lambda match: match.group(1) + _OPENED[match.group(2)], text) if "'" in text else text


_ARTICLE = re.compile(r"\b([Aa])n?(?= (\w+))")
_AN_SOUNDS = re.compile(
    r"(?!one\b|once\b|uni(?!n|m)|use|usual|eu|ukulele)[aeiou]|hour|honest|heir|8|11\b|18\b", re.IGNORECASE
)


def finish(text: str) -> str:
    """Articles made right before their words, sentence starts made capital, spaces made single."""
    text = _ARTICLE.sub(lambda m: m.group(1) + ("n" if _AN_SOUNDS.match(m.group(2)) else ""), text)
    return capitalise(text)


_SENTENCE_START = re.compile(r"(^|[.!?]\s+|\n)([a-z])")


def capitalise(text: str) -> str:
    """A capital letter at the start of each sentence."""
    return _SENTENCE_START.sub(lambda m: m.group(1) + m.group(2).upper(), text)
