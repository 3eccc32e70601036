"""What is measured on: the shape of a Llama with random weights, and the lengths of what it reads and writes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from transformers import LlamaConfig


@dataclass(frozen=True)
class Size:
    """A Llama's shape, and how many tokens a document and a summary have. By default 30M parameters."""

    hidden_size: int = 512
    intermediate_size: int = 1408
    num_hidden_layers: int = 8
    num_attention_heads: int = 8
    num_key_value_heads: int = 8
    vocab_size: int = 8192
    document: int = 512
    summary: int = 48

    def llama(self, **settings: Any) -> LlamaConfig:
        shape = asdict(self)
        positions = max(1024, shape.pop("document") + shape.pop("summary"))
        ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
        return LlamaConfig(**shape, **ids, max_position_embeddings=positions, **settings)


SMALL = Size()
SIZES = {
    "tiny": Size(64, 96, 2, 4, 2, 512, summary=8),
    "small": SMALL,
    # The shape of Llama 3.2 1B: 1.24 billion parameters.
    "1b": Size(2048, 8192, 16, 32, 8, 128_256),
}
