"""GPTRank, list-wise (Liu et al. 2023): one answer ranks all summaries of a document.

The paper asks once, in one order. A judge that ranks lists can favour places: in the rankings that were released, the
summary in the last place is never the best of 600. So each pass shows the summaries in another order, and the passes
are joined by Borda counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from random import Random
from typing import TYPE_CHECKING

from ..errors import UserError
from ..records import Candidate, Failure, Group, JudgeInfo, Judgement, Ranking
from .asking import Answer, Question, ask_until_read, request_of
from .borda import borda
from .prompts import LISTWISE, JudgeTemplate, Lineup, line_up
from .protocol import EMPTY, NOTHING_TO_RANK
from .verdicts import Order, read_ranking

if TYPE_CHECKING:
    from ..endpoint.engine import Engine

Places = tuple[int, ...]  # entries of a lineup, in the order shown


@dataclass(frozen=True)
class ListwiseJudge:
    """Ranks each group `passes` times and joins what it said into one `Ranking` a group.

    With one pass that ranking holds the order shown and, in `note`, the answer with its explanation. With several, each
    pass is a ranking of its own, by the judge `NAME pass` (so that an analysis of places can read it, and nothing
    counts the same opinion twice), and the joined one is by `NAME`; its `note` says how many passes it is made of.
    A pass that cannot be read is a `Failure` of `NAME pass`; if none can, the group is one of `NAME`.

    With `permute`, the orders are those of `presentation_orders`, whatever the order in the group; without it, the
    group's own order is shown. Orders that recur are asked again (`Request.repeat`).

    Candidates with the same text are shown once, and tied. An empty one is a `Failure`, and so are those of a group
    with fewer than two different texts. If no answer came for a reason that may pass, the whole group is a `Failure`:
    a later run then asks it again, and completes it (what the engine remembers is not asked twice).

    `counts` are of all that was asked so far: passes, questions asked again, passes and groups without a ranking.
    """

    engine: Engine
    passes: int = 1
    seed: int = 0
    permute: bool = True
    template: JudgeTemplate = LISTWISE
    max_tokens: int = 1024
    temperature: float = 0.0
    retries: int = 1
    name: str = "gptrank"
    counts: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise UserError(f"a judge needs at least one pass, not {self.passes}")
        if self.retries < 0:
            raise UserError(f"expected 0 or more retries, found {self.retries}")
        if self.passes > 1 and not self.permute and self.temperature == 0:
            raise UserError("several passes in one order at temperature 0 ask the same question: permute the order")

    @cached_property
    def info(self) -> JudgeInfo:
        return JudgeInfo(self.name, self._settings())

    @cached_property
    def pass_info(self) -> JudgeInfo:
        """The judge of single passes; `info` if there is one pass only."""
        return JudgeInfo(f"{self.name} pass", self._settings()) if self.passes > 1 else self.info

    def _settings(self) -> dict[str, object]:
        return {
            "model": self.engine.name,
            "engine": dict(self.engine.settings),
            "prompt": self.template.hash,
            "passes": self.passes,
            "seed": self.seed,
            "permute": self.permute,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "retries": self.retries,
        }

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        lineups = [line_up(group, self.template) for group in groups]
        orders = [self._orders(group, lineup) for group, lineup in zip(groups, lineups)]
        questions = [
            question
            for group, lineup, shown in zip(groups, lineups, orders)
            for question in self._questions(group, lineup, shown)
        ]
        answers = iter(
            ask_until_read(self.engine, questions, retries=self.retries, note=f"{self.name}: asking {self.engine.name}")
        )
        return [
            list(self._judgements(group, lineup, shown, [next(answers) for _ in shown]))
            for group, lineup, shown in zip(groups, lineups, orders)
        ]

    def _orders(self, group: Group, lineup: Lineup) -> list[Places]:
        if len(lineup.entries) < 2:
            return []
        names = [entry[0].id for entry in lineup.entries]
        return presentation_orders(names, group.source.id, passes=self.passes, seed=self.seed, permute=self.permute)

    def _questions(self, group: Group, lineup: Lineup, orders: Sequence[Places]) -> Iterator[Question[Order]]:
        for turn, shown in enumerate(orders):
            count = len(shown)
            # The example is another one each time: a judge that copies it errs, but favours no place.
            draw = Random(f"example/{self.seed}/{group.source.id}/{turn}")
            example = ", ".join(map(str, draw.sample(range(1, count + 1), count)))
            summaries = [lineup.entries[entry][0].text for entry in shown]
            request = request_of(
                self.template.messages(group.source, summaries, example),
                max_tokens=self.max_tokens,
                temperature=self.temperature,
                seed=self.seed,
                # The numbers between are left for asking again.
                repeat=orders[:turn].count(shown) * (self.retries + 1),
            )
            form = f"Ranking: <the numbers 1 to {count}, each exactly once, best first, for example {example}>"
            yield Question(request, partial(read_ranking, count=count), form)

    def _judgements(
        self, group: Group, lineup: Lineup, orders: Sequence[Places], answers: Sequence[Answer[Order]]
    ) -> Iterator[Judgement]:
        source, entries = group.source.id, lineup.entries
        for candidate in lineup.empty:
            yield Failure(self.info, source, (candidate.id,), EMPTY)
        everyone = tuple(candidate.id for entry in entries for candidate in entry)
        if not orders:
            if everyone:
                yield Failure(self.info, source, everyone, NOTHING_TO_RANK)
            return
        read: list[tuple[Places, ...]] = []
        for turn, (shown, answer) in enumerate(zip(orders, answers, strict=True)):
            if answer.verdict is None:
                yield Failure(self.pass_info, source, everyone, answer.why, answer.text, repeat=turn)
                continue
            read.append(tuple(tuple(shown[number - 1] for number in tied) for tied in answer.verdict.tiers))
            yield Ranking(
                self.pass_info,
                source,
                _candidates(read[-1], entries),
                tuple(entries[entry][0].id for entry in shown),
                answer.text,
                repeat=turn,
            )
        self._count(answers)
        later = next((answer.why for answer in answers if answer.later), "")
        if self.passes == 1:
            return
        if later or not read:
            why = f"not all passes were answered: {later}" if later else f"no pass gave a ranking: {answers[0].why}"
            yield Failure(self.info, source, everyone, why, answers[0].text)
        else:
            note = f"Borda counts of {len(read)} of {len(orders)} passes"
            yield Ranking(self.info, source, _candidates(borda(read), entries), note=note)

    def _count(self, answers: Sequence[Answer[Order]]) -> None:
        failed = sum(answer.verdict is None for answer in answers)
        self.counts["passes"] += len(answers)
        self.counts["asked again"] += sum(answer.asked - 1 for answer in answers)
        self.counts["passes without a ranking"] += failed
        self.counts["groups"] += 1
        self.counts["groups without a ranking"] += failed == len(answers) or any(answer.later for answer in answers)


def presentation_orders(
    names: Sequence[str], source_id: str, *, passes: int, seed: int = 0, permute: bool = True
) -> list[Places]:
    """The order in which each pass shows the items, as places in `names`.

    An order is drawn by seed and source, and the passes rotate it by equal steps, so that each item stands early,
    in the middle and late; with as many passes as items, once at every place (a Latin square). That evens out a
    liking for places whatever its shape, which orders drawn pass by pass do only on average. More passes than items
    begin again with a new draw. The draw does not depend on the order of `names`: what was asked once is known again.
    """
    count = len(names)
    fixed = tuple(range(count))
    if not permute:
        return [fixed] * passes
    found: list[Places] = []
    while len(found) < passes:
        drawn = sorted(fixed, key=lambda place: names[place])
        Random(f"order/{seed}/{source_id}/{len(found)}").shuffle(drawn)
        turns = min(count, passes - len(found))
        steps = (turn * count // turns for turn in range(turns))
        found += [tuple(drawn[step:] + drawn[:step]) for step in steps]
    return found


def _candidates(tiers: Sequence[Places], entries: Sequence[Sequence[Candidate]]) -> tuple[tuple[str, ...], ...]:
    """Entries in tiers to candidate ids in tiers: all candidates of one entry have one text, so they are tied."""
    return tuple(tuple(candidate.id for entry in tied for candidate in entries[entry]) for tied in tiers)
