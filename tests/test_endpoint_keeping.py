"""What the endpoint engine keeps and what it never writes: the cache under kills and damage, and the key."""

from __future__ import annotations

import base64
import html
import json
import logging
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from endpoint_stand_in import MODEL, Answer, Call, FakeClock, StandIn, as_json, chat, default, error
from precis.endpoint import EndpointConfig, EndpointEngine, NoReply, Reply, Request, TokenLogprob
from precis.endpoint.cache import Cache
from precis.endpoint.secret import Secret, read_key
from precis.errors import UserError

Make = Callable[..., EndpointEngine]
KEY = 'sk-0123/456"789+abcdef'

VICTIM = """
import os, signal, sys
from precis.endpoint import EndpointConfig, EndpointEngine, Request
url, cache, deadly = sys.argv[1], sys.argv[2], int(sys.argv[3])
calls = 0
def dying(call):
    def wrapped(*args):
        global calls
        calls += 1
        if calls == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args)
    return wrapped
os.fsync, os.replace = dying(os.fsync), dying(os.replace)
engine = EndpointEngine(EndpointConfig(url, "stand-in", key_env="", cache=cache, concurrency=3))
engine.ask([Request(messages=(("user", f"text {n}"),)) for n in range(30)])
print(engine.spent.sent, engine.spent.cached, engine.spent.damaged)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def make(folder: Path) -> Make:
    def engine(server: StandIn | str, **settings: Any) -> EndpointEngine:
        url = server if isinstance(server, str) else server.url
        defaults = {"model": MODEL, "key_env": "", "cache": str(folder), "concurrency": 1}
        return EndpointEngine(EndpointConfig(url=url, **(defaults | settings)), quiet=True, clock=FakeClock())

    return engine


def ask(text: str, **settings: Any) -> Request:
    return Request(messages=(("user", text),), **settings)


def go(server: StandIn, folder: Path, deadly: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", VICTIM, server.url, str(folder), str(deadly)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kept(folder: Path) -> int:
    return len([*folder.rglob("*.json")])


def test_killed_at_a_random_moment_and_run_again_nothing_kept_is_asked_again(folder: Path) -> None:
    enough = threading.Event()

    def script(call: Call) -> Answer:
        if len(server.calls) >= 15:
            enough.set()
            time.sleep(60)
        return default(call)

    with StandIn(script) as server:
        victim = go(server, folder)
        assert enough.wait(120)
        victim.kill()
        victim.wait()
        before = kept(folder)
        assert 10 <= before <= 14
        asked, server.script = len(server.calls), default
        output, _ = go(server, folder).communicate(timeout=300)
        assert output.split() == [str(30 - before), str(before), "0"]
        assert len(server.calls) == asked + 30 - before
        output, _ = go(server, folder).communicate(timeout=300)
    assert output.split() == ["0", "30", "0"]
    assert len(server.calls) == asked + 30 - before


@pytest.mark.parametrize("deadly", [7, 8])
def test_killed_while_it_writes_it_leaves_no_damage(deadly: int, folder: Path, make: Make) -> None:
    with StandIn() as server:
        victim = go(server, folder, deadly)
        assert victim.wait(timeout=300) == -signal.SIGKILL
        before = kept(folder)
        engine = make(server)
        replies = engine.ask([ask(f"text {number}") for number in range(30)])
    assert all(isinstance(reply, Reply) for reply in replies)
    assert 2 <= before <= 4
    assert (engine.spent.cached, engine.spent.sent, engine.spent.damaged) == (before, 30 - before, 0)


def test_two_engines_may_share_a_folder(folder: Path, make: Make) -> None:
    with StandIn() as server:
        requests = [ask(str(number)) for number in range(40)]
        answers: list[list[Reply | NoReply]] = []
        engines = [make(server, concurrency=3) for _ in range(2)]
        threads = [threading.Thread(target=lambda e=engine: answers.append(e.ask(requests))) for engine in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    texts = [[reply.text for reply in each if isinstance(reply, Reply)] for each in answers]
    assert texts[0] == texts[1] == [f"re: {number}" for number in range(40)]
    assert kept(folder) == 40
    assert not [path for path in folder.rglob(".*") if path.is_file()]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-7],
        lambda content: content.replace(b"re: a", b"re: b"),
        lambda content: b"[1]",
        lambda content: b"\xff\x00" * 20,
        lambda content: b"[" * 100_000,
        lambda content: b'{"check": "c_0", "answer": {}}',
    ],
)
def test_a_damaged_answer_is_noticed_counted_and_asked_again(
    damage: Callable[[bytes], bytes], folder: Path, make: Make
) -> None:
    with StandIn() as server:
        make(server).ask([ask("a")])
        (file,) = folder.rglob("*.json")
        file.write_bytes(damage(file.read_bytes()))
        for expected in ((1, 1, 0), (0, 0, 1)):
            engine = make(server)
            (reply,) = engine.ask([ask("a")])
            assert isinstance(reply, Reply) and reply.text == "re: a"
            assert (engine.spent.damaged, engine.spent.sent, engine.spent.cached) == expected


def test_an_answer_under_another_ones_name_is_damage(folder: Path, make: Make) -> None:
    with StandIn() as server:
        make(server).ask([ask("a")])
        (file,) = folder.rglob("*.json")
        make(server).ask([ask("b")])
        (other,) = {*folder.rglob("*.json")} - {file}
        other.write_bytes(file.read_bytes())
        assert make(server).ask([ask("b")]) == [Reply("re: b", "stop", 10, 5)]


def test_what_decides_the_answer_is_in_the_name(make: Make) -> None:
    with StandIn() as server, StandIn() as elsewhere:
        engines = [
            make(server),
            make(server, model="another"),
            make(elsewhere),
            make(server, extra={"top_k": 1}),
            make(server, leave_out=("temperature",)),
        ]
        variants = [{}, {"repeat": 1}, {"temperature": 0.5}, {"seed": 1}, {"max_tokens": 9}, {"stop": ("x",)}]
        for engine in engines:
            engine.ask([ask("a", **variant) for variant in variants])
            assert engine.spent.sent == len(variants)
        patient = make(server, retries=1, read_seconds=9, max_tokens_spent=10**6)
        patient.ask([ask("a")])
    assert patient.spent.cached == 1


def test_every_field_comes_back_from_the_disk(folder: Path) -> None:
    cache = Cache(str(folder))
    tokens = (TokenLogprob("\u2028é\ufffd", None, 0, 3), TokenLogprob("b", -0.1234567890123456, 3, 4))
    for key, result in {
        "e_aa11": Reply("text\n\u2028", "length", None, 7, tokens, cached=True),
        "e_aa12": NoReply("why", raw="raw"),
    }.items():
        cache.put(key, result, "served")
        assert cache.get(key) == (result, "served")
    cache.put("e_aa13", NoReply("why", permanent=False), None)
    assert cache.get("e_aa13") is None and cache.damaged == 0


def test_a_folder_that_cannot_be_written_stops_the_run(tmp_path: Path, make: Make) -> None:
    (tmp_path / "file").write_text("in the way")
    with StandIn() as server, pytest.raises(UserError, match=r"cannot write the endpoint cache .*file"):
        make(server, cache=str(tmp_path / "file")).ask([ask("a")])


def test_a_cached_run_needs_no_key_and_no_server(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    with StandIn() as server:
        make(server, key_env="SOME_KEY").ask([ask("a")])
    monkeypatch.delenv("SOME_KEY")
    engine = make(server, key_env="SOME_KEY")
    assert engine.ask([ask("a")]) == [Reply("re: a", "stop", 10, 5, cached=True)]
    with pytest.raises(UserError, match="the environment variable SOME_KEY holds no key"):
        engine.ask([ask("b")])


@pytest.mark.parametrize(
    ("value", "sent"), [(KEY, f"Bearer {KEY}"), ("Basic dXNlcjpwYXNz", "Basic dXNlcjpwYXNz"), ("", None)]
)
def test_the_key_is_sent_as_a_bearer_token(
    value: str, sent: str | None, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", value)
    with StandIn() as server:
        make(server, key_env="SOME_KEY" if value else "").ask([ask("a")])
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
    make: Make,
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
        engine = make(server, key_env="SOME_KEY", retries=1)
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
def test_a_server_that_quotes_part_of_a_key(quoted: str, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "hf_AbCdEfGhIjKlMnOpQrStUvWx")
    with StandIn(lambda call: error(401, f"Invalid token {quoted}")) as server, pytest.raises(UserError) as caught:
        make(server, key_env="SOME_KEY").ask([ask("a")])
    assert "Invalid token" in str(caught.value) and "[key]" in str(caught.value)
    assert not any(quoted[place : place + 8] in str(caught.value) for place in range(len(quoted) - 8))


def test_words_that_a_placeholder_is_made_of_stay_in_answers(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-no-key-required")
    with StandIn(lambda call: chat("No visa is required, sk-no-key-required.")) as server:
        (reply,) = make(server, key_env="SOME_KEY").ask([ask("a")])
    assert isinstance(reply, Reply) and reply.text == "No visa is required, [key]."


def test_a_key_in_a_names_place_is_not_shown() -> None:
    """A key can look like a name."""
    for key in ("hf_AbCdEfGhIjKlMnOp", "abcdef0123456789", "A1" * 30):
        with pytest.raises(UserError, match="the environment variable that key_env names holds no key") as caught:
            read_key(key)
        assert key not in str(caught.value)


def test_a_placeholder_for_a_key_is_a_word_like_any_other(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "ollama")
    with StandIn(lambda call: chat("An ollama is no llama.")) as server:
        (reply,) = make(server, key_env="SOME_KEY").ask([ask("a")])
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
