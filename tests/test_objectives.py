"""Objectives by hand: every number here is worked out in its comment or by finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from precis.errors import UserError
from precis.logprobs import Scored
from precis.objectives import Loss, Objective, Targets, nll, pairwise_logistic, pairwise_loss, weighted
from precis.records import Preference


def scored_from_logits(logits_BKTV: Tensor, ids_BKT: Tensor, mask_BKT: Tensor, **more: Tensor) -> Scored:
    logps_BKTV = logits_BKTV.log_softmax(-1)
    return Scored(
        logps_BKT=torch.where(mask_BKT, logps_BKTV.gather(-1, ids_BKT[..., None])[..., 0], 0.0),
        mean_logps_BKT=torch.where(mask_BKT, logps_BKTV.mean(-1), 0.0),
        mask_BKT=mask_BKT,
        mask_BK=mask_BKT.any(-1),
        tokens_forwarded=0,
        tokens_repeated=0,
        implementation="by hand",
        **more,
    )


def scored_rewards(rewards_BK: Tensor, mask_BK: Tensor | None = None) -> Scored:
    mask_BK = torch.ones_like(rewards_BK, dtype=torch.bool) if mask_BK is None else mask_BK
    nothing = torch.full((*rewards_BK.shape, 1), math.nan)
    return Scored(nothing, mask_BK[..., None], mask_BK, 0, 0, "by hand", rewards_BK=rewards_BK)


def targets(
    *, tokens: tuple[int, ...] = (), prefix: tuple[int, ...] = (), pairs: tuple[tuple[Preference, ...], ...] = ()
) -> Targets:
    count = max(len(tokens), len(pairs))
    return Targets(
        lengths=[(own, 0) for own in tokens or [0] * count],
        prefix_tokens=prefix or [0] * count,
        preferences=pairs or [()] * count,
        ranks=[None] * count,
    )


def only(losses: tuple[Loss, ...]) -> Loss:
    assert len(losses) == 1
    return losses[0]


GOLDEN_LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0], dtype=torch.float64)


def test_label_smoothing_gives_the_papers_golden_value() -> None:
    # log-sum-exp of [2,1,0,-1] is 2.4401896986. nll = 0.4401896986. mean log-prob = 0.5 - 2.4401896986.
    # 0.9 · 0.4401896986 + 0.1 · 1.9401896986 = 0.5901896986
    scored = scored_from_logits(
        GOLDEN_LOGITS[None, None, None], torch.zeros(1, 1, 1, dtype=torch.long), torch.ones(1, 1, 1, dtype=torch.bool)
    )
    loss = only(nll(label_smoothing=0.1)(scored, targets(tokens=(1,))))
    assert float(loss.total) == pytest.approx(0.5901896986, abs=1e-10)
    assert loss.units == 1
    assert float(loss.metrics["nll"][0]) == pytest.approx(0.4401896986, abs=1e-10)


def test_label_smoothing_is_torchs_own() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 4, 11, dtype=torch.float64)
    ids = torch.randint(0, 11, (2, 3, 4))
    mask = torch.rand(2, 3, 4) < 0.7
    loss = only(nll(label_smoothing=0.2)(scored_from_logits(logits, ids, mask), targets(tokens=(5, 9))))
    expected = torch.nn.functional.cross_entropy(logits[mask], ids[mask], label_smoothing=0.2, reduction="sum")
    assert torch.allclose(loss.total, expected, atol=1e-12, rtol=0)


def test_a_prompts_tokens_count_their_weight_in_sum_and_units() -> None:
    scored = scored_from_logits(
        GOLDEN_LOGITS.expand(1, 1, 2, 4),
        torch.tensor([[[0, 1]]]),
        torch.ones(1, 1, 2, dtype=torch.bool),
        prefix_logps_BP=torch.tensor([[0.0, -3.0, -5.0]], dtype=torch.float64),
        prefix_mask_BP=torch.tensor([[False, True, True]]),
    )
    loss = only(nll(prompt_weight=0.25)(scored, targets(tokens=(2,), prefix=(2,))))
    # summary: 0.4401896986 + 1.4401896986; prompt: 0.25 · 8; units: 2 + 0.25 · 2
    assert float(loss.total) == pytest.approx(1.8803793972 + 2.0, abs=1e-9)
    assert loss.units == 2.5
    assert {name: (float(s), n) for name, (s, n) in loss.metrics.items()} == {
        "nll": (pytest.approx(1.8803793972), 2.0),
        "prompt_nll": (8.0, 2.0),
    }
    assert nll(prompt_weight=0.25).needs == ("logps", "prefix_logps")
    assert nll(label_smoothing=0.1).needs == ("logps", "mean_logps")


def test_padding_adds_nothing_whatever_it_holds() -> None:
    scored = scored_from_logits(
        GOLDEN_LOGITS.expand(1, 1, 3, 4), torch.zeros(1, 1, 3, dtype=torch.long), torch.tensor([[[True, False, False]]])
    )
    scored.logps_BKT[0, 0, 1:] = math.nan
    assert float(only(nll()(scored, targets(tokens=(1,)))).total) == pytest.approx(0.4401896986, abs=1e-9)


def test_equal_rewards_cost_ln_2_a_pair() -> None:
    loss = only(pairwise_logistic()(scored_rewards(torch.zeros(1, 2)), targets(pairs=((Preference(0, 1),),))))
    assert float(loss.total) == pytest.approx(math.log(2))
    assert loss.units == 1
    assert float(loss.metrics["accuracy"][0]) == 0.5  # a tie counts half


def test_all_pairs_of_a_group_with_margins_and_weights() -> None:
    rewards = torch.tensor([[1.0, 0.0, -2.0], [3.0, 3.5, 0.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    pairs = ((Preference(0, 1), Preference(0, 2, weight=0.5), Preference(1, 2, margin=2.0)), (Preference(0, 1),))
    loss = only(pairwise_logistic()(scored_rewards(rewards, mask), targets(pairs=pairs)))
    # ln(1+e^-1) + ½ ln(1+e^-3) + ln(1+e^-(2-2)) + ln(1+e^0.5)
    assert float(loss.total) == pytest.approx(0.3132616875 + 0.5 * 0.0485873516 + 0.6931471806 + 0.9740769842, abs=1e-9)
    assert loss.units == 3.5
    assert (float(loss.metrics["accuracy"][0]), loss.metrics["accuracy"][1]) == (3.0, 4.0)
    assert float(loss.metrics["margin"][0]) == pytest.approx(1 + 3 + 2 - 0.5)
    # the padded candidate is in no mean
    assert float(loss.metrics["score"][0]) == pytest.approx(1 + 0 - 2 + 3 + 3.5)


def test_a_group_without_preferences_gives_no_unit_no_nan_and_no_gradient() -> None:
    rewards = torch.tensor([[1.0, 1.0]], requires_grad=True)
    loss = only(pairwise_logistic()(scored_rewards(rewards), targets(pairs=((),))))
    assert (loss.total.item(), loss.units) == (0.0, 0.0)
    loss.total.backward()
    assert rewards.grad is not None
    assert rewards.grad.tolist() == [[0.0, 0.0]]


def test_large_gaps_neither_overflow_nor_vanish() -> None:
    rewards = torch.tensor([[-500.0, 500.0]], requires_grad=True)
    loss = only(pairwise_logistic()(scored_rewards(rewards), targets(pairs=((Preference(0, 1),),))))
    assert loss.total.item() == pytest.approx(1000.0)
    loss.total.backward()
    assert rewards.grad is not None
    assert rewards.grad.tolist() == [[-1.0, 1.0]]


@pytest.mark.parametrize("objective", [nll(), nll(label_smoothing=0.1, prompt_weight=0.5), pairwise_logistic()])
def test_gradients_match_finite_differences(objective: Objective) -> None:
    torch.manual_seed(1)
    ids, mask = torch.randint(0, 5, (2, 3, 4)), torch.rand(2, 3, 4) < 0.8
    pairs = ((Preference(0, 1, weight=0.3), Preference(2, 1, margin=0.4)), (Preference(1, 0),))
    target = targets(tokens=(9, 8), prefix=(2, 2), pairs=pairs)

    def total(logits: Tensor, prefix: Tensor, rewards: Tensor) -> Tensor:
        prefix_mask = torch.tensor([[False, True, True]] * 2)
        scored = scored_from_logits(logits, ids, mask, prefix_logps_BP=prefix, prefix_mask_BP=prefix_mask)
        scored.rewards_BK = rewards
        return only(objective(scored, target)).total + 0 * (logits.sum() + prefix.sum() + rewards.sum())

    inputs = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in ((2, 3, 4, 5), (2, 3), (2, 3))]
    assert torch.autograd.gradcheck(total, inputs, atol=1e-7)


def test_half_precision_is_added_up_in_float32() -> None:
    logps = torch.full((1, 1, 4096), -1.001, dtype=torch.bfloat16)
    mask = torch.ones(1, 1, 4096, dtype=torch.bool)
    loss = only(nll()(Scored(logps, mask, mask.any(-1), 0, 0, "by hand"), targets(tokens=(4096,))))
    assert loss.total.dtype == torch.float32
    assert float(loss.total) == pytest.approx(4096.0)  # bfloat16 holds -1.001 as -1; a bfloat16 sum could stop at 256


def test_scores_of_any_kind_can_be_compared() -> None:
    """What DPO will be: the same loss on scores made of log-probs."""
    objective = pairwise_logistic(lambda s, t: 0.5 * s.logps_BKT.sum(-1), needs=("logps",), name="sums")
    logps = torch.tensor([[[-1.0, -1.0], [-3.0, -3.0]]])
    mask = torch.ones_like(logps, dtype=torch.bool)
    loss = only(objective(Scored(logps, mask, mask.any(-1), 0, 0, "by hand"), targets(pairs=((Preference(0, 1),),))))
    assert float(loss.total) == pytest.approx(math.log1p(math.exp(-2.0)))
    assert objective.needs == ("logps",)
    assert float(pairwise_loss(logps.sum(-1), mask.any(-1), targets(pairs=((Preference(1, 0),),))).total) == (
        pytest.approx(math.log1p(math.exp(4.0)))
    )


def test_a_weighted_sum_keeps_each_terms_units() -> None:
    objective = weighted((10.0, pairwise_logistic()), (0.1, weighted((2.0, nll(label_smoothing=0.1)))))
    assert [(term.name, term.weight) for term in objective.terms] == [("pairwise", 10.0), ("nll", 0.2)]
    assert objective.needs == ("logps", "rewards", "mean_logps")
    target = targets(tokens=(7, 5), pairs=((Preference(0, 1),), ()))
    assert objective.units(target) == [1.0, 12.0]
    assert objective.settings == [
        {"term": "pairwise", "weight": 10.0},
        {"term": "nll", "weight": 0.2, "label_smoothing": 0.1, "prompt_weight": 0.0},
    ]


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="label smoothing"):
        nll(label_smoothing=1.0)
    with pytest.raises(UserError, match="prompt's weight"):
        nll(prompt_weight=-1.0)
    with pytest.raises(UserError, match="different names"):
        weighted((1.0, nll()), (1.0, nll()))
    with pytest.raises(UserError, match="weight"):
        weighted((math.nan, nll()))
    mask = torch.ones(1, 1, 1, dtype=torch.bool)
    scored = Scored(torch.zeros(1, 1, 1), mask, mask[..., 0], 0, 0, "")
    with pytest.raises(ValueError, match="mean_logps"):
        nll(label_smoothing=0.1)(scored, targets(tokens=(1,)))
