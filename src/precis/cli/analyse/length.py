"""`precis analyse length`: how much of what people prefer is length?"""

from __future__ import annotations

from ..app import DEFAULT_STORE, JsonOption, SeedOption, StoreOption
from ..work import DatasetOption, SplitOption
from .finish import OutOption, finish
from .reading import LabelersOption, judged_by, pooling_warnings, read_choices, read_groups, show_block

TERMINAL = ("Win rate", "At equal length", "Comparisons")


def length_command(
    labelers: LabelersOption = None,
    dataset: DatasetOption = None,
    split: SplitOption = None,
    store: StoreOption = DEFAULT_STORE,
    seed: SeedOption = 0,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Win rates of every two systems raw and at equal length, how often the longer text wins, and lengths by system."""
    from ...evaluation.lengths import length_analysis
    from ...evaluation.plain import to_plain
    from ...report.length_blocks import (
        length_findings,
        length_sections,
        length_warnings,
        longer_table,
        pairs_table,
        systems_table,
    )

    choices = read_choices(read_groups(store, dataset, split), labelers)
    found = length_analysis(choices, judge=judged_by(choices), seed=seed)
    show_block(systems_table(found))
    show_block(pairs_table(found.pairs, f"Pairs of systems, judged by {found.judge}."), TERMINAL)
    show_block(longer_table(found))
    finish(
        "Length and preference",
        length_sections(found),
        to_plain(found),
        findings=length_findings(found),
        warnings=[*pooling_warnings(choices), *length_warnings(found)],
        seed=seed,
        out=out,
        as_json=as_json,
    )
