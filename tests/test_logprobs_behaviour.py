"""What scoring promises beyond equality: masks, counts, fallbacks, self-checks, clear errors, several devices' ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from precis.errors import UserError
from precis.logprobs import Scored, Scorer, score, sequence_logprobs, why_not
from precis.logprobs import packed as packed_module
from precis.models import RewardModel, add_adapter, disable_dropout, reward_model_from_policy
from precis.render import TokenGroup
from tiny import EOS, PAD, VOCABULARY, random_groups, tiny_model, tiny_policy

GROUPS = random_groups([(9, (4, 1, 6)), (5, (2, 3))])


def test_masks_and_padding() -> None:
    scored = sequence_logprobs(tiny_model("llama"), GROUPS, pad_id=PAD)
    assert scored.logps_BKT.shape == (2, 3, 6)
    assert scored.mask_BKT.sum(-1).tolist() == [[4, 1, 6], [2, 3, 0]]
    assert scored.mask_BK.tolist() == [[True, True, True], [True, True, False]]
    assert (scored.logps_BKT[~scored.mask_BKT] == 0).all()
    assert (scored.logps_BKT[scored.mask_BKT] < 0).all()


def test_counts_of_tokens() -> None:
    """By hand: 9 + (3 + 0 + 5) and 5 + (1 + 2) tokens, as a last token predicts nothing; repeated, 3×9+11 and 2×5+5."""
    scored = sequence_logprobs(tiny_model("llama"), GROUPS, pad_id=PAD)
    assert (scored.tokens_forwarded, scored.tokens_repeated) == (17 + 8, 38 + 15)
    with_states = sequence_logprobs(tiny_model("llama"), GROUPS, pad_id=PAD, last_hidden=True)
    assert with_states.tokens_forwarded == 9 + 11 + 5 + 5
    bart = sequence_logprobs(tiny_model("bart"), GROUPS, pad_id=PAD)
    assert bart.tokens_forwarded == 9 + 11 + 5 + 5  # the decoder's start token in place of the last


@pytest.mark.parametrize("name", ["llama", "gpt2", "bart", "bert2bert"])
def test_what_stands_in_padding_does_not_matter(name: str) -> None:
    model = tiny_model(name, dtype=torch.float64)
    for way in ("repeated", "packed"):
        a, b = (sequence_logprobs(model, GROUPS, pad_id=pad, implementation=way) for pad in (PAD, 77))  # type: ignore
        assert torch.equal(a.logps_BKT, b.logps_BKT)
        alone = sequence_logprobs(model, GROUPS[1:], pad_id=PAD, implementation=way)  # type: ignore[arg-type]
        assert torch.allclose(alone.logps_BKT, a.logps_BKT[1:, :2, :3], rtol=0, atol=1e-6)


def test_temperature_divides_the_logits() -> None:
    model = tiny_model("llama", dtype=torch.float64)
    group = TokenGroup("s", (5, 6), ((7, EOS),))
    scored = sequence_logprobs(model, [group], pad_id=PAD, temperature=0.5)
    logits = model(input_ids=torch.tensor([[5, 6, 7]])).logits[0, 1:] / 0.5
    expected = logits.log_softmax(-1)[torch.arange(2), torch.tensor([7, EOS])]
    assert torch.allclose(scored.logps_BKT[0, 0], expected, atol=1e-12)


def test_entropy_and_mean_are_those_of_the_distribution() -> None:
    model = tiny_model("llama", dtype=torch.float64)
    group = TokenGroup("s", (5, 6), ((7, EOS),))
    scored = sequence_logprobs(model, [group], pad_id=PAD, entropy=True, mean_logps=True)
    logps = model(input_ids=torch.tensor([[5, 6, 7]])).logits[0, 1:].log_softmax(-1)
    assert scored.entropy_BKT is not None
    assert scored.mean_logps_BKT is not None
    assert torch.allclose(scored.entropy_BKT[0, 0], -(logps.exp() * logps).sum(-1), atol=1e-12)
    assert torch.allclose(scored.mean_logps_BKT[0, 0], logps.mean(-1), atol=1e-12)


@pytest.mark.parametrize("name", ["llama", "gpt2", "bart", "t5"])
@pytest.mark.parametrize("way", ["repeated", "packed", "cached"])
def test_rewards_read_each_candidates_last_token(name: str, way: Any) -> None:
    model = reward_model_from_policy(tiny_policy(name, dtype=torch.float64), seed=3)
    model.offset = 0.25
    scored = sequence_logprobs(model, GROUPS, pad_id=PAD, implementation=way)
    assert scored.rewards_BK is not None
    assert scored.logps_BKT.isnan().all(), "a reward model has no log-probs: they are absent, not 0"
    for b, group in enumerate(GROUPS):
        for k, continuation in enumerate(group.continuations):
            if name in ("bart", "t5"):
                start = model.trunk.config.decoder_start_token_id
                inputs = {"input_ids": [group.prefix_ids], "decoder_input_ids": [(start, *continuation)]}
            else:
                inputs = {"input_ids": [(*group.prefix_ids, *continuation)]}
            hidden = model.trunk(**{key: torch.tensor(ids) for key, ids in inputs.items()}).last_hidden_state
            expected = hidden[0, -1] @ model.head.weight[0] - 0.25
            assert abs(float((scored.rewards_BK[b, k] - expected).detach())) < 1e-6
    assert float(scored.rewards_BK[1, 2].detach()) == 0.0


def test_reward_gradients_reach_trunk_and_head() -> None:
    model = reward_model_from_policy(tiny_policy("llama"))
    rewards = sequence_logprobs(model, GROUPS, pad_id=PAD).rewards_BK
    assert rewards is not None
    (rewards[0, 0] - rewards[0, 1]).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and float(p.grad.abs().max()) > 0 for p in model.parameters())


def test_lora_adapters_are_part_of_packed_scores() -> None:
    policy = tiny_policy("llama", dtype=torch.float64)
    before = sequence_logprobs(policy.model, GROUPS, pad_id=PAD).logps_BKT
    add_adapter(policy, rank=2)
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_" in name:
                parameter.normal_(0.0, 0.3)
    packed = sequence_logprobs(policy.model, GROUPS, pad_id=PAD)
    repeated = sequence_logprobs(policy.model, GROUPS, pad_id=PAD, implementation="repeated")
    assert packed.implementation == "packed"
    assert float((packed.logps_BKT - before).detach().abs().max()) > 1e-2
    assert torch.allclose(packed.logps_BKT, repeated.logps_BKT, atol=1e-6)


def test_dropout_is_off_after_disable_dropout_and_on_before() -> None:
    config = hf.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        attention_dropout=0.5,
    )  # fmt: skip
    for model in (hf.LlamaForCausalLM(config), tiny_model("bart"), tiny_model("bert2bert")):
        model.train()
        a, b = (sequence_logprobs(model, GROUPS, pad_id=PAD).logps_BKT for _ in range(2))
        assert not torch.equal(a, b), "training may ask for dropout"
        disable_dropout(model)
        a, b = (sequence_logprobs(model, GROUPS, pad_id=PAD).logps_BKT for _ in range(2))
        assert torch.equal(a, b)
        assert model.training


@torch.no_grad()
def _difference(a: Scored, b: Scored) -> float:
    return float((a.logps_BKT - b.logps_BKT).abs().max())


@pytest.mark.parametrize("name", ["llama", "gemma3", "bart", "t5", "bert2bert"])
def test_bfloat16_is_near_float32(name: str) -> None:
    model = tiny_model(name, spread=0.1)
    exact = sequence_logprobs(model, GROUPS, pad_id=PAD)
    model.bfloat16()
    for way in ("packed", "repeated", "cached"):
        rough = sequence_logprobs(model, GROUPS, pad_id=PAD, implementation=way)  # type: ignore[arg-type]
        assert rough.logps_BKT.dtype == torch.float32
        assert _difference(rough, exact) < 0.15
    with torch.autocast("cpu", torch.bfloat16):
        mixed = sequence_logprobs(model.float(), GROUPS, pad_id=PAD)
    assert _difference(mixed, exact) < 0.15
    mixed.logps_BKT.sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters())


def _mamba() -> Any:
    return hf.MambaForCausalLM(hf.MambaConfig(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=1, state_size=4))


def _bloom() -> Any:
    return hf.BloomForCausalLM(hf.BloomConfig(vocab_size=VOCABULARY, hidden_size=16, n_layer=1, n_head=2))


def _yarn() -> Any:
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}
    return hf.LlamaForCausalLM(
        hf.LlamaConfig(
            vocab_size=VOCABULARY, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            rope_parameters=rope,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("make", "word"), [(_mamba, "state"), (_bloom, "position"), (_yarn, "longest"), ("led", "positions")]
)
def test_architectures_that_cannot_share_fall_back_and_say_why(make: Any, word: str) -> None:
    if make == "led":
        halves = {f"{half}_{what}": 2 for half in ("encoder", "decoder") for what in ("layers", "attention_heads")}
        model: Any = hf.LEDForConditionalGeneration(
            hf.LEDConfig(
                vocab_size=VOCABULARY, d_model=16, encoder_ffn_dim=16, decoder_ffn_dim=16, attention_window=4,
                max_encoder_position_embeddings=64, max_decoder_position_embeddings=64, **halves,
            )
        )  # fmt: skip
    else:
        model = make()
    model.eval()
    scored = sequence_logprobs(model, GROUPS, pad_id=PAD)
    assert scored.implementation == "repeated"
    assert word in scored.reason
    with pytest.raises(UserError, match=word):
        sequence_logprobs(model, GROUPS, pad_id=PAD, implementation="packed")


def test_the_self_check_catches_a_wrong_packing(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    model = tiny_model("llama")
    give = packed_module.Picks.give
    monkeypatch.setattr(packed_module.Picks, "give", lambda picks, states, hidden: give(picks, states, hidden * 1.1))
    monkeypatch.setenv("PRECIS_SELF_CHECK", "1")
    scored = sequence_logprobs(model, GROUPS, pad_id=PAD)
    assert scored.implementation == "repeated"
    assert "differ" in scored.reason
    assert "llama" in caplog.text
    with pytest.raises(UserError, match="differ"):
        sequence_logprobs(model, GROUPS, pad_id=PAD, implementation="packed")
    assert "differ" in why_not(model)


def test_the_self_check_lets_a_right_packing_pass() -> None:
    for name in ("llama", "bart"):
        scored = sequence_logprobs(tiny_model(name), GROUPS, pad_id=PAD, self_check=True)
        assert scored.implementation == "packed"


def test_a_family_that_no_test_covers_is_checked_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    monkeypatch.setattr(score, "VERIFIED", frozenset())
    monkeypatch.setattr(score, "_self_check", lambda *args: checked.append(1) or "it differs")
    model = tiny_model("llama")
    for _ in range(2):
        assert sequence_logprobs(model, GROUPS, pad_id=PAD).reason == "it differs"
    assert len(checked) == 1


def test_a_model_whose_logits_we_do_not_know_uses_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("llama")
    expected = sequence_logprobs(model, GROUPS, pad_id=PAD)
    monkeypatch.setattr(score, "lm_head_of", lambda _: None)
    scored = sequence_logprobs(model, GROUPS, pad_id=PAD)
    assert scored.implementation == "repeated"
    assert "logits" in scored.reason
    assert torch.allclose(scored.logps_BKT, expected.logps_BKT, atol=1e-5)


GOOD = TokenGroup("s1", (5, 6), ((7, EOS),))


@pytest.mark.parametrize(
    ("name", "groups", "words"),
    [
        ("llama", [], "nothing to score"),
        ("llama", [TokenGroup("s1", (), ((7,),))], "s1 has an empty prefix"),
        ("llama", [TokenGroup("s1", (5,), ())], "s1 has no candidates"),
        ("llama", [TokenGroup("s1", (5,), ((7,), ()))], "candidate 1 of source s1 has no tokens"),
        ("llama", [GOOD, TokenGroup("s2", (5, 320), ((7,),))], "token id 320.*ends at 319"),
        ("llama", [TokenGroup("s1", (5,) * 120, ((7,) * 9,))], "120 prefix tokens and 9.*129.*end at 128"),
        ("bart", [TokenGroup("s1", (5,) * 129, ((7,),))], "129 tokens.*encoder's positions end at 128"),
        ("bart", [TokenGroup("s1", (5,), ((7,) * 130,))], "130 tokens.*decoder's positions end at 128"),
    ],
)
def test_groups_that_cannot_be_scored_are_named(name: str, groups: list[TokenGroup], words: str) -> None:
    with pytest.raises(UserError, match=words):
        sequence_logprobs(tiny_model(name), groups, pad_id=PAD)


def test_relative_positions_have_no_end() -> None:
    long = TokenGroup("s1", (5,) * 200, ((7,) * 150,))
    assert sequence_logprobs(tiny_model("t5"), [long], pad_id=PAD).mask_BKT.sum() == 150


def test_prefix_logps_are_of_decoder_only_language_models() -> None:
    for model in (tiny_model("bart"), reward_model_from_policy(tiny_policy("llama"))):
        with pytest.raises(UserError, match="prefix"):
            sequence_logprobs(model, GROUPS, pad_id=PAD, prefix_logps=True)


def test_a_scorer_can_be_wrapped_for_several_processes(tmp_path: Path) -> None:
    model = tiny_model("llama")
    expected = sequence_logprobs(model, GROUPS, pad_id=PAD).logps_BKT
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        wrapped = torch.nn.parallel.DistributedDataParallel(Scorer(model))
        scored = wrapped(GROUPS, pad_id=PAD)
        scored.logps_BKT.sum().backward()
    finally:
        torch.distributed.destroy_process_group()
    assert torch.equal(scored.logps_BKT, expected)
    assert all(p.grad is not None for p in model.parameters())


def test_a_reward_model_is_recognised_inside_a_scorer() -> None:
    model = RewardModel(tiny_model("llama").model, torch.nn.Linear(32, 1))
    assert Scorer(model)(GROUPS, pad_id=PAD).rewards_BK is not None
