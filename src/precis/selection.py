"""Judgements → groups to train on: the best one, pairs, rankings, the accepted ones.

A tie or a failure makes no pair and no winner; each is counted in `Selection.counts`, so that a report can say
what became of every judged group. Methods differ by which of these functions they name.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from .records import Candidate, Comparison, Failure, Group, JudgeInfo, Preference, Ranking, Rating, Score
from .textmetrics import lcs_length, words


@dataclass(frozen=True)
class Selection:
    """Groups that are fit to train on, and what happened to the others.

    `counts` has `groups` (given) and `kept`, and one entry a reason for what was left out: `tied`, `failed`
    (candidates without a verdict), `contradicted`, `empty`, …
    """

    groups: tuple[Group, ...]
    counts: Mapping[str, int]

    def __str__(self) -> str:
        rest = ", ".join(f"{count:,} {what}" for what, count in self.counts.items() if what not in ("groups", "kept"))
        return f"{self.counts['kept']:,} of {self.counts['groups']:,} groups kept" + (f" ({rest})" if rest else "")


def scores_of(group: Group, judge: JudgeInfo | str) -> list[float | None]:
    """Each candidate's score by one judge (its name, or its exact settings); None where the judge gave none.

    Several scores of one candidate (repeats) are averaged.
    """
    values: dict[str, list[float]] = {}
    for judgement in group.judgements:
        if isinstance(judgement, Score) and _is_by(judgement.judge, judge):
            values.setdefault(judgement.candidate, []).append(judgement.value)
    return [sum(found) / len(found) if (found := values.get(c.id)) else None for c in group.candidates]


def ratings_of(group: Group, judge: JudgeInfo | str, axes: Sequence[str]) -> list[float | None]:
    """Each candidate's mean rating over `axes` by one judge; None where an axis has no rating.

    Several ratings of one candidate on one axis are averaged first.
    """
    values: dict[tuple[str, str], list[float]] = {}
    for judgement in group.judgements:
        if isinstance(judgement, Rating) and _is_by(judgement.judge, judge):
            values.setdefault((judgement.candidate, judgement.axis), []).append(judgement.value)
    found: list[float | None] = []
    for candidate in group.candidates:
        own = [values.get((candidate.id, axis)) for axis in axes]
        found.append(sum(sum(given) / len(given) for given in own if given) / len(own) if own and all(own) else None)
    return found


def axes_of(groups: Iterable[Group], judge: JudgeInfo | str) -> tuple[str, ...]:
    """The axes on which a judge rated anything, by name."""
    return tuple(
        sorted(
            {
                judgement.axis
                for group in groups
                for judgement in group.judgements
                if isinstance(judgement, Rating) and _is_by(judgement.judge, judge)
            }
        )
    )


def _is_by(info: JudgeInfo, judge: JudgeInfo | str) -> bool:
    return info.name == judge if isinstance(judge, str) else info.id == judge.id


def best_of(groups: Iterable[Group], judge: JudgeInfo | str, *, n: int | None = None) -> Selection:
    """Groups with the one candidate that `judge` scores highest among the first `n` (Stiennon et al. 2020, §4.3).

    Of equal scores the earlier candidate is taken (counted as `tied`); candidates without a score are passed over
    (`failed`); a group without any score is left out (`unjudged`).
    """
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group in groups:
        counts["groups"] += 1
        scores = scores_of(group, judge)[:n]
        counts["failed"] += sum(score is None for score in scores)
        known = [score for score in scores if score is not None]
        if not known:
            counts["unjudged"] += 1
            continue
        best = max(known)
        counts["tied"] += known.count(best) > 1
        kept.append(_only(group, scores.index(best)))
    return _selection(kept, counts)


def random_of(groups: Iterable[Group], *, seed: int) -> Selection:
    """Groups with one candidate drawn at random: what best-of-N is compared with. Empty candidates take part."""
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group in groups:
        counts["groups"] += 1
        if group.candidates:
            draw = random.Random(f"{seed}/{group.source.id}").randrange(len(group.candidates))
            kept.append(_only(group, draw))
    return _selection(kept, counts)


def accepted(groups: Iterable[Group], judge: JudgeInfo | str, *, at_least: float) -> Selection:
    """Groups with the candidates whose score reaches `at_least`; groups without one are left out (`rejected`)."""
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group in groups:
        counts["groups"] += 1
        scores = scores_of(group, judge)
        counts["failed"] += sum(score is None for score in scores)
        chosen = [c for c, score in zip(group.candidates, scores) if score is not None and score >= at_least]
        if chosen:
            kept.append(replace(group, candidates=tuple(chosen), preferences=(), ranks=None))
        else:
            counts["rejected"] += 1
    return _selection(kept, counts)


def reference_groups(groups: Iterable[Group]) -> Selection:
    """Groups whose candidates are the source's reference summaries: what supervised fine-tuning imitates."""
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group in groups:
        counts["groups"] += 1
        if group.references:
            kept.append(replace(group, candidates=group.references, judgements=(), preferences=(), ranks=None))
        else:
            counts["without reference"] += 1
    return _selection(kept, counts)


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
    return _selection(kept, counts)


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
    return _selection(kept, counts)


def _sureness(comparison: Comparison) -> float:
    """From 0.25 ("possibly") to 1 ("definitely"): the nine-point scale has its indifference at 5."""
    return 1.0 if comparison.confidence is None else abs(comparison.confidence - 5) / 4


def rankings(groups: Iterable[Group], judge: JudgeInfo | str) -> Selection:
    """Groups with dense ranks by score (0 is best, equal scores share a rank); unscored candidates are dropped.

    A group whose candidates are all tied, or with fewer than two, orders nothing and is left out.
    """
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group in groups:
        counts["groups"] += 1
        scores = scores_of(group, judge)
        counts["failed"] += sum(score is None for score in scores)
        scored = [(candidate, score) for candidate, score in zip(group.candidates, scores) if score is not None]
        levels = sorted({score for _, score in scored}, reverse=True)
        if len(levels) < 2:
            counts["all tied"] += 1
            continue
        ranks = tuple(levels.index(score) for _, score in scored)
        kept.append(replace(group, candidates=tuple(c for c, _ in scored), preferences=(), ranks=ranks))
    return _selection(kept, counts)


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


def _only(group: Group, index: int) -> Group:
    chosen: Candidate = group.candidates[index]
    return replace(group, candidates=(chosen,), preferences=(), ranks=None)


def _selection(kept: Sequence[Group], counts: Counter[str]) -> Selection:
    counted = {"groups": counts.pop("groups", 0), "kept": len(kept)}
    return Selection(tuple(kept), {**counted, **{what: count for what, count in sorted(counts.items()) if count}})


def distinct(groups: Iterable[Group], *, n: int) -> Selection:
    """Groups with at most `n` candidates that differ: no text twice, and the most diverse of the others.

    Dropped are candidates without a word (`empty`), then texts that a more probable candidate has too, white space
    aside (`duplicates`). The most probable candidate is chosen first; then, again and again, the one whose greatest
    ROUGE-L F1 (of Unicode words, not stemmed) with a chosen one is least; the others are counted as `beyond n`. Of
    equals the more probable is taken, then the earlier; without log-probabilities all are equally probable. What is
    kept stays in the group's order.
    """
    if n < 1:
        raise ValueError(f"n is {n}; a group keeps at least 1 candidate")
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group in groups:
        counts["groups"] += 1
        place_of: dict[str, int] = {}
        for place, candidate in sorted(enumerate(group.candidates), key=_improbability):
            text = " ".join(candidate.text.split())
            if not words(text):
                counts["empty"] += 1
            elif place_of.setdefault(text, place) != place:
                counts["duplicates"] += 1
        different = list(place_of.values())
        chosen = sorted(different[number] for number in _farthest_first([words(text) for text in place_of], n))
        counts["beyond n"] += len(different) - len(chosen)
        if not chosen:
            counts["without candidates"] += 1
            continue
        kept.append(
            replace(group, candidates=tuple(group.candidates[place] for place in chosen), preferences=(), ranks=None)
        )
    return _selection(kept, counts)


def _improbability(placed: tuple[int, Candidate]) -> float:
    """Least for the most probable; greatest where no log-probability is known."""
    return float("inf") if placed[1].logp is None else -placed[1].logp


def _farthest_first(texts: Sequence[Sequence[str]], n: int) -> list[int]:
    """The places of the first text and of up to n - 1 others, each as unlike the ones before it as can be."""
    left, chosen = list(range(len(texts))), list[int]()
    likeness = [0.0] * len(texts)
    while left and len(chosen) < n:
        latest = min(left, key=likeness.__getitem__)
        left.remove(latest)
        chosen.append(latest)
        for place in left:
            rouge_l = 2 * lcs_length(texts[place], texts[latest]) / (len(texts[place]) + len(texts[latest]))
            likeness[place] = max(likeness[place], rouge_l)
    return chosen


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
        own = {candidate.id for candidate in group.candidates}
        said = [j for j in group.judgements if isinstance(j, Ranking) and _is_by(j.judge, judge)]
        if not said:
            counts["unjudged"] += 1
            continue
        counts["superseded"] += len(said) - 1
        best = max(reversed(said), key=lambda ranking: len(own.intersection(ranking.candidate_ids)))
        tiers = [present for tier in best.tiers if (present := own.intersection(tier))]
        counts["failed"] += len(own) - sum(map(len, tiers))
        if len(tiers) < 2:
            counts["all tied"] += 1
            continue
        rank = {candidate: place for place, tier in enumerate(tiers) for candidate in tier}
        candidates = tuple(candidate for candidate in group.candidates if candidate.id in rank)
        ranks = tuple(rank[candidate.id] for candidate in candidates)
        kept.append(replace(group, candidates=candidates, preferences=(), ranks=ranks))
    return _selection(kept, counts)
