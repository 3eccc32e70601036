"""What the endpoint engine keeps: the cache under kills and damage."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from endpoint_stand_in import (
    Answer,
    Call,
    EngineOf,
    StandIn,
    ask,
    default,
)
from precis.endpoint import NoReply, Reply, TokenLogprob
from precis.endpoint.cache import Cache
from precis.errors import UserError

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
    """Where `engine_of`'s engines keep what they heard."""
    return tmp_path / "cache"


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
def test_killed_while_it_writes_it_leaves_no_damage(deadly: int, folder: Path, engine_of: EngineOf) -> None:
    with StandIn() as server:
        victim = go(server, folder, deadly)
        assert victim.wait(timeout=300) == -signal.SIGKILL
        before = kept(folder)
        engine = engine_of(server)
        replies = engine.ask([ask(f"text {number}") for number in range(30)])
    assert all(isinstance(reply, Reply) for reply in replies)
    assert 2 <= before <= 4
    assert (engine.spent.cached, engine.spent.sent, engine.spent.damaged) == (before, 30 - before, 0)


def test_two_engines_may_share_a_folder(folder: Path, engine_of: EngineOf) -> None:
    with StandIn() as server:
        requests = [ask(str(number)) for number in range(40)]
        answers: list[list[Reply | NoReply]] = []
        engines = [engine_of(server, concurrency=3) for _ in range(2)]
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
    damage: Callable[[bytes], bytes], folder: Path, engine_of: EngineOf
) -> None:
    with StandIn() as server:
        engine_of(server).ask([ask("a")])
        (file,) = folder.rglob("*.json")
        file.write_bytes(damage(file.read_bytes()))
        for expected in ((1, 1, 0), (0, 0, 1)):
            engine = engine_of(server)
            (reply,) = engine.ask([ask("a")])
            assert isinstance(reply, Reply) and reply.text == "re: a"
            assert (engine.spent.damaged, engine.spent.sent, engine.spent.cached) == expected


def test_an_answer_under_another_ones_name_is_damage(folder: Path, engine_of: EngineOf) -> None:
    with StandIn() as server:
        engine_of(server).ask([ask("a")])
        (file,) = folder.rglob("*.json")
        engine_of(server).ask([ask("b")])
        (other,) = {*folder.rglob("*.json")} - {file}
        other.write_bytes(file.read_bytes())
        assert engine_of(server).ask([ask("b")]) == [Reply("re: b", "stop", 10, 5)]


def test_what_decides_the_answer_is_in_the_name(engine_of: EngineOf) -> None:
    with StandIn() as server, StandIn() as elsewhere:
        engines = [
            engine_of(server),
            engine_of(server, model="another"),
            engine_of(elsewhere),
            engine_of(server, extra={"top_k": 1}),
            engine_of(server, leave_out=("temperature",)),
        ]
        variants = [{}, {"repeat": 1}, {"temperature": 0.5}, {"seed": 1}, {"max_tokens": 9}, {"stop": ("x",)}]
        for engine in engines:
            engine.ask([ask("a", **variant) for variant in variants])
            assert engine.spent.sent == len(variants)
        patient = engine_of(server, retries=1, read_seconds=9, max_tokens_spent=10**6)
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
        assert cache.get(key) == (result, "served", True)
        cache.put(key, result, None, proven=False)
        assert cache.get(key) == (result, None, False)
        cache.drop(key)
        assert cache.get(key) is None
    cache.put("e_aa13", NoReply("why", permanent=False), None)
    assert cache.get("e_aa13") is None and cache.damaged == 0


@pytest.mark.parametrize("cache", ["file", "file/below", "/proc/nope"])
def test_a_folder_that_cannot_be_written_stops_the_run_before_anything_is_paid_for(
    cache: str, tmp_path: Path, engine_of: EngineOf
) -> None:
    (tmp_path / "file").write_text("in the way")
    with StandIn() as server:
        engine = engine_of(server, cache=str(tmp_path / cache))
        with pytest.raises(UserError, match=rf"cannot write the endpoint cache .*{cache}"):
            engine.ask([ask("a")])
    assert not server.calls and engine.spent.sent == 0


def test_what_was_answered_is_counted_when_the_folder_fails_later(folder: Path, engine_of: EngineOf) -> None:
    both = threading.Barrier(2, timeout=60)

    def script(call: Call) -> Answer:
        if both.wait() == 0:
            shutil.rmtree(folder)
            folder.write_text("in the way")
        both.wait()
        return default(call)

    with StandIn(script) as server:
        engine = engine_of(server, concurrency=2)
        with pytest.raises(UserError, match="cannot write the endpoint cache"):
            engine.ask([ask(str(number)) for number in range(20)])
    assert engine.spent.tokens == 15 * len(server.calls) and engine.spent.estimated_tokens == 0


def test_trying_the_folder_leaves_nothing_in_it(folder: Path) -> None:
    Cache(str(folder / "deeper")).try_out()
    assert [*folder.rglob("*")] == [folder / "deeper"]
    Cache("").try_out()


@pytest.mark.parametrize("word", ["model_length", "max_length"])
def test_an_answer_that_was_kept_with_the_servers_own_word_for_being_cut_off(word: str, folder: Path) -> None:
    cache = Cache(str(folder))
    cache.put("e_aa11", Reply("Anna and", word, None, None), None)
    kept = cache.get("e_aa11")
    assert kept and isinstance(kept.result, Reply) and kept.result.finish == "length"


def test_a_cached_run_needs_no_key_and_no_server(engine_of: EngineOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    with StandIn() as server:
        engine_of(server, key_env="SOME_KEY").ask([ask("a")])
    monkeypatch.delenv("SOME_KEY")
    engine = engine_of(server, key_env="SOME_KEY")
    assert engine.ask([ask("a")]) == [Reply("re: a", "stop", 10, 5, cached=True)]
    with pytest.raises(UserError, match="the environment variable SOME_KEY holds no key"):
        engine.ask([ask("b")])
