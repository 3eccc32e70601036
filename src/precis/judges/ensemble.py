"""Several judges that score, heard as one: their mean, which is harder to please by accident than any of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from ..errors import UserError
from ..records import Failure, Group, JudgeInfo, Judgement, Score
from .reward import RewardJudge


class EnsembleJudge:
    """The mean of several reward models' rewards; each is shifted so that reference summaries average 0.

    A candidate that one of them cannot judge is a `Failure`, for the reason that this one gives.
    """

    def __init__(self, judges: Sequence[RewardJudge]):
        if len(judges) < 2:
            raise UserError(f"an ensemble needs at least two reward models, not {len(judges)}")
        self.judges = list(judges)

    @cached_property
    def info(self) -> JudgeInfo:
        return JudgeInfo("reward ensemble", {"members": [judge.info.id for judge in self.judges]})

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        said = [judge.judge(groups) for judge in self.judges]
        return [list(self._joined(group, [one[place] for one in said])) for place, group in enumerate(groups)]

    def _joined(self, group: Group, said: Sequence[Sequence[Judgement]]) -> Iterator[Judgement]:
        for candidate in group.candidates:
            scores = [
                judgement.value
                for judgements in said
                for judgement in judgements
                if isinstance(judgement, Score) and judgement.candidate == candidate.id
            ]
            if len(scores) == len(self.judges):
                yield Score(self.info, group.source.id, candidate.id, sum(scores) / len(scores), "reward")
                continue
            whys = [
                judgement.why
                for judgements in said
                for judgement in judgements
                if isinstance(judgement, Failure) and candidate.id in judgement.candidate_ids
            ]
            yield Failure(self.info, group.source.id, (candidate.id,), whys[0] if whys else "a member is silent")
