"""A server that speaks OpenAI's protocol and fails as it is told to, and a clock that need not be waited for."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, TypeVar

from precis.endpoint import EndpointEngine, Request
from precis.endpoint.backoff import Clock

MODEL = "stand-in"
T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """What came in; `number` counts the calls with the same text, from 0."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    number: int

    @property
    def text(self) -> str:
        return self.body["prompt"] if "prompt" in self.body else self.body["messages"][-1]["content"]


@dataclass(frozen=True)
class Answer:
    """What goes out: `claim` is a Content-Length that need not be true, `drop` hangs up without a word."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    claim: int | None = None
    seconds: float = 0.0
    drop: bool = False


Script = Callable[[Call], Answer]


def as_json(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(json.dumps(body).encode(), status, {name.replace("_", "-"): text for name, text in headers.items()})


def chat(text: str | None = "Fine.", *, finish: str = "stop", usage: tuple[int, int] | None = (10, 5),
         model: str = MODEL, **message: Any) -> Answer:  # fmt: skip
    body: dict[str, Any] = {
        "model": model,
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
        ],
    }
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    return as_json(body)


def error(status: int, message: str = "no", code: str | None = None, **headers: str) -> Answer:
    return as_json({"error": {"message": message, "code": code}}, status, **headers)


def cut(answer: Answer, keep: int = 20) -> Answer:
    """The connection breaks in the middle of the body."""
    return replace(answer, body=answer.body[:keep], claim=len(answer.body))


def default(call: Call) -> Answer:
    return chat(f"re: {call.text}")


def first(*faults: Answer, then: Script = default) -> Script:
    """Each text meets the faults, one a call, before it is answered."""
    return lambda call: faults[call.number] if call.number < len(faults) else then(call)


class StandIn:
    """The server, on a port of its own; `calls` has what it was asked, `most` how many at a time."""

    def __init__(self, script: Script = default):
        self.script = script
        self.calls: list[Call] = []
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                headers = {name.lower(): text for name, text in self.headers.items()}
                stand_in.serve(self, body, headers)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def serve(self, handler: BaseHTTPRequestHandler, body: dict[str, Any], headers: dict[str, str]) -> None:
        with self._lock:
            call = Call(handler.path, body, headers, 0)
            call = replace(call, number=sum(other.text == call.text for other in self.calls))
            self.calls.append(call)
            self._now += 1
            self.most = max(self.most, self._now)
        answer = self.script(call)
        time.sleep(answer.seconds)
        with self._lock:
            self._now -= 1
        if not answer.drop:
            length = len(answer.body) if answer.claim is None else answer.claim
            lines = [f"HTTP/1.1 {answer.status} Said", f"Content-Length: {length}"]
            lines += [f"{name}: {text}" for name, text in answer.headers.items()]
            handler.wfile.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
        if answer.drop or answer.claim is not None:
            handler.close_connection = True

    def stop_listening(self) -> None:
        """Connections are refused from now on; may be called by a script, whose answer still goes out."""
        self._server.shutdown()
        self._server.server_close()

    def texts(self) -> list[str]:
        return [call.text for call in self.calls]

    def __enter__(self) -> StandIn:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_listening()


class FakeClock(Clock):
    """Waits are noted, not waited for; chance always draws the largest."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    def date(self) -> float:
        return 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT

    def jitter(self, bound: float) -> float:
        return bound

    def wait(self, results: queue.SimpleQueue[T], seconds: float | None) -> T | None:
        try:
            return results.get(timeout=60 if seconds is None else 0.01)
        except queue.Empty:
            assert seconds is not None, "nothing came for a minute"
            self.waits.append(seconds)
            self.time += seconds
            return None


EngineOf = Callable[..., EndpointEngine]
"""An engine for a stand-in, or for an address, with these settings: the fixture `engine_of`."""


def ask(text: str, **settings: Any) -> Request:
    return Request(messages=(("user", text),), **settings)
