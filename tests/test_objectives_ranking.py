"""Contrastive objectives by hand, and by the golden values of the papers' own code."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch

from precis.errors import UserError
from precis.logprobs import Scored
from precis.objectives import Objective, Targets, gold_ranking, margin_ranking, nll, sequence_scores, weighted


def scored(*groups: Sequence[Sequence[float]]) -> Scored:
    """Log-probs of each token of each candidate of each group; shorter ones are padded with NaN."""
    count, length = max(map(len, groups)), max(len(tokens) for group in groups for tokens in group)
    logps = torch.full((len(groups), count, length), math.nan, dtype=torch.float64)
    for b, group in enumerate(groups):
        for k, tokens in enumerate(group):
            logps[b, k, : len(tokens)] = torch.tensor(tokens, dtype=torch.float64)
    mask = ~logps.isnan()
    return Scored(logps.nan_to_num(nan=1e9).requires_grad_(), mask, mask.any(-1), 0, 0, "by hand")


def targets(
    made: Scored, ranks: Sequence[Sequence[int | None] | None], imitated: Sequence[Sequence[int] | None] = ()
) -> Targets:
    lengths = [[int(n) for n in row if n] for row in made.mask_BKT.sum(-1)]
    return Targets(lengths, [0] * len(ranks), [()] * len(ranks), ranks, imitated=imitated or [None] * len(ranks))


def loss(objective: Objective, made: Scored, what: Targets) -> float:
    """The weighted mean per unit, as the loop takes it."""
    return sum(
        term.weight * float(part.total.detach()) / part.units
        for term, part in zip(objective.terms, objective(made, what), strict=True)
        if part.units
    )


ONE_TOKEN = ((-0.20,), (-0.25,), (-0.22,), (-0.30,))  # scores per token: the candidates of the golden values


@pytest.mark.parametrize(
    ("objective", "ranks", "expected"),
    [
        # Only candidates 1 and 2 are out of order: 0.01 · ln 2 + 0.03 = 0.0369315, over 6 pairs.
        (margin_ranking(), (0, 1, 2, 3), 0.0061552453),
        # 0.001 + 0.03 over the 3 pairs of neighbours; nothing further apart is violated.
        (margin_ranking(margin="rank", scale=0.001), (0, 1, 2, 3), 0.0103333333),
        # Candidates 1 and 2 tied: nothing is out of order, over 5 pairs.
        (margin_ranking(), (0, 1, 1, 2), 0.0),
    ],
)
def test_the_golden_values_in_any_order(objective: Objective, ranks: tuple[int, ...], expected: float) -> None:
    for order in ((0, 1, 2, 3), (2, 0, 3, 1)):
        made = scored([ONE_TOKEN[k] for k in order])
        what = targets(made, [[ranks[k] for k in order]])
        assert loss(objective, made, what) == pytest.approx(expected, abs=1e-10)


def test_ties_leave_their_pairs_out_of_the_mean() -> None:
    made = scored([(-0.3,), (-0.25,), (-0.22,), (-0.2,)])
    # Ranks 0, 1, 1, 2. The five pairs: (0,1) and (0,2) at Δ1, (0,3) at Δ2, (1,3) and (2,3) at Δ1.
    ln2, ln4 = 0.01 * math.log(2), 0.01 * math.log(4)
    by_hand = (ln2 + 0.05) + (ln2 + 0.08) + (ln4 + 0.1) + (ln2 + 0.05) + (ln2 + 0.02)
    assert loss(margin_ranking(), made, targets(made, [(0, 1, 1, 2)])) == pytest.approx(by_hand / 5)
    # By rank: the mean over the four pairs at Δ1, plus the one at Δ2.
    by_rank = (0.001 * 4 + 0.05 + 0.08 + 0.05 + 0.02) / 4 + (0.002 + 0.1)
    objective = margin_ranking(margin="rank", scale=0.001)
    assert loss(objective, made, targets(made, [(0, 1, 1, 2)])) == pytest.approx(by_rank)


def test_scores_are_normalised_by_length_and_blind_to_padding() -> None:
    made = scored([(-1.0, -2.0, -3.0), (-4.0,)])
    assert sequence_scores(made, 1.0).tolist() == [[-2.0, -4.0]]
    assert sequence_scores(made, 0.0).tolist() == [[-6.0, -4.0]]
    assert sequence_scores(made, 2.0)[0, 0].item() == pytest.approx(-6 / 9)


@pytest.mark.parametrize("ranks", [[(1, 1)], [None], [(None, None)], [(0, None)]], ids=str)
def test_what_orders_nothing_has_no_unit_no_nan_and_no_gradient(ranks: list[tuple[int | None, ...] | None]) -> None:
    made = scored([(-1.0,), (-2.0,)])
    for objective in (margin_ranking(), margin_ranking(margin="rank")):
        (part,) = objective(made, targets(made, ranks))
        assert part.units == 0 and float(part.total.detach()) == 0
        part.total.backward()
        assert made.logps_BKT.grad is None or not made.logps_BKT.grad.any()


def test_how_a_batch_is_split_changes_nothing() -> None:
    groups = [[(-0.2,), (-0.1,), (-0.4,)], [(-0.3, -0.1), (-0.2,)]]
    ranks: list[tuple[int, ...]] = [(0, 1, 2), (1, 0)]
    for objective in (margin_ranking(), margin_ranking(margin="rank", scale=0.05)):
        whole = scored(*groups)
        together = objective(whole, targets(whole, ranks))[0]
        apart = []
        for group, own in zip(groups, ranks):
            made = scored(group)
            apart.append(objective(made, targets(made, [own]))[0])
        assert float(together.total.detach()) == pytest.approx(sum(float(part.total.detach()) for part in apart))
        assert together.units == sum(part.units for part in apart)


def test_references_are_imitated_and_not_ranked() -> None:
    # Candidate 2 is the reference: the others are ranked, it alone is imitated.
    made = scored([(-0.5,), (-0.1,), (-1.0, -3.0)])
    what = targets(made, [(0, 1, None)], [(2,)])
    assert loss(nll(), made, what) == pytest.approx(4.0 / 2)
    (ranking,) = margin_ranking()(made, what)
    assert ranking.units == 1 and float(ranking.total.detach()) == pytest.approx(0.01 * math.log(2) + 0.4)
    assert float(ranking.metrics["score"][0]) == pytest.approx(-0.6) and ranking.metrics["score"][1] == 2
    # The reference scores −2: 0.1 + 1.5 and 0.1 + 1.9 short of what the margin asks for.
    assert loss(gold_ranking(margin=0.1), made, what) == pytest.approx((1.6 + 2.0) / 2)
    both = weighted((100.0, margin_ranking()), (1.0, nll()))
    assert loss(both, made, what) == pytest.approx(100 * (0.01 * math.log(2) + 0.4) + 2.0)


def test_gradients_match_finite_differences() -> None:
    made = scored([(-0.5, -0.2), (-0.1,), (-1.0, -3.0)], [(-0.3,), (-0.35,)])
    what = targets(made, [(0, 1, None), (1, 0)], [(2,), None])
    mask = made.mask_BKT

    def total(logps: torch.Tensor) -> torch.Tensor:
        again = Scored(torch.where(mask, logps, 1e9), mask, mask.any(-1), 0, 0, "by hand")
        objective = weighted(
            (100.0, margin_ranking(length_penalty=2.0)), (1.0, nll()), (0.5, gold_ranking(margin=0.2))
        )  # fmt: skip
        parts = objective(again, what)
        return sum((term.weight * part.total for term, part in zip(objective.terms, parts)), torch.zeros(()))

    assert torch.autograd.gradcheck(total, (made.logps_BKT.detach().clamp(max=0).requires_grad_(),))


def test_accuracy_counts_equal_scores_half() -> None:
    made = scored([(-0.5,), (-0.5,), (-0.7,)])
    (part,) = margin_ranking()(made, targets(made, [(0, 1, 2)]))
    right, pairs = part.metrics["accuracy"]
    assert (float(right), pairs) == (2.5, 3)


def test_settings_are_checked_and_named() -> None:
    with pytest.raises(UserError, match="finite number above 0"):
        margin_ranking(scale=0)
    with pytest.raises(UserError, match="by log rank or by rank"):
        margin_ranking(margin="other")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="length penalty"):
        gold_ranking(length_penalty=math.inf)
    assert margin_ranking().settings == [
        {"term": "ranking", "weight": 1.0, "margin": "log rank", "scale": 0.01, "length_penalty": 1.0}
    ]
