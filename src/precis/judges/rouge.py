"""ROUGE against the source's reference summaries, as a judge: BRIO's own setting (Liu et al. 2022, §4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..records import Candidate, Failure, Group, JudgeInfo, Judgement
from ..textmetrics import rouge_f1, rouge_reads
from .protocol import score_candidates


@dataclass(frozen=True)
class RougeJudge:
    """The mean of the F1 of `types`, each the mean over the references; from 0 to 1.

    (ROUGE-1 + ROUGE-2 + ROUGE-Lsum) / 3 is what BRIO ranks CNN/DM candidates by. A source without a reference
    summary is a `Failure`, and so is one whose references have no word that ROUGE reads (it knows Latin letters and
    digits only): every score would be 0.
    """

    types: tuple[str, ...] = ("rouge1", "rouge2", "rougeLsum")
    written_by: tuple[str, ...] = ()
    """The makers of the references, where these are not the data set's: then this is another judge."""

    @cached_property
    def info(self) -> JudgeInfo:
        references = {"references": list(self.written_by)} if self.written_by else {}
        return JudgeInfo("rouge", {"types": list(self.types), **references})

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        return [self._judge(group) for group in groups]

    def _judge(self, group: Group) -> list[Judgement]:
        why = "the source has no reference summary"
        if group.references:
            if any(rouge_reads(reference.text) for reference in group.references):
                return score_candidates(self.info, "rouge", [group], self._score)[0]
            why = "ROUGE reads no word of the reference summaries: it knows Latin letters and digits only"
        return [Failure(self.info, group.source.id, (candidate.id,), why) for candidate in group.candidates]

    def _score(self, group: Group, candidates: Sequence[Candidate]) -> list[float | None]:
        references = [reference.text for reference in group.references if rouge_reads(reference.text)]
        f1 = rouge_f1([candidate.text for candidate in candidates], [references] * len(candidates), types=self.types)
        return [float(value) for value in np.mean(list(f1.values()), axis=0)]
