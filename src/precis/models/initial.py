"""A model from scratch: a tokenizer trained on the given texts and random weights, as an ordinary folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from .files import atomic_folder, quiet

PAD, BOS, EOS, SEP = "<pad>", "<bos>", "<eos>", "<sep>"
SPECIAL = (PAD, BOS, EOS, SEP)


@dataclass(frozen=True)
class Size:
    """`layers` of a decoder-only model; an encoder-decoder has half as many in each of its halves."""

    width: int
    layers: int
    heads: int
    inner: int
    vocabulary: int


# Weights as llama, with the tied embeddings and without: tiny 1.3M (0.8M), small 13.8M (10.6M), base 29.9M (25.7M).
# As bart or t5, embeddings included: tiny 1.6M, small 14.7M, base 33.6M.
SIZES = {
    "tiny": Size(width=128, layers=4, heads=4, inner=352, vocabulary=4096),
    "mini": Size(width=256, layers=6, heads=4, inner=704, vocabulary=4096),
    "small": Size(width=384, layers=6, heads=6, inner=1024, vocabulary=8192),
    "base": Size(width=512, layers=8, heads=8, inner=1408, vocabulary=8192),
}


def init_model(
    folder: Path | str,
    texts: Iterable[str],
    *,
    size: str = "small",
    architecture: str = "llama",
    vocab_size: int | None = None,
    context: int = 1024,
    words: Sequence[str] = (),
    special_tokens: Sequence[str] = (),
    seed: int = 0,
) -> Path:
    """Train a byte-level BPE tokenizer on `texts` and write it with random weights to `folder`.

    Every text can be spelt, byte by byte if need be. Special tokens are <pad>, <bos>, <eos>, <sep> and
    `special_tokens`; `words` (speaker tags, say) become one token each but stay part of the text. `architecture` is
    llama, bart or t5, `context` the number of positions. The same texts and seed give the same files.

    Raises `UserError` for an unknown size or architecture, no positions, or texts too few to train a tokenizer on.
    """
    if size not in SIZES:
        raise UserError(f"there is no size {size!r}; the sizes are {', '.join(SIZES)}")
    if architecture not in _MAKERS:
        raise UserError(f"there is no architecture {architecture!r} to start from; there are {', '.join(_MAKERS)}")
    if context < 2:
        raise UserError(f"a context of {context} positions has no room for a document and a summary")
    tokenizer = train_tokenizer(
        texts,
        vocab_size=vocab_size or SIZES[size].vocabulary,
        words=words,
        special_tokens=special_tokens,
        ends_sources=architecture != "llama",
    )
    tokenizer.model_max_length = context
    rows = -(-len(tokenizer) // 64) * 64  # whole tiles for the matrix units
    with atomic_folder(folder) as partial, torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        _MAKERS[architecture](SIZES[size], rows, context).save_pretrained(str(partial))
        tokenizer.save_pretrained(str(partial))
    return Path(folder)


def train_tokenizer(
    texts: Iterable[str],
    *,
    vocab_size: int,
    words: Sequence[str] = (),
    special_tokens: Sequence[str] = (),
    ends_sources: bool = False,
) -> Any:
    """A byte-level BPE tokenizer of at most `vocab_size` tokens.

    With `ends_sources` its convention is <eos> after a text, as encoders of encoder-decoders have it.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = list(dict.fromkeys([*SPECIAL, *special_tokens]))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    room = vocab_size - len(words)
    if room < len(alphabet) + len(special):
        least = len(alphabet) + len(special) + len(words)
        raise UserError(f"a vocabulary of {vocab_size} is too small: bytes and special tokens alone need {least}")
    backend: Any = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.train_from_iterator(
        iter(texts),
        trainers.BpeTrainer(vocab_size=room, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    if backend.get_vocab_size() == len(alphabet) + len(special):
        raise UserError("the texts are too few to train a tokenizer on: no pair of letters recurs")
    # Not special: a document may contain them, and they must survive decoding.
    backend.add_tokens([AddedToken(word, special=False, normalized=False) for word in words])
    if ends_sources:
        backend.post_processor = processors.TemplateProcessing(
            single=f"$A {EOS}", special_tokens=[(EOS, backend.token_to_id(EOS))]
        )
    fast: Any = PreTrainedTokenizerFast
    return fast(
        tokenizer_object=backend,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        sep_token=SEP,
        extra_special_tokens=list(special_tokens),
    )


# By the order of SPECIAL, which the trainer keeps.
_IDS: dict[str, Any] = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def _llama(size: Size, rows: int, context: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=rows,
            hidden_size=size.width,
            intermediate_size=size.inner,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            num_key_value_heads=size.heads,
            max_position_embeddings=context,
            tie_word_embeddings=True,
            **_IDS,
        )
    )


def _bart(size: Size, rows: int, context: int) -> Any:
    from transformers import BartConfig, BartForConditionalGeneration

    half = {"layers": size.layers // 2, "attention_heads": size.heads, "ffn_dim": 4 * size.width}
    halves: dict[str, Any] = {f"{side}_{name}": half[name] for side in ("encoder", "decoder") for name in half}
    return BartForConditionalGeneration(
        BartConfig(
            vocab_size=rows,
            d_model=size.width,
            max_position_embeddings=context,
            decoder_start_token_id=_IDS["bos_token_id"],
            forced_eos_token_id=None,
            **halves,
            **_IDS,
        )
    )


def _t5(size: Size, rows: int, context: int) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=rows,
        d_model=size.width,
        d_kv=size.width // size.heads,
        d_ff=4 * size.width,
        num_layers=size.layers // 2,
        num_heads=size.heads,
        **_IDS,
    )
    config.decoder_start_token_id = _IDS["bos_token_id"]
    return T5ForConditionalGeneration(config)


_MAKERS: dict[str, Callable[[Size, int, int], Any]] = {"llama": _llama, "bart": _bart, "t5": _t5}
