"""Optimizers, the gradient's norm, the averaged weights: everything that touches parameters between two steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..errors import UserError
from .config import TrainConfig
from .precision import widest

Named = Mapping[str, nn.Parameter]


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that training changes, each once however many modules share it."""
    found = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not found:
        raise UserError("every parameter of this model is frozen, so there is nothing to train")
    return found


def make_optimizers(model: nn.Module, parameters: Named, config: TrainConfig) -> list[Optimizer]:
    """AdamW over everything, or Muon over the hidden matrices and AdamW over the rest.

    Each parameter group remembers its peak rate as `peak`.
    """
    muon = _hidden_matrices(model, parameters) if config.optimizer == "muon" else {}
    rest = {name: parameter for name, parameter in parameters.items() if name not in muon}
    optimizers: list[Optimizer] = []
    if muon:
        if not hasattr(torch.optim, "Muon"):
            raise UserError(f"torch {torch.__version__} has no Muon; use torch 2.9 or later, or optimizer = 'adamw'")
        optimizers.append(
            torch.optim.Muon(
                list(muon.values()),
                lr=config.muon_learning_rate,
                momentum=config.muon_momentum,
                weight_decay=config.weight_decay,
            )
        )
    if rest:
        # Decay pulls matrices towards zero; for norms and biases zero means nothing.
        groups = [
            {"params": [p for p in rest.values() if p.ndim >= 2], "weight_decay": config.weight_decay},
            {"params": [p for p in rest.values() if p.ndim < 2], "weight_decay": 0.0},
        ]
        fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in rest.values())
        optimizers.append(
            torch.optim.AdamW(
                [group for group in groups if group["params"]],
                lr=config.learning_rate,
                betas=config.betas,
                eps=config.eps,
                fused=fused or None,
            )
        )
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers


def set_rate(optimizers: list[Optimizer], factor: float) -> None:
    """Every group at `factor` times its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor


def gradient_norm(parameters: Named) -> Tensor:
    """The L2 norm of all gradients together, as a scalar that stays on the device."""
    gradients = [parameter.grad for parameter in parameters.values() if parameter.grad is not None]
    norms = torch._foreach_norm(gradients)
    total: Tensor = torch.linalg.vector_norm(torch.stack([norm.to(widest(norm.device)) for norm in norms]))
    return total


def scale_gradients(parameters: Named, factor: float) -> None:
    """Multiply every gradient in place."""
    torch._foreach_mul_([p.grad for p in parameters.values() if p.grad is not None], factor)


class Average:
    """An exponential moving average of the weights (Polyak): evaluated and kept in their place.

    The decay grows from 0.1 towards its value, min(decay, (1 + s) / (10 + s)) at step s, so that the random
    weights of the start are soon forgotten.
    """

    def __init__(self, parameters: Named, decay: float):
        self.decay = decay
        self.parameters = parameters
        self.tensors = {name: parameter.detach().clone() for name, parameter in parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.tensors.values()), list(self.parameters.values()), 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model with the averaged weights; afterwards with its own again. Nothing is copied."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, parameter in self.parameters.items():
            parameter.data, self.tensors[name] = self.tensors[name], parameter.data


def optimizer_tensors(optimizers: list[Optimizer], parameters: Named) -> dict[str, Tensor]:
    """All optimizer state as `NUMBER.KEY.PARAMETER` → tensor. Rates are not state: they follow from the step."""
    names = {id(parameter): name for name, parameter in parameters.items()}
    return {
        f"{number}.{key}.{names[id(parameter)]}": value
        for number, optimizer in enumerate(optimizers)
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
    }


def load_optimizer_tensors(optimizers: list[Optimizer], parameters: Named, tensors: Mapping[str, Tensor]) -> None:
    """Inverse of `optimizer_tensors`, into optimizers made with the same settings over the same parameters."""
    by_name: dict[tuple[int, str], dict[str, Tensor]] = {}
    for path, tensor in tensors.items():
        number, key, name = path.split(".", 2)
        by_name.setdefault((int(number), name), {})[key] = tensor
    names = {id(parameter): name for name, parameter in parameters.items()}
    for index, optimizer in enumerate(optimizers):
        content: dict[str, Any] = optimizer.state_dict()
        ordered = [p for group in optimizer.param_groups for p in group["params"]]
        states = {place: by_name.get((index, names[id(parameter)])) for place, parameter in enumerate(ordered)}
        # torch's own loader knows which state lives on which device in which type.
        content["state"] = {place: state for place, state in states.items() if state is not None}
        optimizer.load_state_dict(content)


def _hidden_matrices(model: nn.Module, parameters: Named) -> dict[str, nn.Parameter]:
    """2-D weights that map hidden states to hidden states: no embedding, no LM head (tied or not), no scalar head."""
    outside = set()
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            outside.add(id(module.weight))
        output_of: Any = getattr(module, "get_output_embeddings", None)
        if output_of is not None and (head := output_of()) is not None:
            outside.add(id(head.weight))
    return {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.ndim == 2 and min(parameter.shape) > 1 and id(parameter) not in outside
    }
