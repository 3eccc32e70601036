"""Every source of randomness that training draws from: seeded, read out, put back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_everything(seed: int, process: int = 0) -> None:
    """Seed Python, NumPy and torch; each process draws its own dropout."""
    random.seed(f"{seed}/{process}")
    np.random.seed((seed * 1000 + process) % 2**32)  # noqa: NPY002 - third-party code draws from the global one
    torch.manual_seed(seed * 1000 + process)


def random_state() -> dict[str, Any]:
    """The state of all generators, as JSON."""
    version, numbers, gauss = random.getstate()
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else torch.empty(0, dtype=torch.uint8)
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "torch": bytes(torch.get_rng_state().numpy()).hex(),
        "cuda": bytes(cuda.numpy()).hex(),
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Inverse of `random_state`."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(_from_hex(state["torch"]))
    if state["cuda"]:
        torch.cuda.set_rng_state(_from_hex(state["cuda"]))


@contextmanager
def same_afterwards() -> Iterator[None]:
    """Whatever is drawn inside leaves no trace: measuring on samples must not change the training."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)


def _from_hex(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8).clone()
