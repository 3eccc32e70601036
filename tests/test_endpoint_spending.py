"""What the endpoint engine counts as spent, and the caps that it never passes."""

from __future__ import annotations

import pytest

from endpoint_stand_in import (
    Answer,
    Call,
    EngineOf,
    StandIn,
    ask,
    chat,
    error,
    first,
)
from precis.endpoint import Reply
from precis.errors import UserError


def worst(call: Call) -> Answer:
    """The most that a server can charge: a token a byte, the template's room, and the longest answer."""
    message = call.body["messages"][-1]["content"]
    return chat("x", usage=(len(message.encode()) + 144, call.body["max_tokens"]))


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_cap_on_tokens_holds_and_a_higher_one_goes_on_from_there(concurrency: int, engine_of: EngineOf) -> None:
    requests = [ask(f"{number:06}", max_tokens=50) for number in range(12)]  # at most 6 + 144 + 50 = 200 tokens each
    with StandIn(worst) as server:
        engine = engine_of(server, max_tokens_spent=1099, concurrency=concurrency)
        with pytest.raises(UserError, match=r"max_tokens_spent = 1,099 .*1,000 tokens.* up to 200 tokens"):
            engine.ask(requests)
        assert engine.spent.tokens == 1000 and len(server.calls) == 5
        again = engine_of(server, concurrency=concurrency)
        assert all(isinstance(reply, Reply) for reply in again.ask(requests))
    assert len(server.calls) == 12 and len(set(server.texts())) == 12
    assert again.spent.cached == 5 and again.spent.tokens == 1400


def test_a_cap_waits_for_what_is_under_way_before_it_stops(engine_of: EngineOf) -> None:
    # What is held back (200 each) allows two at a time; what is charged (15 each) allows all.
    with StandIn() as server:
        engine = engine_of(server, max_tokens_spent=540, concurrency=8)
        engine.ask([ask(f"{number:06}", max_tokens=50) for number in range(12)])
    assert engine.spent.tokens == 180 and server.most <= 2


def test_a_cap_on_money_holds(engine_of: EngineOf) -> None:
    requests = [ask(f"{number:06}", max_tokens=50) for number in range(9)]  # 150 · 10 + 50 · 40 = 3,500 millionths
    with StandIn(worst) as server:
        engine = engine_of(server, max_money=0.01, price_in=10.0, price_out=40.0, cache="", concurrency=3)
        with pytest.raises(UserError, match=r"max_money = 0.01 .*0.01 in money.*nothing is kept"):
            engine.ask(requests)
    assert len(server.calls) == 2
    assert engine.spent.money == pytest.approx(0.007)


@pytest.mark.parametrize(
    ("extra", "most"),
    [
        ({"max_completion_tokens": 5000}, 5000),
        ({"max_tokens": 70}, 70),
        ({"max_completion_tokens": 20}, 50),
        ({"n_predict": 300}, 300),
        ({"n": 8}, 400),
        ({"n": 2, "best_of": 3, "max_completion_tokens": 60}, 180),
    ],
)
def test_a_cap_counts_every_limit_and_every_answer(extra: dict[str, int], most: int, engine_of: EngineOf) -> None:
    with StandIn() as server:
        needed = 6 + 144 + most  # bytes, the template's room, the longest answers
        engine = engine_of(server, extra=extra, max_tokens_spent=needed - 1)
        with pytest.raises(UserError, match=f"can take up to {needed:,} tokens"):
            engine.ask([ask("abcdef", max_tokens=50)])
        assert not server.calls and engine.spent.tokens == 0
        engine_of(server, extra=extra, max_tokens_spent=needed).ask([ask("abcdef", max_tokens=50)])
    assert len(server.calls) == 1


def test_usage_of_nothing_for_something_is_none(engine_of: EngineOf) -> None:
    with StandIn(lambda call: chat("x" * 100, usage=(0, 0))) as server:
        engine = engine_of(server, max_tokens_spent=700)
        with pytest.raises(UserError, match="max_tokens_spent = 700"):
            engine.ask([ask(f"{number:0100}", max_tokens=90) for number in range(30)])
    # 100 bytes are 50 tokens either way; the most that one can cost is 100 + 144 + 90.
    assert len(server.calls) == 4 and engine.spent.tokens == 400 and engine.spent.estimated_share == 1


def test_usage_that_is_missing_is_estimated_and_said(engine_of: EngineOf) -> None:
    with StandIn(lambda call: chat("four", usage=None)) as server:
        engine = engine_of(server, price_in=1.0, price_out=1.0)
        engine.ask([ask("x" * 99)])
    spent = engine.spent
    assert (spent.prompt_tokens, spent.completion_tokens, spent.estimated_tokens) == (50, 2, 52)
    assert spent.estimated_share == 1.0 and spent.money == pytest.approx(52e-6)
    assert "52 tokens (100% estimated)" in spent.sentence()
    assert engine_of(server).spent.estimated_share is None


def test_what_is_refused_or_busy_costs_nothing(engine_of: EngineOf) -> None:
    with StandIn(first(error(429), error(500), then=lambda call: error(400))) as server:
        engine = engine_of(server)
        engine.ask([ask("x")])
    assert engine.spent.tokens == 0 and engine.spent.no_reply == 1


def test_the_same_request_twice_is_sent_once(engine_of: EngineOf) -> None:
    with StandIn() as server:
        engine = engine_of(server)
        replies = engine.ask([ask("a"), ask("b"), ask("a"), ask("a", repeat=1)])
    assert [isinstance(reply, Reply) and reply.cached for reply in replies] == [False, False, True, False]
    assert len(server.calls) == 3 and engine.spent.cached == 1


def test_progress_says_what_was_cached_and_spent(engine_of: EngineOf, capsys: pytest.CaptureFixture[str],
                                                 monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("precis.progress.PLAIN_FROM_SECONDS", 0.0)
    with StandIn() as server:
        engine_of(server).ask([ask("a")])
        engine = engine_of(server, price_in=1e4, price_out=1e4)
        engine._quiet = False
        engine.ask([ask("a"), ask("b")], note="ranking")
    said = capsys.readouterr()
    assert "ranking: 2/2 requests" in said.err and "1 cached, 15 tokens, 0.15 spent" in said.err
    assert said.out == ""
