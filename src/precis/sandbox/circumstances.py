"""Reading when, where and what changed: values asserted, values given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .deeds import Told, View, read_phrase
from .licences import value_licence
from .speech import bare_place
from .story import Story
from .times import Time
from .values import CHANGE_CUES, NounPhrase, find_noun_phrase, is_superseded, noun_phrase, other_places

Used = Sequence[set[int]]  # by sentence: token positions that statements have already used


@dataclass
class ValueReading:
    """One kind of value over the whole summary."""

    credit: float = 0.0  # of the right value, asserted
    wrong: str = ""  # a value asserted that is not right
    new: float = 0.0  # the right value asserted in a sentence that speaks of a change
    old: float = 0.0  # the superseded value given up
    reversed: bool = False  # the right value given up


def _speaks_of_change(view: View, start: int, end: int, used: set[int]) -> bool:
    """True if a word of change stands near the value, with no reason between (`because the baby now sleeps`).

    Words that tell another fact (`decided to move to Chile`) are in `used` and do not count.
    """
    words = ["" if i in used else token.word for i, token in enumerate(view.tokens)]
    for i in range(start - 1, max(-1, start - 9), -1):
        if words[i] in ("because", "since", "as", "so", ";"):
            break
        if words[i] in CHANGE_CUES:
            return True
    return any(word in CHANGE_CUES for word in words[end : end + 3])


def read_times(story: Story, views: Sequence[View], used: Used, links: Sequence[float]) -> ValueReading:
    """The time: its parts add up (the day in one sentence, the hour in another)."""
    truth = story.facts["when"].time if "when" in story.facts else Time()
    change = story.facts.get("change")
    old = change.old_time if change and change.slot == "when" else Time()
    result = ValueReading()
    parts: dict[str, float] = {}
    for view, positions, link in zip(views, used, links):
        for start, end, time in view.times:
            said = " ".join(token.word for token in view.tokens[start:end])
            worth = value_licence(view, start, time=True) * view.gate * link
            if is_superseded(view.tokens, start):
                if old.known() and time.agrees(old) and not (time.agrees(truth) and time.known() == truth.known()):
                    result.old = max(result.old, view.gate)
                elif truth.known() and time.agrees(truth):
                    result.reversed = True
                continue
            if truth.known() and time.agrees(truth) and time.known() & truth.known():
                for part in time.known() & truth.known():
                    parts[part] = max(parts.get(part, 0.0), worth)
                if _speaks_of_change(view, start, end, positions) or result.old:
                    result.new = max(result.new, worth)
            elif truth.known() or time.known() - {"month"}:
                result.wrong = said
    if truth.known():
        result.credit = sum(parts.values()) / len(truth.known())
    return result


def read_noun_phrases(
    views: Sequence[View], used: Used, names: Used, links: Sequence[float], truth: str, old: str, rivals: Sequence[str]
) -> ValueReading:
    """A place or a thing: `truth` asserted, `old` given up, `rivals` (slips) not asserted.

    Positions in `used` are no part of it; in `names`, they are so only if all of it is there.
    """
    result = ValueReading()
    phrases = {name: noun_phrase(name) for name in (truth, old, *rivals) if name}
    for view, positions, named, link in zip(views, used, names, links):
        hits = [
            (hit, name)
            for name in phrases
            for hit in find_noun_phrase(phrases[name], view.tokens, _others(phrases, name))
        ]
        for hit, name in sorted(hits):
            if (positions | named if hit.credit < 1 else positions) & set(range(hit.start, hit.end)):
                continue
            positions.update(range(hit.start, hit.end))
            given_up = is_superseded(view.tokens, hit.start)
            worth = hit.credit * view.gate * value_licence(view, hit.start, time=False) * link
            if name == truth and given_up:
                result.reversed = result.reversed or hit.credit == 1
            elif name == truth:
                result.credit = max(result.credit, worth)
                if _speaks_of_change(view, hit.start, hit.end, positions) or result.old:
                    result.new = max(result.new, worth)
            elif given_up:
                result.old = max(result.old, hit.credit * view.gate) if name == old else result.old
            else:
                result.wrong = name
    return result


def _others(phrases: dict[str, NounPhrase], name: str) -> list[NounPhrase]:
    return [phrase for other, phrase in phrases.items() if other != name]


def names_of(story: Story, view: View) -> set[int]:
    """Where the sentence names the occasion or the thing (`the training ground`), which is no place."""
    positions: set[int] = set()
    for name in (story.noun, story.thing):
        hits = find_noun_phrase(noun_phrase(name), view.tokens, []) if name != "it" else []
        positions.update(i for hit in hits if hit.credit == 1 for i in range(hit.start, hit.end))
    return positions


def read_places(story: Story, views: Sequence[View], used: Used, links: Sequence[float]) -> ValueReading:
    """The place, with the places that the document gives up or that it never mentions as rivals."""
    truth = bare_place(story.facts["where"].text) if "where" in story.facts else ""
    change = story.facts.get("change")
    old = bare_place(change.old) if change and change.slot == "where" else ""
    slip = bare_place(story.slip_place) if story.slip_place else ""
    names = [names_of(story, view) for view in views]
    result = read_noun_phrases(views, used, names, links, truth, old, [slip] if slip else [])
    known = {fact.text for fact in story.facts.values() if fact.kind == "where"} | {story.slip_place}
    known |= {change.old} if change else set()
    for view, positions in zip(views, used):
        for place, hit in other_places(view.tokens, known):
            clear = not positions & set(range(hit.start, hit.end)) and not is_superseded(view.tokens, hit.start)
            if clear and not set(noun_phrase(bare_place(place)).concepts) <= set(noun_phrase(truth).concepts):
                result.wrong = result.wrong or place
    return result


def read_belief(story: Story, views: Sequence[View]) -> tuple[float, bool, list[list[Told]]]:
    """Credit for `A thought X, but Y`, whether it is told the wrong way round, and the token ranges that tell it."""
    change = story.facts["change"]
    new_credit = old_credit = 0.0
    wrong = False
    hits: list[list[Told]] = []
    for view in views:
        told = [(name, read_phrase(view, story, text)) for name, text in (("new", change.text), ("old", change.old))]
        found = [(name, hit) for name, hit in told if hit]
        hits.append([hit for _, hit in found])
        for name, hit in found:
            believed = _is_believed(view, hit)
            if name == "new" and not believed and not hit.wrong:
                new_credit = max(new_credit, hit.credit)
            elif name == "old" and believed:
                old_credit = max(old_credit, hit.credit)
            elif not _overlap(found):
                wrong = True
    return new_credit * (0.7 + 0.3 * min(1.0, old_credit / 0.7)), wrong and new_credit == 0, hits


def _overlap(found: Sequence[tuple[str, Told]]) -> bool:
    """True if the two clauses were read from the same words, so that only one of them can be meant."""
    return len(found) == 2 and found[0][1].start < found[1][1].end and found[1][1].start < found[0][1].end


def _is_believed(view: View, hit: Told) -> bool:
    """True if the clause is what somebody thought: a verb of belief stands before it, after the last `but` or stop."""
    words = [token.word for token in view.tokens[: hit.start]]
    for i in range(len(words) - 1, -1, -1):
        if words[i] in ("but", ";", "fact", "actually", "turned", "turns", "end"):
            return False
        if words[i] in ("thought", "believed", "thinks", "believes", "think", "believe", "assumed", "assumes", "feared",
                        "suspected", "sure", "convinced", "expected"):  # fmt: skip
            return True
        if words[i] == "," and i + 1 < len(words) and words[i + 1] not in ("that",):
            return False
    return False
