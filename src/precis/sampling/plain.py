"""The fallback for models that cannot share a prefix: `model.generate` with the same choices, one document at a time.

The cache is expanded to one copy per row, as generation usually does. One document at a time needs no padding,
which recurrent models could not skip. `generate` knows no diverse beam search, which is therefore our own here too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from .beam import beam_search
from .decoding import Decoding, Sample, choose, constrain, cut_at_stop
from .unshared import Unshared


class _Constrain(LogitsProcessor):
    """Bars what `constrain` bars; `prompt` positions of `input_ids` are not part of the candidate."""

    def __init__(self, decoding: Decoding, stop: Tensor, prompt: int):
        self.decoding, self.stop, self.prompt = decoding, stop, prompt

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return constrain(scores, input_ids[:, self.prompt :], self.decoding, self.stop)


class _Choose(_Constrain):
    """Makes `generate` take the token that `choose` chose: every other one is barred."""

    def __init__(self, decoding: Decoding, stop: Tensor, prompt: int, uniform_KT: Tensor | None):
        super().__init__(decoding, stop, prompt)
        self.uniform_KT = uniform_KT
        self.logps: list[Tensor] = []
        self.sampled: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        step = input_ids.shape[1] - self.prompt
        uniform = None if self.uniform_KT is None else self.uniform_KT[:, step]
        token, logp, sampled = choose(scores, super().__call__(input_ids, scores), uniform, self.decoding)
        self.logps.append(logp)
        self.sampled.append(logp if sampled is None else sampled)
        return torch.full_like(scores, float("-inf")).scatter_(1, token[:, None], 0.0)


def generate_plainly(
    model: Any,
    prefix: list[int],
    decoding: Decoding,
    uniform_KT: np.ndarray[Any, np.dtype[np.float64]] | None,
    rows: int,
    limit: int,
    stop_ids: frozenset[int],
    *,
    pad_id: int,
    start_id: int | None,
) -> list[Sample]:
    """`rows` continuations of one document (`num_beams` for beam search), as the shared engine would write them."""
    if decoding.kind == "diverse-beam":
        return beam_search(Unshared(model, prefix, rows, start_id), decoding, stop_ids, [limit])[0]
    device = next(model.parameters()).device
    stop = torch.tensor(sorted(stop_ids), device=device)
    prompt = len(prefix) if start_id is None else 1
    beams = decoding.num_beams if decoding.kind == "beam" else 1
    ids = torch.tensor([prefix] * (1 if beams > 1 else rows), device=device)
    config = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=limit,
        eos_token_id=sorted(stop_ids),
        pad_token_id=pad_id,
        decoder_start_token_id=start_id,
        do_sample=False,
        num_beams=beams,
        num_return_sequences=beams,
        length_penalty=decoding.length_penalty,
        early_stopping=decoding.early_stopping,
        return_dict_in_generate=True,
        output_scores=beams > 1,
    )
    chooser = _Choose(decoding, stop, prompt, None if uniform_KT is None else torch.from_numpy(uniform_KT).to(device))
    processor = _Constrain(decoding, stop, prompt) if beams > 1 else chooser
    with _own_generation_config(model, config):
        output = model.generate(
            ids, attention_mask=torch.ones_like(ids), generation_config=config,
            logits_processor=LogitsProcessorList([processor]),
        )  # fmt: skip
    written = output.sequences[:, prompt:].tolist()
    if beams > 1:
        logps = model.compute_transition_scores(output.sequences, output.scores, output.beam_indices).tolist()
        return [cut_at_stop(tokens, logp, None, stop_ids) for tokens, logp in zip(written, logps)]
    logps, sampled = torch.stack(chooser.logps, 1).tolist(), torch.stack(chooser.sampled, 1).tolist()
    return [
        cut_at_stop(tokens, logp, None if uniform_KT is None else drawn, stop_ids)
        for tokens, logp, drawn in zip(written, logps, sampled)
    ]


@contextlib.contextmanager
def _own_generation_config(model: Any, config: GenerationConfig) -> Iterator[None]:
    """A model folder's own defaults (a repetition penalty, forced tokens) would fill what `config` leaves open."""
    before, model.generation_config = model.generation_config, config
    try:
        yield
    finally:
        model.generation_config = before
