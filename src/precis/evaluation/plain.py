"""Results as JSON: dataclasses become objects, NaN and infinities become null, and no file is half written."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..leftovers import PARTIAL, name_beside, remove, sweep


def to_plain(value: Any, lost: list[dict[str, str]] | None = None, at: str = "") -> Any:
    """`value` as JSON data. NaN and infinities become null; if `lost` is given, each is noted there with its place."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (float, np.floating)):
        if math.isfinite(value):
            return float(value)
        if lost is not None:
            lost.append({"at": at, "was": str(float(value))})
        return None
    if isinstance(value, np.generic):
        return value.item()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item, lost, f"{at}.{key}" if at else str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [to_plain(item, lost, f"{at}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{at or 'a value'} is a {type(value).__name__}, which has no JSON form")


def write_text(path: Path, text: str) -> Path:
    """Write `text` so that a killed process leaves the old file or the new one, never half of it."""
    partial = name_beside(path, PARTIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path, PARTIAL)
        partial.write_text(text, "utf-8", newline="\n")
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        remove(partial)
    return path


def write_json(path: Path, value: Any) -> Path:
    """`value` as one indented JSON file."""
    return write_text(path, json.dumps(to_plain(value), ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[Any]) -> Path:
    """One JSON object a line."""
    return write_text(
        path, "".join(json.dumps(to_plain(row), ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    )
