"""Settings of reinforcement learning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import UserError
from .guards import Guard


@dataclass(frozen=True)
class OnlineConfig:
    """Reinforcement learning, with the values of Stiennon et al. 2020 (app. B.1) and Huang et al. 2024 (detail 20)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "use_attribute_docstrings": True}

    iterations: int = 1953
    """Times that the policy writes and is then updated; the paper's 1M episodes are 1,953 times 512."""
    documents: int = 512
    """Documents an iteration writes summaries of."""
    k: int = 1
    """Summaries a document, which share its computation; RLOO needs at least 2."""
    temperature: float = 0.7
    """Of sampling, and of every log-prob in the loss (detail 20)."""
    max_new_tokens: int = 48
    """Longest summary, the end token included."""
    beta: float = 0.05
    """Weight of the KL penalty to the reference policy, per token."""
    gamma: float = 1.0
    """Discount of later rewards."""
    lam: float = 0.95
    """λ of generalized advantage estimation."""
    passes: int = 4
    """Passes over an iteration's summaries (K in the paper's PPO: 4 epochs a batch)."""
    minibatches: int = 1
    """Updates a pass."""
    clip: float = 0.2
    """How far the ratio of new to old probability may go before the loss stops pushing."""
    value_clip: float | None = 0.2
    """The same for the value network, in rewards; None does not clip."""
    value_weight: float = 0.1
    """Weight of the value network's loss."""
    penalty: float = -1.0
    """Score of a summary that has none (an empty one, say), and of one without end token where that is penalized."""
    eos_penalty: bool = True
    """Whether a summary that was cut by the length limit gets `penalty` for its score (detail 23)."""
    whiten_rewards: bool = False
    """Scale per-token rewards to variance 1 (detail 24: shorter summaries, so off)."""
    whiten_advantages: bool = True
    """Shift and scale advantages to mean 0 and variance 1 over an iteration (detail 25); PPO only."""
    max_kl: float | None = 100.0
    """Stop when the KL to the reference policy, in nats a summary, stays above this; None never does."""

    def __post_init__(self) -> None:
        for name in ("iterations", "documents", "k", "max_new_tokens", "passes", "minibatches"):
            _require(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        for name in ("temperature", "clip", "value_weight"):
            _require(name, getattr(self, name), getattr(self, name) > 0, "above 0")
        _require("beta", self.beta, self.beta >= 0, "at least 0")
        _require("penalty", self.penalty, True, "a finite number")
        for name in ("gamma", "lam"):
            _require(name, getattr(self, name), 0 <= getattr(self, name) <= 1, "from 0 to 1")
        if self.minibatches > self.documents:
            raise UserError(
                f"{self.documents} documents an iteration cannot be cut into {self.minibatches} minibatches"
            )

    @property
    def guards(self) -> tuple[Guard, ...]:
        """What ends a run that went wrong: runaway KL, no end token any more, nothing to score, nothing left to try."""
        kl = (Guard("rollout/kl", high=self.max_kl, patience=3),) if self.max_kl is not None else ()
        return (
            *kl,
            Guard("rollout/unfinished", high=0.99, patience=3),
            Guard("rollout/unscored", high=0.9, patience=3),
            Guard("rollout/entropy", low=0.001, patience=3),
        )


def _require(name: str, value: float, holds: bool, expected: str) -> None:
    if not holds or not math.isfinite(value):
        raise UserError(f"setting {name}: expected {expected}, found {value!r}")
