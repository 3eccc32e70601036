"""What all commands share: the options that every one has, how results are printed, how mistakes end."""

from __future__ import annotations

import errno
import io
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import UserError

if TYPE_CHECKING:
    from ..store import Store

# What every generator of random numbers takes.
LARGEST_SEED = 2**32 - 1

StoreOption = Annotated[
    str,
    typer.Option("--store", envvar="PRECIS_STORE", help="Workspace folder, SQLite file, or postgresql:// URL."),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Seed of everything drawn at random.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on the last line of stdout.")]
ResumeOption = Annotated[
    bool,
    typer.Option("--resume/--no-resume", help="Continue a run that was stopped, to the same result; or refuse to."),
]

DEFAULT_STORE = "workspace"


def open_store(where: str, *, create: bool = True) -> Store:
    """The store that `--store` names. A command that only reads one does not make an empty one of a mistyped name."""
    from ..store import Store

    return Store(where, create=create)


def emit(result: Mapping[str, Any], as_json: bool) -> None:
    """The machine-readable result, on the last line of stdout, when `--json` asks for it."""
    if as_json:
        print(json.dumps(_finite(result), ensure_ascii=False, default=str, allow_nan=False), flush=True)


def _finite(value: Any) -> Any:
    """`value` with null for NaN and infinities, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def say(text: str = "") -> None:
    """One line for people, character by character: a summary may hold `:dog:` or `[b]`, which rich would read."""
    print(text, flush=True)


def show_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A plain table: first column left, the others right. Cells are text, whatever they hold."""
    table = Table(title=Text(title), title_justify="left", box=None, header_style="bold", pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    # A terminal has a width; pipes get 100 columns, so that logs are stable.
    Console(width=None if sys.stdout.isatty() else 100, highlight=False).print(table)


def run_guarded(command: Callable[[], Any]) -> int:
    """Run the command; a user's mistake is one sentence and exit code 2, a stop is 130, and neither is a traceback."""
    _open_streams()
    try:
        command()
        return 0
    except UserError as error:
        return _end(str(error), 2)
    except KeyboardInterrupt:
        return _end("stopped; the same command goes on where it was", 130)
    except BrokenPipeError:
        # The reader of our output (head, less) has left; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except UnicodeEncodeError as error:  # bytes of the command line that are no text
        return _end(f"{error.object[:200]!r} is not UTF-8; give it another name", 2)
    except MemoryError:
        return _out_of_memory()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _end(f"no space left on the disk{_at(error)}; what was stored before is intact", 2)
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return _end(f"not allowed to write or read{_at(error)}", 2)
        if error.errno is not None:  # the machine's refusal, of whatever kind
            return _end(f"{error.strerror or error}{_at(error)}", 2)
        return _bug(error)
    except Exception as error:  # the last net: a bug of ours, said as such
        return _out_of_memory() if _no_memory(error) else _bug(error)


def _open_streams() -> None:
    """A closed stream swallows what is written to it, and a character that a stream cannot spell is written as \\x…."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (open until the process ends)
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _no_memory(error: Exception) -> bool:
    """torch reports a lack of memory as a RuntimeError: of its own class on a GPU, by its words on a CPU."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def _out_of_memory() -> int:
    return _end("out of memory; set tokens_per_batch lower, ask for fewer candidates or a smaller max_prefix_tokens", 2)


def _at(error: OSError) -> str:
    name = str(error.filename) if error.filename else ""
    return f": {name if len(name) <= 200 else name[:200] + '…'}" if name else ""


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
