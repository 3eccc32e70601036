"""Systematic edits of a summary, for probes: what people's names, order, sources and endings do to a judge's score.

Each edit takes texts and gives a text, or a `NoEdit` that says why it does not apply. What is drawn at random is
drawn from the generator that is handed in, so a seed gives the same edits every time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from ...textmetrics import is_dialogue, lead, sentences
from .genders import swapped_genders
from .names import names_in, speakers_of

QUESTION = "What should I do?"


@dataclass(frozen=True)
class NoEdit:
    """An edit that a text does not allow, and `why` in a few words."""

    why: str


Edit = str | NoEdit


def swap_roles(summary: str, document: str) -> Edit:
    """Exchange two people: speakers of the dialogue, else two names that the document has too.

    One speaker alone becomes another one. Names that stand only side by side ("Ann and Ben agree") say the same
    after a swap, so that is no edit.
    """
    speakers = speakers_of(document)
    told = _in_order(summary, speakers)
    others = [name for name in speakers if name not in told]
    pair = (told + others)[:2] if told and len(speakers) > 1 else names_in(summary, document)[:2]
    if len(pair) < 2:
        return NoEdit("it names fewer than two people")
    swap = {pair[0]: pair[1], pair[1]: pair[0]}
    either = "|".join(re.escape(name) for name in sorted(pair, key=len, reverse=True))
    name = rf"(?<!\w)(?:{either})(?!\w)"
    if not re.search(name, re.sub(rf"{name},? (?:and|or|&) {name}", "", summary)):
        return NoEdit("its two names stand only side by side")
    return re.sub(name, lambda match: swap[match[0]], summary)


def _in_order(summary: str, names: list[str]) -> list[str]:
    """The names that the summary has, in the order of their first mention."""
    found: Mapping[str, re.Match[str] | None] = {
        name: re.search(rf"(?<!\w){re.escape(name)}(?!\w)", summary) for name in names
    }
    return sorted((name for name in names if found[name]), key=lambda name: found[name].start())  # type: ignore[union-attr]


def swap_genders(summary: str) -> Edit:
    """He becomes she, her husband his wife; names stay."""
    swapped = swapped_genders(summary)
    return NoEdit("it has no word for a man or a woman") if swapped == summary else swapped


def shuffle_sentences(summary: str, rng: Random) -> Edit:
    """The sentences in another order, drawn at random."""
    pieces = sentences(summary)
    if len(set(pieces)) < 2:
        return NoEdit("it has one sentence")
    shuffled = list(pieces)
    while shuffled == pieces:
        rng.shuffle(shuffled)
    return " ".join(shuffled)


def first_units(document: str, k: int) -> Edit:
    """Lead-k: the first k turns of a dialogue, or sentences of prose."""
    if len(_units(document)) <= k:
        return NoEdit(f"the document has no more than {k} sentences or turns")
    return lead(document, k)


def random_units(document: str, k: int, rng: Random) -> Edit:
    """k turns or sentences of the document, drawn at random, in its order."""
    pieces = _units(document)
    if len(pieces) <= k:
        return NoEdit(f"the document has no more than {k} sentences or turns")
    chosen = sorted(rng.sample(range(len(pieces)), k))
    return ("\n" if is_dialogue(document) else " ").join(pieces[index] for index in chosen)


def title_twice(title: str, document: str) -> Edit:
    """The title, or for want of one the document's first sentence or turn, written twice."""
    opening = title.strip() or _units(document)[0]
    return f"{_closed(opening)} {opening}"


def append_question(summary: str) -> Edit:
    """A question at the end that says nothing of the document."""
    if summary.rstrip().casefold().endswith(QUESTION.casefold()):
        return NoEdit("it ends in that question")
    return f"{_closed(summary)} {QUESTION}"


def drop_last_sentence(summary: str) -> Edit:
    """All but the last sentence."""
    pieces = sentences(summary)
    return " ".join(pieces[:-1]) if len(pieces) > 1 else NoEdit("it has one sentence")


_CLAUSE = re.compile(r",? (?:and|but|because|so|which|who|when|while|after|before|although|since|until)\b|, |; ")


def drop_clause(summary: str, rng: Random) -> Edit:
    """One sentence loses its end, from a conjunction or comma on; at least three words go and three stay."""
    pieces = sentences(summary)
    cuts = [
        (place, match.start())
        for place, piece in enumerate(pieces)
        for match in _CLAUSE.finditer(piece)
        if len(piece[: match.start()].split()) >= 3 and len(piece[match.start() :].split()) >= 3
        if piece[: match.start()].count('"') % 2 == 0  # not inside a quotation
    ]
    if not cuts:
        return NoEdit("no sentence has a clause to drop")
    place, at = rng.choice(cuts)
    end = pieces[place].rstrip()[-1]
    pieces[place] = pieces[place][:at] + (end if end in ".!?" else "")
    return " ".join(pieces)


def cut_off(summary: str) -> Edit:
    """The first half of the words, ended in the middle of things."""
    words = summary.split()
    if len(words) < 6:
        return NoEdit("it has fewer than six words")
    return " ".join(words[: len(words) // 2]).rstrip(".,;:!?")


def say_twice(summary: str) -> Edit:
    """The whole summary two times over."""
    return f"{_closed(summary)} {summary}"


def _units(document: str) -> list[str]:
    """Turns of a dialogue, sentences of prose."""
    lines = [line.strip() for line in document.splitlines() if line.strip()]
    return lines if is_dialogue(document) else sentences(document)


def _closed(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…", '"', "”", "。")) else f"{text}."
