"""A prompted judge's answer, read strictly: an order or a decision, or the reason why there is none.

What counts is the last label (`Ranking:`, `Decision:`) that is the judge's own: it begins a line, begins a sentence, or
follows words that announce an answer ("so my final ranking:"). "Fluency ranking:", "not my ranking:" and "it says
Ranking:" are no verdicts. After a label within a line nothing but a verdict may follow; and unless it is called final
or revised, it may not differ from the others.

A later verdict revises an earlier one, so if the last one cannot be read, an earlier one is not taken in its place:
nobody knows whether it still holds. What stands after the verdict may not take it back either ("Actually 2."), nor say
that the list is in the other direction. An answer that is nothing but a verdict needs no label.

A judge quotes what it reads, and a text may say "Decision: tie": a label in quotation marks is the text's, not the
judge's (but a key of JSON is the judge's). An answer that was cut off may have quoted and not yet decided, and the line
it stops in may go on: there only a label that begins a line counts, and only lines (or values of JSON) that have ended.

Mended is only what has one meaning: quotes, Markdown, brackets, bullets, full-width signs, a stray full stop, a list on
one line or on several, numbers with or without the word "summary". A list that leaves out one summary of n is *not*
mended: nobody said that it is the last. Nor is "1. Summary 1 (rank 3), 2. Summary 2 (rank 1), …", line by line: its
numbers may be places, or only count the summaries.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Literal, NamedTuple, TypeVar

from ..endpoint.messages import spoken

Decision = Literal["1", "2", "tie"]
Tiers = tuple[tuple[int, ...], ...]
Verdict = TypeVar("Verdict")


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

# The labels, and what makes them the judge's own.
_RANKING, _DECISION = "ranking", "(?:decision|verdict)"
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
_ANNOUNCED = re.compile(
    rf"(?:[.!?;…][^\w\s]*\s+|(?<!not\s)\b{_SO}\b,?\s+|^\W*(?:explanation|reason(?:s|ing)?|output):\s*)"
    rf"{_BEFORE_LABEL}$",
    re.IGNORECASE,
)
_KEY = re.compile(rf"{_BEFORE_LABEL}$", re.IGNORECASE)
_EXPLANATION_ENDS = re.compile(rf"^\W*explanation:\s*[{_DOUBLE}].*[{_DOUBLE}]\s*$", re.IGNORECASE)
_REVISING = re.compile(rf"\b(?:{_REVISES}|overall|actually)\b", re.IGNORECASE)
# "Fluency:" or "## Fluency", on the line before a label.
_HEADING = re.compile(r"#+\s*(\w.*)|((?:[\w-]+\s){0,3}[\w-]+):")
_HEADING_OF_ALL = re.compile(
    rf"\b(?:{_SO}|{_REVISES}|overall|answer|conclusion|result|correction|summary|rather|wait|actually|verdict|decision)\b",
    re.IGNORECASE,
)
# A value of JSON, which ends where the next key or the object's end comes.
_VALUE = re.compile(rf"\s*(\[[^\[\]{{}}]*\]|[{_DOUBLE}][^{_DOUBLE}\n]*[{_DOUBLE}]|\d+)\s*(?=[,}}])")

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
    rf"(?:\s+between\s+{_SIDE}1\s+and\s+{_SIDE}2)?(?P<reason>{_REASON.replace(chr(92) + 'D', '.')})",
    re.IGNORECASE | re.DOTALL,
)
# A tie's reason may name numbers only where it says that they are alike.
_ALIKE = re.compile(r"\b(?:both|equal\w*|same|alike|similar\w*|comparable|as\sgood\sas)\b", re.IGNORECASE)
_UNLIKE = re.compile(r"\b(?:not|more|less|than|only|while|whereas|differ\w*)\b|n['’]t\b", re.IGNORECASE)
# A summary that a reason is about, by number: "Summary 2 leaves out …", "2 is …".
_ABOUT = re.compile(
    r"\b(?:(?:the\s)?(?:summary|candidate|option)\s*#?\s*(?P<named>[12])(?=\s+(?!and\b|or\b)[a-z])"
    r"|(?P<bare>[12])(?=\s(?:is|was|has|does|leaves|omits|misses|lacks|gets|adds|says|names|tells|invents)\b))",
    re.IGNORECASE,
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
# That the one not chosen is worse, or does not do something, is no doubt.
_OTHER_FAILS = {
    chosen: re.compile(
        rf"\b(?:{other}|other)(?:\s(?:one|summary|candidate|option))?\s(?:(?:is|was|seems|looks)\s(?:(?!not)\w+\s){{0,2}}"
        r"(?:worse|worst)|(?:is|was|does|did|has)\snot)\b",
        re.IGNORECASE,
    )
    for chosen, other in (("1", "second|latter"), ("2", "first|former"))
}

# A list in the other direction: nobody knows whether what follows it stands in that one.
_BAD = r"(?:worst|weakest|poorest)"
_WORST_FIRST = re.compile(
    rf"\b{_BAD}[\s-]+(?:to|->|→)[\s-]+(?:the\s)?(?:best|strongest)\b|\b{_BAD}\s(?:one\s|summary\s)?first\b"
    rf"|\bbest\s(?:one\s|summary\s)?(?:last|at\sthe\send)\b"
    rf"|(?<!best\s)(?<!better\s)(?<!far\s)(?<!apart\s)(?<!aside\s)\bfrom\s(?:the\s)?{_BAD}"
    r"(?=\s*(?:$|[.,:;!)–—-]|\b(?:to(?!\s(?:the\s)?(?:best|strongest))|on|up|upwards?|first|one|summary|candidate|onwards?|at)\b))"
    r"|\b(?:increasing|ascending|rising)\s(?:order\s(?:of|in|by)\s)?(?:overall\s)?quality\b"
    r"|\b(?:increasing|ascending)\sorder\b|\bleast\sto\smost\b|\blowest\sto\shighest\b|\bbottom\sto\stop\b"
    rf"|\blast\sto\sfirst\b|\b1\s?(?:=|is|being|means)\s?(?:the\s)?(?:{_BAD}|lowest)\b",
    re.IGNORECASE,
)
_REVERSED = re.compile(
    r"\b(?:reversed?|inverse|inverted|ascending)\s(?:ranking|list|order)\b|\bthe\sother\sway\s(?:a?round|about)\b",
    re.IGNORECASE,
)
_SENTENCES = re.compile(r"(?<=[.!?;])\s+|\n")
_NEGATES = re.compile(
    r"(?:\b(?:not|never|rather\sthan|instead\sof|without)|\b(?:do|does|did|is|was|would)n['’]?t)\b(?:\W+(?!but\b)\w+){0,4}\W*$",
    re.IGNORECASE,
)
# "The article lists teams from …" and "summary 3 has a reversed …" speak of what is summarized.
_OF_THE_TEXT = re.compile(
    r"\b(?:article|text|document|source|story|dialogue|report|summar(?:y|ies)|candidates?|author|it|they|both|\d)\b.*?"
    r"\b(?:list|go|goe|tell|present|give|keep|name|report|describe|mention|show|contain|say|put|cover|order|rank|sort|"
    r"repeat|use|follow)s?\b|\b(?:article|text|document|source|story|summar(?:y|ies)|candidate|it|\d)\b.*?\bha(?:s|ve)\b",
    re.IGNORECASE,
)
_OF_THE_JUDGE = re.compile(r"\b(?:I|my|we|our)\b")
_OF_THE_LIST = re.compile(r"\b(?:I|[Mm]y|we|our|[Tt]his|following|below|above|[Hh]ere)\b")

# What takes a verdict back, whatever it was: words that begin a sentence, and words about the verdict.
_OF_VERDICTS = r"(?:ranking|list|order|decision|verdict|answer|choice|judge?ment|preference|pick)"
_TAKES_BACK = re.compile(
    r"^\W*(?:(?:explanation|reason(?:s|ing)?|note|comment)\s*:\W*)?(?:(?:however|but|and|or|hmm+|oh|well|so)\b\W*)*(?:wait|actually|nope|oops|hmm+|sorry|apologies|pardon|correction|"
    r"correcting|or\srather|rather|alternative(?:ly)?|scratch|strike\sthat|on\s(?:second|further|closer)\s\w+|"
    r"(?:up)?on\sreflection|rejected|inferior|no(?=\s*(?:$|[,;:.!–—-])))(?!\w)"
    r"|^\W*(?:edit|update|erratum|errata|revision|revised|corrected|instead|not\sreally)\s*(?:$|[:.,–—-])"
    r"|\b(?:disregard|ignore|forget|discard|scrap|scratch|strike|cancel)\s(?:(?:the\s)?(?:above|previous|earlier|preceding|"
    rf"initial)\b|my\b|what\sI\b|(?:that|this|it)\s*(?:[.,;:!]|$)|(?:that|this|the)\s{_OF_VERDICTS}\b)"
    r"|\bI\s(?:\w+\s)?(?:withdraw|retract|revise|reconsider|meant|misread|misspoke|misjudged)\b"
    r"|\bI\s(?:hereby\s)?take\s(?:that|it|this)\sback\b|\bchanged?\smy\s(?:mind|decision|ranking|answer|verdict)\b"
    r"|\bI\s(?:was|am|made|have\smade)\s(?:wrong|mistaken|a\smistake|an\serror|in\serror)\b|\bmy\s(?:mistake|bad|error)\b"
    r"|\blet\sme\s(?:revise|correct|reconsider|rethink|change|redo|re-?rank|re-?evaluate|try\sagain|start\sover)\b"
    rf"|\b(?:correct|right|proper|actual|real|true|better|revised|second|other|alternative)\s{_OF_VERDICTS}\s*"
    r"(?::|(?:is|would\sbe|should\sbe)\b)"
    rf"|\b(?:the\sabove(?:\s{_OF_VERDICTS})?|(?:this|that|my)\s{_OF_VERDICTS}|the\s(?:ranking|decision|verdict))\s"
    r"(?:\w+\s){0,3}?(?:wrong|incorrect|not(?!\s(?:easy|obvious|close|hard|difficult|based))|a\smistake|mistaken|invalid|"
    r"void|revers\w+|in\sreverse|an?\sexample|hypothetical|provisional|tentative|withdrawn|swapped|switched|should)\b"
    r"|\bshould\s(?:be|have\sbeen|read)\s(?:the\sother|revers|swapp|switch|a?\s?tie\b|\d)",
    re.IGNORECASE,
)
# A later verdict without a label: nothing else on its line, or after a word for it.
_VERDICT_LINE = re.compile(  # but what another label says ("Initial ranking: …") is another thing
    rf"(?:(?:[\w-]+\s){{0,3}}?(?:(?:order|answer|choice|judge?ment|preference|pick|winner|result|conclusion|final|overall|"
    rf"better|best)\s*:|(?:{_OF_VERDICTS}|winner|result|conclusion)\sis\b:?)\s*)?(.*)",
    re.IGNORECASE,
)
# Whom a clause after the verdict prefers, by whole clauses only: "1 is better on dates" is no verdict.
_NAMED = (
    r"(?:(?:the\s)?(?:summary|candidate|option|number)\s*#?\s*(?:{0}|{1})"
    r"|the\s(?:{2})(?:\s(?:one|summary|candidate|option))?)"
)
_CLAUSES = re.compile(r"[.!?;\n]|\b(?:but|however)\b", re.IGNORECASE)
_DENIED_BEFORE = re.compile(
    r"\b(?:neither|nor|not|never|cannot|hardly)\b|\b(?:do|does|did|is|was|would|could|ca)n['’]?t\b", re.IGNORECASE
)


def _preferring(number: str, word: str, ordinals: str) -> re.Pattern[str]:
    named = _NAMED.format(number, word, ordinals)
    return re.compile(
        rf"(?:\b{named}|^\W*{number}|(?:\b(?:that|think|so|now)|,)\s{number})\s(?:wins\s*(?:$|,|overall)|(?:is|was|seems|looks)\s"
        r"(?:(?!not\b|no\b|never\b|less\b)\w+\s){0,2}(?:better|best|preferred|preferable|superior|stronger|winner)\b"
        r"(?=\s*(?:$|[,):]|\b(?:than|overall|one|summary|here|choice)\b)))"
        r"|\bI\s(?:\w+\s){0,3}?(?:prefer|choose|chose|pick|picked|select|favou?r|go\swith|going\swith|lean(?:ing)?\s(?:to|towards?)|"
        rf"vote\sfor|decide\sfor|switch\sto|say)\s(?:{named}|{number}\b)(?!\s(?:to|over)\b)"
        rf"|\b(?:{_OF_VERDICTS}|winner|(?:better|best|preferred)(?:\s(?:one|summary))?)\sis\s(?:{named}|{number}\b)",
        re.IGNORECASE,
    )


_SAYS_TIE = re.compile(
    r"\b(?:it|this)\s(?:is|was)\s(?:really\s|rather\s|actually\s)?a\s(?:tie|draw)\b|\bI\s(?:\w+\s){0,2}say\s(?:a\s)?tie\b",
    re.IGNORECASE,
)
_PREFERRING = {
    "1": _preferring("1", "one", "first|former"),
    "2": _preferring("2", "two", "second|latter"),
    "tie": _SAYS_TIE,
    "other": _PREFERS_THE_OTHER,
}
_I_PREFER = re.compile(
    rf"\bI\s(?:\w+\s){{0,2}}?(?:prefer|choose|pick|favou?r)\s{_WORD}?#?(\d{{1,4}})\b(?!\s(?:to|over)\b)", re.IGNORECASE
)
_DOUBT = re.compile(r"\b(?:or|tie|tied|draw|both|neither|equal|equally|not|worse|worst)\b", re.IGNORECASE)


def read_ranking(text: str, count: int, *, cut: bool = False) -> Order | Unreadable:
    """The order of summaries 1 to `count` that `text` ends in; with `cut`, `text` was cut off by max_tokens."""
    found = _ranking(_said(text), count, cut)
    return Unreadable(Reason.CUT) if cut and isinstance(found, Unreadable) else found


def _ranking(said: str, count: int, cut: bool) -> Order | Unreadable:
    labels = _labels(said, _RANKING)
    if labels:
        found = _last(labels, lambda label: _order_at(label, count))
        finished = not cut or (_may_be_cut(said, labels[-1]) and _list(labels[-1].lines[:-1], count)[0] == found)
        return found if finished else Unreadable(Reason.NO_VERDICT)
    lines = _unlabelled(said, _RANKING, cut)
    if lines and (len(_items(lines)) == len(lines) or len(lines) == 1):
        found, _ = _list(lines, count)
        if isinstance(found, Order) or found.reason is not Reason.NO_LIST:
            return found
    return Unreadable(Reason.NO_VERDICT)


def _order_at(label: _Label, count: int) -> Order | Unreadable:
    """What the label ranks, if nothing around it says that it is no ranking, or one in the other direction."""
    if turned := _turned(label):
        return Unreadable(Reason.NO_LIST, turned)
    found, rest = _list(label.lines, count)
    if label.inside and _has_words(rest):
        return Unreadable(Reason.NO_VERDICT)
    if isinstance(found, Order) and (back := _takes_back(rest) or _ranks_anew(rest, found, count)):
        return Unreadable(Reason.NO_LIST, back[:60])
    return found


def _ranks_anew(lines: Sequence[str], order: Order, count: int) -> str:
    """The words that rank otherwise than `order`, without a label; empty without any."""
    for line in lines:
        value = _VERDICT_LINE.fullmatch(line)
        again = _checked(_inline(value[1]), count) if value else None
        if isinstance(again, Order) and again != order:
            return line
        first = _I_PREFER.search(line)
        if first and int(first[1]) not in order.tiers[0]:
            return first[0]
    return ""


def _turned(label: _Label) -> str:
    """The words that say that the list's direction is not best first; empty without any.

    Far before the label only what the judge says of itself counts; near it, all but what is said of a text.
    """
    earlier, _, near = label.before.rstrip("\n").rpartition("\n")
    own = label.phrase
    if label.before.endswith("\n") or not near:  # the label begins its line
        earlier, near = label.before, ""
    nearest = [line for line in earlier.split("\n") if line.strip()]
    far, near = "\n".join(nearest[:-1]), "\n".join([*nearest[-1:], near])
    for sentence in _SENTENCES.split(far):
        if _OF_THE_JUDGE.search(sentence) and (found := _not_negated(_WORST_FIRST, sentence)):
            return found
    for sentence in _SENTENCES.split(near):
        words = _not_negated(_WORST_FIRST, sentence)
        words = words or (_not_negated(_REVERSED, sentence) if _OF_THE_LIST.search(sentence) else "")
        if words and not _speaks_of_a_text(sentence, words):
            return words
    for sentence in [own, *_SENTENCES.split("\n".join(label.lines))]:
        words = _not_negated(_WORST_FIRST, sentence) or _not_negated(_REVERSED, sentence)
        if words and not _speaks_of_a_text(sentence, words):
            return words
    return ""


def _not_negated(pattern: re.Pattern[str], sentence: str) -> str:
    return next((m[0] for m in pattern.finditer(sentence) if not _NEGATES.search(sentence[: m.start()])), "")


def _speaks_of_a_text(sentence: str, words: str) -> bool:
    before = sentence[: sentence.find(words)]
    return bool(_OF_THE_TEXT.search(before)) and not _OF_THE_JUDGE.search(before)


def read_decision(text: str, *, cut: bool = False) -> Decision | Unreadable:
    """`1`, `2` or `tie`, as `text` ends in; with `cut`, `text` was cut off by max_tokens.

    "Neither" is none of them: it may blame both or prefer neither.
    """
    found = _decision(_said(text), cut)
    return Unreadable(Reason.CUT) if cut and isinstance(found, Unreadable) else found


def _decision(said: str, cut: bool) -> Decision | Unreadable:
    labels = _labels(said, _DECISION)
    if labels:
        found: Decision | Unreadable = _last(labels, _decided_at)
        if cut:
            last = labels[-1]
            ended = _may_be_cut(said, last) and _decided(_filled(last.lines[:-1])) == found
            return found if ended else Unreadable(Reason.NO_VERDICT)
        return found
    lines = _unlabelled(said, _DECISION, cut)
    found = _decided(lines) if len(lines) == 1 else Unreadable(Reason.NO_VERDICT)
    return Unreadable(Reason.NO_VERDICT, found.detail) if isinstance(found, Unreadable) else found


def _decided_at(label: _Label) -> Decision | Unreadable:
    lines = _filled(label.lines)
    if label.inside and not (lines and _bare_decision(lines[0]) and not _has_words(lines[1:])):
        return Unreadable(Reason.NO_VERDICT, lines[0].strip()[:60] if lines else "")
    return _decided(lines)


def _decided(lines: Sequence[str]) -> Decision | Unreadable:
    """What the first line decides, if neither its reason nor the lines after it say otherwise."""
    value = _unwrapped(lines[0].strip(), half=True) if lines else ""
    no = Unreadable(Reason.NO_DECISION, value[:60])
    found = _choice(value) or _tie(value)
    if found is None:
        return no
    # A reason is a sentence of its own: "1. Wait, …".
    after = "\n".join(
        [re.sub(r"^\W*(?:(?:summary|candidate|option)\W*)?(?:[12]|tied?|draw)\b\W*", "", value, flags=re.I), *lines[1:]]
    )
    return no if _takes_back(after.split("\n")) or _decides_anew(after, lines[1:], found) else found


def _choice(value: str) -> Decision | None:
    begins = re.match(rf"{_SIDE}[12]\b(?:{_IS_BETTER}(?:\s+than\s+{_SIDE}[12])?)?", value, re.IGNORECASE)
    if begins is None:
        return None
    # In the reason, numbers of summaries are words: what other numbers say is not sure.
    value = begins[0] + _ABOUT.sub(_ordinal, value[begins.end() :])
    chosen = _CHOSEN.fullmatch(value)
    if chosen is None:
        return None
    side: Decision = "1" if chosen[1] == "1" else "2"
    if _DOUBT.search(_OTHER_FAILS[side].sub("", value)) or _DENIES[side].search(chosen["reason"]):
        return None
    return side


def _ordinal(about: re.Match[str]) -> str:
    return "the first" if (about["named"] or about["bare"]) == "1" else "the second"


def _tie(value: str) -> Decision | None:
    tie = _TIE.fullmatch(value)
    if tie is None:
        return None
    reason = _PREFERS_NONE.sub("", tie["reason"])
    if _PREFERS.search(reason) or _PREFERS_THE_OTHER.search(reason):
        return None
    if re.search(r"\d", reason) and (_UNLIKE.search(reason) or not _ALIKE.search(reason)):
        return None
    return "tie"


def _bare_decision(line: str) -> Decision | None:
    """What a line decides that is nothing but a decision."""
    value = _unwrapped(line.strip(), half=True)
    if (chosen := _CHOSEN.fullmatch(value)) and not chosen["reason"]:
        return _choice(value)
    if (tie := _TIE.fullmatch(value)) and not tie["reason"]:
        return "tie"
    return None


def _decides_anew(after: str, lines: Sequence[str], decision: Decision) -> bool:
    """Whether words after a verdict prefer another one, without a label."""
    for line in lines:
        value = _VERDICT_LINE.fullmatch(line)
        if value and _bare_decision(value[1]) not in (None, decision):
            return True
    for clause in _CLAUSES.split(after):
        for preferred, pattern in _PREFERRING.items():
            said = pattern.search(clause) if preferred != decision else None
            if said and not _DENIED_BEFORE.search(clause[: said.start()]):
                return True
    return False


def _takes_back(lines: Sequence[str]) -> str:
    """The words that take a verdict back, whatever it was; empty without any."""
    sentences = _SENTENCES.split("\n".join(lines))
    return next((found[0].strip() for sentence in sentences if (found := _TAKES_BACK.search(sentence))), "")


def _filled(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.strip()]


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


class _Label(NamedTuple):
    """A label of the judge's own, with what stands before it and, line by line, what follows it.

    `begins` is its place in what was said, `phrase` the label with the words that belong to it. `inside` means that
    other words stand before it on its line: nothing but a verdict may follow it then.
    """

    begins: int
    before: str
    phrase: str
    lines: list[str]
    inside: bool


def _labels(said: str, name: str) -> list[_Label]:
    """The labels that are the judge's own, in their order."""
    # They are looked for without quotation marks; `places` says where they stand among them.
    places = [place for place, sign in enumerate(said) if ord(sign) not in _BARE]
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
            own = is_key or set(before).isdisjoint(_QUOTES)
        elif is_key:
            own = before.endswith(tuple(_QUOTES)) and bool(_OBJECT.search(said[:begins]))
        else:
            own = not _in_quotation(before, after.split("\n")[0])
        if own:
            value = _VALUE.match(after) if is_key and _OBJECT.search(said[:begins]) else None
            if value:
                lines = [_bare(" ".join(value[1].split())), *_bare(after[value.end() :]).split("\n")]
            else:
                lines = _bare(plain[word.end() :]).split("\n")
            found.append(_Label(begins, _bare(plain[:start]), plain[start : word.end()], lines, not (opens or is_key)))
    return found


def _announced(line: str, quoted: str) -> re.Match[str] | None:
    """Whether a label after `line` begins a sentence, or is announced; `quoted` is `line` with quotation marks."""
    if _EXPLANATION_ENDS.match(quoted):
        return _KEY.search("")
    return _ANNOUNCED.search(line)


def _last(labels: Sequence[_Label], read: Callable[[_Label], Verdict | Unreadable]) -> Verdict | Unreadable:
    """What the last label says. If it does not say that it revises the others, it may have to agree with them."""
    last, found = labels[-1], read(labels[-1])
    sure = _REVISING.search(last.phrase) or not (last.inside or _under_an_aspect(last))
    if sure or all(read(label) == found for label in labels[:-1]):
        return found
    return Unreadable(Reason.NO_VERDICT)


def _under_an_aspect(label: _Label) -> bool:
    """Whether the line before is a heading such as "Fluency:", so that the verdict may be one of several."""
    lines = _filled(label.before.split("\n"))
    return bool(lines) and bool(_HEADING.fullmatch(lines[-1].strip())) and not _HEADING_OF_ALL.search(lines[-1])


def _may_be_cut(said: str, label: _Label) -> bool:
    """Whether a verdict at this label is the judge's even if the answer was cut off.

    Markdown's marks for code and quotations may set off the judge's own verdict; but who was cut off may quote.
    """
    before = _line_before(said, label.begins)
    quotes = "`" in before or before.startswith(">") or _open_double(said[: label.begins].removesuffix(before))
    return not (re.search(r"\w", before) or quotes)


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
