"""Models from scratch and warm starts, reward models: made right, saved as what others load."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file

from precis.errors import UserError
from precis.logprobs import sequence_logprobs
from precis.models import (
    RewardModel,
    add_adapter,
    init_model,
    load_policy,
    load_reward_model,
    reward_model_from_policy,
    save_policy,
    save_reward_model,
    warm_start_encoder_decoder,
)
from precis.models.initial import train_tokenizer
from tiny import BOS, EOS, PAD, TEXTS, random_groups, tiny_policy, tiny_tokenizer

GROUPS = random_groups([(6, (4, 2)), (3, (5,))])


def rewards(model: RewardModel) -> torch.Tensor:
    with torch.no_grad():
        found = sequence_logprobs(model, GROUPS, pad_id=PAD).rewards_BK
    assert found is not None
    return found


@pytest.mark.parametrize("architecture", ["llama", "bart", "t5"])
def test_the_same_texts_and_seed_give_the_same_files(architecture: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"size": "tiny", "vocab_size": 290, "context": 64, "architecture": architecture}
    random_before = torch.random.get_rng_state()
    first, second, other = (
        init_model(tmp_path / name, iter(TEXTS), seed=seed, **options) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert torch.equal(torch.random.get_rng_state(), random_before), "the caller's random numbers are not used up"
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()
    assert load_policy(first).fingerprint == load_policy(second).fingerprint != load_policy(other).fingerprint
    policy = load_policy(first)
    assert policy.is_encoder_decoder == (architecture != "llama")
    scored = sequence_logprobs(policy.model, GROUPS[:1], pad_id=PAD)
    uniform = -math.log(policy.model.config.vocab_size)
    assert float(scored.logps_BKT[0, 0].detach().mean()) == pytest.approx(uniform, rel=0.3)
    ids = policy.tokenizer("Anna waited.", return_tensors="pt").input_ids
    assert policy.model.generate(ids, max_new_tokens=3).shape[1] <= ids.shape[1] + 4


@pytest.mark.parametrize(
    ("size", "architecture", "millions"),
    [("tiny", "llama", 1.3), ("small", "llama", 13.8), ("tiny", "bart", 1.6), ("tiny", "t5", 1.3)],
)
def test_sizes_are_as_documented(size: str, architecture: str, millions: float) -> None:
    from precis.models.initial import _MAKERS, SIZES

    with torch.device("meta"):
        model = _MAKERS[architecture](SIZES[size], SIZES[size].vocabulary, 1024)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.15)


def test_every_text_can_be_spelt_and_words_stay_in_it() -> None:
    tokenizer = train_tokenizer(TEXTS, vocab_size=300, words=["#Person1#"], special_tokens=["<turn>"])
    strange = "#Person1#: שלום 🌵 naïve\n\tend  <turn>"
    ids = tokenizer(strange)["input_ids"]
    assert tokenizer.decode(ids) == strange
    assert tokenizer.decode(ids, skip_special_tokens=True) == strange.removesuffix("<turn>")
    assert ids[0] == tokenizer.convert_tokens_to_ids("#Person1#")
    assert tokenizer.convert_tokens_to_ids(["<pad>", "<bos>", "<eos>", "<sep>"]) == [0, 1, 2, 3]
    assert len(tokenizer) <= 300


@pytest.mark.parametrize(
    ("texts", "options", "words"),
    [
        (TEXTS, {"size": "huge"}, "no size 'huge'"),
        (TEXTS, {"architecture": "rwkv"}, "no architecture 'rwkv'"),
        (TEXTS, {"vocab_size": 100}, "at least|too small"),
        (TEXTS, {"context": 0}, "no room"),
        ([], {}, "too few"),
        (["", "."], {}, "too few"),
    ],
)
def test_mistakes_in_making_a_model(texts: Any, options: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        init_model(tmp_path / "model", texts, **options)
    assert not (tmp_path / "model").exists()


def test_the_reward_head_starts_as_the_paper_says() -> None:
    """N(0, 1/(d+1)): over many seeds, the mean square of the weights is 1/33 for width 32."""
    policy = tiny_policy("llama")
    heads = torch.cat([reward_model_from_policy(policy, seed=seed).head.weight for seed in range(40)])
    assert float(heads.detach().pow(2).mean()) == pytest.approx(1 / 33, rel=0.1)
    model = reward_model_from_policy(policy, seed=0)
    assert torch.equal(heads[0], model.head.weight[0])
    assert model.head.bias is None
    assert model.offset == 0
    with torch.no_grad():
        next(model.trunk.parameters()).zero_()
    assert float(next(policy.model.parameters()).detach().abs().max()) > 0, "the policy keeps its own weights"


@pytest.mark.parametrize("name", ["llama", "qwen2", "gpt2", "gemma3", "mistral"])
def test_a_decoder_only_reward_model_is_an_ordinary_classifier(name: str, tmp_path: Path) -> None:
    model = reward_model_from_policy(tiny_policy(name), seed=1)
    model.offset = 1.5
    folder = save_reward_model(model, tiny_tokenizer(), tmp_path / "reward")
    loaded = load_reward_model(folder)
    assert loaded.model.offset == 1.5
    assert (loaded.pad_id, loaded.eos_id, loaded.decoder_start_id) == (PAD, EOS, None)
    assert torch.equal(rewards(loaded.model), rewards(model))
    classifier = hf.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1).eval()
    rows = [(0, 0), (0, 1), (1, 0)]
    texts = [[*GROUPS[b].prefix_ids, *GROUPS[b].continuations[k]] for b, k in rows]
    longest = max(map(len, texts))
    ids = torch.tensor([[*text, *[PAD] * (longest - len(text))] for text in texts])
    with torch.no_grad():
        theirs = classifier(input_ids=ids, attention_mask=(ids != PAD).long()).logits[:, 0]
    ours = torch.stack([rewards(model)[b, k] for b, k in rows]) + 1.5
    assert torch.allclose(theirs, ours, atol=1e-5)


@pytest.mark.parametrize("name", ["bart", "t5", "bert2bert"])
def test_an_encoder_decoder_reward_model(name: str, tmp_path: Path) -> None:
    model = reward_model_from_policy(tiny_policy(name), seed=1)
    model.offset = -0.5
    folder = save_reward_model(model, tiny_tokenizer(), tmp_path / "reward")
    loaded = load_reward_model(folder)
    assert loaded.is_encoder_decoder
    assert loaded.decoder_start_id is not None
    assert loaded.model.offset == -0.5
    assert torch.equal(rewards(loaded.model), rewards(model))
    assert load_reward_model(folder).fingerprint == loaded.fingerprint


def test_weights_that_nothing_depends_on_are_not_trained() -> None:
    model = reward_model_from_policy(tiny_policy("bert2bert"))
    found = sequence_logprobs(model, GROUPS, pad_id=PAD).rewards_BK
    assert found is not None
    found.sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


def test_a_foreign_reward_model_and_a_head_with_a_bias(tmp_path: Path) -> None:
    model = RewardModel(tiny_policy("llama").model.model, torch.nn.Linear(32, 1), offset=0.25)
    save_reward_model(model, tiny_tokenizer(), tmp_path / "biased")
    assert torch.allclose(rewards(load_reward_model(tmp_path / "biased").model), rewards(model), atol=1e-6)
    (tmp_path / "biased" / "precis_reward.json").unlink()
    foreign = load_reward_model(tmp_path / "biased")
    assert foreign.model.offset == 0


def test_a_reward_model_from_an_adapted_policy_has_the_adapter_in_it() -> None:
    policy = tiny_policy("llama")
    base = rewards(reward_model_from_policy(policy))
    add_adapter(policy, rank=2)
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_" in name:
                parameter.normal_(0.0, 0.3)
    adapted = reward_model_from_policy(policy)
    assert not torch.allclose(rewards(adapted), base, atol=1e-3)
    assert not any("lora_" in name for name, _ in adapted.named_parameters())
    assert all(parameter.requires_grad for parameter in adapted.parameters())


def test_what_is_no_reward_model(tmp_path: Path) -> None:
    policy = tiny_policy("llama")
    save_policy(policy, tmp_path / "policy")
    with pytest.raises(UserError, match="is not a reward model"):
        load_reward_model(tmp_path / "policy")
    folder = save_reward_model(reward_model_from_policy(tiny_policy("t5")), tiny_tokenizer(), tmp_path / "t5")
    (folder / "precis_reward.json").write_text(json.dumps({"offset": "much"}))
    with pytest.raises(UserError, match="no number"):
        load_reward_model(folder)
    (folder / "head.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"damaged|cannot be loaded"):
        load_reward_model(folder)


def _tiny_bert(folder: Path) -> Path:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "anna", "waited", "."]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = hf.BertTokenizerFast(str(folder / "vocab.txt"))
    config = hf.BertConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=64, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    hf.BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_an_encoder_warm_starts_an_encoder_decoder(tmp_path: Path) -> None:
    source = _tiny_bert(tmp_path / "bert")
    first, second = (warm_start_encoder_decoder(source, tmp_path / name, seed=3) for name in "ab")
    policy = load_policy(first)
    assert policy.fingerprint == load_policy(second).fingerprint
    model: Any = policy.model
    assert isinstance(model, hf.EncoderDecoderModel)
    cls, sep, pad = policy.tokenizer.convert_tokens_to_ids(["[CLS]", "[SEP]", "[PAD]"])
    assert (policy.decoder_start_id, policy.eos_id, policy.pad_id) == (cls, sep, pad)
    weights = load_file(source / "model.safetensors")
    name = "encoder.layer.1.attention.self.query.weight"
    assert torch.equal(model.encoder.state_dict()[name], weights[name])
    assert torch.equal(model.decoder.bert.state_dict()[name], weights[name])
    head = model.decoder.cls.predictions.decoder.weight
    assert head is model.decoder.bert.embeddings.word_embeddings.weight
    assert head is not model.encoder.embeddings.word_embeddings.weight
    ids = policy.tokenizer("anna waited .", return_tensors="pt").input_ids
    written = model.generate(ids, max_new_tokens=5)
    assert written[0, 0] == cls
    scored = sequence_logprobs(model, random_like(policy), pad_id=pad)
    assert scored.implementation == "packed"
    (-scored.logps_BKT.sum()).backward()
    assert model.encoder.embeddings.word_embeddings.weight.grad is not None


def random_like(policy: Any) -> Any:
    from precis.render import TokenGroup

    return [TokenGroup("s", tuple(policy.tokenizer("anna waited .")["input_ids"]), ((7, 8, policy.eos_id), (9,)))]


def test_what_cannot_be_warm_started(tmp_path: Path) -> None:
    llama = init_model(tmp_path / "llama", TEXTS, size="tiny", vocab_size=290)
    with pytest.raises(UserError, match="BERT-like"):
        warm_start_encoder_decoder(llama, tmp_path / "out")
    with pytest.raises(UserError, match=r"no language-model head.*warm-started"):
        load_policy(_tiny_bert(tmp_path / "bert"))
    with pytest.raises(UserError, match=r"there is no folder|not a model folder"):
        warm_start_encoder_decoder(tmp_path / "no where", tmp_path / "out")


@pytest.mark.skipif(
    "PRECIS_MINILM" not in os.environ, reason="set PRECIS_MINILM to the folder of a MiniLM to warm-start a real one"
)
def test_a_real_encoder_warm_starts(tmp_path: Path) -> None:
    policy = load_policy(warm_start_encoder_decoder(os.environ["PRECIS_MINILM"], tmp_path / "model"))
    assert sum(p.numel() for p in policy.model.parameters()) == pytest.approx(49e6, rel=0.02)
    ids = policy.tokenizer("Anna asks Ben to bring the tickets.", return_tensors="pt").input_ids
    assert policy.model.generate(ids, max_new_tokens=5).shape[1] <= 6
    assert policy.decoder_start_id != BOS
