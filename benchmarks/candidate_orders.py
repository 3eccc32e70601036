"""How scorers order candidates that a judge has ranked: pairs, the best one, Kendall's tau, with rules beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.judges_on_summeval import shown
from precis.evaluation.judgements.agreement import correlation
from precis.evaluation.judgements.candidatemetrics import rule_metrics
from precis.evaluation.rewardmodel import Accuracy, accuracies, accuracy_gains
from precis.evaluation.statistics import Difference, Estimate, mean_estimate
from precis.records import Group
from precis.selection import pairs_from_ranks

__all__ = ["Ordered", "Values", "measured", "shown", "table"]

Values = Mapping[str, float]
"""A scorer's number for each candidate, by its id; higher is better."""
COIN = Accuracy("a coin", Estimate(0.5, why="by definition"), 0, 0, 0)


@dataclass(frozen=True)
class Ordered:
    """How every scorer orders the candidates. Seeds are pooled: a document counts once, and is resampled whole.

    `accuracy` is of pairs, `by_seed` the same seed by seed, `top` the share of documents whose highest value is the
    judge's best, `tau` the mean of Kendall's tau-b; `gains` are of pairs, by scorers that are held against all others.
    """

    documents: int
    pairs: str
    accuracy: Sequence[Accuracy]
    by_seed: Mapping[str, Sequence[float | None]]
    top: Mapping[str, Estimate]
    tau: Mapping[str, Estimate]
    gains: Mapping[str, Sequence[Difference]]

    def gain(self, name: str, over: str) -> Estimate | None:
        """Accuracy of `name` minus that of `over`, paired by document; None if it was not asked for."""
        return next((one.difference for one in self.gains.get(name, ()) if one.b == over), None)


def measured(
    groups: Sequence[Group],
    seeds: Mapping[int, Mapping[str, Values]],
    rules: Mapping[str, Values],
    *,
    beaten_by: Sequence[str],
) -> Ordered:
    """Ranked groups and what scorers think of their candidates, by seed; `rules` are the same for every seed.

    Length, copying and ROUGE against the groups' references stand beside. `beaten_by` are held against all others.
    """
    ids = [candidate.id for group in groups for candidate in group.candidates]
    fixed = {**rules, **{name: metric.values for name, metric in rule_metrics(groups, ids).items()}}
    scorers = [{**own, **fixed} for own in seeds.values()]
    chosen = pairs_from_ranks(groups)
    pairs = [
        (group.source.id, group.candidates[pair.chosen].id, group.candidates[pair.rejected].id)
        for group in chosen.groups
        for pair in group.preferences
    ]
    documents = [document for document, _, _ in pairs]
    by_seed = [
        {name: np.array([of.get(a, np.nan) - of.get(b, np.nan) for _, a, b in pairs]) for name, of in own.items()}
        for own in scorers
    ]
    margins = {name: np.concatenate([own[name] for own in by_seed]) for name in scorers[0]}
    pooled = documents * len(scorers)
    alone = [{row.name: row.accuracy.value for row in accuracies(own, documents)} for own in by_seed]
    best, tau = (
        {name: mean_estimate(np.mean([[of(g, own[name]) for g in groups] for own in scorers], 0)) for name in margins}
        for of in (top_is_best, tau_of)
    )
    return Ordered(
        len(groups),
        str(chosen),
        [*accuracies(margins, pooled), COIN],
        {name: [own[name] for own in alone] for name in margins if name not in fixed},
        best,
        tau,
        {name: accuracy_gains(margins, pooled, name=name) for name in beaten_by},
    )


def top_is_best(group: Group, values: Values) -> float:
    """Whether the highest value is the judge's best; of several highest the share. NaN without values."""
    known = _known(group, values)
    top = [rank == 0 for value, rank in known if value == max(known)[0]]
    return float(np.mean(top)) if top else float("nan")


def tau_of(group: Group, values: Values) -> float:
    """Kendall's tau-b with the judge's order; NaN where it is undefined."""
    known = _known(group, values)
    found = correlation([value for value, _ in known], [-rank for _, rank in known], "kendall")
    return float("nan") if found is None else found


def _known(group: Group, values: Values) -> list[tuple[float, int]]:
    ranks = zip(group.candidates, group.ranks or (), strict=True)
    return [(values[candidate.id], rank) for candidate, rank in ranks if candidate.id in values and rank is not None]


def table(title: str, ordered: Ordered, *, of: str) -> str:
    """Every scorer, and what the scorer `of` gains over it, as Markdown."""
    head = ("own score of", "pairs right, %", "by seed", "its top is the best, %", "tau-b", f"{of}, over it")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in ordered.accuracy:
        seeds = " ".join("–" if value is None else f"{100 * value:.1f}" for value in ordered.by_seed.get(row.name, ()))
        top, tau, gain = ordered.top.get(row.name), ordered.tau.get(row.name), ordered.gain(of, row.name)
        further = ((top, 100, 1), (tau, 1, 3), (gain, 100, 1))
        cells = ("–" if estimate is None else shown(estimate, scale, digits) for estimate, scale, digits in further)
        lines.append(f"| {' | '.join((row.name, shown(row.accuracy, 100, 1), seeds or '–', *cells))} |")
    return "\n".join([f"**{title}**: {ordered.documents} documents, {ordered.pairs}", "", *lines, ""])
