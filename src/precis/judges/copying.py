"""How much of a candidate is copied from its source (Stiennon et al. 2020, G.7), as a judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..records import Candidate, Group, JudgeInfo, Judgement
from ..textmetrics import copying, words
from .protocol import score_candidates


@dataclass(frozen=True)
class CopyingJudge:
    """Longest common subsequence of bigrams with the source, over the candidate's bigrams; 0 to 1.

    A candidate of one word has no bigram; it scores 1 if the source has that word, else 0. One without a word (an
    emoji, say) is a `Failure`.
    """

    @cached_property
    def info(self) -> JudgeInfo:
        return JudgeInfo("copying")

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        return score_candidates(self.info, "copied share", groups, self._score)

    def _score(self, group: Group, candidates: Sequence[Candidate]) -> list[float | None]:
        source = words(group.source.text)
        return [self._share(source, words(candidate.text)) for candidate in candidates]

    @staticmethod
    def _share(source: Sequence[str], own: Sequence[str]) -> float | None:
        if not own:
            return None
        share = copying(source, own)
        return float(set(own) <= set(source)) if share is None else share
