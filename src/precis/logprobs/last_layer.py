"""The last layer's feed-forward half, on the positions whose hidden states are wanted and no others.

No later layer reads the others. With one summary a document most positions are the document's, so that in a model
of few layers this is a tenth of the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from ..models.structure import recomputes

# Layers that are: norm, attention, residual; norm, feed-forward, residual; and nothing else.
_PLAIN_LAYERS = ("LlamaDecoderLayer", "MistralDecoderLayer", "Qwen2DecoderLayer", "Qwen3DecoderLayer")


def can_shorten(trunk: Any) -> bool:
    """Whether the model ends in a plain layer and a norm."""
    layers: Any = getattr(trunk, "layers", None) or [None]
    return type(layers[-1]).__name__ in _PLAIN_LAYERS and not recomputes(trunk)


@contextmanager
def shortened(trunk: Any, keep_M: Tensor) -> Iterator[None]:
    """While this holds, the model returns the hidden states [1, M, D] of these places of its one row."""
    layer = trunk.layers[-1]

    def forward(hidden_1TD: Tensor, **kwargs: Any) -> Tensor:
        attended_1TD = layer.self_attn(hidden_states=layer.input_layernorm(hidden_1TD), **kwargs)[0]
        hidden_1MD: Tensor = (hidden_1TD + attended_1TD).index_select(1, keep_M)
        fed_1MD: Tensor = layer.mlp(layer.post_attention_layernorm(hidden_1MD))
        return hidden_1MD + fed_1MD

    layer.forward = forward
    try:
        yield
    finally:
        del layer.forward
