"""The records that everything passes around: frozen, typed, named by the hash of their content.

A **document** is summarized; a **candidate** is one text written from a source (a document or, when
dialogues are synthesized, a summary); a **judgement** is what a judge said of candidates; a **group** is one
source with its K candidates and what is known of them, the unit of every batch.

Two records with the same content have the same id, so writing one twice changes nothing:

>>> Document("A dog barked.").id == Document("A dog barked.").id
True
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

from .errors import BadInput

JSON = Mapping[str, Any]

_SURROGATE = re.compile("[\ud800-\udfff]")


def content_hash(prefix: str, content: Any) -> str:
    """`prefix` and 24 hex digits of SHA-256 over canonical JSON (sorted keys, ASCII, no spaces)."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return f"{prefix}_{hashlib.sha256(canonical.encode('ascii')).hexdigest()[:24]}"


def check_text(text: Any, name: str, *, allow_empty: bool = False) -> None:
    """Raise `BadInput` unless `text` is a string every store and tokenizer can hold."""
    if not isinstance(text, str):
        raise BadInput(f"expected text, found {type(text).__name__}", field=name)
    if not allow_empty and not text.strip():
        raise BadInput("expected text, found nothing but white space", field=name)
    if "\x00" in text:
        raise BadInput(f"a NUL character at position {text.index(chr(0))}; remove it", field=name)
    if surrogate := _SURROGATE.search(text):
        raise BadInput(
            f"half a character (lone surrogate) at position {surrogate.start()}; the file was cut or wrongly decoded",
            field=name,
        )


def _check_choice(value: Any, allowed: tuple[str, ...], name: str) -> None:
    if value not in allowed:
        raise BadInput(f"expected one of {', '.join(allowed)}, found {value!r}", field=name)


@dataclass(frozen=True)
class Document:
    """A text to summarize.

    `key` is the id that the data set gave it; `meta` holds whatever else the data set says (topic, subreddit,
    the sandbox's facts). The content-hash `id` covers title and text only, so that one text under two keys or
    in two splits is recognised as one document.
    """

    text: str
    title: str = ""
    key: str = ""
    dataset: str = ""
    split: str = ""
    meta: JSON = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_text(self.text, "document")
        for name in ("title", "key", "dataset", "split"):
            check_text(getattr(self, name), name, allow_empty=True)

    @cached_property
    def id(self) -> str:
        return content_hash("d", [self.title, self.text])


@dataclass(frozen=True)
class Maker:
    """Who wrote a candidate.

    `role` is `reference` for a reference summary (a person's or a large model's), `policy` for a sample of a
    model, `rule` for a baseline such as Lead-3 and `annotator` for a person's or a simulated person's edit.
    `name` is a data set, a model fingerprint, a rule or a worker; `settings` hold the prompt hash, the decoding
    and the seed.
    """

    role: Literal["reference", "policy", "rule", "annotator"]
    name: str
    settings: JSON = field(default_factory=dict, hash=False)

    ROLES: ClassVar = ("reference", "policy", "rule", "annotator")

    def __post_init__(self) -> None:
        _check_choice(self.role, self.ROLES, "role")
        check_text(self.name, "maker")

    @cached_property
    def id(self) -> str:
        return content_hash("m", [self.role, self.name, dict(self.settings)])


@dataclass(frozen=True)
class Candidate:
    """One text written from a source.

    `index` tells the k-th sample of one maker from the others. `text` may be empty: a policy that stops at
    once wrote an empty candidate, which is counted, not hidden. `token_ids` (with the end token, if one was
    sampled) are kept so that a sample is never re-encoded; they are meaningful only for `tokenizer`, its
    fingerprint. `logp` is the sum of the sampled tokens' log-probabilities, in nats. `finished` is False for a
    sample that was cut by the length limit. `parent` and `critique` name what a refinement was made from.
    """

    source_id: str
    text: str
    maker: Maker
    index: int = 0
    token_ids: tuple[int, ...] | None = None
    tokenizer: str | None = None
    logp: float | None = None
    finished: bool = True
    parent: str | None = None
    critique: str | None = None

    def __post_init__(self) -> None:
        check_text(self.text, "candidate", allow_empty=True)
        for name in ("source_id", "tokenizer", "parent", "critique"):
            if getattr(self, name) is not None:
                check_text(getattr(self, name), name)

    @cached_property
    def id(self) -> str:
        return content_hash("c", [self.source_id, self.text, self.maker.id, self.index, self.parent, self.critique])

    @property
    def is_empty(self) -> bool:
        return not self.text.strip()


@dataclass(frozen=True)
class JudgeInfo:
    """Which judge, with which settings. A person is `person:WORKER`."""

    name: str
    settings: JSON = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_text(self.name, "judge")

    @cached_property
    def id(self) -> str:
        return content_hash("g", [self.name, dict(self.settings)])


@dataclass(frozen=True)
class Comparison:
    """`choice` between candidates `a` and `b` of one source.

    `confidence` is OpenAI's nine-point scale (Stiennon et al. 2020, appendix C): 1 is surely a, 9 surely b, 5
    would be indifference. `shown_first` is the side that the judge saw first; None if unknown.
    """

    kind: ClassVar = "comparison"
    judge: JudgeInfo
    source_id: str
    a: str
    b: str
    choice: Literal["a", "b", "tie"]
    confidence: int | None = None
    shown_first: Literal["a", "b"] | None = None
    seconds: float | None = None
    note: str = ""
    repeat: int = 0

    def __post_init__(self) -> None:
        _check_choice(self.choice, ("a", "b", "tie"), "choice")
        if self.a == self.b:
            raise BadInput("a comparison needs two different candidates; both sides are the same one", field="b")
        if self.confidence is not None:
            # JSON's `true` is an int here, and would pass for 1.
            is_whole = isinstance(self.confidence, int) and not isinstance(self.confidence, bool)
            if not is_whole or not 1 <= self.confidence <= 9:
                raise BadInput(f"expected a whole number from 1 to 9, found {self.confidence!r}", field="confidence")
            said = "a" if self.confidence < 5 else "b" if self.confidence > 5 else "tie"
            if said != self.choice:
                raise BadInput(
                    f"confidence {self.confidence} means {said!r}, but the choice is {self.choice!r}",
                    field="confidence",
                )

    @property
    def candidate_ids(self) -> tuple[str, ...]:
        return (self.a, self.b)


@dataclass(frozen=True)
class Ranking:
    """Candidates in tiers, best first; candidates in one tier are tied. `shown` is the order of presentation."""

    kind: ClassVar = "ranking"
    judge: JudgeInfo
    source_id: str
    tiers: tuple[tuple[str, ...], ...]
    shown: tuple[str, ...] | None = None
    note: str = ""
    repeat: int = 0

    def __post_init__(self) -> None:
        if not all(self.tiers) or len(set(self.candidate_ids)) != len(self.candidate_ids):
            raise BadInput("expected every ranked candidate once, in tiers that are not empty", field="tiers")

    @property
    def candidate_ids(self) -> tuple[str, ...]:
        return tuple(candidate for tier in self.tiers for candidate in tier)


@dataclass(frozen=True)
class Score:
    """A number for one candidate; higher is better. `scale` names the unit (`rouge1`, `nats/token`, `reward`)."""

    kind: ClassVar = "score"
    judge: JudgeInfo
    source_id: str
    candidate: str
    value: float
    scale: str
    repeat: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)) or not math.isfinite(self.value):
            raise BadInput(f"expected a finite number, found {self.value!r}", field="value")

    @property
    def candidate_ids(self) -> tuple[str, ...]:
        return (self.candidate,)


@dataclass(frozen=True)
class Rating:
    """A rating of one candidate on a named axis, 1 to 7 unless the data set says otherwise."""

    kind: ClassVar = "rating"
    judge: JudgeInfo
    source_id: str
    candidate: str
    axis: str
    value: float
    low: int = 1
    high: int = 7
    note: str = ""
    repeat: int = 0

    def __post_init__(self) -> None:
        check_text(self.axis, "axis")
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            raise BadInput(f"expected a number, found {self.value!r}", field=self.axis)
        if not self.low <= self.value <= self.high:
            raise BadInput(f"expected a rating from {self.low} to {self.high}, found {self.value!r}", field=self.axis)

    @property
    def candidate_ids(self) -> tuple[str, ...]:
        return (self.candidate,)


@dataclass(frozen=True)
class Critique:
    """What is wrong with one candidate, in words; `label` is its class (`accuracy`, `coverage`, `coherence`, …)."""

    kind: ClassVar = "critique"
    judge: JudgeInfo
    source_id: str
    candidate: str
    text: str
    label: str = ""
    seconds: float | None = None
    repeat: int = 0

    def __post_init__(self) -> None:
        check_text(self.text, "critique")

    @property
    def candidate_ids(self) -> tuple[str, ...]:
        return (self.candidate,)


@dataclass(frozen=True)
class Failure:
    """A judge gave no verdict on `candidate_ids`: `why` in one sentence, `raw` what it said; never a tie or a zero."""

    kind: ClassVar = "failure"
    judge: JudgeInfo
    source_id: str
    candidate_ids: tuple[str, ...]
    why: str
    raw: str = ""
    repeat: int = 0


Judgement = Comparison | Ranking | Score | Rating | Critique | Failure
JUDGEMENT_KINDS: dict[str, type[Judgement]] = {
    kind.kind: kind for kind in (Comparison, Ranking, Score, Rating, Critique, Failure)
}


def judgement_id(judgement: Judgement) -> str:
    """The content hash; `repeat` tells a judge's second opinion from the first one written twice."""
    return content_hash("j", [judgement.kind, to_json(judgement)])


@dataclass(frozen=True)
class Preference:
    """In a group, candidate number `chosen` beats candidate number `rejected`."""

    chosen: int
    rejected: int
    weight: float = 1.0
    margin: float = 0.0


@dataclass(frozen=True)
class Group:
    """One source, its K candidates and what is known of them: the unit of every batch.

    `preferences` and `ranks` (dense, 0 is best, equal is tied, None is not ranked) are what `selection` made of
    `judgements`. `imitated` are the numbers of the candidates whose likelihood is to rise; None is all of them.
    """

    source: Document | Candidate
    candidates: tuple[Candidate, ...]
    references: tuple[Candidate, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    preferences: tuple[Preference, ...] = ()
    ranks: tuple[int | None, ...] | None = None
    imitated: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        size = len(self.candidates)
        if self.ranks is not None and len(self.ranks) != size:
            raise ValueError(f"{len(self.ranks)} ranks for {size} candidates")
        for preference in self.preferences:
            if not (0 <= preference.chosen < size and 0 <= preference.rejected < size):
                raise ValueError(f"{preference} names a candidate outside a group of {size}")


def to_json(record: Any) -> dict[str, Any]:
    """A record as plain JSON data; `from_json` is its inverse for judgements, documents and candidates."""
    return dataclasses.asdict(record)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def judgement_from_json(kind: str, data: JSON) -> Judgement:
    """The judgement that `to_json` turned into `data`."""
    if kind not in JUDGEMENT_KINDS:
        raise BadInput(f"expected one of {', '.join(JUDGEMENT_KINDS)}, found {kind!r}", field="kind")
    values = {name: _tuples(value) for name, value in data.items() if name != "judge"}
    return JUDGEMENT_KINDS[kind](judge=JudgeInfo(**data["judge"]), **values)


def candidate_from_json(data: JSON) -> Candidate:
    """The candidate that `to_json` turned into `data`."""
    values = {name: _tuples(value) for name, value in data.items() if name != "maker"}
    return Candidate(maker=Maker(**data["maker"]), **values)


def document_from_json(data: JSON) -> Document:
    """The document that `to_json` turned into `data`."""
    return Document(**data)
