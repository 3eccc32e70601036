"""LoRA adapters: several on one base model, whose own weights stay in reach for scoring."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from ..errors import UserError
from .policy import Policy
from .structure import is_encoder_decoder


def add_adapter(
    policy: Policy,
    name: str = "default",
    *,
    rank: int = 16,
    alpha: int = 32,
    dropout: float = 0.0,
    target_modules: str | Sequence[str] = "all-linear",
    seed: int = 0,
) -> None:
    """Add a LoRA adapter (Hu et al. 2021) to the policy, make it the active one, and freeze the base weights.

    A new adapter changes nothing: its second factor is zero. Raises `UserError` if the name is taken.
    """
    from peft import LoraConfig, PeftModel, get_peft_model

    base = str(policy.path.absolute()) if policy.path else None
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=target_modules if isinstance(target_modules, str) else list(target_modules),
        task_type="SEQ_2_SEQ_LM" if is_encoder_decoder(policy.model) else "CAUSAL_LM",
        base_model_name_or_path=base,
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The PEFT config|fan_in_fan_out|`is_gradient_checkpointing`")  # as meant
        torch.manual_seed(seed)
        if isinstance(policy.model, PeftModel):
            if name in policy.model.peft_config:
                raise UserError(f"the policy has an adapter {name!r} already; choose another name")
            policy.model.add_adapter(name, config)
            policy.model.set_adapter(name)
        else:
            policy.model = get_peft_model(policy.model, config, adapter_name=name)
    if base:
        # Peft puts here where the weights were loaded from, which need not be where they are now.
        policy.model.peft_config[name].base_model_name_or_path = base


def use_adapter(policy: Policy, name: str) -> None:
    """Make an adapter the active one: used from now on, and the one that is trained."""
    model: Any = policy.model
    known = list(getattr(model, "peft_config", {}))
    if name not in known:
        raise UserError(f"the policy has no adapter {name!r}; it has {', '.join(known) or 'none'}")
    model.set_adapter(name)


@contextmanager
def base_weights(policy: Policy) -> Iterator[None]:
    """While this holds, the policy computes with its base model's weights alone, to the bit; then as before."""
    model: Any = policy.model
    if not hasattr(model, "disable_adapter"):
        yield
        return
    # Switching adapters off and on makes them trainable, whatever they were.
    trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    try:
        with model.disable_adapter():
            yield
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(trainable[name])
