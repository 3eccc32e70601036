"""The words after a decision's label, read as 1, 2 or tie if their reason does not say otherwise."""

from __future__ import annotations

import re

from .verdict_text import unwrapped
from .verdict_types import Decision

_SIDE = r"(?:(?:the\s+)?(?:summary|candidate|option|number|no\.)\s*)?#?\s*"
_REASON = r"(?:\s*[,:;(–—-]\s*\D*|[.!]\s+\D*|\s+(?:because|as|since)\s\D*|[.!]?)"
_IS_BETTER = r"\s+(?:is\s+(?:the\s+)?(?:better|preferred|superior)(?:\s+one|\s+summary)?|wins)"
_CHOSEN = re.compile(
    rf"{_SIDE}([12])(?:{_IS_BETTER}(?:\s+than\s+{_SIDE}[12])?)?(?P<reason>{_REASON})", re.IGNORECASE | re.DOTALL
)
# A summary that a reason is about, by number: "Summary 2 leaves out …", "2 is …".
_ABOUT = re.compile(
    r"\b(?:(?:the\s)?(?:summary|candidate|option)\s*#?\s*(?P<named>[12])(?=\s+(?!and\b|or\b)[a-z])"
    r"|(?P<bare>[12])(?=\s(?:is|was|has|does|leaves|omits|misses|lacks|gets|adds|says|names|tells|invents)\b))",
    re.IGNORECASE,
)
_IS_PREFERRED = (
    r"(?:\s(?:one|summary|candidate|option))?\s(?:wins\b|(?:is|was|seems|looks|would\sbe)\s(?:\w+\s){0,2}"
    r"(?:better|best|preferred|preferable|superior|stronger|clearer|more)\b)"
)
PREFERS_THE_OTHER = re.compile(rf"\bother{_IS_PREFERRED}", re.IGNORECASE)
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
_DOUBT = re.compile(r"\b(?:or|tie|tied|draw|both|neither|equal|equally|not|worse|worst)\b", re.IGNORECASE)


def read_choice(value: str) -> Decision | None:
    """1 or 2, alone or with a reason that does not say otherwise."""
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


_TIE = re.compile(  # but "tie-breaker" is none
    r"(?:its?\s+(?:is\s+)?)?(?:an?\s+)?(?:tied?|draw)(?!-\w)"
    rf"(?:\s+between\s+{_SIDE}1\s+and\s+{_SIDE}2)?(?P<reason>{_REASON.replace(chr(92) + 'D', '.')})",
    re.IGNORECASE | re.DOTALL,
)
# A tie's reason may name numbers only where it says that they are alike.
_ALIKE = re.compile(r"\b(?:both|equal\w*|same|alike|similar\w*|comparable|as\sgood\sas)\b", re.IGNORECASE)
_UNLIKE = re.compile(r"\b(?:not|more|less|than|only|while|whereas|differ\w*)\b|n['’]t\b", re.IGNORECASE)
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


def read_tie(value: str) -> Decision | None:
    """A tie, alone or with a reason that does not say otherwise."""
    tie = _TIE.fullmatch(value)
    if tie is None:
        return None
    reason = _PREFERS_NONE.sub("", tie["reason"])
    if _PREFERS.search(reason) or PREFERS_THE_OTHER.search(reason):
        return None
    if re.search(r"\d", reason) and (_UNLIKE.search(reason) or not _ALIKE.search(reason)):
        return None
    return "tie"


def bare_decision(line: str) -> Decision | None:
    """What a line decides that is nothing but a decision."""
    value = unwrapped(line.strip(), half=True)
    if (chosen := _CHOSEN.fullmatch(value)) and not chosen["reason"]:
        return read_choice(value)
    if (tie := _TIE.fullmatch(value)) and not tie["reason"]:
        return "tie"
    return None
