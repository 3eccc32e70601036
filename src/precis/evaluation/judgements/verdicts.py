"""What each judge says of texts, whatever its form: a value for each candidate, and a choice for each pair.

Scores and ratings are values as they are. A ranking gives each text the share of the others that it beats, ties ½; a
comparison gives 1, ½ or 0. Several judgements of one candidate by one judge are averaged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from ...records import Comparison, Failure, Group, Judgement, Ranking
from .agreement import Item, pair_votes
from .candidatemetrics import Metric, judge_metrics
from .choices import PERSON, judge_labels

PEOPLE = "people"


@dataclass(frozen=True)
class Verdicts:
    """One judge's `values` by candidate id, and `votes` on pairs (−1 the first, +1 the second, 0 a tie).

    A judge that only compares has votes, and values that are its shares of wins: of use where each text met about the
    same rivals. Any other judge has values only, and they decide its pairs. `failures` are what it gave no verdict on.
    """

    judge: str
    values: Mapping[str, float]
    votes: Mapping[Item, int] = field(default_factory=dict)
    compares: bool = False
    failures: int = 0

    def vote(self, item: Item) -> float:
        """Its choice between the item's two candidates; NaN where it has no say."""
        if self.compares:
            return float(self.votes.get(item, np.nan))
        _, first, second = item
        if first not in self.values or second not in self.values:
            return float("nan")
        return float(np.sign(self.values[second] - self.values[first]))


def verdicts_of(groups: Sequence[Group], rules: Mapping[str, Metric] | None = None) -> dict[str, Verdicts]:
    """`Verdicts` of every judge that scored, rated (one an axis), ranked or compared the groups' candidates, after
    those of `rules`, whose names they do not take over.

    Of one judge scores count before rankings and rankings before comparisons: they are one opinion in several forms.
    The persons are one judge, `people`.
    """
    labels = judge_labels(said.judge for group in groups for said in group.judgements)

    def name_of(said: Judgement) -> str:
        return PEOPLE if said.judge.name.startswith(PERSON) else labels[said.judge.id]

    ranked: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    compared: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    choices: dict[str, list[Comparison]] = defaultdict(list)
    failures: dict[str, int] = defaultdict(int)
    for group in groups:
        for said in group.judgements:
            name = name_of(said)
            failures[name] += isinstance(said, Failure)
            if isinstance(said, Ranking):
                for candidate, share in _beaten(said).items():
                    ranked[name][candidate].append(share)
            elif isinstance(said, Comparison):
                won = {"a": 1.0, "tie": 0.5, "b": 0.0}[said.choice]
                compared[name][said.a].append(won)
                compared[name][said.b].append(1 - won)
                choices[name].append(said)
    found = {name: Verdicts(name, metric.values) for name, metric in (rules or {}).items()}
    for name, metric in judge_metrics(groups).items():
        found.setdefault(name, Verdicts(name, metric.values, failures=failures[name]))
    for name, values in ranked.items():
        found.setdefault(name, Verdicts(name, _means(values), failures=failures[name]))
    for name, values in compared.items():
        votes = _votes(choices[name])
        found.setdefault(name, Verdicts(name, _means(values), votes, True, failures[name]))
    return found


def _beaten(ranking: Ranking) -> dict[str, float]:
    """Each candidate's share of the others that it beats, ties ½; a ranking of one says nothing."""
    tier = {candidate: place for place, tied in enumerate(ranking.tiers) for candidate in tied}
    wins = dict.fromkeys(tier, 0.0)
    for one, other in combinations(tier, 2):
        won = 0.5 + 0.5 * float(np.sign(tier[other] - tier[one]))
        wins[one] += won
        wins[other] += 1 - won
    return {candidate: won / (len(tier) - 1) for candidate, won in wins.items()} if len(tier) > 1 else {}


def _votes(choices: Sequence[Comparison]) -> Mapping[Item, int]:
    """Majorities over all comparisons of one judge, or of all people together."""
    votes: dict[Item, int] = defaultdict(int)
    for own in pair_votes(choices).votes.values():
        for item, sign in own.items():
            votes[item] += sign
    return {item: int(np.sign(total)) for item, total in votes.items()}


def _means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    # Shares that are equal differ in their last digit by the order of their sum, and a tie would be a preference.
    return {candidate: round(float(np.mean(repeats)), 12) for candidate, repeats in values.items()}
