"""The key: read from the environment when it is first needed, shown nowhere."""

from __future__ import annotations

import base64
import html
import os
import re
import string
from typing import Any

from ..errors import UserError

HIDDEN = "[key]"
# Keys that are shorter are placeholders of local servers ("EMPTY", "ollama"): words that an answer may well hold.
_SHORTEST_REAL_KEY = 8
# In answers a value of that length may be a word as well ("anything", "sk-no-key-required"). Keys are longer, and drawn
# at random: next to none is without a digit and without letters of both sizes.
_SHORTEST_IN_ANSWERS = 16
# So many characters of a key in a row are no chance.
_PART = 8
# What is looked at of a long text before a message shows its beginning.
_LOOKED_AT = 200_000
_SHORT = 300
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
# Servers quote a wrong key in part, as sk-abc***wxyz, or somebody else's whole.
_MASKED_KEY = re.compile(r"[\w-]*\*{3,}[\w*-]*|\bsk-[\w-]{6,}")
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^<>]*>", re.DOTALL | re.IGNORECASE)
# How addresses, markup, JSON and Python write a character that they cannot hold as it is.
_ESCAPE = re.compile(r"%[0-9a-f]{2}|&(?:#x?)?[0-9a-z]+;|\\(?:u[0-9a-f]{4}|x[0-9a-f]{2}|.)", re.DOTALL | re.IGNORECASE)
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
# The name of an environment variable; one of 40 and more signs, or in small letters, looks like a key.
_CONVENTIONAL = re.compile(r"[A-Z][A-Z0-9_]{,38}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Secret:
    """A key that prints as nothing. Empty where the server needs none."""

    __slots__ = ("_bare", "_parts", "_spellings", "_value", "looks_drawn")

    def __init__(self, value: str):
        self._value = value
        bare = value.split(" ", 1)[-1]
        self._bare = bare.translate(_LOWER)
        # Whether it looks like a secret, drawn at random, and not like a placeholder, which an answer may well hold.
        self.looks_drawn = len(bare) >= _SHORTEST_IN_ANSWERS and (
            any(character.isdigit() for character in bare) or bare not in (bare.lower(), bare.upper())
        )
        coded = _in_base64(bare) if len(bare) >= _SHORTEST_REAL_KEY else set()
        spellings = {value, bare, *coded}
        # A placeholder of a letter or two ("x", "no") hides nothing, and would riddle every message.
        self._spellings = sorted((form for form in spellings if len(form) > 3), key=len, reverse=True)
        self._parts = frozenset(
            form.translate(_LOWER)[place : place + _PART]
            for form in (self._bare, *coded)
            for place in range(len(form) - _PART + 1)
        )

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def header(self) -> dict[str, str]:
        if not self._value:
            return {}
        scheme = "" if self._value.startswith(("Bearer ", "Basic ")) else "Bearer "
        return {"Authorization": scheme + self._value}

    def hide(self, text: str) -> str:
        """`text` without the key, whole, in whatever spelling."""
        for spelling in self._spellings:
            text = text.replace(spelling, HIDDEN)
        if len(self._bare) < _SHORTEST_REAL_KEY:
            return text
        return _without(text, frozenset({self._bare}), len(self._bare))

    def hide_in(self, value: Any) -> Any:
        """JSON without the key, but for a short one, which is a word like any other; parts of a key are left alone."""
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
        """What a server or library said, on one line, without markup, keys, parts of keys and passwords: fit for a
        message, and to be stored."""
        # The key goes first: what is cut before could keep half of it.
        text = _without(self.hide(text[:_LOOKED_AT]), self._parts, _PART)
        text = _MASKED_KEY.sub(HIDDEN, _USERINFO.sub("", text))
        text = " ".join(_TAG.sub(" ", _UNSTORABLE.sub("\ufffd", text)).split())
        return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"


def _in_base64(key: str) -> set[str]:
    """What of a key's characters is the same wherever it stands in a text in base64, in both of its alphabets."""
    found = set()
    for before, open_start in ((0, 0), (1, 2), (2, 3)):
        data = b"\0" * before + key.encode("utf-8")
        coded = base64.b64encode(data).decode("ascii")[open_start : len(data) * 8 // 6]
        found |= {coded, coded.replace("+", "-").replace("/", "_")}
    return found


def _without(text: str, secrets: frozenset[str], size: int) -> str:
    """`text` without all that is, escapes undone and in small letters, one of `secrets`, of `size` characters each, or
    several that overlap."""
    if not secrets or len(text) < size:
        return text
    seen, edges, at = [], [0], 0
    for match in _ESCAPE.finditer(text):
        seen += [*text[at : match.start()], _meant(match[0])]
        edges += [*range(at + 1, match.start() + 1), match.end()]
        at = match.end()
    seen += text[at:]
    edges += range(at + 1, len(text) + 1)
    plain = "".join(seen).translate(_LOWER)
    kept, shown = [], 0
    place, last = 0, len(plain) - size
    while place <= last:
        if plain[place : place + size] not in secrets:
            place += 1
            continue
        begin = place
        while place <= last and plain[place : place + size] in secrets:
            place += 1
        place += size - 1
        kept += [text[shown : edges[begin]], HIDDEN]
        shown = edges[place]
    return "".join([*kept, text[shown:]])


def _meant(escape: str) -> str:
    """The one character that an escape stands for; a space where it is none of those that keys have."""
    if escape.startswith("&"):
        meant = html.unescape(escape)
    elif escape.startswith("%"):
        meant = chr(int(escape[1:], 16))
    else:
        meant = chr(int(escape[2:], 16)) if len(escape) > 2 else escape[1]
    return meant if len(meant) == 1 else " "


def read_key(name: str) -> Secret:
    """The key in the environment variable `name`, or none for an empty name. Raises `UserError`, without the key."""
    if not name:
        return Secret("")
    value = os.environ.get(name, "").strip()
    if not value:
        # What is no name as people write them may be a key that was put in a name's place.
        shown = name if _CONVENTIONAL.fullmatch(name) else "that key_env names"
        raise UserError(
            f"the environment variable {shown} holds no key; set it, or set key_env to the name of another one, or to "
            "nothing for a server that needs no key"
        )
    if not (value.isascii() and value.isprintable()):
        raise UserError(f"the environment variable {name} holds characters that no key has")
    return Secret(value)
