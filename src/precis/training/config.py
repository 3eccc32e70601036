"""The settings of one training: plain, frozen, each default once. Standard library only, so that help stays fast."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from ..errors import UserError


@dataclass(frozen=True)
class TrainConfig:
    """How to train. A *step* is one update of the weights; a *batch* is what one forward pass sees."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "use_attribute_docstrings": True}

    learning_rate: float = 1e-4
    """Peak rate; under `inverse-sqrt` the `max_lr` of the formula, whose peak is max_lr/√warmup (Liu et al. 2023)."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """`adamw` as in all four papers; `muon` gives hidden matrices to Muon and everything else to AdamW."""
    muon_learning_rate: float = 0.02
    """Peak rate of Muon's matrices; follows the same schedule."""
    muon_momentum: float = 0.95
    """Momentum of Muon's matrices."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of AdamW's two moments."""
    eps: float = 1e-8
    """AdamW's ε (1e-5 in Huang et al. 2024, details 9 and 20)."""
    weight_decay: float = 0.0
    """Decoupled decay of matrices; vectors, norms and biases never decay. The papers have none."""
    grad_clip: float = 1.0
    """Largest norm of a step's gradient; 0 does not clip, as in Liu et al. 2023's code."""
    schedule: Literal["constant", "linear", "cosine", "inverse-sqrt"] = "cosine"
    """After the warm-up. Stiennon et al. 2020, app. B: cosine for SFT and RM, linear for PPO; Liu et al. 2023:
    rate·min(s^-½, s·w^-1.5) at step s with w warm-up steps."""
    warmup_steps: int = 0
    """Steps in which the rate rises linearly from 0."""
    warmup_fraction: float = 0.0
    """The same as a share of all steps; use one of the two."""
    final_fraction: float = 0.0
    """Where `linear` and `cosine` end, as a share of the peak."""
    epochs: int = 1
    """Passes over the examples."""
    max_steps: int | None = None
    """Train for exactly this many steps, whatever `epochs` says."""
    tokens_per_batch: int = 8192
    """Most tokens that one forward pass sees, a group's prefix counted once; groups are never split."""
    groups_per_batch: int | None = None
    """Most groups that one forward pass sees; None leaves it to the tokens."""
    accumulation: int = 1
    """Batches in a step, over all processes together: a step is the same on one process and on several."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` is bf16 autocast where the device computes it natively; weights and optimizer are at least float32."""
    dropout: bool = False
    """Whether the model's own dropout is on (off everywhere in Huang et al. 2024, detail 7)."""
    ema: float = 0.0
    """Decay per step of an average of the weights, which is then evaluated and kept instead; 0 keeps none."""
    seed: int = 0
    """Orders the examples and draws dropout."""
    evaluate_every: int | None = None
    """Steps between validations; None validates after each epoch. There is always one before the first step and
    one after the last. A new best is checkpointed."""
    keep_best: bool = True
    """End with the weights that were best on the validation set, not with the last."""
    best_metric: str = "loss"
    """Which validation metric is best (Liu et al. 2023 use the loss, and ROUGE measured on samples)."""
    best_is: Literal["lowest", "highest"] = "lowest"
    """Which direction is better."""
    also_best: tuple[str, ...] = ()
    """Further validation metrics, best in the same direction, whose best weights stay as checkpoints of their own: one
    training, several models to choose from (Liu et al. 2023: MLE, ranking, their sum, ROUGE of what is written)."""
    patience: int = 0
    """Stop after this many validations without a new best; 0 never stops early."""
    checkpoint_every: int | None = None
    """Steps between checkpoints; None leaves it to the minutes."""
    checkpoint_minutes: float = 10.0
    """Minutes between checkpoints; what a kill can cost."""
    keep_checkpoints: int = 2
    """Newest checkpoints to keep, besides the best and the last good one."""
    log_every: int = 1
    """Steps in one line of `metrics.jsonl`."""
    trackers: tuple[str, ...] = ("tensorboard",)
    """Where else metrics go: any tracker that `accelerate` knows (tensorboard, wandb, trackio, …)."""

    def __post_init__(self) -> None:
        # Values may come from a TOML list.
        object.__setattr__(self, "betas", tuple(self.betas))
        object.__setattr__(self, "trackers", tuple(self.trackers))
        object.__setattr__(self, "also_best", tuple(self.also_best))
        for name in ("learning_rate", "muon_learning_rate", "eps", "checkpoint_minutes"):
            _require(self, name, getattr(self, name) > 0, "above 0")
        for name in ("weight_decay", "grad_clip"):
            _require(self, name, getattr(self, name) >= 0, "at least 0")
        for name in ("warmup_fraction", "final_fraction"):
            _require(self, name, 0 <= getattr(self, name) <= 1, "a share from 0 to 1")
        for name in ("muon_momentum", "ema"):
            _require(self, name, 0 <= getattr(self, name) < 1, "from 0 to below 1")
        _require(self, "betas", len(self.betas) == 2 and all(0 <= b < 1 for b in self.betas), "two of 0 to below 1")
        for name in ("epochs", "tokens_per_batch", "accumulation", "keep_checkpoints", "log_every"):
            _require(self, name, getattr(self, name) >= 1, "at least 1")
        for name in ("max_steps", "groups_per_batch", "evaluate_every", "checkpoint_every"):
            _require(self, name, getattr(self, name) is None or getattr(self, name) >= 1, "at least 1")
        for name in ("warmup_steps", "patience"):
            _require(self, name, getattr(self, name) >= 0, "at least 0")
        for name, allowed in _CHOICES.items():
            _require(self, name, getattr(self, name) in allowed, f"one of {', '.join(allowed)}")
        if self.warmup_steps and self.warmup_fraction:
            raise UserError("give warmup_steps or warmup_fraction, not both")
        if self.also_best and not self.keep_best:
            raise UserError("also_best keeps further best weights: it needs keep_best")
        if self.schedule == "inverse-sqrt" and not (self.warmup_steps or self.warmup_fraction):
            raise UserError("the inverse-sqrt schedule needs a warm-up: set warmup_steps (100 in Liu et al. 2023)")

    def result_settings(self) -> dict[str, Any]:
        """The settings that change the weights, which a resumed run may therefore not change."""
        # A setting that is off and came later is left out: trainings from before it can go on.
        left_out = _MAY_CHANGE if self.also_best else _MAY_CHANGE | {"also_best"}
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in left_out}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


_CHOICES = {
    "optimizer": ("adamw", "muon"),
    "schedule": ("constant", "linear", "cosine", "inverse-sqrt"),
    "precision": ("auto", "fp32", "bf16"),
    "best_is": ("lowest", "highest"),
}
_MAY_CHANGE = frozenset({"checkpoint_every", "checkpoint_minutes", "keep_checkpoints", "log_every", "trackers"})


def _require(config: TrainConfig, name: str, holds: bool, expected: str) -> None:
    value = getattr(config, name)
    if not holds or (isinstance(value, float) and not math.isfinite(value)):
        raise UserError(f"training setting {name}: expected {expected}, found {value!r}")
