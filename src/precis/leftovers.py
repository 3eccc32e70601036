"""What is written under another name first, and what a killed process (`kill -9`, no power) leaves of that.

The name holds the process's number, so the next one that writes the same file or folder knows whose it was.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from glob import escape
from pathlib import Path

PARTIAL, OLD = "partial", "old"


def name_beside(target: Path, kind: str) -> Path:
    """Where this process keeps what will be, or was, `target`: in the same folder, hidden."""
    return target.with_name(f".{target.name}.{os.getpid()}.{kind}")


def sweep(target: Path, kind: str) -> None:
    """Remove what processes of this machine that are dead left under `name_beside(target, kind)`."""
    for path in target.parent.glob(f".{escape(target.name)}.*.{kind}"):
        number = path.name.removeprefix(f".{target.name}.").removesuffix(f".{kind}")
        if number.isdecimal() and not _is_alive(int(number)):
            remove(path)


def remove(path: Path) -> None:
    """Remove a file or folder if it is there and can be removed: what is left over stops nobody."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _is_alive(number: int) -> bool:
    if os.name != "posix":  # elsewhere this call would end the process
        return True
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True
