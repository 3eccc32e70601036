"""The endpoint engine against a server that fails in every way: what is tried again, what stops, what is never sent."""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from endpoint_stand_in import MODEL, Answer, Call, FakeClock, StandIn, as_json, chat, cut, default, error, first
from precis.endpoint import EndpointConfig, EndpointEngine, NoReply, Reply, Request
from precis.endpoint.backoff import delay, retry_after
from precis.endpoint.replies import same_model
from precis.errors import BadInput, UserError

Make = Callable[..., EndpointEngine]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make(tmp_path: Path, clock: FakeClock) -> Make:
    def engine(server: StandIn | str, **settings: Any) -> EndpointEngine:
        url = server if isinstance(server, str) else server.url
        defaults = {"model": MODEL, "key_env": "", "cache": str(tmp_path / "cache"), "concurrency": 1}
        return EndpointEngine(EndpointConfig(url=url, **(defaults | settings)), quiet=True, clock=clock)

    return engine


def ask(text: str, **settings: Any) -> Request:
    return Request(messages=(("user", text),), **settings)


def test_answers_come_in_order_and_the_body_says_what_was_asked(make: Make) -> None:
    with StandIn() as server, make(server, concurrency=4, extra={"top_k": -1}) as engine:
        requests = [ask(f"text {number}") for number in range(9)]
        requests.append(
            Request(messages=[("system", "Be short."), ("user", "x")], temperature=0.5, stop=["\n"], seed=3)
        )
        replies = engine.ask(requests)
    assert [reply.text for reply in replies if isinstance(reply, Reply)] == [
        f"re: {r.messages[-1][1]}" for r in requests
    ]
    assert replies[0] == Reply("re: text 0", "stop", 10, 5)
    body = next(call.body for call in server.calls if call.text == "x")
    assert body == {
        "model": MODEL, "max_tokens": 1024, "temperature": 0.5, "top_p": 1.0, "stop": ["\n"], "seed": 3, "top_k": -1,
        "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "x"}],
    }  # fmt: skip
    assert {call.path for call in server.calls} == {"/v1/chat/completions"}
    spent = engine.spent
    assert (spent.sent, spent.answered, spent.prompt_tokens, spent.completion_tokens) == (10, 10, 100, 50)
    assert (spent.retried, spent.cached, spent.estimated_tokens, spent.money) == (0, 0, 0, None)


def test_a_prompt_goes_to_completions_and_fields_can_be_renamed_and_left_out(make: Make) -> None:
    said = as_json({"choices": [{"text": " on", "finish_reason": "length"}]})
    with StandIn(lambda call: said if call.path == "/v1/completions" else default(call)) as server:
        engine = make(server, max_tokens_field="max_completion_tokens", leave_out=["temperature"])
        replies = engine.ask([Request(prompt="Go", max_tokens=3), ask("hello", max_tokens=7)])
    assert replies[0] == Reply(" on", "length", None, None)
    assert server.calls[0].body == {"model": MODEL, "prompt": "Go", "max_tokens": 3}
    assert server.calls[1].body["max_completion_tokens"] == 7
    assert server.calls[1].body.keys() == {"model", "messages", "max_completion_tokens"}


def test_no_more_than_concurrency_are_under_way(make: Make) -> None:
    together = threading.Barrier(3, timeout=60)

    def script(call: Call) -> Answer:
        together.wait()
        return default(call)

    with StandIn(script) as server:
        make(server, concurrency=3).ask([ask(str(number)) for number in range(12)])
    assert server.most == 3


PASSING = {
    **{str(status): error(status) for status in (408, 409, 425, 429, 500, 502, 503, 504, 529)},
    "cut off in the JSON": cut(chat()),
    "cut off at the start": cut(chat(), keep=0),
    "JSON that ends early": Answer(chat().body[:-9]),
    "a length that is too short": Answer(chat().body, claim=30),
    "HTML": Answer(b"<html><title>Loading</title></html>"),
    "bytes": Answer(b"\xff\xfe\x00\x01", headers={"Content-Type": "application/json"}),
    "not what gzip makes": Answer(b"{}", headers={"Content-Encoding": "gzip"}),
    "deep JSON": Answer(b"[" * 100_000),
    "empty": Answer(),
    "a list": as_json([1]),
    "no choices": as_json({"choices": []}),
    "a choice without a message": as_json({"choices": [{"index": 0}]}),
    "an error in a 200": as_json({"error": {"message": "overloaded", "code": 503}}),
    "an error in a choice": as_json(
        {
            "choices": [
                {"error": {"code": 502, "message": "died"}, "message": {"content": "Half"}, "finish_reason": "stop"}
            ]
        }
    ),
    "an error beside a choice": as_json({"error": "died", "choices": [{"message": {"content": "Half"}}]}),
    "an error as the reason to end": chat("Half", finish="error"),
    "no word": Answer(drop=True),
    "no HTTP": Answer(b"", status=-1),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_what_may_pass_is_tried_again(fault: Answer, make: Make, clock: FakeClock) -> None:
    with StandIn(first(fault, fault)) as server, make(server) as engine:
        assert engine.ask([ask("hello")]) == [Reply("re: hello", "stop", 10, 5)]
    assert server.texts() == ["hello"] * 3
    assert clock.waits == [1, 2]  # the bounds of full jitter: 1 s, doubled
    assert (engine.spent.sent, engine.spent.retried, engine.spent.answered) == (3, 2, 1)


def test_silence_is_tried_again_and_may_be_charged(make: Make) -> None:
    with StandIn(first(Answer(chat().body, seconds=1.3))) as server, make(server, read_seconds=1) as engine:
        assert engine.ask([ask("abcd", max_tokens=9)]) == [Reply("re: abcd", "stop", 10, 5)]
    # The lost answer: 2 tokens for 4 bytes, and the longest answer.
    assert (engine.spent.prompt_tokens, engine.spent.completion_tokens, engine.spent.estimated_tokens) == (12, 14, 11)


def test_a_request_that_is_given_up_has_no_reply_and_is_asked_again_by_the_next_run(
    make: Make, clock: FakeClock
) -> None:
    with StandIn(lambda call: error(500, "melting") if call.text == "bad" else default(call)) as server:
        replies = make(server, retries=3, longest_wait_seconds=3).ask([ask("bad"), ask("good")])
        assert replies[0] == NoReply(
            "the server answered 500 (internal server error): melting, after 4 tries", raw="melting", permanent=False
        )
        assert isinstance(replies[1], Reply)
        assert clock.waits == [1, 2, 3]
        server.script = default
        engine = make(server)
        assert engine.ask([ask("bad"), ask("good")]) == [
            Reply("re: bad", "stop", 10, 5),
            Reply("re: good", "stop", 10, 5, cached=True),
        ]
    assert server.texts() == ["bad"] * 4 + ["good", "bad"]


def test_a_server_that_only_fails_stops_the_run(make: Make) -> None:
    with StandIn(lambda call: error(503)) as server:
        engine = make(server, retries=0)
        engine.ask([ask(str(number)) for number in range(15)])
        with pytest.raises(UserError, match="the last 20 requests all failed"):
            engine.ask([ask(str(number)) for number in range(15, 30)])
    assert len(server.calls) == 20


def test_a_server_that_refuses_everything_stops_the_run(make: Make) -> None:
    requests = [ask(str(number)) for number in range(30)]
    with StandIn(lambda call: error(400, "no such model here")) as server:
        engine = make(server)
        with pytest.raises(UserError, match=r"refused the first 20 requests; the last time .*no such model here"):
            engine.ask(requests)
        assert len(server.calls) == 20
    with StandIn(lambda call: default(call) if call.text == "0" else error(400)) as server:
        assert sum(isinstance(reply, NoReply) for reply in make(server).ask(requests)) == 29


def test_what_a_server_refuses_before_it_works_is_asked_again(make: Make) -> None:
    """LM Studio without a model answers 400; so many requests stop the run, and none of them is kept."""
    requests = [ask(str(number)) for number in range(40)]
    with StandIn(lambda call: error(400, "No models loaded")) as server:
        with pytest.raises(UserError, match="refused the first 20 requests"):
            make(server).ask(requests)
        assert (
            make(server).ask(requests[:2])
            == [NoReply("the server answered 400 (bad request): No models loaded", "No models loaded", permanent=False)]
            * 2
        )
        server.script, before = default, len(server.calls)
        engine = make(server)
        assert all(isinstance(reply, Reply) for reply in engine.ask(requests))
        assert len(server.calls) == before + 40
        assert (engine.spent.answered, engine.spent.cached) == (40, 0)


def test_what_a_server_refuses_is_kept_once_it_works(make: Make) -> None:
    with StandIn(lambda call: default(call) if call.text in "45" else error(400, "too long")) as server:
        requests = [ask(str(number)) for number in range(7)]
        engine = make(server)
        said = engine.ask(requests)
        assert [isinstance(reply, NoReply) and reply.permanent for reply in said] == [
            number not in (4, 5) for number in range(7)
        ]
        assert (engine.spent.answered, engine.spent.no_reply) == (2, 5)
        assert make(server).ask(requests) == [
            reply if isinstance(reply, NoReply) else replace(reply, cached=True) for reply in said
        ]
    assert len(server.calls) == 7


def test_a_403_of_one_text_stops_nobody_once_the_server_works(make: Make) -> None:
    """Gateways answer 403 to a prompt that their moderation does not pass, and to a key that may not."""

    def script(call: Call) -> Answer:
        return error(403, "flagged by moderation") if call.text == "bad" else default(call)

    none = NoReply(
        "the server answered 403 (forbidden): flagged by moderation", "flagged by moderation", permanent=False
    )
    with StandIn(script) as server:
        with pytest.raises(UserError, match=r"403 .*may not use this model"):
            make(server).ask([ask("bad"), ask("good")])
        engine = make(server)
        assert engine.ask([ask("good"), ask("bad"), ask("better")]) == [
            Reply("re: good", "stop", 10, 5), none, Reply("re: better", "stop", 10, 5)
        ]  # fmt: skip
        assert engine.spent.no_reply == 1 and engine.spent.tokens == 30
        # An answer of an earlier run shows as well that the key may; the text is asked again.
        assert make(server).ask([ask("bad"), ask("good"), ask("third")])[0] == none
        assert server.texts() == ["bad", "good", "bad", "better", "bad", "third"]
        server.script = lambda call: error(403, "revoked")
        with pytest.raises(UserError, match=r"refused the first 20 requests; the last time .*revoked"):
            make(server).ask([ask("good"), *(ask(f"more {number}") for number in range(30))])


def test_while_a_server_fails_only_as_many_requests_as_have_a_place_are_tried(make: Make) -> None:
    with StandIn(first(error(500), error(500))) as server:
        make(server, concurrency=2).ask([ask(str(number)) for number in range(10)])
    heard = server.texts()
    assert len(heard) == 30
    assert {*heard[:4]} == {"0", "1"}


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("7", 8),
        ("2.5", 3.5),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 31),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 1),  # it has passed
        ("86400", 61),  # capped
        ("soon", 1),  # as if nothing had been said
        ("nan", 1),
        ("-5", 1),
    ],
)
def test_retry_after_is_respected_and_capped(value: str, wait: float, make: Make, clock: FakeClock) -> None:
    with StandIn(first(error(429, Retry_After=value))) as server:
        make(server, longest_wait_seconds=60).ask([ask("hello")])
    assert clock.waits == [wait]  # and up to a second more, so that not all come back at once


def test_a_server_that_asks_one_to_wait_hears_nothing_from_the_others(make: Make, clock: FakeClock) -> None:
    heard: list[float] = []

    def script(call: Call) -> Answer:
        heard.append(clock.time)
        return error(429, Retry_After="30") if len(heard) == 1 else default(call)

    with StandIn(script) as server:
        make(server).ask([ask(str(number)) for number in range(3)])
    assert heard[0] == 1000
    assert min(heard[1:]) >= 1030


@settings(deadline=None)
@given(tries=st.integers(1, 10**6), after=st.none() | st.floats(0, 1e9), longest=st.floats(0.1, 1e3))
def test_a_delay_lies_between_what_is_asked_and_what_is_allowed(
    tries: int, after: float | None, longest: float
) -> None:
    seconds = delay(tries, after, longest, FakeClock())
    assert 0 < seconds <= longest + 1
    assert after is None or seconds >= min(after, longest)


def test_a_date_without_a_meaning_is_no_wait() -> None:
    assert retry_after({"retry-after": "Tue, 99 Nov 2023 22:13:50 GMT"}, FakeClock()) is None
    assert retry_after({}, FakeClock()) is None


FATAL = {
    "401": (error(401, "Incorrect API key provided"), "check the key in the environment variable"),
    "402": (error(402, "pay"), "no money left"),
    "403": (error(403), "may not use this model"),
    "404": (error(404, "The model does not exist"), "the model's name"),
    "405": (error(405), "check the address"),
    "301": (Answer(status=301, headers={"Location": "https://u:pw@elsewhere.test/v1"}), "redirects to https://elsewhere"),
    "no money": (error(429, "You exceeded your quota", "insufficient_quota"), "no money left"),
    "no model": (error(400, "unknown model", "model_not_found"), "the model's name"),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "advice"), FATAL.values(), ids=FATAL.keys())
def test_what_meets_every_request_stops_the_run_with_one_sentence(fault: Answer, advice: str, make: Make) -> None:
    with StandIn(lambda call: fault) as server, pytest.raises(UserError) as caught:
        make(server, concurrency=2).ask([ask(str(number)) for number in range(50)])
    said = str(caught.value)
    assert "\n" not in said and "u:pw" not in said
    assert f"{server.url}/chat/completions" in said and str(fault.status) in said and MODEL in said and advice in said
    assert len(server.calls) <= 4


def test_a_host_that_cannot_be_reached_stops_the_run(make: Make, clock: FakeClock) -> None:
    with StandIn() as server:
        pass
    with pytest.raises(UserError, match=rf"{server.url} cannot be reached: .*refused.*, after 3 tries") as caught:
        make(server, retries=9).ask([ask("a"), ask("b")])
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert clock.waits == [1, 2]


def test_what_was_under_way_when_the_run_stopped_is_kept(make: Make) -> None:
    def script(call: Call) -> Answer:
        return error(401) if call.text == "1" else Answer(default(call).body, seconds=0.05)

    with StandIn(script) as server:
        requests = [ask(str(number)) for number in range(2)]
        with pytest.raises(UserError):
            make(server, concurrency=2).ask(requests)
        assert make(server).ask(requests[:1]) == [Reply("re: 0", "stop", 10, 5, cached=True)]


NOTHING = {
    "a text too long": (error(400, "maximum context length is 4096 tokens"), "answered 400 .*maximum context length"),
    "413": (error(413), "answered 413"),
    "422": (as_json({"detail": [{"msg": "unexpected field"}]}, 422), "unexpected field"),
    "418": (Answer(b"<h1>Tea</h1><script>x</script>", status=418), "answered 418 .*: Tea"),
    "content filter": (chat("Half a", finish="content_filter"), "content filter"),
    "refusal": (chat(None, refusal="I can't\nhelp."), "the model refused: I can't help."),
    "nothing": (chat(""), "the answer is empty .finish reason stop"),
    "white space": (chat(" \n"), "the answer is empty"),
    "null": (chat(None, finish="tool_calls"), "finish reason tool_calls"),
    "thinking": (chat(None, finish="length", reasoning_content="hm"), "used up before it began"),
}


@pytest.mark.parametrize(("fault", "why"), NOTHING.values(), ids=NOTHING.keys())
def test_one_request_without_an_answer_stops_nobody_and_is_not_asked_again(fault: Answer, why: str, make: Make) -> None:
    with StandIn(lambda call: fault if call.text == "odd" else default(call)) as server:
        for engine in (make(server), make(server)):
            odd, good = engine.ask([ask("odd"), ask("good")])
            assert isinstance(odd, NoReply) and odd.permanent
            assert isinstance(good, Reply)
            assert re.search(why, odd.why), odd.why
    assert server.texts() == ["odd", "good"]
    assert engine.spent.cached == 2


def test_a_text_in_parts_and_characters_that_cannot_be_stored(make: Make) -> None:
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "A\x00b "}, {"type": "text", "text": "c"}]
    odd = as_json({"choices": [{"message": {"content": parts}, "finish_reason": None}]})
    lone = Answer(b'{"choices": [{"message": {"content": "x\\ud83d"}, "finish_reason": "stop"}]}')
    with StandIn(lambda call: odd if call.text == "parts" else lone) as server:
        replies = make(server).ask([ask("parts"), ask("lone")])
    assert replies == [Reply("A\ufffdb c", "unknown", None, None), Reply("x\ufffd", "stop", None, None)]


def test_an_answer_of_another_model_is_counted_and_said_once(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with StandIn(lambda call: chat("x", model="quite-another")) as server:
        engine = make(server)
        engine.ask([ask(str(number)) for number in range(3)])
        assert engine.spent.other_model == 3
        again = make(server)
        again.ask([ask("0")])  # from the cache
        assert again.spent.other_model == 1
    assert caplog.text.count("asked") == 2 and "quite-another answers" in caplog.text


@pytest.mark.parametrize(
    ("asked", "served", "same"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("gpt-4", "gpt-4-0613", True),
        ("gpt-4", "gpt-4o", False),
        ("gpt-3.5-turbo", "gpt-4", False),
        ("gpt-4", "gpt-4-turbo", False),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022", True),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b-instruct", True),
        ("llama3.1", "llama3.1:latest", True),
        ("qwen", "/models/Qwen.gguf", True),
        ("./models/tiny/", "tiny", True),
        ("/models/tiny", "/models/tiny@main", True),
        ("llama-3.1-8b", "llama-3.1-70b", False),
    ],
)
def test_names_of_one_model(asked: str, served: str, same: bool) -> None:
    assert same_model(asked, served) is same
    assert same_model(served, asked) is same


def worst(call: Call) -> Answer:
    """The most that a server can charge: a token a byte, the template's room, and the longest answer."""
    message = call.body["messages"][-1]["content"]
    return chat("x", usage=(len(message.encode()) + 144, call.body["max_tokens"]))


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_cap_on_tokens_holds_and_a_higher_one_goes_on_from_there(concurrency: int, make: Make) -> None:
    requests = [ask(f"{number:06}", max_tokens=50) for number in range(12)]  # at most 6 + 144 + 50 = 200 tokens each
    with StandIn(worst) as server:
        engine = make(server, max_tokens_spent=1099, concurrency=concurrency)
        with pytest.raises(UserError, match=r"max_tokens_spent = 1,099 .*1,000 tokens.* up to 200 tokens"):
            engine.ask(requests)
        assert engine.spent.tokens == 1000 and len(server.calls) == 5
        again = make(server, concurrency=concurrency)
        assert all(isinstance(reply, Reply) for reply in again.ask(requests))
    assert len(server.calls) == 12 and len(set(server.texts())) == 12
    assert again.spent.cached == 5 and again.spent.tokens == 1400


def test_a_cap_waits_for_what_is_under_way_before_it_stops(make: Make) -> None:
    # What is held back (200 each) allows two at a time; what is charged (15 each) allows all.
    with StandIn() as server:
        engine = make(server, max_tokens_spent=540, concurrency=8)
        engine.ask([ask(f"{number:06}", max_tokens=50) for number in range(12)])
    assert engine.spent.tokens == 180 and server.most <= 2


def test_a_cap_on_money_holds(make: Make) -> None:
    requests = [ask(f"{number:06}", max_tokens=50) for number in range(9)]  # 150 · 10 + 50 · 40 = 3,500 millionths
    with StandIn(worst) as server:
        engine = make(server, max_money=0.01, price_in=10.0, price_out=40.0, cache="", concurrency=3)
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
def test_a_cap_counts_every_limit_and_every_answer(extra: dict[str, int], most: int, make: Make) -> None:
    with StandIn() as server:
        needed = 6 + 144 + most  # bytes, the template's room, the longest answers
        engine = make(server, extra=extra, max_tokens_spent=needed - 1)
        with pytest.raises(UserError, match=f"can take up to {needed:,} tokens"):
            engine.ask([ask("abcdef", max_tokens=50)])
        assert not server.calls and engine.spent.tokens == 0
        make(server, extra=extra, max_tokens_spent=needed).ask([ask("abcdef", max_tokens=50)])
    assert len(server.calls) == 1


def test_usage_of_nothing_for_something_is_none(make: Make) -> None:
    with StandIn(lambda call: chat("x" * 100, usage=(0, 0))) as server:
        engine = make(server, max_tokens_spent=700)
        with pytest.raises(UserError, match="max_tokens_spent = 700"):
            engine.ask([ask(f"{number:0100}", max_tokens=90) for number in range(30)])
    # 100 bytes are 50 tokens either way; the most that one can cost is 100 + 144 + 90.
    assert len(server.calls) == 4 and engine.spent.tokens == 400 and engine.spent.estimated_share == 1


def test_usage_that_is_missing_is_estimated_and_said(make: Make) -> None:
    with StandIn(lambda call: chat("four", usage=None)) as server:
        engine = make(server, price_in=1.0, price_out=1.0)
        engine.ask([ask("x" * 99)])
    spent = engine.spent
    assert (spent.prompt_tokens, spent.completion_tokens, spent.estimated_tokens) == (50, 2, 52)
    assert spent.estimated_share == 1.0 and spent.money == pytest.approx(52e-6)
    assert "52 tokens (100% estimated)" in spent.sentence()
    assert make(server).spent.estimated_share is None


def test_what_is_refused_or_busy_costs_nothing(make: Make) -> None:
    with StandIn(first(error(429), error(500), then=lambda call: error(400))) as server:
        engine = make(server)
        engine.ask([ask("x")])
    assert engine.spent.tokens == 0 and engine.spent.no_reply == 1


def test_the_same_request_twice_is_sent_once(make: Make) -> None:
    with StandIn() as server:
        engine = make(server)
        replies = engine.ask([ask("a"), ask("b"), ask("a"), ask("a", repeat=1)])
    assert [isinstance(reply, Reply) and reply.cached for reply in replies] == [False, False, True, False]
    assert len(server.calls) == 3 and engine.spent.cached == 1


def test_it_works_while_a_loop_runs(make: Make) -> None:
    async def notebook() -> list[Reply | NoReply]:
        return make(server).ask([ask("hello")])

    with StandIn() as server:
        assert asyncio.run(notebook()) == [Reply("re: hello", "stop", 10, 5)]


def test_ctrl_c_stops_at_once_and_what_was_under_way_is_still_kept(
    make: Make, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, heard = threading.Event(), threading.Barrier(5, timeout=60)

    def script(call: Call) -> Answer:
        heard.wait()
        answer.wait(60)
        return default(call)

    def interrupt(*_: object) -> None:
        heard.wait()
        raise KeyboardInterrupt

    requests = [ask(str(number)) for number in range(20)]
    with StandIn(script) as server:
        monkeypatch.setattr(clock, "wait", interrupt)
        with pytest.raises(KeyboardInterrupt), make(server, concurrency=4) as engine:
            engine.ask(requests)
        answer.set()  # only now: nobody waited for it
        while len([*(tmp_path / "cache").rglob("*.json")]) < 4:
            time.sleep(0.01)
        assert len(server.calls) == 4
        replies = make(server).ask(requests[:4])
    assert all(isinstance(reply, Reply) and reply.cached for reply in replies)


def test_progress_says_what_was_cached_and_spent(make: Make, capsys: pytest.CaptureFixture[str],
                                                 monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("precis.progress.PLAIN_FROM_SECONDS", 0.0)
    with StandIn() as server:
        make(server).ask([ask("a")])
        engine = make(server, price_in=1e4, price_out=1e4)
        engine._quiet = False
        engine.ask([ask("a"), ask("b")], note="ranking")
    said = capsys.readouterr()
    assert "ranking: 2/2 requests" in said.err and "1 cached, 15 tokens, 0.15 spent" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"messages": (("user", "x"),), "prompt": "x"},
        {"messages": (("robot", "x"),)},
        {"messages": (("user", "x\x00"),)},
        {"messages": (("user", "x"),), "echo_logprobs": True},
        {"prompt": " "},
        {"prompt": "x", "max_tokens": 0},
        {"prompt": "x", "temperature": -1},
        {"prompt": "x", "temperature": float("nan")},
        {"prompt": "x", "top_p": 0},
        {"prompt": "x", "repeat": -1},
    ],
)
def test_requests_that_nobody_could_answer(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        Request(**wrong)


def test_requests_are_named_by_their_content() -> None:
    requests = [ask("a"), ask("b"), ask("a", repeat=1), ask("a", seed=1), ask("a", max_tokens=2), Request(prompt="a")]
    assert ask("a").id == requests[0].id
    assert all(one.id != other.id for one, other in itertools.combinations(requests, 2))


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "localhost:8000"},
        {"url": "ftp://host/v1"},
        {"url": "http://host:port/v1"},
        {"url": "http://host/v1?key=secretsecret"},
        {"url": "http://exa mple.com/v1"},
        {"url": "http://exämple .com/v1"},
        {"url": "http://local..host:8000/v1"},
        {"url": f"http://{'a' * 64}.org/v1"},
        {"url": "http://local\x01host/v1"},
        {"url": "http://localhost/v\x011"},
        {"url": "http://./v1"},
        {"key_env": "sk-proj-secretsecret"},
        {"key_env": "Bearer secretsecret"},
        {"key_env": "1secretsecret"},
        {"key_env": "secretsecret\n"},
        {"max_tokens_spent": 5, "extra": {"max_tokens": -1}},
        {"max_tokens_spent": 5, "extra": {"max_completion_tokens": None}},
        {"max_tokens_spent": 5, "extra": {"n": "2"}},
        {"url": "http://me:secretsecret@host/v1"},
        {"model": " "},
        {"concurrency": 0},
        {"retries": -1},
        {"read_seconds": 0},
        {"max_tokens_spent": -1},
        {"max_money": 1.0},
        {"max_money": float("nan"), "price_in": 1.0, "price_out": 1.0},
        {"max_tokens_field": "n_predict"},
        {"max_tokens_spent": 5, "leave_out": ["max_tokens"]},
        {"extra": {"x": {1, 2}}},
    ],
)
def test_settings_that_are_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        EndpointConfig(**({"url": "http://host/v1", "model": "m"} | wrong))
    assert "secretsecret" not in str(caught.value) and "\n" not in str(caught.value)


def test_an_address_is_taken_as_people_paste_it() -> None:
    for url in ("http://Host:8000/v1/", " http://host:8000/v1/chat/completions"):
        assert EndpointConfig(url, "m").url == "http://host:8000/v1"
    for url in ("http://exämple.com/v1", "http://my_host./v1", "http://[::1]:8000/v1", f"http://{'a' * 63}.org/v1"):
        assert EndpointConfig(url, "m").url == url


ENVIRONMENTS = {
    "SOCKS": ("ALL_PROXY", "socks5://me:secretsecret@127.0.0.1:1080", "ALL_PROXY names a SOCKS proxy, which needs"),
    "scheme": ("HTTP_PROXY", "foo://secretsecret", "HTTP_PROXY names no proxy"),
    "bracket": ("https_proxy", "http://[::1", "https_proxy names no proxy"),
    "port": ("HTTPS_PROXY", "http://me:secretsecret@host:port", "HTTPS_PROXY names no proxy"),
    "host": ("HTTP_PROXY", "http://me:secretsecret@proxy..example:3128", "HTTP_PROXY names no proxy"),
    "exceptions": ("NO_PROXY", "[::1", "the environment variable NO_PROXY cannot be used"),
    "certificates": ("SSL_CERT_FILE", "/absent.pem", "environment variable SSL_CERT_FILE names: .*No such file"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "value", "why"), ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_an_environment_that_cannot_be_used_is_one_sentence(
    name: str, value: str, why: str, make: Make, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.upper(), raising=False)
    monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "socksio", None)  # as where it is not installed
    engine = make("http://host.invalid/v1")
    with pytest.raises(UserError, match=why) as caught:
        engine.ask([ask("x")])
    said = str(caught.value)
    assert "secretsecret" not in said and "\n" not in said
    assert clock.waits == [] and engine.spent.tokens == 0, "neither tried again nor charged"


def test_a_name_that_only_the_network_library_refuses_is_one_sentence(make: Make) -> None:
    engine = make("http://\N{SNOWMAN}\N{COMBINING ACUTE ACCENT}-.example/v1")
    with pytest.raises(UserError, match=r"endpoint setting url: no address: .*hostname"):
        engine.ask([ask("x")])
    assert engine.spent.sent == 0


def test_settings_hold_what_decides_the_answers_and_no_more() -> None:
    config = EndpointConfig(
        "http://host/v1", "m", concurrency=3, max_tokens_spent=9, leave_out=("b", "a"), extra={"k": 1}
    )
    engine = EndpointEngine(config)
    assert engine.name == "m"
    assert engine.settings == {"url": "http://host/v1", "model": "m", "leave_out": ["a", "b"], "extra": {"k": 1}}


def test_settings_can_be_read_from_a_file_and_say_what_they_are() -> None:
    adapter = TypeAdapter(EndpointConfig)
    config = adapter.validate_python({"url": "http://host/v1", "model": "m", "leave_out": ["a"], "extra": {"k": [1]}})
    assert config.leave_out == ("a",)
    assert all(entry.get("description") for entry in adapter.json_schema()["properties"].values())
    with pytest.raises(ValidationError):
        adapter.validate_python({"url": "http://host/v1", "model": "m", "api_key": "x"})
