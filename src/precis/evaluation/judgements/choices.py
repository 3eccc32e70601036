"""Stored comparisons, flat: who chose what between which two candidates. The analyses of judgements start here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...errors import UserError
from ...records import Candidate, Comparison, Group, JudgeInfo, Maker
from ...textmetrics import count_words
from ..systems import REFERENCE
from .agreement import Item

PERSON = "person:"


@dataclass(frozen=True)
class Choice:
    """One judgement between candidates `a` and `b` of one document.

    `outcome` is 1 if a was chosen, 0 if b, ½ for indifference. `strength` is the distance from indifference on the
    nine-point scale, 1 to 4; None if the labeler gave no confidence (or was indifferent). `seconds` may be unknown.
    """

    labeler: str
    batch: str
    document: str
    dataset: str
    a: Candidate
    b: Candidate
    outcome: float
    strength: int | None = None
    shown_first: Literal["a", "b"] | None = None
    seconds: float | None = None

    @property
    def same_system(self) -> bool:
        """Whether both texts are one maker's: one policy, decoded in one way."""
        return self.a.maker.id == self.b.maker.id

    @property
    def identical(self) -> bool:
        """Whether both sides are the same text: there is nothing to choose."""
        return self.a.text.strip() == self.b.text.strip()

    @property
    def item(self) -> Item:
        """The pair, whichever side each candidate was on."""
        first, second = sorted((self.a.id, self.b.id))
        return self.document, first, second

    @property
    def vote(self) -> int:
        """−1 for the first of `item`, +1 for the second, 0 for indifference: the votes of `agreement`."""
        towards_b = int(self.outcome < 0.5) - int(self.outcome > 0.5)
        return towards_b if self.a.id == self.item[1] else -towards_b


def choices_of(groups: Iterable[Group]) -> list[Choice]:
    """Every comparison of the groups, in their order; the groups' references must be candidates or `references`."""
    groups = list(groups)
    labels = judge_labels(judgement.judge for group in groups for judgement in group.judgements)
    found = []
    for group in groups:
        texts = {candidate.id: candidate for candidate in (*group.candidates, *group.references)}
        dataset = getattr(group.source, "dataset", "")
        for said in group.judgements:
            if not isinstance(said, Comparison) or not {said.a, said.b} <= texts.keys():
                continue
            strength = None if said.confidence is None else abs(said.confidence - 5) or None
            found.append(
                Choice(
                    labels[said.judge.id],
                    str(said.judge.settings.get("batch", "")),
                    group.source.id,
                    dataset,
                    texts[said.a],
                    texts[said.b],
                    {"a": 1.0, "tie": 0.5, "b": 0.0}[said.choice],
                    strength,
                    said.shown_first,
                    said.seconds,
                )
            )
    return found


def judge_labels(judges: Iterable[JudgeInfo]) -> dict[str, str]:
    """A name for each judge's id: its own; a name with several settings is told apart by a hash.

    A person stays one labeler in all batches, which are what a person's settings say.
    """
    known = {judge.id: judge for judge in judges}
    settings: dict[str, set[str]] = defaultdict(set)
    for judge in known.values():
        settings[judge.name].add(judge.id)
    return {
        id: judge.name
        if judge.name.startswith(PERSON) or len(settings[judge.name]) == 1
        else f"{judge.name} ({id[2:8]})"
        for id, judge in known.items()
    }


def people_or_all(choices: Sequence[Choice]) -> list[Choice]:
    """The people's choices; those of every judge if no person chose."""
    return [choice for choice in choices if choice.labeler.startswith(PERSON)] or list(choices)


def named(names: Collection[str], present: Collection[str], what: str) -> list[str]:
    """Those of `present` that `names` mean ("person:" may be left out); UserError for a name that none has."""
    found = []
    for name in names:
        match = next((label for label in present if label in (name, PERSON + name)), None)
        if match is None:
            shown = ", ".join(sorted(present)[:8]) or "none"
            more = f" and {len(present) - 8} more" if len(present) > 8 else ""
            raise UserError(f"there is no {what} {name!r} here; there are {shown}{more}")
        found.append(match)
    return list(dict.fromkeys(found))


def systems_in(choices: Sequence[Choice]) -> dict[str, str]:
    """`maker_labels` of all that was compared. References of several makers are one system, `reference`, whichever data
    set they belong to, unless they were compared with each other."""
    contest = any(
        choice.a.maker.role == choice.b.maker.role == "reference" and not choice.same_system for choice in choices
    )
    return maker_labels((side.maker for choice in choices for side in (choice.a, choice.b)), merge=not contest)


def maker_labels(makers: Iterable[Maker], *, merge: bool = True) -> dict[str, str]:
    """A name for each maker's id: its own, with a hash where several makers share it; a reference's is `reference`, or
    `reference NAME` without `merge`."""
    known = {maker.id: maker for maker in makers}
    ids: dict[str, set[str]] = defaultdict(set)
    for maker in known.values():
        ids[maker.name].add(maker.id)

    def label(maker: Maker) -> str:
        if maker.role == "reference":
            return REFERENCE if merge else f"{REFERENCE} {maker.name}"
        return maker.name if len(ids[maker.name]) == 1 else f"{maker.name} ({maker.id[2:8]})"

    return {id: label(maker) for id, maker in known.items()}


def table_order(system: str) -> tuple[bool, str]:
    """A sort key: systems by name, the reference summaries last."""
    return system == REFERENCE, system


def oriented(one: str, other: str) -> tuple[str, str]:
    """Two systems in the order in which tables show them."""
    first, second = sorted((one, other), key=table_order)
    return first, second


def word_counts(choices: Iterable[Choice]) -> Mapping[str, int]:
    """Words of every candidate that was compared, by id."""
    texts = {side.id: side.text for choice in choices for side in (choice.a, choice.b)}
    return {id: count_words(text) for id, text in texts.items()}
