"""How well a reward model orders held-out pairs, beside length, copying, ROUGE and chance; is it sure when right?

Everything takes margins: the score of the chosen summary minus the score of the rejected one. A margin above 0
is right, below 0 wrong, 0 half right; NaN is a pair without a score, which is left out and counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ..records import Candidate, Comparison, Group
from ..textmetrics import rouge_f1, text_statistics
from .lengthcontrol import fit_with_intervals, is_separated
from .statistics import RESAMPLES, Difference, Estimate, not_estimable, paired_difference, share_estimate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Accuracy:
    """Share of pairs that `name` orders as the judge did (a tie ½); the estimate counts documents, `pairs` pairs."""

    name: str
    accuracy: Estimate
    pairs: int
    ties: int
    missing: int


@dataclass(frozen=True)
class Bin:
    """Pairs whose predicted probability lies in [low, high]: its mean, and how often the prediction came true."""

    low: float
    high: float
    predicted: float
    actual: Estimate
    pairs: int


@dataclass(frozen=True)
class Calibration:
    """`bins` of equal numbers of pairs; `error` is the mean |predicted − actual| over pairs.

    `slope` multiplies the rewards so that σ(margin) fits best: 1 is calibrated, below 1 over-confident.
    """

    bins: tuple[Bin, ...]
    error: float | None
    slope: Estimate


@dataclass(frozen=True)
class HeldOut:
    """Held-out pairs, flat: one row a preference.

    `confidence_N` is the distance from indifference on the nine-point scale (1 to 4), None where unknown;
    `log_ratios_N` is log(words of chosen / words of rejected), NaN if one is empty.
    """

    documents_N: tuple[str, ...]
    chosen_N: tuple[Candidate, ...]
    rejected_N: tuple[Candidate, ...]
    confidence_N: tuple[int | None, ...]
    log_ratios_N: Floats
    margins: Mapping[str, Floats]


def held_out_pairs(groups: Sequence[Group], *, seed: int = 0) -> HeldOut:
    """The preferences of `groups` with the margins of the baselines that a reward model must beat.

    `length` prefers the longer, `copying` the one that copies more, `rouge1` and `rougeL` the nearer to the
    references (NaN where a group has none), `random` a coin.
    """
    documents, chosen, rejected, confidence = [], [], [], []
    columns: dict[str, list[float]] = {"length": [], "copying": [], "rouge1": [], "rougeL": []}
    ratios = []
    for group in groups:
        if not group.preferences:
            continue
        texts = [candidate.text for candidate in group.candidates]
        read = text_statistics(group.source.text, texts)
        references = [reference.text for reference in group.references]
        rouge = rouge_f1(texts, [references] * len(texts), types=("rouge1", "rougeL")) if references else {}
        sure = _confidences(group)
        for preference in group.preferences:
            c, r = preference.chosen, preference.rejected
            documents.append(group.source.id)
            chosen.append(group.candidates[c])
            rejected.append(group.candidates[r])
            confidence.append(sure.get(frozenset((group.candidates[c].id, group.candidates[r].id))))
            columns["length"].append(read[c].words - read[r].words)
            # Fewer than two words hold no bigram, so nothing was copied.
            columns["copying"].append((read[c].copying or 0.0) - (read[r].copying or 0.0))
            for kind in ("rouge1", "rougeL"):
                columns[kind].append(float(rouge[kind][c] - rouge[kind][r]) if references else float("nan"))
            both = read[c].words and read[r].words
            ratios.append(float(np.log(read[c].words / read[r].words)) if both else float("nan"))
    margins = {name: np.array(values, dtype=np.float64) for name, values in columns.items()}
    margins["random"] = np.random.default_rng(seed).choice([-1.0, 1.0], len(documents))
    return HeldOut(tuple(documents), tuple(chosen), tuple(rejected), tuple(confidence), np.array(ratios), margins)


def _confidences(group: Group) -> dict[frozenset[str], int]:
    found: dict[frozenset[str], int] = {}
    for judgement in group.judgements:
        if isinstance(judgement, Comparison) and judgement.confidence is not None:
            found[frozenset((judgement.a, judgement.b))] = abs(judgement.confidence - 5)
    return found


def accuracy(
    margins_N: ArrayLike,
    documents_N: Sequence[str] | None = None,
    *,
    name: str = "reward",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Accuracy:
    """`Accuracy` of margins chosen − rejected."""
    margins = np.asarray(margins_N, dtype=np.float64)
    known = ~np.isnan(margins)
    kept = None if documents_N is None else [d for d, ok in zip(documents_N, known) if ok]
    return Accuracy(
        name,
        share_estimate(_hits(margins[known]), kept, resamples=resamples, seed=seed),
        int(known.sum()),
        int(np.sum(margins == 0)),
        int(np.sum(~known)),
    )


def accuracies(
    margins: Mapping[str, ArrayLike],
    documents_N: Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Accuracy]:
    """`accuracy` of each scorer on the same pairs."""
    return [accuracy(m, documents_N, name=name, resamples=resamples, seed=seed) for name, m in margins.items()]


def accuracy_gains(
    margins: Mapping[str, ArrayLike],
    documents_N: Sequence[str],
    *,
    name: str = "reward",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Accuracy of `name` minus that of every other scorer, paired by document: does it beat length and copying?"""
    by_document = {
        scorer: _document_hits(np.asarray(m, dtype=np.float64), documents_N) for scorer, m in margins.items()
    }
    return [
        paired_difference(by_document[name], other, names=("accuracy", name, scorer), resamples=resamples, seed=seed)
        for scorer, other in by_document.items()
        if scorer != name
    ]


def accuracy_by(
    margins_N: ArrayLike,
    classes_N: Sequence[str | None],
    documents_N: Sequence[str] | None = None,
    *,
    order: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Accuracy]:
    """`accuracy` in each class of pairs (confidence, length, policy pair …), in `order` or sorted; None is no class."""
    margins = np.asarray(margins_N, dtype=np.float64)
    present = {label for label in classes_N if label is not None}
    found = []
    for label in sorted(present) if order is None else [label for label in order if label in present]:
        rows = [n for n, own in enumerate(classes_N) if own == label]
        documents = None if documents_N is None else [documents_N[n] for n in rows]
        found.append(accuracy(margins[rows], documents, name=label, resamples=resamples, seed=seed))
    return found


# From the shortest chosen to the longest; the edges are ratios of chosen to rejected words.
LENGTH_CLASSES = (
    "chosen under ⅔ as long",
    "chosen shorter",
    "lengths within 10%",
    "chosen longer",
    "chosen over 1½ times as long",
)
_LENGTH_EDGES = np.log([2 / 3, 1 / 1.1, 1.1, 1.5])


def length_classes(log_ratios_N: ArrayLike) -> list[str | None]:
    """The one of `LENGTH_CLASSES` for each log(words of chosen / words of rejected); None for NaN."""
    ratios = np.asarray(log_ratios_N, dtype=np.float64)
    return [None if np.isnan(ratio) else LENGTH_CLASSES[int(np.searchsorted(_LENGTH_EDGES, ratio))] for ratio in ratios]


def calibration(
    margins_N: ArrayLike,
    documents_N: Sequence[str] | None = None,
    *,
    bins: int = 10,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Calibration:
    """Predicted against actual: a reward model says that the higher reward wins with probability σ(|margin|)."""
    margins = np.asarray(margins_N, dtype=np.float64)
    known = np.isfinite(margins)
    documents = np.array(
        [str(n) for n in range(len(margins))] if documents_N is None else list(documents_N), dtype=object
    )
    margins, documents = margins[known], documents[known]
    if len(margins) == 0:
        return Calibration((), None, not_estimable("nothing was judged"))
    predicted = expit(np.abs(margins))
    hits = _hits(margins)
    order = np.argsort(predicted, kind="stable")
    found, gaps = [], []
    for rows in np.array_split(order, min(bins, len(order))):
        actual = share_estimate(hits[rows], list(documents[rows]), resamples=resamples, seed=seed)
        own = predicted[rows]
        found.append(Bin(float(own.min()), float(own.max()), float(own.mean()), actual, len(rows)))
        gaps.append(len(rows) * abs(float(own.mean() - hits[rows].mean())))
    return Calibration(tuple(found), float(np.sum(gaps) / len(order)), _slope(margins, documents))


def _slope(margins: Floats, documents: NDArray[np.object_]) -> Estimate:
    _, cluster = np.unique(documents.astype(str), return_inverse=True)
    clusters = int(cluster.max()) + 1
    design, wins = margins[:, None], np.ones(len(margins))
    if clusters < 3:
        return not_estimable(f"{clusters} documents are too few", clusters)
    if not np.any(margins):
        return not_estimable("every margin is 0", clusters)
    if is_separated(design, wins):
        right = np.all(margins >= 0)
        return not_estimable(f"every pair is {'right' if right else 'wrong'}: no finite slope fits best", clusters)
    value, low, high = fit_with_intervals(design, wins, cluster)
    return Estimate(float(value[0]), float(low[0]), float(high[0]), clusters)


def _hits(margins_N: Floats) -> Floats:
    return np.where(margins_N > 0, 1.0, np.where(margins_N < 0, 0.0, 0.5))


def _document_hits(margins_N: Floats, documents_N: Sequence[str]) -> Floats:
    """Mean hits by document, in the order of first appearance; NaN where no pair of it has a score."""
    places = {document: index for index, document in enumerate(dict.fromkeys(documents_N))}
    at = np.array([places[document] for document in documents_N], dtype=np.int64)
    known = ~np.isnan(margins_N)
    sums = np.bincount(at[known], weights=_hits(margins_N[known]), minlength=len(places))
    counts = np.bincount(at[known], minlength=len(places))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
