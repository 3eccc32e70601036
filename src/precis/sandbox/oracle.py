"""The oracle's verdict: coverage, accuracy, coherence and overall, 1 to 7, from what a summary says.

coverage   weighted share of the document's facts that are told rightly
accuracy   share of what is told that is right; contradictions, strangers and foreign words count against it
coherence  does it read as English, without repeating itself, and is it a summary rather than a copy
overall    accuracy × coherence × length × (mostly coverage): one float, smooth enough to be a gold reward
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..records import Candidate, Document, JudgeInfo, Rating
from .reading import READ_CHARACTERS, Reading, read_facts

AXES = ("coverage", "accuracy", "coherence", "overall")


@dataclass(frozen=True)
class OracleSettings:
    """How much each fact weighs and how the axes make up `overall`. Another setting is another judge."""

    weights: Mapping[str, float] = field(
        default_factory=lambda: {
            "event": 1.6, "when": 0.9, "where": 0.7, "why": 1.0, "change": 1.1, "cause": 0.6, "request": 1.2,
            "outcome": 1.0, "detail": 0.8,
        }
    )  # fmt: skip
    coverage_share: float = 0.85  # of overall; the rest is for any true statement at all
    accuracy_power: float = 1.5
    coherence_power: float = 1.0
    free_words: int = 75  # longer summaries lose, down to a fifth at twice this
    wrong_weight: float = 2.0
    foreign_weight: float = 0.25  # one foreign word is a quarter of a wrong statement


SECOND_JUDGE = OracleSettings(
    weights={"event": 1.2, "when": 0.6, "where": 0.6, "why": 1.3, "change": 0.9, "cause": 0.9, "request": 1.0,
             "outcome": 1.3, "detail": 1.0},
    coverage_share=0.7, accuracy_power=2.0, coherence_power=1.2, free_words=55, foreign_weight=0.35,
)  # fmt: skip


@dataclass(frozen=True)
class Ratings:
    """Each axis as a float from 1 to 7; `rounded` gives whole points."""

    coverage: float
    accuracy: float
    coherence: float
    overall: float

    def rounded(self) -> dict[str, int]:
        return {axis: round(getattr(self, axis)) for axis in AXES}


def rate(document: Document, summary: str, settings: OracleSettings | None = None) -> Ratings:
    """Ratings of a summary of one of the sandbox's documents."""
    return rate_reading(document, summary, read_facts(summary, document), settings or OracleSettings())


def rate_reading(document: Document, summary: str, reading: Reading, settings: OracleSettings) -> Ratings:
    """`rate`, for a summary that has been read already."""
    words = len(_WORD.findall(summary))
    if words == 0:
        return Ratings(1.0, 1.0, 1.0, 1.0)
    weight = settings.weights
    told = sum(weight[kind] * fact.credit for kind, fact in reading.facts.items())
    coverage = told / sum(weight[kind] for kind in reading.facts)
    wrong = sum(weight[kind] for kind, fact in reading.facts.items() if fact.wrong) * settings.wrong_weight
    wrong += len(reading.invented) + settings.foreign_weight * len(reading.unsupported)
    accuracy = (told + 0.5) / (told + 0.5 + wrong) * _open(reading.fluency)
    coherence = reading.fluency * (0.2 + 0.8 * reading.form) * _unrepeated(summary) * _not_copied(document, summary)
    something = min(1.0, coverage / 0.25)
    share = settings.coverage_share
    merit = share * coverage + (1 - share) * something
    merit *= accuracy**settings.accuracy_power * coherence**settings.coherence_power
    merit *= _short_enough(words, document, settings.free_words)
    return Ratings(*(1 + 6 * min(1.0, max(0.0, x)) for x in (coverage, accuracy, coherence, merit)))


def rating_records(document: Document, candidate: Candidate, settings: OracleSettings | None = None) -> list[Rating]:
    """One `Rating` record for each axis, in whole points, with the exact value in the note."""
    ratings = rate(document, candidate.text, settings)
    judge = JudgeInfo("oracle", {"settings": "default" if settings is None else "custom"})
    return [
        Rating(
            judge, document.id, candidate.id, axis, float(ratings.rounded()[axis]), note=f"{getattr(ratings, axis):.4f}"
        )
        for axis in AXES
    ]


_WORD = re.compile(r"\w+(?:['’]\w+)*")


def _open(fluency: float) -> float:
    """What cannot be read cannot be accurate: 0 at no fluency, 1 from a half."""
    return min(1.0, 2 * fluency)


def _unrepeated(summary: str) -> float:
    """Share of distinct word trigrams, squared: 1 without repetition."""
    words = [word.lower() for word in _WORD.findall(summary)]
    grams = list(zip(words, words[1:], words[2:]))
    if not grams:
        return 0.5
    return (len(set(grams)) / len(grams)) ** 2


_COPY_RUN = 7  # words; a verbatim run this long is copying


def _not_copied(document: Document, summary: str) -> float:
    """1 with no verbatim runs, falling to 0.15 where all of a summary was copied; speaker tags are copies too."""
    source = " ".join(word.lower() for word in _WORD.findall(document.text))
    words = [word.lower() for word in _WORD.findall(summary[:READ_CHARACTERS])]
    copied = [False] * len(words)
    for i in range(len(words) - _COPY_RUN + 1):
        if " ".join(words[i : i + _COPY_RUN]) in source:
            copied[i : i + _COPY_RUN] = [True] * _COPY_RUN
    share = sum(copied) / len(words)
    tags = len(re.findall(r"(?:^|\s)[A-Z]\w+:(?=\s)", summary))
    free = 0.3  # a phrase in common is no crime
    return max(0.15, 1 - max(0.0, share - free) / (1 - free)) * (1.0 if not tags else 0.3)


def _short_enough(words: int, document: Document, free: int) -> float:
    """1 up to the free length, a little less for short documents; a fifth at twice as many words."""
    limit = max(0.85 * free, min(free, 0.5 * len(_WORD.findall(document.text))))
    return min(1.0, max(0.2, 1 - 0.8 * (words - limit) / limit))
