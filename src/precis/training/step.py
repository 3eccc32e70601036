"""One step: forward and backward over its batches, so that the gradient is that of the whole step's mean loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..objectives import Loss, Objective
from .batches import Example, targets_of
from .metrics import Sums, means
from .optimizers import Named, gradient_norm
from .precision import widest

_BUCKET_BYTES = 64 << 20


@dataclass(frozen=True)
class Scoring:
    """How a batch is scored: the scorer, its options, the precision, and who computes the other batches."""

    scorer: nn.Module
    options: Mapping[str, Any]
    objective: Objective
    autocast: torch.autocast
    accelerator: Accelerator
    device: torch.device


@dataclass(frozen=True)
class Outcome:
    """What a step or a validation saw, over all processes: sums by name, and the tokens that were forwarded.

    `sums` has each term's loss as `TERM_loss` besides its metrics. `flag` is the main process's, for everyone.
    """

    sums: Sums
    tokens: int
    gradient_norm: float = 0.0
    flag: bool = False


def loss_of(sums: Sums, objective: Objective) -> float:
    """The objective's value: Σ weight · (sum / units) over its terms."""
    found = means(sums)
    return sum(term.weight * found.get(f"{term.name}_loss", 0.0) for term in objective.terms)


def metrics_of(sums: Sums, objective: Objective) -> dict[str, float]:
    """The loss and every mean by name; terms' own losses only where there are several."""
    found = means(sums)
    if len(objective.terms) == 1:
        found = {name: value for name, value in found.items() if not name.endswith("_loss")}
    return {"loss": loss_of(sums, objective), **found}


def compute_gradients(
    how: Scoring, batches: Sequence[Sequence[Example]], parameters: Named, *, flag: bool = False
) -> Outcome:
    """Leave the gradient of the step's loss in `parameters`.

    `batches` are those of this process, of which there may be none. Each term's sum is divided by its units in
    the whole step, known before the first forward pass, so that any split gives the same gradient.
    """
    targets = [targets_of(batch) for batch in batches]
    own_units = [sum(units) for units in zip(*map(how.objective.units, targets))] or [0.0] * len(how.objective.terms)
    units = _summed(how, own_units)
    seen = _Collected(how.objective)
    for batch, target in zip(batches, targets):
        with how.autocast:
            scored = how.scorer([example.tokens for example in batch], **how.options)
        losses = how.objective(scored, target)
        # Without any unit a sum is 0, and so is its gradient.
        parts = [t.weight / (n or 1.0) * loss.total for t, n, loss in zip(how.objective.terms, units, losses)]
        torch.stack(parts).sum().backward()  # type: ignore[no-untyped-call]
        seen.add(losses, scored.tokens_forwarded)
    if how.accelerator.num_processes > 1:
        _sum_gradients(parameters)
    return _outcome(how, seen, gradient_norm(parameters), flag)


@torch.no_grad()
def measure(how: Scoring, batches: Sequence[Sequence[Example]]) -> Outcome:
    """The objective and its metrics over batches, without gradients; the caller turns dropout off."""
    seen = _Collected(how.objective)
    for batch in batches:
        with how.autocast:
            scored = how.scorer([example.tokens for example in batch], **how.options)
        seen.add(how.objective(scored, targets_of(batch)), scored.tokens_forwarded)
    return _outcome(how, seen, None, False)


class _Collected:
    """Sums over batches. They stay on the device until the step is over: reading one makes a GPU wait."""

    def __init__(self, objective: Objective):
        # The names are the objective's, not the batches': a process may have no batch in a step.
        self.terms = objective.terms
        self.names = [n for term in self.terms for n in (f"{term.name}_loss", *term.metrics)]
        self.values: list[Tensor] = []
        self.counts = [0.0] * len(self.names)
        self.tokens = 0

    def add(self, losses: Sequence[Loss], tokens: int) -> None:
        pairs = [
            pair
            for term, loss in zip(self.terms, losses)
            for pair in ((loss.total.detach(), loss.units), *(loss.metrics[name] for name in term.metrics))
        ]
        self.values.append(torch.stack([value.to(widest(value.device)) for value, _ in pairs]))
        self.counts = [total + count for total, (_, count) in zip(self.counts, pairs)]
        self.tokens += tokens


def _outcome(how: Scoring, seen: _Collected, norm: Tensor | None, flag: bool) -> Outcome:
    """Bring the sums to the host in one transfer, added up over all processes."""
    device, wide, size = how.device, widest(how.device), len(seen.names)
    values = torch.stack(seen.values).sum(0) if seen.values else torch.zeros(size, dtype=wide, device=device)
    tail = [float(seen.tokens), float(flag and how.accelerator.is_main_process)]
    if how.accelerator.num_processes > 1:
        values = torch.cat([values, torch.tensor([*seen.counts, *tail], dtype=wide, device=device)])
        torch.distributed.all_reduce(values)
    # The norm is of gradients that are added up already.
    numbers = (values if norm is None else torch.cat([values, norm.to(wide)[None]])).tolist()
    norm_value = 0.0 if norm is None else numbers.pop()
    counts, (tokens, flagged) = (numbers[size:-2], numbers[-2:]) if len(numbers) > size else (seen.counts, tail)
    sums = {name: (value, count) for name, value, count in zip(seen.names, numbers, counts)}
    return Outcome(sums, int(tokens), norm_value, bool(flagged))


def _summed(how: Scoring, values: Sequence[float]) -> list[float]:
    """The values added up over all processes."""
    if how.accelerator.num_processes == 1:
        return list(values)
    total = torch.tensor(values, dtype=widest(how.device), device=how.device)
    torch.distributed.all_reduce(total)
    return [float(value) for value in total.tolist()]


def _sum_gradients(parameters: Named) -> None:
    """Add up the gradients of all processes.

    Once a step and not in hooks as DDP does, because processes may have different numbers of batches, and
    parameters that one of them did not use.
    """
    every = list(parameters.values())
    used = torch.tensor([float(p.grad is not None) for p in every], device=every[0].device)
    torch.distributed.all_reduce(used)
    pending = []
    for bucket in _buckets([p for p, count in zip(every, used.tolist()) if count]):
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in bucket])
        pending.append((bucket, flat, torch.distributed.all_reduce(flat, async_op=True)))
    for bucket, flat, work in pending:
        work.wait()
        for parameter, gradient in zip(bucket, torch.split(flat, [p.numel() for p in bucket])):
            parameter.grad = gradient.view_as(parameter)


def _buckets(parameters: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    bucket: list[nn.Parameter] = []
    size = 0
    for parameter in parameters:
        if bucket and (size >= _BUCKET_BYTES or parameter.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(parameter)
        size += parameter.numel() * parameter.element_size()
    if bucket:
        yield bucket
