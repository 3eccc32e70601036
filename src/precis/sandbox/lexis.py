"""Words as the oracle sees them: tokens, sentences, stems and meanings."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple

from .inflection import stem
from .language import frames_text, people_words

_TOKEN = re.compile(r"\d{1,2}:\d\d|[^\W_]+(?:['’-][^\W_]+)*['’]?|[^\w\s]|_")
_CLITICS = {"n't": "not", "'m": "am", "'re": "are", "'ll": "will", "'ve": "have", "'d": "would"}
_IS_AFTER = {"he", "she", "it", "that", "there", "who", "what", "here", "where", "how"}
_WHOLE_CONTRACTIONS = {
    "can't": ("can", "not"),
    "won't": ("will", "not"),
    "cannot": ("can", "not"),
    "shan't": ("shall", "not"),
}
SENTENCE_END = frozenset(".!?;\n")


class Token(NamedTuple):
    """`word` in lower case without clitics; `concept`: what it means, or "" for grammar; `possessive`: it had 's."""

    word: str
    concept: str
    possessive: bool
    capital: bool


@cache
def _sets() -> dict[str, frozenset[str]]:
    words = frames_text("lexis")
    return {name: frozenset(str(words[name]).split()) for name in ("function", "light", "neutral", "negations")}


def function_words() -> frozenset[str]:
    return _sets()["function"]


@cache
def light_stems() -> frozenset[str]:
    return frozenset(concept_of(word) for word in _sets()["light"])


@cache
def neutral_stems() -> frozenset[str]:
    return frozenset(concept_of(word) for word in _sets()["neutral"])


@cache
def negation_stems() -> frozenset[str]:
    return frozenset(stem(word) for word in _sets()["negations"])


@cache
def _meanings() -> dict[str, str]:
    table: dict[str, str] = {}
    for line in frames_text("lexis")["synonyms"]:
        stems = [stem(word) for word in line.split()]
        table |= dict.fromkeys(stems, stems[0])
    return table


@lru_cache(maxsize=65536)
def concept_of(word: str) -> str:
    """The meaning of a content word: its stem, or the stem that stands for its synonyms."""
    root = stem(word)
    return _meanings().get(root, root)


@cache
def known_names() -> dict[str, str]:
    """Every first name of the sandbox in lower case, with its pronoun (f, m)."""
    return {name.lower(): gender for name, gender in people_words().names}


@lru_cache(maxsize=65536)
def _read_word(raw: str) -> tuple[Token, ...]:
    low = raw.lower().replace("’", "'")
    capital = raw[:1].isupper()
    if low in _WHOLE_CONTRACTIONS:
        return tuple(Token(word, "", False, capital) for word in _WHOLE_CONTRACTIONS[low])
    for clitic, full in _CLITICS.items():
        if low.endswith(clitic) and low != clitic:
            return (*_read_word(raw[: -len(clitic)]), Token(full, "", False, False))
    if low.endswith("'s"):
        word = low[:-2]
        if word in _IS_AFTER:
            return (Token(word, "", False, capital), Token("is", "", False, False))
        return (Token(word, _concept(word), True, capital),)
    if low.endswith("'") and len(low) > 1:
        return (Token(low[:-1], _concept(low[:-1]), True, capital),)
    return (Token(low, _concept(low), False, capital),)


def _concept(word: str) -> str:
    return "" if word in function_words() or not word[:1].isalnum() else concept_of(word)


def read_tokens(text: str) -> list[Token]:
    """The tokens of `text`, punctuation included, contractions opened."""
    return [token for raw in _TOKEN.findall(text) for token in _read_word(raw)]


def read_sentences(text: str) -> list[list[Token]]:
    """Tokens by sentence; a sentence keeps its closing mark."""
    sentences: list[list[Token]] = []
    for line in text.split("\n"):
        current: list[Token] = []
        for token in read_tokens(line):
            current.append(token)
            if token.word in SENTENCE_END:
                sentences.append(current)
                current = []
        if current:
            sentences.append(current)
    return [sentence for sentence in sentences if any(token.word[0].isalnum() for token in sentence)]
