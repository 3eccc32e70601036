"""The sandbox's simulated people as a judge: they compare two candidates, with a confidence, and are often wrong."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import combinations

from ..records import Candidate, Comparison, Document, Failure, Group, JudgeInfo, Judgement
from ..sandbox import ComparerSettings, compare
from .protocol import EMPTY, NOT_DRAWN


@dataclass(frozen=True)
class ComparerJudge:
    """At most `pairs_per_group` pairs of each group, drawn by the seed, are shown in random order to one comparer.

    Candidates with the same text are not compared; an empty candidate, and one that no drawn pair names, is a
    `Failure`, so that it is counted.
    """

    annotator: str = "comparer-0"
    pairs_per_group: int | None = 6
    seed: int = 0
    settings: ComparerSettings = field(default_factory=ComparerSettings)

    @cached_property
    def info(self) -> JudgeInfo:
        settings = {
            "annotator": self.annotator,
            "pairs_per_group": self.pairs_per_group,
            "seed": self.seed,
            **asdict(self.settings),
        }
        return JudgeInfo("comparer", settings)

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        return [self._judge(group) for group in groups]

    def _judge(self, group: Group) -> list[Judgement]:
        source = group.source
        if not isinstance(source, Document) or source.dataset != "sandbox":
            why = "simulated comparers read sandbox documents only"
            return [Failure(self.info, source.id, (candidate.id,), why) for candidate in group.candidates]
        said: list[Judgement] = [self._compare(source, a, b) for a, b in self._pairs(group)]
        named = {candidate for judgement in said for candidate in judgement.candidate_ids}
        said += [
            Failure(
                self.info,
                source.id,
                (candidate.id,),
                EMPTY if candidate.is_empty else NOT_DRAWN,
            )
            for candidate in group.candidates
            if candidate.id not in named
        ]
        return said

    def _pairs(self, group: Group) -> list[tuple[Candidate, Candidate]]:
        written = [candidate for candidate in group.candidates if not candidate.is_empty]
        pairs = [(a, b) for a, b in combinations(written, 2) if a.text != b.text]
        draw = random.Random(f"{self.seed}/{group.source.id}")
        if self.pairs_per_group is not None and len(pairs) > self.pairs_per_group:
            pairs = draw.sample(pairs, self.pairs_per_group)
        return [pair if draw.random() < 0.5 else (pair[1], pair[0]) for pair in pairs]

    def _compare(self, document: Document, a: Candidate, b: Candidate) -> Comparison:
        said = compare(document, a, b, annotator=self.annotator, seed=self.seed, settings=self.settings)
        return Comparison(
            self.info,
            document.id,
            a.id,
            b.id,
            said.choice,
            confidence=said.confidence,
            shown_first=said.shown_first,
            seconds=said.seconds,
        )
