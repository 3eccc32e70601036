"""Attention of many continuations to one copy of their document's keys and values.

While rows are decoded, a document's keys and values are held once (`SharedKeys`), not once for each of its K
rows. All live rows of a document are stacked along the query axis (K · heads-per-group queries) against that one
copy; each row's own short suffix is attended apart; one softmax spans both parts. That equals two attentions
merged by their log-sum-exp, with fewer passes over memory: the scores are joined, the keys never are.

Stock models run unmodified: `shared_prefix_attention` is registered under the name `IMPLEMENTATION` in
transformers' attention interface, `decoding_attention` selects it for the duration of a batch, and `OwnCache`
stands in for the cache that a model would build itself. The same function serves the cross-attention of
encoder-decoder models, whose keys and values come from the encoder, once per source.

Axes: N live rows, B documents, K rows of the document that has most, H query heads, J key heads, G = H/J,
P shared positions, S own positions, D head size.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.cache_utils import Cache

IMPLEMENTATION = "precis_sampling"


class CannotShare(Exception):
    """This architecture cannot attend to a shared prefix; the caller falls back to plain generation."""


class Rows:
    """Which document each live row continues: rows of one document lie side by side.

    `document_N` ascends. When every document has equally many rows, stacking them is a view; otherwise `slot_BK`
    says which row sits in each place of the (B, K) grid (row 0 where there is none: its result is never read) and
    `place_N` where each row sits.
    """

    def __init__(self, document_N: Sequence[int], device: torch.device):
        count_B = [0] * (document_N[-1] + 1)
        for document in document_N:
            count_B[document] += 1
        self.documents, self.most = len(count_B), max(count_B)
        self.document_N = torch.tensor(document_N, device=device)
        self.slot_BK: Tensor | None = None
        self.place_N: Tensor | None = None
        if len(document_N) != self.documents * self.most:
            slots = [0] * (self.documents * self.most)
            places, within = [], 0
            for row, document in enumerate(document_N):
                within = within + 1 if row and document_N[row - 1] == document else 0
                places.append(document * self.most + within)
                slots[places[-1]] = row
            self.slot_BK = torch.tensor(slots, device=device)
            self.place_N = torch.tensor(places, device=device)

    def stack(self, x_NJGS: Tensor) -> Tensor:
        """(N, J, G, ·) → (B, J, K·G, ·): a document's rows along its query axis."""
        x = x_NJGS if self.slot_BK is None else x_NJGS.index_select(0, self.slot_BK)
        heads, groups, size = x.shape[1:]
        x = x.view(self.documents, self.most, heads, groups, size).transpose(1, 2)
        return x.reshape(self.documents, heads, self.most * groups, size)

    def unstack(self, x_BJQS: Tensor, groups: int) -> Tensor:
        """(B, J, K·G, ·) → (N, J, G, ·), the inverse of `stack`."""
        heads, size = x_BJQS.shape[1], x_BJQS.shape[3]
        x = x_BJQS.reshape(self.documents, heads, self.most, groups, size).transpose(1, 2)
        x = x.reshape(self.documents * self.most, heads, groups, size)
        return x if self.place_N is None else x.index_select(0, self.place_N)


@dataclass
class SharedKeys:
    """One layer's keys and values of B documents (padded on the right), held once for all rows.

    `first_B` is the position of index 0: above 0 only in a sliding-window layer, which drops what no row can see.
    """

    keys_BJPD: Tensor
    values_BJPD: Tensor
    first_B: Tensor


class OwnCache(Cache):
    """Every row's own suffix: preallocated keys and values, one position longer after each step.

    It answers what a model asks of its cache. `length` positions are filled; `update` writes the next one and
    returns views of all a row may see of itself. On a processor without fast half-precision products of single
    rows the suffix is held in float32: it is short, and the product is several times faster and more exact.
    """

    def __init__(self, windows: Sequence[int | None], rows: int, capacity: int):
        super().__init__(layers=[])
        self.windows, self.rows, self.capacity = tuple(windows), rows, capacity
        self.length = 0
        self.layer = -1
        self.seen: Tensor | None = None
        self.keys: list[Tensor | None] = [None] * len(windows)
        self.values: list[Tensor | None] = [None] * len(windows)

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        keys, values = self.keys[layer_idx], self.values[layer_idx]
        if keys is None or values is None:
            keys = self.keys[layer_idx] = self._allocate(key_states)
            values = self.values[layer_idx] = self._allocate(value_states)
        now = self.length
        keys[:, :, now] = key_states[:, :, 0]
        values[:, :, now] = value_states[:, :, 0]
        window = self.windows[layer_idx]
        start = 0 if window is None else max(0, now + 1 - window)
        self.layer, self.seen = layer_idx, keys[:, :, start : now + 1]
        return self.seen, values[:, :, start : now + 1]

    def _allocate(self, states: Tensor) -> Tensor:
        heads, size = states.shape[1], states.shape[3]
        half_on_cpu = states.device.type == "cpu" and states.dtype in (torch.bfloat16, torch.float16)
        dtype = torch.float32 if half_on_cpu else states.dtype
        return torch.empty(self.rows, heads, self.capacity, size, dtype=dtype, device=states.device)

    def keep(self, rows_N: Tensor) -> None:
        """Keep these rows, in this order; a row may appear more than once (beams) as long as N does not grow."""
        self.rows = len(rows_N)
        for tensors in (self.keys, self.values):
            for layer, tensor in enumerate(tensors):
                if tensor is not None:
                    used = tensor[:, :, : self.length].index_select(0, rows_N)
                    tensors[layer] = tensor = tensor[: self.rows]
                    tensor[:, :, : self.length] = used

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.length

    def get_query_offset(self, layer_idx: int = 0) -> int:
        return self.length

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_max_length(self, layer_idx: int | None = None) -> int:
        return self.capacity

    def __len__(self) -> int:
        return len(self.keys)


@dataclass
class Sharing:
    """What `shared_prefix_attention` needs besides its arguments, for one step of one batch.

    `shared` has one entry a layer (none for encoder-decoder models, whose shared part arrives as the
    cross-attention's keys). `hidden` maps a layer's window to what of the shared part its rows may not see,
    (B, 1, 1, P) and True where hidden; None stands for nothing hidden. Its key None is layers without a window
    and cross-attention.
    """

    own: OwnCache
    rows: Rows
    shared: list[SharedKeys]
    hidden: dict[int | None, Tensor | None]


_SHARING: ContextVar[Sharing] = ContextVar("precis_sharing")


def shared_prefix_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    position_bias: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend from one new position per row; see `transformers.AttentionInterface` for the protocol.

    `query` (N, H, 1, D). In self-attention `key` and `value` are what `OwnCache.update` returned; in
    cross-attention they are (B, J, P, D), one copy per source. `softcap` (Gemma 2), `s_aux` (attention sinks) and
    `position_bias` (T5) are as in the stock implementations. Returns (N, 1, H, D).
    """
    sharing = _SHARING.get()
    if query.shape[2] != 1 or attention_mask is not None:
        raise CannotShare("the model gave a mask or several positions at once to a decoding step")
    if key is sharing.own.seen:
        shared = sharing.shared[sharing.own.layer] if sharing.shared else None
        hidden = sharing.hidden[sharing.own.windows[sharing.own.layer]]
        own = (key, value)
    elif key.shape[0] == sharing.rows.documents and not sharing.shared:
        shared, hidden, own = SharedKeys(key, value, key), sharing.hidden[None], None
    else:
        raise CannotShare("the model changes its cached keys before attending to them")

    heads, size = key.shape[1], query.shape[3]
    groups = query.shape[1] // heads
    query_NJGD = query.reshape(query.shape[0], heads, groups, size)
    scaling = size**-0.5 if scaling is None else scaling

    if shared is None:
        assert own is not None
        scores = torch.matmul(query_NJGD.to(key.dtype), key.transpose(-1, -2)).mul_(scaling)
        if position_bias is not None:
            scores = scores + position_bias.view(-1, heads, groups, scores.shape[-1])
        weights = _softmax(scores, softcap, s_aux)
        out = torch.matmul(weights.to(value.dtype), value)
        return out.to(query.dtype).reshape(query.shape[0], 1, heads * groups, -1), None

    scores = torch.matmul(sharing.rows.stack(query_NJGD), shared.keys_BJPD.transpose(-1, -2))
    if own is not None:
        own_scores = torch.matmul(query_NJGD.to(key.dtype), key.transpose(-1, -2))
        scores = torch.cat([scores, sharing.rows.stack(own_scores)], dim=-1)
    scores.mul_(scaling)
    if position_bias is not None:
        # Only encoder-decoder models have one, and the rows of a document share it.
        if own is not None or groups > 1:
            raise CannotShare("a position bias in decoder-only attention")
        scores = scores + position_bias
    width = shared.keys_BJPD.shape[2]
    weights = _softmax(scores, softcap, s_aux, hidden, width)
    out = torch.matmul(weights[..., :width].to(shared.values_BJPD.dtype), shared.values_BJPD)
    out = sharing.rows.unstack(out, groups)
    if own is not None:
        own_weights = sharing.rows.unstack(weights[..., width:], groups)
        out = out + torch.matmul(own_weights.to(value.dtype), value)
    return out.to(query.dtype).reshape(query.shape[0], 1, heads * groups, -1), None


def _softmax(
    scores_BJQS: Tensor, softcap: float | None, s_aux: Tensor | None, hidden: Tensor | None = None, width: int = 0
) -> Tensor:
    """Softmax over the last axis in at least float32; the first `width` columns are masked where `hidden`."""
    if softcap is not None:
        scores_BJQS = torch.tanh(scores_BJQS / softcap) * softcap
    if hidden is not None:
        scores_BJQS[..., :width].masked_fill_(hidden, float("-inf"))
    dtype = torch.float64 if scores_BJQS.dtype == torch.float64 else torch.float32
    if s_aux is None:
        return torch.softmax(scores_BJQS, dim=-1, dtype=dtype)
    # An attention sink is one more column that takes weight and gives no value.
    batch, heads, queries, _ = scores_BJQS.shape
    groups = s_aux.numel() // heads
    sink = s_aux.to(scores_BJQS.dtype).view(1, heads, 1, groups, 1)
    sink = sink.expand(batch, heads, queries // groups, groups, 1).reshape(batch, heads, queries, 1)
    return torch.softmax(torch.cat([scores_BJQS, sink], dim=-1), dim=-1, dtype=dtype)[..., :-1]


AttentionInterface.register(IMPLEMENTATION, shared_prefix_attention)


@contextlib.contextmanager
def decoding_attention(model: nn.Module, sharing: Sharing) -> Iterator[None]:
    """Within it, `model` attends through `shared_prefix_attention` with `sharing`. Not for two threads on one model.

    Models build no mask for an implementation that registers none, which also saves their mask code.
    """
    found: list[Any] = [getattr(module, "config", None) for module in model.modules()]
    configs = {id(config): config for config in found if hasattr(config, "_attn_implementation")}
    before = {name: config._attn_implementation for name, config in configs.items()}
    token = _SHARING.set(sharing)
    try:
        for config in configs.values():
            config._attn_implementation = IMPLEMENTATION
        yield
    finally:
        for name, config in configs.items():
            config._attn_implementation = before[name]
        _SHARING.reset(token)
