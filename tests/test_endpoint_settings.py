"""Requests, settings and surroundings that no server could be asked with: each is one sentence."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from endpoint_stand_in import (
    EngineOf,
    FakeClock,
    ask,
)
from precis.endpoint import EndpointConfig, EndpointEngine, Request
from precis.errors import BadInput, UserError


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
        {"extra": {"stream": True}},
        {"extra": {"echo": False}},
    ],
)
def test_settings_that_are_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        EndpointConfig(**({"url": "http://host/v1", "model": "m"} | wrong))
    assert "secretsecret" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["stream", "stream_options", "messages", "prompt", "echo", "logprobs", "model"])
def test_what_the_engine_decides_cannot_be_sent_as_something_else(name: str) -> None:
    with pytest.raises(UserError, match=f"endpoint setting extra: {name} cannot be set here"):
        EndpointConfig("http://host/v1", "m", extra={name: 1, "top_k": 1})
    assert EndpointConfig("http://host/v1", "m", extra={"stream": False}).extra, "which some servers must be told"


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
    name: str, value: str, why: str, engine_of: EngineOf, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.upper(), raising=False)
    monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "socksio", None)  # as where it is not installed
    engine = engine_of("http://host.invalid/v1")
    with pytest.raises(UserError, match=why) as caught:
        engine.ask([ask("x")])
    said = str(caught.value)
    assert "secretsecret" not in said and "\n" not in said
    assert clock.waits == [] and engine.spent.tokens == 0, "neither tried again nor charged"


def test_a_name_that_only_the_network_library_refuses_is_one_sentence(engine_of: EngineOf) -> None:
    engine = engine_of("http://\N{SNOWMAN}\N{COMBINING ACUTE ACCENT}-.example/v1")
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
