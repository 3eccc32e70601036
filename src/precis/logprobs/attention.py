"""Attention over a row that holds several sources, each with its prefix once and all its candidates after it.

A candidate's token sees its source's prefix and its own earlier tokens: never another candidate, never another
source. A dense T×T mask says that too, but then most of the work is on pairs that the mask throws away. Here
a row is cut into blocks that need no mask: every prefix over itself (causal), all of a source's candidates over
its prefix, every candidate over itself (causal). The last two are partial softmaxes, merged exactly by their
log-sum-exps; the backward pass of each block takes the merged output and log-sum-exp, as in ring attention.

`install()` registers it with transformers' attention interface; the layout of the row travels on the
attention mask, so that a model with sliding-window layers can be given one per layer type.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from .layout import Layout, LayoutNotSupported, carried_by

SHARED_PREFIX = "precis_shared_prefix"
SHORT_ROWS = "precis_short_rows"
# The kernel that returns the log-sum-exp of every row with the output, and its backward; None if PyTorch drops it.
_flash: Any = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
_flash_backward: Any = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu_backward", None)
# Up to this many queries the kernel is faster in float32 than in bfloat16, backward up to five times.
_SHORT = 192
_NEVER = 1e30


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface: query [1, H, T, D], key and value [1, H/n, T, D] → [1, T, H, D]."""
    layout, window = carried_by(attention_mask)
    odd = [name for name in ("softcap", "s_aux", "position_bias") if kwargs.get(name) is not None]
    if layout is None or odd:
        raise LayoutNotSupported(f"its attention takes {odd[0]}" if odd else "its layers change the attention mask")
    if layout.capture is not None:
        layout.capture.append((key, value))
    past = layout.past_kv[layout.calls] if layout.past_kv is not None else None
    layout.calls += 1
    if torch.is_autocast_enabled(query.device.type):
        dtype = torch.get_autocast_dtype(query.device.type)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
        past = past and [(k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)) for k, v in past]
    window = None if window is None or window >= layout.longest else window
    fits = query.device.type == "cpu" and query.shape[-1] == value.shape[-1] and _flash is not None
    if fits and window is None and dropout == 0.0:
        keys, values = ([kv[i] for kv in past] for i in (0, 1)) if past else ([], [])
        return _blocks(query, key, value, layout, scale, keys, values), None
    return _masked(query, key, value, layout, scale, past, window, dropout), None


class _Blocks(torch.autograd.Function):
    """Exact attention in blocks without masks, on the CPU's flash kernel."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        layout: Layout,
        scale: float,
        past_keys: list[Tensor],
        past_values: list[Tensor],
    ) -> Tensor:
        _, heads, length, width = query.shape
        out_THD = query.new_empty(length, heads, width)
        lse_TH = query.new_empty(length, heads, dtype=torch.promote_types(query.dtype, torch.float32))

        def block(queries: slice, k: Tensor, v: Tensor, causal: bool) -> None:
            out, lse = _flash(*_quick(query[:, :, queries], k, v), 0.0, causal, scale=scale)
            out_THD[queries] = out[0].transpose(0, 1)
            lse_TH[queries] = lse[0].T

        for span in layout.spans:
            head = slice(span.start, span.end if span.plain else span.candidates)
            if head.stop > head.start:
                block(head, key[:, :, head], value[:, :, head], True)
            if not span.plain:
                k, v = (
                    (key[:, :, head], value[:, :, head])
                    if span.past is None
                    else (past_keys[span.past], past_values[span.past])
                )
                block(slice(span.candidates, span.end), k, v, False)
        if layout.shared:
            index_KR, real_KR = layout.rows_KR
            out, lse = _flash(*_quick(*(_rows(x, index_KR) for x in (query, key, value))), 0.0, True, scale=scale)
            own_NHD, own_NH = out.transpose(1, 2)[real_KR], lse.transpose(1, 2)[real_KR]
            tails = layout.tails_N
            prefix_NH = lse_TH[tails]
            merged_NH = torch.logaddexp(prefix_NH, own_NH)
            merged_NHD = out_THD[tails] * (prefix_NH - merged_NH).exp_()[..., None]
            merged_NHD += own_NHD * (own_NH - merged_NH).exp_()[..., None]
            out_THD[tails] = merged_NHD.to(out_THD.dtype)
            lse_TH[tails] = merged_NH
        ctx.save_for_backward(query, key, value, out_THD, lse_TH)
        ctx.layout, ctx.scale = layout, scale
        return out_THD[None]

    @staticmethod
    def backward(ctx: Any, grad_1THD: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out_THD, lse_TH = ctx.saved_tensors
        layout, scale = ctx.layout, ctx.scale
        grad = grad_1THD.contiguous().transpose(1, 2)
        out, lse = out_THD[None].transpose(1, 2), lse_TH.T[None]
        # Token-major in memory, as the projections around want it.
        d_query, d_key, d_value = (torch.empty_like(x.transpose(1, 2)).transpose(1, 2) for x in (query, key, value))

        def block(queries: slice, keys: slice, causal: bool) -> tuple[Tensor, Tensor, Tensor]:
            of_queries = (x[:, :, queries] for x in (grad, query, out))
            of_keys = (x[:, :, keys] for x in (key, value))
            g, q, o, k, v = _quick(*of_queries, *of_keys)
            result: tuple[Tensor, Tensor, Tensor] = _flash_backward(
                g, q, k, v, o, lse[:, :, queries], 0.0, causal, scale=scale
            )
            return result

        for span in layout.spans:
            head, tail = (
                slice(span.start, span.end if span.plain else span.candidates),
                slice(span.candidates, span.end),
            )
            d_query[:, :, head], d_key[:, :, head], d_value[:, :, head] = block(head, head, True)
            if not span.plain:
                d_query[:, :, tail], d_k, d_v = block(tail, head, False)
                d_key[:, :, head] += d_k
                d_value[:, :, head] += d_v
        if layout.shared:
            index_KR, real_KR = layout.rows_KR
            # A padded query must give nothing: with such a log-sum-exp its probabilities are all zero.
            lse_rows = torch.where(real_KR[:, None], lse[0].T[index_KR].transpose(1, 2), _NEVER)
            q, k, v, o, g = _quick(*(_rows(x, index_KR) for x in (query, key, value, out, grad)))
            d_q, d_k, d_v = _flash_backward(g, q, k, v, o, lse_rows, 0.0, True, scale=scale)
            tails = layout.tails_N
            d_q, d_k, d_v = (d.transpose(1, 2)[real_KR].to(query.dtype) for d in (d_q, d_k, d_v))
            d_query[0].transpose(0, 1)[tails] += d_q
            d_key[0].transpose(0, 1)[tails] = d_k
            d_value[0].transpose(0, 1)[tails] = d_v
        return d_query, d_key, d_value, None, None, None, None


_blocks: Any = _Blocks.apply


def _rows(x: Tensor, index_KR: Tensor) -> Tensor:
    """[1, H, T, D] → [K, H, R, D]."""
    return x[0].transpose(0, 1)[index_KR].transpose(1, 2)


def _quick(first: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """The tensors in the type in which the kernel is fastest for this many queries."""
    if first.shape[2] > _SHORT or first.dtype in (torch.float32, torch.float64):
        return (first, *others)
    return tuple(x.float() for x in (first, *others))


def _masked(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    scale: float,
    past: Sequence[tuple[Tensor, Tensor]] | None,
    window: int | None,
    dropout: float,
) -> Tensor:
    """The same by PyTorch's own attention, source by source, with a mask where one is needed: any device,
    sliding windows and attention dropout."""
    parts = []
    for number, span in enumerate(layout.spans):
        head = slice(span.start, span.end if span.plain else span.candidates)
        tail, whole = slice(span.candidates, span.end), slice(span.start, span.end)
        if head.stop > head.start:
            mask = None
            if window is not None:
                mask = layout.additive(
                    (number, "head", window), query.dtype, lambda s=head: layout.visible(s, s, window)
                )
            parts.append(
                F.scaled_dot_product_attention(
                    query[:, :, head],
                    key[:, :, head],
                    value[:, :, head],
                    attn_mask=mask,
                    dropout_p=dropout,
                    is_causal=mask is None,
                    scale=scale,
                )
            )
        if span.plain or tail.stop == tail.start:
            continue
        if past is not None and span.past is not None:
            k, v = (torch.cat([past[span.past][i], x[:, :, tail]], dim=2) for i, x in ((0, key), (1, value)))
            mask = layout.additive((number, "past", window), query.dtype, lambda s=span: layout.visible_past(s, window))
        else:
            k, v = key[:, :, whole], value[:, :, whole]
            mask = layout.additive(
                (number, "tail", window), query.dtype, lambda t=tail, w=whole: layout.visible(t, w, window)
            )
        parts.append(
            F.scaled_dot_product_attention(query[:, :, tail], k, v, attn_mask=mask, dropout_p=dropout, scale=scale)
        )
    return torch.cat(parts, dim=2).transpose(1, 2)


def attend_short_rows(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, Tensor | None]:
    """transformers' own SDPA attention, in float32 where that is faster: a decoder's rows of one candidate each."""
    if query.device.type != "cpu":
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    dtype = query.dtype
    with torch.autocast("cpu", enabled=False):
        q, k, v = _quick(query, key, value)
        kwargs = {name: x.to(q.dtype) if isinstance(x, Tensor) else x for name, x in kwargs.items()}
        mask = attention_mask if attention_mask is None else attention_mask.to(q.dtype)
        out, weights = sdpa_attention_forward(module, q, k, v, mask, **kwargs)
    return out.to(dtype), weights


def install() -> None:
    """Make the functions known to transformers; doing so twice changes nothing."""
    AttentionInterface.register(SHARED_PREFIX, attend)
    AttentionInterface.register(SHORT_ROWS, attend_short_rows)


@contextmanager
def attention_of(configs: Sequence[Any], name: str = SHARED_PREFIX) -> Iterator[None]:
    """The models that read these configs use this attention; afterwards their own again."""
    install()
    before = [config._attn_implementation for config in configs]
    for config in configs:
        config._attn_implementation = name
    try:
        yield
    finally:
        for config, own in zip(configs, before):
            config._attn_implementation = own
