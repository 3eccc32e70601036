"""The sandbox's simulated list-wise annotator as a judge: it ranks all candidates of a document, with its biases.

A stand-in for GPTRank (Liu et al. 2023) that costs nothing and whose liking for places is a setting: the remedy,
permuted passes joined by Borda counts, is the one of `gptrank.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

from ..errors import UserError
from ..records import Candidate, Document, Failure, Group, JudgeInfo, Judgement, Ranking
from ..sandbox import RankerSettings, rank
from .borda import borda
from .gptrank import presentation_orders
from .protocol import EMPTY, NOTHING_TO_RANK


@dataclass(frozen=True)
class RankerJudge:
    """Ranks each group `passes` times, in other orders if `permute`, and joins them into one `Ranking`.

    As with `ListwiseJudge`: each of several passes is a ranking by `ranker pass`, the joined one is by `ranker`.
    Candidates with the same text are shown once, and tied. An empty one is a `Failure`, and so are those of a group
    with fewer than two different texts, or of a source that the sandbox did not make.
    """

    passes: int = 1
    permute: bool = True
    seed: int = 0
    annotator: str = "ranker-0"
    settings: RankerSettings = field(default_factory=RankerSettings)
    name: str = "ranker"

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise UserError(f"a judge needs at least one pass, not {self.passes}")

    @cached_property
    def info(self) -> JudgeInfo:
        return JudgeInfo(self.name, self._described())

    @cached_property
    def pass_info(self) -> JudgeInfo:
        """The judge of single passes; `info` if there is one pass only."""
        return JudgeInfo(f"{self.name} pass", self._described()) if self.passes > 1 else self.info

    def _described(self) -> dict[str, object]:
        return {
            "annotator": self.annotator,
            "passes": self.passes,
            "permute": self.permute,
            "seed": self.seed,
            **asdict(self.settings),
        }

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        return [list(self._judge(group)) for group in groups]

    def _judge(self, group: Group) -> Iterator[Judgement]:
        source = group.source
        if not isinstance(source, Document) or source.dataset != "sandbox":
            why = "simulated rankers read sandbox documents only"
            yield from (Failure(self.info, source.id, (candidate.id,), why) for candidate in group.candidates)
            return
        entries: dict[str, list[Candidate]] = {}
        for candidate in group.candidates:
            if candidate.is_empty:
                yield Failure(self.info, source.id, (candidate.id,), EMPTY)
            else:
                entries.setdefault(candidate.text, []).append(candidate)
        if len(entries) < 2:
            why = NOTHING_TO_RANK
            yield from (Failure(self.info, source.id, (c.id,), why) for own in entries.values() for c in own)
            return
        yield from self._rankings(source, [tuple(own) for own in entries.values()])

    def _rankings(self, source: Document, entries: Sequence[tuple[Candidate, ...]]) -> Iterator[Ranking]:
        shown_as = {own[0].id: tuple(candidate.id for candidate in own) for own in entries}
        orders = presentation_orders(
            list(shown_as), source.id, passes=self.passes, seed=self.seed, permute=self.permute
        )
        passes: list[tuple[tuple[str, ...], ...]] = []
        for turn, order in enumerate(orders):
            shown = [entries[place][0] for place in order]
            said = rank(source, shown, annotator=self.annotator, seed=self.seed, settings=self.settings, repeat=turn)
            passes.append(said.tiers)
            yield replace(said, judge=self.pass_info, tiers=_spread(said.tiers, shown_as))
        if self.passes > 1:
            note = f"Borda counts of {len(passes)} passes"
            yield Ranking(self.info, source.id, _spread(borda(passes), shown_as), note=note)


def _spread(tiers: Sequence[Sequence[str]], shown_as: dict[str, tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Tiers of the candidates shown to tiers of all: those with one text are tied."""
    return tuple(tuple(name for shown in tier for name in shown_as[shown]) for tier in tiers)
