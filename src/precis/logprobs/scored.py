"""What scoring returns, and the form in which every implementation hands its hidden states over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ..errors import UserError
from ..render import TokenGroup


@dataclass
class Scored:
    """The log-probs of B groups of up to K candidates of up to T tokens, in nats, and what else was asked for.

    A padded place is False in its mask and 0 in its values. The log-prob of a candidate is
    `logps_BKT.sum(-1)`. For a reward model `rewards_BK` holds its scores and the log-probs, which it does not
    have, are NaN. `tokens_forwarded` counts what went through the model, `tokens_repeated` what one row per
    candidate would have sent through it; `implementation` says which way it was computed and `reason` why it
    was not the packed one.
    """

    logps_BKT: Tensor
    mask_BKT: Tensor
    mask_BK: Tensor
    tokens_forwarded: int
    tokens_repeated: int
    implementation: str
    reason: str = ""
    last_hidden_BKD: Tensor | None = None
    """The hidden state at each candidate's last token: what a reward head reads."""
    mean_logps_BKT: Tensor | None = None
    """The mean of the log-softmax over the vocabulary: what label smoothing needs (Liu et al. 2023, eq. 3)."""
    entropy_BKT: Tensor | None = None
    prefix_logps_BP: Tensor | None = None
    """The log-prob of each prefix token after the first, given those before it (`prefix_mask_BP`)."""
    prefix_mask_BP: Tensor | None = None
    rewards_BK: Tensor | None = None
    values_BKT: Tensor | None = None
    """What a scalar head gives before each token, on the prefix and the tokens before it: a value network's values."""


@dataclass(frozen=True)
class Wanted:
    """Which hidden states an implementation must return."""

    predictions: bool = True
    last: bool = False
    prefix: bool = False


@dataclass
class States:
    """Hidden states in flat lists with the place each belongs to.

    `slots_N` are flat indices into [B, K, T] (the token that the state predicts), `last_slots_M` into [B, K] and
    `prefix_slots_N` into [B, P].
    """

    predict_ND: list[Tensor] = field(default_factory=list)
    slots_N: list[Tensor] = field(default_factory=list)
    last_MD: list[Tensor] = field(default_factory=list)
    last_slots_M: list[Tensor] = field(default_factory=list)
    prefix_ND: list[Tensor] = field(default_factory=list)
    prefix_slots_N: list[Tensor] = field(default_factory=list)
    tokens_forwarded: int = 0


@dataclass(frozen=True)
class Batch:
    """Groups of token ids with the shapes that their scores will have."""

    groups: Sequence[TokenGroup]
    device: torch.device

    @cached_property
    def shape_BKT(self) -> tuple[int, int, int]:
        continuations = [len(c) for group in self.groups for c in group.continuations]
        return len(self.groups), max(len(group.continuations) for group in self.groups), max(continuations)

    @cached_property
    def longest_prefix(self) -> int:
        return max(len(group.prefix_ids) for group in self.groups)

    def targets_BKT(self) -> tuple[Tensor, Tensor]:
        """The token ids to be predicted, right-padded with 0, and which of them are real."""
        _, candidates, length = self.shape_BKT
        ids, real = [], []
        for group in self.groups:
            for row in (*group.continuations, *((),) * (candidates - len(group.continuations))):
                ids.append([*row, *(0,) * (length - len(row))])
                real.append([True] * len(row) + [False] * (length - len(row)))
        return tuple(  # type: ignore[return-value]
            torch.tensor(x, device=self.device).view(self.shape_BKT) for x in (ids, real)
        )

    def prefix_targets_BP(self) -> tuple[Tensor, Tensor]:
        """The prefix ids, right-padded with 0, and which of them are predicted: all but the first."""
        longest = self.longest_prefix
        ids = [[*group.prefix_ids, *(0,) * (longest - len(group.prefix_ids))] for group in self.groups]
        real = [[0 < place < len(group.prefix_ids) for place in range(longest)] for group in self.groups]
        return torch.tensor(ids, device=self.device), torch.tensor(real, device=self.device)

    def slots(self, group: int, candidate: int) -> Tensor:
        """Flat indices into [B, K, T] of one candidate's tokens."""
        _, candidates, length = self.shape_BKT
        first = (group * candidates + candidate) * length
        return torch.arange(first, first + len(self.groups[group].continuations[candidate]))


def check_groups(groups: Sequence[TokenGroup], *, encoder_decoder: bool, vocabulary: int, limits: Limits) -> None:
    """Raise a `UserError` that names the source and the numbers if a group cannot be scored."""
    if not groups:
        raise UserError("there is nothing to score: no groups were given")
    for group in groups:
        name, prefix = group.source_id, len(group.prefix_ids)
        if not group.continuations:
            raise UserError(f"source {name} has no candidates to score")
        if not prefix:
            raise UserError(f"source {name} has an empty prefix: the first token has nothing to be predicted from")
        if not all(group.continuations):
            number = group.continuations.index(())
            raise UserError(f"candidate {number} of source {name} has no tokens; an empty text still has its end token")
        highest = max(max(group.prefix_ids), max(max(c) for c in group.continuations))
        if highest >= vocabulary:
            raise UserError(
                f"source {name} has token id {highest}, but the model's vocabulary ends at {vocabulary - 1}: "
                "the tokenizer is not this model's"
            )
        longest = max(len(c) for c in group.continuations)
        if not encoder_decoder and limits.prefix is not None and prefix + longest > limits.prefix:
            raise UserError(
                f"source {name} takes {prefix} prefix tokens and {longest} of its longest candidate, together "
                f"{prefix + longest}, but the model's positions end at {limits.prefix}; cut the document shorter"
            )
        if encoder_decoder and limits.prefix is not None and prefix > limits.prefix:
            raise UserError(f"source {name} takes {prefix} tokens, but the encoder's positions end at {limits.prefix}")
        if encoder_decoder and limits.continuation is not None and longest > limits.continuation:
            raise UserError(
                f"a candidate of source {name} takes {longest} tokens, but the decoder's positions end at "
                f"{limits.continuation}"
            )


@dataclass(frozen=True)
class Limits:
    """How many tokens fit: `prefix` for the whole row of a decoder-only model, or for the encoder alone."""

    prefix: int | None
    continuation: int | None = None
