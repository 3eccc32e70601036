"""`precis analyse axes`: ratings from 1 to 7 on overall, accuracy, coverage, coherence, or any other axis."""

from __future__ import annotations

from typing import Annotated

import typer

from ...errors import UserError
from ..options import Ending, Where, flat
from .finish import finish
from .reading import read_groups, show_block


@flat
def axes_command(
    axes: Annotated[
        list[str] | None, typer.Option("--axis", metavar="NAME", help="Only this axis (may be repeated).")
    ] = None,
    judges: Annotated[
        list[str] | None, typer.Option("--judge", metavar="NAME", help="Only this judge's ratings (may be repeated).")
    ] = None,
    where: Where = Where(),
    ending: Ending = Ending(),
) -> None:
    """Ratings by system and axis: the histogram, the mean with its interval, and the share with the best mark."""
    from ...evaluation.judgements.axes import axis_ratings
    from ...evaluation.judgements.choices import judge_labels, maker_labels, named
    from ...evaluation.plain import to_plain
    from ...records import Rating
    from ...report.axes_blocks import axes_findings, axes_sections, axis_table

    groups = read_groups(where)
    ratings = [j for group in groups for j in group.judgements if isinstance(j, Rating)]
    if not ratings:
        raise UserError("no judgement here is a rating on an axis; import some first")
    labels = judge_labels(rating.judge for rating in ratings)
    if judges:
        wanted = named(judges, list(dict.fromkeys(labels.values())), "judge with ratings")
        ratings = [rating for rating in ratings if labels[rating.judge.id] in wanted]
    if axes:
        kept = named(axes, list(dict.fromkeys(rating.axis for rating in ratings)), "axis")
        ratings = [rating for rating in ratings if rating.axis in kept]
    candidates = {c.id: c for group in groups for c in (*group.candidates, *group.references)}
    rated = {rating.candidate for rating in ratings}
    systems = maker_labels(candidates[id].maker for id in rated)
    found = axis_ratings(ratings, {id: systems[candidates[id].maker.id] for id in rated}, seed=ending.seed)
    for axis in dict.fromkeys(one.axis for one in found):
        show_block(axis_table([one for one in found if one.axis == axis]))
    finish(
        "Ratings on axes",
        axes_sections(found),
        to_plain({"axes": found}),
        findings=axes_findings(found),
        ending=ending,
    )
