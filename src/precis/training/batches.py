"""Examples and the batches they come in: whole groups, a token budget, an order that seed and epoch decide alone."""

from __future__ import annotations

import hashlib
import math
import random
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import UserError
from ..objectives import Objective, Rollout, Targets
from ..records import Group, Preference
from ..render import Renderer, TokenGroup

# Groups of similar length share a batch, but only within a window of this many batches: grouping over everything
# would put the same groups together in every epoch.
WINDOW_BATCHES = 16


@dataclass(frozen=True)
class Example:
    """One group to learn from: its token ids, and what is preferred to what or how its writing turned out."""

    tokens: TokenGroup
    preferences: tuple[Preference, ...] = ()
    ranks: tuple[int | None, ...] | None = None
    rollout: Rollout | None = None
    imitated: tuple[int, ...] | None = None

    @property
    def forwarded(self) -> int:
        """Tokens that go through the model: the prefix once, and every continuation."""
        return len(self.tokens.prefix_ids) + sum(map(len, self.tokens.continuations))


def examples_of(renderer: Renderer, groups: Sequence[Group]) -> list[Example]:
    """Groups, rendered."""
    return [Example(renderer.group(group), group.preferences, group.ranks, imitated=group.imitated) for group in groups]


def targets_of(examples: Sequence[Example]) -> Targets:
    """What an objective must know of a batch besides its scores."""
    return Targets(
        lengths=[list(map(len, example.tokens.continuations)) for example in examples],
        prefix_tokens=[max(0, len(example.tokens.prefix_ids) - 1) for example in examples],
        preferences=[example.preferences for example in examples],
        ranks=[example.ranks for example in examples],
        rollouts=[example.rollout for example in examples],
        imitated=[example.imitated for example in examples],
    )


def learnable(examples: Sequence[Example], objective: Objective, what: str) -> list[Example]:
    """The examples that hold at least one unit of the objective, in their order.

    The others (every candidate tied, every verdict failed) would only cost time; the caller counts them. Raises
    `UserError` for malformed preferences, and when nothing is left.
    """
    for example in examples:
        _check(example)
    kept = [example for example in examples if any(unit > 0 for unit in objective.units(targets_of([example])))]
    if not kept:
        names = " + ".join(term.name for term in objective.terms)
        raise UserError(
            f"none of the {len(examples):,} {what} examples has anything that {names} can learn from"
            if examples
            else f"there are no {what} examples"
        )
    return kept


def epoch_batches(
    lengths: Sequence[int], *, tokens_per_batch: int, groups_per_batch: int | None, seed: int, epoch: int
) -> list[list[int]]:
    """Indices of `lengths` in shuffled batches of similar length; every index once.

    A batch holds at most `tokens_per_batch` tokens and `groups_per_batch` groups; a longer group is alone in its.
    """
    draw = random.Random(f"{seed}/{epoch}")
    order = list(range(len(lengths)))
    draw.shuffle(order)
    lined_up: list[int] = []
    for number, window in enumerate(_windows(order, lengths, tokens_per_batch, groups_per_batch)):
        # Up, then down: where two windows meet, lengths are similar too.
        lined_up += sorted(window, key=lambda index: lengths[index], reverse=number % 2 == 1)
    batches = list(_cut(lined_up, lengths, tokens_per_batch, groups_per_batch))
    draw.shuffle(batches)
    return batches


def fixed_batches(lengths: Sequence[int], *, tokens_per_batch: int, groups_per_batch: int | None) -> list[list[int]]:
    """The same budget, longest first (what does not fit in memory fails at once), always in the same order."""
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    return list(_cut(order, lengths, tokens_per_batch, groups_per_batch))


def steps_of(batches: Sequence[list[int]], accumulation: int) -> list[list[list[int]]]:
    """Batches in steps of `accumulation`; the last step of an epoch may have fewer, and counts them right."""
    return [list(batches[first : first + accumulation]) for first in range(0, len(batches), accumulation)]


def fingerprint(examples: Sequence[Example]) -> str:
    """Names the examples and their order."""
    digest = hashlib.sha256()
    for example in examples:
        for ids in (example.tokens.prefix_ids, *example.tokens.continuations):
            digest.update(len(ids).to_bytes(4, "little") + array("q", ids).tobytes())
        pairs = [(p.chosen, p.rejected, p.weight, p.margin) for p in example.preferences]
        imitated = "" if example.imitated is None else f" {example.imitated}"
        digest.update(f"{len(example.tokens.continuations)} {pairs} {example.ranks}{imitated}".encode())
    return digest.hexdigest()[:24]


def _windows(
    order: Sequence[int], lengths: Sequence[int], tokens_per_batch: int, groups_per_batch: int | None
) -> Iterator[list[int]]:
    groups = WINDOW_BATCHES * groups_per_batch if groups_per_batch else None
    return _cut(order, lengths, WINDOW_BATCHES * tokens_per_batch, groups)


def _cut(order: Sequence[int], lengths: Sequence[int], tokens: int, groups: int | None) -> Iterator[list[int]]:
    """`order` in runs that stay within the budget."""
    run: list[int] = []
    held = 0
    for index in order:
        if run and (held + lengths[index] > tokens or len(run) == groups):
            yield run
            run, held = [], 0
        run.append(index)
        held += lengths[index]
    if run:
        yield run


def _check(example: Example) -> None:
    size, name = len(example.tokens.continuations), example.tokens.source_id
    for preference in example.preferences:
        if not (0 <= preference.chosen < size and 0 <= preference.rejected < size):
            raise UserError(f"source {name}: {preference} names a candidate outside its group of {size}")
        if not (math.isfinite(preference.weight) and preference.weight >= 0 and math.isfinite(preference.margin)):
            raise UserError(f"source {name}: a preference needs a finite weight of at least 0 and a finite margin")
    if example.ranks is not None and len(example.ranks) != size:
        raise UserError(f"source {name}: {len(example.ranks)} ranks for {size} candidates")
    for number in example.imitated or ():
        if not 0 <= number < size:
            raise UserError(f"source {name}: candidate {number} is to be imitated, in a group of {size}")
