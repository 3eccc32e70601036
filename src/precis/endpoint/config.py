"""The settings of an endpoint: plain, frozen, each default once. Never a key: only the name of where it is."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal
from urllib.parse import SplitResult, urlsplit

from ..errors import UserError


@dataclass(frozen=True)
class EndpointConfig:
    """A server that speaks OpenAI's protocol, and how to treat it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "use_attribute_docstrings": True}

    url: str
    """Where the server's paths begin: `https://host/v1`, to which `/chat/completions` is added."""
    model: str
    """The model's name, as the server knows it."""
    key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; empty for a server that needs none. The value is sent as
    a bearer token, or as it is where it begins with `Bearer ` or `Basic `."""
    concurrency: int = 8
    """Most requests under way at a time, those that wait for another try included."""
    connect_seconds: float = 10.0
    """Longest wait for a connection."""
    read_seconds: float = 300.0
    """Longest wait for an answer to begin, and then for it to end."""
    retries: int = 6
    """Further tries after a failure that may pass."""
    longest_wait_seconds: float = 120.0
    """Longest wait before another try, whatever the server asks for (`Retry-After`)."""
    max_tokens_spent: int | None = None
    """Cap on the tokens, read and written, that one engine spends, anew in every run; None sets none."""
    max_money: float | None = None
    """Cap on what one engine spends, anew in every run, in the currency of the prices; needs both of them."""
    price_in: float | None = None
    """Price of a million tokens read."""
    price_out: float | None = None
    """Price of a million tokens written."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the server calls the limit of a chat answer's length; OpenAI's reasoning models know only the second."""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further fields of every request's body, such as `{"reasoning_effort": "low"}` or, for vLLM, `{"top_k": -1}`."""
    leave_out: tuple[str, ...] = ()
    """Fields of the body that the server does not take, such as `temperature`."""
    cache: str = "endpoint-cache"
    """Folder that keeps every answer, so that nothing is paid for twice; one without a whole path lies where the
    command is given. Empty keeps none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _clean_url(self.url))
        # Values may come from a TOML list.
        object.__setattr__(self, "leave_out", tuple(self.leave_out))
        _require(self, "model", bool(self.model.strip()), "a model's name")
        if self.key_env and not _VARIABLE.fullmatch(self.key_env):  # it may be the key: it is not repeated
            raise UserError(
                "endpoint setting key_env: expected the name of an environment variable (letters, digits, _), never a "
                "key; put the key into a variable, and the variable's name here"
            )
        for name in ("connect_seconds", "read_seconds", "longest_wait_seconds"):
            _require(self, name, 0 < getattr(self, name) < math.inf, "seconds above 0")
        _require(self, "concurrency", self.concurrency >= 1, "at least 1")
        _require(self, "retries", self.retries >= 0, "at least 0")
        for name in ("max_tokens_spent", "max_money", "price_in", "price_out"):
            value = getattr(self, name)
            _require(self, name, value is None or 0 <= value < math.inf, "0 or more")
        _require(self, "max_tokens_field", self.max_tokens_field in _FIELDS, f"one of {', '.join(_FIELDS)}")
        if self.max_money is not None and (self.price_in is None or self.price_out is None):
            raise UserError("endpoint setting max_money: give price_in and price_out, the price of a million tokens")
        try:
            json.dumps(dict(self.extra), allow_nan=False)
        except (TypeError, ValueError):
            raise UserError("endpoint setting extra: expected fields of a JSON object") from None
        # An answer that does not come in parts is what is read here, and some servers must be told.
        whole = {"stream"} if self.extra.get("stream") is False else set()
        if decided := sorted(_DECIDED & self.extra.keys() - whole):
            raise UserError(
                f"endpoint setting extra: {', '.join(decided)} cannot be set here, as what is asked decides it"
            )
        capped = self.max_money is not None or self.max_tokens_spent is not None
        if capped and {"max_tokens", self.max_tokens_field} & {*self.leave_out}:
            raise UserError("a spending cap needs a limit on each answer: take max_tokens out of leave_out")
        for name in (*LIMITS, *TIMES):
            value = self.extra.get(name, 1)
            if capped and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise UserError(
                    f"a spending cap needs a limit on each answer: expected a whole number above 0 as extra.{name}, "
                    f"found {value!r}"
                )

    def answer_settings(self) -> dict[str, Any]:
        """What decides the answers, as JSON; part of a judge's settings and of the cache's keys.

        The address is in it: another server may hold other weights under the same name. Speed, patience and caps
        are not, and defaults are left out, so that a new setting changes nobody's keys.
        """
        settings: dict[str, Any] = {"url": self.url, "model": self.model}
        if self.max_tokens_field != "max_tokens":
            settings["max_tokens_field"] = self.max_tokens_field
        if self.extra:
            settings["extra"] = dict(self.extra)
        if self.leave_out:
            settings["leave_out"] = sorted(self.leave_out)
        return settings


# What the engine sends, or what would make answers of a form that it does not read.
_DECIDED = frozenset({"model", "messages", "prompt", "echo", "logprobs", "stream", "stream_options"})
_FIELDS = ("max_tokens", "max_completion_tokens")
# What servers call the limit of an answer's length: OpenAI's names, llama.cpp's, Hugging Face's.
LIMITS = (*_FIELDS, "n_predict", "max_new_tokens")
# What they call the number of answers to one question, of which all are charged.
TIMES = ("n", "best_of")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _clean_url(url: str) -> str:
    """The URL without what users paste along. Says nothing of its content: there may be a password in it."""
    parts = _split(url.strip())
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or not parts.path.isprintable():
        raise UserError("endpoint setting url: expected an address such as http://localhost:8000/v1")
    if not _is_host(parts.hostname):
        raise UserError(
            "endpoint setting url: its host is no name: expected parts of 1 to 63 letters, digits and hyphens with one "
            "dot between them, as in http://my-server.example.org/v1"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UserError(
            "endpoint setting url: give the address only; a key or password belongs into the environment variable "
            "that key_env names, a query into no place at all"
        )
    path = parts.path.rstrip("/")
    for tail in ("/chat/completions", "/completions"):
        path = path.removesuffix(tail)
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:  # a port that is no number, a bracket left open
        return None


def _is_host(host: str) -> bool:
    """Whether a network library can look for such a name; one that cannot be encoded ends in its own exceptions."""
    if " " in host or not host.isprintable():
        return False
    try:
        return bool(host.removesuffix(".").encode("idna"))
    except UnicodeError:  # an empty part, or a long one
        return False


def _require(config: EndpointConfig, name: str, holds: bool, expected: str) -> None:
    if not holds:
        raise UserError(f"endpoint setting {name}: expected {expected}, found {getattr(config, name)!r}")
