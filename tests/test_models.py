"""Model folders: loaded, checked, saved and named; PAD, adapters; every mistake one sentence."""

from __future__ import annotations

import json
import resource
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from permissions import as_nobody
from precis.errors import UserError
from precis.logprobs import sequence_logprobs
from precis.models import Policy, add_adapter, base_weights, init_model, load_policy, save_policy, use_adapter
from precis.models.initial import train_tokenizer
from tiny import BOS, DECODERS, ENCODER_DECODERS, EOS, PAD, TEXTS, random_groups, tiny_model, tiny_policy

GROUPS = random_groups([(6, (4, 2)), (3, (5,))])


def logps(policy: Policy, **options: Any) -> torch.Tensor:
    with torch.no_grad():
        return sequence_logprobs(policy.model, GROUPS, pad_id=policy.pad_id, **options).logps_BKT


def own_policy(name: str = "llama", **options: Any) -> Policy:
    """With a tokenizer that the test may change."""
    policy = tiny_policy(name, **options)
    policy.tokenizer = train_tokenizer(TEXTS, vocab_size=300)
    return policy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_policy(own_policy(), tmp_path / "model")


@pytest.mark.parametrize("name", [*DECODERS, *ENCODER_DECODERS])
def test_saving_and_loading_changes_nothing(name: str, tmp_path: Path) -> None:
    policy = own_policy(name)
    path = save_policy(policy, tmp_path / "model")
    assert policy.path == path
    loaded = load_policy(path)
    assert loaded.fingerprint == policy.fingerprint
    assert type(loaded.model) is type(policy.model)
    assert loaded.model.dtype == torch.float32
    assert not loaded.model.training
    assert (loaded.pad_id, loaded.eos_id) == (PAD, EOS)
    assert loaded.is_encoder_decoder == (name in ENCODER_DECODERS)
    if name != "gemma2":  # whose eager attention was chosen after loading
        assert torch.equal(logps(loaded), logps(policy))
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"], "nothing half-written is left"


def test_an_ordinary_folder(folder: Path) -> None:
    model = hf.AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    assert (model.generation_config.eos_token_id, model.generation_config.pad_token_id) == (EOS, PAD)
    assert tokenizer.decode(tokenizer("Anna asks Ben")["input_ids"]) == "Anna asks Ben"
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".safetensors", ".jinja"}


def test_fingerprints_name_weights_and_configuration(folder: Path, tmp_path: Path) -> None:
    first = load_policy(folder).fingerprint
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(folder, copy)
    assert load_policy(copy).fingerprint == first
    changed = load_policy(copy)
    with torch.no_grad():
        next(changed.model.parameters())[0, 0] += 1e-3
    save_policy(changed, copy)
    assert changed.fingerprint != first
    assert load_policy(copy).fingerprint == changed.fingerprint
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.1}))
    assert load_policy(folder).fingerprint != first


def test_number_formats(folder: Path) -> None:
    assert load_policy(folder, dtype="bfloat16").model.dtype == torch.bfloat16
    assert load_policy(folder, dtype=torch.float64).model.dtype == torch.float64
    with pytest.raises(UserError, match="no number format 'int8'"):
        load_policy(folder, dtype="int8")
    with pytest.raises(UserError, match="no device"):
        load_policy(folder, device="nowhere")


@pytest.mark.parametrize("name", ["gpt2", "llama", "bart", "bert2bert"])
@pytest.mark.parametrize("pad", [None, "<eos>"])
def test_pad_is_given_where_it_is_missing_or_ends_texts(name: str, pad: str | None, tmp_path: Path) -> None:
    """The vocabulary grows by one row, tied or not; log-probs move by less than ln(1 + 1/V)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend: Any = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(["<eos>", *alphabet])}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer: Any = hf.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>", pad_token=pad)
    policy = tiny_policy(name, dtype=torch.float64)
    halves = [policy.model.encoder, policy.model.decoder] if name == "bert2bert" else [policy.model]
    for half in halves:
        half.resize_token_embeddings(257)
    policy.tokenizer = tokenizer
    groups = random_groups([(6, (4, 2))])
    groups = [type(g)(g.source_id, tuple(i % 257 for i in g.prefix_ids), ((1, 2, 0), (5, 0))) for g in groups]
    before = sequence_logprobs(policy.model, groups, pad_id=7).logps_BKT
    path = save_policy(policy, tmp_path / "model")
    loaded = load_policy(path, dtype=torch.float64)
    assert loaded.pad_id == 257 != loaded.eos_id == 0
    again = load_policy(save_policy(loaded, tmp_path / "again"), dtype=torch.float64)
    for found in (loaded, again):
        inner: Any = found.model.decoder if name == "bert2bert" else found.model
        assert inner.get_input_embeddings().weight.shape[0] == 258
        assert inner.get_output_embeddings().weight.shape[0] == 258
        tied = inner.get_input_embeddings().weight is inner.get_output_embeddings().weight
        assert tied == (name != "llama" or bool(inner.config.tie_word_embeddings))
        assert found.model.config.pad_token_id == found.model.generation_config.pad_token_id == 257
        after = sequence_logprobs(found.model, groups, pad_id=257).logps_BKT
        assert float((before - after).detach().abs().max()) < 1 / 257
        assert float((before - after).detach().min()) >= 0
    assert torch.equal(logps_of(loaded, groups), logps_of(again, groups))


@torch.no_grad()
def logps_of(policy: Policy, groups: Any) -> torch.Tensor:
    return sequence_logprobs(policy.model, groups, pad_id=policy.pad_id).logps_BKT


def _no_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


def _foreign_tokenizer(folder: Path) -> None:
    train_tokenizer([text + text[::-1] for text in TEXTS], vocab_size=400).save_pretrained(str(folder))


def _cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def _lacking_weights(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _wrong_shape(folder: Path) -> None:
    _edit(folder, hidden_size=64)


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _edit(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))


MISTAKES: dict[str, tuple[Any, str]] = {
    "no tokenizer": (_no_tokenizer, "has no tokenizer"),
    "another model's tokenizer": (_foreign_tokenizer, "is not this model's.*and the model has 320 embeddings"),
    "cut weights": (_cut_weights, "damaged or cut short"),
    "lacking weights": (_lacking_weights, "lack 1 of the model's tensors.*up_proj"),
    "weights of another shape": (_wrong_shape, "cannot be loaded"),
    "pickled weights": (_pickled, "pickled weights only"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "has no weights"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
    "broken config": (lambda folder: (folder / "config.json").write_text("{"), "config.json cannot be read"),
    "a list as config": (lambda folder: (folder / "config.json").write_text("[]"), "does not hold a JSON object"),
    "broken tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{"), "cannot be loaded"),
    "unknown model type": (lambda folder: _edit(folder, model_type="nosuch", auto_map={}), "trust_remote_code"),
    "a classifier": (lambda folder: _edit(folder, architectures=["LlamaForSequenceClassification"]), "reward model"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_is_one_sentence(mistake: str, folder: Path) -> None:
    spoil, words = MISTAKES[mistake]
    spoil(folder)
    with pytest.raises(UserError, match=words) as caught:
        load_policy(folder)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for name in (str(tmp_path / "nothing"), "somebody/no-such-model"):
        with pytest.raises(UserError, match="there is no folder"):
            load_policy(name)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        load_policy(tmp_path / "file")


def test_saving_is_whole_or_not_at_all(folder: Path, tmp_path: Path) -> None:
    policy = load_policy(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fails(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="cannot be written: No space left"):
        save_policy(policy, folder, beside=fails)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    save_policy(policy, folder, beside=lambda partial: (partial / "more.json").write_text("{}") and None)
    assert (folder / "more.json").is_file()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="is not a model folder"):
        save_policy(policy, tmp_path / "precious")
    assert (tmp_path / "precious" / "thesis.txt").is_file()


def test_weights_that_the_disk_refuses_leave_the_old_model(folder: Path, tmp_path: Path) -> None:
    """The library that writes weights has errors of its own; this limit gives them as a full disk does."""
    policy = load_policy(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(UserError, match=r"cannot be written: .*File too large"):
            save_policy(policy, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_read_only_place(folder: Path) -> None:
    policy = load_policy(folder)
    closed = Path(tempfile.mkdtemp())  # pytest's own are closed to other users
    try:
        closed.chmod(0o555)

        def save() -> None:
            with pytest.raises(UserError, match="cannot be written"):
                save_policy(policy, closed / "model")

        as_nobody(save)
        assert not any(closed.iterdir())
    finally:
        shutil.rmtree(closed)


@pytest.mark.parametrize("name", ["llama", "gpt2", "bart", "bert2bert"])
def test_adapters(name: str, tmp_path: Path) -> None:
    policy = own_policy(name)
    save_policy(policy, tmp_path / "base")
    base = logps(policy)
    add_adapter(policy, "first", rank=2)
    assert torch.equal(logps(policy), base), "a new adapter changes nothing"
    _train_adapter(policy)
    first = logps(policy)
    assert not torch.equal(first, base)
    with base_weights(policy):
        assert torch.equal(logps(policy), base), "to the bit"
    assert torch.equal(logps(policy), first)
    add_adapter(policy, "second", rank=2, seed=1)
    assert torch.equal(logps(policy), base)
    _train_adapter(policy, rate=-0.5)
    second = logps(policy)
    use_adapter(policy, "first")
    assert torch.equal(logps(policy), first)
    assert not torch.equal(first, second)
    trainable = [n for n, p in policy.model.named_parameters() if p.requires_grad]
    assert trainable
    assert all("first" in n for n in trainable)
    with base_weights(policy):
        pass
    assert [n for n, p in policy.model.named_parameters() if p.requires_grad] == trainable
    saved = save_policy(policy, tmp_path / "adapter")
    assert not (saved / "model.safetensors").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        loaded = load_policy(saved)
    assert torch.equal(logps(loaded), first)
    assert loaded.fingerprint == policy.fingerprint
    assert any(p.requires_grad for p in loaded.model.parameters())
    merged = load_policy(save_policy(policy, tmp_path / "merged", merged=True))
    assert type(merged.model).__name__ == type(tiny_model(name)).__name__
    assert torch.allclose(logps(merged), first, atol=1e-4)
    assert torch.equal(logps(policy), first), "merging works on a copy"
    for wrong in ("third", "default"):
        with pytest.raises(UserError, match="no adapter"):
            use_adapter(policy, wrong)
    with pytest.raises(UserError, match="already"):
        add_adapter(policy, "second")


def _train_adapter(policy: Policy, rate: float = 0.5) -> None:
    optimizer = torch.optim.SGD([p for p in policy.model.parameters() if p.requires_grad], lr=abs(rate))
    for _ in range(2):
        loss = sequence_logprobs(policy.model, GROUPS, pad_id=PAD).logps_BKT.mean() * (1 if rate > 0 else -1)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()


def test_an_adapter_whose_base_is_gone(tmp_path: Path) -> None:
    policy = own_policy()
    save_policy(policy, tmp_path / "base")
    add_adapter(policy, rank=2)
    save_policy(policy, tmp_path / "adapter")
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(UserError, match="base model of the adapter"):
        load_policy(tmp_path / "adapter")


def test_without_adapters_base_weights_are_the_weights() -> None:
    policy = tiny_policy()
    with base_weights(policy):
        assert logps(policy).shape == (2, 2, 5)
    with pytest.raises(UserError, match="it has none"):
        use_adapter(policy, "first")


def test_decoder_start() -> None:
    assert tiny_policy("llama").decoder_start_id is None
    assert tiny_policy("bert2bert").decoder_start_id == BOS


def test_init_then_load(tmp_path: Path) -> None:
    policy = load_policy(init_model(tmp_path / "model", TEXTS, size="tiny", vocab_size=300))
    assert (policy.pad_id, policy.eos_id, policy.max_positions) == (PAD, EOS, 1024)
