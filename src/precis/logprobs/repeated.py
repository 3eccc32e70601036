"""The definition: one right-padded row per candidate, prefix and all, by the model's own forward pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..models.structure import decoder_start_id, is_encoder_decoder, trunk_of, unwrap
from .lm_head import decode, encode
from .scored import Batch, States, Wanted

# Padded tokens in one forward pass.
BATCH_TOKENS = 16384


def repeated_states(
    model: nn.Module, batch: Batch, wanted: Wanted, token_budget: int | None, *, pad_id: int, logits: bool = False
) -> States:
    """The states that predict each continuation token; with `logits`, the model's own logits in their place."""
    states = States()
    rows = [(group, k) for group, item in enumerate(batch.groups) for k in range(len(item.continuations))]
    sizes = {row: _row_length(batch, *row) for row in rows}
    # Rows of like length are padded least.
    rows.sort(key=lambda row: sizes[row])
    start = 0
    for end in range(1, len(rows) + 1):
        full = end < len(rows) and (end + 1 - start) * sizes[rows[end]] > (token_budget or BATCH_TOKENS)
        if full or end == len(rows):
            chunk = rows[start:end]
            if is_encoder_decoder(model):
                hidden_NTD, first = _encoder_decoder(model, batch, chunk, pad_id, logits)
            else:
                hidden_NTD, first = _decoder_only(model, batch, chunk, pad_id, logits)
            _collect(states, batch, chunk, hidden_NTD, first, wanted)
            states.tokens_forwarded += sum(sizes[row] for row in chunk)
            start = end
    return states


def _row_length(batch: Batch, group: int, candidate: int) -> int:
    item = batch.groups[group]
    return len(item.prefix_ids) + len(item.continuations[candidate])


def _padded(rows: list[list[int]], pad_id: int, device: torch.device) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows], device=device)


def _decoder_only(
    model: nn.Module, batch: Batch, chunk: list[tuple[int, int]], pad_id: int, logits: bool
) -> tuple[Tensor, list[int]]:
    groups = batch.groups
    ids = _padded([[*groups[g].prefix_ids, *groups[g].continuations[k]] for g, k in chunk], pad_id, batch.device)
    # Padding is on the right, where a causal model's real tokens never look: no mask is needed for it.
    first = [len(groups[g].prefix_ids) - 1 for g, _ in chunk]
    if logits:
        return unwrap(model)(input_ids=ids, use_cache=False).logits, first
    return trunk_of(model)(input_ids=ids, use_cache=False).last_hidden_state, first


def _encoder_decoder(
    model: nn.Module, batch: Batch, chunk: list[tuple[int, int]], pad_id: int, logits: bool
) -> tuple[Tensor, list[int]]:
    groups = batch.groups
    sources = [list(groups[g].prefix_ids) for g, _ in chunk]
    ids = _padded(sources, pad_id, batch.device)
    mask = torch.tensor([[place < len(row) for place in range(ids.shape[1])] for row in sources], device=batch.device)
    start = decoder_start_id(model)
    decoder_ids = _padded([[start, *groups[g].continuations[k]] for g, k in chunk], pad_id, batch.device)
    first = [0] * len(chunk)
    if logits:
        return unwrap(model)(
            input_ids=ids, attention_mask=mask.long(), decoder_input_ids=decoder_ids, use_cache=False
        ).logits, first
    mask_BS = mask.long()
    return decode(model, decoder_ids, encode(model, ids, mask_BS), mask_BS), first


def _collect(
    states: States,
    batch: Batch,
    chunk: list[tuple[int, int]],
    hidden_NTD: Tensor,
    first: list[int],
    wanted: Wanted,
) -> None:
    candidates, width = batch.shape_BKT[1], hidden_NTD.shape[1]
    predict, last, prefix = [], [], []
    for row, ((group, k), start) in enumerate(zip(chunk, first)):
        length, place = len(batch.groups[group].continuations[k]), row * width + start
        predict.append(torch.arange(place, place + length))
        last.append(place + length)
        if wanted.predictions:
            states.slots_N.append(batch.slots(group, k))
        if wanted.last:
            states.last_slots_M.append(torch.tensor([group * candidates + k]))
        if wanted.prefix and k == 0:
            prefix.append(torch.arange(row * width, place))
            states.prefix_slots_N.append(torch.arange(1, start + 1) + group * batch.longest_prefix)
    flat_ND = hidden_NTD.flatten(0, 1)

    def pick(where: Tensor) -> Tensor:
        # One gather for all rows: the backward pass of many slices would make a whole gradient for each.
        return flat_ND.index_select(0, where.to(flat_ND.device))

    if wanted.predictions:
        states.predict_ND.append(pick(torch.cat(predict)))
    if wanted.last:
        states.last_MD.append(pick(torch.tensor(last)))
    if prefix:
        states.prefix_ND.append(pick(torch.cat(prefix)))
