"""The report of contrastive training: what the ranking adds to imitation, writing and choosing, and by whose word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..evaluation.lengthmatch import LengthMatch
from ..evaluation.optimization.bestofn import best_of_n_curve
from ..evaluation.statistics import over_seeds
from ..evaluation.systems import Evaluation, mean_differences
from ..records import Document, Group, JudgeInfo
from ..report.analysis_blocks import accuracy_table, best_of_n_blocks, read_metrics, training_plot
from ..report.contents import Block, Cell, Column, Notice, Report, Row, Section, Table, Text
from ..report.example_blocks import example_block, length_histogram
from ..report.run import describe_run
from ..report.systems_blocks import (
    COLUMNS,
    differences_table,
    quality_table,
    seeds_table,
    text_table,
    win_rate_blocks,
    win_rate_sentence,
)
from ..sampling.decoding import Decoding
from ..selection import Selection, scores_of
from ..textmetrics import ROUGE_TYPES
from ..training.run_folder import TrainResult
from .own_order import Order
from .settings import Settings
from .spending import read_spent, spent_table
from .steps import Documents
from .summary import taken_notices
from .workspace import Workspace


@dataclass(frozen=True)
class Contrast:
    """Which judges and systems the findings are about; `own` are the policies' own scores, `decodings` how they
    write and how near that came to the length of what is imitated.

    `seeds` are the systems that contrast made, by seed, and `choosing` what each of them chooses among the candidates
    of the warm policy; `contrastive` and `reranked` are the first of them. `rerankers` are what each seed's reranker
    chooses among the same. `twins` are what imitation made, by seed: contrast is compared with its own seed's.
    """

    gold: JudgeInfo
    ranker: JudgeInfo
    own: Mapping[str, JudgeInfo]
    contrastive: str
    imitation: str
    warm: str
    seeds: Mapping[int, str]
    twins: Mapping[int, str]
    choosing: Mapping[int, str]
    rerankers: Mapping[int, str]
    random: str
    reranked: str
    ceiling: str
    decodings: Mapping[str, tuple[Decoding, LengthMatch | None]]

    @property
    def judges(self) -> tuple[JudgeInfo, ...]:
        """The judge of the result and the one that trained, if they are two."""
        return (self.gold,) if self.gold.id == self.ranker.id else (self.gold, self.ranker)


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
                quality_table(evaluation, asides=(about.ceiling,), note="The last row is a ceiling."),
                differences_table(evaluation.differences, ("rouge1", "rouge2", "rougeL")),
                *win_rate_blocks(evaluation.win_rates),
                *_over_seeds(evaluation, about, tested, seed),
            ),
        ),
        Section("How well a policy's own score orders candidates", tuple(ordering)),
        Section(
            "What choosing by the contrastive policy's own score buys", tuple(_choosing(choices, about, drawn=drawn))
        ),
        Section(
            "The texts",
            (
                _lengths(about),
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
        warnings=(*evaluation.warnings, *_unmatched(about)),
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


def _over_seeds(evaluation: Evaluation, about: Contrast, tested: Sequence[Document], seed: int) -> list[Block]:
    """Win rates and ROUGE of contrast's trainings, and of rerankers', over their seeds, where there are several."""
    several = [each for each in (about.seeds, about.choosing, about.rerankers) if len(each) > 1]
    if not several:
        return []
    ways = {next(iter(each.values())): each for each in several}
    way_of = {system: (way, str(seed)) for way, each in ways.items() for seed, system in each.items()}

    def named(other: str) -> str:
        return about.imitation if other in about.twins.values() else other

    rates: dict[str, dict[str, float]] = {}
    for rate in evaluation.win_rates:
        if rate.system in way_of and rate.judge == about.gold.name and rate.win_rate.value is not None:
            way, own_seed = way_of[rate.system]
            rates.setdefault(f"{way} against {named(rate.against)}", {})[own_seed] = rate.win_rate.value
    gains: dict[str, dict[str, float]] = {}
    for gain in evaluation.differences:
        if gain.a in way_of and gain.metric in ROUGE_TYPES and gain.difference.value is not None:
            way, own_seed = way_of[gain.a]
            name = f"{COLUMNS[gain.metric].name}, {way} over {named(gain.b)}"
            gains.setdefault(name, {})[own_seed] = gain.difference.value
    joined = [
        difference
        for way, each in ways.items()
        for other, others in ((about.imitation, {} if each is about.rerankers else about.twins), (about.warm, {}))
        for difference in mean_differences(
            evaluation,
            tested,
            [(system, others.get(own_seed, other)) for own_seed, system in each.items()],
            ROUGE_TYPES,
            names=(f"{way}, mean of {len(each)} seeds", other),
            seed=seed,
        )
    ]
    tables = {f"Win rate by {about.gold.name} over seeds, %.": rates, "Gain in ROUGE over seeds, points.": gains}
    return [
        *(
            seeds_table(caption, {name: over_seeds(own) for name, own in each.items()}, scale=100, digits=2)
            for caption, each in tables.items()
            if each
        ),
        differences_table(joined, ROUGE_TYPES, caption="Paired differences, each document's mean over the seeds."),
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


def _lengths(about: Contrast) -> Table:
    rows = []
    for name, (decoding, match) in about.decodings.items():
        why = "its decoding has no length penalty, or none was tuned"
        values = (None, None, None) if match is None else (match.penalty, match.length, match.target)
        tuned = (Cell(value, why=why if value is None else "") for value in values)
        rows.append(Row((Cell(name), Cell(decoding.num_beams), *tuned)))
    return Table(
        caption="Length penalties of beam search, tuned on validation documents to the length of what is imitated.",
        columns=(
            Column("Policy"),
            Column("Beams", digits=0),
            Column("Penalty", "Exponent of the length that a sum of log-probs is divided by.", digits=2),
            Column("Words", "Mean length on the validation documents."),
            Column("Target", "Mean length of what is imitated, in words."),
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
