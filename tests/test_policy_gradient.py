"""Advantages, PPO's and RLOO's losses, rewards: against naive definitions and numbers worked by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from precis.errors import UserError
from precis.judges.length import LengthJudge
from precis.judges.random import RandomJudge
from precis.logprobs import Scored, sequence_logprobs
from precis.models import RewardModel
from precis.objectives import Objective, Rollout, Targets, ppo, rloo
from precis.records import Candidate, Document, Group, Maker
from precis.render import TokenGroup
from precis.training.advantages import gae, leave_one_out, token_rewards, whiten
from precis.training.rewarding import rewards_of
from training_toys import PAD, tiny_llama, tiny_reward_model


def naive_gae(rewards: Sequence[float], values: Sequence[float], gamma: float, lam: float) -> list[float]:
    """The definition: A_t = Σ_s (γλ)^(s−t) · δ_s."""
    after = [*values[1:], 0.0]
    delta = [r + gamma * v_next - v for r, v, v_next in zip(rewards, values, after)]
    return [sum((gamma * lam) ** (s - t) * delta[s] for s in range(t, len(delta))) for t in range(len(delta))]


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    gamma=st.floats(0, 1),
    lam=st.floats(0, 1),
    padding=st.integers(0, 3),
    seed=st.integers(0, 999),
)
def test_advantages_equal_their_definition_whatever_stands_in_the_padding(
    lengths: list[int], gamma: float, lam: float, padding: int, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    width = max(lengths) + padding
    mask = torch.arange(width) < torch.tensor(lengths)[:, None]
    rewards, values = (torch.randn(len(lengths), width, generator=draw, dtype=torch.float64) for _ in range(2))
    advantages, returns = gae(rewards, values, mask, gamma=gamma, lam=lam)
    for row, length in enumerate(lengths):
        expected = naive_gae(rewards[row, :length].tolist(), values[row, :length].tolist(), gamma, lam)
        assert advantages[row, :length].tolist() == pytest.approx(expected, abs=1e-9)
        assert not advantages[row, length:].any() and not returns[row, length:].any()
    assert torch.allclose(returns[mask], (advantages + values)[mask])


def test_the_score_stands_at_the_last_token_and_the_kl_penalty_at_each() -> None:
    mask = torch.tensor([[True, True, True], [True, False, False]])
    logps = torch.tensor([[-1.0, -2.0, -3.0], [-1.0, 9.0, 9.0]])
    reference = torch.tensor([[-1.5, -2.0, -2.0], [-3.0, 0.0, 0.0]])
    rewards = token_rewards(torch.tensor([2.0, -1.0]), logps, reference, mask, beta=0.1)
    assert torch.allclose(rewards, torch.tensor([[-0.05, 0.0, 2.1], [-1.2, 0.0, 0.0]]))


def test_whitening_sees_real_places_only() -> None:
    values = torch.tensor([[1.0, 3.0, 100.0], [5.0, 100.0, 100.0]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    shifted = whiten(values, mask)
    assert shifted[mask].mean() == pytest.approx(0.0, abs=1e-6) and shifted[mask].std(correction=0) == pytest.approx(1)
    scaled = whiten(values, mask, shift_mean=False)
    assert scaled[mask].mean() == pytest.approx(3.0, abs=1e-6) and not scaled[~mask].any()


def test_leave_one_out_by_hand() -> None:
    found = leave_one_out(torch.tensor([[1.0, 2.0, 6.0]]))
    assert found.tolist() == [[1 - 4, 2 - 3.5, 6 - 1.5]]


def scored(logps: list[list[float]], values: list[list[float]] | None = None) -> Scored:
    """One group of candidates with these log-probs; NaN is padding."""
    logps_BKT = torch.tensor([logps], dtype=torch.float64)
    mask = ~logps_BKT.isnan()
    made = Scored(logps_BKT.nan_to_num(0.0).requires_grad_(), mask, mask.any(-1), 0, 0, "repeated")
    if values is not None:
        made.values_BKT = torch.tensor([values], dtype=torch.float64).requires_grad_()
    return made


def targets(rollout: Rollout, lengths: list[int]) -> Targets:
    return Targets([lengths], [3], [()], [None], [rollout])


def value_of(objective: Objective, made: Scored, what: Targets) -> tuple[float, dict[str, float]]:
    losses = objective(made, what)
    pairs = {name: pair for loss in losses for name, pair in loss.metrics.items()}
    total = sum(term.weight * loss.total.item() / loss.units for term, loss in zip(objective.terms, losses))
    return total, {name: value.item() / count for name, (value, count) in pairs.items()}


def test_ppo_by_hand() -> None:
    nan = math.nan
    old = torch.tensor([[-1.0, -2.0], [-1.0, 0.0]], dtype=torch.float64)
    advantages = torch.tensor([[1.0, -1.0], [2.0, 0.0]], dtype=torch.float64)
    rollout = Rollout(
        old,
        advantages,
        values_KT=torch.tensor([[0.0, 1.0], [0.5, 0.0]], dtype=torch.float64),
        returns_KT=torch.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=torch.float64),
    )
    # Ratios 1.5 (clipped at 1.2 for a good token), 0.5 (at 0.8 for a bad one), and 1.
    made = scored(
        [[-1.0 + math.log(1.5), -2.0 + math.log(0.5)], [-1.0, nan]],
        # Errors −0.5, 0 and +0.4; the first moved 0.5 from its old value and counts as 0.2.
        [[0.5, 1.0], [0.4, 7.0]],
    )
    loss, metrics = value_of(ppo(clip=0.2, value_clip=0.2, value_weight=0.1), made, targets(rollout, [2, 1]))
    policy = (-1.2 + 0.8 - 2.0) / 3
    value = 0.5 * (0.8**2 + 0.0 + 0.4**2) / 3
    assert loss == pytest.approx(policy + 0.1 * value)
    assert metrics["clip_fraction"] == pytest.approx(2 / 3) and metrics["ratio"] == pytest.approx(1.0)
    assert metrics["value_clip_fraction"] == pytest.approx(1 / 3) and metrics["value_error"] == pytest.approx(-0.1 / 3)
    assert metrics["approx_kl"] == pytest.approx(0.5 * (math.log(1.5) ** 2 + math.log(0.5) ** 2) / 3)


def test_rloo_by_hand_and_its_first_gradient_is_reinforce() -> None:
    old = torch.tensor([[-1.0, -2.0], [-1.0, 0.0]], dtype=torch.float64)
    rollout = Rollout(old, torch.tensor([[3.0, 3.0], [-3.0, 0.0]], dtype=torch.float64))
    # The first candidate's ratio is 1.1 · 1.2 = 1.32, beyond 1.2; the second's 1.
    made = scored([[-1.0 + math.log(1.1), -2.0 + math.log(1.2)], [-1.0, math.nan]])
    loss, metrics = value_of(rloo(clip=0.2), made, targets(rollout, [2, 1]))
    assert loss == pytest.approx((-3 * 1.2 + 3 * 1.0) / 2) and metrics["clip_fraction"] == 0.5

    made = scored([[-1.0, -2.0], [-1.0, math.nan]])
    (part,) = rloo()(made, targets(rollout, [2, 1]))
    part.total.backward()
    assert made.logps_BKT.grad is not None
    assert made.logps_BKT.grad.tolist() == [[[-3.0, -3.0], [3.0, 0.0]]]


def test_examples_without_rollouts_hold_nothing_to_learn() -> None:
    what = Targets([(2, 1)], [3], [()], [None], [None])
    assert ppo().units(what) == [0.0, 0.0] and rloo().units(what) == [0.0]


@pytest.mark.parametrize("bad", [{"clip": 0.0}, {"value_clip": math.nan}, {"value_weight": -1.0}])
def test_settings_that_make_no_sense(bad: dict[str, float]) -> None:
    with pytest.raises(UserError, match="finite number above 0"):
        ppo(**bad)


@pytest.mark.parametrize("implementation", ["packed", "repeated"])
def test_values_are_rewards_of_unfinished_summaries(implementation: Any) -> None:
    model = tiny_reward_model(tiny_llama(3).double().model).double()
    prefix, summaries = (9, 8, 11, 30), ((12, 13, 14, 2), (21, 2))
    with torch.no_grad():
        found = sequence_logprobs(
            model, [TokenGroup("a", prefix, summaries)], pad_id=PAD, implementation=implementation, values=True
        )
        assert found.values_BKT is not None
        for k, summary in enumerate(summaries):
            for t in range(len(summary)):
                # The reward read at the last token of document and summary so far.
                row = (*prefix, *summary[:t])
                alone = sequence_logprobs(model, [TokenGroup("a", row[:-1], (row[-1:],))], pad_id=PAD)
                assert alone.rewards_BK is not None
                assert float(found.values_BKT[0, k, t]) == pytest.approx(float(alone.rewards_BK[0, 0]), abs=1e-9)


@pytest.mark.parametrize("implementation", ["packed", "repeated", "cached"])
def test_a_reward_read_at_every_token_is_the_mean_of_the_heads_numbers(implementation: Any) -> None:
    trunk = tiny_llama(3).double().model
    last = tiny_reward_model(trunk).double()
    every = RewardModel(trunk, last.head, 0.25, "every token")
    prefix, summaries = (9, 8, 11, 30), ((12, 13, 14, 2), (21, 2))
    with torch.no_grad():
        found = sequence_logprobs(every, [TokenGroup("a", prefix, summaries)], pad_id=PAD, values=True)
        again = sequence_logprobs(
            every, [TokenGroup("a", prefix, summaries)], pad_id=PAD, implementation=implementation
        )
        assert found.values_BKT is not None and found.rewards_BK is not None and again.rewards_BK is not None
        assert torch.allclose(found.rewards_BK, again.rewards_BK, atol=1e-9)
        for k, summary in enumerate(summaries):
            hidden = trunk(input_ids=torch.tensor([[*prefix, *summary]])).last_hidden_state[0, len(prefix) - 1 :]
            numbers = (hidden @ last.head.weight[0]) - 0.25
            assert float(found.rewards_BK[0, k]) == pytest.approx(float(numbers.mean()), abs=1e-9)
            for t in range(len(summary)):
                assert float(found.values_BKT[0, k, t]) == pytest.approx(float(numbers[: t + 1].mean()), abs=1e-9)


def group(*texts: str) -> Group:
    document = Document("Anna asks Ben to bring the tickets.")
    maker = Maker("policy", "test")
    return Group(document, tuple(Candidate(document.id, text, maker, index=k) for k, text in enumerate(texts)))


def test_any_scoring_judge_and_any_function_can_be_the_reward() -> None:
    groups = [group("Anna asks", ""), group("one two three")]
    assert rewards_of(LengthJudge(), groups) == [[2.0, None], [3.0]]

    def vowels(document: str, summaries: Sequence[str]) -> list[float | None]:
        assert document.startswith("Anna")
        return [sum(letter in "aeiou" for letter in text) or None for text in summaries]

    assert rewards_of(vowels, groups) == [[2.0, None], [5.0]]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda d, s: [math.nan] * len(s), "gave nan for candidate 0 of source"),
        (lambda d, s: [math.inf] * len(s), "gave inf for candidate 0"),
        (lambda d, s: [1.0], r"gave 1 numbers for the 2 summaries"),
        (lambda d, s: ["good"] * len(s), "did not give a list of numbers"),
        (lambda d, s: None, "did not give a list of numbers"),
        (lambda d, s: 1 / 0, "failed on source .*ZeroDivisionError"),
    ],
)
def test_a_reward_that_fails_says_so_in_one_sentence(answer: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        rewards_of(answer, [group("a b", "c")])


def test_a_judge_that_compares_is_no_reward() -> None:
    class Comparing(RandomJudge):
        def judge(self, groups: Sequence[Group]) -> Any:
            return [[] for _ in groups]

    with pytest.raises(UserError, match="gives no scores"):
        rewards_of(Comparing(0), [group("a")])
