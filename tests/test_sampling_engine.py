"""The local engine against transformers' own `generate` and plain forwards, on tiny models in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
import transformers as tf
from peft import LoraConfig, get_peft_model
from transformers.models.t5 import modeling_t5

from precis.errors import UserError
from precis.sampling import local
from precis.sampling.attention import IMPLEMENTATION, decoding_attention
from precis.sampling.decoding import Decoding, Sample, uniforms
from precis.sampling.local import engine_for, generate, generate_batches
from precis.sampling.session import Session

VOCABULARY = 23
COMMON: dict[str, Any] = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LLAMA_LIKE: dict[str, Any] = {
    **COMMON, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.3,
}  # fmt: skip
HEAD: dict[str, Any] = {"head_dim": 8}
WINDOW: dict[str, Any] = {"sliding_window": 6}


def bart() -> Any:
    """Fewer encoder than decoder layers, so that neither stands in for the other."""
    half = {"attention_heads": 4, "ffn_dim": 48}
    shape = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in half.items()}
    config = tf.BartConfig(
        **COMMON, **shape, encoder_layers=1, decoder_layers=3, d_model=32, decoder_start_token_id=2,
        max_position_embeddings=64, init_std=0.3, forced_eos_token_id=None,
    )  # fmt: skip
    return tf.BartForConditionalGeneration(config)


def t5() -> Any:
    config = tf.T5Config(
        vocab_size=VOCABULARY, pad_token_id=0, eos_token_id=2, decoder_start_token_id=0, d_model=32, d_kv=8, d_ff=48,
        num_layers=2, num_heads=4, initializer_factor=2.0,
    )  # fmt: skip
    return tf.T5ForConditionalGeneration(config)


def bert2bert() -> Any:
    half = {
        "vocab_size": VOCABULARY, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48,
        "max_position_embeddings": 64, "initializer_range": 0.3, "pad_token_id": 0,
    }  # fmt: skip
    encoder = tf.BertConfig(**half, num_hidden_layers=1)
    decoder = tf.BertConfig(**half, num_hidden_layers=2, is_decoder=True, add_cross_attention=True)
    model = tf.EncoderDecoderModel(config=tf.EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder))
    for config in (model.config, model.generation_config):
        config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 1, 0, 2
    return model


MODELS: dict[str, Callable[[], Any]] = {
    "llama": lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**LLAMA_LIKE)),
    "qwen2": lambda: tf.Qwen2ForCausalLM(tf.Qwen2Config(**{**LLAMA_LIKE, "num_key_value_heads": 1})),
    "qwen3": lambda: tf.Qwen3ForCausalLM(tf.Qwen3Config(**LLAMA_LIKE, head_dim=16)),
    "gpt2": lambda: tf.GPT2LMHeadModel(
        tf.GPT2Config(**COMMON, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3)
    ),
    "mistral, every layer slides": lambda: tf.MistralForCausalLM(tf.MistralConfig(**LLAMA_LIKE, **HEAD, **WINDOW)),
    "gemma3, two of three layers slide": lambda: tf.Gemma3ForCausalLM(
        tf.Gemma3TextConfig(
            **{**LLAMA_LIKE, "num_hidden_layers": 3}, **HEAD, **WINDOW,
            layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        )
    ),
    "gemma2, soft-capped scores": lambda: tf.Gemma2ForCausalLM(
        tf.Gemma2Config(**LLAMA_LIKE, **HEAD, **WINDOW, attn_implementation="eager", attn_logit_softcapping=2.0)
    ),
    "gpt-oss, attention sinks": lambda: tf.GptOssForCausalLM(
        tf.GptOssConfig(
            **LLAMA_LIKE, **HEAD, **WINDOW, num_local_experts=2, num_experts_per_tok=1, attn_implementation="eager",
            experts_implementation="eager",
            rope_parameters={"rope_type": "default", "rope_theta": 1e4},
        )
    ),
    "bart": bart,
    "t5": t5,
    "bert2bert": bert2bert,
}  # fmt: skip


def available(name: str) -> str:
    """Skips a model that this version of transformers cannot share a prefix of (the fallback is tested apart)."""
    if name == "t5" and not hasattr(modeling_t5, "ALL_ATTENTION_FUNCTIONS"):
        pytest.skip("T5 does not attend through the attention interface in this version of transformers")
    return name


def make(build: Callable[[], Any], dtype: torch.dtype = torch.float64) -> Any:
    torch.manual_seed(0)
    model = build().to(dtype).eval()
    if hasattr(model, "lm_head") and not model.config.is_encoder_decoder:
        with torch.no_grad():  # so that samples end at all lengths, not only at the limit
            model.lm_head.weight[2] *= 2
    return SimpleNamespace(model=model, pad_id=0, eos_id=2)


@pytest.fixture(scope="module")
def policies() -> dict[str, Any]:
    return {}


@pytest.fixture(params=MODELS)
def policy(request: pytest.FixtureRequest, policies: dict[str, Any]) -> Any:
    name = available(request.param)
    if name not in policies:
        policies[name] = make(MODELS[name])
        assert engine_for(policies[name]).reason is None
    return policies[name]


@pytest.fixture
def llama() -> Any:
    return make(MODELS["llama"])


def prefixes_of(*lengths: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(3, VOCABULARY, (length,), generator=generator).tolist() for length in lengths]


# Longer than the windows of 6, of several lengths, and one without anything before its last token.
PREFIXES = prefixes_of(13, 9, 13, 1, 5)


def theirs(policy: Any, prefix: list[int], **settings: Any) -> list[tuple[int, ...]]:
    """What `generate` writes after one prefix, cut after the end token."""
    ids = torch.tensor([prefix])
    start = 1 if policy.model.config.is_encoder_decoder else len(prefix)
    out = policy.model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, **settings)
    return [tuple(row[: row.index(2) + 1] if 2 in row else row) for row in out[:, start:].tolist()]


def plain_logits(policy: Any, prefix: list[int], written: tuple[int, ...]) -> torch.Tensor:
    """Teacher-forced logits (T, V) by one forward without any cache."""
    model = policy.model
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            decoder_ids = torch.tensor([[model.config.decoder_start_token_id, *written[:-1]]])
            return model(input_ids=torch.tensor([prefix]), decoder_input_ids=decoder_ids).logits[0]  # type: ignore[no-any-return]
        ids = torch.tensor([[*prefix, *written[:-1]]])
        return model(input_ids=ids, use_cache=False).logits[0, len(prefix) - 1 :]  # type: ignore[no-any-return]


def exactness(policy: Any) -> float:
    """Stock eager attention rounds its softmax to float32, in a model of float64 too."""
    return 1e-6 if policy.model.config._attn_implementation == "eager" else 1e-9


def assert_logps(policy: Any, prefix: list[int], sample: Sample, tolerance: float | None = None) -> None:
    logps = torch.log_softmax(plain_logits(policy, prefix, sample.token_ids).double(), -1)
    expected = logps.gather(1, torch.tensor(sample.token_ids)[:, None])[:, 0]
    assert list(sample.logps) == pytest.approx(expected.tolist(), rel=0, abs=tolerance or exactness(policy))


# Deterministic decoding equals transformers


def test_greedy_equals_generate(policy: Any) -> None:
    ours = generate(policy, PREFIXES, decoding=Decoding("greedy", max_new_tokens=16))
    for prefix, (sample,) in zip(PREFIXES, ours, strict=True):
        assert [sample.token_ids] == theirs(policy, prefix, max_new_tokens=16)
        assert sample.sampled_logps is None
        assert_logps(policy, prefix, sample)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_beams": 4, "length_penalty": 1.0},
        {"num_beams": 3, "length_penalty": 0.3, "early_stopping": True},
        {"num_beams": 5, "length_penalty": 2.0, "min_new_tokens": 4},
    ],
    ids=str,
)
def test_beam_search_equals_generate(policy: Any, settings: dict[str, Any]) -> None:
    how, k = Decoding("beam", max_new_tokens=10, **settings), settings["num_beams"]
    ours = generate(policy, PREFIXES, k=k, decoding=how)
    for prefix, group in zip(PREFIXES, ours, strict=True):
        expected = theirs(policy, prefix, max_new_tokens=10, num_return_sequences=k, **settings)
        assert [sample.token_ids for sample in group] == expected
        for sample in group:
            assert sample.finished == (sample.token_ids[-1] == 2)
            assert_logps(policy, prefix, sample)


@pytest.mark.parametrize(("name", "beams"), [("bart", 1), ("bart", 3), ("t5", 1)])
def test_no_repeated_ngrams_equals_generate(name: str, beams: int) -> None:
    """Of encoder-decoder models: `generate` counts the n-grams of a decoder-only prompt too, and the start token's."""
    policy = make(MODELS[name])
    how = Decoding("beam" if beams > 1 else "greedy", num_beams=beams, max_new_tokens=14, no_repeat_ngram_size=2)
    ours = generate(policy, PREFIXES[:3], decoding=how)
    for prefix, (sample,) in zip(PREFIXES, ours, strict=False):
        assert [sample.token_ids] == theirs(policy, prefix, max_new_tokens=14, num_beams=beams, no_repeat_ngram_size=2)


def test_no_repeated_ngrams_of_the_candidate_only(llama: Any) -> None:
    """A candidate may repeat what stands in the prompt; every token is the likeliest that repeats none of its own."""
    prefix = PREFIXES[0]
    (sample,) = generate(
        llama, [prefix], decoding=Decoding("greedy", max_new_tokens=20, min_new_tokens=20, no_repeat_ngram_size=2)
    )[0]
    written = sample.token_ids
    logits = plain_logits(llama, prefix, written)
    for place, token in enumerate(written):
        seen = set(pairwise(written[:place]))
        allowed = [t for t in range(VOCABULARY) if t != 2 and (place == 0 or (written[place - 1], t) not in seen)]
        assert token == max(allowed, key=lambda t: float(logits[place, t]))


# Samples: their probabilities, their independence of the batch


def test_log_probabilities_equal_a_plain_forward(policy: Any) -> None:
    how = Decoding("top-p", top_p=0.8, temperature=0.7, max_new_tokens=16, min_new_tokens=2)
    for prefix, group in zip(PREFIXES, generate(policy, PREFIXES, k=4, decoding=how, seed=3), strict=True):
        for sample in group:
            assert_logps(policy, prefix, sample)
            logits = plain_logits(policy, prefix, sample.token_ids)
            logits[:2, 2] = -math.inf
            probability = torch.softmax(logits / 0.7, -1)
            for step, token in enumerate(sample.token_ids):
                ranked, order = probability[step].sort(descending=True)
                size = int((ranked.cumsum(0) < 0.8).sum()) + 1
                assert token in order[:size]
                expected = math.log(probability[step, token] / ranked[:size].sum())
                assert sample.sampled_logps is not None
                assert sample.sampled_logps[step] == pytest.approx(expected, abs=exactness(policy))
            assert sample.finished == (sample.token_ids[-1] == 2)
            assert 2 not in sample.token_ids[:-1]
            assert sample.finished or len(sample.token_ids) == 16


def test_a_sample_does_not_depend_on_its_batch(policy: Any) -> None:
    """Alone or together, in small batches or one, all indices or some, others retiring beside it or not."""
    how = Decoding("temperature", max_new_tokens=24)
    keys = [f"d{place}" for place in range(len(PREFIXES))]
    together = generate(policy, PREFIXES, k=5, decoding=how, seed=7, keys=keys)
    lengths = {len(sample.token_ids) for group in together for sample in group}
    assert len(lengths) > 2 or policy.model.config.is_encoder_decoder
    small = generate(policy, PREFIXES, k=5, decoding=how, seed=7, keys=keys, max_rows=7)
    engine = engine_for(policy)
    wanted = [[4, 1], [], [0, 2, 3], [3], [2]]
    some = dict(
        pair
        for batch in generate_batches(engine, PREFIXES, wanted, k=5, keys=keys, decoding=how, seed=7)
        for pair in batch
    )
    for place, (prefix, group) in enumerate(zip(PREFIXES, together, strict=True)):
        alone = generate(policy, [prefix], k=5, decoding=how, seed=7, keys=keys[place : place + 1])[0]
        for other in (alone, small[place]):
            assert [sample.token_ids for sample in other] == [sample.token_ids for sample in group]
        assert [s.token_ids for s in some.get(place, [])] == [group[index].token_ids for index in wanted[place]]
    other_seed = generate(policy, PREFIXES, k=5, decoding=how, seed=8, keys=keys)
    assert other_seed != together


@pytest.mark.parametrize("kind", ["temperature", "top-p"])
def test_frequencies_fit_the_exact_distribution(llama: Any, kind: str) -> None:
    """All texts of two tokens, 4,000 samples, chi-square against the product of exact probabilities."""
    how = Decoding(kind, temperature=0.8, top_p=0.85, max_new_tokens=2)  # type: ignore[arg-type]
    prefix, draws = PREFIXES[1], 4000
    samples = generate(llama, [prefix], k=draws, decoding=how, seed=11)[0]

    def distribution(written: tuple[int, ...]) -> np.ndarray[Any, Any]:
        probability = torch.softmax(plain_logits(llama, prefix, (*written, 0))[-1] / 0.8, -1)
        if kind == "top-p":
            ranked, order = probability.sort(descending=True)
            probability[order[int((ranked.cumsum(0) < 0.85).sum()) + 1 :]] = 0
        return (probability / probability.sum()).numpy()  # type: ignore[no-any-return]

    expected: dict[tuple[int, ...], float] = {}
    for first, p in enumerate(distribution(())):
        if first == 2:
            expected[(2,)] = p
        elif p > 0:
            for second, q in enumerate(distribution((first,))):
                expected[(first, second)] = p * q
    counts = dict.fromkeys(expected, 0)
    for sample in samples:
        assert expected[sample.token_ids] > 0
        counts[sample.token_ids] += 1
    # Cells of fewer than five expected are counted as one.
    often = [text for text, p in expected.items() if p * draws >= 5]
    observed = [counts[text] for text in often]
    wanted = [expected[text] * draws for text in often]
    observed.append(draws - sum(observed))
    wanted.append(draws - sum(wanted))
    assert len(often) > 20
    assert scipy.stats.chisquare(observed, wanted).pvalue > 0.01


# One copy of the document


def test_the_documents_keys_and_values_are_held_once(llama: Any) -> None:
    prefixes = prefixes_of(40, 30)
    rows, steps = [0] * 16 + [1] * 16, 5
    with torch.no_grad():
        session = Session(llama.model, prefixes, rows, steps, pad_id=0, start_id=None)
        with decoding_attention(llama.model, session.sharing):
            session.step(session.first_tokens_N)
        layers, heads, size = 2, 2, 8
        document = 2 * 39 * heads * size  # two documents, padded to the longer, without its last token
        assert [layer.keys_BJPD.numel() for layer in session.sharing.shared] == [document] * layers
        assert [layer.values_BJPD.numel() for layer in session.sharing.shared] == [document] * layers
        own = session.sharing.own
        held = [tensor for tensor in (*own.keys, *own.values) if tensor is not None]
        assert [tensor.numel() for tensor in held] == [len(rows) * steps * heads * size] * layers * 2
        # A document whose rows have all retired leaves.
        session.keep(list(range(16, 32)))
        assert [layer.keys_BJPD.shape[0] for layer in session.sharing.shared] == [1] * layers
        assert session.rows == 16


def test_a_sliding_layer_keeps_only_what_can_be_seen() -> None:
    policy = make(MODELS["gemma3, two of three layers slide"])
    with torch.no_grad():
        session = Session(policy.model, prefixes_of(40, 4), [0, 0, 1], 5, pad_id=0, start_id=None)
    assert [layer.keys_BJPD.shape[2] for layer in session.sharing.shared] == [5, 5, 39]
    assert [layer.first_B.tolist() for layer in session.sharing.shared] == [[34, 0], [34, 0], [0, 0]]


def test_cross_attention_is_projected_once_a_source() -> None:
    policy = make(bart)
    with torch.no_grad():
        session = Session(policy.model, prefixes_of(12, 7), [0] * 6 + [1] * 6, 5, pad_id=0, start_id=2)
        with decoding_attention(policy.model, session.sharing):
            session.step(session.first_tokens_N)
            assert session.cross is not None
            assert [tuple(layer.keys.shape) for layer in session.cross.layers] == [(2, 4, 12, 8)] * 3
            session.keep([1, 3])
            assert [tuple(layer.keys.shape) for layer in session.cross.layers] == [(1, 4, 12, 8)] * 3


# Fallback


def bloom() -> Any:
    return tf.BloomForCausalLM(tf.BloomConfig(**COMMON, hidden_size=32, n_layer=2, n_head=4))


def mamba() -> Any:
    return tf.MambaForCausalLM(tf.MambaConfig(**COMMON, hidden_size=16, num_hidden_layers=1, state_size=4))


HOWS = [
    Decoding("greedy", max_new_tokens=12),
    Decoding("temperature", max_new_tokens=12, temperature=1.3),
    Decoding("top-p", top_p=0.8, max_new_tokens=12, min_new_tokens=3, no_repeat_ngram_size=2),
    Decoding("beam", num_beams=3, max_new_tokens=8, no_repeat_ngram_size=2, min_new_tokens=2),
    Decoding("beam", num_beams=1, max_new_tokens=8),
]


@pytest.mark.parametrize("how", HOWS, ids=lambda how: how.kind)
def test_the_fallback_writes_the_same(llama: Any, how: Decoding) -> None:
    k = 1 if how.kind == "greedy" or (how.is_search and how.num_beams == 1) else 3
    # A folder's own generation defaults must change neither.
    llama.model.generation_config.repetition_penalty = 5.0
    shared = generate(llama, PREFIXES, k=k, decoding=how, implementation="shared")
    plain = generate(llama, PREFIXES, k=k, decoding=how, implementation="plain")
    for left, right in zip(shared, plain, strict=True):
        for a, b in zip(left, right, strict=True):
            assert (a.token_ids, a.finished) == (b.token_ids, b.finished)
            assert a.logps == pytest.approx(b.logps, abs=1e-4)  # `generate` rounds logits to float32
            assert (a.sampled_logps is None) == (b.sampled_logps is None)
    assert llama.model.generation_config.repetition_penalty == 5.0


@pytest.mark.parametrize("build", [bloom, mamba])
def test_models_that_cannot_share_are_noticed(build: Callable[[], Any]) -> None:
    policy = make(build, torch.float32)
    engine = engine_for(policy)
    assert engine.name == "plain"
    assert engine.reason
    with pytest.raises(UserError, match="cannot share a prefix"):
        engine_for(policy, "shared")
    how = Decoding("temperature", max_new_tokens=6)
    for prefix, group in zip(PREFIXES, generate(policy, PREFIXES, k=2, decoding=how), strict=True):
        for sample in group:
            assert_logps(policy, prefix, sample, tolerance=1e-4)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_adapters_are_used() -> None:
    policy = make(MODELS["llama"])
    before = generate(policy, PREFIXES, decoding=HOWS[0])
    torch.manual_seed(1)
    adapted = get_peft_model(
        policy.model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    )
    with_adapter = SimpleNamespace(model=adapted.double(), pad_id=0, eos_id=2)
    after = generate(with_adapter, PREFIXES, decoding=HOWS[0])
    assert after != before
    for prefix, (sample,) in zip(PREFIXES, after, strict=True):
        assert_logps(SimpleNamespace(model=adapted.get_base_model()), prefix, sample)
    merged = SimpleNamespace(model=adapted.merge_and_unload(), pad_id=0, eos_id=2)
    assert [s.token_ids for (s,) in generate(merged, PREFIXES, decoding=HOWS[0])] == [s.token_ids for (s,) in after]


# Limits, endings, mistakes


def test_writing_stops_at_the_last_position(policy: Any) -> None:
    """64 positions: after a prompt of 60, five more tokens; encoder-decoders write from one start token on."""
    how = Decoding("temperature", max_new_tokens=200, min_new_tokens=200)
    prefixes = prefixes_of(60, 20)
    groups = generate(policy, prefixes, k=2, decoding=how)
    seq2seq = policy.model.config.is_encoder_decoder
    expected = [200, 200] if policy.model.config.model_type == "t5" else [64, 64] if seq2seq else [5, 45]
    for prefix, group, length in zip(prefixes, groups, expected, strict=True):
        for sample in group:
            assert len(sample.token_ids) == length
            assert not sample.finished
            assert_logps(policy, prefix, sample)


def test_prompts_without_room_are_refused(llama: Any) -> None:
    with pytest.raises(UserError, match="65 tokens and the model 64 positions"):
        generate(llama, prefixes_of(8, 65), decoding=HOWS[1])
    assert len(generate(llama, prefixes_of(64), decoding=HOWS[1])[0][0].token_ids) == 1
    with pytest.raises(UserError, match="empty"):
        generate(llama, [[]], decoding=HOWS[1])
    with pytest.raises(UserError, match="65 tokens and the model 64 positions"):
        generate(make(bart), prefixes_of(65), decoding=HOWS[1])


def test_more_candidates_than_the_decoding_can_write_are_refused(llama: Any) -> None:
    with pytest.raises(UserError, match="ask for 1"):
        generate(llama, PREFIXES, k=2, decoding=HOWS[0])
    with pytest.raises(UserError, match="at most 3"):
        generate(llama, PREFIXES, k=4, decoding=HOWS[3])


def test_every_end_token_of_the_model_ends(llama: Any) -> None:
    llama.model.generation_config.eos_token_id = [2, 5, 9]
    how = Decoding("temperature", max_new_tokens=40)
    samples = generate(llama, PREFIXES, k=40, decoding=how)
    last = {sample.token_ids[-1] for group in samples for sample in group if sample.finished}
    assert last == {2, 5, 9}
    assert not any({2, 5, 9} & set(sample.token_ids[:-1]) for group in samples for sample in group)


def test_memory_that_pytorch_keeps_for_later_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    # A training has filled 100 of 140 GB, of which 20 are in use again and 80 only kept.
    for name, answer in (("mem_get_info", (40, 140)), ("memory_reserved", 100), ("memory_allocated", 20)):
        monkeypatch.setattr(torch.cuda, name, lambda device, answer=answer: answer)
    assert local._free_cuda_bytes(torch.device("cuda")) == 120


def test_a_model_of_nan_is_named(llama: Any) -> None:
    assert engine_for(llama).reason is None
    with torch.no_grad():
        llama.model.lm_head.weight.fill_(math.nan)
    for how in (HOWS[0], HOWS[1], HOWS[3]):
        with pytest.raises(UserError, match="not numbers"):
            generate(llama, PREFIXES, decoding=how)


def test_the_model_is_left_as_it_was(llama: Any) -> None:
    llama.model.train()
    before = llama.model.config._attn_implementation
    generate(llama, PREFIXES, decoding=HOWS[1])
    with pytest.raises(UserError):
        generate(llama, [[]], decoding=HOWS[1])
    assert llama.model.training
    assert llama.model.config._attn_implementation == before != IMPLEMENTATION
    loss = llama.model(torch.tensor([PREFIXES[0]]), labels=torch.tensor([PREFIXES[0]])).loss
    loss.backward()


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_half_precision_follows_its_own_forward(name: str) -> None:
    """bfloat16 keeps three digits: as near to the exact model as the plain forward in bfloat16 is, within noise."""
    policy, exact = make(MODELS[available(name)], torch.bfloat16), make(MODELS[name], torch.bfloat16)
    exact.model.double()
    assert engine_for(policy).reason is None
    errors, plain_errors = [], []
    for prefix, group in zip(PREFIXES, generate(policy, PREFIXES, k=8, decoding=HOWS[1]), strict=True):
        for sample in group:
            chosen = torch.tensor(sample.token_ids)[:, None]
            truth, plain = (
                torch.log_softmax(plain_logits(side, prefix, sample.token_ids).double(), -1).gather(1, chosen)[:, 0]
                for side in (exact, policy)
            )
            errors.append(torch.tensor(sample.logps, dtype=torch.float64) - truth)
            plain_errors.append(plain - truth)
    rounding, plain_rounding = (float(torch.cat(e).square().mean().sqrt()) for e in (errors, plain_errors))
    assert 0 < rounding < 1.5 * plain_rounding < 1


def test_one_uniform_a_step_decides_the_token(llama: Any) -> None:
    """The whole path by hand: the stream of (seed, key, index) inverted through the plain model's distribution."""
    prefix, how = PREFIXES[2], Decoding("temperature", max_new_tokens=8, min_new_tokens=8)
    sample = generate(llama, [prefix], k=3, decoding=how, seed=5, keys=["d_9"])[0][2]
    logits = plain_logits(llama, prefix, sample.token_ids)
    logits[:, 2] = -math.inf
    running = torch.softmax(logits, -1).cumsum(-1).numpy()
    for step, (token, u) in enumerate(zip(sample.token_ids, uniforms(5, "d_9", 2, 8), strict=True)):
        assert token == int(np.searchsorted(running[step], u * running[step, -1], side="right"))
