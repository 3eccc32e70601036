"""The endpoint engine against a server that fails in every way: what is tried again, what stops, and what neither."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoint_stand_in import (
    MODEL,
    Answer,
    Call,
    EngineOf,
    FakeClock,
    StandIn,
    as_json,
    ask,
    chat,
    cut,
    default,
    error,
    first,
)
from precis.endpoint import NoReply, Reply, Request
from precis.endpoint.backoff import Clock, delay, retry_after
from precis.endpoint.messages import spoken
from precis.endpoint.replies import same_model
from precis.errors import UserError


def test_answers_come_in_order_and_the_body_says_what_was_asked(engine_of: EngineOf) -> None:
    with StandIn() as server, engine_of(server, concurrency=4, extra={"top_k": -1}) as engine:
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


def test_a_prompt_goes_to_completions_and_fields_can_be_renamed_and_left_out(engine_of: EngineOf) -> None:
    said = as_json({"choices": [{"text": " on", "finish_reason": "length"}]})
    with StandIn(lambda call: said if call.path == "/v1/completions" else default(call)) as server:
        engine = engine_of(server, max_tokens_field="max_completion_tokens", leave_out=["temperature"])
        replies = engine.ask([Request(prompt="Go", max_tokens=3), ask("hello", max_tokens=7)])
    assert replies[0] == Reply(" on", "length", None, None)
    assert server.calls[0].body == {"model": MODEL, "prompt": "Go", "max_tokens": 3}
    assert server.calls[1].body["max_completion_tokens"] == 7
    assert server.calls[1].body.keys() == {"model", "messages", "max_completion_tokens"}


def test_no_more_than_concurrency_are_under_way(engine_of: EngineOf) -> None:
    together = threading.Barrier(3, timeout=60)

    def script(call: Call) -> Answer:
        together.wait()
        return default(call)

    with StandIn(script) as server:
        engine_of(server, concurrency=3).ask([ask(str(number)) for number in range(12)])
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
def test_what_may_pass_is_tried_again(fault: Answer, engine_of: EngineOf, clock: FakeClock) -> None:
    with StandIn(first(fault, fault)) as server, engine_of(server) as engine:
        assert engine.ask([ask("hello")]) == [Reply("re: hello", "stop", 10, 5)]
    assert server.texts() == ["hello"] * 3
    assert clock.waits == [1, 2]  # the bounds of full jitter: 1 s, doubled
    assert (engine.spent.sent, engine.spent.retried, engine.spent.answered) == (3, 2, 1)


def test_silence_is_tried_again_and_may_be_charged(engine_of: EngineOf) -> None:
    with StandIn(first(Answer(chat().body, seconds=1.3))) as server, engine_of(server, read_seconds=1) as engine:
        assert engine.ask([ask("abcd", max_tokens=9)]) == [Reply("re: abcd", "stop", 10, 5)]
    # The lost answer: 2 tokens for 4 bytes, and the longest answer.
    assert (engine.spent.prompt_tokens, engine.spent.completion_tokens, engine.spent.estimated_tokens) == (12, 14, 11)


def test_a_request_that_is_given_up_has_no_reply_and_is_asked_again_by_the_next_run(
    engine_of: EngineOf, clock: FakeClock
) -> None:
    with StandIn(lambda call: error(500, "melting") if call.text == "bad" else default(call)) as server:
        replies = engine_of(server, retries=3, longest_wait_seconds=3).ask([ask("bad"), ask("good")])
        assert replies[0] == NoReply(
            "the server answered 500 (internal server error): melting, after 4 tries", raw="melting", permanent=False
        )
        assert isinstance(replies[1], Reply)
        assert clock.waits == [1, 2, 3]
        server.script = default
        engine = engine_of(server)
        assert engine.ask([ask("bad"), ask("good")]) == [
            Reply("re: bad", "stop", 10, 5),
            Reply("re: good", "stop", 10, 5, cached=True),
        ]
    assert server.texts() == ["bad"] * 4 + ["good", "bad"]


def test_a_server_that_only_fails_stops_the_run(engine_of: EngineOf) -> None:
    with StandIn(lambda call: error(503)) as server:
        engine = engine_of(server, retries=0)
        engine.ask([ask(str(number)) for number in range(15)])
        with pytest.raises(UserError, match="the last 20 requests all failed"):
            engine.ask([ask(str(number)) for number in range(15, 30)])
    assert len(server.calls) == 20


def test_a_server_that_refuses_everything_stops_the_run(engine_of: EngineOf) -> None:
    requests = [ask(str(number)) for number in range(30)]
    with StandIn(lambda call: error(400, "no such model here")) as server:
        engine = engine_of(server)
        with pytest.raises(UserError, match=r"refused the first 20 requests; the last time .*no such model here"):
            engine.ask(requests)
        assert len(server.calls) == 20
    with StandIn(lambda call: default(call) if call.text == "0" else error(400)) as server:
        assert sum(isinstance(reply, NoReply) for reply in engine_of(server).ask(requests)) == 29


def test_what_a_server_refuses_before_it_works_is_asked_again(engine_of: EngineOf) -> None:
    """LM Studio without a model answers 400; so many requests stop the run, and none of them is kept."""
    requests = [ask(str(number)) for number in range(40)]
    with StandIn(lambda call: error(400, "No models loaded")) as server:
        with pytest.raises(UserError, match="refused the first 20 requests"):
            engine_of(server).ask(requests)
        assert (
            engine_of(server).ask(requests[:2])
            == [NoReply("the server answered 400 (bad request): No models loaded", "No models loaded", permanent=False)]
            * 2
        )
        server.script, before = default, len(server.calls)
        engine = engine_of(server)
        assert all(isinstance(reply, Reply) for reply in engine.ask(requests))
        assert len(server.calls) == before + 40
        assert (engine.spent.answered, engine.spent.cached) == (40, 0)


def test_what_a_server_refuses_is_kept_once_it_works(engine_of: EngineOf) -> None:
    with StandIn(lambda call: default(call) if call.text in "45" else error(400, "too long")) as server:
        requests = [ask(str(number)) for number in range(7)]
        engine = engine_of(server)
        said = engine.ask(requests)
        assert [isinstance(reply, NoReply) and reply.permanent for reply in said] == [
            number not in (4, 5) for number in range(7)
        ]
        assert (engine.spent.answered, engine.spent.no_reply) == (2, 5)
        assert engine_of(server).ask(requests) == [
            reply if isinstance(reply, NoReply) else replace(reply, cached=True) for reply in said
        ]
    assert len(server.calls) == 7


def test_a_403_of_one_text_stops_nobody_once_the_server_works(engine_of: EngineOf) -> None:
    """Gateways answer 403 to a prompt that their moderation does not pass, and to a key that may not."""

    def script(call: Call) -> Answer:
        return error(403, "flagged by moderation") if call.text == "bad" else default(call)

    none = NoReply(
        "the server answered 403 (forbidden): flagged by moderation", "flagged by moderation", permanent=False
    )
    with StandIn(script) as server:
        with pytest.raises(UserError, match=r"403 .*may not use this model"):
            engine_of(server).ask([ask("bad"), ask("good")])
        engine = engine_of(server)
        assert engine.ask([ask("good"), ask("bad"), ask("better")]) == [
            Reply("re: good", "stop", 10, 5), none, Reply("re: better", "stop", 10, 5)
        ]  # fmt: skip
        assert engine.spent.no_reply == 1 and engine.spent.tokens == 30
        # An answer of an earlier run shows as well that the key may; the text is asked again.
        assert engine_of(server).ask([ask("bad"), ask("good"), ask("third")])[0] == none
        assert server.texts() == ["bad", "good", "bad", "better", "bad", "third"]
        server.script = lambda call: error(403, "revoked")
        with pytest.raises(UserError, match=r"refused the first 20 requests; the last time .*revoked"):
            engine_of(server).ask([ask("good"), *(ask(f"more {number}") for number in range(30))])


def test_while_a_server_fails_only_as_many_requests_as_have_a_place_are_tried(engine_of: EngineOf) -> None:
    with StandIn(first(error(500), error(500))) as server:
        engine_of(server, concurrency=2).ask([ask(str(number)) for number in range(10)])
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
def test_retry_after_is_respected_and_capped(value: str, wait: float, engine_of: EngineOf, clock: FakeClock) -> None:
    with StandIn(first(error(429, Retry_After=value))) as server:
        engine_of(server, longest_wait_seconds=60).ask([ask("hello")])
    assert clock.waits == [wait]  # and up to a second more, so that not all come back at once


def test_a_server_that_asks_one_to_wait_hears_nothing_from_the_others(engine_of: EngineOf, clock: FakeClock) -> None:
    heard: list[float] = []

    def script(call: Call) -> Answer:
        heard.append(clock.time)
        return error(429, Retry_After="30") if len(heard) == 1 else default(call)

    with StandIn(script) as server:
        engine_of(server).ask([ask(str(number)) for number in range(3)])
    assert heard[0] == 1000
    assert min(heard[1:]) >= 1030


def test_what_the_server_asks_of_one_holds_for_those_that_have_a_place(engine_of: EngineOf, clock: FakeClock) -> None:
    heard: list[float] = []
    refused = threading.Event()

    def script(call: Call) -> Answer:
        heard.append(clock.time)
        if call.text == "0" and not refused.is_set():
            refused.set()
            return error(429, Retry_After="30")
        if call.text == "1":  # answered when the engine has heard the other: then a place is free, and it is not used
            assert refused.wait(60)
            time.sleep(0.5)
        return default(call)

    with StandIn(script) as server:
        engine_of(server, concurrency=2).ask([ask(str(number)) for number in range(4)])
    assert sorted(heard)[:2] == [1000, 1000] and sorted(heard)[2] >= 1030


def test_chance_spreads_the_tries() -> None:
    draws = [Clock().jitter(2.0) for _ in range(200)]
    assert 0 <= min(draws) < 0.5 and 1.5 < max(draws) <= 2, "a quarter misses all of 200 once in 10^25"


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
def test_what_meets_every_request_stops_the_run_with_one_sentence(
    fault: Answer, advice: str, engine_of: EngineOf
) -> None:
    with StandIn(lambda call: fault) as server, pytest.raises(UserError) as caught:
        engine_of(server, concurrency=2).ask([ask(str(number)) for number in range(50)])
    said = str(caught.value)
    assert "\n" not in said and "u:pw" not in said
    assert f"{server.url}/chat/completions" in said and str(fault.status) in said and MODEL in said and advice in said
    assert len(server.calls) <= 4


def test_a_host_that_cannot_be_reached_stops_the_run(engine_of: EngineOf, clock: FakeClock) -> None:
    with StandIn() as server:
        pass
    with pytest.raises(UserError, match=rf"{server.url} cannot be reached: .*refused.*, after 3 tries") as caught:
        engine_of(server, retries=9).ask([ask("a"), ask("b")])
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert clock.waits == [1, 2]


def test_a_host_that_has_answered_anything_can_be_reached(engine_of: EngineOf) -> None:
    def script(call: Call) -> Answer:
        if call.number < 3:
            return replace(error(503), claim=len(error(503).body))  # and hangs up
        server.stop_listening()
        return replace(error(503), claim=len(error(503).body))

    with StandIn(script) as server, pytest.raises(UserError, match=r"cannot be reached: .*, after 9 tries"):
        engine_of(server, retries=8).ask([ask("a")])
    assert len(server.calls) == 4


def test_a_host_that_answered_an_earlier_run_is_waited_for(engine_of: EngineOf) -> None:
    with StandIn() as server:
        engine_of(server).ask([ask("a")])
    with pytest.raises(UserError, match=r"cannot be reached: .*, after 6 tries"):
        engine_of(server, retries=5).ask([ask("a"), ask("b")])


def test_an_answer_of_another_form_is_paid_for_three_times_at_most(engine_of: EngineOf) -> None:
    def script(call: Call) -> Answer:
        if call.text == "busy":
            return error(503) if call.number < 4 else as_json({"choices": [{"text": "Here."}]})
        return chat()  # a chat's answer to a text

    with StandIn(script) as server:
        engine = engine_of(server)
        odd, busy = engine.ask([Request(prompt="odd", max_tokens=10), Request(prompt="busy")])
        assert odd == NoReply(
            "the server answered with a choice without a text, after 3 tries", chat().body.decode(), permanent=False
        )
        assert isinstance(busy, Reply) and busy.text == "Here."
        assert server.texts().count("odd") == 3
        server.script = first(error(500), error(500), error(500), as_json([]), as_json([]))
        assert isinstance(engine_of(server).ask([ask("late")])[0], Reply), "other failures do not count as such"


CUT_OFF = ["length", "model_length", "max_tokens", "MAX_TOKENS", "max_length"]


@pytest.mark.parametrize("word", CUT_OFF)
def test_all_words_for_an_answer_that_was_cut_off_are_one(word: str, engine_of: EngineOf) -> None:
    with StandIn(lambda call: chat("" if call.text == "b" else "Anna and", finish=word)) as server:
        replies = engine_of(server).ask([ask("a"), ask("b")])
    assert replies[0] == Reply("Anna and", "length", 10, 5)
    assert isinstance(replies[1], NoReply) and "raise max_tokens" in replies[1].why


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<thinking>Who?</thinking>Anna.", "Anna."),
        ("<thought>\nWho?\n</thought>\n\nAnna.", "Anna."),
        ("[THINK]Who?[/THINK]Anna.", "Anna."),
        ("◁think▷Who?◁/think▷Anna.", "Anna."),
        ("<seed:think>Who?</seed:think>Anna.", "Anna."),
        ("<think> Who? </think> Anna.", "Anna."),
        ("<think>a</think>b</think>Anna.", "Anna."),
        ("<think>a<think>b</think>c</think>Anna.", "Anna."),
        ("<think>I could write <think> here.</think>Anna.", "Anna."),
        ("I could write <think> here.\n</think>\nAnna.", "Anna."),  # it began in the prompt
        ("Anna.\n<thinking>Or who?</thinking>\n", "Anna."),
        ("Anna. [THINK]Or who?", "Anna."),
        ("<thinking>Who?", ""),
    ],
)
def test_thoughts_in_any_marks_are_not_spoken(text: str, said: str) -> None:
    assert spoken(text).strip() == said


@pytest.mark.parametrize(
    "text",
    [
        "Models write <think> before they answer.",
        "The tag </think> ends it. Anna knows.",
        "Models write <thinking>…</thinking> first, says Anna.",
        "Write `<think>`, then `</think>`, says Anna.",
        'The sign "[THINK]" hangs in the office, and "[/THINK]" beside it.',
        "Anna (<thought>) and Ben (</thought>) met.",
        "[think] Anna thinks. [/think]",
    ],
)
def test_marks_that_an_answer_speaks_of_cut_nothing(text: str) -> None:
    assert spoken(text) == text
    assert spoken(f"<think>Who?</think>{text}") == text


def test_what_was_under_way_when_the_run_stopped_is_kept(engine_of: EngineOf) -> None:
    def script(call: Call) -> Answer:
        return error(401) if call.text == "1" else Answer(default(call).body, seconds=0.05)

    with StandIn(script) as server:
        requests = [ask(str(number)) for number in range(2)]
        with pytest.raises(UserError):
            engine_of(server, concurrency=2).ask(requests)
        assert engine_of(server).ask(requests[:1]) == [Reply("re: 0", "stop", 10, 5, cached=True)]


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
def test_one_request_without_an_answer_stops_nobody_and_is_not_asked_again(
    fault: Answer, why: str, engine_of: EngineOf
) -> None:
    with StandIn(lambda call: fault if call.text == "odd" else default(call)) as server:
        for engine in (engine_of(server), engine_of(server)):
            odd, good = engine.ask([ask("odd"), ask("good")])
            assert isinstance(odd, NoReply) and odd.permanent
            assert isinstance(good, Reply)
            assert re.search(why, odd.why), odd.why
    assert server.texts() == ["odd", "good"]
    assert engine.spent.cached == 2


def test_a_text_in_parts_and_characters_that_cannot_be_stored(engine_of: EngineOf) -> None:
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "A\x00b "}, {"type": "text", "text": "c"}]
    odd = as_json({"choices": [{"message": {"content": parts}, "finish_reason": None}]})
    lone = Answer(b'{"choices": [{"message": {"content": "x\\ud83d"}, "finish_reason": "stop"}]}')
    with StandIn(lambda call: odd if call.text == "parts" else lone) as server:
        replies = engine_of(server).ask([ask("parts"), ask("lone")])
    assert replies == [Reply("A\ufffdb c", "unknown", None, None), Reply("x\ufffd", "stop", None, None)]


def test_an_answer_of_another_model_is_counted_and_said_once(
    engine_of: EngineOf, caplog: pytest.LogCaptureFixture
) -> None:
    with StandIn(lambda call: chat("x", model="quite-another")) as server:
        engine = engine_of(server)
        engine.ask([ask(str(number)) for number in range(3)])
        assert engine.spent.other_model == 3
        again = engine_of(server)
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


def test_it_works_while_a_loop_runs(engine_of: EngineOf) -> None:
    async def notebook() -> list[Reply | NoReply]:
        return engine_of(server).ask([ask("hello")])

    with StandIn() as server:
        assert asyncio.run(notebook()) == [Reply("re: hello", "stop", 10, 5)]


def test_ctrl_c_stops_at_once_and_what_was_under_way_is_still_kept(
    engine_of: EngineOf, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        with pytest.raises(KeyboardInterrupt), engine_of(server, concurrency=4) as engine:
            engine.ask(requests)
        answer.set()  # only now: nobody waited for it
        while len([*(tmp_path / "cache").rglob("*.json")]) < 4:
            time.sleep(0.01)
        assert len(server.calls) == 4
        replies = engine_of(server).ask(requests[:4])
    assert all(isinstance(reply, Reply) and reply.cached for reply in replies)
