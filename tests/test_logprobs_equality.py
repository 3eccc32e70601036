"""Every way of scoring equals one row per candidate, in float64 to 1e-9, values and all gradients (DESIGN §4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from precis.logprobs import PrefixCache, Scored, sequence_logprobs, why_not
from precis.logprobs import packed as packed_module
from precis.logprobs.layout import Layout, Span
from precis.logprobs.scored import Batch, Wanted
from precis.models import add_adapter, base_weights, disable_dropout
from precis.render import TokenGroup
from tiny import (
    DECODERS,
    ENCODER_DECODERS,
    EOS,
    FURTHER,
    PAD,
    double_everywhere,
    random_groups,
    tiny_model,
    tiny_policy,
)

TOLERANCE = 1e-9
# Several groups in one row; K from 1 to 4; an empty summary (only EOS), one cut before its EOS, very different lengths.
GROUPS = [
    *random_groups([(11, (3, 5, 1, 14)), (7, (2,)), (5, (1, 1, 3)), (1, (1, 2)), (13, (1,))]),
    TokenGroup("cut", tuple(range(20, 29)), ((30, 31, 32), (33, EOS))),
]


@pytest.fixture(autouse=True)
def in_float64() -> Iterator[None]:
    with double_everywhere():
        yield


def score(model: Any, implementation: Any, **options: Any) -> Scored:
    return sequence_logprobs(model, GROUPS, pad_id=PAD, implementation=implementation, **options)


def everything(model: Any) -> dict[str, bool]:
    return {
        "mean_logps": True,
        "entropy": True,
        "last_hidden": True,
        "prefix_logps": not model.config.is_encoder_decoder,
    }


def values(scored: Scored) -> dict[str, Tensor]:
    names = ("logps_BKT", "mean_logps_BKT", "entropy_BKT", "last_hidden_BKD", "prefix_logps_BP")
    return {name: getattr(scored, name) for name in names if getattr(scored, name) is not None}


def gradients(model: Any, scored: Scored) -> dict[str, Tensor]:
    """Of a random combination of everything, for every parameter."""
    model.zero_grad()
    draw = torch.Generator().manual_seed(1)
    total = sum(
        (value * torch.randn(value.shape, generator=draw, dtype=value.dtype)).sum() for value in values(scored).values()
    )
    assert isinstance(total, Tensor)
    total.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def largest_difference(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).detach().abs().max()) for name in a)


def literal_logps(model: Any, group: TokenGroup, continuation: tuple[int, ...]) -> Tensor:
    """The definition, by transformers alone: one row, all logits, no batch, no padding."""
    ids = torch.tensor([group.prefix_ids])
    if model.config.is_encoder_decoder:
        start = model.config.decoder_start_token_id
        decoder_ids = torch.tensor([[start, *continuation[:-1]]])
        logits = model(input_ids=ids, decoder_input_ids=decoder_ids).logits[0]
    else:
        row = torch.tensor([[*group.prefix_ids, *continuation]])
        logits = model(input_ids=row).logits[0, len(group.prefix_ids) - 1 : -1]
    return logits.log_softmax(-1)[torch.arange(len(continuation)), torch.tensor(continuation)]


@pytest.mark.parametrize("name", [*DECODERS, *ENCODER_DECODERS])
def test_packed_equals_repeated_with_all_gradients(name: str) -> None:
    model = tiny_model(name, dtype=torch.float64)
    assert why_not(model) == ""
    repeated = score(model, "repeated", **everything(model))
    expected = gradients(model, repeated)
    packed = score(model, "auto", **everything(model))
    assert packed.implementation == "packed"
    assert packed.tokens_forwarded < repeated.tokens_forwarded
    assert largest_difference(values(packed), values(repeated)) < TOLERANCE
    assert torch.equal(packed.mask_BKT, repeated.mask_BKT)
    found = gradients(model, packed)
    assert all(float(expected[n].abs().max()) > 1e-3 for n in expected if n.endswith("weight")), "they must matter"
    assert largest_difference(found, expected) < TOLERANCE


@pytest.mark.parametrize("name", [*DECODERS, *ENCODER_DECODERS, *FURTHER])
def test_every_way_equals_the_literal_definition(name: str) -> None:
    model = tiny_model(name, dtype=torch.float64)
    ways = ["repeated", "packed"] + ["cached"] * (name != "gemma2")
    with torch.no_grad():
        scores = [score(model, way, self_check=False) for way in ways]
        for b, group in enumerate(GROUPS):
            for k, continuation in enumerate(group.continuations):
                expected = literal_logps(model, group, continuation)
                for scored in scores:
                    found = scored.logps_BKT[b, k, : len(continuation)]
                    assert float((found - expected).abs().max()) < TOLERANCE


@pytest.mark.parametrize("name", [*FURTHER])
def test_further_families_pack_with_all_gradients(name: str) -> None:
    model = tiny_model(name, dtype=torch.float64)
    assert why_not(model) == ""
    expected = gradients(model, score(model, "repeated", **everything(model)))
    found = gradients(model, score(model, "packed", self_check=False, **everything(model)))
    assert largest_difference(found, expected) < TOLERANCE


@pytest.mark.parametrize("name", ["llama", "gemma3", "bart", "t5"])
@pytest.mark.parametrize("budget", [1, 30, 60])
def test_a_token_budget_changes_nothing(name: str, budget: int) -> None:
    model = tiny_model(name, dtype=torch.float64)
    with torch.no_grad():
        whole = score(model, "packed", **everything(model))
        for way in ("packed", "repeated"):
            parts = score(model, way, token_budget=budget, **everything(model))
            assert largest_difference(values(parts), values(whole)) < TOLERANCE


@pytest.mark.parametrize("name", ["llama", "gpt2", "mistral", "gemma3", "bart", "t5"])
def test_cached_prefixes_are_computed_once(name: str) -> None:
    model = tiny_model(name, dtype=torch.float64)
    cache = PrefixCache()
    options = {"last_hidden": True, "mean_logps": True}
    with torch.no_grad():
        expected = score(model, "repeated", **options)
        first = score(model, "cached", cache=cache, **options)
        again = score(model, "cached", cache=cache, **options)
        short = score(model, "cached", cache=cache)
    prefixes = sum(len(group.prefix_ids) for group in GROUPS)
    assert first.tokens_forwarded - again.tokens_forwarded == prefixes
    for found in (first, again):
        assert largest_difference(values(found), values(expected)) < TOLERANCE
    assert float((short.logps_BKT - expected.logps_BKT).abs().max()) < TOLERANCE
    assert not first.logps_BKT.requires_grad


def test_the_cache_forgets_the_least_recently_used_prefix() -> None:
    model = tiny_model("llama", dtype=torch.float64)
    cache = PrefixCache(max_tokens=20)
    for length in (9, 10, 11):
        sequence_logprobs(model, random_groups([(length, (2,))]), pad_id=PAD, implementation="cached", cache=cache)
    assert [prefix.length for prefix in cache.prefixes.values()] == [11]
    cache.clear()
    assert not cache.prefixes


def test_the_cache_forgets_everything_when_the_model_changes() -> None:
    policy = tiny_policy("llama", dtype=torch.float64)
    cache = PrefixCache()

    def check() -> Tensor:
        cached = score(policy.model, "cached", cache=cache).logps_BKT
        with torch.no_grad():
            assert float((cached - score(policy.model, "repeated").logps_BKT).abs().max()) < TOLERANCE
        return cached

    first = check()
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=0.01)
    score(policy.model, "packed").logps_BKT.sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    assert not torch.equal(check(), first)
    add_adapter(policy, rank=2)
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_" in name:
                parameter.normal_(0.0, 0.3)
    adapted = check()
    with base_weights(policy):
        assert not torch.equal(check(), adapted)
    assert torch.equal(check(), adapted)


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")
@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_eager_attention_and_gradient_checkpointing_use_a_dense_mask(name: str) -> None:
    model = tiny_model(name, dtype=torch.float64)
    disable_dropout(model)
    expected = gradients(model, score(model, "repeated"))
    model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    assert largest_difference(gradients(model, score(model, "packed")), expected) < TOLERANCE
    model.gradient_checkpointing_disable()
    model.set_attn_implementation("eager")
    assert largest_difference(gradients(model, score(model, "packed")), expected) < TOLERANCE


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_pytorchs_own_attention_gives_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other devices and attention dropout use, in place of the CPU's kernel."""
    from precis.logprobs import attention

    model = tiny_model(name, dtype=torch.float64)
    expected = gradients(model, score(model, "packed"))

    def masked(query: Any, key: Any, value: Any, layout: Any, scale: Any, keys: Any, values_: Any) -> Tensor:
        past = list(zip(keys, values_)) or None
        return attention._masked(query, key, value, layout, scale, past, None, 0.0)

    monkeypatch.setattr(attention, "_blocks", masked)
    assert largest_difference(gradients(model, score(model, "packed")), expected) < TOLERANCE
    assert largest_difference(values(score(model, "cached")), values(score(model, "repeated"))) < TOLERANCE


def continuing_positions(layout: Layout) -> Tensor:
    return torch.cat([torch.arange(span.end - span.start) for span in layout.spans])


@pytest.mark.parametrize("name", ["llama", "qwen2", "gpt2", "gemma3"])
def test_control_positions_that_do_not_restart_are_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model(name, dtype=torch.float64)
    expected = score(model, "repeated")
    monkeypatch.setattr(Layout, "positions_T", property(continuing_positions))
    assert largest_difference(values(score(model, "packed")), values(expected)) > 1e3 * TOLERANCE


@pytest.mark.parametrize("name", ["llama", "qwen2", "gpt2", "gemma3"])
def test_control_candidates_that_see_each_other_are_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model(name, dtype=torch.float64)
    expected = score(model, "repeated")
    spans = packed_module._spans
    device = torch.device("cpu")
    positions = Layout(spans(Batch(GROUPS, device), range(len(GROUPS)), Wanted()), device).positions_T

    def merged(*args: Any) -> list[Span]:
        return [Span(span.start, span.prefix, (sum(span.lengths),) if span.lengths else ()) for span in spans(*args)]

    monkeypatch.setattr(packed_module, "bins", lambda sizes, budget: [list(range(len(sizes)))])
    monkeypatch.setattr(packed_module, "_spans", merged)
    monkeypatch.setattr(Layout, "positions_T", property(lambda _: positions))
    assert largest_difference(values(score(model, "packed")), values(expected)) > 1e3 * TOLERANCE


def test_control_one_mask_for_sliding_layers_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("gemma3", dtype=torch.float64)
    expected = score(model, "repeated")
    monkeypatch.setattr(packed_module, "windows", lambda _: {"full_attention": None, "sliding_attention": None})
    assert largest_difference(values(score(model, "packed")), values(expected)) > 1e-3
