"""Is a phrase said grammatically where it stands? Content words alone must not earn a fact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .inflection import inflect, word_set
from .mentions import agent_of
from .patterns import Match
from .story import Story

if TYPE_CHECKING:
    from .deeds import View

_SKIP = word_set("not only also really finally accidentally just now first never")
_BEFORE_BASE = word_set(
    "to will can could would should may might must shall do does did rather let lets help helps and i we they you or"
)
_BEFORE_ING = word_set(
    "am is are was were be been about of for by with to from without after before in and or",
    "mind consider considers considering planned start starts enjoys tries",
)
_CONNECTIVES = word_set(
    "because since as so that if but and provided unless although though while when how whether after before : then",
    "condition end fact first long thinks thought believes believed says said which",
)
_OTHERS_WORDS = {"you", "your", "yours", "yourself"}
_OWN_WORDS = {"i", "me", "my", "mine", "myself", "we", "us", "our", "ours"}
UNLICENSED = 0.2


def is_first_person(view: View, story: Story, match: Match) -> bool:
    """True if the words are those of a speaker (`lend me your drill`), copied rather than reported."""
    barred = _OTHERS_WORDS | _OWN_WORDS if story.form == "conversation" else _OTHERS_WORDS
    return any(token.word in barred for token in view.tokens[max(0, match.start - match.pattern.lead) : match.end])


def verb_licence(view: View, match: Match) -> float:
    """1 if the phrase's verb has a form that fits its place (`to move`, `is moving`, `she moves`), else less."""
    head = match.pattern.head
    if not head:
        return 1.0
    forms = {form: inflect(head, form) for form in ("base", "s3", "ing", "past")}
    at = next(
        (
            i
            for i in range(min(match.start + 1, match.end - 1), max(-1, match.start - 7), -1)
            if view.tokens[i].word in forms.values()
        ),
        None,
    )
    if at is None:
        return 0.6
    word = view.tokens[at].word
    i = at - 1
    while i >= 0 and view.tokens[i].word in _SKIP:
        i -= 1
    before = view.tokens[i].word if i >= 0 else ""
    if word == forms["ing"]:
        return 1.0 if before in _BEFORE_ING or i < 0 else UNLICENSED
    if word == forms["past"] and (word != forms["base"] or before not in _BEFORE_BASE):
        return 1.0 if agent_of(view.tokens, at, view.people) or i < 0 else UNLICENSED
    if word == forms["s3"]:
        return 1.0 if agent_of(view.tokens, at, view.people) or before == "which" else UNLICENSED
    if before in ("and", "or"):  # "to pack and carry": the licence is the first verb's
        words = [token.word for token in view.tokens[max(0, i - 12) : i]]
        return 1.0 if _BEFORE_BASE & set(words) - {"and", "or"} else UNLICENSED
    return 1.0 if before in _BEFORE_BASE else UNLICENSED


def clause_licence(view: View, match: Match) -> float:
    """1 if the clause begins a sentence or follows a connective, else less."""
    first = match.start - match.pattern.lead
    for shift in (0, -1, 1, -2):
        i = first - 1 + shift
        if i < 0 or view.tokens[i].word in _CONNECTIVES:
            return 1.0
    return UNLICENSED


_BEFORE_TIME = word_set(
    "on at in from to for until till by of than before after since this next last coming the wanted wants want not is",
    "be was longer or and early late around about chose chooses choose but now",
)
_BEFORE_PLACE = word_set(
    "on at in from to of than by near outside under behind above opposite beside below inside into for",
    "chose chooses choose wanted wants want prefers prefer not is longer or and called but",
)
_DETERMINERS = {"the", "a", "an", "my", "his", "her", "their", "our"}


def value_licence(view: View, start: int, *, time: bool) -> float:
    """1 if the time, place or thing that starts here hangs on a preposition or a verb, else less."""
    i = start - 1
    if not time:
        while i >= 0 and (view.tokens[i].word in _DETERMINERS or view.tokens[i].possessive):
            i -= 1
    if i < 0:
        return 1.0
    return 1.0 if view.tokens[i].word in (_BEFORE_TIME if time else _BEFORE_PLACE) else UNLICENSED
