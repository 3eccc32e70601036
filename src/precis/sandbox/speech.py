"""Filling the frames of a document: one story's facts as said by one person to another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

from .language import families, people_words, place_phrases
from .phrases import FIRST, SECOND, THEY, WE, Forms, compile_phrase, contract, render, spoken_variants, third
from .story import Person, Story
from .times import MONTHS, Time, other_time, say

Speakers = Mapping[str, Person]


def spoken_forms(people: Speakers, speaker: str, hearer: str) -> dict[str, Forms]:
    """Who is I, who is you, and who is named when `speaker` talks to `hearer` (roles; hearer "" for readers)."""
    forms = {role: third(person.name, person.gender, named=role == "T") for role, person in people.items()}
    if hearer:
        forms[hearer] = SECOND
    forms[speaker] = FIRST
    forms["W"] = WE if speaker == "A" else SECOND if hearer == "A" else THEY
    return forms


def clause(rng: Random, text: str, forms: Mapping[str, Forms]) -> str:
    """One spoken way to say a clause."""
    return contract(render(compile_phrase(rng.choice(spoken_variants(text))), forms))


def verb_phrase(rng: Random, text: str, forms: Mapping[str, Forms], form: str) -> str:
    """One spoken way to say a verb phrase, its verb in `form`."""
    return contract(render(compile_phrase(rng.choice(spoken_variants(text)), verb_first=True), forms, form))


def upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


_SLOT = re.compile(r"\{(\w+)\}")


def fill(frame: str, values: Mapping[str, str]) -> str:
    """`frame` with its slots filled; a slot in capitals (`{Why}`) takes the value with a capital letter."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        return values[name] if name in values else upper_first(values[name.lower()])

    return _SLOT.sub(value, frame)


def event_values(rng: Random, story: Story, speaker: str, hearer: str) -> dict[str, str]:
    """The event as its owner says it (base, ing, past) and as the partner says it to the owner (base2, ing2, past2)."""
    own = spoken_forms(story.people, speaker, hearer)
    told = spoken_forms(story.people, hearer, speaker) if hearer else own
    text = story.facts["event"].text
    values = {form: verb_phrase(rng, text, own, form) for form in ("base", "ing", "past")}
    return values | {form + "2": verb_phrase(rng, text, told, form) for form in ("base", "ing", "past")}


def bare_place(place: str) -> str:
    """A place without its first preposition: `at the town hall` is `the town hall`."""
    for lead in ("next to ", "on the way to ", "in front of "):
        if place.startswith(lead):
            return place.removeprefix(lead)
    return place.split(" ", 1)[1]


def other_place(rng: Random) -> str:
    """Some place of some family, with its preposition, that anybody can speak about."""
    while True:
        place = rng.choice(place_phrases())
        if not _BELONGS.search(place):
            return place


_BELONGS = re.compile(r"\b(my|their|our|Grandma|Mum|Dad)\b")


def distractor(rng: Random, story: Story, segment: str, frame: str) -> tuple[str, dict[str, str]]:
    """`frame` filled with somebody else's deed, another time or another place, none of them the story's own."""
    family = next(family for family in families() if family.name == story.family)
    relation, gender = rng.choice(people_words().others)
    they = third("", gender)
    time = story.facts["when"].time if "when" in story.facts else Time()
    bare, full = say(rng, other_time(rng, Time(day=time.day or "tuesday"))[0])
    months = [month for month in MONTHS if month != time.month]
    values = {"rel": relation, "they": they.subject, "them": they.object, "bare": bare, "full": full,
              "month": rng.choice(months).capitalize()}  # fmt: skip
    if segment == "other_place":
        place = other_place(rng)
        values |= {"full": place, "place": bare_place(place)}
    if segment == "other_event":
        act = rng.choice(family.acts).replace("{item}", rng.choice(family.items) if family.items else "")
        said = {"A": they, "T": they, "W": THEY}
        here = story.facts["where"].text if "where" in story.facts else ""
        places = [place for place in family.places if place != here and not _BELONGS.search(place)]
        values |= {"past": verb_phrase(rng, act, said, "past"), "place": rng.choice(places)}
    return fill(frame, values), values


def can_be_anybodys(story: Story) -> bool:
    """False for a family whose deeds name one family's people (`Grandma`), so that nobody else can have done them."""
    family = next(family for family in families() if family.name == story.family)
    return not any(_BELONGS.search(act.replace("my ", "")) for act in family.acts)


def change_values(rng: Random, story: Story, forms: Mapping[str, Forms]) -> dict[str, str]:
    """Old and new value of a change, with (`old`, `new`) and without (`oldb`, `newb`) prepositions, and its cause."""
    change = story.facts["change"]
    if change.slot == "when":
        old, new = change.old_time, change.time
        if old.day == new.day and old.day and old.clock != new.clock and rng.random() < 0.5:
            old = old._replace(day="")
        (oldb, old_full), (newb, new_full) = say(rng, old), say(rng, new)
    elif change.slot == "where":
        old_full, new_full = change.old, change.text
        oldb, newb = bare_place(old_full), bare_place(new_full)
    elif change.slot == "belief":
        old_full, new_full = clause(rng, change.old, forms), clause(rng, change.text, forms)
        oldb, newb = old_full, new_full
    else:
        oldb = old_full = change.old
        newb = new_full = change.text
    values = {"old": old_full, "new": new_full, "oldb": oldb, "newb": newb}
    if "cause" in story.facts:
        values["cause"] = clause(rng, story.facts["cause"].text, forms)
    return values


_AFTER_STOP = re.compile(r"(^|[.!?] |\n)([a-z])")


def tidy(text: str) -> str:
    """Capitals after full stops, and no stop doubled where a slot brought its own."""
    text = text.replace("?.", "?").replace("!.", "!").replace("?,", ",")
    return _AFTER_STOP.sub(lambda match: match.group(1) + match.group(2).upper(), text)
