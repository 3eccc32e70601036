"""Tokens as a server spells them → their places in the text they came from, or nothing where that is not certain.

Servers' own `text_offset` is not used: vLLM's counts a BOS that is not in the text, SGLang's is -1, some send none, and
where it is right the spelling says the same. Most servers' tokens, joined, are the text. The rest lose something:

- SentencePiece tokens decoded one by one lose the space before a word, or the first one has a space that is not there;
- a token that is part of a character comes as U+FFFD, as `<0xE2>`, as `bytes:\\xe2`, or as nothing at all
  (llama-cpp-python drops the part; vLLM shows the character with its last token).

So all ways to lay the tokens on the text's bytes are followed, and only places that all complete ways agree on count.
A token is taken to hold bytes that it does not show only if there is no way otherwise. Whose the last part of a
character is that nobody shows (` ` and nothing for an emoji and the space before it, then `b`) is left open: the place
of the token behind it may be that character's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from itertools import accumulate, pairwise

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_BYTES = re.compile(r"bytes:((?:\\x[0-9A-Fa-f]{2})+)")
_LARGEST_PART = 3


class Unseen(Enum):
    """Which tokens may hold part of a character without showing it."""

    NOWHERE = 0
    EMPTY = 1
    ANYWHERE = 2


def align(tokens: Sequence[str], text: str) -> list[int] | None:
    """The place in `text` of each token's first character; None unless the tokens spell all of it in one way.

    Where only white space could belong to either of two tokens, it is the later one's.
    """
    if tokens and tokens[0].startswith(" ") and not text.startswith(" "):
        tokens = [tokens[0][1:], *tokens[1:]]
    if "".join(tokens) == text:
        return [0, *accumulate(len(token) for token in tokens)][: len(tokens)]
    data = text.encode("utf-8", "replace")
    for unseen in Unseen:
        if (starts := _lay(tokens, data, unseen)) is not None:
            return _places(starts, text, parts_unseen=unseen is Unseen.ANYWHERE and "" in tokens)
    return None


def _lay(tokens: Sequence[str], data: bytes, unseen: Unseen) -> list[set[int]] | None:
    """Each token's possible first bytes, over all ways that cover all of `data`."""
    reached: list[set[int]] = [{0}]
    ends: list[dict[int, set[int]]] = []
    for token in tokens:
        ends.append({start: _ends(token, data, start, unseen) for start in reached[-1]})
        reached.append(set().union(*ends[-1].values()))
        if not reached[-1]:
            return None
    alive = reached[-1] & {len(data)}
    if not alive:
        return None
    starts: list[set[int]] = []
    for step in reversed(ends):
        alive = {start for start, reachable in step.items() if reachable & alive}
        starts.append(alive)
    return starts[::-1]


def _ends(token: str, data: bytes, start: int, unseen: Unseen) -> set[int]:
    """Where `token` can end if it begins at byte `start`."""
    if not token and unseen is Unseen.NOWHERE:
        return {start}
    size = len(token.encode("utf-8", "replace"))
    hides = unseen is Unseen.ANYWHERE or not token
    # Unseen bytes lie before and behind; a U+FFFD, three bytes long, stands for one to three.
    longest = size + 2 * _LARGEST_PART if hides else size
    shortest = max(1, size - 2 * token.count("\ufffd"))
    found = set()
    for begin in (start, start + 1) if data[start : start + 1] == b" " else (start,):
        for end in range(begin + shortest, min(begin + longest, len(data)) + 1):
            piece = data[begin:end]
            if token in (piece.decode("utf-8", "replace"), piece.decode("utf-8", "ignore") if hides else None):
                found.add(end)
        if (raw := _raw(token)) and data.startswith(raw, begin):
            found.add(begin + len(raw))
    return found


def _raw(token: str) -> bytes:
    """The bytes that a token names; none where it is a text."""
    if match := _BYTE.fullmatch(token) or _BYTES.fullmatch(token):
        return bytes.fromhex(match[1].replace("\\x", ""))
    return b""


def _places(starts: list[set[int]], text: str, *, parts_unseen: bool) -> list[int] | None:
    """Bytes → characters; None where the ways disagree on more than white space, or one character of `parts_unseen`."""
    firsts = list(accumulate((len(character.encode("utf-8", "replace")) for character in text), initial=0))
    character = [place for place, (low, high) in enumerate(pairwise(firsts)) for _ in range(low, high)] + [len(text)]
    places = []
    for possible in starts:
        here = {character[start] for start in possible}
        first, last = min(here), max(here)
        if (between := text[first:last].strip()) and not (parts_unseen and last - first == 1 and not between.isascii()):
            return None
        places.append(first)
    return places
