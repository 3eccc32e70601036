"""`precis analyse accuracy`: does a judge choose as people did, and better than rules that know no content?"""

from __future__ import annotations

from typing import Annotated

import typer

from ..options import Ending, Where, flat
from .finish import finish
from .reading import LabelersOption, pooling_warnings, read_choices, read_groups, show_block


@flat
def accuracy_command(
    judge: Annotated[str, typer.Option("--judge", metavar="NAME", help="The judge whose scores are tested.")] = (
        "reward"
    ),
    labelers: LabelersOption = None,
    where: Where = Where(),
    ending: Ending = Ending(),
) -> None:
    """A judge's scores against people's comparisons: by batch, systems, confidence and length; beside baselines."""
    from ...evaluation.judgements.candidatemetrics import judge_metrics, rule_metrics
    from ...evaluation.judgements.choices import named
    from ...evaluation.judgements.judgeaccuracy import judge_accuracy
    from ...evaluation.plain import to_plain
    from ...report.analysis_blocks import accuracy_table
    from ...report.judge_blocks import accuracy_findings, accuracy_sections, accuracy_warnings

    groups = read_groups(where)
    choices = read_choices(groups, labelers)
    scored = judge_metrics(groups)
    (name,) = named([judge], list(scored), "judge with scores")
    rules = rule_metrics(groups, {side.id for choice in choices for side in (choice.a, choice.b)})
    found = judge_accuracy(choices, scored[name], rules, seed=ending.seed)
    show_block(accuracy_table(f"{name} against people, beside rules that know no content.", found.overall, found.gains))
    for kind, rows in found.by.items():
        if rows:
            show_block(accuracy_table(f"By {kind}.", rows, what=kind, contest=False))
    finish(
        f"Accuracy of {name} against people",
        accuracy_sections(found),
        to_plain(found),
        findings=accuracy_findings(found),
        warnings=[*pooling_warnings(choices), *accuracy_warnings(found)],
        ending=ending,
    )
