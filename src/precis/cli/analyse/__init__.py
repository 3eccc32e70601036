"""`precis analyse …`: what makes judgements and reward models trustworthy, one analysis a file."""

from __future__ import annotations

import typer

analyse_app = typer.Typer(
    help="Ask what judgements, judges and reward models are worth: agreement, length, copying, probes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
