"""The key of an endpoint is sent, and never written: in no log, message, answer or file, in no spelling."""

from __future__ import annotations

import base64
import html
import json
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from endpoint_stand_in import (
    Answer,
    EngineOf,
    StandIn,
    as_json,
    ask,
    chat,
    error,
)
from precis.endpoint import NoReply, Reply
from precis.endpoint.secret import Secret, read_key
from precis.errors import UserError

KEY = 'sk-0123/456"789+abcdef'


@pytest.mark.parametrize(
    ("value", "sent"), [(KEY, f"Bearer {KEY}"), ("Basic dXNlcjpwYXNz", "Basic dXNlcjpwYXNz"), ("", None)]
)
def test_the_key_is_sent_as_a_bearer_token(
    value: str, sent: str | None, engine_of: EngineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", value)
    with StandIn() as server:
        engine_of(server, key_env="SOME_KEY" if value else "").ask([ask("a")])
    assert server.calls[0].headers.get("authorization") == sent


ECHOES = {
    "an answer": lambda key: chat(f"The key is {key}.", model=f"m-{key}"),
    "a refusal": lambda key: chat(None, refusal=f"No: {key}"),
    "a 400": lambda key: error(400, f"bad request with Bearer {key}"),
    "a 401": lambda key: error(401, f"Incorrect API key provided: {key}. Or sk-abc***xyz"),
    "a 500": lambda key: error(500, ("x" * 290) + key, Retry_After=key),
    "HTML": lambda key: Answer(f"<html>{key}</html>".encode()),
    "a redirect": lambda key: Answer(status=302, headers={"Location": f"http://x:{key}@host/?key={key}"}),
    "no JSON fields": lambda key: as_json({key: key}),
    "an error in a 200": lambda key: as_json({"error": {"message": key}}),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_the_key_is_never_written(
    echo: Callable[[str], Answer],
    engine_of: EngineOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    monkeypatch.setattr("precis.progress.PLAIN_FROM_SECONDS", 0.0)
    caplog.set_level(logging.DEBUG)
    # At DEBUG, httpx's own library logs the headers that a server sends; of those that we send it logs none.
    caplog.set_level(logging.INFO if echo(KEY).headers else logging.DEBUG, "httpcore")
    said = []
    with StandIn(lambda call: echo(KEY)) as server:
        engine = engine_of(server, key_env="SOME_KEY", retries=1)
        engine._quiet = False
        try:
            said.append(repr(engine.ask([ask("a"), ask("b")])))
        except UserError as caught:
            said.append("".join(traceback.TracebackException.from_exception(caught, capture_locals=True).format()))
    said += [repr(engine), repr(engine._transport), repr(vars(engine)), repr(vars(engine._transport))]
    said += [repr(engine.settings), repr(engine._config), repr(engine.spent), caplog.text, *capfd.readouterr()]
    said += [path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert server.calls and all(call.headers["authorization"] == f"Bearer {KEY}" for call in server.calls)
    for text in said:
        for part in (KEY, json.dumps(KEY)[1:-1], "0123/456", "789+abcdef", "abc***", "***xyz"):
            assert part not in text


LONG_KEY = "sk-aB3/+=dEf'Gh1jKl"


QUOTED = {
    "whole": (LONG_KEY, "[key]"),
    "in capitals": (LONG_KEY.upper(), "[key]"),
    "in an address": (quote(LONG_KEY), "[key]"),
    "in an address, all of it": (quote(LONG_KEY, safe=""), "[key]"),
    "in an address, small": (quote(LONG_KEY, safe="").lower(), "[key]"),
    "in HTML": (html.escape(LONG_KEY), "[key]"),
    "in HTML, by numbers": (LONG_KEY.replace("'", "&#39;").replace("+", "&#43;"), "[key]"),
    "in JSON": (LONG_KEY.replace("/", "\\/").replace("+", "\\u002b"), "[key]"),
    "in Python": (LONG_KEY.replace("+", "\\x2b"), "[key]"),
    # The last sign of base64 holds bits of what comes behind.
    "in base64": (base64.b64encode(LONG_KEY.encode()).decode(), "[key]A=="),
    "in base64 behind a name": (base64.urlsafe_b64encode(f"user:{LONG_KEY}".encode()).decode(), "dXNlcjp[key]"),
    "its beginning": (LONG_KEY[:12], "[key]"),
    "its end": (LONG_KEY[-12:], "[key]"),
    "eight of it": (LONG_KEY[4:12], "[key]"),
    "all but one": (LONG_KEY[:-1], "[key]"),
    "on two lines": (f"{LONG_KEY[:9]}\n{LONG_KEY[9:]}", "[key] [key]"),
    "between others": (f"xyz{LONG_KEY[3:]}123", "xyz[key]123"),
}


@pytest.mark.parametrize(("said", "shown"), QUOTED.values(), ids=QUOTED.keys())
def test_no_part_of_a_key_is_shown_in_any_spelling(said: str, shown: str) -> None:
    assert Secret(LONG_KEY).short(f"Incorrect key {said} !") == f"Incorrect key {shown} !"
    assert Secret(f"Bearer {LONG_KEY}").short(f"Incorrect key {said} !") == f"Incorrect key {shown} !"


def test_what_is_shared_with_a_key_by_chance_stays() -> None:
    secret = Secret(LONG_KEY)
    assert secret.short("sk-aB3/ is 7 characters of 100% & more; C:\\temp &amp; %41") == (
        "sk-aB3/ is 7 characters of 100% & more; C:\\temp &amp; %41"
    )
    assert secret.short("bad \ud800 and \x00") == "bad \ufffd and \ufffd"


@pytest.mark.parametrize(
    "quoted", ["hf_AbCdEfGhIjKlMnOpQr…", "…GhIjKlMnOpQrStUvWx", "aGZfQWJDZEVmR2hJaktsTW5PcFFyU3RVdld4"]
)
def test_a_server_that_quotes_part_of_a_key(quoted: str, engine_of: EngineOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "hf_AbCdEfGhIjKlMnOpQrStUvWx")
    with StandIn(lambda call: error(401, f"Invalid token {quoted}")) as server, pytest.raises(UserError) as caught:
        engine_of(server, key_env="SOME_KEY").ask([ask("a")])
    assert "Invalid token" in str(caught.value) and "[key]" in str(caught.value)
    assert not any(quoted[place : place + 8] in str(caught.value) for place in range(len(quoted) - 8))


def test_words_that_a_placeholder_is_made_of_stay_in_answers(
    engine_of: EngineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-no-key-required")
    with StandIn(lambda call: chat("No visa is required, sk-no-key-required.")) as server:
        (reply,) = engine_of(server, key_env="SOME_KEY").ask([ask("a")])
    assert isinstance(reply, Reply) and reply.text == "No visa is required, sk-no-key-required."


@pytest.mark.parametrize(
    ("key", "hidden"),
    [
        ("anything", False),
        ("changeme-changeme", False),
        ("YOUR-API-KEY-GOES-HERE", False),
        ("Short-Key-1", False),
        ("abcdefghijklmno1", True),
        ("aBcdefghijklmnop", True),
        ("Bearer abcdefghijklmno1", True),
    ],
)
def test_only_what_looks_like_a_secret_is_taken_out_of_answers(
    key: str, hidden: bool, engine_of: EngineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", key)
    bare = key.split(" ")[-1]
    said = {"answer": chat(f"Say {bare} to Anna."), "refusal": chat(None, refusal=f"No: {bare}"),
            "error": error(400, f"No: {bare}")}  # fmt: skip
    with StandIn(lambda call: said[call.text]) as server:
        answer, *others = engine_of(server, key_env="SOME_KEY").ask([ask(name) for name in said])
    assert isinstance(answer, Reply)
    assert answer.text == ("Say [key] to Anna." if hidden else f"Say {bare} to Anna.")
    for other in others:
        assert isinstance(other, NoReply) and bare not in other.why + other.raw and "[key]" in other.why


def test_a_key_in_a_names_place_is_not_shown() -> None:
    """A key can look like a name."""
    for key in ("hf_AbCdEfGhIjKlMnOp", "abcdef0123456789", "A1" * 30):
        with pytest.raises(UserError, match="the environment variable that key_env names holds no key") as caught:
            read_key(key)
        assert key not in str(caught.value)


def test_a_placeholder_for_a_key_is_a_word_like_any_other(engine_of: EngineOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "ollama")
    with StandIn(lambda call: chat("An ollama is no llama.")) as server:
        (reply,) = engine_of(server, key_env="SOME_KEY").ask([ask("a")])
    assert isinstance(reply, Reply) and reply.text == "An ollama is no llama."


@pytest.mark.parametrize("value", ["", "  ", "line\nbreak", "schlüssel"])
def test_a_key_that_is_none_is_not_shown(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", value)
    with pytest.raises(UserError, match="SOME_KEY") as caught:
        read_key("SOME_KEY")
    assert not value.strip() or value not in str(caught.value)


def test_what_a_message_shows_is_short_and_clean() -> None:
    secret = Secret("topsecret")
    assert repr(secret) == "Secret(hidden)"
    assert secret.short("see http://me:pw@host/ and topsecret") == "see http://host/ and [key]"
    cut = secret.short("x " * 148 + "topsecret" * 3)
    assert len(cut) == 300 and "tops" not in cut
