"""Where the loop's steps come from: examples that are there, or examples that are made as the policy learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from .batches import Example, epoch_batches, steps_of
from .config import TrainConfig

Step = Sequence[Sequence[Example]]
"""The batches of one update of the weights."""


@dataclass(frozen=True)
class Epoch:
    """Steps in their order, and what was measured in making them; `what` names those measurements."""

    steps: Sequence[Step]
    metrics: Mapping[str, float] = field(default_factory=dict)
    what: str = ""


class Source(Protocol):
    """Epochs of steps. `size` and `left_out` count examples that are learned from, and that hold nothing to learn."""

    size: int
    left_out: int

    @property
    def total_steps(self) -> int: ...

    def epoch(self, number: int) -> Epoch:
        """The steps of an epoch. Asked again for the same one, by a resumed run too, it gives the same."""
        ...

    def keep(self, number: int) -> None:
        """A checkpoint stands within this epoch: what only earlier or later ones need can go."""
        ...


class FixedExamples:
    """The same examples in every epoch, shuffled by seed and epoch."""

    def __init__(self, examples: Sequence[Example], config: TrainConfig, *, left_out: int = 0):
        self.examples, self.config = examples, config
        self.size, self.left_out = len(examples), left_out

    @cached_property
    def total_steps(self) -> int:
        return sum(len(self._batches(number)) for number in range(self.config.epochs))

    def epoch(self, number: int) -> Epoch:
        return Epoch([[[self.examples[index] for index in batch] for batch in step] for step in self._batches(number)])

    def keep(self, number: int) -> None:
        pass

    def _batches(self, epoch: int) -> list[list[list[int]]]:
        batches = epoch_batches(
            [example.forwarded for example in self.examples],
            tokens_per_batch=self.config.tokens_per_batch,
            groups_per_batch=self.config.groups_per_batch,
            seed=self.config.seed,
            epoch=epoch,
        )
        return steps_of(batches, self.config.accumulation)
