"""A request → the path and JSON body that are sent, and how much they can cost at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..records import content_hash
from .config import LIMITS, TIMES, EndpointConfig
from .messages import Request

# Counted into the hash: a change of what is kept, or of how answers are read, asks anew. Log-probs of a text have one
# of their own, so that answers that were paid for outlive its changes. 2: where each token ends.
FORMAT, ECHO_FORMAT = 1, 2
# Room for what a chat template adds: a system prompt of its own, and marks around each message.
_TEMPLATE_TOKENS, _MESSAGE_TOKENS = 128, 16


@dataclass
class Job:
    """A request on its way: `places` are where its answer goes, `tries` how often it was sent, `malformed` how often
    what came was no answer of the protocol.

    The bounds are in tokens. No tokenizer makes more tokens of a text than it has bytes; English has about four
    bytes a token. So a cap holds for any model, and leaves a little unspent.
    """

    key: str
    path: str
    body: dict[str, Any]
    request: Request
    prompt_bytes: int
    prompt_bound: int
    completion_bound: int
    places: list[int] = field(default_factory=list)
    tries: int = 0
    malformed: int = 0


def job_of(request: Request, config: EndpointConfig) -> Job:
    """What to send for `request`. Its key covers the address, everything that is sent, and `repeat`."""
    chat = request.prompt is None
    limit = config.max_tokens_field if chat else "max_tokens"
    body: dict[str, Any] = {"model": config.model}
    if chat:
        body["messages"] = [{"role": role, "content": text} for role, text in request.messages]
    else:
        body["prompt"] = request.prompt
    if request.echo_logprobs:
        body |= {"echo": True, "logprobs": 1, limit: 1, "temperature": 0.0}
    else:
        body |= {limit: request.max_tokens, "temperature": request.temperature}
        if request.temperature > 0:
            # Sent although it is the default: vLLM would take the model folder's own.
            body["top_p"] = request.top_p
        if request.stop:
            body["stop"] = list(request.stop)
        if request.seed is not None:
            body["seed"] = request.seed
    body |= config.extra
    for name in config.leave_out:
        body.pop(name, None)
    path = "/chat/completions" if chat else "/completions"
    texts = [text for _, text in request.messages] if chat else [request.prompt or ""]
    prompt_bytes = sum(len(text.encode("utf-8")) for text in texts)
    version = ECHO_FORMAT if request.echo_logprobs else FORMAT
    return Job(
        key=content_hash("e", [version, config.url, path, body, request.repeat]),
        path=path,
        body=body,
        request=request,
        prompt_bytes=prompt_bytes,
        prompt_bound=prompt_bytes + _TEMPLATE_TOKENS + _MESSAGE_TOKENS * len(request.messages),
        completion_bound=_longest(body, request.max_tokens),
    )


def _longest(body: Mapping[str, Any], default: int) -> int:
    """The most tokens that a server can write: it may know another of the limits than the one that was meant, and may
    write several answers."""

    def largest(names: Sequence[str], default: int) -> int:
        told = (body.get(name) for name in names)
        return max((value for value in told if isinstance(value, int) and value > 0), default=default)

    return largest(LIMITS, default) * largest(TIMES, 1)
