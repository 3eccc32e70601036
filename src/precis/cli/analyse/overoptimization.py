"""`precis analyse overoptimization`: where does a better proxy score stop buying better summaries?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Ending, flat
from .finish import finish
from .reading import show_block

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...evaluation.optimization.collapse import SeedState
    from ...evaluation.optimization.overoptimization import Curve


@flat
def overoptimization_command(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="JSONL: method, beta or n, document, proxy, gold, kl.")
    ],
    ending: Ending = Ending(),
) -> None:
    """Gold against proxy over KL: the turning point, a fitted form, collapsed seeds, and when to have stopped."""
    from ...evaluation.optimization.collapse import curve_seeds
    from ...evaluation.optimization.frontier import read_observations, studies
    from ...evaluation.optimization.overoptimization import measure
    from ...evaluation.optimization.replay import replay_rule
    from ...evaluation.plain import to_plain
    from ...report.overoptimization_blocks import curve_section, points_table, replay_sentence, turn_sentence

    found = studies(read_observations(files))
    sections, said, findings, warnings = [], [], [], []
    for study in found:
        curve = measure(study, seed=ending.seed)
        states, replay = curve_seeds(curve), replay_rule(study, seed=ending.seed)
        show_block(points_table(curve))
        sections.append(curve_section(curve, states, replay))
        plain = to_plain(curve)
        plain["turned"] = None if curve.turn is None else curve.turn.is_turned
        plain["peak"] = None if curve.turn is None else curve.points[curve.turn.peak].label
        said.append(plain | {"seed_states": to_plain(states), "replay": to_plain(replay)})
        findings.append(f"{curve.title}: {turn_sentence(curve)}")
        findings += [f"{curve.title}: {replay_sentence(replay)}"] if replay is not None else []
        warnings += _warnings(curve, states)
    finish(
        "Over-optimization",
        sections,
        {"curves": said},
        findings=findings,
        warnings=warnings,
        ending=ending,
    )


def _warnings(curve: Curve, states: Mapping[str, Sequence[SeedState]]) -> list[str]:
    found = []
    if curve.negative_kl:
        found.append(
            f"{curve.title}: the mean KL of {', '.join(curve.negative_kl)} is below 0, by the noise of sampling; it is "
            "shown as it is, and the fitted form takes it for 0"
        )
    if curve.dropped:
        found.append(f"{curve.title}: {curve.dropped:,} candidates lack a proxy or gold score and were left out")
    for label, own in states.items():
        for state in ("collapsed", "weak"):
            if those := [seed for seed in own if seed.state == state]:
                listed = "; ".join(f"seed {seed.run.seed}: {seed.why}" for seed in those)
                found.append(f"{curve.title}, {label}: {len(those)} of {len(own)} seeds {state} ({listed})")
    if curve.fit.extrapolated:
        found.append(f"{curve.title}: the fitted peak lies beyond the largest KL seen")
    return found
