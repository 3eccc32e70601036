"""PPO and RLOO on the one loop: where they begin, what they learn, how they fail and how they go on."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from precis.errors import UserError
from precis.logprobs import sequence_logprobs
from precis.models import Policy, load_reward_model, reward_model_from_policy, save_reward_model, value_head_on
from precis.models.adapters import add_adapter, base_weights
from precis.records import Document, Group
from precis.render import Renderer, TokenGroup, template_named
from precis.training import OnlineConfig
from precis.training.rollouts import load_rollouts
from tiny import TEXTS, tiny_policy
from training_toys import go_online, letters

DOCUMENTS = [Group(Document(text), ()) for text in TEXTS]


def renderer(policy: Policy) -> Renderer:
    return Renderer(policy.tokenizer, template_named("separator"), max_prefix_tokens=64)


def run(folder: Path, *, policy: Policy | None = None, **changes: Any) -> Any:
    policy = policy or tiny_policy()
    result, value = go_online(folder, policy, **changes)
    return result, policy, value


def lines(folder: Path, split: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in found if line["split"] == split]


def test_it_begins_where_the_policy_and_the_reward_model_are(tmp_path: Path) -> None:
    before = reward_model_from_policy(tiny_policy(), seed=1)
    run(tmp_path, iterations=1, passes=1)
    (rollout,) = lines(tmp_path, "rollout")
    assert rollout["kl"] == pytest.approx(0.0, abs=1e-5)
    assert rollout["reward"] == pytest.approx(rollout["reward"] if rollout["unfinished"] else rollout["score"])
    (step,) = lines(tmp_path, "train")
    assert step["ratio"] == pytest.approx(1.0, abs=1e-5) and step["approx_kl"] == pytest.approx(0.0, abs=1e-9)
    assert step["clip_fraction"] == 0 and step["value_clip_fraction"] == 0
    written = load_rollouts(tmp_path / "rollouts" / "iteration-00000000.safetensors")
    assert written is not None
    for group in written:
        prefix = renderer(tiny_policy()).prefix(next(g.source for g in DOCUMENTS if g.source.id == group.source_id))
        tokens = TokenGroup("x", prefix.ids, tuple(map(tuple, group.ids)))
        with torch.no_grad():
            scored = sequence_logprobs(before, [tokens], pad_id=0, values=True)
        assert scored.values_BKT is not None and group.values is not None
        assert torch.allclose(scored.values_BKT[0][scored.mask_BKT[0]], group.values, atol=1e-5)
        assert torch.equal(group.logps, group.reference_logps)


def test_a_value_head_can_share_the_policys_trunk(tmp_path: Path) -> None:
    policy = tiny_policy()
    value = value_head_on(policy, seed=3)
    assert next(value.trunk.parameters()) is next(policy.model.parameters())
    before = [parameter.detach().clone() for parameter in value.parameters()]
    go_online(tmp_path, policy, value=value, iterations=1, learning_rate=1e-3)
    for was, now in zip(before, value.parameters(), strict=True):
        assert not torch.equal(was, now)
    assert next(value.trunk.parameters()) is next(policy.model.parameters())


def test_a_t5_cannot_share_its_trunk() -> None:
    with pytest.raises(UserError, match="cannot share its trunk"):
        value_head_on(tiny_policy("t5"))


@pytest.mark.parametrize("ppo", [True, False], ids=["ppo", "rloo"])
def test_the_policy_learns_what_is_rewarded(tmp_path: Path, ppo: bool) -> None:
    changes = {"iterations": 14, "documents": 5, "k": 8, "beta": 0.01, "learning_rate": 1e-2, "eos_penalty": False}
    _, _, value = run(tmp_path / "a", ppo=ppo, temperature=1.0, **changes)
    scores = [line["score"] for line in lines(tmp_path / "a", "rollout")]
    assert sum(scores[-3:]) / 3 > 4 * max(0.1, sum(scores[:2]) / 2)
    assert lines(tmp_path / "a", "rollout")[-1]["kl"] > 1
    if value is not None:
        errors = [abs(line["value_error"]) for line in lines(tmp_path / "a", "train")]
        assert sum(errors[-4:]) < sum(errors[:4]) or sum(errors[-4:]) / 4 < 0.5


def test_how_a_step_is_cut_into_batches_changes_nothing(tmp_path: Path) -> None:
    _, one, _ = run(tmp_path / "one", iterations=1, tokens_per_batch=4096, learning_rate=1e-3)
    _, many, _ = run(tmp_path / "many", iterations=1, tokens_per_batch=8, learning_rate=1e-3)
    for a, b in zip(one.model.parameters(), many.model.parameters(), strict=True):
        assert torch.allclose(a, b, atol=2e-4)


def test_a_reward_that_fails_stops_the_run_and_nothing_is_asked_twice(tmp_path: Path) -> None:
    asked: list[str] = []

    def counted(document: str, summaries: Sequence[str]) -> list[float]:
        asked.append(document)
        return letters(document, summaries)

    def failing(document: str, summaries: Sequence[str]) -> list[float]:
        if len(asked) == 7:
            raise ConnectionError("the judge is away")
        return counted(document, summaries)

    failing.__qualname__ = counted.__qualname__ = "counted"
    _, whole, _ = run(tmp_path / "whole", reward=counted, iterations=4, checkpoint_every=1)
    assert len(asked) == 12
    asked.clear()
    with pytest.raises(UserError, match=r"the reward counted failed on source .*: ConnectionError: the judge is away"):
        run(tmp_path / "failed", reward=failing, iterations=4, checkpoint_every=1)
    asked.clear()
    result, resumed, _ = run(tmp_path / "failed", reward=counted, iterations=4, checkpoint_every=1, resume=True)
    assert len(asked) == 6 and result.steps == 8
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert [line["score"] for line in lines(tmp_path / "failed", "rollout")] == [
        line["score"] for line in lines(tmp_path / "whole", "rollout")
    ]


def test_a_policy_that_never_ends_its_summaries_is_stopped_with_the_reason(tmp_path: Path) -> None:
    result, _, _ = run(tmp_path, iterations=9, max_new_tokens=2, guards=OnlineConfig(max_kl=None).guards, beta=0.0)
    assert result.stopped == "collapse" and "rollout/unfinished 1 is above 0.99" in result.reason


def test_a_policy_that_ends_at_once_is_counted_and_stopped(tmp_path: Path) -> None:
    policy = tiny_policy()
    policy.model.lm_head = torch.nn.Linear(32, policy.model.config.vocab_size)
    with torch.no_grad():
        policy.model.lm_head.bias[policy.eos_id] = 50

    def judged(document: str, summaries: Sequence[str]) -> list[float | None]:
        return [None for _ in summaries]

    result, _, _ = run(tmp_path, policy=policy, reward=judged, iterations=9, guards=OnlineConfig(max_kl=None).guards)
    assert result.stopped == "collapse" and "rollout/unscored 1 is above 0.9" in result.reason
    assert "score" not in lines(tmp_path, "rollout")[0] and lines(tmp_path, "rollout")[0]["unscored"] == 1


def test_an_unfinished_summary_gets_the_penalty_and_others_their_score(tmp_path: Path) -> None:
    run(tmp_path, iterations=1, penalty=-7.0, beta=0.0, reward=lambda d, s: [5.0] * len(s), temperature=3.0)
    (line,) = lines(tmp_path, "rollout")
    assert line["score"] == 5 and line["reward"] == pytest.approx(5 - 12 * line["unfinished"])


def test_under_lora_the_base_weights_are_the_reference(tmp_path: Path) -> None:
    policy = tiny_policy()
    base = {name: value.clone() for name, value in policy.model.state_dict().items()}
    add_adapter(policy, rank=4)
    lengths = {"reward": lambda d, s: [float(len(text)) for text in s], "eos_penalty": False}
    run(tmp_path, policy=policy, ppo=False, iterations=3, learning_rate=2e-2, **lengths)
    kl = [line["kl"] for line in lines(tmp_path, "rollout")]
    assert kl[0] == pytest.approx(0.0, abs=1e-6) and abs(kl[-1]) > 1e-4
    with base_weights(policy):
        inner = policy.model.get_base_model().state_dict()
    for name, value in base.items():
        wrapped = name.replace(".weight", ".base_layer.weight")
        assert torch.equal(value, inner[wrapped if wrapped in inner else name])


def test_the_value_network_is_saved_and_loaded_like_any_reward_model(tmp_path: Path) -> None:
    _, policy, value = run(tmp_path / "run", iterations=1)
    save_reward_model(value, policy.tokenizer, tmp_path / "value")
    loaded = load_reward_model(tmp_path / "value")
    tokens = [TokenGroup("x", (5, 6, 7), ((8, 9, 2),))]
    with torch.no_grad():
        a, b = (sequence_logprobs(m.eval(), tokens, pad_id=0, values=True).values_BKT for m in (value, loaded.model))
    assert a is not None and b is not None and torch.allclose(a, b, atol=1e-6)


def test_a_killed_iteration_leaves_no_half_of_its_rollouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def full(source: Path, target: Path) -> None:
        if "rollouts" in str(target):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="the rollouts could not be written"):
        run(tmp_path, iterations=1)
    monkeypatch.undo()
    result, _, _ = run(tmp_path, iterations=1, resume=True)
    assert result.stopped == "finished"
    weights = load_file(result.checkpoint / "weights.safetensors")
    assert {name.split(".")[0] for name in weights} == {"policy", "value"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"k": 1, "ppo": False}, "set k to at least 2"),
        ({"documents": 6}, "5 documents are fewer than the 6"),
        ({"temperature": 0.0}, "setting temperature: expected above 0"),
        ({"lam": 1.5}, "setting lam: expected from 0 to 1"),
        ({"minibatches": 4}, "3 documents an iteration cannot be cut into 4"),
    ],
)
def test_settings_that_make_no_sense_together(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        run(tmp_path, **changes)
