"""Prefixes computed once and kept: for scoring the same sources again, without gradients.

A prefix is kept as one set of keys and values per layer. All its candidates' queries attend to it stacked, so
it is never expanded to one copy a candidate.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..models.structure import is_encoder_decoder, trunk_of, unwrap
from .encoder_decoder import encode_padded, folded_states
from .layout import Layout, Span
from .packed import ROW_TOKENS, Picks, bins, forwarded, run_row
from .scored import Batch, States, Wanted
from .support import kernel


@dataclass
class Prefix:
    """One prefix: its length, per layer its keys and values [1, H, P, D], and its last token's hidden state [D].

    For an encoder-decoder `hidden` holds the encoder's states [S, D] and there are no keys and values.
    """

    length: int
    kv: list[tuple[Tensor, Tensor]]
    hidden: Tensor


@dataclass
class PrefixCache:
    """Prefixes of one model, the least recently used forgotten first beyond `max_tokens`.

    All are forgotten when the model changes: its weights, its adapters, or another model in its place.
    """

    max_tokens: int = 262_144
    prefixes: OrderedDict[tuple[int, ...], Prefix] = field(default_factory=OrderedDict)
    _owner: Any = None

    def belong_to(self, model: nn.Module) -> None:
        """Forget everything unless it was computed by this very model with these very weights."""
        owner = _identity(model)
        if owner != self._owner:
            self.prefixes.clear()
            self._owner = owner

    def get(self, ids: tuple[int, ...]) -> Prefix | None:
        if ids in self.prefixes:
            self.prefixes.move_to_end(ids)
        return self.prefixes.get(ids)

    def add(self, ids: tuple[int, ...], prefix: Prefix) -> None:
        self.prefixes[ids] = prefix
        self.prefixes.move_to_end(ids)

    def shrink(self) -> None:
        held = sum(prefix.length for prefix in self.prefixes.values())
        while held > self.max_tokens:
            held -= self.prefixes.popitem(last=False)[1].length

    def clear(self) -> None:
        self.prefixes.clear()


def _identity(model: nn.Module) -> Any:
    """Changes with every change of a weight in place (PyTorch counts those) and of the adapters in use."""
    inner = unwrap(model)
    weights = [(parameter.data_ptr(), parameter._version) for parameter in inner.parameters()]
    adapters = [
        (part.disable_adapters, tuple(part.active_adapters))
        for part in inner.modules()
        if hasattr(part, "base_layer") and hasattr(part, "active_adapters")
    ]
    return id(inner), hash((tuple(weights), tuple(adapters)))


@torch.no_grad()
def cached_states(
    model: nn.Module,
    batch: Batch,
    wanted: Wanted,
    token_budget: int | None,
    cache: PrefixCache | None,
    *,
    pad_id: int,
) -> States:
    """As `packed_states`, with the prefixes taken from `cache`, or computed and left there."""
    if wanted.prefix:
        raise UserError("implementation='cached' keeps no prefix log-probs; use 'packed'")
    cache = cache if cache is not None else PrefixCache()
    cache.belong_to(model)
    states = States()
    missing = dict.fromkeys(g.prefix_ids for g in batch.groups if cache.get(g.prefix_ids) is None)
    budget = token_budget or ROW_TOKENS.get(batch.device.type, 16384)
    if is_encoder_decoder(model):
        for row in bins([len(ids) for ids in missing], budget):
            sources = [list(missing)[item] for item in row]
            for ids, hidden_SD in zip(sources, encode_padded(model, sources, pad_id, batch.device)):
                cache.add(ids, Prefix(len(ids), [], hidden_SD[: len(ids)].clone()))
        encoded = [_found(cache, group.prefix_ids).hidden for group in batch.groups]
        states = folded_states(model, batch, wanted, token_budget, pad_id=pad_id, encoded=encoded)
    else:
        if kernel(model) != "blocks":
            raise UserError("implementation='cached' needs a model with attention 'sdpa'; use 'packed'")
        _prefill(model, list(missing), budget, batch.device, cache)
        _continue(model, batch, wanted, budget, cache, states)
    states.tokens_forwarded += sum(map(len, missing))
    cache.shrink()
    return states


def _found(cache: PrefixCache, ids: tuple[int, ...]) -> Prefix:
    prefix = cache.get(ids)
    assert prefix is not None
    return prefix


def _prefill(
    model: nn.Module, missing: list[tuple[int, ...]], budget: int, device: torch.device, cache: PrefixCache
) -> None:
    for row in bins([len(ids) for ids in missing], budget):
        spans, start = [], 0
        for item in row:
            spans.append(Span(start, len(missing[item]), ()))
            start = spans[-1].end
        layout = Layout(spans, device, capture=[])
        ids_T = torch.tensor([i for item in row for i in missing[item]], device=device)
        hidden_TD = run_row(trunk_of(model), ids_T, layout, None, dense=False)
        for item, span in zip(row, spans):
            here = slice(span.start, span.end)
            # Copies, so that forgetting one prefix frees it though its row held others.
            kv = [(k[:, :, here].clone(), v[:, :, here].clone()) for k, v in layout.capture or ()]
            cache.add(missing[item], Prefix(span.prefix, kv, hidden_TD[span.end - 1].clone()))


def _continue(model: nn.Module, batch: Batch, wanted: Wanted, budget: int, cache: PrefixCache, states: States) -> None:
    lengths = [[len(forwarded(c, wanted)) for c in group.continuations] for group in batch.groups]
    for row in bins([sum(length) for length in lengths], budget):
        prefixes = [_found(cache, batch.groups[group].prefix_ids) for group in row]
        hidden_TD = torch.stack([prefix.hidden for prefix in prefixes])
        spans, start = [], 0
        for number, group in enumerate(row):
            nonempty = tuple(length for length in lengths[group] if length)
            spans.append(Span(start, 0, nonempty, past=number, past_length=prefixes[number].length))
            start = spans[-1].end
        if start:
            layers = range(len(prefixes[0].kv))
            layout = Layout(
                [span for span in spans if span.lengths],
                batch.device,
                past_kv=[[prefix.kv[layer] for prefix in prefixes] for layer in layers],
            )
            ids = [i for group in row for c in batch.groups[group].continuations for i in forwarded(c, wanted)]
            ids_T = torch.tensor(ids, device=batch.device)
            hidden_TD = torch.cat([hidden_TD, run_row(trunk_of(model), ids_T, layout, None, dense=False)])
        # The prefixes' last states stand before the row; each span's candidates follow at their place.
        picks = Picks.of(batch, row, spans, wanted, firsts=range(len(row)), offset=len(row))
        picks.give(states, hidden_TD.index_select(0, picks.places_M.to(batch.device)))
        states.tokens_forwarded += start
