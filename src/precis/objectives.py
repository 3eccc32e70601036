"""Objectives: what scores are trained towards. Pure: tensors in, `Loss` out; no model, no loop, no paper's name.

An objective is a weighted sum of terms. A term adds up its loss over **units** of its own (tokens, pairs) and says
before the forward pass how many a batch holds. The loop divides each sum by the units of the *whole* step, over all
micro-batches and processes; so how a step is split changes nothing, whatever the terms' units are.

>>> objective = weighted((1.0, nll(label_smoothing=0.1)), (10.0, pairwise_logistic()))
>>> [term.name for term in objective.terms]
['nll', 'pairwise']
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from .errors import UserError

if TYPE_CHECKING:
    from .logprobs import Scored
    from .records import Preference

# What a term may need of the scorer. `logps` come from a policy and `rewards` from a reward model; the others are
# options of `sequence_logprobs`.
NEEDS = ("logps", "rewards", "mean_logps", "prefix_logps", "entropy", "last_hidden")
_HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Targets:
    """What is known of the B groups of a batch, one entry a group.

    `candidates` counts its candidates, `tokens` the tokens of all their continuations and `prefix_tokens` those of
    its prefix that have a predecessor to be predicted from. `preferences` name candidates by number; `ranks` are
    dense, 0 best, equal tied. A group in which everything is tied or failed has no preferences, and makes no pair.
    """

    candidates: Sequence[int]
    tokens: Sequence[int]
    prefix_tokens: Sequence[int]
    preferences: Sequence[Sequence[Preference]]
    ranks: Sequence[Sequence[int] | None]


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


def nll(*, label_smoothing: float = 0.0, prompt_weight: float = 0.0) -> Objective:
    """Negative log-likelihood of every candidate's tokens, in nats per token.

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
        return sum(targets.tokens) + (prompt_weight * sum(targets.prefix_tokens) if prompt_weight else 0.0)

    def compute(scored: Scored, targets: Targets) -> Loss:
        nll_sum = -_masked(scored.logps_BKT, scored.mask_BKT).sum()
        metrics = {"nll": (nll_sum.detach(), float(sum(targets.tokens)))}
        total = nll_sum
        if label_smoothing:
            smooth_sum = -_masked(_given(scored.mean_logps_BKT, "mean_logps"), scored.mask_BKT).sum()
            total = (1 - label_smoothing) * nll_sum + label_smoothing * smooth_sum
        if prompt_weight:
            mask_BP = _given(scored.prefix_mask_BP, "prefix_logps")
            prompt_sum = -_masked(_given(scored.prefix_logps_BP, "prefix_logps"), mask_BP).sum()
            metrics["prompt_nll"] = (prompt_sum.detach(), float(sum(targets.prefix_tokens)))
            total = total + prompt_weight * prompt_sum
        return Loss(total, units(targets), metrics)

    metric_names = ("nll", "prompt_nll") if prompt_weight else ("nll",)
    needs = ("logps", *(("mean_logps",) if label_smoothing else ()), *(("prefix_logps",) if prompt_weight else ()))
    settings = {"label_smoothing": label_smoothing, "prompt_weight": prompt_weight}
    return Objective((Term("nll", needs, metric_names, units, compute, settings),))


def rewards_of(scored: Scored, targets: Targets) -> Tensor:
    """The scores of a reward model, [B, K]."""
    return _given(scored.rewards_BK, "rewards")


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
    scores_BK = scores_BK.float() if scores_BK.dtype in _HALF else scores_BK
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
            "score": (_masked(scores_BK, mask_BK).sum(), float(sum(targets.candidates))),
        }
    return Loss(total, pair_units(targets), metrics)


def _given(value: Tensor | None, name: str) -> Tensor:
    if value is None:
        raise ValueError(f"the objective needs {name}, which the scorer was not asked for or does not have")
    return value


def _masked(values: Tensor, mask: Tensor) -> Tensor:
    # Sums over thousands of tokens lose digits in half precision.
    return torch.where(mask, values.float() if values.dtype in _HALF else values, 0.0)
