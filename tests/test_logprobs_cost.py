"""What scoring many candidates of one document costs: multiplications by a count of our own, and memory to go back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
import transformers as hf
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from precis.logprobs import sequence_logprobs
from precis.render import TokenGroup
from tiny import EOS, PAD


@dataclass(frozen=True)
class Shape:
    """A model of BART's proportions: width, layers of each half, vocabulary."""

    d: int
    layers: int
    vocabulary: int

    def encode(self, source: int) -> int:
        return self.layers * (24 * self.d**2 * source + 4 * source**2 * self.d)

    def project(self, source: int) -> int:
        """Keys and values for cross-attention."""
        return self.layers * 4 * self.d**2 * source

    def candidate(self, source: int, tokens: int) -> int:
        decoder = self.layers * (28 * self.d**2 * tokens + 4 * tokens**2 * self.d + 4 * tokens * source * self.d)
        return decoder + 2 * self.d * self.vocabulary * tokens

    def shared(self, source: int, candidates: int, tokens: int) -> int:
        return self.encode(source) + self.project(source) + candidates * self.candidate(source, tokens)

    def projected_again(self, source: int, candidates: int, tokens: int) -> int:
        """As BRIO's code: encoded once, keys and values made for each candidate."""
        return self.encode(source) + candidates * (self.project(source) + self.candidate(source, tokens))

    def encoded_again(self, source: int, candidates: int, tokens: int) -> int:
        return candidates * self.shared(source, 1, tokens)


SMALL = Shape(d=64, layers=2, vocabulary=800)
TOKENS = 40


def _group(source: int, candidates: int) -> TokenGroup:
    return TokenGroup("a", (5,) * source, ((7,) * (TOKENS - 1) + (EOS,),) * candidates)


def _bart(shape: Shape = SMALL) -> Any:
    layer = {"layers": shape.layers, "attention_heads": 4, "ffn_dim": 4 * shape.d}
    config = hf.BartConfig(
        vocab_size=shape.vocabulary,
        d_model=shape.d,
        max_position_embeddings=512,
        pad_token_id=PAD,
        eos_token_id=EOS,
        decoder_start_token_id=EOS,
        forced_eos_token_id=None,
        **{f"{half}_{name}": value for half in ("encoder", "decoder") for name, value in layer.items()},
    )
    return hf.BartForConditionalGeneration(config).eval()


def _llama() -> Any:
    config = hf.LlamaConfig(
        vocab_size=SMALL.vocabulary,
        hidden_size=SMALL.d,
        intermediate_size=4 * SMALL.d,
        num_hidden_layers=SMALL.layers,
        num_attention_heads=4,
        max_position_embeddings=1024,
        pad_token_id=PAD,
        eos_token_id=EOS,
    )
    return hf.LlamaForCausalLM(config).eval()


def _attention(query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)


# The counter of torch 2.13 knows other devices' attention and not the CPU's.
_ON_CPU = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention}


def _flops(model: Any, source: int, candidates: int, implementation: Any) -> int:
    def score() -> None:
        with torch.no_grad():
            sequence_logprobs(model, [_group(source, candidates)], pad_id=PAD, implementation=implementation)

    score()  # What is learned of a model once is not counted.
    with FlopCounterMode(display=False, custom_mapping=_ON_CPU) as counter:
        score()
    return counter.get_total_flops()


@pytest.mark.parametrize(("source", "candidates"), [(128, 1), (128, 16), (512, 8), (512, 16)])
def test_an_encoder_decoder_multiplies_as_often_as_the_formula_of_a_shared_source(source: int, candidates: int) -> None:
    """Source encoded once, its keys and values projected once, nothing of it again for any candidate."""
    model = _bart()
    assert _flops(model, source, candidates, "packed") == SMALL.shared(source, candidates, TOKENS)
    # A row of the plain definition also reads its end token, of which nothing is asked.
    again = SMALL.encoded_again(source, candidates, TOKENS)
    assert again < _flops(model, source, candidates, "repeated") < 1.01 * again


@pytest.mark.parametrize(
    ("source", "candidates", "over_brio", "over_naive"),
    [(512, 8, 1.33, 3.45), (512, 16, 1.40, 4.04), (1024, 8, 1.47, 4.78), (1024, 16, 1.64, 6.15)],
)
def test_the_formula_is_the_one_of_bart_large(
    source: int, candidates: int, over_brio: float, over_naive: float
) -> None:
    """Ratios worked out by hand for BART-large: 12 layers a half, candidates of 100 tokens, and the reference."""
    large = Shape(d=1024, layers=12, vocabulary=50_265)
    shared = large.shared(source, candidates + 1, 100)
    assert large.projected_again(source, candidates + 1, 100) / shared == pytest.approx(over_brio, abs=0.006)
    assert large.encoded_again(source, candidates + 1, 100) / shared == pytest.approx(over_naive, abs=0.006)


def test_a_decoder_multiplies_a_source_once() -> None:
    """What a further candidate costs is of its own tokens: weights times 40 of them, and attention to the source."""
    model = _llama()
    one, nine = _flops(model, 512, 1, "packed"), _flops(model, 512, 9, "packed")
    d, layers = SMALL.d, SMALL.layers
    linear = layers * (8 * d**2 + 6 * d * 4 * d) * TOKENS + 2 * d * SMALL.vocabulary * TOKENS
    most = linear + layers * 4 * d * TOKENS * (512 + 9 * TOKENS)
    assert linear < (nine - one) / 8 <= most
    # A row each costs the source again.
    assert _flops(model, 512, 9, "repeated") == 9 * _flops(model, 512, 1, "repeated") > 5 * nine


def _saved_bytes(model: Any, source: int, candidates: int, implementation: Any) -> int:
    """Bytes kept for the backward pass, each storage once, weights left out."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(x: Tensor) -> Tensor:
        if x.untyped_storage().data_ptr() not in weights:
            kept[x.untyped_storage().data_ptr()] = x
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        sequence_logprobs(model, [_group(source, candidates)], pad_id=PAD, implementation=implementation)
    return sum(x.untyped_storage().nbytes() for x in kept.values())


@pytest.mark.parametrize("make", [_bart, _llama])
def test_a_further_candidate_keeps_nothing_of_the_source(make: Any) -> None:
    """Memory to go back: what eight more candidates add does not grow with the source, as repeated rows' does."""
    model = make()

    def of_eight_more(source: int, implementation: str) -> int:
        return _saved_bytes(model, source, 16, implementation) - _saved_bytes(model, source, 8, implementation)

    assert of_eight_more(512, "packed") == pytest.approx(of_eight_more(256, "packed"), rel=0.01)
    # At the least the keys and values of every layer, in float32.
    states = 8 * 256 * SMALL.layers * 2 * SMALL.d * 4
    assert of_eight_more(512, "repeated") - of_eight_more(256, "repeated") > states
