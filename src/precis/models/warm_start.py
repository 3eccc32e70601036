"""An encoder-decoder from two copies of one pretrained BERT-like encoder (Rothe et al. 2020, arXiv 1907.12461)."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from .files import atomic_folder, model_folder, quiet, readable
from .tokenizer import check_vocabulary, load_tokenizer


def warm_start_encoder_decoder(encoder: Path | str, folder: Path | str, *, seed: int = 0) -> Path:
    """Write an `EncoderDecoderModel` whose encoder and decoder both start from the encoder in `encoder`.

    New, and random by `seed`, are the decoder's cross-attention and the LM head's transform; the LM head shares
    the decoder's word embeddings. The decoder starts from CLS and ends with SEP, the tokens that the encoder
    knows for that. Dropout of attention weights is off in both halves, for it keeps a CPU from the fused attention
    kernel and costs a third of the training step; dropout of hidden states stays as the encoder has it.

    Raises `UserError` if `encoder` is not the folder of a BERT-like model with its tokenizer.
    """
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, EncoderDecoderConfig, EncoderDecoderModel

    source = model_folder(encoder)
    tokenizer = load_tokenizer(source)
    ids = {"CLS": tokenizer.cls_token_id, "SEP": tokenizer.sep_token_id, "PAD": tokenizer.pad_token_id}
    missing = [name for name, value in ids.items() if value is None]
    if missing:
        raise UserError(
            f"the tokenizer in {source} has no {missing[0]} token; it does not belong to a BERT-like encoder"
        )
    config = readable(source, lambda: AutoConfig.from_pretrained(str(source), local_files_only=True))
    if config.is_encoder_decoder or not hasattr(config, "add_cross_attention"):
        raise UserError(f"{source} is not an encoder that can become a decoder ({config.model_type})")
    config.attention_probs_dropout_prob = 0.0
    decoder_config = copy.deepcopy(config)
    decoder_config.is_decoder = decoder_config.add_cross_attention = decoder_config.tie_word_embeddings = True
    config.is_decoder = config.add_cross_attention = False

    def halves() -> tuple[Any, Any]:
        options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True, "dtype": torch.float32}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return (
                AutoModel.from_pretrained(str(source), config=config, **options),
                AutoModelForCausalLM.from_pretrained(str(source), config=decoder_config, **options),
            )

    encoder_half, decoder_half = readable(source, halves)
    check_vocabulary(tokenizer, encoder_half, source)
    whole = EncoderDecoderConfig.from_encoder_decoder_configs(encoder_half.config, decoder_half.config)
    with quiet():
        model: Any = EncoderDecoderModel(config=whole, encoder=encoder_half, decoder=decoder_half)
    for settings in (model.config, model.generation_config):
        settings.decoder_start_token_id = ids["CLS"]
        settings.bos_token_id = ids["CLS"]
        settings.eos_token_id = ids["SEP"]
        settings.pad_token_id = ids["PAD"]
    model.config.vocab_size = whole.decoder.vocab_size
    model.config.tie_word_embeddings = False  # the halves keep their own embeddings; the decoder ties its LM head
    tokenizer.model_max_length = min(tokenizer.model_max_length, config.max_position_embeddings)
    with atomic_folder(folder) as partial, quiet():
        model.save_pretrained(str(partial))
        tokenizer.save_pretrained(str(partial))
    return Path(folder)
