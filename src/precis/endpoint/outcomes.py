"""How one try at one request can end."""

from __future__ import annotations

from dataclasses import dataclass

from .messages import NoReply, Reply


@dataclass(frozen=True)
class Answered:
    """The end of the matter: an answer, or the reason why there will be none.

    The counts are the server's usage, None where it tells none; `written` is the length in bytes of what it wrote.
    `free` is True where nothing can have been charged. `proven` is False for log-probs of a prompt that lack the
    evidence described in `echo`.
    """

    result: Reply | NoReply
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    written: int = 0
    free: bool = False
    proven: bool = True


@dataclass(frozen=True)
class Again:
    """A failure that may pass. `after` is how many seconds the server asks to wait, `charged` whether it may have
    charged for an answer that did not arrive, `unreachable` that nobody answered at all."""

    why: str
    raw: str = ""
    after: float | None = None
    charged: bool = False
    unreachable: bool = False


@dataclass(frozen=True)
class Fatal:
    """What would meet every further request too; `why` is the sentence for the user."""

    why: str


Outcome = Answered | Again | Fatal
