"""Groups with dense ranks, from a judge's scores or its rankings, and with what is imitated beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..records import Candidate, Group, JudgeInfo, Ranking
from .core import Selection, is_by, selection_of
from .scores import scores_of


def rankings(groups: Iterable[Group], judge: JudgeInfo | str) -> Selection:
    """Groups with dense ranks by score (0 is best, equal scores share a rank); unscored candidates are dropped.

    A group without a score (`unjudged`), or whose candidates are all tied, or with fewer than two, orders nothing and
    is left out.
    """
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group in groups:
        counts["groups"] += 1
        scores = scores_of(group, judge)
        counts["failed"] += sum(score is None for score in scores)
        if all(score is None for score in scores):
            counts["unjudged"] += 1
            continue
        scored = [(candidate, score) for candidate, score in zip(group.candidates, scores) if score is not None]
        levels = sorted({score for _, score in scored}, reverse=True)
        if len(levels) < 2:
            counts["all tied"] += 1
            continue
        ranks = tuple(levels.index(score) for _, score in scored)
        kept.append(replace(group, candidates=tuple(c for c, _ in scored), preferences=(), ranks=ranks))
    return selection_of(kept, counts)


def ranked(groups: Iterable[Group], judge: JudgeInfo | str) -> Selection:
    """Groups with dense ranks (0 is best, a tier shares one) from a judge's `Ranking`; `rankings` reads scores.

    Of several rankings of a group, the one that ranks most of its candidates is taken, and of equals the last
    (the others are `superseded`). Candidates that it does not rank are dropped (`failed`); a group without a
    ranking (`unjudged`), or with fewer than two tiers (`all tied`), orders nothing and is left out.
    """
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group in groups:
        counts["groups"] += 1
        rank, superseded = ranks_of(group, judge)
        counts["superseded"] += superseded
        if not rank:
            counts["unjudged"] += 1
            continue
        counts["failed"] += len({candidate.id for candidate in group.candidates}) - len(rank)
        if len(set(rank.values())) < 2:
            counts["all tied"] += 1
            continue
        candidates = tuple(candidate for candidate in group.candidates if candidate.id in rank)
        ranks = tuple(rank[candidate.id] for candidate in candidates)
        kept.append(replace(group, candidates=candidates, preferences=(), ranks=ranks))
    return selection_of(kept, counts)


def ranks_of(group: Group, judge: JudgeInfo | str) -> tuple[dict[str, int], int]:
    """Dense ranks by candidate id from the ranking that ranks most of the group's candidates, and how many other
    rankings there are; of rankings that rank as many, the last. Nothing where the judge ranked none of them."""
    own = {candidate.id for candidate in group.candidates}
    said = [j for j in group.judgements if isinstance(j, Ranking) and is_by(j.judge, judge)]
    if not said:
        return {}, 0
    best = max(reversed(said), key=lambda ranking: len(own.intersection(ranking.candidate_ids)))
    tiers = [present for tier in best.tiers if (present := own.intersection(tier))]
    return {candidate: place for place, tier in enumerate(tiers) for candidate in tier}, len(said) - 1


def beside(groups: Iterable[Group], imitated: Mapping[str, Sequence[Candidate]]) -> Selection:
    """Ranked groups with the candidates to imitate beside them: these have no rank, and their likelihood rises.

    `imitated` is by source id. A group without any (`nothing to imitate`) is left out; a ranked candidate that is
    itself to be imitated keeps its rank.
    """
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group in groups:
        counts["groups"] += 1
        wanted = [candidate for candidate in imitated.get(group.source.id, ()) if not candidate.is_empty]
        if not wanted:
            counts["nothing to imitate"] += 1
            continue
        place = {candidate.id: number for number, candidate in enumerate(group.candidates)}
        added = tuple(candidate for candidate in wanted if candidate.id not in place)
        numbers = {candidate.id: len(place) + number for number, candidate in enumerate(added)} | place
        ranks = (*(group.ranks or (None,) * len(place)), *(None for _ in added))
        kept.append(
            replace(
                group,
                candidates=(*group.candidates, *added),
                ranks=ranks,
                imitated=tuple(numbers[candidate.id] for candidate in wanted),
            )
        )
    return selection_of(kept, counts)
