"""`precis analyse agreement`: do the people who compare agree, when can they be believed, and do they drift?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UserError
from ..options import Ending, Where, flat
from .finish import finish
from .reading import LabelersOption, pooling_warnings, read_choices, read_groups, show_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...evaluation.judgements.choices import Choice
    from ...evaluation.judgements.drift import Drift

TERMINAL = ("Strength ≥ 1", "Strength ≥ 2", "Strength ≥ 3", "Strength ≥ 4", "Threshold")  # of the thresholds' table


@flat
def agreement_command(
    researchers: Annotated[
        list[str] | None,
        typer.Option("--researcher", metavar="NAME", help="A judge who is a researcher (may be repeated)."),
    ] = None,
    labelers: LabelersOption = None,
    target: Annotated[
        float, typer.Option("--target", min=0.5, max=1.0, help="Agreement that a confidence threshold must reach.")
    ] = 0.8,
    least: Annotated[
        int, typer.Option("--least", min=1, help="Labels that a threshold must be checked on at least.")
    ] = 10,
    sentinel: Annotated[
        str | None,
        typer.Option(
            "--sentinel",
            metavar="SYSTEM",
            help="Watch this system against --against by batch. Default: the pair that most batches have.",
        ),
    ] = None,
    against: Annotated[str, typer.Option("--against", metavar="SYSTEM", help="For --sentinel.")] = "reference",
    where: Where = Where(),
    ending: Ending = Ending(),
) -> None:
    """How far labelers agree: with each other, with researchers, as a majority of several; by confidence and batch."""
    from ...evaluation.judgements.choices import named
    from ...evaluation.judgements.labelers import label_agreement, votes_of
    from ...evaluation.judgements.thresholds import confidence_thresholds
    from ...evaluation.plain import to_plain
    from ...report.drift_blocks import drift_findings, drift_section
    from ...report.labeler_blocks import (
        agreement_findings,
        agreement_section,
        groups_table,
        labelers_table,
        modal_table,
    )
    from ...report.threshold_blocks import threshold_findings, thresholds_section, thresholds_table

    groups = read_groups(where)
    choices = read_choices(groups, [*labelers, *(researchers or [])] if labelers else None)
    everyone = list(dict.fromkeys(choice.labeler for choice in choices))
    experts = named(researchers or [], everyone, "researcher")
    found = label_agreement(choices, experts, seed=ending.seed)
    judges, judged_by = (experts, "researchers") if experts else (list(found.labelers), "the other labelers")
    thresholds = confidence_thresholds(
        votes_of(choices), found.labelers, judges, target=target, least=least, seed=ending.seed
    )
    watched = _drift(choices, sentinel, against, ending.seed)
    show_block(groups_table(found))
    if any(one.items for one in (*found.modal_others, *found.modal_researchers)):
        show_block(modal_table(found))
    show_block(labelers_table(found))
    sections = [agreement_section(found)]
    findings = [*agreement_findings(found), *threshold_findings(thresholds, judged_by, target)]
    warnings = pooling_warnings(choices)
    checked = [one for one in thresholds if one.levels[0].labels]
    if checked:
        show_block(thresholds_table(checked, judged_by, target), TERMINAL)
        sections.append(thresholds_section(checked, judged_by, target))
    if len(checked) < len(thresholds):
        warnings.append(
            f"{len(thresholds) - len(checked)} labelers have no label that {judged_by} can check: no threshold."
        )
    if watched is None:
        warnings.append("Drift: no two systems were compared in two batches, so nothing can be watched.")
    else:
        sections.append(drift_section(watched))
        findings += drift_findings(watched)
    finish(
        "Agreement of labelers",
        sections,
        to_plain({"agreement": found, "thresholds": thresholds, "drift": watched}),
        findings=findings,
        warnings=warnings,
        ending=ending,
    )


def _drift(choices: Sequence[Choice], sentinel: str | None, against: str, seed: int) -> Drift | None:
    from ...evaluation.judgements.choices import systems_in
    from ...evaluation.judgements.drift import drift, sentinel_pair

    if sentinel is not None:
        present = set(systems_in(choices).values())
        for name in (sentinel, against):
            if name not in present:
                raise UserError(f"no system {name!r} was compared; there are {', '.join(sorted(present))}")
        return drift(choices, sentinel, against, seed=seed)
    pair = sentinel_pair(choices)
    return None if pair is None else drift(choices, *pair, seed=seed)
