"""The sandbox's oracle as a judge: it reads a candidate back into the facts that its document was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..records import Document, Failure, Group, JudgeInfo, Judgement, Rating, Score
from ..sandbox.oracle import OracleSettings, rate


@dataclass(frozen=True)
class OracleJudge:
    """`overall` as a score from 1 to 7, exact; coverage, accuracy and coherence as ratings in whole points.

    Unlike other judges it rates an empty candidate too: the truth about it is known (1). A source that the sandbox
    did not make is a `Failure`.
    """

    settings: OracleSettings = field(default_factory=OracleSettings)
    name: str = "oracle"

    @cached_property
    def info(self) -> JudgeInfo:
        return JudgeInfo(self.name)

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        return [self._judge(group) for group in groups]

    def _judge(self, group: Group) -> list[Judgement]:
        source = group.source
        if not isinstance(source, Document) or source.dataset != "sandbox":
            why = "the oracle knows the facts of sandbox documents only"
            return [Failure(self.info, source.id, (candidate.id,), why) for candidate in group.candidates]
        said: list[Judgement] = []
        for candidate in group.candidates:
            ratings = rate(source, candidate.text, self.settings)
            said.append(Score(self.info, source.id, candidate.id, ratings.overall, "overall, 1 to 7"))
            said += [
                Rating(self.info, source.id, candidate.id, axis, value)
                for axis, value in ratings.rounded().items()
                if axis != "overall"
            ]
        return said
