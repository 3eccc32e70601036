"""Decoder-only models: one row holds a source's prefix once and all its candidates; rows hold several sources."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..models.structure import trunk_of
from .attention import attention_of
from .last_layer import can_shorten, shortened
from .layout import Layout, LayoutNotSupported, Span, mask_carrying
from .scored import Batch, States, Wanted
from .support import attention_configs, kernel, windows

# Tokens in one row. A CPU is faster on what fits its caches; a GPU needs more work at a time.
ROW_TOKENS = {"cpu": 2048, "cuda": 16384}
# A dense mask costs the square of the row.
_DENSE_ROW_TOKENS = 4096


def packed_states(model: nn.Module, batch: Batch, wanted: Wanted, token_budget: int | None) -> States:
    """The hidden states that predict each continuation token, from rows in which each prefix appears once."""
    trunk = trunk_of(model)
    how = kernel(model)
    budget = token_budget or ROW_TOKENS.get(batch.device.type, 16384)
    if how == "mask":
        budget = min(budget, _DENSE_ROW_TOKENS)
    states = States()
    for row in bins([stream_length(batch, group, wanted) for group in range(len(batch.groups))], budget):
        layout = Layout(_spans(batch, row, wanted), batch.device)
        ids_T = torch.tensor([i for group in row for i in _stream(batch, group, wanted)], device=batch.device)
        picks = Picks.of(batch, row, layout.spans, wanted)
        picks.give(states, run_row(trunk, ids_T, layout, picks.places_M, dense=how == "mask"))
        states.tokens_forwarded += len(ids_T)
    return states


def bins(sizes: Sequence[int], budget: int) -> list[list[int]]:
    """First-fit decreasing: which items share a row of at most `budget`; one larger than that has its own row."""
    rows: list[list[int]] = []
    room: list[int] = []
    for item in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        for number, left in enumerate(room):
            if sizes[item] <= left:
                rows[number].append(item)
                room[number] -= sizes[item]
                break
        else:
            rows.append([item])
            room.append(budget - sizes[item])
    return rows


def forwarded(continuation: Sequence[int], wanted: Wanted) -> Sequence[int]:
    """What of a continuation goes through the model: not its last token, which predicts nothing that is asked."""
    return continuation if wanted.last else continuation[:-1]


def stream_length(batch: Batch, group: int, wanted: Wanted) -> int:
    item = batch.groups[group]
    return len(item.prefix_ids) + sum(len(forwarded(c, wanted)) for c in item.continuations)


def _stream(batch: Batch, group: int, wanted: Wanted) -> list[int]:
    item = batch.groups[group]
    return [*item.prefix_ids, *(i for c in item.continuations for i in forwarded(c, wanted))]


def _spans(batch: Batch, row: Sequence[int], wanted: Wanted) -> list[Span]:
    spans, start = [], 0
    for group in row:
        item = batch.groups[group]
        lengths = tuple(len(forwarded(c, wanted)) for c in item.continuations)
        spans.append(Span(start, len(item.prefix_ids), tuple(length for length in lengths if length)))
        start = spans[-1].end
    return spans


def run_row(trunk: Any, ids_T: Tensor, layout: Layout, places_M: Tensor | None, *, dense: bool) -> Tensor:
    """One row through the model: the last hidden states at these places [M, D], or at all [T, D]."""
    dtype = trunk.dtype if isinstance(trunk.dtype, torch.dtype) else torch.float32
    window = windows(trunk)

    def mask(width: int | None) -> Tensor:
        if not dense:
            return mask_carrying(layout, width, dtype)
        every = slice(None)
        return layout.additive(("dense", width), dtype, lambda: layout.visible(every, every, width))[None, None]

    masks = {name: mask(width) for name, width in window.items()} if isinstance(window, dict) else mask(window)
    short = places_M is not None and can_shorten(trunk)
    with ExitStack() as stack:
        if not dense:
            stack.enter_context(attention_of(attention_configs(trunk)))
        if short:
            stack.enter_context(shortened(trunk, places_M.to(ids_T.device)))  # type: ignore[union-attr]
        hidden: Tensor = trunk(
            input_ids=ids_T[None], position_ids=layout.positions_T[None], attention_mask=masks, use_cache=False
        ).last_hidden_state[0]
    if not dense and layout.calls == 0:
        raise LayoutNotSupported("its attention layers do not use transformers' attention interface")
    return hidden if short or places_M is None else hidden.index_select(0, places_M.to(hidden.device))


@dataclass
class Picks:
    """Which of a row's hidden states are wanted, in the order: predictions, last tokens, prefix."""

    places_M: Tensor
    counts: list[int]
    slots_N: list[Tensor]
    last_slots_M: list[Tensor]
    prefix_slots_N: list[Tensor]

    @classmethod
    def of(
        cls,
        batch: Batch,
        row: Sequence[int],
        spans: Sequence[Span],
        wanted: Wanted,
        *,
        firsts: Sequence[int] | None = None,
        offset: int = 0,
    ) -> Picks:
        """`firsts` say where each source's last prefix token is, if not right before its candidates; `offset` is
        where the row begins in the hidden states."""
        candidates, longest = batch.shape_BKT[1], batch.longest_prefix
        predict: list[Tensor] = []
        last: list[Tensor] = []
        prefix: list[Tensor] = []
        slots: list[Tensor] = []
        last_slots: list[Tensor] = []
        prefix_slots: list[Tensor] = []
        for index, (group, span) in enumerate(zip(row, spans)):
            place = span.candidates + offset
            before = place - 1 if firsts is None else firsts[index]
            if wanted.prefix:
                prefix.append(torch.arange(span.start, span.candidates - 1))
                prefix_slots.append(torch.arange(1, span.prefix) + group * longest)
            for number, continuation in enumerate(batch.groups[group].continuations):
                length = len(forwarded(continuation, wanted))
                # The prefix's last token predicts the first token of every candidate.
                predict.append(torch.tensor([before]))
                predict.append(torch.arange(place, place + len(continuation) - 1))
                slots.append(batch.slots(group, number))
                last.append(torch.tensor([place + length - 1]))
                last_slots.append(torch.tensor([group * candidates + number]))
                place += length
        asked = [(predict, wanted.predictions), (last, wanted.last), (prefix, wanted.prefix)]
        places = [torch.cat(where) for where, wants in asked if wants]
        return cls(
            torch.cat(places),
            [sum(map(len, where)) if wants else 0 for where, wants in asked],
            slots,
            last_slots,
            prefix_slots,
        )

    def give(self, states: States, hidden_MD: Tensor) -> None:
        """Add the picked hidden states to `states`, with the places they belong to."""
        predict, last, prefix = torch.split(hidden_MD, self.counts)
        if self.counts[0]:
            states.predict_ND.append(predict)
            states.slots_N += self.slots_N
        if self.counts[1]:
            states.last_MD.append(last)
            states.last_slots_M += self.last_slots_M
        if self.counts[2]:
            states.prefix_ND.append(prefix)
            states.prefix_slots_N += self.prefix_slots_N
