"""Does a sentence read as English? An interpolated trigram model over words and word classes.

It is learned, on first use, from the sandbox's own summaries and documents and a page of plain English, with content
words reduced to classes, so that it knows grammar and little else: an unseen noun costs hardly anything, a shuffled
sentence a lot.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import cache

from .generator import documents
from .inflection import word_set
from .language import frames_text
from .lexis import Token, function_words, known_names, read_sentences
from .summaries import summary_at
from .times import DAYS, MONTHS

_TRAINING_DOCUMENTS = 700
_LOW, _HIGH = -3.9, -3.15  # mean log-probability (nats per token) at which the gate is shut and open
_TYPICAL = -2.0
_EXPECTED = 8  # occurrences by chance from which never is impossible
_START, _END = "<s>", "</s>"


def word_class(token: Token) -> str:
    """Grammar words are themselves; names, times, numbers and endings are classes."""
    word = token.word
    if word in function_words() or not word[0].isalnum():
        return word
    if word in known_names():
        return "NAME's" if token.possessive else "NAME"
    if word in DAYS or word in MONTHS:
        return "TIME"
    if word[0].isdigit():
        return "NUM"
    for ending in ("ing", "ed", "ly", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 2 and not word.endswith("ss"):
            return f"X{ending}"
    return "X's" if token.possessive else "X"


# Grammar words by what they do, so that a rare one is as likely as its kin.
_GRAMMAR = {
    "ARTICLE": word_set("a an the my our their its your"),
    "HIS": word_set("his her"),
    "WHICH": word_set("this that these those some any each every all both no another"),
    "HE": word_set("he she they we i"),
    "HIM": word_set("him them us me"),
    "IT": word_set("it you there something somebody nothing"),
    "TO": word_set("to"),
    "OF": word_set("of"),
    "PREPOSITION": word_set(
        "in on at by for from with without about into onto over under near next beside behind",
        "between through during against along around across above below opposite outside inside",
    ),
    "PARTICLE": word_set("up down out off"),
    "BE": word_set("am is are was were"),
    "AUXILIARY": word_set("has have had do does did will would shall should can could may might must"),
    "AND": word_set("and or but"),
    "BECAUSE": word_set("if because since so when while where although until as"),
    "WHO": word_set("who which what how why whether"),
    "ADVERB": word_set(
        "not never just only also too very really quite rather still already yet again even ever much more now then"
    ),
}
_KINDS = {word: kind for kind, words in _GRAMMAR.items() for word in words}


class _Trigrams:
    """Interpolated trigram counts of one kind of symbol."""

    def __init__(self, sequences: Sequence[Sequence[str]]) -> None:
        self.three: Counter[tuple[str, str, str]] = Counter()
        self.two: Counter[tuple[str, str]] = Counter()
        self.one: Counter[str] = Counter()
        self.before_two: Counter[tuple[str, str]] = Counter()
        self.before_one: Counter[str] = Counter()
        for symbols in sequences:
            for first, second, third in zip(symbols, symbols[1:], symbols[2:]):
                self.three[first, second, third] += 1
                self.two[second, third] += 1
                self.one[third] += 1
                self.before_two[first, second] += 1
                self.before_one[second] += 1
        self.total = sum(self.one.values())

    def probability(self, first: str, second: str, third: str) -> float:
        one = (self.one[third] + 0.5) / (self.total + 1000)
        two = self.two[second, third] / (self.before_one[second] or 1)
        three = self.three[first, second, third] / (self.before_two[first, second] or 1)
        return 0.02 * one + 0.38 * two + 0.6 * three


class _Model:
    """Words in the context of words, backed by kinds of word in the context of kinds."""

    def __init__(self, sentences: Sequence[Sequence[Token]]) -> None:
        words = Counter(token.word for sentence in sentences for token in sentence)
        self.common = frozenset(word for word, _ in words.most_common(150) if word not in known_names())
        fine = [self._padded(self._fine(sentence)) for sentence in sentences]
        coarse = [self._padded(self._coarse(sentence)) for sentence in sentences]
        self.fine, self.coarse = _Trigrams(fine), _Trigrams(coarse)

    def _fine(self, sentence: Sequence[Token]) -> list[str]:
        return [token.word if token.word in self.common else word_class(token) for token in sentence]

    def _coarse(self, sentence: Sequence[Token]) -> list[str]:
        return [_KINDS.get(token.word) or word_class(token) for token in sentence]

    def _padded(self, symbols: list[str]) -> list[str]:
        return [_START, _START, *symbols, _END]

    def mean_logp(self, sentence: Sequence[Token]) -> float:
        fine, coarse = self._padded(self._fine(sentence)), self._padded(self._coarse(sentence))
        total = 0.0
        for i in range(2, len(fine)):
            exact = self.fine.probability(fine[i - 2], fine[i - 1], fine[i])
            # The share of this word among its kind keeps rare words of a frequent kind dear.
            kin = (self.fine.one[fine[i]] + 0.5) / (self.coarse.one[coarse[i]] + 50)
            total += math.log(
                0.75 * exact
                + 0.25 * self.coarse.probability(coarse[i - 2], coarse[i - 1], coarse[i]) * min(1.0, kin)
                + 1e-6
            )
        # Two typical tokens more, so that one rare word does not damn a short sentence.
        return (total + 2 * _TYPICAL) / len(fine)

    def impossible(self, sentence: Sequence[Token]) -> int:
        """How many word-kind sequences of two or three, expected often by chance, never occur in the training text."""
        symbols = self._padded(self._coarse(sentence))
        kinds = self.coarse
        count = 0
        for first, second, third in zip(symbols, symbols[1:], symbols[2:]):
            pair, before = kinds.two[second, third], kinds.two[first, second]
            if not pair:
                count += kinds.one[second] * kinds.one[third] >= _EXPECTED * kinds.total
            elif not kinds.three[first, second, third]:
                count += before * pair >= _EXPECTED * kinds.one[second]
        return count


@cache
def _model() -> _Model:
    sentences = read_sentences(str(frames_text("english")["sentences"]))
    for number, document in enumerate(documents(_TRAINING_DOCUMENTS, seed=20_2009)):
        if number % 4 == 0:  # documents for breadth; summaries, which are short, for depth
            sentences += read_sentences(document.text)
            sentences += read_sentences(summary_at(document, "vague", seed=number).text)
        sentences += read_sentences(summary_at(document, "ideal", seed=number).text)
        sentences += read_sentences(summary_at(document, "reference", seed=number).text)
    return _Model(sentences)


def mean_logp(sentence: Sequence[Token]) -> float:
    """Mean log-probability of a sentence's symbols, nats per token."""
    return _model().mean_logp(sentence)


def sentence_gate(sentence: Sequence[Token]) -> float:
    """0 for word salad and for bare lists, 1 for English, smooth between."""
    x = min(1.0, max(0.0, (mean_logp(sentence) - _LOW) / (_HIGH - _LOW)))
    possible = 0.7 ** _model().impossible(sentence)
    return x * x * (3 - 2 * x) * possible * _not_a_list(sentence) * _not_a_stutter(sentence)


def _not_a_stutter(sentence: Sequence[Token]) -> float:
    """Less than 1 where a sentence repeats its content words (names and times may recur)."""
    content = [t.concept for t in sentence if t.concept and t.word not in known_names() and t.word not in DAYS + MONTHS]
    repeated = len(content) - len(set(content))
    return 1.0 if repeated <= 1 else max(0.0, 1.0 - 3.0 * (repeated - 1) / len(content))


def _not_a_list(sentence: Sequence[Token]) -> float:
    """Less than 1 where commas and `and` are every fifth word, where `and` chains on, or where there is no grammar."""
    words = [token for token in sentence if token.word[0].isalnum()]
    if len(words) < 6:
        return min(1.0, max(0.0, 2.0 - 4.0 * sum(token.word == "," for token in sentence) / len(words)))
    joints = sum(token.word in (",", ";", "/", "|", "-", "–", "and") for token in sentence) / len(words)
    grammar = sum(token.word in function_words() for token in words) / len(words)
    chained = max(0, sum(token.word == "and" for token in sentence) - 2)
    return min(1.0, max(0.0, 2.0 - 5.0 * joints)) * min(1.0, grammar / 0.22) * 0.5**chained
