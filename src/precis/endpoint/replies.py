"""The JSON of a 200 → an answer, a reason why there is none, or rubbish that is worth another try."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .echo import read_echo
from .messages import NoReply, Reply, Request, finish_of
from .outcomes import Again, Answered

_RAW = 2000
# What stands behind a name for a version of the same model: -2024-08-06, -20241022, -0613, @main, :latest.
_VERSION = re.compile(r"(-\d{4}-\d{2}-\d{2}|-\d{4,8}|@[\w.-]+|[-:]latest)$")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def read_reply(body: Any, request: Request) -> Answered | Again:
    """What a server's JSON says. Again: it is not of the protocol's form, which a busy proxy can cause."""
    if not isinstance(body, Mapping):
        return Again("answered with something that is not an object", charged=True, malformed=True)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        if body.get("error"):
            return Again(f"answered with an error inside a 200: {body['error']}")
        return Again("answered with no choices", charged=True, malformed=True)
    choice = choices[0]
    # OpenRouter's and Mistral's words for an answer that broke off: what came until then may look like a whole one.
    if choice.get("error") or body.get("error") or choice.get("finish_reason") == "error":
        return Again(f"broke off with an error: {choice.get('error') or body.get('error') or 'no word'}", charged=True)
    message = choice.get("message") if request.prompt is None else {"content": choice.get("text")}
    if not isinstance(message, Mapping) or (request.prompt is not None and not isinstance(message["content"], str)):
        return Again("answered with a choice without a text", charged=True, malformed=True)
    told = body.get("usage")
    usage = told if isinstance(told, Mapping) else {}
    prompt_tokens, completion_tokens = (_count(usage.get(f"{side}_tokens")) for side in ("prompt", "completion"))
    text, proven = _text(message.get("content")), True
    # No prompt is of no tokens, and no text; a server that says so does not count.
    prompt_tokens = prompt_tokens or None
    if text and not request.echo_logprobs:
        completion_tokens = completion_tokens or None
    finish = finish_of(_clean(str(choice.get("finish_reason") or "unknown"))[:40])
    result: Reply | NoReply
    if request.echo_logprobs:
        tokens, proven = read_echo(_clean_deep(choice), request.prompt or "")
        if isinstance(tokens, NoReply):
            result = tokens
        else:
            result = Reply("", finish, prompt_tokens, completion_tokens, tokens)
    elif why := _why_nothing(message, text, finish):
        result = NoReply(why, raw=(text or _clean(str(message.get("refusal") or "")))[:_RAW])
    else:
        result = Reply(text, finish, prompt_tokens, completion_tokens)
    model = body.get("model")
    return Answered(
        result,
        model=model if isinstance(model, str) else None,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        written=sum(len(_written(choice).encode("utf-8")) for choice in choices),
        proven=proven,
    )


def same_model(asked: str, served: str) -> bool:
    """Whether two names can mean one model: a path or an owner before it and a version behind it do not count."""
    return _bare(asked) == _bare(served)


def _bare(name: str) -> str:
    name = name.rstrip("/").rsplit("/", 1)[-1].lower().removesuffix(".gguf")
    while match := _VERSION.search(name):
        name = name[: match.start()]
    return name


def _why_nothing(message: Mapping[str, Any], text: str, finish: str) -> str | None:
    if finish == "content_filter":
        return "the server's content filter stopped the answer"
    if message.get("refusal"):
        return f"the model refused: {' '.join(_clean(str(message['refusal'])).split())[:200]}"
    if text.strip():
        return None
    if finish == "length":
        return "the answer is empty: its tokens were used up before it began (thinking?); raise max_tokens"
    return f"the answer is empty (finish reason {finish})"


def _written(choice: Any) -> str:
    """All that one of the answers holds, for an estimate of what it costs."""
    if not isinstance(choice, Mapping):
        return ""
    message = choice.get("message")
    return _text(message.get("content") if isinstance(message, Mapping) else choice.get("text"))


def _text(content: Any) -> str:
    """A message's text; some servers give it in parts, thinking apart from text."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
        content = "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    return _clean(content) if isinstance(content, str) else ""


def _clean(text: str) -> str:
    """Characters that neither files nor stores can hold become U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def _clean_deep(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, list):
        return [_clean_deep(item) for item in value]
    return {name: _clean_deep(item) for name, item in value.items()} if isinstance(value, Mapping) else value


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
