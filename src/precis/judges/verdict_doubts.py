"""What takes a verdict back or turns it round: words that revoke it, another verdict after it, a list worst first.

Each function gives the words that do so (or whether there are any); what to make of them, the caller decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .verdict_decisions import PREFERS_THE_OTHER, bare_decision
from .verdict_labels import Label
from .verdict_lists import WORD, checked, read_inline
from .verdict_types import Decision, Order

_SENTENCES = re.compile(r"(?<=[.!?;])\s+|\n")
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


def takes_back(lines: Sequence[str]) -> str:
    """The words that take a verdict back, whatever it was; empty without any."""
    sentences = _SENTENCES.split("\n".join(lines))
    return next((found[0].strip() for sentence in sentences if (found := _TAKES_BACK.search(sentence))), "")


# A later verdict without a label: nothing else on its line, or after a word for it.
_VERDICT_LINE = re.compile(  # but what another label says ("Initial ranking: …") is another thing
    rf"(?:(?:[\w-]+\s){{0,3}}?(?:(?:order|answer|choice|judge?ment|preference|pick|winner|result|conclusion|final|overall|"
    rf"better|best)\s*:|(?:{_OF_VERDICTS}|winner|result|conclusion)\sis\b:?)\s*)?(.*)",
    re.IGNORECASE,
)
_I_PREFER = re.compile(
    rf"\bI\s(?:\w+\s){{0,2}}?(?:prefer|choose|pick|favou?r)\s{WORD}?#?(\d{{1,4}})\b(?!\s(?:to|over)\b)", re.IGNORECASE
)


def ranks_anew(lines: Sequence[str], order: Order, count: int) -> str:
    """The words that rank otherwise than `order`, without a label; empty without any."""
    for line in lines:
        value = _VERDICT_LINE.fullmatch(line)
        again = checked(read_inline(value[1]), count) if value else None
        if isinstance(again, Order) and again != order:
            return line
        first = _I_PREFER.search(line)
        if first and int(first[1]) not in order.tiers[0]:
            return first[0]
    return ""


# Whom a clause after the verdict prefers, by whole clauses only: "1 is better on dates" is no verdict.
_NAMED = (
    r"(?:(?:the\s)?(?:summary|candidate|option|number)\s*#?\s*(?:{0}|{1})"
    r"|the\s(?:{2})(?:\s(?:one|summary|candidate|option))?)"
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
    "other": PREFERS_THE_OTHER,
}
_CLAUSES = re.compile(r"[.!?;\n]|\b(?:but|however)\b", re.IGNORECASE)
_DENIED_BEFORE = re.compile(
    r"\b(?:neither|nor|not|never|cannot|hardly)\b|\b(?:do|does|did|is|was|would|could|ca)n['’]?t\b", re.IGNORECASE
)


def decides_anew(after: str, lines: Sequence[str], decision: Decision) -> bool:
    """Whether words after a verdict prefer another one, without a label."""
    for line in lines:
        value = _VERDICT_LINE.fullmatch(line)
        if value and bare_decision(value[1]) not in (None, decision):
            return True
    for clause in _CLAUSES.split(after):
        for preferred, pattern in _PREFERRING.items():
            said = pattern.search(clause) if preferred != decision else None
            if said and not _DENIED_BEFORE.search(clause[: said.start()]):
                return True
    return False


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
_OF_THE_JUDGE = re.compile(r"\b(?:I|my|we|our)\b")
_OF_THE_LIST = re.compile(r"\b(?:I|[Mm]y|we|our|[Tt]his|following|below|above|[Hh]ere)\b")


def turned_round(label: Label) -> str:
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


_NEGATES = re.compile(
    r"(?:\b(?:not|never|rather\sthan|instead\sof|without)|\b(?:do|does|did|is|was|would)n['’]?t)\b(?:\W+(?!but\b)\w+){0,4}\W*$",
    re.IGNORECASE,
)


def _not_negated(pattern: re.Pattern[str], sentence: str) -> str:
    return next((m[0] for m in pattern.finditer(sentence) if not _NEGATES.search(sentence[: m.start()])), "")


# "The article lists teams from …" and "summary 3 has a reversed …" speak of what is summarized.
_OF_THE_TEXT = re.compile(
    r"\b(?:article|text|document|source|story|dialogue|report|summar(?:y|ies)|candidates?|author|it|they|both|\d)\b.*?"
    r"\b(?:list|go|goe|tell|present|give|keep|name|report|describe|mention|show|contain|say|put|cover|order|rank|sort|"
    r"repeat|use|follow)s?\b|\b(?:article|text|document|source|story|summar(?:y|ies)|candidate|it|\d)\b.*?\bha(?:s|ve)\b",
    re.IGNORECASE,
)


def _speaks_of_a_text(sentence: str, words: str) -> bool:
    before = sentence[: sentence.find(words)]
    return bool(_OF_THE_TEXT.search(before)) and not _OF_THE_JUDGE.search(before)
