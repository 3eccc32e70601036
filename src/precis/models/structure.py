"""What the parts of a Hugging Face text model are called: the trunk, encoder and decoder, their limits.

Everything that must know how `transformers` and `peft` nest their modules is here, so that scoring, sampling
and the heads agree on it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from ..errors import UserError


def unwrap(model: nn.Module) -> Any:
    """The `transformers` model inside wrappers: DDP, `torch.compile` and a `PeftModel` (its LoRA layers stay)."""
    inner: Any = model
    while True:
        if hasattr(inner, "_orig_mod"):
            inner = inner._orig_mod
        elif type(inner).__name__ in ("DistributedDataParallel", "DataParallel"):
            inner = inner.module
        elif hasattr(inner, "peft_config") and hasattr(inner, "get_base_model"):
            inner = inner.get_base_model()
        else:
            return inner


def is_encoder_decoder(model: nn.Module) -> bool:
    """Whether the model reads with an encoder and writes with a decoder."""
    return bool(unwrap(model).config.is_encoder_decoder)


def trunk_of(model: nn.Module) -> Any:
    """A decoder-only model without its LM head: token ids in, `last_hidden_state` out."""
    inner = unwrap(model)
    return getattr(inner, inner.base_model_prefix, inner)


def encoder_of(model: nn.Module) -> Any:
    """The encoder of an encoder-decoder."""
    return _seq2seq_trunk(model).encoder


def decoder_of(model: nn.Module) -> Any:
    """The decoder of an encoder-decoder, without its LM head."""
    decoder = _seq2seq_trunk(model).decoder
    # In an EncoderDecoderModel the decoder is a whole causal model; elsewhere the prefix names nothing in it.
    return getattr(decoder, decoder.base_model_prefix, decoder)


def _seq2seq_trunk(model: nn.Module) -> Any:
    inner = unwrap(model)
    whole = hasattr(inner, "encoder") and hasattr(inner, "decoder")
    return inner if whole else getattr(inner, inner.base_model_prefix)


def decoder_start_id(model: nn.Module) -> int:
    """The token that an encoder-decoder's decoder reads first."""
    inner = unwrap(model)
    for config in (inner.config, getattr(inner, "generation_config", None), getattr(inner.config, "decoder", None)):
        start = getattr(config, "decoder_start_token_id", None)
        if start is not None:
            return int(start)
    raise UserError("this encoder-decoder's config has no decoder_start_token_id; set it in config.json")


def max_positions(config: Any) -> int | None:
    """How many tokens the positions of a model (or of one half of it) reach; None where they are relative."""
    if hasattr(config, "get_text_config"):
        config = config.get_text_config()
    if hasattr(config, "relative_attention_num_buckets"):
        return None
    for name in ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length"):
        limit = getattr(config, name, None)
        if isinstance(limit, int) and limit > 0:
            # RoBERTa's positions start after its padding index, inside the same table.
            offset = (config.pad_token_id or 0) + 1 if config.model_type in ROBERTA_LIKE else 0
            return limit - offset
    return None


ROBERTA_LIKE = (
    "roberta",
    "xlm-roberta",
    "xlm-roberta-xl",
    "camembert",
    "roberta-prelayernorm",
    "xmod",
    "data2vec-text",
)


def takes(module: nn.Module, argument: str) -> bool:
    """Whether `module.forward` names this argument."""
    return argument in inspect.signature(module.forward).parameters


def freeze_unused(model: nn.Module) -> None:
    """Mark weights that no score depends on as not to be trained: a BERT-like encoder's pooler.

    Otherwise optimizers would decay them, and DDP would wait for their gradients.
    """
    for name, parameter in model.named_parameters():
        if ".pooler." in f".{name}":
            parameter.requires_grad_(False)


def recomputes(module: nn.Module) -> bool:
    """Whether layers are computed again in the backward pass (gradient checkpointing)."""
    return module.training and any(getattr(part, "gradient_checkpointing", False) for part in module.modules())


def disable_dropout(model: nn.Module) -> None:
    """Set every dropout in the model to zero, for good: log-probs that are compared must not be random.

    Covers `nn.Dropout` modules (LoRA's too), the plain numbers that attention and layers keep, and LayerDrop.
    """
    for module in model.modules():
        for name, value in vars(module).items():
            if isinstance(value, float) and ("dropout" in name or name == "layerdrop"):
                setattr(module, name, 0.0)
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode; afterwards every module is as it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
