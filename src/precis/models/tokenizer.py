"""Tokenizers: loaded with the model they belong to, with a PAD of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from .files import readable
from .structure import unwrap

# Tokens that makers of models meant for padding, or reserved for such uses.
_PADS = ("<pad>", "[PAD]", "<|pad|>", "<|endoftext|>", "<|finetune_right_pad_id|>", "<|reserved_special_token_0|>")
_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model")


def load_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer of a model folder. Raises `UserError` if there is none or it cannot be read."""
    from transformers import AutoTokenizer

    if not any((folder / name).is_file() for name in _FILES):
        raise UserError(f"{folder} has no tokenizer (tokenizer.json); save the model's tokenizer into the same folder")
    tokenizer = readable(
        folder,
        lambda: AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=trust_remote_code),
    )
    if end_id(tokenizer) is None:
        raise UserError(f"the tokenizer in {folder} has no end-of-sequence token; set eos_token in its config")
    return tokenizer


def end_id(tokenizer: Any) -> int | None:
    """The token that ends a text: EOS or, for BERT-like tokenizers, which have none, SEP."""
    ids = (tokenizer.eos_token_id, tokenizer.sep_token_id)
    return next((int(i) for i in ids if i is not None), None)


def check_vocabulary(tokenizer: Any, model: Any, where: object) -> None:
    """Raise `UserError` if the tokenizer has ids that the model has no embedding for."""
    rows = unwrap(model).get_input_embeddings().weight.shape[0]
    token, highest = max(tokenizer.get_vocab().items(), key=lambda item: item[1])
    if highest >= rows:
        raise UserError(
            f"the tokenizer in {where} is not this model's: it has token {token!r} with id {highest}, and the model "
            f"has {rows} embeddings"
        )


def ensure_pad(tokenizer: Any, model: Any) -> None:
    """Give the tokenizer a PAD that is not the end token, and the model an embedding for it if it has none.

    A new embedding is the mean of the others, in the output layer too. Its logit is then the mean logit, so that
    by Jensen's inequality the PAD is given at most 1/V of the probability: log-probs move by less than 1/V.
    """
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == end_id(tokenizer):
        vocabulary = tokenizer.get_vocab()
        taken = {tokenizer.eos_token, tokenizer.bos_token, tokenizer.sep_token}
        pad = next((name for name in _PADS if name in vocabulary and name not in taken), "<pad>")
        tokenizer.add_special_tokens({"pad_token": pad})
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer.pad_token_id >= rows:
        _add_rows(model, tokenizer.pad_token_id + 1)
    for config in (model.config, getattr(model.config, "text_config", None), model.generation_config):
        if config is not None:
            config.pad_token_id = int(tokenizer.pad_token_id)
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [] if ends is None else [ends]
    end = end_id(tokenizer)
    if end not in ends:
        model.generation_config.eos_token_id = [end, *ends] if ends else end


@torch.no_grad()
def _add_rows(model: Any, rows: int) -> None:
    halves = [model.encoder, model.decoder] if model.config.model_type == "encoder-decoder" else [model]
    for half in halves:
        before = half.get_input_embeddings().weight.shape[0]
        half.resize_token_embeddings(rows, mean_resizing=False)
        tables = [layer for layer in (half.get_input_embeddings(), half.get_output_embeddings()) if layer is not None]
        for values in [table.weight for table in tables] + [
            table.bias for table in tables if getattr(table, "bias", None) is not None
        ]:
            values[before:] = values[:before].mean(dim=0)
    if halves[0] is not model:
        model.config.encoder.vocab_size = model.config.decoder.vocab_size = rows
