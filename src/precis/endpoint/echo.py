"""Log-probabilities of a given text: /completions with `echo`. Numbers that may belong to other tokens are refused.

The answer repeats the prompt's tokens with their log-probs, then goes on with what the model wrote. One token is asked
for, although none is needed: vLLM has refused 0, to llama-cpp-python 0 means no limit, and the token is evidence.
llama-cpp-python (0.3) pairs each token with the next position's distribution where the vocabulary has no BOS; its list
then ends where the written token should stand. So the list must hold that token. Where the model wrote nothing (the
end of the text, which some servers do not list), the same server has to show it on another prompt first: `PROBE`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from .alignment import align
from .messages import NoReply, Request, TokenLogprob

PROBE = Request(prompt="One, two, three, four, five, six, seven, eight, nine, ten, eleven", echo_logprobs=True)
# Verdicts about the server are not permanent: set up otherwise, or with another vocabulary, it may give the numbers.
UNPROVEN = NoReply(
    "the server lists no log-prob for the token it writes, so its log-probs of a text cannot be checked; they may "
    "stand one token off",
    permanent=False,
)
NOT_SPELT = "the tokens that the server lists do not spell the prompt"
NOT_GIVEN = NoReply("the server gives no log-probs of a prompt (echo with logprobs)", permanent=False)
_SPECIAL = re.compile(r"<[^<>]*>|\[[A-Z]+\]|")
# Sums of float32 exponentials can leave a certain token a hair above 0.
_ABOVE_ZERO = 1e-3
# What vLLM writes for ln 0, which JSON cannot hold; no number to take a mean of.
_STANDS_FOR_LN_0 = -9999.0


def read_echo(choice: Mapping[str, Any], prompt: str) -> tuple[tuple[TokenLogprob, ...] | NoReply, bool]:
    """The prompt's tokens, or why there are none; and whether the evidence is there."""
    lists = _lists(choice)
    if lists is None:
        return NOT_GIVEN, True
    tokens, logps = lists
    text = choice.get("text")
    written = text.removeprefix(prompt) if isinstance(text, str) else None
    if written and "".join(tokens) == written:
        return NOT_GIVEN, True  # llama.cpp's server ignores `echo`, and lists what it wrote
    silent = written == ""
    for extra in (1, 0):
        for skip in (0, 1):
            if skip and not _SPECIAL.fullmatch(tokens[0]):
                continue
            kept = slice(skip, len(tokens) - extra)
            spans = align(tokens[kept], prompt)
            if spans is None:
                continue
            if not extra and not silent:
                return UNPROVEN, True
            return _numbers(tokens[kept], logps[kept], spans), bool(extra)
    return NoReply(NOT_SPELT, raw=repr(tokens[:40]), permanent=False), True


def _numbers(
    tokens: list[str], logps: list[float | None], spans: list[tuple[int, int]]
) -> tuple[TokenLogprob, ...] | NoReply:
    told = [logp if logp is not None and _STANDS_FOR_LN_0 < logp < math.inf else None for logp in logps]
    known = [logp for logp in told if logp is not None]
    if not known:
        return NOT_GIVEN
    if max(known) > _ABOVE_ZERO:
        return NoReply(f"the server gives {max(known):g} as the log of a probability", permanent=False)
    return tuple(TokenLogprob(token, logp, *span) for token, logp, span in zip(tokens, told, spans, strict=True))


def _lists(choice: Mapping[str, Any]) -> tuple[list[str], list[float | None]] | None:
    """The tokens and their numbers, if there are as many of one as of the other."""
    listed = choice.get("logprobs")
    if not isinstance(listed, Mapping):
        return None
    tokens, logps = listed.get("tokens"), listed.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(logps, list) or not tokens or len(tokens) != len(logps):
        return None
    texts = all(isinstance(token, str) for token in tokens)
    numbers = all(logp is None or (isinstance(logp, int | float) and not isinstance(logp, bool)) for logp in logps)
    return (tokens, logps) if texts and numbers else None
