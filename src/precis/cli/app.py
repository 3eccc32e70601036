"""What all commands share: the options that every one has, how results are printed, how mistakes end."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ..errors import UserError

if TYPE_CHECKING:
    from ..store import Store

StoreOption = Annotated[
    str,
    typer.Option("--store", envvar="PRECIS_STORE", help="Workspace folder, SQLite file, or postgresql:// URL."),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of everything drawn at random.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on the last line of stdout.")]
ResumeOption = Annotated[
    bool, typer.Option("--resume/--no-resume", help="Continue a run that was stopped, to the same result.")
]

DEFAULT_STORE = "workspace"
# Help and errors keep the terminal's width; pipes get 100 columns, so that logs and docs are stable.
console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)


def open_store(where: str) -> Store:
    """The store that `--store` names."""
    from ..store import Store

    return Store(where)


def emit(result: Mapping[str, Any], as_json: bool) -> None:
    """The machine-readable result, on the last line of stdout, when `--json` asks for it."""
    if as_json:
        sys.stdout.flush()
        print(json.dumps(result, ensure_ascii=False, default=str, allow_nan=False), flush=True)


def say(text: str = "") -> None:
    """One line for people."""
    console.print(text, markup=False, soft_wrap=True)


def show_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A plain table: first column left, the others right."""
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def run_guarded(command: Callable[[], Any]) -> int:
    """Run the command; a user's mistake is one sentence and exit code 2, a stop is 130, and neither is a traceback."""
    try:
        command()
        return 0
    except UserError as error:
        return _end(str(error), 2)
    except KeyboardInterrupt:
        return _end("stopped; the same command with --resume continues", 130)
    except BrokenPipeError:
        # The reader of our output (head, less) has left; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except MemoryError:
        return _end("out of memory; lower --tokens-per-batch, K or the document limit", 2)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _end(f"no space left on the disk{_at(error)}; what was stored before is intact", 2)
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return _end(f"not allowed to write or read{_at(error)}", 2)
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
            return _end(f"{error.strerror or error}{_at(error)}", 2)
        return _bug(error)
    except Exception as error:  # the last net: a bug of ours, said as such
        return _bug(error)


def _at(error: OSError) -> str:
    return f": {error.filename}" if error.filename else ""


def _end(sentence: str, code: int) -> int:
    print(f"precis: {sentence}", file=sys.stderr, flush=True)
    return code


def _bug(error: BaseException) -> int:
    if os.environ.get("PRECIS_DEBUG"):
        raise error
    return _end(
        f"this is a bug of precis, not yours: {type(error).__name__}: {error} (PRECIS_DEBUG=1 shows where)", code=1
    )


def existing(path: Path, what: str) -> Path:
    """`path`, or a sentence that it is not there."""
    if not path.exists():
        raise UserError(f"no {what} at {path}")
    return path
