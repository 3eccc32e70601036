"""Simulated people who write: a critique of the most important fault, and a refinement that follows a critique."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from random import Random

from ..records import Candidate, Critique, Document, JudgeInfo, Maker, judgement_id
from .language import frames
from .oracle import OracleSettings, rate_reading
from .reading import Reading, read_facts
from .speech import fill
from .story import KINDS, Story, story_of
from .summaries import state_fact, write

# What has to be told together for one fact to make sense.
_TOGETHER = {
    "cause": ("change", "cause"),
    "outcome": ("request", "outcome"),
    "detail": ("request", "outcome", "detail"),
}


@dataclass(frozen=True)
class CriticSettings:
    """`temperature`: 0 names the gravest fault always; 1 often names a lesser one. `skill`: how much of what a
    refiner means to say it says."""

    temperature: float = 0.15
    skill: float = 0.95
    oracle: OracleSettings = field(default_factory=OracleSettings)


def critique(
    document: Document,
    candidate: Candidate,
    *,
    annotator: str = "critic-0",
    seed: int = 0,
    settings: CriticSettings | None = None,
    repeat: int = 0,
) -> Critique:
    """The most important fault in words; `label` is coverage, accuracy, coherence, or empty where there is none."""
    settings = settings or CriticSettings()
    rng = Random(f"critique|{seed}|{annotator}|{repeat}|{document.id}|{candidate.id}")
    story = story_of(document)
    words = frames("critic")
    reading = read_facts(candidate.text, document)
    faults = _faults(document, candidate.text, reading, settings.oracle)
    label, text = "", rng.choice(words["fine"])
    if candidate.is_empty:
        label, text = "coverage", rng.choice(words["empty"])
    elif faults:
        gravity = {fault: weight + settings.temperature * _gumbel(rng) for fault, weight in faults.items()}
        label, kind = max(gravity, key=lambda fault: gravity[fault])
        if label == "coherence":
            text = rng.choice(words[kind])
        elif kind == "invented":
            said = (*reading.invented, *reading.unsupported)[0]
            text = fill(rng.choice(words["invented"]), {"said": said})
        else:
            frame, said = _frame(rng, label, kind, reading)
            text = fill(frame, {"fact": state_fact(rng, story, kind, _TOGETHER.get(kind, (kind,))), "said": said})
    judge = JudgeInfo(f"sandbox:{annotator}", {"seed": seed, **asdict(settings)})
    return Critique(judge, document.id, candidate.id, text, label, repeat=repeat)


def _frame(rng: Random, label: str, kind: str, reading: Reading) -> tuple[str, str]:
    words = frames("critic")
    said = reading.facts[kind].said
    if label == "accuracy":
        return rng.choice(words["wrong_said" if said and rng.random() < 0.5 else "wrong"]), said
    special = words.get(f"missing_{kind}", ())
    return rng.choice(special if special and rng.random() < 0.6 else words["missing"]), said


def _faults(document: Document, text: str, reading: Reading, oracle: OracleSettings) -> dict[tuple[str, str], float]:
    """Every fault `(label, kind)` with its weight."""
    ratings = rate_reading(document, text, reading, oracle)
    faults: dict[tuple[str, str], float] = {}
    if ratings.coherence < 4:
        copied = reading.fluency > 0.6 and reading.form > 0.6
        faults["coherence", "copied" if copied else "coherence"] = 3.0 * (4 - ratings.coherence)
    for kind, fact in reading.facts.items():
        weight = oracle.weights[kind]
        if fact.wrong:
            faults["accuracy", kind] = 1.6 * weight
        elif fact.credit < 0.5:
            # The answer to a request that is missing itself is the lesser omission.
            parent = {"cause": "change", "outcome": "request", "detail": "outcome"}.get(kind, "")
            orphan = parent in reading.facts and reading.facts[parent].credit < 0.5
            faults["coverage", kind] = weight * (1 - fact.credit) * (0.5 if orphan else 1.0)
    if reading.invented or len(reading.unsupported) > 3:
        faults["accuracy", "invented"] = 0.8 + 0.2 * len(reading.unsupported)
    return faults


def _gumbel(rng: Random) -> float:
    return -math.log(-math.log(rng.uniform(1e-12, 1 - 1e-12)))


def refine(
    document: Document,
    candidate: Candidate,
    critique: Critique | None = None,
    *,
    annotator: str = "refiner-0",
    seed: int = 0,
    settings: CriticSettings | None = None,
) -> Candidate:
    """An edit that keeps what `candidate` says rightly and adds what the critique says.

    The critique is read like a summary, so that any text which names a fact will do; one that names none (or no
    critique) leads to a rewrite of what was there.
    """
    settings = settings or CriticSettings()
    rng = Random(f"refine|{seed}|{annotator}|{document.id}|{candidate.id}|{critique.text if critique else ''}")
    story = story_of(document)
    kept = _told(candidate.text, document)
    asked = _told(critique.text, document) if critique else set()
    kinds = {kind for kind in sorted(kept | asked) if rng.random() < settings.skill}
    text = write(rng, story, _with_needs(story, kinds))
    maker = Maker("annotator", f"sandbox:{annotator}", {"seed": seed, **asdict(settings)})
    reason = judgement_id(critique) if critique else None
    return Candidate(document.id, text, maker, parent=candidate.id, critique=reason)


def _told(text: str, document: Document) -> set[str]:
    return {kind for kind, fact in read_facts(text, document).facts.items() if fact.credit >= 0.45 and not fact.wrong}


def _with_needs(story: Story, kinds: Collection[str]) -> frozenset[str]:
    """An outcome cannot be told without its request."""
    needed = {need for kind in kinds for need in _TOGETHER.get(kind, ())}
    return frozenset(kind for kind in KINDS if kind in story.facts and kind in {*kinds, *needed})
