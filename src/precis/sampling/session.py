"""One batch of documents being continued: prefill once, then one new position per live row and step.

A document's prefix is computed once, without its last token; that token (for encoder-decoder models the decoder's
start token) is what every row feeds in the first step, so that prefill needs no logits at all and the language
model head runs on one position per live row only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache
from transformers.cache_utils import Cache, DynamicLayer, DynamicSlidingWindowLayer
from transformers.modeling_outputs import BaseModelOutput

from ..models.structure import encoder_of, trunk_of
from .attention import CannotShare, OwnCache, Rows, SharedKeys, Sharing

# Tokens (padding counted) of one prefill forward: enough to fill the processor; more would only leave its caches.
PREFILL_TOKENS = {"cpu": 1024}
PREFILL_TOKENS_ELSEWHERE = 16384


def layer_windows(model: Any) -> list[int | None]:
    """Each decoder layer's sliding window (None: sees everything). Raises `CannotShare` for other kinds of layer."""
    config = model.config.get_text_config(decoder=True)
    if getattr(model, "_is_stateful", False):
        raise CannotShare(f"{type(model).__name__} carries a state from token to token")
    if "chunked_attention" in (getattr(config, "layer_types", None) or ()):
        raise CannotShare("a layer attends in chunks")
    windows: list[int | None] = []
    for layer in DynamicCache(config=config).layers:
        if type(layer) is DynamicSlidingWindowLayer:
            windows.append(layer.sliding_window)
        elif type(layer) is DynamicLayer:
            windows.append(None)
        else:
            raise CannotShare(f"a layer keeps a {type(layer).__name__}, not keys and values of every position")
    # Some encoder-decoder configurations count the encoder's layers there; their decoders have no windows.
    layers = max(getattr(config, name, None) or 0 for name in ("num_decoder_layers", "decoder_layers"))
    return windows + [None] * (layers - len(windows))


class _PrefixCapture(Cache):
    """Stands in for the cache during prefill and copies what the layers compute into the shared tensors."""

    def __init__(self, windows: Sequence[int | None], lengths_B: Sequence[int], device: torch.device):
        super().__init__(layers=[])
        self.windows, self.lengths = windows, lengths_B
        self.shared: list[SharedKeys | None] = [None] * len(windows)
        self.device = device
        self.start = 0

    def first(self, layer: int) -> list[int]:
        """The first position of each document that any continuation can still see."""
        window = self.windows[layer]
        return [0 if window is None else max(0, length - (window - 1)) for length in self.lengths]

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        first = self.first(layer_idx)
        shared = self.shared[layer_idx]
        if shared is None:
            width = max(length - begin for length, begin in zip(self.lengths, first))

            def empty(states: Tensor) -> Tensor:
                return states.new_empty(len(self.lengths), states.shape[1], width, states.shape[3])

            shared = SharedKeys(empty(key_states), empty(value_states), torch.tensor(first, device=self.device))
            self.shared[layer_idx] = shared
        for place in range(key_states.shape[0]):
            document = self.start + place
            begin, end = first[document], self.lengths[document]
            for kept_BJPD, states in ((shared.keys_BJPD, key_states), (shared.values_BJPD, value_states)):
                kept_BJPD[document, :, : end - begin] = states[place, :, begin:end]
                # Masked, but 0 · NaN would still be NaN.
                kept_BJPD[document, :, end - begin :] = 0
        return key_states, value_states

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return 0

    def get_query_offset(self, layer_idx: int = 0) -> int:
        return 0

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        return query_length, 0

    def __len__(self) -> int:
        return len(self.windows)


def pad_right(sequences: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> Tensor:
    """Sequences of ids as one (B, T) tensor."""
    width = max(map(len, sequences))
    return torch.tensor([[*ids, *[pad_id] * (width - len(ids))] for ids in sequences], device=device)


class Session:
    """`document_N` (ascending) says which prefix each row continues; `capacity` is the most steps there will be.

    Use within `decoding_attention(model, session.sharing)`; `step` gives logits, `keep` retires or reorders rows.
    """

    def __init__(
        self,
        model: Any,
        prefixes: Sequence[Sequence[int]],
        document_N: Sequence[int],
        capacity: int,
        *,
        pad_id: int,
        start_id: int | None,
    ):
        self.model, self.device = model, next(model.parameters()).device
        self.windows = layer_windows(model)
        self.prefill_tokens = PREFILL_TOKENS.get(self.device.type, PREFILL_TOKENS_ELSEWHERE)
        rows = Rows(document_N, self.device)
        own = OwnCache(self.windows, len(document_N), capacity)
        shared: list[SharedKeys] = []
        self.cross: DynamicCache | None = None
        if start_id is not None:
            self.lengths = [len(prefix) for prefix in prefixes]
            self.encoded_BPD = self._encode(prefixes, pad_id)
            self.cross = DynamicCache()
            self.cache: Cache = EncoderDecoderCache(own, self.cross)
            self.first_tokens_N = torch.full((len(document_N),), start_id, device=self.device)
        else:
            self.lengths = [len(prefix) - 1 for prefix in prefixes]
            shared = self._prefill(prefixes, pad_id) if max(self.lengths) else []
            self.cache = own
            last = torch.tensor([prefix[-1] for prefix in prefixes], device=self.device)
            self.first_tokens_N = last[rows.document_N]
        self.sharing = Sharing(own, rows, shared, {})
        self._place()

    @property
    def rows(self) -> int:
        return self.sharing.own.rows

    def _prefill(self, prefixes: Sequence[Sequence[int]], pad_id: int) -> list[SharedKeys]:
        """Padding on the right needs no mask: attention is causal, so nothing before it can see it."""
        capture = _PrefixCapture(self.windows, self.lengths, self.device)
        trunk = trunk_of(self.model)
        bodies = [prefix[:-1] or [pad_id] for prefix in prefixes]
        for start, stop in _chunks(bodies, self.prefill_tokens):
            ids_BP = pad_right(bodies[start:stop], pad_id, self.device)
            capture.start = start
            positions = torch.arange(ids_BP.shape[1], device=self.device).expand_as(ids_BP)
            trunk(input_ids=ids_BP, position_ids=positions, past_key_values=capture, use_cache=True)
        shared = [layer for layer in capture.shared if layer is not None]
        if len(shared) != len(self.windows):
            raise CannotShare("some layers keep no keys and values")
        return shared

    def _encode(self, prefixes: Sequence[Sequence[int]], pad_id: int) -> Tensor:
        encoder = encoder_of(self.model)
        width = max(self.lengths)
        states: list[Tensor] = []
        for start, stop in _chunks(prefixes, self.prefill_tokens):
            chunk = prefixes[start:stop]
            ids_BP = pad_right(chunk, pad_id, self.device)
            lengths_B = torch.tensor([len(prefix) for prefix in chunk], device=self.device)
            even = len(set(map(len, chunk))) == 1
            mask = None if even else torch.arange(ids_BP.shape[1], device=self.device) < lengths_B[:, None]
            hidden = encoder(input_ids=ids_BP, attention_mask=mask).last_hidden_state
            states.append(nn.functional.pad(hidden, (0, 0, 0, width - hidden.shape[1])))
        return torch.cat(states)

    def _place(self) -> None:
        """What follows from which documents are live: positions and the mask over padding, as wide as the longest."""
        lengths_B = torch.tensor(self.lengths, device=self.device)
        self.lengths_B = lengths_B
        self.lengths_N = lengths_B[self.sharing.rows.document_N]
        self.padding = self._hidden(lengths_B, max(self.lengths)) if len(set(self.lengths)) > 1 else None

    def _hidden(self, visible_B: Tensor, width: int) -> Tensor:
        return (torch.arange(width, device=self.device) >= visible_B[:, None])[:, None, None, :]

    def _hidden_by_window(self, layer: int, window: int) -> Tensor | None:
        """In a sliding-window layer: padding, and the positions that the window has left behind.

        The row at position p sees positions above p - window, whatever their place in the cache.
        """
        shared, step = self.sharing.shared[layer], self.sharing.own.length
        width = shared.keys_BJPD.shape[2]
        if len(set(self.lengths)) == 1 and self.lengths[0] + step < window:
            return None
        position_BP = shared.first_B[:, None] + torch.arange(width, device=self.device)
        hidden = (position_BP >= self.lengths_B[:, None]) | (position_BP <= self.lengths_B[:, None] + (step - window))
        return hidden[:, None, None, :]

    def step(self, tokens_N: Tensor) -> Tensor:
        """Feed one token per row; returns the logits (N, V) of the next, in the model's dtype."""
        own, sharing = self.sharing.own, self.sharing
        sharing.hidden = {None: self.padding}
        for layer, window in enumerate(self.windows):
            if window is not None and window not in sharing.hidden:
                sharing.hidden[window] = self._hidden_by_window(layer, window) if sharing.shared else None
        inputs: dict[str, Any] = {"past_key_values": self.cache, "use_cache": True}
        if self.cross is not None:
            encoded = BaseModelOutput(last_hidden_state=self.encoded_BPD)
            inputs |= {"decoder_input_ids": tokens_N[:, None], "encoder_outputs": encoded}
        else:
            inputs |= {"input_ids": tokens_N[:, None], "position_ids": (self.lengths_N + own.length)[:, None]}
        logits = self.model(**inputs).logits[:, -1]
        own.length += 1
        return logits  # type: ignore[no-any-return]

    def keep(self, rows: Sequence[int]) -> None:
        """Keep these rows (ascending by document; repeats allowed) and free the documents left without one."""
        sharing = self.sharing
        old_N = [int(document) for document in sharing.rows.document_N.tolist()]
        documents = sorted({old_N[row] for row in rows})
        sharing.own.keep(torch.tensor(rows, device=self.device))
        sharing.rows = Rows([documents.index(old_N[row]) for row in rows], self.device)
        if len(documents) < len(self.lengths):
            self.lengths = [self.lengths[document] for document in documents]
            kept_B = torch.tensor(documents, device=self.device)
            for shared in sharing.shared:
                first = shared.first_B = shared.first_B.index_select(0, kept_B)
                width = max(length - begin for length, begin in zip(self.lengths, first.tolist()))
                shared.keys_BJPD = shared.keys_BJPD[:, :, :width].index_select(0, kept_B)
                shared.values_BJPD = shared.values_BJPD[:, :, :width].index_select(0, kept_B)
            if self.cross is not None:
                width = max(self.lengths)
                self.encoded_BPD = self.encoded_BPD[:, :width].index_select(0, kept_B)
                layer: Any
                for layer in self.cross.layers:
                    layer.keys = layer.keys[:, :, :width].index_select(0, kept_B)
                    layer.values = layer.values[:, :, :width].index_select(0, kept_B)
        self._place()


def _chunks(sequences: Sequence[Sequence[int]], budget: int) -> list[tuple[int, int]]:
    """Consecutive (start, stop) whose padded size stays within `budget` tokens (or is a single sequence)."""
    chunks, start, width = [], 0, 0
    for index, sequence in enumerate(sequences):
        width = max(width, len(sequence))
        if index > start and width * (index - start + 1) > budget:
            chunks.append((start, index))
            start, width = index, len(sequence)
    return [*chunks, (start, len(sequences))]
