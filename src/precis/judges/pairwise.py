"""GPTRank, pairwise (Liu et al. 2023): which of two summaries of a document is better, 1 or 2 or tie.

The paper's code shuffles the two once and asks once. Here each pair is asked in both orders, and each answer is a
comparison of its own that says what was shown first. Nothing is joined, since nothing needs to be: answers that
change with the order are one vote each way, so a win rate counts them as a tie, `selection` makes no pair of them
(`contradicted`, apart from `tied`) and `judgements.position` says what the first place is worth. A tie that was *said*
is the choice `tie`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from random import Random
from typing import TYPE_CHECKING, Literal

from ..errors import UserError
from ..records import Candidate, Comparison, Failure, Group, JudgeInfo, Judgement, content_hash
from .asking import Answer, Question, ask_until_read, request_of
from .prompts import PAIRWISE, JudgeTemplate, Lineup, line_up
from .protocol import EMPTY, NOT_DRAWN, NOTHING_TO_COMPARE
from .verdicts import Decision, read_decision

if TYPE_CHECKING:
    from ..endpoint.engine import Engine

Side = Literal["a", "b"]
_FORM = "Decision: 1 or 2 or tie"


@dataclass(frozen=True)
class _Asked:
    """One pair in one order."""

    a: Candidate
    b: Candidate
    first: Side


@dataclass(frozen=True)
class PairwiseJudge:
    """Compares the candidates of each group two by two, each pair in both orders, or in one that the seed draws.

    `pairs` are all pairs of a group, or those named, as candidate ids in either order; with `pairs_per_group` at most
    that many of them, drawn by the seed. Candidates with the same text are not compared with each other, and each
    question about two texts is asked once, however many candidates have them. An order without a verdict is a
    `Failure`, the other order's comparison stands. An empty candidate, and one that no pair names, is a `Failure`.
    If an answer is missing for a reason that may pass, the whole group is a `Failure`: a later run then asks it again,
    and completes it (what the engine remembers is not asked twice).

    `counts` are of all that was asked so far: orders, questions asked again, orders without a verdict; and pairs with
    a verdict in both orders, of which `changed with the order` went one way and then the other, and `a tie in one
    order` the half of it.
    """

    engine: Engine
    both_orders: bool = True
    pairs: Literal["all"] | Collection[tuple[str, str]] = "all"
    pairs_per_group: int | None = None
    seed: int = 0
    template: JudgeTemplate = PAIRWISE
    max_tokens: int = 1024
    temperature: float = 0.0
    retries: int = 1
    name: str = "pairwise"
    counts: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.retries < 0:
            raise UserError(f"expected 0 or more retries, found {self.retries}")
        if isinstance(self.pairs, str) and self.pairs != "all":
            raise UserError(f"expected 'all' or a list of pairs of candidate ids, found {self.pairs!r}")

    @cached_property
    def _named(self) -> frozenset[frozenset[str]] | None:
        return None if isinstance(self.pairs, str) else frozenset(map(frozenset, self.pairs))

    @cached_property
    def info(self) -> JudgeInfo:
        # Which pairs were asked belongs to the judge: by it the store knows which work is done.
        pairs = "all" if self._named is None else content_hash("p", sorted(sorted(pair) for pair in self._named))
        settings = {
            "model": self.engine.name,
            "engine": dict(self.engine.settings),
            "prompt": self.template.hash,
            "both_orders": self.both_orders,
            "pairs": pairs,
            "pairs_per_group": self.pairs_per_group,
            "seed": self.seed,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "retries": self.retries,
        }
        return JudgeInfo(self.name, settings)

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        lineups = [line_up(group, self.template) for group in groups]
        asked = [list(self._asked(group, lineup)) for group, lineup in zip(groups, lineups)]
        questions = [self._question(group, one) for group, own in zip(groups, asked) for one in own]
        answers = iter(
            ask_until_read(self.engine, questions, retries=self.retries, note=f"{self.name}: asking {self.engine.name}")
        )
        return [
            list(self._judgements(group, lineup, [(one, next(answers)) for one in own]))
            for group, lineup, own in zip(groups, lineups, asked)
        ]

    def _asked(self, group: Group, lineup: Lineup) -> Iterator[_Asked]:
        pairs = [
            (a, b)
            for one, other in combinations(lineup.entries, 2)
            for a in one
            for b in other
            if self._named is None or frozenset((a.id, b.id)) in self._named
        ]
        draw = Random(f"pairs/{self.seed}/{group.source.id}")
        if self.pairs_per_group is not None and len(pairs) > self.pairs_per_group:
            pairs = draw.sample(pairs, self.pairs_per_group)
        for a, b in pairs:
            order: tuple[Side, ...] = ("a", "b")
            for first in order if self.both_orders else (draw.choice(order),):
                yield _Asked(a, b, first)

    def _question(self, group: Group, one: _Asked) -> Question[Decision]:
        shown = (one.a, one.b) if one.first == "a" else (one.b, one.a)
        messages = self.template.messages(group.source, [candidate.text for candidate in shown], "2, 1")
        request = request_of(messages, max_tokens=self.max_tokens, temperature=self.temperature, seed=self.seed)
        return Question(request, read_decision, _FORM)

    def _judgements(
        self, group: Group, lineup: Lineup, asked: Sequence[tuple[_Asked, Answer[Decision]]]
    ) -> Iterator[Judgement]:
        source = group.source.id
        self._count(asked)
        if later := next((answer.why for _, answer in asked if answer.later), ""):
            why = f"not all pairs were answered: {later}"
            yield from (Failure(self.info, source, (candidate.id,), why) for candidate in group.candidates)
            return
        for one, answer in asked:
            if answer.verdict is None:
                yield Failure(self.info, source, (one.a.id, one.b.id), answer.why, answer.text)
            else:
                choice = _choice(one, answer.verdict)
                yield Comparison(
                    self.info, source, one.a.id, one.b.id, choice, shown_first=one.first, note=answer.text
                )  # fmt: skip
        named = {candidate.id for one, _ in asked for candidate in (one.a, one.b)}
        why = NOT_DRAWN
        if len(lineup.entries) < 2:
            why = NOTHING_TO_COMPARE
        for candidate in group.candidates:
            if candidate.id not in named:
                yield Failure(
                    self.info, source, (candidate.id,), EMPTY if candidate.is_empty else why
                )  # fmt: skip

    def _count(self, asked: Sequence[tuple[_Asked, Answer[Decision]]]) -> None:
        said: dict[tuple[str, str], list[str]] = {}
        for one, answer in asked:
            self.counts["orders"] += 1
            self.counts["asked again"] += answer.asked - 1
            if answer.verdict is None:
                self.counts["orders without a verdict"] += 1
            else:
                said.setdefault((one.a.id, one.b.id), []).append(_choice(one, answer.verdict))
        both = [set(choices) for choices in said.values() if len(choices) == 2]
        self.counts["pairs in both orders"] += len(both)
        self.counts["changed with the order"] += sum(choices == {"a", "b"} for choices in both)
        self.counts["a tie in one order"] += sum(len(choices) == 2 and "tie" in choices for choices in both)


def _choice(one: _Asked, decision: Decision) -> Literal["a", "b", "tie"]:
    """The side of the summary that the judge knows by its number."""
    if decision == "tie":
        return "tie"
    return one.first if decision == "1" else "b" if one.first == "a" else "a"
