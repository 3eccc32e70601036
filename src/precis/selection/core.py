"""What every selection gives: the groups that are kept, and what became of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..records import Candidate, Group, JudgeInfo


@dataclass(frozen=True)
class Selection:
    """Groups that are fit to train on, and what happened to the others.

    `counts` has `groups` (given) and `kept`, and one entry a reason for what was left out: `tied`, `failed`
    (candidates without a verdict), `contradicted`, `empty`, …
    """

    groups: tuple[Group, ...]
    counts: Mapping[str, int]

    def __str__(self) -> str:
        rest = ", ".join(f"{count:,} {what}" for what, count in self.counts.items() if what not in ("groups", "kept"))
        return f"{self.counts['kept']:,} of {self.counts['groups']:,} groups kept" + (f" ({rest})" if rest else "")


def is_by(info: JudgeInfo, judge: JudgeInfo | str) -> bool:
    """Whether a judgement of `info` is by this judge: of its name, or with its exact settings."""
    return info.name == judge if isinstance(judge, str) else info.id == judge.id


def only(group: Group, index: int) -> Group:
    """The group with one of its candidates."""
    chosen: Candidate = group.candidates[index]
    return replace(group, candidates=(chosen,), preferences=(), ranks=None)


def selection_of(kept: Sequence[Group], counts: Counter[str]) -> Selection:
    """What was kept, with the counts that are not 0; `groups` says how many were given."""
    counted = {"groups": counts.pop("groups", 0), "kept": len(kept)}
    return Selection(tuple(kept), {**counted, **{what: count for what, count in sorted(counts.items()) if count}})
