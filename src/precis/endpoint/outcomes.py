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

    @property
    def refused(self) -> bool:
        """Whether the server would not try: about this request, or about all of them where it is not set up."""
        return self.free and isinstance(self.result, NoReply) and self.result.permanent

    @property
    def shows_it_works(self) -> bool:
        """Whether the server did what it was asked: an answer, or none for a reason that lies in the request."""
        return not self.free and (isinstance(self.result, Reply) or self.result.permanent)


@dataclass(frozen=True)
class Again:
    """A failure that may pass. `after` is how many seconds the server asks to wait, `charged` whether it may have
    charged for an answer that did not arrive, `unreachable` that nobody answered at all, `malformed` that a 200 came,
    whole, which is no answer of the protocol."""

    why: str
    raw: str = ""
    after: float | None = None
    charged: bool = False
    unreachable: bool = False
    malformed: bool = False


@dataclass(frozen=True)
class NotKept:
    """An answer that is paid for, and that the cache cannot take; `why` is the sentence for the user."""

    answer: Answered
    why: str


@dataclass(frozen=True)
class Fatal:
    """What would meet every further request too; `why` is the sentence for the user.

    `own` is what it is instead where the server is known to answer others; None where that changes nothing.
    """

    why: str
    own: NoReply | None = None


Outcome = Answered | Again | Fatal | NotKept
