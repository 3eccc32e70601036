"""`precis analyse …`: what makes judgements and reward models trustworthy, one analysis a file."""

from __future__ import annotations

import typer

from .accuracy import accuracy_command
from .agreement import agreement_command
from .axes import axes_command
from .judgebias import judge_bias_command
from .judges import judges_command
from .length import length_command
from .metrics import metrics_command
from .overoptimization import overoptimization_command
from .position import position_command
from .probes import probes_command
from .raters import raters_command
from .scaling import scaling_command

analyse_app = typer.Typer(
    help="Ask what judgements, judges and reward models are worth: agreement, length, copying, probes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
analyse_app.command("agreement")(agreement_command)
analyse_app.command("length")(length_command)
analyse_app.command("accuracy")(accuracy_command)
analyse_app.command("metrics")(metrics_command)
analyse_app.command("position")(position_command)
analyse_app.command("judge-bias")(judge_bias_command)
analyse_app.command("judges")(judges_command)
analyse_app.command("axes")(axes_command)
analyse_app.command("raters")(raters_command)
analyse_app.command("probes")(probes_command)
analyse_app.command("overoptimization")(overoptimization_command)
analyse_app.command("scaling")(scaling_command)
