"""A workspace: the folder of one run, with its store, its models, its log and how long each step took.

config.json     the resolved settings        feedback.db     everything written and said
models/         Hugging Face folders            training/       metrics and checkpoints
report.html     what came out, and report.json beside it
summary.json    the same in one row, for several runs side by side
taken.json      which steps another run made
spent.json      what large models behind URLs cost, where there were any
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from ..errors import UserError
from ..evaluation.plain import write_json
from ..progress import clock
from ..store import Store
from .settings import Settings, check_unchanged, save_settings

TIMES, TAKEN = "times.json", "taken.json"


@dataclass(frozen=True)
class Taken:
    """A step whose results came from another run, and the seconds that it took there."""

    run: str
    seconds: float


@dataclass
class Workspace:
    """An open workspace; `seconds` and `started` survive a kill, so that a resumed run reports its whole time.

    `taken` are the steps that were taken over from another run; their `seconds` are those of loading. `at` is the step
    that is under way.
    """

    folder: Path
    store: Store
    started: datetime
    seconds: dict[str, float] = field(default_factory=dict)
    taken: Mapping[str, Taken] = field(default_factory=dict)
    at: str = field(default="", init=False)

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def training(self) -> Path:
        return self.folder / "training"

    @property
    def took_over(self) -> bool:
        """Whether the run began with what another one had made, be it of use or not."""
        return (self.folder / TAKEN).is_file()

    @contextmanager
    def step(self, name: str, what: str) -> Iterator[None]:
        """One step of a recipe: announced, timed, and its time kept even if it is interrupted."""
        announce(f"{name}: {what}")
        before, start = self.seconds.get(name, 0.0), time.monotonic()
        self.at = name
        try:
            yield
        finally:
            self.seconds[name] = before + time.monotonic() - start
            self._save_times()
        announce(f"  {name} took {clock(time.monotonic() - start)}")

    def make_anew(self, name: str) -> None:
        """What another run made of the step `name` does not fit after all: its time is that of this run."""
        self.taken = {step: own for step, own in self.taken.items() if step != name}
        write_json(self.folder / TAKEN, self.taken)

    def _save_times(self) -> None:
        content = {"started": self.started.isoformat(), "seconds": self.seconds}
        partial = self.folder / ".times.json.part"
        partial.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        os.replace(partial, self.folder / TIMES)


@contextmanager
def open_workspace(folder: Path, settings: Settings, store: str | None = None) -> Iterator[Workspace]:
    """The workspace in `folder`, made if there is none. Raises `UserError` if another process works in it, or if it
    holds a run with other settings."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(f"{folder} is a file; name a folder for the results") from None
    with only_one(folder):
        check_unchanged(settings, folder)
        save_settings(settings, folder)
        started, seconds = read_times(folder)
        with Store(store or folder) as opened:
            yield Workspace(folder, opened, started, seconds, read_taken(folder))


def read_times(folder: Path) -> tuple[datetime, dict[str, float]]:
    """When the run in `folder` began, and the seconds of its steps so far; now and none if it has not begun."""
    path = folder / TIMES
    if not path.is_file():
        return datetime.now(UTC), {}
    content = json.loads(path.read_text("utf-8"))
    return datetime.fromisoformat(content["started"]), content["seconds"]


def read_taken(folder: Path) -> dict[str, Taken]:
    """The steps of the run in `folder` that another run made."""
    path = folder / TAKEN
    content = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return {step: Taken(**said) for step, said in content.items()}


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Two processes in one workspace would train over each other: the second is told so, at once."""
    lock: IO[str]
    with open(folder / ".lock", "a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise UserError(
                f"another precis (process {lock.read().strip() or 'unknown'}) is working in {folder}; "
                "wait for it, or name another folder"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def announce(text: str) -> None:
    """A line of a recipe's log. It goes to stderr: stdout is for results."""
    print(text, file=sys.stderr, flush=True)
