"""`precis analyse length`: how much of what people prefer is length?"""

from __future__ import annotations

from ..options import Ending, Where, flat
from .finish import finish
from .reading import LabelersOption, judged_by, pooling_warnings, read_choices, read_groups, show_block

TERMINAL = ("Win rate", "At equal length", "Comparisons")


@flat
def length_command(
    labelers: LabelersOption = None,
    where: Where = Where(),
    ending: Ending = Ending(),
) -> None:
    """Win rates of every two systems raw and at equal length, how often the longer text wins, and lengths by system."""
    from ...evaluation.judgements.lengths import length_analysis
    from ...evaluation.plain import to_plain
    from ...report.length_blocks import (
        length_findings,
        length_sections,
        length_warnings,
        longer_table,
        pairs_table,
        systems_table,
    )

    choices = read_choices(read_groups(where), labelers)
    found = length_analysis(choices, judge=judged_by(choices), seed=ending.seed)
    show_block(systems_table(found))
    show_block(pairs_table(found.pairs, f"Pairs of systems, judged by {found.judge}."), TERMINAL)
    show_block(longer_table(found))
    finish(
        "Length and preference",
        length_sections(found),
        to_plain(found),
        findings=length_findings(found),
        warnings=[*pooling_warnings(choices), *length_warnings(found)],
        ending=ending,
    )
