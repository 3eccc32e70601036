"""Tokens as a server spells them → their places in the text they came from, or nothing where that is not certain.

Servers' own `text_offset` is not used: vLLM's counts a BOS that is not in the text, SGLang's is -1, some send none, and
where it is right the spelling says the same. Most servers' tokens, joined, are the text. The rest lose something:

- SentencePiece tokens decoded one by one lose the space before a word, or the first one has a space that is not there;
- a token that is part of a character comes as U+FFFD, as `<0xE2>`, as `bytes:\\xe2`, or as nothing at all
  (llama-cpp-python drops the part; vLLM shows the character with its last token).

So all ways to lay the tokens on the text's bytes are followed, and only places that all complete ways agree on count.
A token is taken to hold bytes that it does not show only if there is no way otherwise. Whose the first and the last
part of a character is that nobody shows (` ` and nothing for an emoji and the space before it, then `b`) is left open:
a space before it counts as holding the first, and the place of the token behind it may be that character's.
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


def align(tokens: Sequence[str], text: str) -> list[tuple[int, int]] | None:
    """The characters of `text` that each token holds, as (first, behind the last); None unless the tokens spell all
    of it in one way.

    A token that holds part of a character holds that character, as do the tokens with its other parts: the places are
    the token's bytes', the first rounded down and the last up. Where only white space could belong to either of two
    tokens, it is the later one's.
    """
    if tokens and tokens[0].startswith(" ") and not text.startswith(" "):
        tokens = [tokens[0][1:], *tokens[1:]]
    if "".join(tokens) == text:
        edges = [0, *accumulate(len(token) for token in tokens)]
        return _with_silent_parts([*pairwise(edges)], tokens, text)
    data = text.encode("utf-8", "replace")
    for unseen in Unseen:
        if (edges_found := _lay(tokens, data, unseen)) is not None:
            spans = _spans(edges_found, text, unseen, "" in tokens)
            if spans is not None and unseen is not Unseen.NOWHERE:
                spans = _with_dropped_parts(spans, tokens, text)
            return None if spans is None else _with_silent_parts(spans, tokens, text)
    return None


def _lay(tokens: Sequence[str], data: bytes, unseen: Unseen) -> list[set[int]] | None:
    """The bytes at which each token can begin, then those at which the last can end: over all ways that cover all of
    `data`."""
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
    edges = [alive]
    for step in reversed(ends):
        alive = {start for start, reachable in step.items() if reachable & alive}
        edges.append(alive)
    return edges[::-1]


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


def _spans(edges: list[set[int]], text: str, unseen: Unseen, silent: bool) -> list[tuple[int, int]] | None:
    """Bytes → characters; None where the ways disagree on more than white space, or, if parts may be unseen and there
    are `silent` tokens, on more than one character that has parts."""
    firsts = list(accumulate((len(character.encode("utf-8", "replace")) for character in text), initial=0))
    character = [place for place, (low, high) in enumerate(pairwise(firsts)) for _ in range(low, high)] + [len(text)]
    starts, ends = [], []
    for possible in edges:
        down = {character[edge] for edge in possible}
        # Rounded up: an edge inside a character leaves part of it to the token before.
        up = {character[edge] + (firsts[character[edge]] < edge) for edge in possible}
        first, last = min(down), max(down)
        between = text[first:last].strip()
        one_with_parts = unseen is Unseen.ANYWHERE and silent and last - first == 1 and not between.isascii()
        if (between and not one_with_parts) or (unseen is Unseen.NOWHERE and text[min(up) : max(up)].strip()):
            return None
        starts.append(first)
        ends.append(min(up))
    return [*zip(starts, ends[1:])]


def _with_silent_parts(spans: list[tuple[int, int]], tokens: Sequence[str], text: str) -> list[tuple[int, int]]:
    """Spans in which a token that seems to hold nothing holds all up to the first character that has parts in what
    the next token shows: vLLM shows a character, and what came before it, with its last part.
    """
    found, behind = [], ""
    for (start, end), token in zip(reversed(spans), reversed(tokens), strict=True):
        size = next((place for place, character in enumerate(behind, 1) if not character.isascii()), 0)
        # A server that drops the space before a word may have dropped all of the token.
        if start == end and size and text.startswith(behind[:size], start):
            end = start + size
        found.append((start, end))
        behind = token or behind
    return found[::-1]


def _with_dropped_parts(spans: list[tuple[int, int]], tokens: Sequence[str], text: str) -> list[tuple[int, int]]:
    """Spans in which a space before a character that nobody shows holds it too: it is a token of its own in few
    vocabularies, ` \xf0\x9f` in most. Where the empty tokens behind it are one for each byte, they are all of it.
    """
    found, parts = [], 0
    for place, token in reversed([*enumerate(tokens)]):
        start, end = spans[place]
        size = len(text[end : end + 1].encode("utf-8", "replace"))
        found.append((start, end + (token == " " and 0 < parts < size)))
        # How many empty tokens from here on begin where this one begins.
        same = place + 1 < len(tokens) and spans[place + 1][0] == start
        parts = 0 if token else 1 + parts * same
    return found[::-1]
