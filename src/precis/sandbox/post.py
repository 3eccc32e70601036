"""A story as a first-person post: background, the facts in prose, musings, distractors, a closing question."""

from __future__ import annotations

from random import Random

from .language import frames
from .phrases import WE, third
from .speech import (
    can_be_anybodys,
    change_values,
    clause,
    distractor,
    event_values,
    fill,
    spoken_forms,
    tidy,
    verb_phrase,
)
from .story import Story
from .times import say


def post(rng: Random, story: Story) -> tuple[str, str]:
    """`(title, text)`; the title names only the topic."""
    words = frames("post")
    title = fill(rng.choice(words[f"titles_{story.tense}"]), {"topic": story.topic})
    middle = [kind for kind in ("why", "when", "where") if kind in story.facts]
    rng.shuffle(middle)
    segments = ["event", *middle]
    slot = story.facts["change"].slot if "change" in story.facts else ""
    if slot in segments:
        segments[segments.index(slot)] = "change"  # the change tells the value
    elif slot:
        segments.insert(rng.randint(1, len(segments)), "change")
    if "request" in story.facts:
        segments.append("request")
    extras = ["musing"] * rng.choice((2, 3, 4, 5))
    distractors = ["other_time", "other_place", *(["other_event"] * 2 if can_be_anybodys(story) else [])]
    extras += set(rng.sample(distractors, rng.choice((0, 1, 1, 2))))
    extras.sort()
    for extra in extras:
        segments.insert(rng.randint(1, len(segments)), extra)
    lead = [rng.choice(words["open"])] if rng.random() < 0.75 else []
    lead += rng.sample(words["background"], rng.choice((1, 2, 2)))
    musings = rng.sample(words["musing"], extras.count("musing"))
    body = [musings.pop() if segment == "musing" else _segment(rng, story, segment) for segment in segments]
    end = rng.sample(words["close"], rng.choice((1, 1, 2)))
    sentences = [sentence for sentence in [*lead, *body, *end] if sentence]
    return title, tidy(_paragraphs(rng, sentences, len(lead)))


def _paragraphs(rng: Random, sentences: list[str], lead: int) -> str:
    """Sentences in paragraphs: mostly the background first, then a break somewhere in the story."""
    breaks = {lead} if rng.random() < 0.6 else set()
    if rng.random() < 0.5:
        breaks.add(rng.randint(lead + 2, max(lead + 2, len(sentences) - 2)))
    parts: list[str] = []
    for position, sentence in enumerate(sentences):
        parts.append(("\n" if position in breaks else " ") if position else "")
        parts.append(sentence[:1].upper() + sentence[1:])
    return "".join(parts)


def _segment(rng: Random, story: Story, segment: str) -> str:
    words, tense = frames("post"), story.tense
    forms = spoken_forms(story.people, "A", "")
    values = {"noun": story.noun, "thing": story.thing}
    fact = story.facts.get(segment)
    if segment == "event":
        return fill(rng.choice(words[f"announce_{tense}"]), event_values(rng, story, "A", ""))
    if segment == "why" and fact:
        return fill(rng.choice(words["why"]), {"why": clause(rng, fact.text, forms)})
    if segment == "when" and fact:
        values["bare"], values["full"] = say(rng, fact.time)
        if story.slip_time.known():
            slip = {"old": say(rng, story.slip_time)[1], "new": values["full"]}
            return fill(rng.choice(words["slip" if tense == "plan" else "slip_past"]), slip)
        return fill(rng.choice(words[f"when_{tense}"]), values)
    if segment == "where" and fact:
        if story.slip_place:
            slip = {"old": story.slip_place, "new": fact.text}
            return fill(rng.choice(words["slip" if tense == "plan" else "slip_past"]), slip)
        return fill(rng.choice(words[f"where_{tense}"]), values | {"place": fact.text})
    if segment == "change":
        values = change_values(rng, story, forms)
        slot = story.facts["change"].slot
        pool = "belief" if slot == "belief" else "change_item" if slot == "item" else "change"
        return fill(rng.choice(words[pool if slot == "belief" or "cause" in values else f"{pool}_no_cause"]), values)
    if segment == "request":
        return _request(rng, story)
    return distractor(rng, story, segment, rng.choice(words[segment]))[0]


def _request(rng: Random, story: Story) -> str:
    words = frames("post")
    target = story.people["T"]
    he = third(target.name, target.gender)
    forms = spoken_forms(story.people, "A", "") | {"T": he, "W": WE}
    values = {
        "t": target.name, "rel": target.relation, "tr": f"my {target.relation} {target.name}", "he": he.subject,
        "him": he.object, "vp": verb_phrase(rng, story.facts["request"].text, forms, "base"),
    }  # fmt: skip
    sentences = [fill(rng.choice(words["request"]), values)]
    if "outcome" in story.facts:
        stance = story.facts["outcome"].slot
        if "detail" in story.facts:
            text = story.facts["detail"].text
            is_clause = stance in ("agree_if", "refuse")
            values["detail"] = clause(rng, text, forms) if is_clause else verb_phrase(rng, text, forms, "base")
        sentences.append(fill(rng.choice(words[f"outcome_{stance}"]), values))
    return " ".join(sentence[:1].upper() + sentence[1:] for sentence in sentences)
