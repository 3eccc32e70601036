"""Run a judge over groups and keep what it says: finished work is skipped, so a killed run goes on where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..progress import Progress
from ..records import Failure, Group, Score
from .protocol import FINAL, Judge

if TYPE_CHECKING:
    from ..store import Store


@dataclass(frozen=True)
class JudgeRun:
    """What one run did: groups asked about, groups known before, judgements and failures that came back.

    `cut_documents` were too long for a judge that is a model.
    """

    judge: str
    asked: int
    known: int
    judgements: int
    failures: int
    why: dict[str, int]
    cut_documents: int = 0

    def __str__(self) -> str:
        reasons = "; ".join(f"{count:,} × {why}" for why, count in self.why.items())
        failed = f", {self.failures:,} without a verdict ({reasons})" if self.failures else ""
        return (
            f"{self.judge}: {self.judgements:,} judgements of {self.asked:,} groups"
            f"{f', {self.known:,} groups were judged before' if self.known else ''}{failed}"
            f"{f'; {self.cut_documents:,} documents were cut to fit' if self.cut_documents else ''}"
        )


def run_judge(store: Store, judge: Judge, groups: Sequence[Group], *, chunk: int = 32, quiet: bool = False) -> JudgeRun:
    """Judge every group that has a candidate without a verdict by this judge; write after each chunk.

    A failure is asked about again, for it may have been bad luck, unless its reason is one of `FINAL`.
    """
    done = store.judged_candidates(judge.info.id)
    settled = done | store.failed_candidates(judge.info.id, FINAL)
    met = store.judged_candidates(judge.info.id, failures=True)
    todo = [group for group in groups if any(c.id not in (met if c.is_empty else settled) for c in group.candidates)]
    judgements = failures = 0
    cut_before = getattr(judge, "cut_documents", 0)
    why: dict[str, int] = {}
    with Progress(
        f"judging by {judge.info.name}", total=len(groups), unit="groups", done=len(groups) - len(todo), quiet=quiet
    ) as progress:
        for start in range(0, len(todo), chunk):
            batch = todo[start : start + chunk]
            # A group is asked again whole for the sake of one candidate; the others' scores stand as they are, since
            # in another batch they would come out different in the last digit, and count twice.
            said = [
                judgement
                for group in judge.judge(batch)
                for judgement in group
                if not (isinstance(judgement, Score) and judgement.candidate in done)
            ]
            store.add_judgements(said)
            for judgement in said:
                if isinstance(judgement, Failure):
                    failures += 1
                    why[judgement.why] = why.get(judgement.why, 0) + 1
                else:
                    judgements += 1
            progress.advance(len(batch), note=f"{failures:,} failures" if failures else "")
    cut = getattr(judge, "cut_documents", 0) - cut_before
    return JudgeRun(judge.info.name, len(todo), len(groups) - len(todo), judgements, failures, why, cut)
