"""From hidden states to log-probs, on the positions that are scored and no others.

Logits are made in chunks. With gradients, a chunk's logits are thrown away and made again in the backward
pass, unless all of them together are small; a (B, T, V) tensor in float32 never exists.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..models.structure import decoder_of, decoder_start_id, encoder_of, evaluating, trunk_of, unwrap

# A chunk's logits in float32 take at most this many numbers, or 256 rows of the vocabulary if that is more.
_CHUNK = 2**23
# Logits kept for the backward pass rather than made twice, in bytes for the whole call.
_KEEP = 2**26


@dataclass(frozen=True)
class Head:
    """Hidden states [N, D] → logits [N, V]: the output layer and what the model does to its result."""

    project: Callable[[Tensor], Tensor]
    scale: float = 1.0
    softcap: float | None = None
    bias: Tensor | None = None

    def __call__(self, hidden_ND: Tensor) -> Tensor:
        logits_NV = self.project(hidden_ND)
        if self.scale != 1.0:
            logits_NV = logits_NV * self.scale
        if self.softcap is not None:
            logits_NV = torch.tanh(logits_NV / self.softcap) * self.softcap
        return logits_NV if self.bias is None else logits_NV + self.bias


@dataclass
class TokenScores:
    """Per scored token: the log-prob in nats and, if asked for, the vocabulary's mean log-prob and the entropy."""

    logps_N: Tensor
    mean_logps_N: Tensor | None
    entropy_N: Tensor | None


class _Statistics(torch.autograd.Function):
    """Logits and targets → log-prob, mean log-prob, entropy, in float32, with one buffer a pass."""

    @staticmethod
    def forward(
        ctx: Any, logits_NV: Tensor, targets_N: Tensor, temperature: float, mean: bool, entropy: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        scores_NV = _scores(logits_NV, temperature)
        lse_N = torch.logsumexp(scores_NV, dim=-1)
        logps_N = scores_NV.gather(-1, targets_N[:, None])[:, 0] - lse_N
        none = logps_N.new_empty(0)
        mean_N = scores_NV.mean(dim=-1) - lse_N if mean else none
        entropy_N = none
        if entropy:
            expected_N = torch.linalg.vecdot(torch.exp(scores_NV - lse_N[:, None]), scores_NV)
            entropy_N = lse_N - expected_N
        ctx.save_for_backward(logits_NV, targets_N, lse_N, entropy_N)
        ctx.temperature, ctx.mean, ctx.entropy = temperature, mean, entropy
        return logps_N, mean_N, entropy_N

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        logits_NV, targets_N, lse_N, entropy_N = ctx.saved_tensors
        grad_N, grad_mean_N, grad_entropy_N = grads
        logps_NV = _scores(logits_NV, ctx.temperature, copy=True).sub_(lse_N[:, None])
        if ctx.entropy:
            # dH/ds = -p (log p + H)
            weight_NV = (logps_NV + entropy_N[:, None]).mul_(-grad_entropy_N[:, None])
        probs_NV = logps_NV.exp_()
        total_N = grad_N + grad_mean_N if ctx.mean else grad_N
        if ctx.entropy:
            grad_NV = probs_NV.mul_(weight_NV.sub_(total_N[:, None]))
        else:
            grad_NV = probs_NV.mul_(-total_N[:, None])
        if ctx.mean:
            grad_NV += grad_mean_N[:, None] / grad_NV.shape[-1]
        grad_NV.scatter_add_(-1, targets_N[:, None], grad_N[:, None])
        if ctx.temperature != 1.0:
            grad_NV /= ctx.temperature
        return grad_NV.to(logits_NV.dtype), None, None, None, None


_statistics: Any = _Statistics.apply


def _scores(logits_NV: Tensor, temperature: float, copy: bool = False) -> Tensor:
    dtype = torch.promote_types(logits_NV.dtype, torch.float32)
    scores_NV = logits_NV.to(dtype, copy=copy)
    if temperature == 1.0:
        return scores_NV
    return scores_NV.div_(temperature) if copy else scores_NV / temperature


def token_scores(
    head: Callable[[Tensor], Tensor],
    hidden_ND: Tensor,
    targets_N: Tensor,
    *,
    vocabulary: int,
    temperature: float = 1.0,
    mean: bool = False,
    entropy: bool = False,
) -> TokenScores:
    """The scores of N target tokens from the hidden states that predict them."""

    def score(hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        result: tuple[Tensor, Tensor, Tensor] = _statistics(head(hidden), targets, temperature, mean, entropy)
        return result

    rows = min(max(_CHUNK // vocabulary, 256), 4096)
    recompute = torch.is_grad_enabled() and len(targets_N) * vocabulary * hidden_ND.element_size() > _KEEP
    parts = [
        checkpoint(score, hidden, targets, use_reentrant=False) if recompute else score(hidden, targets)
        for hidden, targets in zip(torch.split(hidden_ND, rows), torch.split(targets_N, rows))
    ]
    logps, means, entropies = (torch.cat(part) for part in zip(*parts))
    return TokenScores(logps, means if mean else None, entropies if entropy else None)


_heads: weakref.WeakKeyDictionary[nn.Module, tuple[float, float | None] | None] = weakref.WeakKeyDictionary()


def lm_head_of(model: nn.Module) -> Head | None:
    """The model's LM head, or None if its logits cannot be had from its hidden states in a way we know.

    Models scale, cap and shift their logits in their own ways. So the head is compared once with the model's own
    logits of a few tokens, and is used only if it gives the same.
    """
    inner = unwrap(model)
    config = inner.config.get_text_config() if hasattr(inner.config, "get_text_config") else inner.config
    project = _output_layer(inner)
    if project is None:
        return None
    softcap = getattr(config, "final_logit_softcapping", None)
    bias = getattr(inner, "final_logits_bias", None)
    if inner not in _heads:
        _heads[inner] = None
        width = getattr(config, "d_model", None) or getattr(config, "hidden_size", None) or 1
        scales = [1.0, getattr(config, "logit_scale", None), 1 / (getattr(config, "logits_scaling", None) or 1)]
        hidden, logits = _few_tokens(model)
        for scale in (*scales, width**-0.5):
            if scale and _same(Head(project, scale, softcap, bias)(hidden), logits):
                _heads[inner] = (scale, softcap)
                break
    known = _heads[inner]
    return None if known is None else Head(project, known[0], known[1], bias)


def _output_layer(inner: Any) -> Any:
    """The module from hidden states to logits; in BERT-like decoders it is more than the output embedding."""
    decoder = inner.decoder if hasattr(inner, "encoder") and hasattr(inner, "decoder") else inner
    for owner in (inner, decoder):
        for name in ("lm_head", "cls", "embed_out"):
            if hasattr(owner, name):
                return getattr(owner, name)
    return inner.get_output_embeddings()


@torch.no_grad()
def _few_tokens(model: nn.Module) -> tuple[Tensor, Tensor]:
    inner = unwrap(model)
    ids = torch.arange(1, 5, device=next(inner.parameters()).device)[None]
    with evaluating(inner):
        if not inner.config.is_encoder_decoder:
            return trunk_of(model)(input_ids=ids).last_hidden_state, inner(input_ids=ids).logits
        start = torch.full_like(ids[:, :1], decoder_start_id(model))
        decoder_ids = torch.cat([start, ids], dim=1)
        logits = inner(input_ids=ids, decoder_input_ids=decoder_ids).logits
        hidden = decode(model, decoder_ids, encode(model, ids, None), None)
        return hidden, logits


def encode(model: nn.Module, ids_BS: Tensor, mask_BS: Tensor | None) -> Tensor:
    """The encoder's hidden states, as the decoder's cross-attention takes them."""
    inner = unwrap(model)
    hidden: Tensor = encoder_of(model)(input_ids=ids_BS, attention_mask=mask_BS).last_hidden_state
    return inner.enc_to_dec_proj(hidden) if hasattr(inner, "enc_to_dec_proj") else hidden


def decode(model: nn.Module, ids_BT: Tensor, encoded_BSD: Tensor, mask_BS: Tensor | None, **kwargs: Any) -> Tensor:
    """The decoder's hidden states, before the LM head."""
    hidden: Tensor = decoder_of(model)(
        input_ids=ids_BT,
        encoder_hidden_states=encoded_BSD,
        encoder_attention_mask=mask_BS,
        use_cache=False,
        **kwargs,
    ).last_hidden_state
    return hidden


def _same(ours: Tensor, theirs: Tensor) -> bool:
    if ours.shape != theirs.shape:
        return False
    tolerance = {torch.float64: 1e-10, torch.float32: 1e-4}.get(theirs.dtype, 3e-2)
    return bool((ours - theirs).abs().max() <= tolerance * theirs.abs().max().clamp(min=1e-3))
