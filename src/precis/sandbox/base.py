"""Where the shipped base model is."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError


def base_model() -> Path:
    """The folder of the small model that was trained on generated text (`precis.recipes.base_model` trains it)."""
    folder = Path(__file__).parent / "base"
    if not (folder / "model.safetensors").is_file():
        raise UserError(f"the sandbox's base model is missing from {folder}; install precis again")
    return folder
