"""Opening files to read and to write, with every trouble said in one sentence; writes appear whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import UserError

_SPLITS = {
    "train": "train",
    "training": "train",
    "dev": "valid",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "valid1": "valid1",  # OpenAI's two halves: to choose models by, and to judge them on
    "valid2": "valid2",
    "test": "test",
}
# How the few lines begin that stand in a checkout for a file of git's large file storage.
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_WORDS = re.compile(r"valid[12](?!\d)|[a-z]+")


def files_at(path: Path, suffixes: Collection[str]) -> list[Path]:
    """`path` itself, or a folder's files with one of `suffixes`, by name. Raises `UserError` if there is none."""
    try:
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes)
            if not found:
                raise UserError(f"{path} is a folder without {' or '.join(sorted(suffixes))} files")
            return found
        if path.exists():
            return [path]
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UserError(f"cannot read {path}: {_reason(error)}") from error
    raise UserError(f"there is no file {path}")


def split_of(path: Path) -> str:
    """The split that a file's name tells: `dev.jsonl` is "valid", `posts-train.csv` "train", `posts.csv` ""."""
    found = {_SPLITS[word] for word in _WORDS.findall(path.stem.lower()) if word in _SPLITS}
    return found.pop() if len(found) == 1 else ""


def dataset_of(path: Path) -> str:
    """A data set's name from its file's: the stem without the split, or the folder where only the split is left."""
    stem = path.name if path.is_dir() else path.stem
    words = [word for word in re.split(r"[\s._-]+", stem) if word and word.lower() not in _SPLITS]
    return "-".join(words) or path.resolve().parent.name or "documents"


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """`path`, open for reading bytes. Raises `UserError` if it cannot be, or is but git's pointer to the file."""
    try:
        stream = open(path, "rb")  # noqa: SIM115  (closed below)
    except IsADirectoryError as error:
        raise UserError(f"{path} is a folder; expected a file") from error
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {_reason(error)}") from error
    with stream:
        try:
            if stream.peek(len(_LFS_POINTER)).startswith(_LFS_POINTER):
                raise UserError(f"{path} is not the file but git's pointer to it; fetch the file with `git lfs pull`")
            yield stream
        except OSError as error:
            raise UserError(f"cannot read {path}: {_reason(error)}") from error


@contextmanager
def writing(path: Path | str) -> Iterator[BinaryIO]:
    """A stream whose bytes become the file `path` when the block ends; if it fails, the old file stays as it was.

    What is no ordinary file (a pipe, /dev/stdout) is written straight into.
    """
    target = Path(path)
    try:
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            with open(target, "wb") as stream:  # a folder fails here, as it should
                yield stream
            return
        target = target.resolve()  # a link keeps pointing at what is written
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f".precis-{secrets.token_hex(6)}"
        try:
            with open(temporary, "xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {path}: {_reason(error)}") from error


@contextmanager
def writing_folder(path: Path | str) -> Iterator[Path]:
    """A temporary folder that becomes `path` when the block ends. Raises `UserError` if `path` is there already."""
    target = Path(path)
    temporary = target.parent / f".precis-{secrets.token_hex(6)}"
    try:
        if target.exists():
            raise UserError(f"{path} is there already; remove it or name another folder")
        temporary.mkdir(parents=True)
        yield temporary
        os.rename(temporary, target)
    except OSError as error:
        raise UserError(f"cannot write {path}: {_reason(error)}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
