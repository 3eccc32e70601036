"""Groups with pairs of candidates, of which one is better."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations

from ..records import Comparison, Failure, Group, JudgeInfo, Preference
from .core import Selection, selection_of
from .scores import axes_of, ratings_of, scores_of


def pairs_from_scores(
    groups: Iterable[Group],
    judge: JudgeInfo | str,
    *,
    min_gap: float = 0.0,
    per_group: int | None = None,
    margin: float = 0.0,
    seed: int = 0,
) -> Selection:
    """Groups with every pair of candidates whose scores differ by more than `min_gap`, the higher one chosen.

    With `per_group`, at most that many pairs a group, drawn at random. Candidates that no pair names are dropped
    from the group, so that nothing is computed for them. A pair's `margin` is `margin` times its difference in score.
    """
    return _pairs_by_value(
        [(group, scores_of(group, judge)) for group in groups],
        min_gap=min_gap,
        per_group=per_group,
        margin=margin,
        seed=seed,
    )


def pairs_from_ratings(
    groups: Iterable[Group],
    judge: JudgeInfo | str,
    *,
    axes: Sequence[str] = (),
    min_gap: float = 0.0,
    per_group: int | None = None,
    margin: float = 0.0,
    seed: int = 0,
) -> Selection:
    """`pairs_from_scores` with the mean rating over `axes` as the score: over all the judge rated on, if none is named.

    A candidate without a rating on each of them makes no pair (`failed`).
    """
    groups = list(groups)
    named = axes or axes_of(groups, judge)
    return _pairs_by_value(
        [(group, ratings_of(group, judge, named)) for group in groups],
        min_gap=min_gap,
        per_group=per_group,
        margin=margin,
        seed=seed,
    )


def _pairs_by_value(
    valued: Sequence[tuple[Group, Sequence[float | None]]],
    *,
    min_gap: float,
    per_group: int | None,
    margin: float,
    seed: int,
) -> Selection:
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group, values in valued:
        counts["groups"] += 1
        counts["failed"] += sum(value is None for value in values)
        pairs = []
        for (i, a), (j, b) in combinations([(k, v) for k, v in enumerate(values) if v is not None], 2):
            if abs(a - b) <= min_gap or group.candidates[i].text == group.candidates[j].text:
                counts["tied"] += 1
            else:
                chosen, rejected = (i, j) if a > b else (j, i)
                pairs.append(Preference(chosen, rejected, margin=margin * abs(a - b)))
        if per_group is not None and len(pairs) > per_group:
            pairs = random.Random(f"{seed}/{group.source.id}").sample(pairs, per_group)
        _keep_pairs(group, pairs, kept, counts)
    return selection_of(kept, counts)


def pairs_from_comparisons(
    groups: Iterable[Group], judges: Sequence[str] = (), *, weigh: bool = False, margin: float = 0.0
) -> Selection:
    """Groups with one preference a compared pair, by majority over the judges named (all, if none are).

    A tie, or as many votes one way as the other (`contradicted`), makes no pair. By default `weight` is 1 whatever
    the confidence: filtering by it did not help (Stiennon et al. 2020, appendix C). With `weigh` a pair weighs the mean
    sureness of the votes for its winner, and `margin` times that is its margin. Sureness is the confidence's distance
    from indifference on the nine-point scale over the greatest possible, so 1 is "definitely"; a vote without a
    confidence counts as sure, in `unsaid confidence`.
    """
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group in groups:
        counts["groups"] += 1
        place = {candidate.id: index for index, candidate in enumerate(group.candidates)}
        votes: dict[tuple[int, int], list[tuple[int, float]]] = {}
        for judgement in group.judgements:
            if judges and judgement.judge.name not in judges:
                continue
            if isinstance(judgement, Failure):
                counts["failed"] += 1
            if not isinstance(judgement, Comparison):
                continue
            if judgement.a not in place or judgement.b not in place:
                counts["candidate missing"] += 1
            elif judgement.choice == "tie":
                counts["tied"] += 1
            elif group.candidates[place[judgement.a]].text == group.candidates[place[judgement.b]].text:
                counts["same text"] += 1
            else:
                winner, loser = (judgement.a, judgement.b) if judgement.choice == "a" else (judgement.b, judgement.a)
                i, j = place[winner], place[loser]
                counts["unsaid confidence"] += (weigh or margin > 0) and judgement.confidence is None
                vote = (1 if i < j else -1, _sureness(judgement))
                votes.setdefault((min(i, j), max(i, j)), []).append(vote)
        pairs = []
        for (i, j), cast in votes.items():
            sign = sum(side for side, _ in cast)
            if not sign:
                counts["contradicted"] += 1
                continue
            sure = [sureness for side, sureness in cast if side * sign > 0]
            sureness = sum(sure) / len(sure)
            chosen, rejected = (i, j) if sign > 0 else (j, i)
            pairs.append(Preference(chosen, rejected, weight=sureness if weigh else 1.0, margin=margin * sureness))
        _keep_pairs(group, pairs, kept, counts)
    return selection_of(kept, counts)


def _sureness(comparison: Comparison) -> float:
    """From 0.25 ("possibly") to 1 ("definitely"): the nine-point scale has its indifference at 5."""
    return 1.0 if comparison.confidence is None else abs(comparison.confidence - 5) / 4


def _keep_pairs(group: Group, pairs: Sequence[Preference], kept: list[Group], counts: Counter[str]) -> None:
    if not pairs:
        counts["without pair"] += 1
        return
    used = sorted({index for pair in pairs for index in (pair.chosen, pair.rejected)})
    place = {index: position for position, index in enumerate(used)}
    counts["pairs"] += len(pairs)
    kept.append(
        replace(
            group,
            candidates=tuple(group.candidates[index] for index in used),
            preferences=tuple(replace(p, chosen=place[p.chosen], rejected=place[p.rejected]) for p in pairs),
            ranks=None,
        )
    )


def pairs_from_ranks(groups: Iterable[Group]) -> Selection:
    """Ranked groups with every pair of candidates whose ranks differ, the better one chosen; equal ranks are `tied`.

    Candidates without a rank make no pair, and neither do two of the same text (`tied`).
    """
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group in groups:
        counts["groups"] += 1
        known = [(rank, number) for number, rank in enumerate(group.ranks or ()) if rank is not None]
        pairs = []
        for (rank, better), (other, worse) in combinations(sorted(known), 2):
            if rank == other or group.candidates[better].text == group.candidates[worse].text:
                counts["tied"] += 1
            else:
                pairs.append(Preference(better, worse))
        _keep_pairs(group, pairs, kept, counts)
    return selection_of(kept, counts)
