"""`precis analyse judges`: which judges agree with human ratings, axis by axis?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UserError
from ..options import Ending, Where, flat
from .finish import finish
from .reading import read_groups, show_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...records import Group

TERMINAL = ("tau-b", "Ahead by", "tau-b, systems", "Pairs right")
EXPERTS = ("expert", "experts")


@flat
def judges_command(
    humans: Annotated[
        list[str] | None,
        typer.Option(
            "--human",
            metavar="NAME",
            help="Whose ratings are the truth (may be repeated). Default: people's and experts'.",
        ),
    ] = None,
    axes: Annotated[
        list[str] | None, typer.Option("--axis", metavar="NAME", help="Only this axis (may be repeated).")
    ] = None,
    judges: Annotated[
        list[str] | None,
        typer.Option("--judge", metavar="NAME", help="Only this judge or rule (may be repeated)."),
    ] = None,
    against: Annotated[
        str, typer.Option("--against", metavar="NAME", help="The judge or rule that the others must beat.")
    ] = "copying",
    where: Where = Where(),
    ending: Ending = Ending(),
) -> None:
    """Rank correlation of judges with human ratings, within documents and between systems, and pairs, by axis."""
    from ...evaluation.judgements.candidatemetrics import rule_metrics
    from ...evaluation.judgements.choices import named
    from ...evaluation.judgements.metaevaluation import judges_on_axes
    from ...evaluation.judgements.verdicts import verdicts_of
    from ...evaluation.plain import to_plain
    from ...report.metaevaluation_blocks import judges_findings, judges_sections, judges_table, judges_warnings

    groups = read_groups(where, references_compete=False)
    ratings = _ratings(groups, humans)
    human = {f"{name}: {axis}" for name, axis in ratings}
    if axes:
        kept = named(axes, [axis for _, axis in ratings], "axis")
        ratings = [(name, axis) for name, axis in ratings if axis in kept]
    truths = [f"{name}: {axis}" for name, axis in ratings]
    rules = rule_metrics(groups, [candidate.id for group in groups for candidate in group.candidates])
    everyone = verdicts_of(groups, rules)
    own = {name: one for name, one in everyone.items() if name not in human and one.values}
    rival = own[named([against], list(own), "judge")[0]]
    if judges:
        own = {name: own[name] for name in named(judges, list(own), "judge")}
    found = judges_on_axes(groups, truths, list(own.values()), against=rival, seed=ending.seed)
    for truth in truths:
        show_block(judges_table([one for one in found if one.axis == truth]), TERMINAL)
    finish(
        "Judges and human ratings",
        judges_sections(found),
        to_plain({"judges": found}),
        findings=judges_findings(found),
        warnings=judges_warnings(found),
        ending=ending,
    )


def _ratings(groups: Sequence[Group], humans: Sequence[str] | None) -> list[tuple[str, str]]:
    """(rater as `judge_metrics` names them, axis) of all ratings that are the truth, as they came."""
    from ...evaluation.judgements.choices import PERSON, judge_labels, named
    from ...evaluation.judgements.verdicts import PEOPLE
    from ...records import Rating

    said = [one for group in groups for one in group.judgements if isinstance(one, Rating)]
    labels = judge_labels(one.judge for group in groups for one in group.judgements)
    raters = {id: PEOPLE if name.startswith(PERSON) else name for id, name in labels.items()}
    pairs = list(dict.fromkeys((raters[one.judge.id], one.axis) for one in said))
    present = list(dict.fromkeys(name for name, _ in pairs))
    wanted = named(humans, present, "rater") if humans else [n for n in present if n == PEOPLE or n in EXPERTS]
    if not wanted:
        others = f"; name one with --human: {', '.join(present)}" if present else "; precis import summeval reads some"
        raise UserError(f"no person or expert rated texts on an axis here{others}")
    return [(name, axis) for name, axis in pairs if name in wanted]
