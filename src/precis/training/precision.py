"""Which number type to compute in, and what the weights must be kept in."""

from __future__ import annotations

import torch
from torch import nn

from ..errors import UserError


def computes_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices natively; emulated, it is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        found = any(bool(getattr(torch.cpu, probe, bool)()) for probe in probes)
        return found and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return False


def autocast_for(precision: str, device: torch.device) -> torch.autocast:
    """The context that forward passes run in. Raises `UserError` for bf16 on a device without it."""
    if precision == "bf16" and device.type == "mps":
        raise UserError("bf16 training is for CUDA devices and CPUs; use precision = 'fp32' here")
    enabled = precision == "bf16" or (precision == "auto" and computes_bf16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def widest(device: torch.device) -> torch.dtype:
    """The type in which sums over a step are added up."""
    return torch.float32 if device.type == "mps" else torch.float64


def keep_float32(model: nn.Module, autocast: torch.autocast) -> None:
    """Weights that are trained in half precision become float32: a small step would be rounded away.

    Frozen weights stay as they are under autocast; without it all weights must be of one type.
    """
    for parameter in model.parameters():
        half = parameter.dtype in (torch.bfloat16, torch.float16)
        if half and (parameter.requires_grad or not autocast._enabled):
            parameter.data = parameter.data.float()
