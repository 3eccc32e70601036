"""Large models behind a URL: any server that speaks OpenAI's protocol (`docs/endpoints.md`)."""

from __future__ import annotations

from .config import EndpointConfig
from .engine import EndpointEngine, Engine
from .messages import NoReply, Reply, Request, TokenLogprob
from .spending import Spent

__all__ = [
    "EndpointConfig",
    "EndpointEngine",
    "Engine",
    "NoReply",
    "Reply",
    "Request",
    "Spent",
    "TokenLogprob",
]
