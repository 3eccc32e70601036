"""Groups with the candidates that are chosen: the best, a random one, the accepted, the references, the different."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..records import Candidate, Group, JudgeInfo
from ..textmetrics import lcs_length, words
from .core import Selection, only, selection_of
from .rankings import ranks_of
from .scores import scores_of


def best_of(groups: Iterable[Group], judge: JudgeInfo | str, *, n: int | None = None) -> Selection:
    """Groups with the one candidate that `judge` scores highest among the first `n` (Stiennon et al. 2020, §4.3), or
    ranks first, where it ranks and scores none.

    Of equal scores the earlier candidate is taken (counted as `tied`); candidates without a score are passed over
    (`failed`); a group without any score is left out (`unjudged`).
    """
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group in groups:
        counts["groups"] += 1
        scores = scores_of(group, judge)[:n]
        if all(score is None for score in scores):
            ranks, _ = ranks_of(group, judge)
            scores = [float(-ranks[c.id]) if c.id in ranks else None for c in group.candidates][:n]
        counts["failed"] += sum(score is None for score in scores)
        known = [score for score in scores if score is not None]
        if not known:
            counts["unjudged"] += 1
            continue
        best = max(known)
        counts["tied"] += known.count(best) > 1
        kept.append(only(group, scores.index(best)))
    return selection_of(kept, counts)


def random_of(groups: Iterable[Group], *, seed: int) -> Selection:
    """Groups with one candidate drawn at random: what best-of-N is compared with. Empty candidates take part."""
    kept: list[Group] = []
    counts: Counter[str] = Counter()
    for group in groups:
        counts["groups"] += 1
        if group.candidates:
            draw = random.Random(f"{seed}/{group.source.id}").randrange(len(group.candidates))
            kept.append(only(group, draw))
    return selection_of(kept, counts)


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
    return selection_of(kept, counts)


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
    return selection_of(kept, counts)


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
    return selection_of(kept, counts)


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
