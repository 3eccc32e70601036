"""Contrast: a ranking's better candidates must be likelier than its worse ones, by a margin that grows with the ranks.

A candidate's score is its log-probability by the policy itself, so that the model that writes also ranks (Liu et al.
2022, arXiv 2203.16804; Liu et al. 2023, arXiv 2305.14239).
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import UserError
from .core import Loss, Objective, Targets, Term, given, masked

if TYPE_CHECKING:
    from ..logprobs import Scored

Margin = Literal["log rank", "rank"]
OrderedBy = Literal["logps", "rewards"]


def margin_ranking(
    *, margin: Margin = "log rank", scale: float = 0.01, length_penalty: float = 1.0, of: OrderedBy = "logps"
) -> Objective:
    """max(0, margin(Δrank) − (s_better − s_worse)) over the pairs of a ranking, with s = Σ log p / |S|^α.

    α is `length_penalty`; the end token counts. `of` rewards, s is what a reward model or a reranker gives, without α
    (SimCLS: Liu & Liu 2021, arXiv 2106.01890). `log rank` is scale · ln(2·Δrank), the mean over all pairs: with scores
    per token and a scale of 0.01, neighbours of 100 tokens are pushed apart until one is twice as probable (Liu et al.
    2023). `rank` is scale · Δrank, the mean over the pairs of each Δrank and then the sum over Δrank, per group (Liu et
    al. 2022). Tied candidates make no pair, those without a rank take no part, and a group that orders nothing adds no
    unit. Metrics: `accuracy`, pairs in the right order (equal scores ½), and `margin`, s_better − s_worse, both per
    pair; `score`, the mean over ranked candidates.
    """
    if margin not in ("log rank", "rank"):
        raise UserError(f"a margin is by log rank or by rank, not {margin!r}")
    if not (math.isfinite(scale) and scale > 0):
        raise UserError(f"a margin's scale is a finite number above 0, not {scale}")
    _check_penalty(length_penalty)

    def units(targets: Targets) -> float:
        pairs = _ranked_pairs(targets)
        return float(len(pairs) if margin == "log rank" else len({group for group, *_ in pairs}))

    def compute(scored: Scored, targets: Targets) -> Loss:
        scores_BK = _scores(scored, of, length_penalty)
        pairs = _ranked_pairs(targets)
        device, dtype, size = scores_BK.device, scores_BK.dtype, len(pairs)
        at_N4 = torch.tensor(pairs, dtype=torch.long, device=device).view(size, 4)
        group_N, better_N, worse_N, apart_N = at_N4.unbind(1)
        gap_N = scores_BK[group_N, better_N] - scores_BK[group_N, worse_N]
        apart_N = apart_N.to(dtype)
        margin_N = scale * (torch.log(2 * apart_N) if margin == "log rank" else apart_N)
        weight_N = torch.ones_like(gap_N)
        if margin == "rank":
            like = Counter((group, apart) for group, _, _, apart in pairs)
            shares = [1 / like[group, apart] for group, _, _, apart in pairs]
            weight_N = torch.tensor(shares, dtype=dtype, device=device)
        # No pairs at all: an empty sum is 0 and its gradient is 0, where an empty mean would be NaN.
        total = (F.relu(margin_N - gap_N) * weight_N).sum()
        with torch.no_grad():
            correct = (gap_N > 0).sum() + 0.5 * (gap_N == 0).sum()
            ranked_BK = _ranked_mask(scored, targets)
            metrics = {
                "accuracy": (correct, float(size)),
                "margin": (gap_N.sum(), float(size)),
                "score": (masked(scores_BK, ranked_BK).sum(), float(ranked_BK.sum())),
            }
        return Loss(total, units(targets), metrics)

    settings: dict[str, float | str] = {"margin": margin, "scale": scale, **_settings(of, length_penalty)}
    return Objective((Term("ranking", (of,), ("accuracy", "margin", "score"), units, compute, settings),))


def gold_ranking(*, margin: float = 0.0, length_penalty: float = 1.0, of: OrderedBy = "logps") -> Objective:
    """max(0, margin − (s_reference − s_candidate)), the mean over ranked candidates: references stay above them.

    The gold term of Liu & Liu 2021 (arXiv 2106.01890) and Liu et al. 2022. The references of a group are its imitated
    candidates; where it has several, their mean score counts. `of` as in `margin_ranking`. Metric: `gold_margin`,
    s_reference − s_candidate.
    """
    if not math.isfinite(margin):
        raise UserError(f"a margin is a finite number, not {margin}")
    _check_penalty(length_penalty)

    def units(targets: Targets) -> float:
        return float(len(_beside_references(targets)))

    def compute(scored: Scored, targets: Targets) -> Loss:
        scores_BK = _scores(scored, of, length_penalty)
        places = _beside_references(targets)
        gaps = [
            scores_BK[group, list(targets.imitated[group] or ())].mean() - scores_BK[group, number]
            for group, number in places
        ]
        gap_N = torch.stack(gaps) if gaps else scores_BK.new_zeros(0) * scores_BK.sum()
        total = F.relu(margin - gap_N).sum()
        return Loss(total, float(len(places)), {"gold_margin": (gap_N.detach().sum(), float(len(places)))})

    settings: dict[str, float | str] = {"margin": margin, **_settings(of, length_penalty)}
    return Objective((Term("gold", (of,), ("gold_margin",), units, compute, settings),))


def sequence_scores(scored: Scored, length_penalty: float) -> Tensor:
    """Σ log p / |S|^α of each candidate, [B, K], in nats and float32 at least; α = 0 is the sum, 1 the mean a token."""
    lengths_BK = scored.mask_BKT.sum(-1).clamp(min=1)
    return masked(scored.logps_BKT, scored.mask_BKT).sum(-1) / lengths_BK**length_penalty


def _scores(scored: Scored, of: OrderedBy, length_penalty: float) -> Tensor:
    return sequence_scores(scored, length_penalty) if of == "logps" else given(scored.rewards_BK, "rewards")


def _settings(of: OrderedBy, length_penalty: float) -> dict[str, float | str]:
    return {"length_penalty": length_penalty} if of == "logps" else {"of": of}


def _check_penalty(length_penalty: float) -> None:
    if not math.isfinite(length_penalty):
        raise UserError(f"a length penalty is a finite number, not {length_penalty}")


def _ranked_pairs(targets: Targets) -> list[tuple[int, int, int, int]]:
    """(group, better, worse, Δrank) of every two candidates of a group whose ranks differ."""
    found = []
    for group, ranks in enumerate(targets.ranks):
        known = [(rank, number) for number, rank in enumerate(ranks or ()) if rank is not None]
        for (rank, better), (other, worse) in combinations(sorted(known), 2):
            if rank != other:
                found.append((group, better, worse, other - rank))
    return found


def _ranked_mask(scored: Scored, targets: Targets) -> Tensor:
    mask_BK = torch.zeros_like(scored.mask_BK)
    for row_K, ranks in zip(mask_BK, targets.ranks, strict=True):
        row_K[[number for number, rank in enumerate(ranks or ()) if rank is not None]] = True
    return mask_BK & scored.mask_BK


def _beside_references(targets: Targets) -> list[tuple[int, int]]:
    """(group, candidate) of every ranked candidate of a group that has references."""
    return [
        (group, number)
        for group, (ranks, references) in enumerate(zip(targets.ranks, targets.imitated))
        for number, rank in enumerate(ranks or ())
        if rank is not None and references
    ]
