"""`precis analyse judge-bias`: what does a judge that ranks or scores like, beside quality?"""

from __future__ import annotations

from typing import Annotated

import typer

from ...errors import UserError
from ..options import Ending, Where, flat
from .finish import finish
from .reading import read_groups, show_block

TERMINAL = ("Correlation", "In the best", "In the worst", "Best minus worst")


@flat
def judge_bias_command(
    judges: Annotated[
        list[str] | None, typer.Option("--judge", metavar="NAME", help="Only this judge (may be repeated).")
    ] = None,
    stored_order: Annotated[
        bool,
        typer.Option("--stored-order", help="Take the file's order for the order shown, where nothing says that."),
    ] = False,
    pearson: Annotated[
        bool, typer.Option("--pearson", help="Pearson's r of the rank with the trait as it is, for Spearman's rho.")
    ] = False,
    where: Where = Where(),
    ending: Ending = Ending(),
) -> None:
    """Where the best and worst stood in the list; how rank goes with length, copying and new words, by judge."""
    from ...evaluation.judgements.choices import named
    from ...evaluation.judgements.judgebias import Method, judge_bias
    from ...evaluation.plain import to_plain
    from ...report.bias_blocks import bias_findings, bias_sections, bias_warnings, slots_table, traits_table

    groups = read_groups(where, references_compete=False)
    method: Method = "pearson" if pearson else "spearman"
    found = judge_bias(groups, stored_order=stored_order, method=method, seed=ending.seed)
    if not found:
        raise UserError(
            "no judgement here ranks, scores or rates texts, so there is nothing to hold against their traits; "
            "comparisons are read by precis analyse position and length"
        )
    if judges:
        wanted = named(judges, [one.judge for one in found], "judge that ranks, scores or rates")
        found = [one for one in found if one.judge in wanted]
    for one in found:
        show_block(traits_table(one), TERMINAL)
        for slots in one.slots:
            show_block(slots_table(one.judge, slots))
    finish(
        "Bias of judges",
        bias_sections(found),
        to_plain({"correlation": method, "judges": found}),
        findings=bias_findings(found),
        warnings=bias_warnings(found, stored_order=stored_order),
        ending=ending,
    )
