"""A story as a conversation: greetings, the facts by question and answer, small talk, distractors, a goodbye."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from .language import families, frames
from .speech import (
    bare_place,
    can_be_anybodys,
    change_values,
    clause,
    distractor,
    event_values,
    fill,
    spoken_forms,
    tidy,
    upper_first,
    verb_phrase,
)
from .story import Story
from .times import say

Turn = tuple[str, str]  # role, what is said


def _exchange(frame: str, values: Mapping[str, str], first: str, second: str) -> list[Turn]:
    """The turns of a frame whose lines are divided by ` || `, `first` beginning."""
    return [(second if i % 2 else first, fill(line, values)) for i, line in enumerate(frame.split(" || "))]


def conversation(rng: Random, story: Story) -> str:
    """The document's text, one `Name: words` line per turn."""
    speech = frames("speech")
    people = story.people
    names = {"a": people["A"].name, "p": people["T"].name}
    partners = ["T"]
    if rng.random() < 0.5:
        turns = _exchange(rng.choice(speech["open_owner"]), names, "A", "T")
    else:
        turns = _exchange(rng.choice(speech["open_partner"]), names, "T", "A")
    segments = _plan(rng, story)
    joins_at = rng.randrange(len(segments) - 1) if "C" in people else -1
    late = "change" in story.facts and rng.random() < 0.35
    used: set[str] = set()
    before = ""
    for position, segment in enumerate(segments):
        if position == joins_at:
            names["c"] = people["C"].name
            turns += _exchange(rng.choice(speech["join"]), names, "C", turns[-1][0])
            partners.append("C")
            before = "join"
        who = rng.choice(partners)
        new = _segment(rng, story, segment, who, late, used)
        if new and segment in _FACTS and before in _ASIDES:
            first, text = new[0]
            new[0] = (first, rng.choice(speech["resume"]) + upper_first(text))
        turns += new
        if segment in ("why", "when", "where", "change") and turns[-1][0] == "A" and rng.random() < 0.3:
            turns.append((who, rng.choice(speech["fillers"])))
        before = segment if new else before
    if rng.random() < 0.8:
        first, second = rng.sample(["A", "T"], 2)
        turns += _exchange(rng.choice(speech["close"]), names, first, second)
    return "\n".join(f"{people[role].name}: {tidy(text)}" for role, text in _join_turns(turns))


_FACTS = {"why", "when", "where", "change", "request"}
_ASIDES = {"smalltalk", "other_event", "other_time", "other_place", "join"}


def _plan(rng: Random, story: Story) -> list[str]:
    """The order of telling: the event, its circumstances, the change after what it changes, the request late."""
    middle = [kind for kind in ("why", "when", "where") if kind in story.facts]
    rng.shuffle(middle)
    segments = ["event", *middle]
    if "change" in story.facts:
        slot = story.facts["change"].slot
        earliest = segments.index(slot) + 1 if slot in segments else 1
        segments.insert(rng.randint(max(1, earliest), len(segments)), "change")
    if "request" in story.facts:
        last = len(segments)
        segments.insert(rng.randint(max(1, last - 1), last) if rng.random() < 0.8 else rng.randint(1, last), "request")
    extras = ["smalltalk"] * rng.choice((0, 1, 1, 2, 2, 3)) + ["chat"] * rng.choice((0, 1, 1, 2))
    distractors = ["other_time", "other_place", *(["other_event"] * 2 if can_be_anybodys(story) else [])]
    extras += set(rng.sample(distractors, rng.choice((0, 1, 1, 2))))
    if len(extras) + len(segments) < 6:
        extras += ["smalltalk", "chat"]
    # Asides come in one or two lumps, as in life, and only small talk precedes the topic.
    lumps = sorted(rng.sample(range(2, len(segments) + 1), min(2, len(segments) - 1)), reverse=True)
    for extra in sorted(extras):
        if extra == "smalltalk" and rng.random() < 0.25 and "smalltalk" not in segments[:1]:
            segments.insert(0, extra)
            lumps = [lump + 1 for lump in lumps]
        else:
            segments.insert(rng.choice(lumps), extra)
    return segments


def _join_turns(turns: list[Turn]) -> list[Turn]:
    """Neighbouring turns of one speaker become one."""
    joined: list[Turn] = []
    for role, text in turns:
        text = upper_first(text)
        if joined and joined[-1][0] == role:
            joined[-1] = (role, f"{joined[-1][1]} {text}")
        else:
            joined.append((role, text))
    return joined


def _segment(rng: Random, story: Story, segment: str, who: str, late: bool, used: set[str]) -> list[Turn]:
    if segment == "event":
        return _event(rng, story, who)
    if segment in ("why", "when", "where"):
        return _circumstance(rng, story, segment, who, late)
    if segment == "change":
        return _change(rng, story, who, late)
    if segment == "request":
        return _request(rng, story)
    return _aside(rng, story, segment, who, used)


def _event(rng: Random, story: Story, who: str) -> list[Turn]:
    speech, tense = frames("speech"), story.tense
    values = event_values(rng, story, "A", who)
    reaction = rng.choice(speech[f"react_{tense}"])
    if rng.random() < 0.25:
        turns = _exchange(rng.choice(speech[f"partner_knows_{tense}"]), values, who, "A")
        return turns + ([(who, reaction)] if rng.random() < 0.4 else [])
    announced = fill(rng.choice(speech[f"announce_{tense}"]), values)
    return [("A", announced), *([(who, reaction)] if rng.random() < 0.8 else [])]


def _circumstance(rng: Random, story: Story, kind: str, who: str, late: bool) -> list[Turn]:
    speech, tense = frames("speech"), story.tense
    forms = spoken_forms(story.people, "A", who)
    change = story.facts.get("change")
    fact = story.facts[kind]
    values = {"noun": story.noun, "thing": story.thing}
    if kind == "why":
        values["why"] = clause(rng, fact.text, forms)
        return [(who, rng.choice(speech[f"why_ask_{tense}"])), ("A", fill(rng.choice(speech["why_tell"]), values))]
    superseded = change is not None and change.slot == kind
    if superseded and not late:
        return []  # the change itself tells both values
    if kind == "when":
        time = change.old_time if superseded and change else fact.time
        values["bare"], values["full"] = say(rng, time)
        old = say(rng, story.slip_time)[0] if story.slip_time.known() else ""
        new = values["bare"]
    else:
        place = change.old if superseded and change else fact.text
        values |= {"place": place, "full": place, "bare": bare_place(place)}
        old, new = story.slip_place, place
    if old:
        told = fill(rng.choice(speech["slip"]), {"old": old, "new": new})
    elif rng.random() < 0.25:
        return [("A", fill(rng.choice(speech[f"{kind}_add_{tense}"]), values))]
    else:
        told = fill(rng.choice(speech[f"{kind}_tell_{tense}"]), values)
    return [(who, fill(rng.choice(speech[f"{kind}_ask_{tense}"]), values)), ("A", told)]


def _change(rng: Random, story: Story, who: str, late: bool) -> list[Turn]:
    speech = frames("speech")
    slot = story.facts["change"].slot
    values = change_values(rng, story, spoken_forms(story.people, "A", who))
    if slot == "belief":
        asks = rng.random() < 0.5
        if asks:  # the partner says the mistaken belief, from the partner's side
            told = change_values(rng, story, spoken_forms(story.people, who, "A"))
            values["old"] = told["old"]
        pool = "belief_ask" if asks else "belief_told"
    elif slot == "item":
        asks = "cause" in values and rng.random() < 0.5
        pool = "change_item_ask" if asks else "change_item" if "cause" in values else "change_item_no_cause"
    elif "cause" not in values:
        asks, pool = False, "change_no_cause"
    elif late:
        asks, pool = False, "change_late"
    else:
        asks = rng.random() < 0.4
        pool = "change_ask" if asks else "change_told"
    first, second = (who, "A") if asks else ("A", who)
    return _exchange(rng.choice(speech[pool]), values, first, second)


def _request(rng: Random, story: Story) -> list[Turn]:
    speech = frames("speech")
    asked = spoken_forms(story.people, "A", "T")
    text = story.facts["request"].text
    values = {"vp": verb_phrase(rng, text, asked, "base"), "vping": verb_phrase(rng, text, asked, "ing")}
    lead = rng.choice(speech["request_lead"])
    if "C" in story.people:
        lead = f"{story.people['T'].name}, "
    request = fill(rng.choice(speech["request_ask"]), values)
    request = lead + (request[0].lower() + request[1:] if lead and request[:2] not in ("I ", "I'") else request)
    turns = [("A", request)]
    if "outcome" not in story.facts:
        return [*turns, ("T", rng.choice(speech["outcome_none"]))]
    stance = story.facts["outcome"].slot
    if "detail" in story.facts:
        answered = spoken_forms(story.people, "T", "A")
        say_detail = clause if stance in ("agree_if", "refuse") else _base
        values["detail"] = say_detail(rng, story.facts["detail"].text, answered)
    turns.append(("T", fill(rng.choice(speech[f"outcome_{stance}"]), values)))
    if rng.random() < 0.7:
        turns.append(("A", rng.choice(speech[f"after_{stance.removesuffix('_if')}"])))
    return turns


def _base(rng: Random, text: str, forms: Mapping[str, object]) -> str:
    return verb_phrase(rng, text, forms, "base")  # type: ignore[arg-type]


def _aside(rng: Random, story: Story, segment: str, who: str, used: set[str]) -> list[Turn]:
    """Talk that is not the point."""
    speech = frames("speech")
    first, second = rng.sample(["A", who], 2)
    if segment == "smalltalk":
        line = rng.choice([line for line in rng.sample(frames("smalltalk")["exchanges"], 4) if line not in used])
        used.add(line)
        return _exchange(line, {}, first, second)
    if segment == "chat":
        family = next(family for family in families() if family.name == story.family)
        line = rng.choice(family.chat)
        if line in used:
            return []
        used.add(line)
        return _exchange(line, {}, who, "A")
    speaker, listener = (who, "A") if segment == "other_event" else (first, second)
    remark, values = distractor(rng, story, segment, rng.choice(speech[segment]))
    return [(speaker, remark), (listener, fill(rng.choice(speech[f"{segment}_reply"]), values))]
