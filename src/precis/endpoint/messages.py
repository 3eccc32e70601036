"""What is asked of a large model, and what comes back: plain frozen records, no network."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from functools import cached_property

from ..errors import BadInput
from ..records import check_text, content_hash

# Servers' words for an answer that was cut off, in small letters: OpenAI's, then Mistral's, Anthropic's, Gemini's.
_CUT_OFF = {"length", "model_length", "max_length", "max_tokens", "max_output_tokens"}
# The marks of a thought: most models', Kimi's, Magistral's. In small letters, `[think]` may be a stage direction.
_OPENS, _CLOSES = (
    re.compile(rf"<{end}(?:think|thinking|thought|seed:think)>|◁{end}think▷|(?-i:\[{end}THINK\])", re.IGNORECASE)
    for end in ("", "/")
)
# Both marks on one line are looked at as one: "models write <think>…</think> first" speaks of both.
_MARK = re.compile(
    rf"(?P<opens>{_OPENS.pattern})(?:[^\n]{{0,300}}?(?:{_CLOSES.pattern}))?|{_CLOSES.pattern}", re.IGNORECASE
)
_QUOTES = frozenset("`'\"‘’“”„«»()*")
_BEHIND_A_WORD = frozenset(" ,.;:!?)…")

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
    """What the model wrote. `finish` is the server's word, as `finish_of` reads it: "stop", "length" (cut by
    `max_tokens`), or "unknown".

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


def finish_of(word: str) -> str:
    """A server's word for why an answer ended; "length" for all words that say that it was cut off."""
    return "length" if word.lower() in _CUT_OFF else word


def spoken(text: str) -> str:
    """`text` without a reasoning model's thoughts (`<think>…</think>` and the like). Marks it only speaks of stay.

    A thought that never ends runs to the end. One that never began, since its mark stood in the prompt or an inner
    thought ended first, begins behind the thought before it, or with the text.
    """
    kept, at, seen = [], 0, 0  # `at` is behind the last thought, `seen` behind the last mark
    while mark := _MARK.search(text, seen):
        seen = mark.end()
        if _is_spoken_of(text, mark):
            continue
        if mark["opens"]:
            kept.append(text[at : mark.start()])
            end = _CLOSES.search(text, mark.end("opens"))
            if end is None:
                return "".join(kept)
            seen = end.end()
        at = seen
    return "".join([*kept, text[at:]])


def _is_spoken_of(text: str, mark: re.Match[str]) -> bool:
    """Whether a mark stands like a word in a sentence: behind one and before a space or a stop, or in quotes."""
    before, after = text[max(0, mark.start() - 2) : mark.start()], text[mark.end() : mark.end() + 1]
    in_quotes = before[-1:] in _QUOTES and after in _QUOTES
    behind_a_word = before[1:] == " " and (before[0].isalnum() or before[0] in ",;")
    return bool(before and after) and (in_quotes or (behind_a_word and after in _BEHIND_A_WORD))


def _require(name: str, value: float, holds: bool, expected: str) -> None:
    if not holds:
        raise BadInput(f"expected {expected}, found {value!r}", field=name)
