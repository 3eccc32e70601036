"""Tests are hermetic: one thread a process, no hub, no network but this machine's own loopback."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from endpoint_stand_in import EngineOf, FakeClock
    from precis.endpoint import EndpointEngine

# Before torch is imported: several test processes with several threads each would only wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("precis", deadline=None)
hypothesis.settings.load_profile("precis")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in ("localhost", "127.0.0.1", "::1"):
            raise OSError(f"tests may not connect to {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):  # which would lead even loopback elsewhere
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRECIS_STORE", raising=False)


@pytest.fixture
def clock() -> FakeClock:
    """The clock of `engine_of`'s engines, which waits for nothing and notes what it would have waited."""
    from endpoint_stand_in import FakeClock

    return FakeClock()


@pytest.fixture
def engine_of(tmp_path: Path, clock: FakeClock) -> EngineOf:
    """An endpoint engine for a stand-in, one request at a time, with its cache in `tmp_path / "cache"`."""
    from endpoint_stand_in import MODEL
    from precis.endpoint import EndpointConfig, EndpointEngine

    def engine(server: Any, **settings: Any) -> EndpointEngine:
        url = server if isinstance(server, str) else server.url
        defaults = {"model": MODEL, "key_env": "", "cache": str(tmp_path / "cache"), "concurrency": 1}
        return EndpointEngine(EndpointConfig(url=url, **(defaults | settings)), quiet=True, clock=clock)

    return engine
