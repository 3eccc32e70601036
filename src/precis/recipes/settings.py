"""Settings of a recipe: defaults from the papers, a preset, a TOML file, then `--set a.b=c` values, in that order.

Unknown keys are refused with the place where they stand; the resolved copy is saved beside the results.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ..errors import UserError
from ..evaluation.plain import write_text

PRESETS = Path(__file__).parent / "presets"
PRESET = "preset:"
KIND = "kind"


class Settings(BaseModel):
    """The base of every recipe's settings class: unknown keys are errors, attribute docstrings are the help."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)


S = TypeVar("S", bound=Settings)
T = TypeVar("T")


def presets(recipe: str) -> list[str]:
    """Names of the presets that ship for a recipe."""
    return sorted(path.name.removesuffix(".toml") for path in (PRESETS / recipe).glob("*.toml"))


def load_settings(
    kind: type[S],
    recipe: str,
    *,
    preset: str | None = None,
    config: Path | str | Sequence[Path | str] | None = None,
    overrides: Sequence[str] = (),
) -> S:
    """The settings of one run; of several in `config`, files or `preset:NAME`, a later one lies over the earlier.

    Raises `UserError` naming the key that is unknown or has a wrong value.
    """
    values = _chosen(kind())
    layers = [] if config is None else [config] if isinstance(config, (Path, str)) else list(config)
    for layer in [*([f"{PRESET}{preset}"] if preset is not None else []), *layers]:
        values = _merge(values, _read_toml(_layer(recipe, str(layer))))
    # A part of another kind starts afresh, so a kind is set before what else is said of its part.
    for override in sorted(overrides, key=lambda text: text.partition("=")[0].strip().rpartition(".")[2] != KIND):
        values = _merge(values, _parse_override(override))
    return _validated(TypeAdapter(kind), values)


def _chosen(defaults: Any) -> dict[str, Any]:
    """What a recipe's defaults say beyond the defaults of their own types: who sets one value of a part keeps these.

    Without it, `--set supervised.training.epochs=2` would make a new part, with none of the paper's values.
    """
    values: dict[str, Any] = {}
    for name, own in _defaults_of(type(defaults)).items():
        value = getattr(defaults, name)
        if isinstance(value, Settings) or is_dataclass(value):
            values[name] = _chosen(value)
        elif value != own or name == KIND:
            values[name] = value
    return values


def _defaults_of(kind: Any) -> dict[str, Any]:
    if is_dataclass(kind):
        return {field.name: field.default for field in fields(kind)}
    return {name: field.get_default(call_default_factory=True) for name, field in kind.model_fields.items()}


def parse_settings(kind: TypeAdapter[T], overrides: Sequence[str], *, quoting: bool = True) -> T:
    """Settings from `key=value` texts alone. Without `quoting`, what is said of a mistake does not repeat what was
    given: among an endpoint's settings it might be a key that was typed in the wrong place."""
    values: dict[str, Any] = {}
    for override in overrides:
        if "=" not in override and not quoting:
            raise UserError("a setting is name=value, as max_money=5; what was given has no =")
        values = _merge(values, _parse_override(override))
    return _validated(kind, values, quoting=quoting)


def _validated(kind: TypeAdapter[T], values: dict[str, Any], *, quoting: bool = True) -> T:
    try:
        return kind.validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        where = f"setting {place!r}" if place else "settings"
        found = first.get("input") if quoting else ...
        near = _nearest(kind, place) if quoting and first["type"] in _UNKNOWN else ""
        raise UserError(f"{where}: {_in_words(first['type'], first['msg'], found)}{near}") from error


def save_settings(settings: Settings, run_dir: Path) -> None:
    """Write the resolved settings to `config.json`, the file that a report quotes and a resume is checked against."""
    write_text(run_dir / "config.json", settings.model_dump_json(indent=2) + "\n")


_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_HOW = ["concurrency", "connect_seconds", "read_seconds", "retries", "longest_wait_seconds", "cache", "key_env"]
_COSTS = ["max_tokens_spent", "max_money", "price_in", "price_out"]
_HOW_ASKED = tuple(f"*.endpoint.{name}" for name in (*_HOW, *_COSTS))
MAY_CHANGE = (
    *(f"evaluation.{name}" for name in ("encoder", "graders", "examples", "judge_by_training")),
    *_HOW_ASKED,
)
"""Settings that may differ when a run is continued: models that only grade, and how servers are asked, not what."""


def check_unchanged(settings: Settings, run_dir: Path) -> None:
    """A run continues only with the settings that it began with; what it had no setting for yet has its default.

    What decides nothing that is kept (`MAY_CHANGE`) may differ: a model that only grades, a cap, patience.
    """
    if changed := _changed(settings, run_dir, MAY_CHANGE):
        raise UserError(
            f"{run_dir} holds a run with other settings ({', '.join(changed[:4])}); "
            "name another folder with --out, or delete that one"
        )


def same_result(settings: Settings, run_dir: Path) -> bool:
    """Whether a report that was made with what is saved is the one that these settings would give."""
    return not _changed(settings, run_dir, _HOW_ASKED)


def _changed(settings: Settings, run_dir: Path, free: Sequence[str]) -> list[str]:
    """Settings that differ from those saved in the run's folder, but for the patterns of `free`."""
    path = run_dir / "config.json"
    if not path.is_file():
        return []
    try:
        before, now = json.loads(path.read_text("utf-8")), json.loads(settings.model_dump_json())
    except ValueError as error:
        raise UserError(f"{path} cannot be read ({error}); restore it, or name another folder with --out") from error
    with suppress(ValidationError):  # of another recipe or version: compared as it stands
        before = type(settings).model_validate(before).model_dump(mode="json")
    return [name for name in _differences(before, now) if not any(fnmatch(name, own) for own in free)]


def _layer(recipe: str, name: str) -> Path:
    if not name.startswith(PRESET):
        return Path(name)
    preset = name.removeprefix(PRESET)
    path = PRESETS / recipe / f"{preset}.toml"
    if not path.is_file():
        raise UserError(f"no preset {preset!r} for {recipe}; there are {', '.join(presets(recipe)) or 'none'}")
    return path


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"no settings file {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} is not a TOML file that can be read: {error}") from error


def _parse_override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {text!r}: expected key=value, for instance data.train_documents=500")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value  # a bare word is text
    for part in reversed(key.strip().split(".")):
        parsed = {part: parsed}
    return dict(parsed)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` over `below`; a part of another kind (of decoding, of data) takes nothing over."""
    merged = dict(below) if above.get(KIND, below.get(KIND)) == below.get(KIND) else {}
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _nearest(kind: TypeAdapter[Any], place: str) -> str:
    """A setting whose name is like the one that there is not."""
    found = get_close_matches(place, _names(kind.json_schema()), n=1, cutoff=0.8)
    return f"; did you mean {found[0]!r}?" if found else ""


def _names(schema: Mapping[str, Any]) -> list[str]:
    """The dotted names of all settings of a schema."""
    found: list[str] = []
    known = schema.get("$defs", {})

    def walk(part: Mapping[str, Any], place: str) -> None:
        inner = known.get(part.get("$ref", "").rsplit("/", 1)[-1], part)
        for name, entry in inner.get("properties", {}).items():
            found.append(f"{place}{name}")
            walk(entry, f"{place}{name}.")

    walk(schema, "")
    return found


def _in_words(kind: str, message: str, value: Any) -> str:
    if kind in _UNKNOWN:
        return "there is no such setting"
    if kind == "tuple_type":
        return f'expected a list, as ["a", "b"] with quotation marks that the shell leaves alone, found {value!r}'
    if kind == "value_error":  # of a check of ours, which says what it found
        return message.removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}" + (f", found {value!r}" if value is not ... else "")


def _differences(before: Any, now: Any, place: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = sorted({*before, *now})
        return [d for key in keys for d in _differences(before.get(key), now.get(key), f"{place}.{key}".lstrip("."))]
    return [] if before == now else [place]
