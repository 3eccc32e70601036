"""Answers on disk, so that nothing is paid for twice: one small file each, named by the hash of what was asked.

A file appears whole or not at all, and is on the disk before its answer is used. Two processes may share a folder: the
worst that happens is that both ask the same, and the last one's file stays. A file that a failing disk damaged is
noticed by its checksum, counted, asked again and replaced.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from ..errors import UserError
from ..records import content_hash
from .messages import NoReply, Reply, TokenLogprob, finish_of


class Kept(NamedTuple):
    """An answer, the name of the model that the server said it is of, and whether it is `Answered.proven`."""

    result: Reply | NoReply
    model: str | None
    proven: bool = True


class Cache:
    """The answers in `folder`; an empty name keeps nothing. `damaged` counts the files that could not be used."""

    def __init__(self, folder: str):
        self._folder = Path(folder).expanduser() if folder else None
        self.damaged = 0

    def get(self, key: str) -> Kept | None:
        """The answer kept under `key`, if there is one that can be read."""
        if self._folder is None:
            return None
        path = self._path(self._folder, key)
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UserError(f"cannot read the endpoint cache {path}: {error.strerror or error}") from error
        try:
            entry = json.loads(content)
            if entry["check"] != _check(key, entry["answer"]):
                raise ValueError("checksum")
            return _from_json(entry["answer"])
        except (ValueError, LookupError, TypeError, RecursionError):
            self.damaged += 1
            return None

    def try_out(self) -> None:
        """Make the folder and write into it, before anything is paid for. Raises `UserError` if that cannot be done."""
        if self._folder is not None:
            with self._saying_what_fails(), _beside(self._folder / "any") as stream:
                stream.write(b"?")

    def put(self, key: str, result: Reply | NoReply, model: str | None, *, proven: bool = True) -> None:
        """Keep an answer, and the reason for none where it would be the same again."""
        if self._folder is None or (isinstance(result, NoReply) and not result.permanent):
            return
        answer = _to_json(result, model) | ({} if proven else {"proven": False})
        content = json.dumps({"check": _check(key, answer), "answer": answer}).encode("ascii")
        path = self._path(self._folder, key)
        with self._saying_what_fails(), _beside(path) as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
            os.replace(stream.name, path)

    def drop(self, key: str) -> None:
        """Forget the answer kept under `key`, if there is one."""
        if self._folder is not None:
            with self._saying_what_fails():
                self._path(self._folder, key).unlink(missing_ok=True)

    @contextmanager
    def _saying_what_fails(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(f"cannot write the endpoint cache {self._folder}: {error.strerror or error}") from error

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        digits = key.removeprefix("e_")
        return folder / digits[:2] / f"{digits[2:]}.json"


@contextmanager
def _beside(path: Path) -> Iterator[IO[bytes]]:
    """A new file in the folder of `path`, made if need be; whatever still has its name in the end is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(6)}")
    try:
        with open(temporary, "xb") as stream:
            yield stream
    finally:
        temporary.unlink(missing_ok=True)


def _check(key: str, answer: Any) -> str:
    return content_hash("c", [key, answer])


def _to_json(result: Reply | NoReply, model: str | None) -> dict[str, Any]:
    if isinstance(result, NoReply):
        return {"why": result.why, "raw": result.raw, "model": model}
    return {
        "text": result.text,
        "finish": result.finish,
        "prompt_tokens": result.prompt_tokens,
        "completion_tokens": result.completion_tokens,
        "tokens": [[token.token, token.logp, token.offset, token.end] for token in result.tokens],
        "model": model,
    }


def _from_json(answer: Mapping[str, Any]) -> Kept:
    proven = answer.get("proven", True)
    if "why" in answer:
        return Kept(NoReply(answer["why"], answer["raw"]), answer["model"], proven)
    counts = (answer["prompt_tokens"], answer["completion_tokens"])
    tokens = tuple(TokenLogprob(*row) for row in answer["tokens"])
    # An earlier version kept the server's own word.
    finish = finish_of(answer["finish"])
    return Kept(Reply(answer["text"], finish, *counts, tokens, cached=True), answer["model"], proven)
