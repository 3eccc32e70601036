"""`precis analyse scaling`: what do more pairs and larger models buy?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..app import JsonOption
from ..options import Ending, OutOption
from .finish import finish
from .reading import show_block


def scaling_command(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="JSONL of training runs: parameters, pairs, seed, accuracy, n."),
    ],
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accuracy against log2 of data and of parameters: what one doubling of each buys."""
    from ...evaluation.optimization.scaling import fit_scaling, read_training_runs, sampling_noise
    from ...evaluation.plain import to_plain
    from ...report.scaling_blocks import gain_sentence, scaling_section, slopes_table

    runs = read_training_runs(files)
    fit = fit_scaling(runs)
    show_block(slopes_table(fit))
    noise = sampling_noise(runs)
    warnings = [f"{slope.axis}: {slope.note}" for slope in fit.slopes if slope.note]
    if noise is not None:
        warnings.append(
            f"the draw of the held-out pairs alone moves one accuracy by about {100 * noise:.2f} points (standard "
            "error); if all runs share these pairs, slopes feel less of it"
        )
    finish(
        "Scaling",
        [scaling_section(runs, fit)],
        {**to_plain(fit), "sampling_noise": noise},
        findings=[gain_sentence(slope) for slope in fit.slopes],
        warnings=warnings,
        ending=Ending(out=out, as_json=as_json),
    )
