"""The language files, loaded once: scenario families, people, frames."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Family:
    """One kind of story. Every phrase is in its owner's voice; see `phrases`."""

    name: str
    domain: str
    tense: str
    topic: str
    when: tuple[str, ...]
    acts: tuple[str, ...]
    places: tuple[str, ...]
    whys: tuple[str, ...]
    requests: tuple[str, ...]
    offers: tuple[str, ...]
    chat: tuple[str, ...]
    noun: str = "it"
    thing: str = "it"
    apart: bool = False  # the place is the thing's, not the event's: it needs a sentence of its own
    relations: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    swap_causes: tuple[str, ...] = ()
    beliefs: tuple[tuple[str, str], ...] = ()


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((files(__package__) / "language" / name).read_text(encoding="utf-8"))


def _family(domain: str, raw: dict[str, Any]) -> Family:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
    for name in ("when", "relations"):
        values[name] = tuple(str(values.get(name, "")).split())
    values["beliefs"] = tuple(tuple(belief.split(" => ")) for belief in raw.get("beliefs", ()))
    return Family(domain=domain, tense=values.pop("tense", "plan"), **values)


@cache
def families() -> tuple[Family, ...]:
    """All scenario families, in a fixed order."""
    folder = files(__package__) / "language" / "families"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".toml"))
    return tuple(
        _family(name.removesuffix(".toml"), raw) for name in names for raw in _read(f"families/{name}")["family"]
    )


@dataclass(frozen=True)
class PeopleWords:
    """First names with their pronoun (`f`, `m`), relations and the people that distractors are about."""

    names: tuple[tuple[str, str], ...]
    relations: tuple[str, ...]
    relation_gender: dict[str, str]
    others: tuple[tuple[str, str], ...]


@cache
def people_words() -> PeopleWords:
    raw = _read("people.toml")
    names = [(name, "f") for name in raw["women"].split()] + [(name, "m") for name in raw["men"].split()]
    genders = dict.fromkeys(raw["female_relations"], "f") | dict.fromkeys(raw["male_relations"], "m")
    others = tuple((text[:-2], text[-1]) for text in raw["others"])
    return PeopleWords(tuple(names), tuple(raw["relations"]), genders, others)


@cache
def frames(name: str) -> dict[str, tuple[str, ...]]:
    """The lists of one language file: `speech`, `smalltalk`, `post`, `summary` or `details`."""
    return {key: tuple(value) for key, value in _read(f"{name}.toml").items()}


@cache
def frames_text(name: str) -> dict[str, Any]:
    """A language file as it is, for those that hold word lists rather than frames."""
    return _read(f"{name}.toml")


@cache
def place_phrases() -> tuple[str, ...]:
    """Every place of every family, with its preposition."""
    return tuple(sorted({place for family in families() for place in family.places}))
