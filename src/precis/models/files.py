"""Model folders on disk: checked before they are read, written whole or not at all, named by their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..leftovers import OLD, PARTIAL, name_beside, remove, sweep

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
# What a hub repository may send us: no pickles, and code only if it was asked for.
_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
# Config entries that change with whoever saved the folder and not with the model.
_VOLATILE = ("_name_or_path", "transformers_version", "_attn_implementation", "_attn_implementation_internal")
_hashes: dict[tuple[str, int, int], bytes] = {}


def model_folder(path: Path | str, *, trust_remote_code: bool = False) -> Path:
    """The folder at `path`, or the local copy of the hub repository of that name, checked for what it must hold.

    Raises `UserError` if there is none, or it has no config, no weights, pickled weights only, or needs code.
    """
    folder = Path(path)
    if not folder.is_dir():
        if folder.exists():
            raise UserError(f"{path} is a file; a model is a folder with config.json, weights and tokenizer")
        folder = _from_hub(str(path), trust_remote_code)
    config = read_json(folder, "config.json") or read_json(folder, "adapter_config.json")
    if config is None:
        raise UserError(f"{folder} has no config.json and no adapter_config.json, so it is not a model folder")
    if not list(folder.glob("*.safetensors")):
        if any(list(folder.glob(pattern)) for pattern in PICKLES):
            raise UserError(
                f"{folder} holds pickled weights only, which can run code when loaded; convert them to safetensors"
            )
        raise UserError(f"{folder} has no weights (model.safetensors)")
    if "auto_map" in config and "model_type" in config and not trust_remote_code and _unknown(config["model_type"]):
        raise UserError(
            f"{folder} runs code from its own repository; read that code, and then ask for it with trust_remote_code"
        )
    return folder


def _unknown(model_type: str) -> bool:
    from transformers import CONFIG_MAPPING

    return model_type not in CONFIG_MAPPING


def _from_hub(name: str, trust_remote_code: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = [*_WANTED, "*.py"] if trust_remote_code else _WANTED
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except HFValidationError as error:
        raise UserError(f"there is no folder {name}, and it is not a hub name either") from error
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"there is no folder {name}, and the hub could not be reached to look for a model of that name"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise UserError(f"there is no folder {name}, and the hub did not give a model of that name: {error}") from error


def read_json(folder: Path, name: str) -> dict[str, Any] | None:
    """The JSON object in a file of the folder, or None if there is no such file."""
    try:
        content = json.loads((folder / name).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise UserError(f"{folder / name} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{folder / name} does not hold a JSON object")
    return content


def check_replaceable(folder: Path | str) -> None:
    """Raise `UserError` if `folder` holds something that is no model, which a new one must not replace."""
    if Path(folder).exists() and not _is_replaceable(Path(folder)):
        raise UserError(f"{folder} exists and is not a model folder; choose another name")


@contextmanager
def atomic_folder(folder: Path | str) -> Iterator[Path]:
    """A folder to write into that takes the name `folder` when all is written; a failure leaves what was there.

    What a killed process left of an earlier attempt is removed.

    Raises `UserError` if it cannot be written, the disk is full, or `folder` holds something that is no model.
    """
    from safetensors import SafetensorError

    target = Path(folder).absolute()
    check_replaceable(folder)
    partial, old = (name_beside(target, kind) for kind in (PARTIAL, OLD))
    try:
        remove(partial)
        sweep(target, PARTIAL)
        partial.mkdir(parents=True)
        yield partial
        if target.exists():
            target.rename(old)
        partial.rename(target)
        remove(old)
        # One killed between its two renames left the only copy there: not before this one is in its place.
        sweep(target, OLD)
    except (OSError, SafetensorError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"{folder} cannot be written: {why}") from error
    finally:
        remove(partial)


def _is_replaceable(target: Path) -> bool:
    names = ("config.json", "adapter_config.json", "precis_reward.json")
    return target.is_dir() and (not any(target.iterdir()) or any((target / name).is_file() for name in names))


def fingerprint_of(folder: Path) -> str:
    """Names a model by its configuration and weights, wherever the folder is."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.json")):
        if path.name in ("config.json", "adapter_config.json", "precis_reward.json", "precis_reranker.json"):
            config = read_json(path.parent, path.name) or {}
            kept = {key: value for key, value in config.items() if key not in _VOLATILE}
            digest.update(json.dumps([path.name, kept], sort_keys=True).encode())
    for path in sorted(folder.rglob("*.safetensors")):
        digest.update(path.name.encode() + _file_hash(path))
    return f"model_{digest.hexdigest()[:24]}"


def _file_hash(path: Path) -> bytes:
    """A file's hash, computed again only when its size or time of change says so."""
    status = path.stat()
    key = (str(path.resolve()), status.st_size, status.st_mtime_ns)
    if key not in _hashes:
        with path.open("rb") as file:
            _hashes[key] = hashlib.file_digest(file, "sha256").digest()
    return _hashes[key]


def readable(folder: Path, load: Callable[[], Any]) -> Any:
    """`load()`, with everything that damaged or foreign files make it raise as one sentence."""
    from safetensors import SafetensorError

    with quiet():
        try:
            return load()
        except SafetensorError as error:
            raise UserError(f"the weights in {folder} are damaged or cut short: {error}") from error
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise UserError(f"{folder} cannot be loaded: {lines[0]}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars and remarks: what matters is checked and said by us."""
    from transformers.utils import logging

    settings: Any = logging
    verbosity, bars = settings.get_verbosity(), settings.is_progress_bar_enabled()
    settings.set_verbosity_error()
    settings.disable_progress_bar()
    try:
        yield
    finally:
        settings.set_verbosity(verbosity)
        if bars:
            settings.enable_progress_bar()
