"""Times, places and things in a summary, each with the role it plays there: asserted, or superseded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from .inflection import word_set
from .language import place_phrases
from .lexis import Token, function_words, neutral_stems, read_tokens
from .speech import bare_place

_STARTS = {"but", "now", "because", "since", ",", ";", ":", "so", "although", "though", "and"}
_OWNERS = word_set("the a an my his her their our last next")
_LEADS = word_set("on at in by near for be next outside under behind above opposite beside below inside")
_OLD_CUES = {"originally", "initially", "previously", "formerly", "cancelled", "cancels", "abandons", "abandoned"}
_PLANNED = {"planned", "supposed", "meant", "scheduled", "going", "intended", "due", "expected", "set"}
_WAS = {"was", "were", "had", "been"}
_FIRST_AFTER = {
    "wanted",
    "want",
    "wants",
    "thought",
    "thinks",
    "planned",
    "plans",
    "chose",
    "said",
    "hoped",
    "believed",
}
CHANGE_CUES = word_set(
    "moved move moves moving changed change changes changing switch switches switched instead now longer rescheduled",
    "reschedules postponed postpones rather originally shifted shifts replaced replaces swaps different",
)


def _words(sentence: Sequence[Token]) -> list[str]:
    return [token.word for token in sentence]


def is_superseded(sentence: Sequence[Token], start: int) -> bool:
    """True if the value that starts at token `start` is given as the one that no longer holds."""
    words = _words(sentence)
    i = start - 1
    while i >= 0 and (words[i] in _OWNERS or sentence[i].possessive):
        i -= 1
    while i >= 0 and (words[i] in _LEADS or words[i - 1 : i + 1] == ["next", "to"]):
        i -= 1
    before = words[i] if i >= 0 else ""
    second = words[i - 1] if i >= 1 else ""
    if before == "from" or (before == "of" and second == "instead") or (before == "than" and second == "rather"):
        return True
    if before in ("not", "longer") or (before == "to" and second == "unlike"):
        return True
    clause = i
    while clause >= 0 and words[clause] not in _STARTS:
        clause -= 1
    part = words[clause + 1 : start]
    return any(
        word in _OLD_CUES
        or (word == "first" and part[k - 1 : k] != ["the"] and (k == 0 or part[k - 1] == "at" or _verb_after(part, k)))
        or (word in _PLANNED and any(w in _WAS for w in part[max(0, k - 3) : k]))
        or (word == "longer" and part[k - 1 : k] == ["no"])
        for k, word in enumerate(part)
    )


def _verb_after(part: Sequence[str], k: int) -> bool:
    return any(word in _FIRST_AFTER for word in part[k + 1 : k + 3]) or k == 0 or part[k - 1] in ("was", "is", "had")


class NounPhrase(NamedTuple):
    """A place or a thing: all its content concepts, and its head's."""

    concepts: tuple[str, ...]
    head: str


@lru_cache(maxsize=4096)
def noun_phrase(text: str) -> NounPhrase:
    """What identifies a place (without its preposition) or a thing."""
    tokens = [token for token in read_tokens(text) if token.word[0].isalnum()]
    concepts = tuple(token.concept for token in tokens if token.concept) or tuple(token.word for token in tokens)
    ends = [
        i
        for i, token in enumerate(tokens)
        if token.word in ("of", "by", "behind", "that", "with", "about", "in", "for", "at", "on") and i
    ]
    lead = [token.concept for token in tokens[: ends[0]] if token.concept] if ends else []
    return NounPhrase(concepts, (lead or concepts or ("",))[-1])


class Found(NamedTuple):
    start: int
    end: int
    credit: float


def find_noun_phrase(phrase: NounPhrase, sentence: Sequence[Token], rivals: Sequence[NounPhrase]) -> list[Found]:
    """Where the phrase is said: wholly (credit 1), or by its head or most of it if no rival shares that (0.7)."""
    found: list[Found] = []
    wanted = set(phrase.concepts)
    i = 0
    while i < len(sentence):
        if _key(sentence[i]) not in wanted:
            i += 1
            continue
        seen, last, j = {_key(sentence[i])}, i, i + 1
        while j < len(sentence) and j - last <= 2:
            if _key(sentence[j]) in wanted:
                seen.add(_key(sentence[j]))
                last = j
            elif sentence[j].word not in function_words():
                break
            j += 1
        shared = any(seen <= set(rival.concepts) for rival in rivals)
        if seen == wanted:
            found.append(Found(i, last + 1, 1.0))
        elif not shared and (len(seen) * 2 > len(wanted) or phrase.head in seen) and seen - neutral_stems():
            found.append(Found(i, last + 1, 0.7))
        i = last + 1
    return found


def _key(token: Token) -> str:
    return token.concept or token.word


@cache
def _places_by_head() -> dict[str, list[tuple[str, NounPhrase]]]:
    index: dict[str, list[tuple[str, NounPhrase]]] = {}
    for place in place_phrases():
        phrase = noun_phrase(bare_place(place))
        index.setdefault(phrase.concepts[0], []).append((place, phrase))
    return index


def other_places(sentence: Sequence[Token], known: set[str]) -> list[tuple[str, Found]]:
    """Places of the sandbox, with their preposition just as they are said there, that are not among `known`."""
    found: list[tuple[str, Found]] = []
    index = _places_by_head()
    for i, token in enumerate(sentence):
        for place, phrase in index.get(_key(token), ()):
            if place in known:
                continue
            lead = place.split(" ", 1)[0]
            if lead not in (word.word for word in sentence[max(0, i - 3) : i]):
                continue
            for hit in find_noun_phrase(phrase, sentence[i : i + 8], []):
                end = i + hit.end
                # "the office raffle" is not the office.
                is_head = end >= len(sentence) or not sentence[end].concept
                if hit.credit == 1 and hit.start == 0 and is_head:
                    found.append((place, Found(i, end, 1.0)))
    return found
