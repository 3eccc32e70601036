"""Summaries of known quality: ideal ones, mediocre references such as Reddit's, and worse."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from ..errors import UserError
from ..records import Candidate, Document, Maker
from .language import families, frames
from .phrases import Phrase
from .speech import bare_place
from .story import KINDS, Fact, Story, story_of
from .times import other_time, say
from .writing import Narrator, clause_pieces, fill_pieces, template, text_pieces, verb_pieces

Level = Literal["ideal", "reference", "vague", "wrong"]
LEVELS: tuple[Level, ...] = ("ideal", "reference", "vague", "wrong")
REFERENCE_WORDS = (12, 45)


@dataclass(frozen=True)
class Written:
    """A summary and what it states: kinds of fact told rightly, and kinds told wrongly."""

    text: str
    right: frozenset[str]
    wrong: frozenset[str] = frozenset()


def summary_of_facts(document: Document, kinds: Collection[str], *, seed: int) -> str:
    """A summary that states exactly the facts of these kinds, rightly."""
    rng = Random(f"facts|{document.id}|{seed}|{sorted(kinds)}")
    return write(rng, story_of(document), frozenset(kinds))


def ideal_summary(document: Document, *, seed: int = 0) -> Candidate:
    """All facts, rightly, in one of very many wordings."""
    return _candidate(document, "ideal", seed)


def reference_summary(document: Document, *, seed: int = 0, level: Level = "reference") -> Candidate:
    """A reference summary: at the level `reference`, about half to two thirds of the facts, at times one of them wrong
    or superseded, 12 to 45 words; the other levels are for tests and for corpora of mixed quality."""
    return _candidate(document, level, seed)


def _candidate(document: Document, level: Level, seed: int) -> Candidate:
    text = summary_at(document, level, seed=seed).text
    maker = Maker("reference", "sandbox", {"level": level, "seed": seed})
    return Candidate(document.id, text, maker)


def summary_at(document: Document, level: Level, *, seed: int) -> Written:
    """A summary of the given level together with what it states; `reference_summary` is this without the truth."""
    if level not in LEVELS:
        raise UserError(f"the sandbox writes summaries of level {', '.join(LEVELS)}, not {level!r}")
    rng = Random(f"summary|{document.id}|{level}|{seed}")
    story = story_of(document)
    if level == "ideal":
        kinds = frozenset(story.facts)
        return Written(write(rng, story, kinds), kinds)
    if level == "vague":
        return Written(_vague(rng, story), frozenset())
    if level == "wrong":
        return _wrong(rng, story)
    return _reference(rng, story)


def _reference(rng: Random, story: Story) -> Written:
    for _ in range(20):
        kinds = _some_kinds(rng, story, rng.uniform(0.4, 0.75))
        told, wrong = (story, frozenset[str]()) if rng.random() < 0.72 else _with_mistake(rng, story, kinds)
        if wrong & {"when", "where"}:  # the change would give the right value beside the wrong one
            kinds -= {"change", "cause"}
        text = write(rng, told, kinds)
        if rng.random() < 0.15:
            text += " " + rng.choice(frames("summary")["vague_tail"])
        low, high = REFERENCE_WORDS
        if low <= len(text.split()) <= high:
            break
    return Written(text, _stated(story, kinds) - wrong, wrong)


def _stated(story: Story, kinds: frozenset[str]) -> frozenset[str]:
    """A change tells the new time or place too."""
    return kinds | ({story.facts["change"].slot} & {"when", "where"} if "change" in kinds else frozenset())


def _some_kinds(rng: Random, story: Story, share: float) -> frozenset[str]:
    """A sensible subset: an outcome needs its request, a cause its change, and the event is seldom left out."""
    needs = {"outcome": "request", "detail": "outcome", "cause": "change"}
    wanted = max(2, round(share * len(story.facts)))
    kinds = {"event"} if rng.random() < 0.93 else set()
    pool = [kind for kind in story.facts if kind not in kinds]
    rng.shuffle(pool)
    while len(kinds) < wanted:
        kind = next((kind for kind in pool if kind not in kinds and needs.get(kind, kind) in {*kinds, kind}), "")
        if not kind or (kind in needs and needs[kind] not in kinds and not (kind := needs[kind])):
            break
        kinds.add(kind)
        rng.shuffle(pool)
    return frozenset(kinds)


def _with_mistake(rng: Random, story: Story, kinds: frozenset[str]) -> tuple[Story, frozenset[str]]:
    """The story with one of the told facts wrong."""
    able = [kind for kind in ("when", "where", "why", "outcome", "request") if kind in kinds]
    if not able:
        return story, frozenset()
    kind = rng.choice(able)
    return replace(story, facts={**story.facts, **_mistaken(rng, story, kind)}), frozenset(
        {kind, "detail"} & kinds if kind == "outcome" else {kind}
    )


def _mistaken(rng: Random, story: Story, kind: str) -> dict[str, Fact]:
    """A wrong fact of this kind: the superseded value if there is one, else another of the same family."""
    family = next(family for family in families() if family.name == story.family)
    fact, change = story.facts[kind], story.facts.get("change")
    superseded = change is not None and change.slot == kind
    if kind == "when":
        slip = story.slip_time if story.slip_time.known() else other_time(rng, fact.time)[0]
        return {kind: replace(fact, time=change.old_time if superseded and change else slip)}
    if kind == "where":
        other = rng.choice([place for place in family.places if place not in (fact.text, change and change.old)])
        return {kind: replace(fact, text=change.old if superseded and change else story.slip_place or other)}
    if kind == "outcome":
        return {kind: replace(fact, slot="refuse" if fact.slot.startswith("agree") else "agree")}
    pool = family.whys if kind == "why" else family.requests
    return {kind: replace(fact, text=rng.choice([text for text in pool if text != fact.text]))}


def _wrong(rng: Random, story: Story) -> Written:
    """Most facts told wrongly."""
    family = next(family for family in families() if family.name == story.family)
    facts = dict(story.facts)
    for kind in ("when", "where", "why", "request", "outcome"):
        if kind in facts:
            facts |= _mistaken(rng, story, kind)
    acts = [act.replace("{item}", item) for act in family.acts for item in family.items or ("",)]
    facts["event"] = replace(facts["event"], text=rng.choice([act for act in acts if act != facts["event"].text]))
    kinds = frozenset(set(facts) - {"change", "cause", "detail"})
    return Written(write(rng, replace(story, facts=facts), kinds), frozenset(), kinds)


def _vague(rng: Random, story: Story) -> str:
    narrator = Narrator(rng, story)
    slots = {"topic": text_pieces(story.topic)}
    names = ["vague_topic"]
    names += ["vague_change"] if "change" in story.facts and rng.random() < 0.6 else []
    names += ["vague_request"] if "request" in story.facts and rng.random() < 0.6 else []
    names += ["vague_tail"] if rng.random() < 0.6 else []
    return " ".join(narrator.sentence(fill_pieces(template(rng, name, story.form), slots)) for name in names)


def write(rng: Random, story: Story, kinds: frozenset[str]) -> str:
    """A summary that states the story's facts of these kinds."""
    narrator = Narrator(rng, story)
    kinds = frozenset(kind for kind in KINDS if kind in kinds and kind in story.facts)
    slot = story.facts["change"].slot if "change" in kinds else ""
    told_by_change = {slot} & {"when", "where"} if rng.random() < 0.85 else set()
    parts = [_circumstances(rng, story, kinds - told_by_change)]
    later = [part for part in (_change(rng, story, kinds), _request(rng, story, kinds)) if part]
    if rng.random() < 0.2:
        later.reverse()
    sentences = [narrator.sentence(pieces) for part in [*parts, *later] for pieces in part]
    if not sentences:
        sentences = [_vague(rng, story)]
    return " ".join(sentences)


def state_fact(rng: Random, story: Story, kind: str, kinds: Collection[str]) -> str:
    """One fact (with those of `kinds` that it needs) as a sentence of its own, for critiques."""
    if kind not in ("when", "where", "why"):
        return write(rng, story, frozenset(kinds))
    fact = story.facts[kind]
    slots = {"noun": text_pieces(story.noun), "thing": text_pieces(story.thing), "where": text_pieces(fact.text)}
    slots["when"] = text_pieces(say(rng, fact.time)[1]) if kind == "when" else ()
    slots["why"] = clause_pieces(rng, fact.text) if kind == "why" else ()
    name = "why_alone" if kind == "why" else f"{kind}_alone_{story.tense}"
    return Narrator(rng, story).sentence(fill_pieces(template(rng, name, story.form), slots))


def _circumstances(rng: Random, story: Story, kinds: frozenset[str]) -> list[Phrase]:
    """The event with its time, place and reason, in one sentence or several."""
    facts, form, tense = story.facts, story.form, story.tense
    slots: dict[str, Phrase] = {"noun": text_pieces(story.noun), "thing": text_pieces(story.thing)}
    if "when" in kinds:
        slots["when"] = text_pieces(say(rng, facts["when"].time)[1])
    if "where" in kinds:
        slots["where"] = text_pieces(facts["where"].text)
    if "why" in kinds:
        slots["why"] = clause_pieces(rng, facts["why"].text)
    told: list[Phrase] = []
    places = [kind for kind in ("when", "where") if kind in kinds]
    rng.shuffle(places)
    adjuncts = [kind for kind in places if "event" in kinds and rng.random() < 0.75]
    if story.apart and "where" in adjuncts:
        adjuncts.remove("where")
    why_inside = "why" in kinds and "event" in kinds and rng.random() < 0.75
    if "event" in kinds:
        slots |= {verb: verb_pieces(rng, facts["event"].text, verb, "A") for verb in ("base", "ing", "past")}
        adjunct = [piece for kind in adjuncts for piece in slots[kind]]
        why_first = why_inside and rng.random() < 0.35
        if why_inside and not why_first:
            adjunct += fill_pieces(template(rng, "why_tail", form), slots)
        slots["adj"] = tuple(adjunct)
        told.append(
            tuple(fill_pieces(template(rng, f"why_first_{tense}" if why_first else f"event_{tense}", form), slots))
        )
    elif kinds & {"when", "where", "why"}:
        told.append(tuple(fill_pieces(template(rng, "vague_topic", form), {"topic": text_pieces(story.topic)})))
    rest = [kind for kind in places if kind not in adjuncts]
    names = [f"both_alone_{tense}"] if len(rest) == 2 else [f"{kind}_alone_{tense}" for kind in rest]
    names += ["why_alone"] if "why" in kinds and not why_inside else []
    return told + [tuple(fill_pieces(template(rng, name, form), slots)) for name in names]


def _change(rng: Random, story: Story, kinds: frozenset[str]) -> list[Phrase]:
    if "change" not in kinds:
        return []
    change = story.facts["change"]
    slots: dict[str, Phrase] = {"noun": text_pieces(story.noun), "thing": text_pieces(story.thing)}
    if change.slot == "when":
        (oldb, old), (newb, new) = say(rng, change.old_time), say(rng, change.time)
    elif change.slot == "where":
        old, new = change.old, change.text
        oldb, newb = bare_place(old), bare_place(new)
    else:
        old = oldb = change.old
        new = newb = change.text
    values: Mapping[str, str] = {"old": old, "oldb": oldb, "new": new, "newb": newb}
    is_belief = change.slot == "belief"
    slots |= {name: clause_pieces(rng, value) if is_belief else text_pieces(value) for name, value in values.items()}
    slots |= {"cause": (), "cause0": ()}
    chosen = template(rng, f"change_{change.slot}", story.form)
    if "cause" in kinds:
        cause = clause_pieces(rng, story.facts["cause"].text)
        tail = fill_pieces(rng.choice(("because", "because", "since", "as")), {})
        slots["cause"] = (*tail, *cause)
        first = rng.random() < 0.5
        slots["cause0"] = (
            (*fill_pieces("because", {}), *cause, *_comma()) if first else (*cause, *fill_pieces(", so", {}))
        )
    return [tuple(fill_pieces(chosen, slots))]


def _comma() -> Phrase:
    return tuple(fill_pieces(",", {}))


def _request(rng: Random, story: Story, kinds: frozenset[str]) -> list[Phrase]:
    """The request and the answer; an answer alone, if the request is left out, is told as an agreement to do it."""
    if "request" not in kinds:
        return []
    form = story.form
    slots = {verb: verb_pieces(rng, story.facts["request"].text, verb[2:] or "base", "T") for verb in ("vp", "vping")}
    stance = story.facts["outcome"].slot if "outcome" in kinds else ""
    if stance == "agree" and rng.random() < 0.2:
        return [tuple(fill_pieces(template(rng, "agree_merged", form) + ".", slots))]
    text = template(rng, "request", form)
    if stance:
        has_detail = "detail" in kinds and stance != "agree" and story.facts["detail"].slot == stance
        if has_detail:
            detail = story.facts["detail"].text
            is_clause = stance in ("agree_if", "refuse")
            slots["detail"] = clause_pieces(rng, detail, "T") if is_clause else verb_pieces(rng, detail, "base", "T")
        text += template(rng, stance if has_detail or stance == "agree" else f"{stance}_short", form)
    return [tuple(fill_pieces(text + ".", slots))]
