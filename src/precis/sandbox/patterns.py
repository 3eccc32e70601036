"""A phrase as the oracle looks for it: its content words in order, the grammar between them, its negations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple

from .inflection import stem, word_set
from .lexis import Token, light_stems, negation_stems, neutral_stems, read_tokens
from .phrases import compile_phrase, spoken_variants

_MAX_GAP = 6  # words between two content words of one phrase
_JOINTS = {",", ";", ":", "(", ")", "because", "since", "so", "but", "as", "although", "though", "while"}
LEAST_SHARE = 0.6  # of the content words, for a phrase to count as said


PEOPLE_WORDS = word_set(
    "i me my mine myself you thee your yours yourself he him his himself she her hers herself we us our they them their"
)


class Pattern(NamedTuple):
    """`keys`: concepts in order. `glue`: grammar words between them. `agent`: A, T or W, if a person begins it."""

    keys: tuple[str, ...]
    glue: int
    negations: int
    agent: str
    owners: frozenset[str] = frozenset()  # whose things it names
    jointed: bool = False  # it has a comma or a conjunction of its own
    head: str = ""  # of a verb phrase: its verb
    lead: int = 0  # of a clause: words before the first key
    people: int = 0  # person words between its first and its last key
    distinct: frozenset[str] = frozenset()  # the keys as a set


class Match(NamedTuple):
    """Where a pattern was said: token range, share of its content words, quality of its grammar, 0 to 1."""

    start: int
    end: int
    share: float
    grammar: float
    pattern: Pattern
    substituted: bool  # a content word is missing and a foreign one stands in its place
    used: frozenset[int]  # the positions of its content words


def is_negation(token: Token) -> bool:
    return stem(token.word) in negation_stems()


@lru_cache(maxsize=32768)
def patterns_of(text: str, verb_first: bool = False) -> tuple[Pattern, ...]:
    """One pattern for each alternative of a phrase."""
    return tuple(dict.fromkeys(_pattern(variant, verb_first) for variant in spoken_variants(text)))


def _pattern(variant: str, verb_first: bool) -> Pattern:
    tokens = [token for token in read_tokens(variant.replace("^", "").replace("=", "")) if token.word[0].isalnum()]
    content = [i for i, token in enumerate(tokens) if token.concept]
    heavy = [i for i in content if tokens[i].concept not in light_stems()]
    kept = heavy if len(heavy) >= 2 else content
    pieces = compile_phrase(variant, verb_first=verb_first)
    first = pieces[0]
    agent = first.role if not verb_first and first.kind == "person" and first.case == 0 else ""
    glue = sum(i not in kept and tokens[i].word != "and" for i in range(kept[0], kept[-1])) if kept else 0
    owners = frozenset(piece.role for piece in pieces if piece.kind == "person" and piece.case == 2)
    # Only what comes before the last content word: that is as far as a match reaches.
    negations = sum(is_negation(token) for token in (tokens[: kept[-1] + 1] if kept else ()))
    head = next((piece.value for piece in pieces if piece.kind == "head"), "") if verb_first else ""
    lead = 0 if verb_first or not kept else kept[0]
    people = sum(token.word in PEOPLE_WORDS for token in tokens[kept[0] : kept[-1]]) if kept else 0
    jointed = any(token.word in _JOINTS for token in read_tokens(variant))
    keys = tuple(tokens[i].concept for i in kept)
    return Pattern(keys, glue, negations, agent, owners, jointed, head, lead, people, frozenset(keys))


def find_pattern(pattern: Pattern, sentence: Sequence[Token], names: Collection[str]) -> Match | None:
    """The best place in `sentence` where `pattern` is said, or None; a name is never a foreign word."""
    keys = pattern.keys
    wanted = pattern.distinct
    spots = [i for i, token in enumerate(sentence) if token.concept in wanted]
    if not spots or len({sentence[i].concept for i in spots}) < LEAST_SHARE * len(wanted):
        return None
    chain = _ordered_chain(pattern, sentence, spots)
    order = 1.0
    if len(chain) < len(keys):
        loose = _loose_window(keys, sentence, spots)
        if len(loose) > len(chain):
            chain, order = loose, 0.8
    share = len(chain) / len(keys)
    if share < LEAST_SHARE or (not {sentence[i].concept for i in chain} - neutral_stems() and wanted - neutral_stems()):
        return None
    start, end = chain[0], chain[-1] + 1
    inside = [sentence[i] for i in range(start, end) if i not in chain]
    ignored = light_stems() | neutral_stems() | wanted
    people = sum(token.word in names or token.word in PEOPLE_WORDS for token in inside)
    foreign = sum(bool(token.concept) and token.concept not in ignored and token.word not in names for token in inside)
    light = sum(not token.concept or token.concept in light_stems() for token in inside)
    glue = light - sum(token.word in (",", "and") for token in inside) + sum(token.word in names for token in inside)
    grammar = order * min(1.0, (glue + 1) / (pattern.glue * share + 1)) ** 0.5
    # Words that the phrase has no room for: other things, other people.
    grammar *= 0.5 ** (foreign + max(0, people - pattern.people))
    return Match(start, end, share, grammar, pattern, share < 1 and foreign > 0, frozenset(chain))


def _ordered_chain(pattern: Pattern, sentence: Sequence[Token], spots: list[int]) -> list[int]:
    """The longest run of spots that follows the keys' order without too wide a gap or a comma between."""
    best: dict[tuple[int, int], list[int]] = {}  # (key number, spot) -> chain that ends there
    longest: list[int] = []
    for spot in spots:
        for k, key in enumerate(pattern.keys):
            if sentence[spot].concept != key:
                continue
            chain = [spot]
            for (earlier_key, earlier), before in best.items():
                if (
                    earlier_key < k
                    and len(before) + 1 >= len(chain)
                    and _near(sentence, earlier, spot, pattern.jointed)
                ):
                    chain = [*before, spot]
            if len(chain) > len(best.get((k, spot), [])):
                best[k, spot] = chain
            # On a tie the tighter chain wins, so that an earlier mention of one word does not stretch it.
            if (len(chain), chain[0] - chain[-1]) > (len(longest), longest[0] - longest[-1] if longest else -99):
                longest = chain
    return longest


def _near(sentence: Sequence[Token], left: int, right: int, jointed: bool = False) -> bool:
    if not 0 < right - left <= _MAX_GAP + 1:
        return False
    return jointed or all(sentence[i].word not in _JOINTS for i in range(left + 1, right))


def _loose_window(keys: tuple[str, ...], sentence: Sequence[Token], spots: list[int]) -> list[int]:
    """One spot for each distinct key, in any order, in a window hardly longer than the phrase; else empty."""
    best: list[int] = []
    for position, start in enumerate(spots):
        seen: dict[str, int] = {}
        for spot in spots[position:]:
            if spot - start > len(keys) + 4 or (seen and not _near(sentence, max(seen.values()), spot)):
                break
            seen.setdefault(sentence[spot].concept, spot)
        if len(seen) > len(best):
            best = sorted(seen.values())
    return best
