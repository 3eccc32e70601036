"""Reading the answer to a request: what T is said to have agreed to, refused, offered or left open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .deeds import View, fits
from .inflection import stem, stems
from .mentions import agent_of
from .story import Story

_AGREE = stems("agree accept promise consent")
_REFUSE = stems("refuse decline reject unable unwilling")
_UNDECIDED = {"unsure", "undecided", "maybe", "perhaps", "hesitates", "hesitate", "uncertain"}
_CONDITIONAL = {"if", "provided", "condition", "unless", "providing"}


class Stance(NamedTuple):
    stance: str
    position: int


def stances(view: View, story: Story, taken: Sequence[tuple[int, int]]) -> list[Stance]:
    """The answers that T gives in this sentence, outside the token ranges `taken` by other facts."""
    words = [token.word for token in view.tokens]
    found: list[Stance] = []
    for i, word in enumerate(words):
        if any(start <= i < end for start, end in taken):
            continue
        stance = _stance_at(words, i)
        if stance and (word == "deciding" or fits("T", agent_of(view.tokens, i, view.people))):
            negated = (
                stance in ("agree", "refuse") and word not in ("can", "would") and "not" in words[max(0, i - 3) : i]
            )
            found.append(Stance({"agree": "refuse", "refuse": "agree"}[stance] if negated else stance, i))
    return found


def _stance_at(words: Sequence[str], i: int) -> str:
    word, rest = words[i], list(words[i + 1 : i + 5])
    root = stem(word)
    if root in _AGREE:
        condition = set(words[i + 1 : i + 9]) & _CONDITIONAL or "as long as" in " ".join(words[i + 1 : i + 9])
        return "agree_if" if condition else "agree"
    if root in ("say", "answer", "repli") or word in ("says", "said", "replies"):
        if "yes" in rest[:2]:
            return "agree_if" if set(words[i + 2 : i + 9]) & _CONDITIONAL or "long" in words[i + 2 : i + 7] else "agree"
        if "no" in rest[:1]:
            return "refuse"
        return "undecided" if set(rest[:2]) & {"maybe", "perhaps"} else ""
    if word in ("happy", "glad", "willing", "pleased") and "to" in rest[:1]:
        return "agree"
    if word == "will" and rest[:2] == ["do", "it"]:
        return "agree_if" if "if" in rest else "agree"
    if root in _REFUSE or (word == "can" and rest[:1] == ["not"]):
        return "refuse"
    if (word == "can" and rest[:1] == ["only"]) or (word == "would" and rest[:1] == ["rather"]):
        return "refuse"
    if root in ("offer", "propos", "suggest"):
        return "offer"
    if word in _UNDECIDED or (word in ("sure", "certain") and "not" in words[max(0, i - 2) : i]):
        return "undecided"
    if word in ("decided", "decide", "deciding") and (
        "not" in words[max(0, i - 2) : i] or "before" in words[max(0, i - 1) : i]
    ):
        return "undecided"
    return ""


# Truth: what may be read, and its worth; what is not here contradicts it.
STANCE_CREDIT = {
    "agree": {"agree": 1.0, "agree_if": 0.4},
    "agree_if": {"agree_if": 1.0, "agree": 0.6},
    "refuse": {"refuse": 1.0, "offer": 0.4},
    "offer": {"refuse": 1.0, "offer": 1.0},
    "undecided": {"undecided": 1.0},
}
