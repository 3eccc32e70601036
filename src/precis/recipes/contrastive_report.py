"""The report of contrastive training: what the ranking adds to imitation, writing and choosing, and by whose word."""

from __future__ import annotations

from collections.abc import Sequence

from ..evaluation.optimization.bestofn import best_of_n_curve
from ..evaluation.systems import Evaluation
from ..records import Document, Group
from ..report.analysis_blocks import accuracy_table, best_of_n_blocks, read_metrics, training_plot
from ..report.contents import Block, Cell, Column, Notice, Report, Row, Section, Table, Text, cell
from ..report.example_blocks import example_block, length_histogram
from ..report.run import describe_run
from ..report.systems_blocks import (
    differences_table,
    quality_table,
    text_table,
    win_rate_blocks,
    win_rate_sentence,
)
from ..selection import Selection, scores_of
from ..training.run_folder import TrainResult, read_result
from .contrast_seeds import Contrast, seeds_blocks
from .own_order import Order
from .settings import Settings
from .spending import read_spent, spent_table
from .steps import Documents
from .summary import taken_notices
from .workspace import Workspace


def contrastive_report(
    work: Workspace,
    settings: Settings,
    command: str,
    evaluation: Evaluation,
    about: Contrast,
    *,
    documents: Documents,
    ranked: Selection,
    result: TrainResult,
    choices: Sequence[Group],
    orders: Sequence[Order],
    examples: int,
    drawn: bool,
) -> Report:
    """Everything that the run found, as a report; `drawn` are candidates that were sampled, not searched for."""
    references = {group.source.id: group.references for group in documents.test}
    tested = [group.source for group in documents.test if isinstance(group.source, Document)]
    seed = int(getattr(settings, "seed", 0))
    ordering, finding = _ordering(orders, about)
    sections = (
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
                *seeds_blocks(evaluation, about, tested, seed),
            ),
        ),
        Section("How well a policy's own score orders candidates", tuple(ordering)),
        Section(
            "What choosing by the contrastive policy's own score buys", tuple(_choosing(choices, about, drawn=drawn))
        ),
        Section(
            "The texts",
            (
                _lengths(evaluation, about),
                text_table(evaluation, asides=(about.ceiling,)),
                length_histogram(evaluation, references),
            ),
        ),
        Section("Training", tuple(_training(work, documents, ranked, result))),
        Section(
            "Summaries side by side",
            (
                example_block(
                    evaluation,
                    tested,
                    references,
                    count=examples,
                    extremes=(about.contrastive, about.imitation),
                    seed=seed,
                ),
            ),
        ),
    )
    return Report(
        title="Learning from references and rankings",
        subtitle="Imitation, then contrast between ranked candidates (Liu et al. 2023)",
        findings=(*_better(evaluation, about), *([finding] if finding else [])),
        warnings=(*evaluation.warnings, *_unmatched(about), *_nothing_learned(work), *about.notes),
        sections=sections,
        run=describe_run(
            [command] if command else [],
            seeds=[seed],
            started=work.started,
            seconds=work.seconds,
            settings=settings.model_dump(mode="json"),
        ),
    )


def _better(evaluation: Evaluation, about: Contrast) -> list[str]:
    """Whether contrast beats as many updates of imitation, and where it began, by the judge of the result."""
    names = {judge.name for judge in about.judges}
    pairs = [(about.contrastive, about.imitation), (about.contrastive, about.warm)]
    return [
        win_rate_sentence(rate)
        for rate in evaluation.win_rates
        if rate.judge in names and (rate.system, rate.against) in pairs
    ]


def _ordering(orders: Sequence[Order], about: Contrast) -> tuple[list[Block], str]:
    """Accuracy of each policy's own score on pairs of test candidates, by the judge of the result and the ranker."""
    blocks: list[Block] = []
    finding = ""
    for order in orders:
        if not order.accuracies:
            blocks.append(
                Notice(f"{order.judge.name} orders no two test candidates, so no order can be checked by it.")
            )
            continue
        blocks += [
            Text(f"Pairs of test candidates by the warm policy, ordered by {order.judge.name}: {order.pairs}."),
            accuracy_table(
                f"Pairs ordered as {order.judge.name} does: by the policies' own scores, and by simple rules.",
                order.accuracies,
                order.gains,
            ),
        ]
        if order.judge.id == about.gold.id:
            own = [(row.name, row.accuracy.value) for row in order.accuracies if row.name in about.own]
            said = ", ".join(f"{name} {value:.1%}" for name, value in own if value is not None)
            finding = f"Pairs of test candidates that a policy's own score orders as {order.judge.name} does: {said}."
    return blocks, finding


def _choosing(choices: Sequence[Group], about: Contrast, *, drawn: bool) -> list[Block]:
    proxy, gold, left_out = [], [], 0
    for group in choices:
        own, truth = scores_of(group, about.own[about.contrastive]), scores_of(group, about.gold)
        known = [(p, g) for p, g in zip(own, truth, strict=True) if p is not None and g is not None]
        left_out += len(own) - len(known)
        if known:
            proxy.append([p for p, _ in known])
            gold.append([g for _, g in known])
    if not proxy:
        return [Notice(f"No candidate has both an own score and a score of {about.gold.name}.", "note")]
    blocks = best_of_n_blocks(best_of_n_curve(proxy, gold), proxy="its own score", gold=about.gold.name, drawn=drawn)
    if left_out:
        blocks.append(Notice(f"{left_out} candidates without both scores are left out.", "note"))
    return blocks


def _lengths(evaluation: Evaluation, about: Contrast) -> Table:
    written = {system.name: system.metrics["words"] for system in evaluation.systems}
    rows = []
    for name, (decoding, match) in about.decodings.items():
        why = "its decoding has no length penalty, or none was tuned"
        values = (None, None, None) if match is None else (match.penalty, match.length, match.target)
        tuned = (Cell(value, why=why if value is None else "") for value in values)
        rows.append(Row((Cell(name), Cell(decoding.num_beams), *tuned, cell(written[name]))))
    return Table(
        caption="Length penalties of beam search, tuned on validation documents to the length of what is imitated.",
        columns=(
            Column("Policy"),
            Column("Beams", digits=0),
            Column("Penalty", "Exponent of the length that a sum of log-probs is divided by.", digits=2),
            Column("Words", "Mean length on the validation documents."),
            Column("Target", "Mean length of what is imitated in the validation documents, in words."),
            Column("Words, test", "Mean length on the test documents, for which nothing was tuned."),
        ),
        rows=tuple(rows),
    )


def _unmatched(about: Contrast) -> list[str]:
    return [
        f"Summaries of {name} are {match.ratio:.0%} as long as the target on validation documents: no length "
        "penalty came nearer."
        for name, (_, match) in about.decodings.items()
        if match is not None and not match.matched
    ]


def _nothing_learned(work: Workspace) -> list[str]:
    """Trainings whose first choice of weights is what they began with."""
    found = []
    for name in ("contrastive", "imitation", "reranker"):
        for folder in sorted(work.training.glob(f"{name}*")):
            result = read_result(folder)
            if result is not None and result.steps and result.kept_step == 0:
                found.append(f"Training {folder.name} kept the weights that it began with: none later was better.")
    return found


def _training(work: Workspace, documents: Documents, ranked: Selection, result: TrainResult) -> list[Block]:
    best = ", ".join(f"{name} {value:.4g}" for name, value in result.best.items())
    blocks: list[Block] = [
        Text(
            f"{len(documents.train):,} training, {len(documents.valid):,} validation and {len(documents.test):,} test "
            f"documents. Ranked groups: {ranked}. Contrastive training took {result.steps:,} steps; the weights of "
            f"step {result.kept_step:,} are kept, and measured on validation: {best}."
        ),
        *taken_notices(work),
        *([spent_table(spent)] if (spent := read_spent(work.folder)) else []),
    ]
    panels = {
        "Loss": ["loss"],
        "Imitated, nats a token": ["nll"],
        "Pairs in order": ["accuracy"],
        "Mean score of candidates": ["score"],
        "Words a summary": ["words"],
        "1 − ROUGE": ["generation"],
    }
    for name in ("warm", "contrastive", "imitation", "reranker"):
        for file in sorted(work.training.glob(f"{name}*/metrics.jsonl")):
            rows, broken = read_metrics(file)
            for split in ("train", "validation"):
                plot = training_plot(
                    [row for row in rows if row.get("split") == split],
                    panels,
                    caption=f"Training {file.parent.name}, {split}.",
                )
                blocks += [plot] if plot is not None else []
            blocks += [Notice(f"{broken} lines of its metrics cannot be read.", "note")] if broken else []
    return blocks
