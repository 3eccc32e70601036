"""From facts to a summary's sentences: who is named and who is she, which template, what is left out or got wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random

from .inflection import inflect
from .language import frames
from .phrases import FIRST, THEY, WE, Phrase, Piece, agree, compile_phrase, finish, third, variants
from .story import Person, Story

_SLOT = re.compile(r"(\{\w+\})")


def template(rng: Random, name: str, form: str) -> str:
    """A template of the list `name` that suits the document's form."""
    barred = "@p " if form == "conversation" else "@c "
    choices = [text for text in frames("summary")[name] if not text.startswith(barred)]
    return rng.choice(choices).removeprefix("@c ").removeprefix("@p ")


def clause_pieces(rng: Random, text: str, topic: str = "A") -> Phrase:
    """A clause; `topic` is who a pronoun may mean where two people share one."""
    return (Piece("topic", "", topic), *compile_phrase(rng.choice(variants(text))))


def verb_pieces(rng: Random, text: str, form: str, agent: str) -> Phrase:
    """A verb phrase whose understood subject is `agent`, its verbs already inflected."""
    pieces = compile_phrase(rng.choice(variants(text)), verb_first=True)
    done = [Piece("word", inflect(p.value, form), tail=p.tail) if p.kind == "head" else p for p in pieces]
    return (Piece("topic", "", agent), *done)


def text_pieces(text: str) -> Phrase:
    return (Piece("word", text),) if text else ()


def fill_pieces(text: str, slots: Mapping[str, Phrase]) -> list[Piece]:
    """A template's pieces with its slots filled by pieces."""
    pieces: list[Piece] = []
    for part in _SLOT.split(text):
        if part.startswith("{"):
            pieces += slots[part[1:-1].lower()]
        elif part.strip():
            glue = Piece("word", "", tail="<") if part[0] in ".,;:" else None
            pieces += [*([glue] if glue else []), *compile_phrase(part.strip())]
    return pieces


class Narrator:
    """Chooses names and pronouns in the order of the text; one for each summary."""

    def __init__(self, rng: Random, story: Story) -> None:
        self.rng, self.story = rng, story
        self.said_before: set[str] = set()  # in earlier sentences
        self.last_subject = ""
        people = story.people
        self.same_gender = story.form == "conversation" and people["A"].gender == people["T"].gender

    def sentence(self, pieces: Sequence[Piece]) -> str:
        """Pieces as one sentence or several."""
        said: set[str] = set()
        topic, words = "", list[str]()
        for kind, value, role, case, tail in pieces:
            if kind == "topic":
                topic = role
                continue
            if kind == "word":
                if value:
                    words.append(value + tail)
                elif words:
                    words[-1] += "\x00"  # the next word is punctuation and joins this one
                if value.endswith("."):
                    self._end(said)
                    said = set()
                continue
            if kind == "person":
                words.append(self._person(role, case, topic, said) + tail)
                said.add(role)
                if case == 0:
                    topic = role
                    self.last_subject = role
            else:
                words.append(agree(value, self._agreement(role)) + tail)
        self._end(said)
        text = finish(" ".join(words).replace("\x00 ", "").replace("\x00", ""))
        return text if text.endswith((".", "?", "!")) else text + "."

    def _end(self, said: set[str]) -> None:
        self.said_before |= said

    def _agreement(self, role: str) -> str:
        return "1" if role == "A" and self.story.form == "post" else "p" if role == "W" else "3"

    def _person(self, role: str, case: int, topic: str, said: set[str]) -> str:
        post = self.story.form == "post"
        if role == "W":
            return (WE if post else THEY)[case]
        if role == "A" and post:
            return FIRST[case]
        person = self.story.people[role]
        if self._by_name(role, case, topic, said):
            return self._name(person, case, new=role not in self.said_before | said)
        return third(person.name, person.gender)[case]

    def _by_name(self, role: str, case: int, topic: str, said: set[str]) -> bool:
        if case == 4:
            return False
        if role not in said:
            carried = role == self.last_subject and role in self.said_before and topic in ("", role) and not said
            return not (carried and self.rng.random() < 0.6)
        if not self.same_gender or len(said & {"A", "T"}) < 2:
            return False
        return role != topic

    def _name(self, person: Person, case: int, *, new: bool) -> str:
        if self.story.form == "post" and person.relation:
            name = self.rng.choice(
                (f"my {person.relation}", f"my {person.relation} {person.name}", person.name)
                if new
                else (person.name, f"my {person.relation}")
            )
        else:
            name = person.name
        return third(name, person.gender, named=True)[case]
