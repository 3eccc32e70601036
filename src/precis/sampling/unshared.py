"""The rows of one document for a search by a model that cannot share it: each row has a copy of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache
from transformers.modeling_outputs import BaseModelOutput

from ..models.structure import encoder_of


class Unshared:
    """`rows` rows that continue `prefix`; `start_id` is an encoder-decoder's start token. Fits `beam.RowsLike`.

    Keys and values are cached where the model gives a cache of nothing else. A model that carries a state, or whose
    adapter tunes the prompt, reads each whole text anew at every step: slow, and right for every architecture.
    """

    def __init__(self, model: Any, prefix: Sequence[int], rows: int, start_id: int | None):
        self.model, self.device = model, next(model.parameters()).device
        self.caches = not getattr(model, "_is_stateful", False) and not hasattr(model, "get_base_model")
        self.cache: Cache | None = None
        prefix_1P = torch.tensor([prefix], device=self.device)
        self.name, self.source = "input_ids", dict[str, Tensor]()
        read_1T = prefix_1P
        if start_id is not None:
            self.name, read_1T = "decoder_input_ids", torch.tensor([[start_id]], device=self.device)
            self.source = {"input_ids": prefix_1P}
            if self.caches:
                self.source = {"encoder_outputs": encoder_of(model)(input_ids=prefix_1P).last_hidden_state}
        # All that the rows read before the next step; its first token comes with that step.
        self.read_NT = read_1T[:, :-1].repeat(rows, 1)
        self.first_tokens_N = read_1T[:, -1].repeat(rows)

    def step(self, tokens_N: Tensor) -> Tensor:
        """Feed one token per row; returns the logits (N, V) of the next."""
        self.read_NT = torch.cat([self.read_NT, tokens_N[:, None]], dim=1)
        inputs: dict[str, Any] = {name: x.expand(len(tokens_N), *x.shape[1:]) for name, x in self.source.items()}
        if "encoder_outputs" in inputs:
            inputs["encoder_outputs"] = BaseModelOutput(last_hidden_state=inputs["encoder_outputs"])
        inputs[self.name] = self.read_NT
        if self.cache is not None:
            inputs |= {self.name: tokens_N[:, None], "past_key_values": self.cache}
        output = self.model(**inputs, use_cache=self.caches)
        if self.caches:
            given = getattr(output, "past_key_values", None)
            self.cache = given if isinstance(given, Cache) else None
        return output.logits[:, -1]  # type: ignore[no-any-return]

    def keep(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may appear more than once."""
        rows_N = torch.tensor(rows, device=self.device)
        self.read_NT = self.read_NT[rows_N]
        if self.cache is not None:
            self.cache.reorder_cache(rows_N)  # type: ignore[arg-type]
