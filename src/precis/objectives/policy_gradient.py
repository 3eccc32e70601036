"""Reinforcement learning from rollouts: what the policy wrote, and how much better than expected it turned out.

Both objectives compare the policy as it is with the policy that wrote, by the ratio of their probabilities, and stop
pushing where the ratio has left 1 ± clip in the direction of the push (Schulman et al. 2017).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import UserError
from .core import Loss, Objective, Targets, Term, given, masked, weighted

if TYPE_CHECKING:
    from ..logprobs import Scored


def ppo(*, clip: float = 0.2, value_clip: float | None = 0.2, value_weight: float = 0.1) -> Objective:
    """Clipped policy loss plus `value_weight` · clipped value loss, both per token (Huang et al. 2024, detail 20).

    The policy's loss is max(−A·r, −A·clamp(r, 1 ± clip)) with r = π/π_old; the value's is
    ½·max((V − R)², (clamp(V, V_old ± value_clip) − R)²), without the second part where `value_clip` is None.
    Stiennon et al. 2020 train policy and value in networks of their own, so that the weight only sets the value
    network's pace. Metrics per token: `clip_fraction`, `approx_kl` = ½(log r)² and `ratio`; of the value:
    `value_clip_fraction` and `value_error` = V − R.
    """
    for name, given_value in (("clip", clip), ("value_clip", value_clip), ("value_weight", value_weight)):
        if given_value is not None and not (math.isfinite(given_value) and given_value > 0):
            raise UserError(f"{name} is a finite number above 0, not {given_value}")

    def policy(scored: Scored, targets: Targets) -> Loss:
        log_ratio_BKT = _log_ratio(scored, targets)
        advantages_BKT = _placed(targets, "advantages_KT", log_ratio_BKT)
        loss_BKT, clipped_BKT, ratio_BKT = _clipped(log_ratio_BKT, advantages_BKT, clip)
        tokens = float(targets.tokens)
        return Loss(
            masked(loss_BKT, scored.mask_BKT).sum(),
            tokens,
            _detached(
                scored.mask_BKT,
                tokens,
                clip_fraction=clipped_BKT.float(),
                approx_kl=0.5 * log_ratio_BKT**2,
                ratio=ratio_BKT,
            ),
        )

    def value(scored: Scored, targets: Targets) -> Loss:
        values_BKT = given(scored.values_BKT, "values").float()
        returns_BKT = _placed(targets, "returns_KT", values_BKT)
        error_BKT = values_BKT - returns_BKT
        loss_BKT, clipped_BKT = error_BKT**2, torch.zeros_like(error_BKT)
        if value_clip is not None:
            old_BKT = _placed(targets, "values_KT", values_BKT)
            near_BKT = old_BKT + (values_BKT - old_BKT).clamp(-value_clip, value_clip)
            other_BKT = (near_BKT - returns_BKT) ** 2
            clipped_BKT = (other_BKT > loss_BKT).float()
            loss_BKT = torch.maximum(loss_BKT, other_BKT)
        tokens = float(targets.tokens)
        return Loss(
            0.5 * masked(loss_BKT, scored.mask_BKT).sum(),
            tokens,
            _detached(scored.mask_BKT, tokens, value_clip_fraction=clipped_BKT, value_error=error_BKT),
        )

    return weighted(
        (1.0, Objective((Term("policy", ("logps",), _POLICY_METRICS, _tokens, policy, {"clip": clip}),))),
        (
            value_weight,
            Objective((Term("value", ("values",), _VALUE_METRICS, _tokens, value, {"clip": str(value_clip)}),)),
        ),
    )


def rloo(*, clip: float = 0.2) -> Objective:
    """REINFORCE on whole candidates, each against the mean of the others of its source (Ahmadian et al. 2024).

    Per candidate max(−A·r, −A·clamp(r, 1 ± clip)), with r the ratio of the candidate's whole probability: on the
    first pass r = 1 and the gradient is −A·∇log π. A candidate's advantage stands at each of its tokens. Metrics per
    candidate: `clip_fraction`, `approx_kl` = ½(log r)² and `ratio`.
    """
    if not (math.isfinite(clip) and clip > 0):
        raise UserError(f"clip is a finite number above 0, not {clip}")

    def compute(scored: Scored, targets: Targets) -> Loss:
        log_ratio_BKT = _log_ratio(scored, targets)
        log_ratio_BK = log_ratio_BKT.sum(-1)
        advantages_BK = _placed(targets, "advantages_KT", log_ratio_BKT)[:, :, 0]
        loss_BK, clipped_BK, ratio_BK = _clipped(log_ratio_BK, advantages_BK, clip)
        count = _candidates(targets)
        return Loss(
            masked(loss_BK, scored.mask_BK).sum(),
            count,
            _detached(
                scored.mask_BK, count, clip_fraction=clipped_BK.float(), approx_kl=0.5 * log_ratio_BK**2, ratio=ratio_BK
            ),
        )

    return Objective((Term("policy", ("logps",), _POLICY_METRICS, _candidates, compute, {"clip": clip}),))


_POLICY_METRICS = ("clip_fraction", "approx_kl", "ratio")
_VALUE_METRICS = ("value_clip_fraction", "value_error")


def _tokens(targets: Targets) -> float:
    return float(targets.tokens) if any(targets.rollouts) else 0.0


def _candidates(targets: Targets) -> float:
    return float(targets.candidates) if any(targets.rollouts) else 0.0


def _log_ratio(scored: Scored, targets: Targets) -> Tensor:
    logps_BKT = scored.logps_BKT.float() if scored.logps_BKT.dtype != torch.float64 else scored.logps_BKT
    return masked(logps_BKT - _placed(targets, "logps_KT", logps_BKT), scored.mask_BKT)


def _clipped(log_ratio: Tensor, advantages: Tensor, clip: float) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, where the clipped part of it is the larger, and the ratio."""
    ratio = log_ratio.exp()
    free, bounded = -advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip)
    return torch.maximum(free, bounded), bounded > free, ratio


def _placed(targets: Targets, name: str, like_BKT: Tensor) -> Tensor:
    """One of the rollouts' tensors for the whole batch, right-padded with 0 to the shape of the scores."""
    placed_BKT = torch.zeros_like(like_BKT)
    for row_KT, rollout in zip(placed_BKT, targets.rollouts, strict=True):
        if rollout is None:
            raise ValueError("the objective needs rollouts, and an example has none")
        values_KT = given(getattr(rollout, name), name)
        row_KT[: values_KT.shape[0], : values_KT.shape[1]] = values_KT
    return placed_BKT


def _detached(mask: Tensor, count: float, **values: Tensor) -> dict[str, tuple[Tensor, float]]:
    with torch.no_grad():
        return {name: (masked(value, mask).sum(), count) for name, value in values.items()}
