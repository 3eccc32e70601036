"""ROUGE against the source's reference summaries, as a judge: BRIO's own setting (Liu et al. 2022, §4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..records import Candidate, Failure, Group, JudgeInfo, Judgement
from ..textmetrics import rouge_f1
from .protocol import score_candidates


@dataclass(frozen=True)
class RougeJudge:
    """The mean of the F1 of `types`, each the mean over the references; from 0 to 1.

    (ROUGE-1 + ROUGE-2 + ROUGE-Lsum) / 3 is what BRIO ranks CNN/DM candidates by. A source without a reference
    summary is a `Failure`.
    """

    types: tuple[str, ...] = ("rouge1", "rouge2", "rougeLsum")

    @cached_property
    def info(self) -> JudgeInfo:
        return JudgeInfo("rouge", {"types": list(self.types)})

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        return [
            score_candidates(self.info, "rouge", [group], self._score)[0]
            if group.references
            else [
                Failure(self.info, group.source.id, (candidate.id,), "the source has no reference summary")
                for candidate in group.candidates
            ]
            for group in groups
        ]

    def _score(self, group: Group, candidates: Sequence[Candidate]) -> list[float]:
        references = [reference.text for reference in group.references]
        f1 = rouge_f1([candidate.text for candidate in candidates], [references] * len(candidates), types=self.types)
        return [float(value) for value in np.mean(list(f1.values()), axis=0)]
