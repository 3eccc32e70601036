"""A policy and, for PPO, a value network of its own, scored together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from ..logprobs import Scored, sequence_logprobs
from ..models.reward import RewardModel
from ..render import TokenGroup


class ActorCritic(nn.Module):
    """Log-probs of the policy and values of a separate value network (Stiennon et al. 2020, §3.4).

    The value network is a reward model, read before each token instead of at the last; started from the reward
    model itself, its values are at first that model's rewards of the unfinished summaries.
    """

    def __init__(self, policy: nn.Module, value: RewardModel | None = None):
        super().__init__()
        self.policy, self.value = policy, value

    def forward(
        self,
        groups: Sequence[TokenGroup],
        *,
        pad_id: int,
        temperature: float = 1.0,
        values: bool = False,
        **options: Any,
    ) -> Scored:
        scored = sequence_logprobs(self.policy, groups, pad_id=pad_id, temperature=temperature, **options)
        if values:
            assert self.value is not None  # an objective with values is given a value network
            judged = sequence_logprobs(self.value, groups, pad_id=pad_id, values=True)
            scored.values_BKT = judged.values_BKT
            scored.tokens_forwarded += judged.tokens_forwarded
        return scored
