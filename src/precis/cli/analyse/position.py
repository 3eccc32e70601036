"""`precis analyse position`: does a judge like what it sees first?"""

from __future__ import annotations

from typing import Annotated

import typer

from ...errors import UserError
from ..options import Ending, Where, flat
from .finish import finish
from .reading import read_groups, show_block

TERMINAL = ("First chosen", "Preferences", "Both orders", "Consistent", "Bias")


@flat
def position_command(
    judges: Annotated[
        list[str] | None,
        typer.Option("--judge", metavar="NAME", help="Only this judge (may be repeated; 'people' are all persons)."),
    ] = None,
    where: Where = Where(),
    ending: Ending = Ending(),
) -> None:
    """Share of preferences for the text shown first, and what pairs judged in both orders say, by judge."""
    from ...evaluation.judgements.choices import PERSON, named
    from ...evaluation.judgements.position import position_bias
    from ...evaluation.plain import to_plain
    from ...evaluation.winrates import judgements_by_judge
    from ...records import Comparison, Ranking
    from ...report.position_blocks import position_findings, position_section, position_table
    from ...report.sentences import short_names

    groups = read_groups(where)
    said = [j for group in groups for j in group.judgements if isinstance(j, (Comparison, Ranking))]
    by_judge = judgements_by_judge(said)
    persons = list(dict.fromkeys(j.judge.name for j in said if j.judge.name.startswith(PERSON)))
    if len(persons) > 1:
        by_judge |= {name: [j for j in said if j.judge.name == name] for name in persons}
    elif persons:
        by_judge = {(persons[0] if name == "people" else name): own for name, own in by_judge.items()}
    if judges:
        by_judge = {name: by_judge[name] for name in named(judges, list(by_judge), "judge that compares or ranks")}
    found = [position_bias(name, own, seed=ending.seed) for name, own in by_judge.items()]
    if not any(one.preferences or one.both_orders for one in found):
        raise UserError(
            "no comparison here says which text was shown first, so a position bias cannot be seen; "
            "comparisons collected by precis do (OpenAI's files do not)"
        )
    names = short_names([one.judge for one in found])
    show_block(position_table(found, names), TERMINAL)
    finish(
        "Position bias",
        [position_section(found, names)],
        to_plain({"judges": found}),
        findings=position_findings(found, names),
        ending=ending,
    )
