"""What an objective is: a weighted sum of terms, each of which adds up its loss over units of its own.

A term says before the forward pass how many **units** (tokens, pairs, candidates) a batch holds. The loop divides
each sum by the units of the *whole* step, over all micro-batches and processes; so how a step is split changes
nothing, whatever the terms' units are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import UserError

if TYPE_CHECKING:
    from ..logprobs import Scored
    from ..records import Preference

# What a term may need of the scorer. `logps` come from a policy and `rewards` from a reward model; the others are
# options of `sequence_logprobs`, `values` of a value network.
NEEDS = ("logps", "rewards", "values", "mean_logps", "prefix_logps", "entropy", "last_hidden")
HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Rollout:
    """What was known of a group's K candidates of up to T tokens when they were written; right-padded with 0.

    `logps_KT` are those of the policy that wrote them, in nats, at the temperature that it wrote with;
    `advantages_KT` say how much better each token was than expected. A value network's `values_KT` are of the states
    before each token, and `returns_KT` what they should have been.
    """

    logps_KT: Tensor
    advantages_KT: Tensor
    values_KT: Tensor | None = None
    returns_KT: Tensor | None = None


@dataclass(frozen=True)
class Targets:
    """What is known of the B groups of a batch, one entry a group.

    `lengths` are the tokens of each of its candidates, `prefix_tokens` counts those of its prefix that have a
    predecessor to be predicted from. `preferences` name candidates by number; `ranks` are dense, 0 best, equal tied,
    None for a candidate that is not ranked. A group in which everything is tied or failed has no preferences, and makes
    no pair. `imitated` are the numbers of the candidates whose likelihood is to rise; None is all of them. `rollouts`
    say what was known of the candidates when they were written, for objectives of reinforcement learning.
    """

    lengths: Sequence[Sequence[int]]
    prefix_tokens: Sequence[int]
    preferences: Sequence[Sequence[Preference]]
    ranks: Sequence[Sequence[int | None] | None]
    rollouts: Sequence[Rollout | None] = ()
    imitated: Sequence[Sequence[int] | None] = ()

    @property
    def candidates(self) -> int:
        """How many there are in all groups."""
        return sum(map(len, self.lengths))

    @property
    def tokens(self) -> int:
        """How many all candidates have together."""
        return sum(map(sum, self.lengths))


@dataclass(frozen=True)
class Loss:
    """`total` (a scalar, summed over `units`); `metrics` as (sum, count), so that they add up over batches."""

    total: Tensor
    units: float
    metrics: Mapping[str, tuple[Tensor, float]]


@dataclass(frozen=True)
class Term:
    """One loss: `units` counts before the forward pass what `compute` then adds up.

    `metrics` are the names that `compute` gives, the same for every batch; `settings` are what a resumed run is
    checked against.
    """

    name: str
    needs: tuple[str, ...]
    metrics: tuple[str, ...]
    units: Callable[[Targets], float]
    compute: Callable[[Scored, Targets], Loss]
    settings: Mapping[str, float | str] = field(default_factory=dict)
    weight: float = 1.0


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms; called, it returns the `Loss` of each, unweighted."""

    terms: tuple[Term, ...]

    def __call__(self, scored: Scored, targets: Targets) -> tuple[Loss, ...]:
        return tuple(term.compute(scored, targets) for term in self.terms)

    @property
    def needs(self) -> tuple[str, ...]:
        """What the scorer must give, in the order of `NEEDS`."""
        return tuple(need for need in NEEDS if any(need in term.needs for term in self.terms))

    @property
    def settings(self) -> list[dict[str, float | str]]:
        """Everything that defines the objective, as JSON."""
        return [{"term": term.name, "weight": term.weight, **term.settings} for term in self.terms]

    def units(self, targets: Targets) -> list[float]:
        """The units of each term in a batch."""
        return [term.units(targets) for term in self.terms]


def weighted(*parts: tuple[float, Objective]) -> Objective:
    """The sum of weight · (mean loss per unit) over `parts` (BRIO, Liu et al. 2023 §3: 100 · ranking + 1 · MLE)."""
    for weight, _ in parts:
        if not math.isfinite(weight) or weight < 0:
            raise UserError(f"an objective's weight is a finite number of at least 0, not {weight}")
    terms = tuple(replace(term, weight=weight * term.weight) for weight, part in parts for term in part.terms)
    names = [term.name for term in terms]
    if not terms or len(set(names)) != len(names):
        raise UserError(f"an objective needs terms of different names, found {', '.join(names) or 'none'}")
    return Objective(terms)


def given(value: Tensor | None, name: str) -> Tensor:
    """What the scorer was asked for; a scorer that was not asked is a bug of ours."""
    if value is None:
        raise ValueError(f"the objective needs {name}, which the scorer was not asked for or does not have")
    return value


def masked(values: Tensor, mask: Tensor) -> Tensor:
    """`values` with zeros where `mask` is False, in float32 at least."""
    # Sums over thousands of tokens lose digits in half precision.
    return torch.where(mask, values.float() if values.dtype in HALF else values, 0.0)
