"""Ask an engine many questions at once, read the answers, and ask again, a bounded number of times, what is unreadable.

To ask again means to go on with the conversation: the answer so far, then what was wrong with it and the form that is
wanted. The very same question would at temperature 0 bring the very same answer. An engine's own failures
(`NoReply`) are final here: it has retried them already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ..endpoint.messages import NoReply, Reply, Request, spoken
from .verdicts import Unreadable

if TYPE_CHECKING:
    from ..endpoint.engine import Engine

V = TypeVar("V")
Read = TypeVar("Read", covariant=True)


class Reader(Protocol[Read]):
    """Reads an answer; with `cut`, one that max_tokens cut off, of which less can be believed."""

    def __call__(self, text: str, *, cut: bool) -> Read | Unreadable: ...


@dataclass(frozen=True)
class Question(Generic[V]):
    """A request, how its answer is read, and the form that an answer must have, in words for the judge."""

    request: Request
    read: Reader[V]
    form: str


@dataclass(frozen=True)
class Answer(Generic[V]):
    """What came of a question: a verdict, or `why` there is none.

    `text` is what was said, all of it if it was asked more than once (`asked`); `detail` is what of it is wrong.
    `later` means that no answer came for a reason that may pass: to ask in another run may bring one.
    """

    verdict: V | None
    text: str
    why: str = ""
    asked: int = 1
    later: bool = False
    detail: str = ""


def request_of(
    messages: tuple[tuple[str, str], ...], *, max_tokens: int, temperature: float, seed: int, repeat: int = 0
) -> Request:
    """A request of a judge. Nothing is drawn at temperature 0, so the seed is left out there: it would only make an
    answer that is known look like one that is not."""
    drawn = seed + repeat if temperature > 0 else None
    return Request(messages, max_tokens=max_tokens, temperature=temperature, seed=drawn, repeat=repeat)


def ask_until_read(
    engine: Engine, questions: Sequence[Question[V]], *, retries: int = 1, note: str = ""
) -> list[Answer[V]]:
    """One `Answer` a question, in their order. Equal questions are asked once; each round is one `engine.ask`."""
    answers: dict[int, Answer[V]] = {}
    pending = {place: question.request for place, question in enumerate(questions)}
    for asked in range(1, retries + 2):
        unique = list(dict.fromkeys(pending.values()))
        replies = dict(zip(unique, engine.ask(unique, note=note), strict=True)) if unique else {}
        again = {}
        for place, request in pending.items():
            reply, before = replies[request], answers.get(place)
            found = _answer(questions[place], reply, before.text if before else "", asked)
            answers[place] = found
            if found.verdict is None and isinstance(reply, Reply):
                again[place] = _again(request, reply, found, questions[place].form)
        pending = again
    return [answers[place] for place in range(len(questions))]


def _answer(question: Question[V], reply: Reply | NoReply, before: str, asked: int) -> Answer[V]:
    said = _storable(reply.text if isinstance(reply, Reply) else reply.raw)
    text = f"{before}\n\n(asked again)\n\n{said}" if before else said
    if isinstance(reply, NoReply):
        return Answer(None, text, reply.why, asked, later=not reply.permanent)
    verdict = question.read(reply.text, cut=reply.finish == "length")
    if not isinstance(verdict, Unreadable):
        return Answer(verdict, text, asked=asked)
    return Answer(None, text, verdict.reason.value, asked, detail=verdict.detail)


def _again(request: Request, reply: Reply, found: Answer[V], form: str) -> Request:
    said = _storable(spoken(reply.text)).strip()
    why = f"{found.why} ({found.detail})" if found.detail else found.why
    reminder = f"Your answer cannot be used: {why}. Answer with one line only, in this form:\n{form}"
    # Some servers refuse an empty message; then there is nothing to go on from, and the question itself is repeated.
    turns = (("assistant", said), ("user", reminder)) if said else ()
    return replace(request, messages=request.messages + turns, repeat=request.repeat + 1)


def _storable(text: str) -> str:
    """Without what a server can send in JSON and no request may hold: NUL characters and halves of characters."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
