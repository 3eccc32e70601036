"""The report of a recipe that ends in best-of-N: what was found, the tables behind it, and the summaries themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..evaluation.optimization.bestofn import best_of_n_curve
from ..evaluation.optimization.divergence import Divergence
from ..evaluation.rewardmodel import (
    accuracies,
    accuracy_by,
    accuracy_gains,
    calibration,
    held_out_pairs,
    length_classes,
)
from ..evaluation.statistics import Difference, Seeds, mean_estimate, over_seeds
from ..evaluation.systems import Evaluation
from ..records import Document, Group, JudgeInfo
from ..report.analysis_blocks import (
    accuracy_table,
    best_of_n_blocks,
    calibration_blocks,
    read_metrics,
    training_plot,
)
from ..report.contents import Block, Cell, Column, Notice, Report, Row, Section, Table, Text, cell
from ..report.example_blocks import example_block, length_histogram
from ..report.run import describe_run
from ..report.systems_blocks import (
    differences_table,
    quality_table,
    seeds_table,
    text_table,
    win_rate_blocks,
    win_rate_sentence,
)
from ..selection import Selection, pairs_from_scores, scores_of
from ..training.run_folder import read_result
from .settings import Settings
from .steps import Documents
from .summary import taken_notices
from .workspace import Workspace

# The policy that those trained towards the reward are compared with.
SUPERVISED = "supervised, greedy"


@dataclass(frozen=True)
class Findings:
    """Which judges and systems the findings are about."""

    gold: JudgeInfo
    reward: JudgeInfo
    random: str
    chosen: str
    ceiling: str


def best_of_n_report(
    work: Workspace,
    settings: Settings,
    command: str,
    evaluation: Evaluation,
    about: Findings,
    *,
    documents: Documents,
    pairs: Selection,
    pool: Sequence[Group],
    greedy: Mapping[str, Sequence[Group]],
    moved: Mapping[str, Divergence],
    examples: int,
) -> Report:
    """Everything that the run found, as a report."""
    reward_blocks, accuracy_finding = _reward_model(pool, about)
    references = {group.source.id: group.references for group in documents.test}
    tested = [group.source for group in documents.test if isinstance(group.source, Document)]
    seed = int(getattr(settings, "seed", 0))
    sections = [
        Section(
            "Systems",
            (
                quality_table(
                    evaluation,
                    asides=(about.ceiling,),
                    note=f"The last row is what {about.gold.name} picks: a ceiling by its own measure alone.",
                ),
                differences_table(evaluation.differences, ("rouge1", "rouge2", "rougeL")),
                *win_rate_blocks(evaluation.win_rates),
            ),
        ),
        *(
            [Section("Policies trained towards the reward", _policies(evaluation, greedy, moved, about))]
            if moved
            else []
        ),
        Section("What choosing buys", tuple(_choosing(pool, about))),
        Section("The reward model", tuple(reward_blocks)),
        Section(
            "The texts",
            (text_table(evaluation, asides=(about.ceiling,)), length_histogram(evaluation, references)),
        ),
        Section("Training", tuple(_training(work, documents, pairs))),
        Section(
            "Summaries side by side",
            (
                example_block(
                    evaluation, tested, references, count=examples, extremes=(about.chosen, about.random), seed=seed
                ),
            ),
        ),
    ]
    return Report(
        title="Learning from comparisons",
        subtitle="A supervised policy, a reward model from judged pairs, the best of N by it (Stiennon et al. 2020)",
        findings=(*_better(evaluation, about), *_improved(evaluation, moved, about), accuracy_finding),
        warnings=evaluation.warnings,
        sections=tuple(sections),
        run=describe_run(
            [command] if command else [],
            seeds=[seed],
            started=work.started,
            seconds=work.seconds,
            settings=settings.model_dump(mode="json"),
        ),
    )


def _better(evaluation: Evaluation, about: Findings) -> list[str]:
    """Whether the reward model's choice beats a random one: by the gold judge, and by ROUGE-1."""
    pair = (about.chosen, about.random, about.gold.name)
    found = [
        win_rate_sentence(rate, equal_length=False)
        for rate in evaluation.win_rates
        if (rate.system, rate.against, rate.judge) == pair
    ]
    return found + [_said(d, about) for d in evaluation.differences if d.a == about.chosen and d.metric == "rouge1"]


def _improved(evaluation: Evaluation, moved: Mapping[str, Divergence], about: Findings) -> list[str]:
    """How often the gold judge prefers each policy that was trained towards the reward to the supervised one."""
    return [
        win_rate_sentence(rate, equal_length=False)
        for rate in evaluation.win_rates
        if rate.system in moved and rate.against == SUPERVISED and rate.judge == about.gold.name
    ]


def _said(difference: Difference, about: Findings) -> str:
    value = difference.difference
    if value.value is None or value.low is None or value.high is None:
        return f"The difference in ROUGE-1 cannot be estimated: {value.why}."
    word = "more" if value.low > 0 else "less" if value.high < 0 else "neither more nor less"
    return (
        f"{about.chosen.capitalize()} has {word} ROUGE-1 than {about.random}: {100 * value.value:+.1f} "
        f"[{100 * value.low:+.1f}, {100 * value.high:+.1f}] points on {value.n} documents."
    )


def _policies(
    evaluation: Evaluation, greedy: Mapping[str, Sequence[Group]], moved: Mapping[str, Divergence], about: Findings
) -> tuple[Block, ...]:
    table = gains_table(greedy, moved, about)
    seeds = _over_seeds(evaluation, about)
    if not seeds:
        return (table,)
    caption = f"Win rates by {about.gold.name} over the seeds of one method: their mean and standard deviation."
    return table, seeds_table(caption, seeds, scale=100)


def _over_seeds(evaluation: Evaluation, about: Findings) -> dict[str, Seeds]:
    """Win rates of the policies of one method, `METHOD-SEED, greedy`, where there are several."""
    each: dict[str, dict[str, float]] = {}
    for rate in evaluation.win_rates:
        named = re.fullmatch(r"(ppo|rloo|rejection)-(\d+), greedy", rate.system)
        if named and rate.judge == about.gold.name and rate.win_rate.value is not None:
            each.setdefault(f"{named[1]} against {rate.against}", {})[named[2]] = rate.win_rate.value
    return {name: over_seeds(rates) for name, rates in each.items() if len(rates) > 1}


def gains_table(greedy: Mapping[str, Sequence[Group]], moved: Mapping[str, Divergence], about: Findings) -> Table:
    """What each policy gained by the reward model, and by the judge that it never saw, and how far it went for it."""
    rows = []
    for name, groups in greedy.items():
        means = []
        for info in (about.reward, about.gold):
            scores = [scores_of(group, info)[0] if group.candidates else None for group in groups]
            means.append(cell(mean_estimate([score for score in scores if score is not None])))
        kl = cell(moved[name].per_sequence) if name in moved else Cell(None, why="it is the reference policy")
        rows.append(Row((Cell(name), *means, kl)))
    return Table(
        caption="Greedy summaries of the test documents; KL over summaries sampled at the training temperature.",
        columns=(
            Column("Policy"),
            Column("Reward", "Mean reward of the model that it was trained towards.", "higher", digits=2),
            Column(about.gold.name, "Mean score by the judge of the result.", "higher", digits=3),
            Column("KL", "KL(policy ‖ supervised policy), nats a summary.", "lower", digits=2),
        ),
        rows=tuple(rows),
    )


def _choosing(pool: Sequence[Group], about: Findings) -> list[Block]:
    proxy, gold, left_out = [], [], 0
    for group in pool:
        both = list(zip(scores_of(group, about.reward), scores_of(group, about.gold), strict=True))
        known = [(p, g) for p, g in both if p is not None and g is not None]
        left_out += len(both) - len(known)
        if known:
            proxy.append([p for p, _ in known])
            gold.append([g for _, g in known])
    if not proxy:
        return [Notice("No candidate has both a reward and a score of the gold judge.")]
    blocks = best_of_n_blocks(best_of_n_curve(proxy, gold), proxy="the reward model", gold=about.gold.name)
    if left_out:
        blocks.append(Notice(f"{left_out} candidates without a reward or a gold score are left out.", "note"))
    return blocks


def _reward_model(pool: Sequence[Group], about: Findings) -> tuple[list[Block], str]:
    """Accuracy on pairs of test candidates, in the order that the gold judge gives them, beside simple rules."""
    pairs = pairs_from_scores(pool, about.gold)
    held_out = held_out_pairs(pairs.groups)
    reward = {
        candidate.id: score
        for group in pool
        for candidate, score in zip(group.candidates, scores_of(group, about.reward), strict=True)
        if score is not None
    }
    missing = float("nan")
    own = np.array(
        [
            reward.get(chosen.id, missing) - reward.get(rejected.id, missing)
            for chosen, rejected in zip(held_out.chosen_N, held_out.rejected_N, strict=True)
        ]
    )
    if not len(own):
        return [Notice("The gold judge orders no two test candidates, so accuracy cannot be measured.")], ""
    margins: dict[str, Any] = {"reward": own, **held_out.margins}
    found = accuracies(margins, held_out.documents_N)
    gains = accuracy_gains(margins, held_out.documents_N)
    by_length = accuracy_by(own, length_classes(held_out.log_ratios_N), held_out.documents_N)
    blocks: list[Block] = [
        Text(f"Pairs of test candidates, ordered by {about.gold.name}: {pairs}."),
        accuracy_table("Accuracy beside simple rules, on the same pairs.", found, gains),
        accuracy_table("Accuracy by length.", by_length, what="The chosen one is", contest=False),
        *calibration_blocks(calibration(own, held_out.documents_N)),
    ]
    value = found[0].accuracy
    rival = max((one for one in found[1:] if not one.name.startswith("rouge")), key=lambda one: one.accuracy.value or 0)
    finding = (
        f"The reward model orders {value.value:.1%} [{value.low:.1%}, {value.high:.1%}] of {found[0].pairs:,} pairs of "
        f"test candidates as {about.gold.name} does; the best simple rule, {rival.name}, {rival.accuracy.value:.1%}."
        if value.value is not None and value.low is not None and value.high is not None
        else f"The reward model's accuracy cannot be estimated: {value.why}."
    )
    return blocks, finding


def _training(work: Workspace, documents: Documents, pairs: Selection) -> list[Block]:
    blocks: list[Block] = [
        Text(
            f"{len(documents.train):,} training, {len(documents.valid):,} validation and {len(documents.test):,} test "
            f"documents. Judged groups: {pairs}."
        ),
        *taken_notices(work),
    ]
    rollouts = {"Score": ["score"], "KL, nats a summary": ["kl"], "Tokens a summary": ["length"]}
    curves = {
        "supervised": ("train", {"Loss a token, nats": ["loss"], "Tokens a second": ["tokens_per_second"]}),
        "reward": ("train", {"Loss a pair, nats": ["loss"], "Accuracy": ["accuracy"]}),
        "ppo": ("rollout", rollouts),
        "rloo": ("rollout", rollouts),
        "rejection": ("train", {"Loss a token, nats": ["loss"]}),
    }
    for kind, (split, panels) in curves.items():
        for file in sorted(work.training.glob(f"{kind}*/metrics.jsonl")):  # one a seed or learning rate
            name = file.parent.name
            rows, broken = read_metrics(file)
            shown = [row for row in rows if row.get("split") == split]
            plot = training_plot(shown, panels, caption=f"Training {name}.")
            blocks += [plot] if plot is not None else []
            blocks += [Notice(f"{broken} lines of {name}'s metrics cannot be read.", "note")] if broken else []
            result = read_result(file.parent)
            if result is not None and result.stopped == "collapse":
                blocks.append(Notice(f"Training {name} was stopped at step {result.steps:,}: {result.reason}."))
            elif result is not None and result.kept_step == 0 and result.steps:
                blocks.append(Notice(f"Training {name} kept the weights that it began with: none later was better."))
    return blocks
