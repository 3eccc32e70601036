"""Imitation: the likelihood of given candidates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import UserError
from .core import Loss, Objective, Targets, Term, given, masked

if TYPE_CHECKING:
    from ..logprobs import Scored


def nll(*, label_smoothing: float = 0.0, prompt_weight: float = 0.0) -> Objective:
    """Negative log-likelihood of the imitated candidates' tokens, in nats per token; of all, unless a group names some.

    With `label_smoothing` ε the target probability is 1−ε+ε/V for the token and ε/V for each other of the V tokens
    (Liu et al. 2023, ε = 0.1). The prefix's tokens count `prompt_weight` each, in the sum and in the units: 1 is
    the loss over post and summary of OpenAI's code (Huang et al. 2024), 0 the summary's alone. They are not
    smoothed. Metrics: `nll` (unsmoothed, nats per summary token) and `prompt_nll`.
    """
    if not 0 <= label_smoothing < 1:
        raise UserError(f"label smoothing is a share from 0 to below 1, not {label_smoothing}")
    if not math.isfinite(prompt_weight) or prompt_weight < 0:
        raise UserError(f"the prompt's weight is a finite number of at least 0, not {prompt_weight}")

    def units(targets: Targets) -> float:
        return imitated_tokens(targets) + (prompt_weight * sum(targets.prefix_tokens) if prompt_weight else 0.0)

    def compute(scored: Scored, targets: Targets) -> Loss:
        mask_BKT = scored.mask_BKT & imitated_mask(scored, targets)[..., None]
        nll_sum = -masked(scored.logps_BKT, mask_BKT).sum()
        metrics = {"nll": (nll_sum.detach(), float(imitated_tokens(targets)))}
        total = nll_sum
        if label_smoothing:
            smooth_sum = -masked(given(scored.mean_logps_BKT, "mean_logps"), mask_BKT).sum()
            total = (1 - label_smoothing) * nll_sum + label_smoothing * smooth_sum
        if prompt_weight:
            mask_BP = given(scored.prefix_mask_BP, "prefix_logps")
            prompt_sum = -masked(given(scored.prefix_logps_BP, "prefix_logps"), mask_BP).sum()
            metrics["prompt_nll"] = (prompt_sum.detach(), float(sum(targets.prefix_tokens)))
            total = total + prompt_weight * prompt_sum
        return Loss(total, units(targets), metrics)

    metric_names = ("nll", "prompt_nll") if prompt_weight else ("nll",)
    needs = ("logps", *(("mean_logps",) if label_smoothing else ()), *(("prefix_logps",) if prompt_weight else ()))
    settings = {"label_smoothing": label_smoothing, "prompt_weight": prompt_weight}
    return Objective((Term("nll", needs, metric_names, units, compute, settings),))


def imitated_tokens(targets: Targets) -> int:
    """Tokens of the candidates that are imitated."""
    return sum(
        sum(lengths if chosen is None else (lengths[number] for number in chosen))
        for lengths, chosen in zip(targets.lengths, targets.imitated or [None] * len(targets.lengths), strict=True)
    )


def imitated_mask(scored: Scored, targets: Targets) -> Tensor:
    """True where a candidate is imitated, [B, K]."""
    mask_BK = scored.mask_BK.clone()
    for row_K, chosen in zip(mask_BK, targets.imitated):
        if chosen is not None:
            kept_K = torch.zeros_like(row_K)
            kept_K[list(chosen)] = True
            row_K &= kept_K
    return mask_BK
