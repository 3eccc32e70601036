"""English verb forms and a light stemmer: enough for the sandbox's own grammar, and tolerant of others' words."""

from __future__ import annotations

import re
from functools import cache, lru_cache

# base: past. The past participle is never needed, because no template uses the perfect tense.
IRREGULAR_PAST = {
    "be": "was", "become": "became", "begin": "began", "bend": "bent", "bite": "bit", "blow": "blew",
    "break": "broke", "bring": "brought", "build": "built", "burn": "burnt", "buy": "bought", "catch": "caught",
    "choose": "chose", "come": "came", "cut": "cut", "deal": "dealt", "do": "did", "draw": "drew",
    "drink": "drank", "drive": "drove", "eat": "ate", "fall": "fell", "feed": "fed", "feel": "felt",
    "fight": "fought", "find": "found", "fly": "flew", "forget": "forgot", "freeze": "froze", "get": "got",
    "give": "gave", "grind": "ground", "go": "went", "grow": "grew", "hang": "hung", "have": "had", "hear": "heard",
    "hide": "hid", "hit": "hit", "hold": "held", "hurt": "hurt", "keep": "kept", "know": "knew",
    "lay": "laid", "lead": "led", "leave": "left", "lend": "lent", "let": "let", "lose": "lost",
    "make": "made", "mean": "meant", "meet": "met", "pay": "paid", "put": "put", "read": "read",
    "ride": "rode", "ring": "rang", "run": "ran", "say": "said", "see": "saw", "sell": "sold",
    "send": "sent", "set": "set", "sew": "sewed", "shake": "shook", "show": "showed", "shut": "shut",
    "sing": "sang", "sit": "sat", "sleep": "slept", "speak": "spoke", "spend": "spent", "spill": "spilt",
    "split": "split", "stand": "stood", "steal": "stole", "stick": "stuck", "swim": "swam", "take": "took",
    "teach": "taught", "tear": "tore", "tell": "told", "think": "thought", "throw": "threw",
    "understand": "understood", "wake": "woke", "wear": "wore", "win": "won", "write": "wrote",
    "oversleep": "overslept", "mislay": "mislaid", "lie": "lay", "light": "lit", "slide": "slid", "sweep": "swept",
    "lean": "leant",
}  # fmt: skip
PARTICIPLES = {
    "been": "be", "begun": "begin", "broken": "break", "chosen": "choose", "come": "come", "done": "do",
    "drawn": "draw", "driven": "drive", "eaten": "eat", "fallen": "fall", "flown": "fly", "forgotten": "forget",
    "frozen": "freeze", "given": "give", "gone": "go", "grown": "grow", "hidden": "hide", "known": "know",
    "ridden": "ride", "rung": "ring", "seen": "see", "shaken": "shake", "shown": "show", "spoken": "speak",
    "stolen": "steal", "swum": "swim", "taken": "take", "thrown": "throw", "torn": "tear", "woken": "wake",
    "worn": "wear", "written": "write", "bitten": "bite", "blown": "blow",
}  # fmt: skip
PAST_FORMS = frozenset(IRREGULAR_PAST.values()) | {"were", "could"}
_IRREGULAR_S3 = {"be": "is", "have": "has", "do": "does", "go": "goes"}
_ENDS_IN_ED_BUT_PRESENT = {"need", "feed", "bleed", "speed", "proceed", "succeed", "exceed", "embed", "wed"}
# Verbs of several syllables that double all the same; short ones follow the rule below.
_DOUBLES = {
    "admit",
    "begin",
    "cancel",
    "forget",
    "label",
    "model",
    "enrol",
    "pedal",
    "prefer",
    "quarrel",
    "refer",
    "refuel",
    "travel",
    "unplug",
}
_SHORT_DOUBLES = re.compile(r"^(qu|[^aeiou])*[aeiou][^aeiouwxy]$")
_VOWELS = "aeiou"


def is_past(word: str) -> bool:
    """True for a word that is a finite past form, so that no agreement is needed."""
    return word in PAST_FORMS or (word.endswith("ed") and word not in _ENDS_IN_ED_BUT_PRESENT)


@cache
def inflect(verb: str, form: str) -> str:
    """`verb` (base form) as `base`, `s3` (she walks), `ing` or `past`.

    >>> [inflect("carry", form) for form in ("base", "s3", "ing", "past")]
    ['carry', 'carries', 'carrying', 'carried']
    """
    if form == "base":
        return verb
    if form == "s3":
        if verb in _IRREGULAR_S3:
            return _IRREGULAR_S3[verb]
        if verb.endswith("y") and verb[-2] not in _VOWELS:
            return verb[:-1] + "ies"
        if verb == "quiz":
            return "quizzes"
        return verb + ("es" if verb.endswith(("s", "x", "z", "ch", "sh", "o")) else "s")
    doubled = verb + verb[-1] if verb in _DOUBLES or _SHORT_DOUBLES.match(verb) else verb
    if form == "ing":
        if verb.endswith("ie"):
            return verb[:-2] + "ying"
        if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) and verb != "be":
            return verb[:-1] + "ing"
        return doubled + "ing"
    if verb in IRREGULAR_PAST:
        return IRREGULAR_PAST[verb]
    if verb.endswith("y") and verb[-2] not in _VOWELS:
        return verb[:-1] + "ied"
    return verb + "d" if verb.endswith("e") else doubled + "ed"


def word_set(*texts: str) -> frozenset[str]:
    """The words of blank-separated lists."""
    return frozenset(word for text in texts for word in text.split())


_TO_BASE = {past: base for base, past in IRREGULAR_PAST.items()} | PARTICIPLES
_TO_BASE |= {
    "men": "man", "women": "woman", "children": "child", "kids": "child", "kid": "child", "people": "person",
    "feet": "foot", "teeth": "tooth", "mice": "mouse", "knives": "knife", "shelves": "shelf", "leaves": "leaf",
    "wives": "wife", "loaves": "loaf", "scarves": "scarf", "lay": "lie", "left": "leave", "found": "find",
    "going": "go", "doing": "do", "goes": "go", "does": "do",
}  # fmt: skip
# Words that would meet another word's stem.
_WHOLE = {"wedding", "morning", "evening", "during", "bus", "news", "gas", "yes",
          "this", "always", "thing", "something", "anything", "nothing", "bring", "ring", "spring", "king", "string",
          "clothing", "need", "feed", "bed", "red", "shed", "hundred", "speed", "seed", "bleed", "wing", "swing",
          "sing", "lens", "bass", "christmas", "tennis", "chess", "business", "dress", "glass", "class", "boss",
          "grass", "cross", "press", "guess", "across", "less", "unless", "address", "illness", "mess", "pass",
          "saddle", "virus", "physics", "maths", "series", "headphones"}  # fmt: skip


def _finish(root: str) -> str:
    """Undouble a last consonant and drop a last e, so that `stop`, `stopping`, `call` and `calling` each meet."""
    if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "szeo":
        return root[:-1]
    return root[:-1] if len(root) > 2 and root.endswith("e") else root


def stems(text: str) -> frozenset[str]:
    """The stems of a blank-separated list."""
    return frozenset(stem(word) for word in text.split())


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """One form for a word's inflections: `leaves`, `leaving` and `left` meet; it need not be a real word."""
    word = _TO_BASE.get(word, word)
    if word in _WHOLE or len(word) < 4:
        return _finish(word)
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes", "zes", "oes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("eed") and len(word) > 4 and word not in _WHOLE:
        return _finish(word[:-1])
    for ending in ("ing", "ed"):
        root = word.removesuffix(ending)
        if root != word and word not in _WHOLE and len(root) > 2 and any(letter in "aeiouy" for letter in root):
            return _finish(root[:-1] + "y" if root.endswith("i") else root)
    return _finish(word)
