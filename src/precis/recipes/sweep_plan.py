"""Which runs a sweep makes: every combination of the files and values that vary."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .registry import Recipe
from .settings import Settings, load_settings

LONGEST_NAME = 120
_NAME = re.compile(r"[\w][\w.,=+-]*")
_OPENING, _CLOSING = "[{(", "]})"


@dataclass(frozen=True)
class Planned:
    """One run: its folder's name, what varied, its settings, and the command that continues it alone."""

    name: str
    varied: Mapping[str, str]
    settings: Settings
    command: str


def plan(
    recipe: Recipe,
    out: Path,
    *,
    preset: str | None = None,
    config: Sequence[str] = (),
    overrides: Sequence[str] = (),
    files: Sequence[str] = (),
    vary: Sequence[str] = (),
) -> list[Planned]:
    """Every run of the product of `files` (`NAME=FILE.toml` or `NAME=preset:NAME`) and `vary` (`KEY=V1,V2`).

    A file lies over `config`, `overrides` over both, and what varies over everything. Raises `UserError` for settings
    that are wrong in any run, and for runs that are called or set alike.
    """
    overlays = _overlays(files)
    axes = [_axis(one) for one in vary]
    if not overlays and not axes:
        raise UserError("nothing varies: give --vary KEY=V1,V2 or --run NAME=FILE.toml")
    keys = [key for key, _ in axes]
    if len(set(keys)) < len(keys):
        raise UserError(f"setting {max(keys, key=keys.count)!r} varies twice; give all its values to one --vary")
    labels = _short(keys)
    found: list[Planned] = []
    for overlay in [[one] for one in overlays] or [[]]:
        for values in itertools.product(*(values for _, values in axes)):
            chosen = dict(zip(keys, values, strict=True))
            name = _name([*(own for own, _ in overlay), *(f"{labels[key]}={chosen[key]}" for key in keys)])
            layers = [*config, *(file for _, file in overlay)]
            given = [*overrides, *(f"{key}={value}" for key, value in chosen.items())]
            try:
                settings = load_settings(recipe.settings, recipe.name, preset=preset, config=layers, overrides=given)
            except UserError as error:
                raise UserError(f"run {name}: {error}") from error
            varied = dict([*(("run", own) for own, _ in overlay), *chosen.items()])
            command = _command(recipe.name, out / name, preset, layers, given)
            found.append(Planned(name, varied, settings, command))
    _check_apart(found)
    return found


def split_values(text: str) -> list[str]:
    """The values between commas; a comma within brackets or quotation marks parts nothing.

    >>> split_values('4,[1, 2],"a,b"')
    ['4', '[1, 2]', '"a,b"']
    """
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _axis(text: str) -> tuple[str, list[str]]:
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise UserError(f"--vary {text!r}: expected KEY=V1,V2, for instance candidates.k=2,4,8")
    return key.strip(), split_values(values)


def _overlays(files: Sequence[str]) -> list[tuple[str, str]]:
    found = []
    for text in files:
        name, equals, file = text.partition("=")
        if not equals or not file or not _NAME.fullmatch(name):
            raise UserError(f"--run {text!r}: expected NAME=FILE.toml or NAME=preset:NAME, with a NAME for a folder")
        found.append((name, file))
    return found


def _short(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each dotted name, where that tells it from the others."""
    last = {key: key.rsplit(".", 1)[-1] for key in keys}
    return {key: name if list(last.values()).count(name) == 1 else key for key, name in last.items()}


def _name(parts: Sequence[str]) -> str:
    """A folder's name: brackets and quotation marks left out, what no folder should have replaced."""
    bare = re.sub(r"[\[\]{}()\"'\s]", "", ",".join(parts))
    return re.sub(r"[^\w.,=+-]", "_", bare)[:LONGEST_NAME]


def _command(recipe: str, out: Path, preset: str | None, layers: Sequence[str], given: Sequence[str]) -> str:
    words = ["precis", "run", recipe, "-o", str(out), *(["--preset", preset] if preset else [])]
    words += [word for layer in layers for word in ("--config", layer)]
    return shlex.join([*words, *(word for one in given for word in ("--set", one))])


def _check_apart(runs: Sequence[Planned]) -> None:
    for index, one in enumerate(runs):
        for other in runs[:index]:
            if one.name.casefold() == other.name.casefold():
                raise UserError(
                    f"two runs would be called {one.name}; give each a name of its own: --run NAME=FILE.toml"
                )
            if one.settings == other.settings:
                raise UserError(f"runs {other.name} and {one.name} have the same settings")
