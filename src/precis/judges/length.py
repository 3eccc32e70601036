"""The baseline that every learned judge must beat: longer is better (or, with `sign=-1`, shorter)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..records import Group, JudgeInfo, Judgement
from ..textmetrics import count_words
from .protocol import score_candidates


@dataclass(frozen=True)
class LengthJudge:
    """Words of the candidate times `sign`."""

    sign: int = 1

    @cached_property
    def info(self) -> JudgeInfo:
        return JudgeInfo("length", {"sign": self.sign})

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        return score_candidates(
            self.info, "words", groups, lambda _, candidates: [self.sign * count_words(c.text) for c in candidates]
        )
