"""A judge that knows nothing: the floor. Its score depends on the seed and the candidate's id only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..records import Candidate, Group, JudgeInfo, Judgement
from .protocol import score_candidates


@dataclass(frozen=True)
class RandomJudge:
    """A uniform number from 0 to 1 for each candidate."""

    seed: int = 0

    @cached_property
    def info(self) -> JudgeInfo:
        return JudgeInfo("random", {"seed": self.seed})

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        return score_candidates(self.info, "uniform", groups, lambda _, candidates: [self._draw(c) for c in candidates])

    def _draw(self, candidate: Candidate) -> float:
        digest = hashlib.sha256(f"{self.seed}/{candidate.id}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64
