"""`precis analyse raters`: do several raters give the same text the same mark?"""

from __future__ import annotations

from typing import Annotated

import typer

from ...errors import UserError
from ..options import Ending, Where, flat
from .finish import finish
from .reading import read_groups, show_block


@flat
def raters_command(
    raters: Annotated[
        list[str] | None,
        typer.Option("--rater", metavar="NAME", help="Only this rater (may be repeated). Default: every person."),
    ] = None,
    where: Where = Where(),
    ending: Ending = Ending(),
) -> None:
    """Krippendorff's alpha of ratings by axis (nominal, ordinal, interval) and of comparisons."""
    from ...evaluation.judgements.choices import PERSON, choices_of, judge_labels, named
    from ...evaluation.judgements.raters import choice_agreement, rating_agreement
    from ...evaluation.plain import to_plain
    from ...records import Comparison, Rating
    from ...report.rater_blocks import raters_findings, raters_section, raters_table

    groups = read_groups(where)
    said = [one for group in groups for one in group.judgements if isinstance(one, (Rating, Comparison))]
    present = list(dict.fromkeys(one.judge.name for one in said))
    people = [name for name in present if name.startswith(PERSON)]
    wanted = named(raters, present, "rater") if raters else people or present
    if len(wanted) < 2:
        raise UserError(f"agreement needs two raters; here is {', '.join(wanted) or 'none'}")
    ratings = [one for one in said if isinstance(one, Rating) and one.judge.name in wanted]
    found = rating_agreement(ratings, seed=ending.seed)
    # A person keeps the name in all batches; any other judge's label tells its settings apart.
    judges = {one.judge.id: one.judge for group in groups for one in group.judgements}
    labels = {label for id, label in judge_labels(judges.values()).items() if judges[id].name in wanted}
    choices = [choice for choice in choices_of(groups) if choice.labeler in labels]
    compared = choice_agreement(choices, seed=ending.seed)
    found += [compared] if compared is not None else []
    show_block(raters_table(found))
    finish(
        "Agreement of raters",
        [raters_section(found)],
        to_plain({"raters": wanted, "axes": found}),
        findings=raters_findings(found),
        ending=ending,
    )
