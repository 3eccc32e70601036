"""Answers on disk, so that nothing is paid for twice: one small file each, named by the hash of what was asked.

A file appears whole or not at all, and is on the disk before its answer is used. Two processes may share a folder: the
worst that happens is that both ask the same, and the last one's file stays. A file that a failing disk damaged is
noticed by its checksum, counted, asked again and replaced.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UserError
from ..records import content_hash
from .messages import NoReply, Reply, TokenLogprob


class Kept(NamedTuple):
    """An answer and the name of the model that the server said it is of."""

    result: Reply | NoReply
    model: str | None


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

    def put(self, key: str, result: Reply | NoReply, model: str | None) -> None:
        """Keep an answer, and the reason for none where it would be the same again."""
        if self._folder is None or (isinstance(result, NoReply) and not result.permanent):
            return
        answer = _to_json(result, model)
        content = json.dumps({"check": _check(key, answer), "answer": answer}).encode("ascii")
        path = self._path(self._folder, key)
        temporary = path.with_name(f".{secrets.token_hex(6)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with open(temporary, "xb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"cannot write the endpoint cache {self._folder}: {error.strerror or error}") from error

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        digits = key.removeprefix("e_")
        return folder / digits[:2] / f"{digits[2:]}.json"


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
    if "why" in answer:
        return Kept(NoReply(answer["why"], answer["raw"]), answer["model"])
    counts = (answer["prompt_tokens"], answer["completion_tokens"])
    tokens = tuple(TokenLogprob(*row) for row in answer["tokens"])
    return Kept(Reply(answer["text"], answer["finish"], *counts, tokens, cached=True), answer["model"])
