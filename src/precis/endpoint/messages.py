"""What is asked of a large model, and what comes back: plain frozen records, no network."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from functools import cached_property

from ..errors import BadInput
from ..records import check_text, content_hash

_THOUGHT = re.compile(r"^(?:(?!<think>).)*?</think>|<think>.*?(?:</think>|$)", re.DOTALL | re.IGNORECASE)

ROLES = ("system", "developer", "user", "assistant")


@dataclass(frozen=True)
class Request:
    """One thing to ask: a chat (`messages`, pairs of role and text) or a plain text to go on from (`prompt`).

    `echo_logprobs` asks for the log-probabilities of the prompt's own tokens instead of a continuation; length,
    temperature and the like then mean nothing. `repeat` tells deliberate repetitions of one question apart: each is
    asked, and kept, by itself. Raises `BadInput` for what no server could answer.
    """

    messages: tuple[tuple[str, str], ...] = ()
    prompt: str | None = None
    max_tokens: int = 1024
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    echo_logprobs: bool = False
    repeat: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "messages", tuple((role, text) for role, text in self.messages))
        object.__setattr__(self, "stop", tuple(self.stop))
        if bool(self.messages) == (self.prompt is not None):
            raise BadInput("a request has either messages or a prompt")
        for role, text in self.messages:
            if role not in ROLES:
                raise BadInput(f"expected a role of {', '.join(ROLES)}, found {role!r}", field="messages")
            check_text(text, "messages", allow_empty=True)
        if self.prompt is not None:
            check_text(self.prompt, "prompt")
        elif self.echo_logprobs:
            raise BadInput("log-probs of a text need a prompt, not messages", field="echo_logprobs")
        for stop in self.stop:
            check_text(stop, "stop", allow_empty=True)
        _require("max_tokens", self.max_tokens, self.max_tokens >= 1, "at least 1")
        _require("temperature", self.temperature, 0 <= self.temperature < math.inf, "0 or more")
        _require("top_p", self.top_p, 0 < self.top_p <= 1, "above 0 and at most 1")
        _require("repeat", self.repeat, self.repeat >= 0, "0 or more")

    @cached_property
    def id(self) -> str:
        return content_hash("q", dataclasses.asdict(self))


@dataclass(frozen=True)
class TokenLogprob:
    """A token of the prompt: its text as the server spells it, ln p given all before it, the characters that it holds.

    They begin at `offset` and end before `end`. A token that holds only part of a character has that character's
    place. `logp` is None where the server gives none: always for the very first token. Tokens that are not in the
    prompt (a BOS) are not listed.
    """

    token: str
    logp: float | None
    offset: int
    end: int


@dataclass(frozen=True)
class Reply:
    """What the model wrote. `finish` is the server's word: "stop", "length" (cut by `max_tokens`), or "unknown".

    Token counts are the server's, None where it tells none. `tokens` are those of the prompt, for `echo_logprobs`,
    whose `text` is empty. `cached` says that nothing was sent for it.
    """

    text: str
    finish: str
    prompt_tokens: int | None
    completion_tokens: int | None
    tokens: tuple[TokenLogprob, ...] = ()
    cached: bool = False


@dataclass(frozen=True)
class NoReply:
    """Why one request has no answer; `raw` is what came instead, shortened.

    A `permanent` one would end the same way again (a refusal, a text too long), is kept in the cache and not asked
    again; else the server failed or is not set up for it, and a later run tries again.
    """

    why: str
    raw: str = ""
    permanent: bool = True


def spoken(text: str) -> str:
    """`text` without a reasoning model's thoughts (`<think>…</think>`); thoughts that never end run to the end."""
    return _THOUGHT.sub("", text)


def _require(name: str, value: float, holds: bool, expected: str) -> None:
    if not holds:
        raise BadInput(f"expected {expected}, found {value!r}", field=name)
