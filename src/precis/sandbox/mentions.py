"""Who does what in a summary's sentence: names, pronouns, and the subject of a verb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .inflection import stem, stems, word_set
from .lexis import Token, known_names
from .story import Story

_PRONOUNS = {"he": "m", "him": "m", "his": "m", "himself": "m", "she": "f", "her": "f", "hers": "f", "herself": "f"}
_PLURAL = {"they", "them", "their", "we", "our", "us", "both"}
_OWN = {"i", "me", "my", "mine", "myself"}
_AUTHORS = {"author", "writer", "poster", "narrator", "op", "user"}
_OBJECTS = {"me", "him", "them", "us", "her"}
_POSSESSIVE = {"his", "her", "their", "my", "our"}
_PREPOSITIONS = {"with", "to", "for", "from", "by", "of", "about", "at", "on", "in", "like", "than", "without", "after"}
_BOUNDARIES = word_set(
    "because since as so but that if whether although though while who which when after before until provided how why",
    "where unless , ; : (",
)
# The object of one of these does what follows: "asks Ben to carry".
_TELLING = stems("ask tell want need beg like request invite urge remind get help let expect require order")
_PLANS = stems("plan wish idea decision intention hope dream goal aim desire")
ANYONE = frozenset({"?any"})
_RELATIONS = stems(
    "friend neighbour colleague cousin flatmate sister brother aunt uncle classmate teammate workmate mother father "
    "boss landlady nephew niece godfather stepsister hairdresser dentist teacher husband wife accountant "
    "brother-in-law sister-in-law ex-husband"
)


class Mention(NamedTuple):
    position: int
    roles: frozenset[str]  # A, T, C; `?` for somebody who is not in the document; `?any` if it may be anyone
    possessive: bool


def mentions(story: Story, sentence: Sequence[Token]) -> list[Mention]:
    """The people that a sentence mentions, in order."""
    by_name = {person.name.lower(): role for role, person in story.people.items()}
    post = story.form == "post"
    target = story.people["T"]
    found: list[Mention] = []
    for i, token in enumerate(sentence):
        word = token.word
        before = sentence[i - 1].word if i else ""
        roles: frozenset[str] | None = None
        possessive = token.possessive or word in _POSSESSIVE
        if word in by_name:
            roles = frozenset(by_name[word])
        elif word in _PRONOUNS:
            gender = _PRONOUNS[word]
            candidates = {role for role, person in story.people.items() if person.gender == gender and role != "C"}
            if post:
                candidates |= {"A"} if gender == story.people["A"].gender else set()
            roles = frozenset(candidates or {"?"})
            if word == "her" and not _starts_noun(sentence, i + 1):
                possessive = False
        elif word in _PLURAL:
            roles = ANYONE
        elif word in _OWN:
            roles = frozenset("A" if post else "?")
        elif word in known_names() and token.capital:
            roles = frozenset("?")
        elif post and word in _AUTHORS and before in ("the", "this"):
            roles = frozenset("A")
        elif stem(word) in _RELATIONS and (
            before in _POSSESSIVE or before == "a" or (i and sentence[i - 1].possessive)
        ):
            if found and found[-1].position == i - 1:
                found.pop()  # "Ben's cousin" is the cousin
            is_target = post and stem(word) == stem(target.relation)
            roles = frozenset("T" if is_target else "?")
        if roles is not None:
            if found and found[-1].position == i - 1 and not found[-1].possessive and word in by_name:
                found.pop()  # "my cousin Ben" is one person
            found.append(Mention(i, roles, possessive))
    return found


def _starts_noun(sentence: Sequence[Token], i: int) -> bool:
    """True if the word after `her` is a noun or adjective, so that `her` owns it."""
    return i < len(sentence) and bool(sentence[i].concept) and sentence[i].word not in ("if", "to")


def clause_start(sentence: Sequence[Token], position: int, people: Sequence[Mention]) -> int:
    """Where the clause that holds `position` begins."""
    at = {mention.position for mention in people}
    i = position - 1
    while i >= 0:
        word = sentence[i].word
        if word in _BOUNDARIES and not (
            word == "as" and i + 1 < len(sentence) and sentence[i + 1].word in ("long", "well")
        ):
            return i + 1
        if word == "and" and (i + 1 in at or i + 2 in at) and not _joins_people(i, at):
            return i + 1
        i -= 1
    return 0


def _joins_people(i: int, at: set[int]) -> bool:
    return bool({i - 1, i - 2} & at) and bool({i + 1, i + 2, i + 3} & at)


def agent_of(sentence: Sequence[Token], position: int, people: Sequence[Mention]) -> frozenset[str] | None:
    """The roles that may be the subject of what is said at `position`; None if nobody is named.

    The first person of the clause who is neither owned nor the object of a preposition; after "asks Ben to", Ben.
    A clause without a person takes the subject of the one before it (`Amara packs and moves`).
    """
    end = position
    while True:
        start = clause_start(sentence, end, people)
        agent = _clause_agent(sentence, start, end, people)
        if agent is not None:
            return agent
        if start == 0:
            return None
        end = start - 1


def _clause_agent(sentence: Sequence[Token], start: int, end: int, people: Sequence[Mention]) -> frozenset[str] | None:
    agent: frozenset[str] | None = None
    last = -1
    at = {mention.position for mention in people}
    for mention in people:
        i = mention.position
        if not start <= i < end:
            continue
        before = sentence[i - 1] if i > 0 else None
        after = sentence[i + 1].word if i + 1 < len(sentence) else ""
        following = [sentence[j].word for j in range(i + 1, min(i + 3, len(sentence)))]
        if mention.possessive:
            owned = sentence[i + 1] if i + 1 < len(sentence) else None
            if not (owned and owned.concept in _PLANS):
                continue
            agent = mention.roles
            continue
        if before and before.word == "and" and agent is not None and last >= i - 3:
            agent |= mention.roles
        elif before and i > start and _told(sentence, i):
            if "to" in following[:2] and after in ("to", "not", "please"):
                agent = mention.roles
        elif sentence[i].word in _OBJECTS or (before and i > start and before.concept and i - 1 not in at):
            continue  # "gives him", "lends Ben"
        elif before and i > start and before.word in _PREPOSITIONS and before.word not in ("for", "after"):
            continue
        elif before and i > start and before.word == "for":
            if after == "to":
                agent = mention.roles
        elif agent is None:
            agent = mention.roles
        last = i
    return agent


def _told(sentence: Sequence[Token], i: int) -> bool:
    """True if the word before (past "my cousin") is a verb of telling or asking."""
    for j in (i - 1, i - 2):
        if j >= 0 and stem(sentence[j].word) in _TELLING:
            return True
        if j >= 0 and sentence[j].word not in ("my", "a", "the", "her", "his"):
            return False
    return False
