"""What writes: a model and how it is asked."""

from __future__ import annotations

from dataclasses import dataclass

from ...models import Policy
from ...render import Renderer


@dataclass
class Writer:
    """A policy with the renderer it is used with."""

    policy: Policy
    renderer: Renderer
    trust_remote_code: bool = False
    """Whether the user allowed code that a hub repository brings with it."""
