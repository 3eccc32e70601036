"""A run of `human-feedback` in one row: what each policy gained by the judge of the result, and how far it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..evaluation.optimization.divergence import Divergence
from ..evaluation.systems import Evaluation
from ..records import Group
from ..report.contents import Cell, Column, Table
from .reporting import SUPERVISED, Findings, gains_table
from .summary import Figure, in_one_row, one_row, seconds_figures, tokens_figure, win_rate_figures
from .workspace import Workspace

STEPS = ("supervised", "candidates", "feedback", "reward", "ppo", "rloo", "rejection")


def feedback_summary(
    work: Workspace,
    evaluation: Evaluation,
    about: Findings,
    *,
    greedy: Mapping[str, Sequence[Group]],
    moved: Mapping[str, Divergence],
) -> list[Table]:
    """The tables of one row."""
    gold, rates = about.gold.name, evaluation.win_rates
    figures: list[Figure] = [(Column("By", "The judge of the result."), Cell(gold))]
    for system in (*(name for name in greedy if name != SUPERVISED), about.chosen):
        figures += _named(win_rate_figures(rates, system, SUPERVISED).get(gold, []), gold, system)
    chosen = win_rate_figures(rates, about.chosen, about.random).get(gold, [])
    trained = sorted(path.name for path in work.training.iterdir() if path.is_dir())
    return [
        one_row(f"Win rates against {SUPERVISED}, %.", figures),
        one_row(
            "Win rate of the candidate that the reward model chooses against a random one, %.",
            [
                (Column("Among", "Candidates of a document."), Cell(about.chosen.split(" by ")[0])),
                *_named(chosen, gold, "chosen"),
            ],
        ),
        one_row("Greedy summaries of the test documents.", in_one_row(gains_table(greedy, moved, about))),
        one_row("Cost.", [*seconds_figures(work, STEPS), *(tokens_figure(work, name) for name in trained)]),
    ]


def _named(figures: Sequence[Figure], judge: str, system: str) -> list[Figure]:
    """The figures under the system's name: the judge is the same in all of them."""
    return [
        (Column(column.name.replace(judge, system, 1), column.help, column.better, column.scale), own)
        for column, own in figures
    ]
