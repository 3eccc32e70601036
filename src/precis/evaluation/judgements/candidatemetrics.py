"""A number for each candidate by each rule that needs no training, and by each judge that scored it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...records import Group, Rating, Score
from ...textmetrics import copying, count_words, rouge_f1, words
from .choices import judge_labels

ROUGES = ("rouge1", "rouge2", "rougeL")
RULES = ("length", "copying", *ROUGES)
LOGP, LOGP_PER_TOKEN = "logp", "logp per token"


@dataclass(frozen=True)
class Metric:
    """`values` by candidate id; a candidate without one has none. `scale` is the unit, empty if the judge named none.

    A value of a metric that is not `across` systems may be compared within one system only.
    """

    name: str
    values: Mapping[str, float]
    scale: str = ""
    across: bool = True


def rule_metrics(groups: Sequence[Group], compared: Iterable[str]) -> dict[str, Metric]:
    """`RULES` for the candidates whose ids are `compared`: words, copied share, ROUGE F1 against the references.

    A reference summary is scored against the *other* references only: against itself it would always win. Where none
    is left, ROUGE has no value. Copying has none for fewer than two words.
    """
    wanted = set(compared)
    values: dict[str, dict[str, float]] = {name: {} for name in RULES}
    texts, targets, ids = [], [], []
    for group in groups:
        own = {c.id: c for c in (*group.candidates, *group.references) if c.id in wanted}
        if not own:
            continue
        source = words(group.source.text)
        for id, candidate in own.items():
            values["length"][id] = float(count_words(candidate.text))
            copied = copying(source, words(candidate.text))
            if copied is not None:
                values["copying"][id] = copied
            others = [reference.text for reference in group.references if reference.id != id]
            if others:
                texts.append(candidate.text)
                targets.append(others)
                ids.append(id)
    if texts:
        for kind, scores in rouge_f1(texts, targets, types=ROUGES).items():
            values[kind] = dict(zip(ids, map(float, scores)))
    return {name: Metric(name, own, "words" if name == "length" else "") for name, own in values.items()}


def logp_metrics(groups: Sequence[Group]) -> dict[str, Metric]:
    """Log-probabilities that the policies noted as they wrote: each policy's own, so not comparable across policies."""
    sums, means = {}, {}
    for group in groups:
        for candidate in group.candidates:
            if candidate.logp is not None:
                sums[candidate.id] = candidate.logp
                if candidate.token_ids:
                    means[candidate.id] = candidate.logp / len(candidate.token_ids)
    found = {LOGP: Metric(LOGP, sums, "nats", False), LOGP_PER_TOKEN: Metric(LOGP_PER_TOKEN, means, "nats", False)}
    return {name: metric for name, metric in found.items() if metric.values}


def judge_metrics(groups: Sequence[Group]) -> dict[str, Metric]:
    """Every judge that scored candidates (or rated them: one metric an axis); repeats are averaged."""
    labels = judge_labels(judgement.judge for group in groups for judgement in group.judgements)
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    scales: dict[str, str] = {}
    for group in groups:
        for said in group.judgements:
            if isinstance(said, Score):
                name = labels[said.judge.id]
                scales[name] = said.scale
            elif isinstance(said, Rating):
                who = "people" if said.judge.name.startswith("person:") else labels[said.judge.id]
                name = f"{who}: {said.axis}"
            else:
                continue
            values[name][said.candidate].append(float(said.value))
    return {
        name: Metric(name, {id: float(np.mean(repeats)) for id, repeats in own.items()}, scales.get(name, ""))
        for name, own in values.items()
    }


def margin(metric: Metric, a: str, b: str, *, same_system: bool) -> float:
    """The metric's value of candidate a minus that of b; NaN where it has no say."""
    if (not metric.across and not same_system) or a not in metric.values or b not in metric.values:
        return float("nan")
    return metric.values[a] - metric.values[b]
