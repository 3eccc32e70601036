"""The key: read from the environment when it is first needed, shown nowhere."""

from __future__ import annotations

import json
import os
import re
from typing import Any
from urllib.parse import quote

from ..errors import UserError

HIDDEN = "[key]"
# Keys that are shorter are placeholders of local servers ("EMPTY", "ollama"): words that an answer may well hold.
_SHORTEST_REAL_KEY = 8
_SHORT = 300
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
# Servers quote a wrong key in part, as sk-abc***wxyz, or somebody else's whole.
_MASKED_KEY = re.compile(r"[\w-]*\*{3,}[\w*-]*|\bsk-[\w-]{6,}")
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^<>]*>", re.DOTALL | re.IGNORECASE)


class Secret:
    """A key that prints as nothing. Empty where the server needs none."""

    __slots__ = ("_spellings", "_value")

    def __init__(self, value: str):
        self._value = value
        bare = value.split(" ", 1)[-1]
        spellings = {form for key in (value, bare) for form in (key, quote(key, safe=""), json.dumps(key)[1:-1])}
        # A placeholder of a letter or two ("x", "no") hides nothing, and would riddle every message.
        self._spellings = sorted((form for form in spellings if len(form) > 3), key=len, reverse=True)

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def header(self) -> dict[str, str]:
        if not self._value:
            return {}
        scheme = "" if self._value.startswith(("Bearer ", "Basic ")) else "Bearer "
        return {"Authorization": scheme + self._value}

    def hide(self, text: str) -> str:
        """`text` without the key."""
        for spelling in self._spellings:
            text = text.replace(spelling, HIDDEN)
        return text

    def hide_in(self, value: Any) -> Any:
        """JSON without the key; for answers, in which a placeholder may be a word like any other."""
        if len(self._value) < _SHORTEST_REAL_KEY:
            return value
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, list):
            return [self.hide_in(item) for item in value]
        if isinstance(value, dict):
            return {self.hide(name): self.hide_in(item) for name, item in value.items()}
        return value

    def short(self, text: str) -> str:
        """What a server or library said, on one line, without markup, keys and passwords: fit for a message."""
        # The key goes first: what is cut before could keep half of it.
        text = _MASKED_KEY.sub(HIDDEN, _USERINFO.sub("", self.hide(text)))
        text = " ".join(_TAG.sub(" ", text).split())
        return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"


def read_key(name: str) -> Secret:
    """The key in the environment variable `name`, or none for an empty name. Raises `UserError`, without the key."""
    if not name:
        return Secret("")
    value = os.environ.get(name, "").strip()
    if not value:
        raise UserError(
            f"the environment variable {name} holds no key; set it, or set key_env to the name of another one, or to "
            "nothing for a server that needs no key"
        )
    if not (value.isascii() and value.isprintable()):
        raise UserError(f"the environment variable {name} holds characters that no key has")
    return Secret(value)
