"""The command line: parse, call, render; nothing else. Heavy imports wait until a command needs them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer

from ..errors import UserError
from . import contrastive, data, humaneval, judge, models, reinforce, reranker, run, sweep, work
from .analyse import analyse_app
from .app import run_guarded

# Older releases of typer take their errors from click, newer ones have their own: both stand in this line of descent.
_UsageError, _ParserError = typer.BadParameter.__mro__[1:3]

app = typer.Typer(
    name="precis",
    help="Teach language models to summarize from feedback.",
    no_args_is_help=False,
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("import")(data.import_command)
app.command("export")(data.export_command)
app.command("stats")(data.stats_command)
app.command("init-model")(models.init_model_command)
app.command("sample")(work.sample_command)
app.command("judge")(judge.judge_command)
models.train_app.command("contrastive")(contrastive.train_contrastive_command)
models.train_app.command("reranker")(reranker.train_reranker_command)
models.train_app.command("ppo")(reinforce.train_ppo_command)
models.train_app.command("rloo")(reinforce.train_rloo_command)
app.add_typer(models.train_app, name="train")
app.command("run")(run.run_command)
app.command("sweep")(sweep.sweep_command)
app.command("evaluate")(work.evaluate_command)
app.add_typer(analyse_app, name="analyse")
app.add_typer(humaneval.human_eval_app, name="human-eval")
app.command("report")(work.report_command)
app.command("summarize")(work.summarize_command)
app.command("quickstart")(run.quickstart_command)


@app.callback()
def _without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 a bug of ours, 2 a mistake to mend, 130 stopped."""
    sys.exit(run_guarded(lambda: _run(arguments)))


def _run(arguments: Sequence[str] | None) -> None:
    try:
        code = app(args=list(sys.argv[1:] if arguments is None else arguments), standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        if not isinstance(error, _ParserError):
            raise
        raise UserError(_sentence(error)) from error
    if isinstance(code, int) and code:
        sys.exit(code)


def _sentence(error: Any) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (see: {context.command_path} --help)" if isinstance(error, _UsageError) and context else ""
    return str(error.format_message()).rstrip(".") + hint
