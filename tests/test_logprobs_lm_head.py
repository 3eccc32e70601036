"""The LM head: statistics of chunks of logits, with gradients, against plain autograd."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from precis.logprobs import lm_head, sequence_logprobs
from precis.logprobs.lm_head import Head, lm_head_of, token_scores
from tiny import DECODERS, ENCODER_DECODERS, PAD, random_groups, tiny_model

N, D, V = 7, 5, 11


def plain(logits: Tensor, targets: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    logps = (logits / temperature).log_softmax(-1)
    return logps[torch.arange(len(targets)), targets], logps.mean(-1), -(logps.exp() * logps).sum(-1)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.parametrize("chunks", [False, True])
def test_values_and_gradients(
    temperature: float, mean: bool, entropy: bool, chunks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if chunks:  # two rows a chunk, each computed again in the backward pass
        monkeypatch.setattr(torch, "split", lambda x, _, split=torch.split: split(x, 2))
        monkeypatch.setattr(lm_head, "_KEEP", 0)
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(N, D, generator=draw, dtype=torch.float64).requires_grad_()
    layer = torch.nn.Linear(D, V, dtype=torch.float64)
    targets = torch.randint(V, (N,), generator=draw)
    weights = torch.randn(3, N, generator=draw, dtype=torch.float64)

    def total(parts: tuple[Tensor | None, ...]) -> Tensor:
        wanted = (True, mean, entropy)
        return sum(((w * part).sum() for w, part, ask in zip(weights, parts, wanted) if ask), torch.zeros(()))  # type: ignore

    scores = token_scores(layer, hidden, targets, vocabulary=V, temperature=temperature, mean=mean, entropy=entropy)
    found = (scores.logps_N, scores.mean_logps_N, scores.entropy_N)
    expected = plain(layer(hidden), targets, temperature)
    for a, b, ask in zip(found, expected, (True, mean, entropy)):
        assert (a is not None) == ask
        if a is not None:
            assert torch.allclose(a, b, atol=1e-12)
    parameters = [hidden, layer.weight, layer.bias]
    for a, b in zip(torch.autograd.grad(total(found), parameters), torch.autograd.grad(total(expected), parameters)):
        assert torch.allclose(a, b, atol=1e-12)


def test_a_hand_worked_value() -> None:
    """Logits (0, ln 3): probabilities ¼ and ¾, log-prob of the second ln ¾, entropy ¼ ln 4 + ¾ ln 4/3."""
    head = torch.nn.Identity()
    logits = torch.tensor([[0.0, math.log(3)]], dtype=torch.float64)
    scores = token_scores(head, logits, torch.tensor([1]), vocabulary=2, mean=True, entropy=True)
    assert scores.mean_logps_N is not None
    assert scores.entropy_N is not None
    assert float(scores.logps_N) == pytest.approx(math.log(3 / 4))
    assert float(scores.mean_logps_N) == pytest.approx((math.log(1 / 4) + math.log(3 / 4)) / 2)
    assert float(scores.entropy_N) == pytest.approx(math.log(4) / 4 + 3 * math.log(4 / 3) / 4)


@pytest.mark.parametrize("name", [*DECODERS, *ENCODER_DECODERS])
def test_the_head_is_recognised(name: str) -> None:
    assert lm_head_of(tiny_model(name)) is not None


def test_a_head_that_does_something_unknown_is_refused() -> None:
    model = tiny_model("llama")
    forward = model.lm_head.forward
    model.lm_head.forward = lambda x: forward(x)  # the same; now the model itself doubles its logits
    own = model.forward

    def doubled(*args: object, **kwargs: object) -> object:
        output = own(*args, **kwargs)
        output.logits = output.logits * 2
        return output

    model.forward = doubled
    assert lm_head_of(model) is None
    scored = sequence_logprobs(model, random_groups([(3, (2,))]), pad_id=PAD)
    assert scored.implementation == "repeated"


def test_softcap_scale_and_bias() -> None:
    head = Head(torch.nn.Identity(), scale=0.5, softcap=2.0, bias=torch.tensor([1.0]))
    assert float(head(torch.tensor([[3.0]]))) == pytest.approx(math.tanh(0.75) * 2 + 1)
