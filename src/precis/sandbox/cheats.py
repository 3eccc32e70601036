"""Ways to cheat a judge of summaries, for tests of the oracle and of any other judge.

Each takes the good words without doing the work: words without sentences, sentences without truth, truth without
summary.
"""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

from ..records import Document
from .inflection import word_set
from .phrases import variants
from .story import Story, story_of
from .summaries import summary_at, write
from .times import say

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")
_IS = re.compile(r"\b(is|are|am|was|were|will|can)\b")
_VERBS = "plans|wants|asks|begs|needs|agrees|switches|intends|moves|changes|chooses|promises|tells|explains"


def cheats(document: Document, other: Document, *, seed: int = 0) -> dict[str, str]:
    """Dishonest summaries of `document` by name; `other` is another document, whose facts are made up here.

    `swapped` is only for conversations, `superseded` and `reversed` only where a time or place changed.
    """
    rng = Random(f"cheats|{document.id}|{seed}")
    story = story_of(document)
    ideal = summary_at(document, "ideal", seed=seed).text
    sentences = _SENTENCE_END.split(ideal)
    words = ideal.split()
    people = [story.people["A"].name, story.people["T"].name]
    values = _values(rng, story)
    flat = [word for value in values for word in value.split()]
    found = {
        "empty": "",
        "shuffled": " ".join(rng.sample(words, len(words))),
        "shuffled in each sentence": " ".join(_shuffled(rng, sentence) for sentence in sentences),
        "repeated": " ".join([sentences[0]] * 4),
        "lead sentences": " ".join(_SENTENCE_END.split(document.text)[:3]),
        "lead lines": "\n".join(document.text.split("\n")[:3]),
        "whole document": document.text,
        "made up": summary_at(other, "ideal", seed=seed).text,
        "made up, right names": _renamed(summary_at(other, "ideal", seed=seed).text, story_of(other), story),
        "values with commas": ", ".join([*people, *values]) + ".",
        "values in a row": " ".join([*people, *values]) + ".",
        "values after a verb": f"{people[0]} and {people[1]} talk about {', '.join(values)}.",
        "values with and": f"{people[0]} and {people[1]} talk about {' and '.join(values)}.",
        "bag of words": " ".join(rng.sample(flat, min(20, len(flat)))),
        "telegram": " ".join(word for word in re.sub("[.,]", "", ideal).split() if word.lower() not in _SMALL),
        "negated": re.sub(rf"\b({_VERBS}) ", r"does not \1 ", _IS.sub(r"\1 not", ideal)),
        "denied": " ".join(f"It is not true that {sentence}" for sentence in sentences),
        "three times as long": " ".join(summary_at(document, "ideal", seed=seed + k).text for k in range(3)),
    }  # fmt: skip
    if story.form == "conversation":
        found["swapped"] = ideal.replace(people[0], "\0").replace(people[1], people[0]).replace("\0", people[1])
    change = story.facts.get("change")
    if change and change.slot in ("when", "where"):
        old = replace(story.facts[change.slot], time=change.old_time, text=change.old)
        facts = {**story.facts, change.slot: old}
        kinds = frozenset(facts)
        found["superseded"] = write(rng, replace(story, facts=facts), kinds - {"change", "cause"})
        facts["change"] = replace(change, time=change.old_time, old_time=change.time, text=change.old, old=change.text)
        found["reversed"] = write(rng, replace(story, facts=facts), kinds)
    return found


_SMALL = word_set("a an the is to of in on at because and but it that she he her his i my will since as by for with")


def _values(rng: Random, story: Story) -> list[str]:
    """The facts' phrases, bare."""
    values = [variants(fact.text)[0].replace("^", "") for fact in story.facts.values() if fact.text]
    return values + [say(rng, fact.time)[0] for fact in story.facts.values() if fact.kind == "when"]


def _shuffled(rng: Random, sentence: str) -> str:
    words = sentence.rstrip(".").split()
    return " ".join(rng.sample(words, len(words))) + "."


def _renamed(text: str, theirs: Story, ours: Story) -> str:
    for role in ("A", "T"):
        text = re.sub(rf"\b{theirs.people[role].name}\b", ours.people[role].name, text)
    return text
