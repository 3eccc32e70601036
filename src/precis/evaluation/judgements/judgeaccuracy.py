"""Does a judge choose as people did? Beside what knows nothing of the text but its length, copying, ROUGE, or a coin.

Stiennon et al. 2020, §4.3 and appendix G. Each comparison of a person counts once; intervals resample documents;
gains are paired on the comparisons that both have a score for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..events import event_difference, event_share
from ..rewardmodel import LENGTH_CLASSES, Accuracy, Calibration, calibration, length_classes
from ..statistics import RESAMPLES, Difference, Estimate
from .candidatemetrics import RULES, Metric, margin
from .choices import Choice, oriented, systems_in, word_counts
from .drift import natural

Floats = NDArray[np.float64]

OTHER_LABELERS, COIN = "the other labelers", "a coin"
CONFIDENCES = {1: "slightly (4 or 6)", 2: "somewhat (3 or 7)", 3: "much (2 or 8)", 4: "surely (1 or 9)"}


@dataclass(frozen=True)
class JudgeAccuracy:
    """`overall` is the judge, then each baseline; `gains` are the judge minus each baseline.

    `indifferent` and `identical` (the same text twice) comparisons have no right answer and take no part. `by` is
    the judge's accuracy by batch, systems compared, confidence and length class. `calibration` needs scores that
    are log-odds, as a reward model's are; `no_calibration` says why there is none.
    """

    judge: str
    scale: str
    comparisons: int
    indifferent: int
    identical: int
    overall: tuple[Accuracy, ...]
    gains: tuple[Difference, ...]
    by: Mapping[str, tuple[Accuracy, ...]]
    calibration: Calibration | None
    no_calibration: str = ""


def judge_accuracy(
    choices: Sequence[Choice],
    judge: Metric,
    rules: Mapping[str, Metric],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> JudgeAccuracy:
    """`JudgeAccuracy` of `judge` against people's `choices`; `rules` are `candidatemetrics.rule_metrics`."""
    sure = [choice for choice in choices if choice.outcome != 0.5 and not choice.identical]
    names, words = systems_in(choices), word_counts(choices)
    documents = [choice.document for choice in sure]
    margins = {judge.name: _margins(sure, judge)}
    margins |= {name: _margins(sure, rules[name]) for name in RULES if name != judge.name}
    margins[COIN] = np.zeros(len(sure))
    margins[OTHER_LABELERS] = _others(sure)
    own = margins[judge.name]

    def scored(name: str, values: Floats, rows: Sequence[int] | None = None) -> Accuracy:
        at = range(len(sure)) if rows is None else rows
        return pooled_accuracy(name, values[list(at)], [documents[n] for n in at], resamples=resamples, seed=seed)

    def by(classes: Sequence[str | None], order: Sequence[str]) -> tuple[Accuracy, ...]:
        rows: dict[str, list[int]] = defaultdict(list)
        for n, label in enumerate(classes):
            if label is not None:
                rows[label].append(n)
        return tuple(scored(label, own, rows[label]) for label in order if label in rows)

    batches = [choice.batch or None for choice in sure]
    pairs = [" / ".join(oriented(names[c.a.maker.id], names[c.b.maker.id])) for c in sure]
    usable = judge.scale == "reward"
    return JudgeAccuracy(
        judge=judge.name,
        scale=judge.scale,
        comparisons=len(choices),
        indifferent=sum(choice.outcome == 0.5 for choice in choices),
        identical=sum(choice.identical for choice in choices),
        overall=tuple(scored(name, values) if name != COIN else _coin(documents) for name, values in margins.items()),
        gains=tuple(
            gain_over(judge.name, own, name, values, documents, resamples=resamples, seed=seed)
            for name, values in margins.items()
            if name != judge.name
        ),
        by={
            "batch": by(batches, sorted({batch for batch in batches if batch}, key=natural)),
            "systems": by(pairs, sorted(set(pairs))),
            "confidence": by([CONFIDENCES.get(c.strength or 0) for c in sure], list(CONFIDENCES.values())),
            "length": by(length_classes(_log_ratios(sure, words)), LENGTH_CLASSES),
        },
        calibration=calibration(own, documents, resamples=resamples, seed=seed) if usable else None,
        no_calibration="" if usable else f"scores in {judge.scale or 'a unit without a name'} are no log-odds",
    )


def _coin(documents: Sequence[str]) -> Accuracy:
    """What a coin is worth, without the luck of one throw."""
    return Accuracy(COIN, Estimate(0.5, n=len(set(documents)), why="by definition"), len(documents), 0, 0)


def _margins(choices: Sequence[Choice], metric: Metric) -> Floats:
    """Value of the chosen minus value of the rejected."""
    signs = [1 if choice.outcome == 1 else -1 for choice in choices]
    values = [margin(metric, c.a.id, c.b.id, same_system=c.same_system) for c in choices]
    return np.array(signs, dtype=np.float64) * np.array(values, dtype=np.float64)


def _others(choices: Sequence[Choice]) -> Floats:
    """The sum of the other labelers' votes on the same pair, towards what this one chose; NaN without another."""
    votes: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for choice in choices:
        votes[choice.item][choice.labeler] += choice.vote
    found = []
    for choice in choices:
        others = {name: vote for name, vote in votes[choice.item].items() if name != choice.labeler}
        total = sum(int(vote > 0) - int(vote < 0) for vote in others.values())
        found.append(float(total * choice.vote) if others else float("nan"))
    return np.array(found)


def _log_ratios(choices: Sequence[Choice], words: Mapping[str, int]) -> Floats:
    found = []
    for choice in choices:
        chosen, rejected = (choice.a, choice.b) if choice.outcome == 1 else (choice.b, choice.a)
        both = words[chosen.id] and words[rejected.id]
        found.append(float(np.log(words[chosen.id] / words[rejected.id])) if both else float("nan"))
    return np.array(found)


def pooled_accuracy(
    name: str, margins_N: Floats, documents_N: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Accuracy:
    """`Accuracy` in which each pair counts once."""
    known: list[int] = np.flatnonzero(~np.isnan(margins_N)).tolist()
    share = event_share(_hits(margins_N[known]), [documents_N[n] for n in known], resamples=resamples, seed=seed)
    return Accuracy(name, share, len(known), int(np.sum(margins_N == 0)), len(margins_N) - len(known))


def gain_over(
    name: str,
    margins_N: Floats,
    other: str,
    others_N: Floats,
    documents_N: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Accuracy of `name` minus that of `other` on the comparisons that both have a margin for."""
    return event_difference(
        _hits(margins_N), _hits(others_N), documents_N, names=("accuracy", name, other), resamples=resamples, seed=seed
    )


def _hits(margins_N: Floats) -> Floats:
    """1 right, 0 wrong, ½ undecided, NaN unknown."""
    return (np.sign(margins_N) + 1) / 2


Standing = Literal["above", "below", "level", "unknown"]


def standing(gain: Difference) -> Standing:
    """Whether the first of the two is ahead, behind, or neither beyond the 95% interval."""
    low, high = gain.difference.low, gain.difference.high
    if low is None or high is None:
        return "unknown"
    return "above" if low > 0 else "below" if high < 0 else "level"
