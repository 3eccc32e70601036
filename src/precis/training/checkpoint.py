"""Checkpoints: a folder of safetensors and one JSON file that is either whole or not there.

A checkpoint is written beside its place, flushed to the disk, and then renamed into it, so that a kill, a full
disk or a power cut leaves the ones before it as they were. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import UserError

STATE_FILE = "state.json"
_NAME = re.compile(r"step-(\d{8,})")


def save_checkpoint(folder: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Any) -> Path:
    """Write `folder/step-00000042` with a safetensors file for each entry of `tensors`, and `state` as JSON.

    A checkpoint of the same step is replaced. Raises `UserError` when the disk is full or the folder cannot be
    written; what was there before is then untouched.
    """
    final = folder / f"step-{step:08d}"
    temporary, old = folder / f".writing-{final.name}", folder / f".old-{final.name}"
    with disk_errors(f"the checkpoint of step {step:,} could not be written to {folder}"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if temporary.exists():
                shutil.rmtree(temporary)
            temporary.mkdir()
            sizes = {}
            for name, content in tensors.items():
                path = temporary / f"{name}.safetensors"
                save_file({key: tensor.detach().contiguous() for key, tensor in content.items()}, path)
                _flush(path)
                sizes[path.name] = path.stat().st_size
            write_json(temporary / STATE_FILE, {"state": state, "sizes": sizes})
            _flush(temporary)
            if final.exists():
                # Two renames; between them the checkpoint before this one is the newest, which is as good.
                shutil.rmtree(old, ignore_errors=True)
                os.rename(final, old)
            os.rename(temporary, final)
            _flush(folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    shutil.rmtree(old, ignore_errors=True)
    return final


def checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """The whole checkpoints in `folder` by step. One whose files were cut since is passed over."""
    if not folder.is_dir():
        return []
    found = [(int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return sorted((step, path) for step, path in found if _is_whole(path))


def load_state(path: Path) -> Any:
    """The JSON state of a checkpoint."""
    with disk_errors(f"the checkpoint {path} could not be read"):
        return json.loads((path / STATE_FILE).read_text("utf-8"))["state"]


def load_tensors(path: Path, name: str, device: str = "cpu") -> dict[str, Tensor]:
    """One of the safetensors files of a checkpoint; empty if it has none of this name."""
    file = path / f"{name}.safetensors"
    if not file.exists():
        return {}
    with disk_errors(f"the checkpoint {path} could not be read"):
        return dict(load_file(file, device=device))


def prune(folder: Path, keep: set[int]) -> None:
    """Delete the checkpoints whose step is not in `keep`, and what killed writers left behind."""
    for step, path in checkpoints(folder):
        if step not in keep:
            # Renamed first: a kill in the middle must not leave half of a checkpoint under its name.
            with contextlib.suppress(OSError):
                os.rename(path, folder / f".old-{path.name}")
    for path in folder.glob(".*-step-*"):
        shutil.rmtree(path, ignore_errors=True)


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that `path` always holds the old or the new content, whole, even after a power cut."""
    temporary = path.with_name(f".{path.name}.writing")
    with disk_errors(f"{path} could not be written"):
        temporary.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)


@contextlib.contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn a disk's refusal into one sentence that starts with `what`."""
    try:
        yield
    except (OSError, SafetensorError, json.JSONDecodeError, KeyError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"{what}: {why}") from error


def _is_whole(path: Path) -> bool:
    try:
        sizes = json.loads((path / STATE_FILE).read_text("utf-8"))["sizes"]
        return all((path / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, json.JSONDecodeError, KeyError):
        return False


def _flush(path: Path) -> None:
    """Make the disk hold a file, or a folder's list of names, before anything that relies on it is done."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
