"""Encoder-decoders: each source is encoded once and its cross-attention keys and values are projected once.

The decoder runs on one stream of all candidates' tokens without padding. Around its attention layers, and only
there, the stream is refolded: into one row a candidate for self-attention, so that the model's own causal mask
and relative biases hold as they are; into one row a source for cross-attention, where the queries of all of a
source's candidates meet the source's keys and values together. Queries do not see each other there, so this is
exact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..models.structure import ROBERTA_LIKE, decoder_of, decoder_start_id, recomputes, takes
from .attention import SHORT_ROWS, attention_of
from .lm_head import decode, encode
from .packed import ROW_TOKENS, forwarded
from .scored import Batch, States, Wanted
from .support import attention_configs, has_virtual_tokens

# How families name the two attention layers of a decoder block: BART-like, T5-like, BERT-like, GPT-2.
_SELF = re.compile(r"\.(self_attn|SelfAttention|attention\.self|attn)$")
_CROSS = re.compile(r"\.(encoder_attn|EncDecAttention|crossattention\.self|crossattention)$")


def why_not_folded(model: nn.Module) -> str:
    """Why candidates cannot share their source's cross-attention; empty if they can."""
    decoder = decoder_of(model)
    own, cross = _attention_layers(decoder)
    implementation = decoder.config._attn_implementation
    if has_virtual_tokens(model):
        return "its adapter adds virtual tokens"
    if not own or len(own) != len(cross):
        return "its decoder names its attention layers in a way we do not know"
    if recomputes(decoder):
        return "its layers are computed again in the backward pass (gradient checkpointing)"
    if _how_positions(decoder) is None:
        return "its decoder makes its positions in a way we do not know"
    if implementation not in ("sdpa", "eager"):
        return f"its attention ({implementation}) takes no mask of ours"
    return ""


def folded_states(
    model: nn.Module,
    batch: Batch,
    wanted: Wanted,
    token_budget: int | None,
    *,
    pad_id: int,
    encoded: list[Tensor] | None = None,
) -> States:
    """The decoder's states that predict each continuation token. `encoded` are the sources' known states [S, D]."""
    budget = token_budget or ROW_TOKENS.get(batch.device.type, 16384)
    start = decoder_start_id(model)
    states = States()
    for part in _parts(batch, budget):
        groups = [batch.groups[group] for group in part]
        if encoded is None:
            encoded_BSD = encode_padded(model, [g.prefix_ids for g in groups], pad_id, batch.device)
            states.tokens_forwarded += sum(len(g.prefix_ids) for g in groups)
        else:
            encoded_BSD = nn.utils.rnn.pad_sequence([encoded[group] for group in part], batch_first=True)
        rows = [[start, *forwarded(c, wanted)] for g in groups for c in g.continuations]
        lengths = [len(row) for row in rows]
        ids_N = torch.tensor([i for row in rows for i in row], device=batch.device)
        hidden_ND = _decode_folded(
            model,
            ids_N,
            torch.cat([torch.arange(length) for length in lengths]).to(batch.device),
            encoded_BSD,
            [len(g.prefix_ids) for g in groups],
            _Rectangle.of(lengths, batch.device),
            _Rectangle.of([sum(len(forwarded(c, wanted)) + 1 for c in g.continuations) for g in groups], batch.device),
        )
        _collect(states, batch, part, lengths, hidden_ND, wanted)
        states.tokens_forwarded += len(ids_N)
    return states


def _parts(batch: Batch, budget: int) -> list[list[int]]:
    """Groups of like source length together, up to the budget of padded encoder and decoder tokens."""
    sizes = {g: (len(item.prefix_ids), sum(map(len, item.continuations))) for g, item in enumerate(batch.groups)}
    parts: list[list[int]] = []
    for group in sorted(sizes, key=lambda g: (sizes[g], g)):
        together = [*parts[-1], group] if parts else [group]
        tokens = len(together) * sizes[group][0] + sum(sizes[g][1] for g in together)
        if parts and tokens <= budget:
            parts[-1].append(group)
        else:
            parts.append([group])
    return parts


def encode_padded(model: nn.Module, sources: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> Tensor:
    """The encoder's states [B, S, D] of sources, padded on the right to the longest."""
    longest = max(map(len, sources))
    ids_BS = torch.tensor([[*ids, *[pad_id] * (longest - len(ids))] for ids in sources], device=device)
    lengths_B = torch.tensor([len(ids) for ids in sources], device=device)
    # With nothing padded no mask is needed, and attention takes its fastest way.
    padded = min(map(len, sources)) < longest
    mask_BS = (torch.arange(longest, device=device) < lengths_B[:, None]).long() if padded else None
    return encode(model, ids_BS, mask_BS)


@dataclass(frozen=True)
class _Rectangle:
    """How a stream of tokens folds into right-padded rows: `index_RT` into the stream, 0 where padded.

    What stands in a padded place does not matter: no real token looks at it, and unfolding leaves it out.
    """

    index_RT: Tensor
    real: Tensor
    full: bool

    @classmethod
    def of(cls, lengths: list[int], device: torch.device) -> _Rectangle:
        lengths_R = torch.tensor(lengths)
        steps_T = torch.arange(int(lengths_R.max()))
        real_RT = steps_T < lengths_R[:, None]
        index_RT = ((lengths_R.cumsum(0) - lengths_R)[:, None] + steps_T) * real_RT
        return cls(index_RT.to(device), real_RT.flatten().nonzero()[:, 0].to(device), bool(real_RT.all()))

    def fold(self, x_1ND: Tensor) -> Tensor:
        shape = (*self.index_RT.shape, x_1ND.shape[-1])
        return x_1ND.reshape(shape) if self.full else x_1ND[0].index_select(0, self.index_RT.flatten()).view(shape)

    def unfold(self, x_RTD: Tensor) -> Tensor:
        flat_ND = x_RTD.flatten(0, 1)
        return (flat_ND if self.full else flat_ND.index_select(0, self.real))[None]


def _decode_folded(
    model: nn.Module,
    ids_N: Tensor,
    positions_N: Tensor,
    encoded_BSD: Tensor,
    source_lengths: list[int],
    by_candidate: _Rectangle,
    by_source: _Rectangle,
) -> Tensor:
    decoder = decoder_of(model)
    own, cross = _attention_layers(decoder)
    device, dtype = ids_N.device, encoded_BSD.dtype
    length = by_candidate.index_RT.shape[1]
    causal = _additive(torch.ones(length, length, dtype=torch.bool, device=device).tril(), dtype)[None, None]
    source = None
    if min(source_lengths) < max(source_lengths):
        lengths_B = torch.tensor(source_lengths, device=device)
        source = _additive(torch.arange(encoded_BSD.shape[1], device=device) < lengths_B[:, None], dtype)[:, None, None]
    eager = decoder.config._attn_implementation == "eager"

    def own_mask(layer: Any) -> Tensor | None:
        # SDPA makes the causal mask itself, faster; T5 adds its mask to its bias and needs to be given one.
        by_itself = not eager and getattr(layer, "is_causal", False) and not takes(layer, "position_bias")
        return None if by_itself else causal

    # 4-D masks pass through a decoder untouched. Each layer is given the one that fits its folding instead; were
    # this one used after all, the NaN would show.
    nothing = torch.full((1, 1, 1, 1), torch.nan, dtype=dtype, device=device)
    kwargs = {}
    if _how_positions(decoder) == "argument":
        offset = (decoder.config.pad_token_id or 0) + 1 if decoder.config.model_type in ROBERTA_LIKE else 0
        kwargs["position_ids"] = positions_N[None] + offset
    with (
        attention_of([] if eager else attention_configs(decoder), SHORT_ROWS),
        _positions_restarted(decoder, positions_N),
        _refolded(own, by_candidate, own_mask),
        _refolded(cross, by_source, lambda _: source),
    ):
        return decode(model, ids_N[None], encoded_BSD, nothing, attention_mask=nothing, **kwargs)[0]


@contextmanager
def _refolded(layers: Sequence[nn.Module], fold: _Rectangle, mask: Callable[[Any], Tensor | None]) -> Iterator[None]:
    """While this holds, these attention layers see the stream as a rectangle and hand a stream back."""

    def before(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        kwargs = dict(kwargs)
        for name in ("mask", "attention_mask", "encoder_attention_mask"):
            if name in kwargs:
                kwargs[name] = mask(layer)
        if args:
            return (fold.fold(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": fold.fold(kwargs["hidden_states"])}

    def after(layer: Any, args: Any, output: tuple[Any, ...]) -> tuple[Any, ...]:
        return (fold.unfold(output[0]), *output[1:])

    handles = [layer.register_forward_pre_hook(before, with_kwargs=True) for layer in layers]
    handles += [layer.register_forward_hook(after) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _attention_layers(decoder: nn.Module) -> tuple[list[Any], list[Any]]:
    """The decoder's self-attention and cross-attention layers, in order."""
    named = list(decoder.named_modules())
    # BERT's `crossattention` wraps the layer that is meant, `crossattention.self`.
    cross = [module for name, module in named if _CROSS.search(name) and not hasattr(module, "self")]
    return [module for name, module in named if _SELF.search(name)], cross


def _how_positions(decoder: Any) -> str | None:
    """How a decoder's positions can restart at every candidate, or None if we do not know."""
    if takes(decoder, "position_ids"):
        return "argument"
    if hasattr(decoder, "embed_positions"):
        return "embedding" if takes(decoder.embed_positions, "position_ids") else None
    relative = any(hasattr(module, "relative_attention_bias") for module in decoder.modules())
    # Relative biases are made inside self-attention, which sees one row a candidate.
    return "relative" if relative else None


@contextmanager
def _positions_restarted(decoder: Any, positions_N: Tensor) -> Iterator[None]:
    """A BART-like decoder counts positions along its row; give its position table the restarted ones."""
    if _how_positions(decoder) != "embedding":
        yield
        return

    def before(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, {**kwargs, "position_ids": positions_N}

    handle = decoder.embed_positions.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _additive(seen: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)


def _collect(
    states: States, batch: Batch, part: list[int], lengths: list[int], hidden_ND: Tensor, wanted: Wanted
) -> None:
    candidates = batch.shape_BKT[1]
    predict, last, row, place = [], [], 0, 0
    for group in part:
        for number, continuation in enumerate(batch.groups[group].continuations):
            predict.append(torch.arange(place, place + len(continuation)))
            last.append(place + lengths[row] - 1)
            if wanted.predictions:
                states.slots_N.append(batch.slots(group, number))
            if wanted.last:
                states.last_slots_M.append(torch.tensor([group * candidates + number]))
            place += lengths[row]
            row += 1
    if wanted.predictions:
        states.predict_ND.append(hidden_ND.index_select(0, torch.cat(predict).to(hidden_ND.device)))
    if wanted.last:
        states.last_MD.append(hidden_ND.index_select(0, torch.tensor(last, device=hidden_ND.device)))
