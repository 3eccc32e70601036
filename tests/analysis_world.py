"""Comparisons whose truth is known, for the tests of the analyses."""

from __future__ import annotations

from collections.abc import Sequence

from precis.evaluation.judgements.choices import Choice
from precis.records import Candidate, Maker

REFERENCE = Maker("reference", "people")


def policy(name: str) -> Maker:
    return Maker("policy", name)


def text(document: str, words: int, maker: Maker, index: int = 0) -> Candidate:
    """So many words, unlike those of every other maker and index."""
    return Candidate(document, " ".join(f"{maker.name}{index}x{n}" for n in range(words)), maker, index)


def choice(
    labeler: str,
    document: str,
    a: Candidate,
    b: Candidate,
    outcome: float,
    *,
    strength: int | None = None,
    batch: str = "batch1",
) -> Choice:
    return Choice(labeler, batch, document, "posts", a, b, outcome, strength if outcome != 0.5 else None)


def panel(labels: Sequence[str], labelers: str = "abcdefgh") -> list[Choice]:
    """One document a string, one labeler a letter: + prefers the first text, - the second, 0 neither, a space is
    silent."""
    found = []
    for number, signs in enumerate(labels):
        document = f"d{number}"
        one, other = text(document, 3, policy("one")), text(document, 4, policy("other"))
        for labeler, sign in zip(labelers, signs):
            if sign != " ":
                found.append(choice(f"person:{labeler}", document, one, other, {"+": 1.0, "-": 0.0, "0": 0.5}[sign]))
    return found
