"""A reranker that reads document and summary apart: a summary's score is the cosine of the two encodings.

SimCLS (Liu & Liu 2021, arXiv 2106.01890, §2.2) takes the first token's state of a pretrained encoder; models made to
compare sentences are read by their mean. Saved as the encoder's own folder, with a file that says how it is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..render.renderer import conventional_specials
from .files import atomic_folder, fingerprint_of, model_folder, quiet, read_json
from .policy import load_weights, target_device
from .structure import max_positions
from .tokenizer import check_vocabulary, load_tokenizer

METADATA = "precis_reranker.json"
Pool = Literal["first token", "mean"]


class Reranker(nn.Module):
    """`encode` makes unit vectors; `start_id` is put before a summary, whose own ids end with the end token."""

    def __init__(self, encoder: nn.Module, start_id: int, pool: Pool = "first token"):
        super().__init__()
        self.encoder, self.start_id, self.pool = encoder, start_id, pool

    def encode(self, rows: Sequence[Sequence[int]], pad_id: int) -> Tensor:
        """A vector of length 1 for each row of token ids, [N, D], in float32 at least."""
        device, longest = next(self.parameters()).device, max(map(len, rows))
        ids_NT = torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows], device=device)
        lengths_N = torch.tensor([len(row) for row in rows], device=device)
        mask_NT = torch.arange(longest, device=device) < lengths_N[:, None]
        hidden_NTD = self.encoder(input_ids=ids_NT, attention_mask=mask_NT.long()).last_hidden_state
        hidden_NTD = hidden_NTD.to(torch.promote_types(hidden_NTD.dtype, torch.float32))
        if self.pool == "first token":
            read_ND = hidden_NTD[:, 0]
        else:
            read_ND = torch.where(mask_NT[:, :, None], hidden_NTD, 0.0).sum(1) / lengths_N[:, None]
        return nn.functional.normalize(read_ND, dim=-1)


@dataclass
class LoadedReranker:
    """A reranker with the tokenizer that it reads with. `fingerprint` names configuration and weights."""

    model: Reranker
    tokenizer: Any
    fingerprint: str
    path: Path

    @property
    def pad_id(self) -> int:
        return int(self.tokenizer.pad_token_id)

    @property
    def max_positions(self) -> int | None:
        """Tokens of a document that fit."""
        return max_positions(self.model.encoder.config)


def load_reranker(path: Path | str, *, pool: Pool | None = None, device: str | torch.device = "auto") -> LoadedReranker:
    """A saved reranker, or one that starts from anyone's BERT-like encoder, read as `pool` says, or at the first token.

    Raises `UserError` as `load_policy` does, for a model that is no encoder with CLS and PAD tokens, and for a saved
    reranker that is read in another way than `pool`.
    """
    from transformers import AutoModel

    folder = model_folder(path)
    config = read_json(folder, "config.json") or {}
    if config.get("is_encoder_decoder") or config.get("is_decoder"):
        raise UserError(f"{path} is not an encoder, which a reranker is ({config.get('model_type')})")
    tokenizer = load_tokenizer(folder)
    start, pad = tokenizer.cls_token_id, tokenizer.pad_token_id
    ends = tokenizer.eos_token_id is not None or bool(conventional_specials(tokenizer)[1])
    missing = "CLS" if start is None else "PAD" if pad is None else "" if ends else "closing"
    if missing:
        raise UserError(f"the tokenizer in {folder} has no {missing} token; it does not belong to a BERT-like encoder")
    encoder = load_weights(AutoModel, folder, torch.float32)
    check_vocabulary(tokenizer, encoder, folder)
    read = (read_json(folder, METADATA) or {}).get("pool", pool or "first token")
    if read not in get_args(Pool):
        raise UserError(f"{folder / METADATA} says that encodings are read by {read!r}, which is not known")
    if pool not in (None, read):
        raise UserError(f"the reranker in {folder} reads encodings by {read!r}, and {pool!r} is asked for")
    model = Reranker(encoder, int(start), read).to(target_device(device))
    return LoadedReranker(model.eval(), tokenizer, fingerprint_of(folder), folder)


def save_reranker(
    model: Reranker, tokenizer: Any, folder: Path | str, *, beside: Callable[[Path], None] | None = None
) -> Path:
    """Write the reranker, whole or not at all; `beside` may write more files before the folder appears."""
    target, encoder = Path(folder), model.encoder
    with atomic_folder(target) as partial, quiet():
        encoder.save_pretrained(str(partial))  # type: ignore[operator]
        tokenizer.save_pretrained(str(partial))
        (partial / METADATA).write_text(json.dumps({"format": 1, "pool": model.pool}, indent=2) + "\n", "utf-8")
        if beside is not None:
            beside(partial)
    return target
