"""A run of `llm-reference` in one row: what its ranking bought, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from ..evaluation.systems import Evaluation
from ..records import Document
from ..report.contents import Cell, Column, Table, cell
from ..report.systems_blocks import COLUMNS
from ..selection import Selection
from .contrast_seeds import Contrast, seeds_figures
from .own_order import Order
from .spending import read_spent, spent_figures
from .summary import Figure, one_row, seconds_figures, tokens_figure, win_rate_figures
from .workspace import Workspace

STEPS = ("warm-up", "candidates", "ranking", "contrast", "imitation")


def contrastive_summary(
    work: Workspace,
    evaluation: Evaluation,
    about: Contrast,
    *,
    tested: Sequence[Document],
    ranked: Selection,
    orders: Sequence[Order],
    seed: int,
) -> list[Table]:
    """The tables of one row; judges of one name may have other settings in another run.

    Of several seeds of contrast, the first is shown, the mean over all in a table of its own, and costs are of one.
    """
    over_seeds = seeds_figures(evaluation, about, tested, seed)
    rates = evaluation.win_rates
    writing = win_rate_figures(rates, about.contrastive, about.imitation)
    choosing = win_rate_figures(rates, about.reranked, about.random, equal_length=False)
    return [
        one_row(
            f"Win rate of {about.contrastive} against {about.imitation}, %, by judge.",
            [
                (Column("Learned from", "The judge that ranked for training."), Cell(about.ranker.name)),
                *chain(*writing.values()),
            ],
        ),
        *([one_row(f"{about.contrastive} against {about.imitation} over seeds.", over_seeds)] if over_seeds else []),
        one_row("ROUGE and length of what is written.", _texts(evaluation, about)),
        one_row(
            "Pairs of test candidates that a policy's own score orders as the judge does, %.", _order(orders, about)
        ),
        one_row(
            "Win rate of the candidate that the contrastive policy chooses against a random one, %, by judge.",
            [
                (Column("Among", "Candidates of a document at most."), Cell(about.reranked.split(" by ")[0])),
                *chain(*choosing.values()),
            ],
        ),
        one_row(
            "Cost.",
            [
                *_candidates(ranked),
                *spent_figures(read_spent(work.folder)),
                *seconds_figures(work, STEPS, trainings={"contrast": len(about.seeds), "imitation": len(about.twins)}),
                *(tokens_figure(work, name) for name in ("warm", "contrastive", "imitation")),
            ],
        ),
    ]


def _texts(evaluation: Evaluation, about: Contrast) -> list[Figure]:
    """Means of both policies, and their difference by document."""
    means = {system.name: system.metrics for system in evaluation.systems}
    differences = {(d.metric, d.a, d.b): d for d in evaluation.differences}
    figures: list[Figure] = []
    for metric in ("rouge1", "rouge2", "rougeL", "words"):
        name, scale = COLUMNS[metric].name, COLUMNS[metric].scale
        for policy in (about.contrastive, about.imitation):
            value = means[policy][metric]
            column = Column(f"{name}, {policy}", COLUMNS[metric].help, "", scale)
            figures.append((column, Cell(value.value, why=value.why)))
        gain = differences.get((metric, about.contrastive, about.imitation))
        shown = Cell(None, why="no difference was measured") if gain is None else cell(gain)
        help_text = f"{about.contrastive} − {about.imitation}, paired by document."
        figures.append((Column(f"{name}, difference", help_text, "", scale), shown))
    return figures


def _order(orders: Sequence[Order], about: Contrast) -> list[Figure]:
    figures: list[Figure] = []
    for order in orders:
        found = {row.name: row.accuracy for row in order.accuracies}
        learned_from = order.judge.id == about.ranker.id
        judge = f"{order.judge.name}{' (learned from)' if learned_from else ''}"
        for policy in (about.contrastive, about.imitation):
            shown = cell(found[policy]) if policy in found else Cell(None, why="the judge orders no two candidates")
            figures.append((Column(f"{judge}: {policy}", "Share of pairs, %.", "", 100), shown))
    return figures


def _candidates(ranked: Selection) -> list[Figure]:
    each = [group.candidates for group in ranked.groups]
    known = [candidate.token_ids for own in each for candidate in own if candidate.token_ids is not None]
    total = sum(map(len, each))
    tokens = Cell(sum(map(len, known))) if len(known) == total else Cell(None, why="not every candidate has its tokens")
    return [
        (Column("Documents ranked", "Training documents with an order.", digits=0), Cell(len(each))),
        (Column("Candidates ranked", "Of these documents, each text once.", digits=0), Cell(total)),
        (Column("Their tokens", digits=0), tokens),
    ]
