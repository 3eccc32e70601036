"""Hidden facts: what a document is about. A story is drawn, split by its facts, and kept in `Document.meta`.

Kinds of fact, in the order of telling: `event` (what A does or suffered), `when`, `where`, `why`, `change` (of the
time, the place, the thing, or of a mistaken belief; `old` is superseded), `cause` (of the change), `request` (of A
to T), `outcome` (T's answer, a stance), `detail` (the condition, excuse, counter-offer or reason to wait).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from ..errors import BadInput, UserError
from ..records import Document
from .language import Family, families, frames, people_words
from .phrases import variants
from .times import UNKNOWN_TIME, Time, other_time, random_time

SPLITS = ("train", "valid", "test")
KINDS = ("event", "when", "where", "why", "change", "cause", "request", "outcome", "detail")
STANCES = ("agree", "agree_if", "refuse", "offer", "undecided")
_META_VERSION = 1
_LEAST_FACTS = 4


@dataclass(frozen=True)
class Person:
    name: str
    gender: str  # f (she) or m (he)
    relation: str = ""  # of T to a post's author


@dataclass(frozen=True)
class Fact:
    """`text`: a phrase with its alternatives. `slot`: what a change is about, or an outcome's stance."""

    kind: str
    text: str = ""
    old: str = ""
    slot: str = ""
    time: Time = UNKNOWN_TIME
    old_time: Time = UNKNOWN_TIME

    def to_json(self) -> dict[str, Any]:
        values: dict[str, Any] = {n: v for n in ("kind", "text", "old", "slot") if (v := getattr(self, n))}
        times = {"time": self.time.to_json(), "old_time": self.old_time.to_json()}
        return values | {name: value for name, value in times.items() if value}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Fact:
        times = {name: Time(**data[name]) for name in ("time", "old_time") if name in data}
        return Fact(**{**data, **times})


@dataclass(frozen=True)
class Story:
    """The truth behind one document. `facts` has one fact per kind at most; `people` has roles A, T and sometimes C."""

    form: str  # conversation or post
    family: str
    domain: str
    tense: str  # plan or past
    noun: str
    thing: str
    topic: str
    people: Mapping[str, Person]
    facts: Mapping[str, Fact]
    slip_time: Time = UNKNOWN_TIME  # said by mistake and corrected at once
    slip_place: str = ""
    item: str = ""
    act: str = ""  # the event's phrase with {item} open
    apart: bool = False
    key: str = ""

    def to_meta(self) -> dict[str, Any]:
        """JSON data for `Document.meta`."""
        names = (
            "form",
            "family",
            "domain",
            "tense",
            "noun",
            "thing",
            "topic",
            "slip_place",
            "item",
            "act",
            "apart",
            "key",
        )
        return {
            "sandbox": _META_VERSION,
            **{name: getattr(self, name) for name in names},
            "people": {role: vars(person) for role, person in self.people.items()},
            "facts": [fact.to_json() for fact in self.facts.values()],
            "slip_time": self.slip_time.to_json(),
        }


def _from_meta(meta: Mapping[str, Any]) -> Story:
    facts = [Fact.from_json(fact) for fact in meta["facts"]]
    special = {"sandbox", "people", "facts", "slip_time"}
    return Story(
        people={role: Person(**person) for role, person in meta["people"].items()},
        facts={fact.kind: fact for fact in facts},
        slip_time=Time(**meta["slip_time"]),
        **{name: value for name, value in meta.items() if name not in special},
    )


@lru_cache(maxsize=4096)
def _cached_story(document: Document) -> Story:
    return _from_meta(document.meta)


def story_of(document: Document) -> Story:
    """The truth behind `document`; raises `BadInput` for a document that the sandbox did not write."""
    if document.meta.get("sandbox") != _META_VERSION:
        raise BadInput("only documents of the sandbox carry the facts that the oracle needs", field="meta")
    return _cached_story(document)


def split_of(key: str) -> str:
    """The one split that a combination of facts belongs to: 80 % train, 10 % validation, 10 % test."""
    bucket = zlib.crc32(key.encode()) % 10
    return "train" if bucket < 8 else "valid" if bucket == 8 else "test"


def draw_story(rng: Random, split: str, form: str) -> Story:
    """A random story whose facts belong to `split`."""
    if split not in SPLITS:
        raise UserError(f"the sandbox has the splits {', '.join(SPLITS)}; there is none called {split!r}")
    while True:
        story = _draw(rng, form)
        if len(story.facts) >= _LEAST_FACTS and split_of(story.key) == split:
            return story


def _draw(rng: Random, form: str) -> Story:
    family = rng.choice(families())
    item = rng.choice(family.items) if family.items else ""
    act = rng.choice(family.acts)
    facts = {"event": Fact("event", act.replace("{item}", item))}
    time = random_time(rng, rng.choice(family.when))
    place = rng.choice(family.places)
    if rng.random() < 0.88:
        facts["when"] = Fact("when", time=time)
    if rng.random() < 0.75:
        facts["where"] = Fact("where", place)
    if rng.random() < 0.88:
        facts["why"] = Fact("why", rng.choice(family.whys))
    if rng.random() < 0.6:
        facts |= _draw_change(rng, family, facts, item if "{item}" in act else "")
    if rng.random() < 0.88:
        facts |= _draw_request(rng, family)
    slip_time, slip_place = Time(), ""
    changed = facts["change"].slot if "change" in facts else ""
    if "when" in facts and changed != "when" and rng.random() < 0.25:
        slip_time = other_time(rng, time)[0]
    elif "where" in facts and changed != "where" and rng.random() < 0.15:
        slip_place = rng.choice([other for other in family.places if other != place])
    people = _draw_people(rng, family, form)
    key = "|".join([family.name, *(f"{fact.kind}={fact.slot}{fact.old}>{variants(fact.text)[0]}"
                                   for fact in facts.values() if fact.text)])  # fmt: skip
    return Story(form, family.name, family.domain, family.tense, family.noun, family.thing, family.topic, people,
                 facts, slip_time, slip_place, item, act, family.apart, key)  # fmt: skip


def _draw_change(rng: Random, family: Family, facts: Mapping[str, Fact], item: str) -> dict[str, Fact]:
    if family.tense == "past":
        believed, truth = rng.choice(family.beliefs)
        return {"change": Fact("change", truth, believed, "belief")}
    slots = [slot for slot in ("when", "when", "where") if slot in facts]
    if family.swap_causes and item:
        slots.append("item")
    if not slots:
        return {}
    details = frames("details")
    slot = rng.choice(slots)
    if slot == "when":
        time = facts["when"].time
        other, same_day = other_time(rng, time)
        # Of two hours of one day the change is to the later one, so that "the bus gets in late" explains it.
        change = Fact("change", slot="when", time=other if same_day else time, old_time=time if same_day else other)
        causes = details["causes_clock" if same_day else "causes_day"]
        found = {"when": Fact("when", time=change.time), "change": change}
    elif slot == "where":
        place = facts["where"].text
        old = rng.choice([other for other in family.places if other != place])
        causes = details["causes_place"]
        found = {"change": Fact("change", place, old, "where")}
    else:
        old = rng.choice([other for other in family.items if other != item])
        causes = family.swap_causes
        found = {"change": Fact("change", item, old, "item")}
    if rng.random() < 0.75:
        found["cause"] = Fact("cause", rng.choice(causes))
    return found


def _draw_request(rng: Random, family: Family) -> dict[str, Fact]:
    found = {"request": Fact("request", rng.choice(family.requests))}
    if rng.random() < 0.06:
        return found
    stance = rng.choices(STANCES, (28, 25, 17, 20, 10))[0]
    found["outcome"] = Fact("outcome", slot=stance)
    details = frames("details")
    pools = {"agree_if": details["conditions"], "refuse": details["refusals"], "offer": family.offers,
             "undecided": details["checks"]}  # fmt: skip
    if stance in pools:
        found["detail"] = Fact("detail", rng.choice(pools[stance]), slot=stance)
    return found


def _draw_people(rng: Random, family: Family, form: str) -> dict[str, Person]:
    words = people_words()
    relation = rng.choice(family.relations or words.relations)
    gender = words.relation_gender.get(relation, rng.choice("fm"))
    names = rng.sample(words.names, 2)
    target = rng.choice([name for name in words.names if name[1] == gender and name not in names])
    people = {"A": Person(*names[0]), "T": Person(target[0], gender, relation)}
    if form == "conversation" and rng.random() < 0.22:
        people["C"] = Person(*names[1])
    return people
