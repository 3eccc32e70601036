"""From rewards to advantages, as pure functions of right-padded [N, T] tensors: N candidates of up to T tokens."""

from __future__ import annotations

import torch
from torch import Tensor


def token_rewards(
    scores_N: Tensor, logps_NT: Tensor, reference_logps_NT: Tensor, mask_NT: Tensor, *, beta: float
) -> Tensor:
    """−β·(log π − log π_ref) at every token, and the score at the last one (Stiennon et al. 2020, §3.4)."""
    rewards_NT = torch.where(mask_NT, -beta * (logps_NT - reference_logps_NT), 0.0)
    last_N1 = mask_NT.sum(-1, keepdim=True) - 1
    return rewards_NT.scatter_add(-1, last_N1, scores_N[:, None])


def gae(rewards_NT: Tensor, values_NT: Tensor, mask_NT: Tensor, *, gamma: float, lam: float) -> tuple[Tensor, Tensor]:
    """Generalized advantage estimates and the returns A + V (Schulman et al. 2016), [N, T] each.

    δ_t = r_t + γ·V_{t+1} − V_t and A_t = δ_t + γλ·A_{t+1}; a candidate's last token is followed by nothing. What
    stands in padded places changes nothing, and they come out as 0.
    """
    rewards_NT, values_NT = (torch.where(mask_NT, x, 0.0) for x in (rewards_NT, values_NT))
    advantages_NT = torch.zeros_like(values_NT)
    after_N = torch.zeros_like(values_NT[:, 0])
    advantage_N = torch.zeros_like(after_N)
    for t in reversed(range(values_NT.shape[1])):
        delta_N = rewards_NT[:, t] + gamma * after_N - values_NT[:, t]
        advantage_N = torch.where(mask_NT[:, t], delta_N + gamma * lam * advantage_N, 0.0)
        advantages_NT[:, t] = advantage_N
        after_N = values_NT[:, t]
    return advantages_NT, torch.where(mask_NT, advantages_NT + values_NT, 0.0)


def whiten(values_NT: Tensor, mask_NT: Tensor, *, shift_mean: bool = True) -> Tensor:
    """To variance 1 over the real places, and to mean 0 unless the mean is to stay (Huang et al. 2024, 24 and 25)."""
    real = values_NT[mask_NT]
    mean = real.mean()
    whitened_NT = (values_NT - mean) * torch.rsqrt(real.var(correction=0) + 1e-8)
    return torch.where(mask_NT, whitened_NT if shift_mean else whitened_NT + mean, 0.0)


def leave_one_out(rewards_BK: Tensor) -> Tensor:
    """Each candidate's reward less the mean of its source's other candidates (Ahmadian et al. 2024, eq. 8)."""
    count = rewards_BK.shape[1]
    return (rewards_BK - rewards_BK.mean(1, keepdim=True)) * (count / (count - 1))
