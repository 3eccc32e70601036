"""Reading statements: the event, reasons, the request, the answer to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from .inflection import stem, stems, word_set
from .language import families
from .lexis import Token, read_tokens
from .licences import clause_licence, is_first_person, verb_licence
from .mentions import ANYONE, Mention, agent_of, clause_start
from .patterns import LEAST_SHARE, Match, find_pattern, is_negation, patterns_of
from .story import Story
from .times import FoundTime
from .values import find_noun_phrase, is_superseded, noun_phrase


class View(NamedTuple):
    """One sentence of a summary, looked at once. `gate`: how far it reads as English, 0 to 1."""

    tokens: list[Token]
    people: list[Mention]
    times: list[FoundTime]
    gate: float
    denied: bool = False  # "it is not true that ..."
    subject: frozenset[str] = frozenset()  # of the sentence before
    concepts: frozenset[str] = frozenset()


class Told(NamedTuple):
    """What a sentence says of one fact: credit 0 to 1 if it is right, or wrong; `start`, `end` its tokens."""

    credit: float
    wrong: bool
    start: int
    end: int
    used: frozenset[int] = frozenset()  # the positions of its content words
    share: float = 1.0  # of the phrase's content words
    licence: float = 1.0  # of its form for its place


def text_of(view: View, start: int, end: int) -> str:
    return " ".join(token.word for token in view.tokens[start:end])


def _scope_start(view: View, position: int) -> int:
    """Where negation may begin: the clause, and the one before it in `it is not true that`."""
    start = clause_start(view.tokens, position, view.people)
    while start > 0 and view.tokens[start - 1].word in ("that", "how"):
        start = clause_start(view.tokens, start - 1, view.people)
    return start


def is_denied(view: View, start: int, end: int, expected: int = 0) -> bool:
    """True if the number of negations from the clause's start to `end` differs from the phrase's own, by parity."""
    scope = _scope_start(view, start)
    words = [token.word for token in view.tokens[scope:start]]
    if "and" in words:  # "declines and offers to": the first verb's negation stays with it
        scope = start - words[::-1].index("and")
    found = sum(is_negation(token) for token in view.tokens[scope:end])
    # "not because she moves" denies the reason.
    found += (
        scope >= 3
        and view.tokens[scope - 1].word in _REASONS
        and view.tokens[scope - 2].word == "not"
        and view.tokens[scope - 3].word != "can"
    )
    found += ("instead" in words[-3:] and "of" in words[-2:]) or ("rather" in words[-3:] and "than" in words[-2:])
    return found % 2 != expected % 2


_REASONS = {"because", "since", "as"}


def fits(role: str, agent: frozenset[str] | None) -> bool:
    """True if somebody in the agent's place may be `role`; nobody named may be anyone."""
    return agent is None or role in agent or bool(agent & ANYONE) or role == "W"


def subject_at(view: View, position: int) -> frozenset[str] | None:
    """Who does what is said at `position`; a pronoun that two people share means the subject before it."""
    agent = agent_of(view.tokens, position, view.people)
    if agent != _EITHER:
        return agent
    start = position
    while (start := clause_start(view.tokens, start, view.people) - 1) > 0:
        earlier = agent_of(view.tokens, start, view.people)
        if earlier is None:
            break
        if earlier in (frozenset("A"), frozenset("T")) or _are_joined(view):
            return earlier
    if _are_joined(view) or view.people[0].roles != _EITHER:
        return agent
    return view.subject if len(view.subject) == 1 else agent


_EITHER = frozenset("AT")


def _are_joined(view: View) -> bool:
    """True for `Ben and Amara discuss his plan`, where nothing tells whose."""
    if len(view.people) < 2:
        return False
    first, second = view.people[0].position, view.people[1].position
    return any(view.tokens[i].word == "and" for i in range(first, second)) and second - first <= 3


def _owner_is_wrong(match: Match, view: View, story: Story) -> bool:
    """True if a name owns what the phrase says is somebody else's (`Amara's van` for Ben's)."""
    names = {person.name.lower() for person in story.people.values()}
    owners = match.pattern.owners
    return bool(owners - {"W"}) and any(
        mention.possessive and not mention.roles & owners and view.tokens[mention.position].word in names
        for mention in view.people
        if match.start - 1 <= mention.position < match.end
    )


def read_phrase(view: View, story: Story, text: str, *, agent: str = "", verb_first: bool = False) -> Told | None:
    """How the sentence tells the phrase `text`, whose subject should be `agent` (or the one it begins with)."""
    names = {person.name.lower() for person in story.people.values()}
    best: Told | None = None
    best_share = 0.0
    for pattern in patterns_of(text, verb_first):
        if len(view.concepts & pattern.distinct) < LEAST_SHARE * len(pattern.distinct):
            continue
        match = find_pattern(pattern, view.tokens, names)
        if match is None:
            continue
        if is_first_person(view, story, match):
            continue
        role = agent or pattern.agent
        who = subject_at(view, match.start) if role == "A" else agent_of(view.tokens, match.start, view.people)
        wrong = (
            view.denied
            or match.substituted
            or is_denied(view, match.start, match.end, pattern.negations)
            or (bool(role) and not fits(role, who))
            or _owner_is_wrong(match, view, story)
        )
        licence = (verb_licence if verb_first else clause_licence)(view, match)
        share = match.share * match.grammar * licence
        told = Told(
            0.0 if wrong else share * view.gate, wrong, match.start, match.end, match.used, match.share, licence
        )
        if best is None or (share, not wrong) > (best_share, not best.wrong):
            best, best_share = told, share
    return best


def read_event(view: View, story: Story) -> Told | None:
    """The event, by its owner. Without its thing (a race, but which?) it earns half; with another one it is wrong."""
    told = read_phrase(view, story, story.facts["event"].text, agent="A", verb_first=True)
    for act, item in _rivals(story):
        other = read_phrase(view, story, act.replace("{item}", item), agent="A", verb_first=True)
        if other is None or other.wrong or other.share < 1 or len(other.used) < 3:
            continue
        if told is not None and _fullness(other) <= _fullness(told):
            continue
        # "Switches from a loft to a cottage" names the rival thing without asserting it.
        said = find_noun_phrase(noun_phrase(item), view.tokens, []) if item else [None]
        if any(hit is None or not is_superseded(view.tokens, hit.start) for hit in said):
            return other._replace(credit=0.0, wrong=True)
    if told and not told.wrong and "{item}" in story.act:
        item_concepts = {token.concept for token in read_tokens(story.item) if token.concept}
        if not item_concepts & {token.concept for token in view.tokens[told.start : told.end]}:
            return told._replace(credit=told.credit / 2)
    return told


def _fullness(told: Told) -> tuple[float, int]:
    return told.share, len(told.used)


@cache
def _family_acts(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    family = next(family for family in families() if family.name == name)
    return family.acts, family.items


def _rivals(story: Story) -> list[tuple[str, str]]:
    """What else the family's stories do, with this story's thing, or the same with another thing."""
    acts, items = _family_acts(story.family)
    others = [(act, story.item if "{item}" in act else "") for act in acts if act != story.act]
    return others + [(story.act, item) for item in items if item != story.item and "{item}" in story.act]


_ASKING = stems("ask request want need beg like wish hope urge implore plead invite wonder expect require tell")
_ACCEPTING = stems("agree promise accept offer will help") | {"will"}
_ASKED = word_set("asked requested wanted needed begged urged invited told expected required")


def read_request(view: View, story: Story) -> Told | None:
    """A asks T to do it; or T agrees to do it, which implies that A asked."""
    told = read_phrase(view, story, story.facts["request"].text, verb_first=True)
    if told is None or told.wrong:
        return told
    asked = _last_asking(view.tokens, told.start)
    people = view.people
    if asked is None:
        agent = agent_of(view.tokens, told.start, people)
        if agent is not None and not fits("T", agent):
            return told._replace(credit=0.0, wrong=True)
        stance = story.facts["outcome"].slot if "outcome" in story.facts else ""
        accepted = any(stem(token.word) in _ACCEPTING for token in view.tokens[: told.start])
        return told._replace(credit=told.credit * (0.9 if accepted and stance.startswith("agree") else 0.6))
    asker, askee = _parties(view, asked, told.start)
    if not fits("A", asker) or not fits("T", askee) or (asker == askee and asker in (frozenset("A"), frozenset("T"))):
        return told._replace(credit=0.0, wrong=True)
    return told._replace(credit=told.credit * (1.0 if askee is not None else 0.85))


def _last_asking(tokens: Sequence[Token], end: int) -> int | None:
    return next((i for i in range(end - 1, -1, -1) if stem(tokens[i].word) in _ASKING), None)


def _parties(view: View, asked: int, end: int) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    """Who asks, who is asked."""
    tokens, people = view.tokens, view.people
    subject = subject_at(view, asked)
    earlier = [token.word for token in tokens[max(0, asked - 2) : asked]]
    passive = tokens[asked].word in _ASKED and bool({"is", "was", "are", "were", "been", "being"} & set(earlier))
    between = [mention for mention in people if asked < mention.position < end]
    if passive:
        by = [mention.roles for mention in between if tokens[mention.position - 1].word == "by"]
        return (by[0] if by else None), subject
    objects = [mention.roles for mention in between if not mention.possessive]
    return subject, objects[0] if objects else None
