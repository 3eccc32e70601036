"""Preferences: pairs of candidates of one source, of which one is better."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from .core import HALF, Loss, Objective, Targets, Term, given, masked

if TYPE_CHECKING:
    from ..logprobs import Scored


def rewards_of(scored: Scored, targets: Targets) -> Tensor:
    """The scores of a reward model, [B, K]."""
    return given(scored.rewards_BK, "rewards")


def pairwise_logistic(
    scores: Callable[[Scored, Targets], Tensor] = rewards_of,
    *,
    needs: tuple[str, ...] = ("rewards",),
    name: str = "pairwise",
) -> Objective:
    """−log σ((s_chosen − s_rejected) − margin), all pairs of a group in one pass (Stiennon et al. 2020, §3.4).

    `scores` makes [B, K] scores from what was scored: a reward model's by default. Each preference counts its
    `weight` in the sum and in the units, so that the loss is a weighted mean; a group without preferences adds no
    unit. Metrics: `accuracy` (ties count ½), `margin` (s_chosen − s_rejected), both per pair, and `score`, the
    mean over all candidates.
    """

    def compute(scored: Scored, targets: Targets) -> Loss:
        return pairwise_loss(scores(scored, targets), scored.mask_BK, targets)

    return Objective((Term(name, needs, ("accuracy", "margin", "score"), pair_units, compute, {}),))


def pair_units(targets: Targets) -> float:
    """The weight of all preferences of a batch."""
    return math.fsum(preference.weight for group in targets.preferences for preference in group)


def pairwise_loss(scores_BK: Tensor, mask_BK: Tensor, targets: Targets) -> Loss:
    """The loss of `pairwise_logistic` on any scores."""
    scores_BK = scores_BK.float() if scores_BK.dtype in HALF else scores_BK
    pairs = [(b, p.chosen, p.rejected) for b, group in enumerate(targets.preferences) for p in group]
    device, size = scores_BK.device, len(pairs)
    rows_N, chosen_N, rejected_N = torch.tensor(pairs, dtype=torch.long, device=device).view(size, 3).unbind(1)
    flat = [(p.weight, p.margin) for group in targets.preferences for p in group]
    weight_N, margin_N = torch.tensor(flat, dtype=scores_BK.dtype, device=device).view(size, 2).unbind(1)
    gap_N = scores_BK[rows_N, chosen_N] - scores_BK[rows_N, rejected_N]
    # No pairs at all: an empty sum is 0 and its gradient is 0, where an empty mean would be NaN.
    total = (F.softplus(margin_N - gap_N) * weight_N).sum()
    with torch.no_grad():
        correct = (gap_N > 0).sum() + 0.5 * (gap_N == 0).sum()
        metrics = {
            "accuracy": (correct, float(size)),
            "margin": (gap_N.sum(), float(size)),
            "score": (masked(scores_BK, mask_BK).sum(), float(targets.candidates)),
        }
    return Loss(total, pair_units(targets), metrics)
