"""ln p of a text's tokens, given what stands before it: what GPTScore asks of a model, wherever the model is.

A prompt is a context and a target, and the seam lies between them. Tokenizers do not respect it: most take the space
before a summary into the summary's first word, some join line ends with what follows. So the whole text is tokenized,
and a token is the target's if it holds at least one of the target's characters. One that straddles the seam counts
whole; one that holds nothing but the context's last white space does not count. No end token is ever counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..endpoint.messages import NoReply, Reply, Request

if TYPE_CHECKING:
    from ..endpoint.engine import Engine


@dataclass(frozen=True)
class Prompt:
    """A text whose second part is scored."""

    context: str
    target: str

    @property
    def text(self) -> str:
        return self.context + self.target

    @property
    def seam(self) -> int:
        return len(self.context)


Logps = tuple[float, ...]


class Likelihood(Protocol):
    """Whatever tells the log-probs of a text: a model in memory as well as one behind a URL."""

    @property
    def name(self) -> str:
        """The model's name, part of a judge's settings."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What else decides the numbers, as JSON."""
        ...

    def fits(self, prompts: Sequence[Prompt]) -> bool:
        """Whether the model has positions for all of these. True where that is not known."""
        ...

    def logps(self, prompts: Sequence[Prompt], *, note: str = "") -> list[Logps | NoReply]:
        """For each prompt, ln p of each of its target's tokens (never none), or why there are none."""
        ...


def first_of_target(spans: Sequence[tuple[int, int]], seam: int) -> int | None:
    """The first token that holds a character of the target, or part of one; None if no token does.

    `spans` are each token's characters, whole ones: two tokens with parts of one character both hold it.
    """
    return next((place for place, (_, end) in enumerate(spans) if end > seam), None)


@dataclass(frozen=True)
class EndpointLikelihood:
    """A server that returns the log-probs of a prompt (docs/endpoints.md, "Log-probs of a text")."""

    engine: Engine

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.engine.settings

    def fits(self, prompts: Sequence[Prompt]) -> bool:
        """Servers do not say how much they take; what is too long comes back as a `NoReply` in the server's words."""
        return True

    def logps(self, prompts: Sequence[Prompt], *, note: str = "") -> list[Logps | NoReply]:
        requests = [Request(prompt=prompt.text, echo_logprobs=True) for prompt in prompts]
        replies = self.engine.ask(requests, note=note) if requests else []
        return [_read(prompt, reply) for prompt, reply in zip(prompts, replies, strict=True)]


def _read(prompt: Prompt, reply: Reply | NoReply) -> Logps | NoReply:
    if isinstance(reply, NoReply):
        return reply
    first = first_of_target([(token.offset, token.end) for token in reply.tokens], prompt.seam)
    if first is None:
        return NoReply("the server lists no token of the text to be scored")
    known = tuple(token.logp for token in reply.tokens[first:] if token.logp is not None)
    missing = [token.token for token in reply.tokens[first:] if token.logp is None]
    return NoReply("the server gives no log-prob for some tokens of the text", repr(missing)) if missing else known
