"""Tiny random models and tokenizers, made in memory in milliseconds, for everybody's tests."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import transformers as hf

from precis.models import Policy, ensure_pad, train_tokenizer
from precis.render import TokenGroup

TEXTS = (
    "Anna asks Ben to bring the tickets on Friday. Ben forgot them at home, so they meet at the station at six.",
    "The train was late again. Maria waited for two hours and then took a taxi, which cost forty euros.",
    "Tom wants to sell his bicycle; Lucy offers eighty pounds, and they agree to meet on Sunday morning.",
    "Could you water my plants while I am away? Of course, leave the key under the mat, and enjoy the sea!",
    "The meeting moved from Monday to Wednesday because the manager was ill. Everyone got the message but Paul.",
)
VOCABULARY = 320  # at least the tokenizer's 300
PAD, BOS, EOS = 0, 1, 2
_IDS: dict[str, Any] = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}
_BODY: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    **_IDS,
}
_GQA = {**_BODY, "num_key_value_heads": 2}
# A window far shorter than the prefixes of the tests.
_SLIDING = {**_GQA, "head_dim": 8, "sliding_window": 5}
_LAYERS = ["sliding_attention", "full_attention", "sliding_attention"]
_HALVES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "d_model": 32,
    **{f"{half}_layers": 2 for half in ("encoder", "decoder")},
    **{f"{half}_attention_heads": 4 for half in ("encoder", "decoder")},
    **{f"{half}_ffn_dim": 48 for half in ("encoder", "decoder")},
    "max_position_embeddings": 128,
    "decoder_start_token_id": EOS,
    "forced_eos_token_id": None,
    **_IDS,
}


@functools.cache
def tiny_tokenizer() -> Any:
    """A byte-level BPE tokenizer of 300 tokens with <pad> 0, <bos> 1, <eos> 2 and <sep> 3. Shared: do not change it."""
    return train_tokenizer(TEXTS, vocab_size=300)


def _t5(kind: Any = hf.T5ForConditionalGeneration, **more: Any) -> Any:
    config = hf.T5Config(vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, **_IDS, **more)
    config.decoder_start_token_id = PAD
    return kind(config)


def _encoder_decoder(encoder: Any, decoder: Any, half: dict[str, Any]) -> Any:
    config = hf.EncoderDecoderConfig.from_encoder_decoder_configs(
        encoder(**half), decoder(**half, is_decoder=True, add_cross_attention=True)
    )
    model = hf.EncoderDecoderModel(config)
    for settings in (model.config, model.generation_config):
        settings.decoder_start_token_id, settings.pad_token_id, settings.eos_token_id = BOS, PAD, EOS
    return model


_GPT2: dict[str, Any] = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128, **_IDS}
DECODERS: dict[str, Callable[[], Any]] = {
    "llama": lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**_GQA, tie_word_embeddings=True)),
    "qwen2": lambda: hf.Qwen2ForCausalLM(hf.Qwen2Config(**_GQA)),
    "qwen3": lambda: hf.Qwen3ForCausalLM(hf.Qwen3Config(**_GQA, head_dim=16)),
    "gpt2": lambda: hf.GPT2LMHeadModel(hf.GPT2Config(**_GPT2)),
    "mistral": lambda: hf.MistralForCausalLM(hf.MistralConfig(**_SLIDING)),
    "gemma2": lambda: _eager_attention(
        hf.Gemma2ForCausalLM(
            hf.Gemma2Config(**_SLIDING, layer_types=_LAYERS, attn_logit_softcapping=4.0, final_logit_softcapping=3.0)
        )
    ),
    "gemma3": lambda: hf.Gemma3ForCausalLM(hf.Gemma3TextConfig(**_SLIDING, layer_types=_LAYERS)),
}
ENCODER_DECODERS: dict[str, Callable[[], Any]] = {
    "bart": lambda: hf.BartForConditionalGeneration(hf.BartConfig(**_HALVES)),
    "t5": _t5,
    "bert2bert": lambda: _encoder_decoder(
        hf.BertConfig, hf.BertConfig, {key: value for key, value in _BODY.items() if key != "bos_token_id"}
    ),
}
# Further families that score packed, checked by value.
FURTHER: dict[str, Callable[[], Any]] = {
    "mixtral": lambda: _eager_experts(hf.MixtralForCausalLM(hf.MixtralConfig(**_GQA, num_local_experts=4))),
    "qwen3_moe": lambda: _eager_experts(
        hf.Qwen3MoeForCausalLM(
            hf.Qwen3MoeConfig(**_GQA, head_dim=8, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16)
        )
    ),
    "gpt_neox": lambda: hf.GPTNeoXForCausalLM(hf.GPTNeoXConfig(**_BODY)),
    "opt": lambda: hf.OPTForCausalLM(
        hf.OPTConfig(
            **{key: _BODY[key] for key in _BODY if key != "intermediate_size"}, ffn_dim=48, word_embed_proj_dim=32
        )
    ),
    "gemma": lambda: hf.GemmaForCausalLM(hf.GemmaConfig(**_GQA, head_dim=8)),
    "phi": lambda: hf.PhiForCausalLM(hf.PhiConfig(**_GQA)),
    "phi3": lambda: hf.Phi3ForCausalLM(hf.Phi3Config(**_GQA)),
    "olmo": lambda: hf.OlmoForCausalLM(hf.OlmoConfig(**_GQA)),
    "olmo2": lambda: hf.Olmo2ForCausalLM(hf.Olmo2Config(**_GQA)),
    "olmo3": lambda: hf.Olmo3ForCausalLM(hf.Olmo3Config(**_GQA, sliding_window=5, layer_types=_LAYERS)),
    "smollm3": lambda: hf.SmolLM3ForCausalLM(hf.SmolLM3Config(**_GQA)),
    "granite": lambda: hf.GraniteForCausalLM(hf.GraniteConfig(**_GQA, logits_scaling=3.0)),
    "cohere": lambda: hf.CohereForCausalLM(hf.CohereConfig(**_GQA, logit_scale=0.3)),
    "cohere2": lambda: hf.Cohere2ForCausalLM(
        hf.Cohere2Config(**_GQA, logit_scale=0.3, sliding_window=5, layer_types=_LAYERS)
    ),
    "starcoder2": lambda: hf.Starcoder2ForCausalLM(hf.Starcoder2Config(**_GQA, sliding_window=5)),
    "stablelm": lambda: hf.StableLmForCausalLM(hf.StableLmConfig(**_GQA)),
    "mbart": lambda: hf.MBartForConditionalGeneration(hf.MBartConfig(**_HALVES)),
    "plbart": lambda: hf.PLBartForConditionalGeneration(hf.PLBartConfig(**_HALVES)),
    "pegasus": lambda: hf.PegasusForConditionalGeneration(hf.PegasusConfig(**_HALVES)),
    "marian": lambda: hf.MarianMTModel(hf.MarianConfig(**_HALVES)),
    "blenderbot": lambda: hf.BlenderbotForConditionalGeneration(hf.BlenderbotConfig(**_HALVES)),
    "blenderbot-small": lambda: hf.BlenderbotSmallForConditionalGeneration(hf.BlenderbotSmallConfig(**_HALVES)),
    "mt5": lambda: hf.MT5ForConditionalGeneration(_mt5_config()),
    "roberta2roberta": lambda: _encoder_decoder(hf.RobertaConfig, hf.RobertaConfig, _BODY),
}


def _eager_attention(model: Any) -> Any:
    """The only attention that caps its scores; early versions 5 of transformers take another by default."""
    model.set_attn_implementation("eager")
    return model


def _eager_experts(model: Any) -> Any:
    """The grouped kernel that mixtures of experts use by default knows no float64."""
    model.config._experts_implementation = "eager"
    return model


def _mt5_config() -> Any:
    config = hf.MT5Config(vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, **_IDS)
    config.decoder_start_token_id = PAD
    return config


def tiny_model(name: str, *, seed: int = 0, dtype: torch.dtype = torch.float32, spread: float = 0.25) -> Any:
    """A random model in evaluation mode. Weights are spread wider than at a usual start, so that all of them matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = {**DECODERS, **ENCODER_DECODERS, **FURTHER}[name]()
        with torch.no_grad():
            for name_, parameter in model.named_parameters():
                is_norm = parameter.ndim == 1 and name_.endswith("weight")
                parameter.normal_(float(is_norm), spread)
            for name_, buffer in model.named_buffers():
                if name_.endswith("final_logits_bias"):
                    buffer.normal_(0.0, spread)
    return model.to(dtype).eval()


def tiny_policy(name: str = "llama", *, seed: int = 0, dtype: torch.dtype = torch.float32) -> Policy:
    """A tiny random model with the tiny tokenizer."""
    model, tokenizer = tiny_model(name, seed=seed, dtype=dtype), tiny_tokenizer()
    ensure_pad(tokenizer, model)
    return Policy(model, tokenizer, f"tiny-{name}-{seed}")


def random_groups(shapes: Sequence[tuple[int, Sequence[int]]], *, seed: int = 0) -> list[TokenGroup]:
    """Groups of random ids: for each (prefix length, continuation lengths); each continuation ends in EOS."""
    draw = random.Random(seed)

    def ids(length: int) -> tuple[int, ...]:
        return tuple(draw.randrange(4, VOCABULARY) for _ in range(length))

    return [
        TokenGroup(f"source-{number}", ids(prefix), tuple((*ids(length - 1), EOS) for length in lengths))
        for number, (prefix, lengths) in enumerate(shapes)
    ]


@contextmanager
def double_everywhere() -> Iterator[None]:
    """transformers computes norms and some softmaxes in float32, whatever the model's type. While this holds,
    what is float64 stays float64, so that equality can be tested to float64's precision."""
    to, to_float, softmax = torch.Tensor.to, torch.Tensor.float, torch.nn.functional.softmax

    def keep(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.dtype == torch.float64:
            args = tuple(torch.float64 if a is torch.float32 else a for a in args)
            kwargs = {k: torch.float64 if v is torch.float32 else v for k, v in kwargs.items()}
        return to(self, *args, **kwargs)

    def keep_softmax(input: Any, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
        return softmax(input, dim=dim, dtype=torch.float64 if input.dtype == torch.float64 else dtype)

    torch.Tensor.to = keep  # type: ignore[method-assign, assignment]
    # Positions are whole numbers on their way to meet rotary frequencies.
    torch.Tensor.float = lambda self: to_float(self) if self.dtype == torch.float32 else self.double()  # type: ignore
    torch.nn.functional.softmax = keep_softmax  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.Tensor.to = to  # type: ignore[method-assign]
        torch.Tensor.float = to_float  # type: ignore[method-assign]
        torch.nn.functional.softmax = softmax


class SlowTokenizer:
    """A tokenizer that tells no offsets."""

    is_fast = False

    def __init__(self, tokenizer: Any):
        self._fast = tokenizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fast, name)

    def __call__(self, text: str, **options: Any) -> Any:
        assert "return_offsets_mapping" not in options
        return self._fast(text, **options)
