"""English words for men and women, exchanged."""

from __future__ import annotations

import re

_PAIRS = (
    "he she|himself herself|man woman|men women|boy girl|boys girls|boyfriend girlfriend|boyfriends girlfriends|bf gf|"
    "husband wife|husbands wives|father mother|fathers mothers|dad mom|dads moms|daddy mommy|son daughter|"
    "sons daughters|brother sister|brothers sisters|uncle aunt|uncles aunts|nephew niece|grandfather grandmother|"
    "grandpa grandma|grandson granddaughter|grandsons granddaughters|stepfather stepmother|stepdad stepmom|"
    "stepson stepdaughter|stepbrother stepsister|groom bride|gentleman lady|male female|males females|mr mrs|sir madam|"
    "waiter waitress|landlord landlady|him her"
)
_SWAP = {a: b for pair in _PAIRS.split("|") for one, other in [pair.split()] for a, b in ((one, other), (other, one))}
_SWAP |= {"mum": "dad", "mummy": "daddy", "ms": "mr", "hers": "his"}
_WORD = re.compile(r"(?<!\w)(?:" + "|".join(sorted([*_SWAP, "his"], key=len, reverse=True)) + r")(?!\w)", re.IGNORECASE)
# After "her" these show an object ("told her that"), and after "his" a pronoun that stands alone ("is his and").
_SMALL_WORDS = (
    "a about after again all also and any are as asks at away back because been before but by can could did do does "
    "down for from had has have how if in into is it just may might must not of off on once or out over she he should "
    "since so some than that the their them then there they this though to too until up was we went were what when "
    "where whether which while who why will with without would you"
)
_NO_NOUN = frozenset(_SMALL_WORDS.split())
_FOLLOWING = re.compile(r"\s+([^\W\d_]+(?:['’]\w+)?)")


def swapped_genders(text: str) -> str:
    """`text` with the words for men and women exchanged, case kept.

    "her" becomes "him" or "his" by the word that follows: a guess that small words decide.

    >>> swapped_genders("Her husband told her that he likes his job.")
    'His wife told him that she likes her job.'
    """
    return _WORD.sub(lambda match: _cased(_other(match[0].lower(), text[match.end() :]), match[0]), text)


def _other(word: str, rest: str) -> str:
    if word not in ("her", "his"):
        return _SWAP[word]
    following = _FOLLOWING.match(rest)
    owns = following is not None and following[1].lower() not in _NO_NOUN
    return {"her": "his" if owns else "him", "his": "her" if owns else "hers"}[word]


def _cased(word: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word.capitalize() if like[0].isupper() else word
