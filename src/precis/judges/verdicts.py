"""A prompted judge's answer, read strictly: an order or a decision, or the reason why there is none.

What counts is the last label (`Ranking:`, `Decision:`) that is the judge's own (`verdict_labels.py`). An answer that is
nothing but a verdict needs no label.

A later verdict revises an earlier one, so if the last one cannot be read, an earlier one is not taken in its place:
nobody knows whether it still holds. What stands after the verdict may not take it back either ("Actually 2."), nor say
that the list is in the other direction (`verdict_doubts.py`).

Mended is only what has one meaning: quotes, Markdown, brackets, bullets, full-width signs, a stray full stop, a list on
one line or on several, numbers with or without the word "summary" (`verdict_text.py`, `verdict_lists.py`,
`verdict_decisions.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .verdict_decisions import bare_decision, read_choice, read_tie
from .verdict_doubts import decides_anew, ranks_anew, takes_back, turned_round
from .verdict_labels import Label, find_labels, last_verdict, may_be_cut, unlabelled
from .verdict_lists import read_items, read_list
from .verdict_text import as_said, filled, has_words, unwrapped
from .verdict_types import Decision, Order, Reason, Unreadable

__all__ = ["Decision", "Order", "Reason", "Unreadable", "read_decision", "read_ranking"]

_RANKING, _DECISION = "ranking", "(?:decision|verdict)"


def read_ranking(text: str, count: int, *, cut: bool = False) -> Order | Unreadable:
    """The order of summaries 1 to `count` that `text` ends in; with `cut`, `text` was cut off by max_tokens."""
    found = _ranking(as_said(text), count, cut)
    return Unreadable(Reason.CUT) if cut and isinstance(found, Unreadable) else found


def _ranking(said: str, count: int, cut: bool) -> Order | Unreadable:
    labels = find_labels(said, _RANKING)
    if labels:
        found = last_verdict(labels, lambda label: _order_at(label, count))
        finished = not cut or (may_be_cut(said, labels[-1]) and read_list(labels[-1].lines[:-1], count)[0] == found)
        return found if finished else Unreadable(Reason.NO_VERDICT)
    lines = unlabelled(said, _RANKING, cut)
    if lines and (len(read_items(lines)) == len(lines) or len(lines) == 1):
        found, _ = read_list(lines, count)
        if isinstance(found, Order) or found.reason is not Reason.NO_LIST:
            return found
    return Unreadable(Reason.NO_VERDICT)


def _order_at(label: Label, count: int) -> Order | Unreadable:
    """What the label ranks, if nothing around it says that it is no ranking, or one in the other direction."""
    if turned := turned_round(label):
        return Unreadable(Reason.NO_LIST, turned)
    found, rest = read_list(label.lines, count)
    if label.inside and has_words(rest):
        return Unreadable(Reason.NO_VERDICT)
    if isinstance(found, Order) and (back := takes_back(rest) or ranks_anew(rest, found, count)):
        return Unreadable(Reason.NO_LIST, back[:60])
    return found


def read_decision(text: str, *, cut: bool = False) -> Decision | Unreadable:
    """`1`, `2` or `tie`, as `text` ends in; with `cut`, `text` was cut off by max_tokens.

    "Neither" is none of them: it may blame both or prefer neither.
    """
    found = _decision(as_said(text), cut)
    return Unreadable(Reason.CUT) if cut and isinstance(found, Unreadable) else found


def _decision(said: str, cut: bool) -> Decision | Unreadable:
    labels = find_labels(said, _DECISION)
    if labels:
        found: Decision | Unreadable = last_verdict(labels, _decided_at)
        if cut:
            last = labels[-1]
            ended = may_be_cut(said, last) and _decided(filled(last.lines[:-1])) == found
            return found if ended else Unreadable(Reason.NO_VERDICT)
        return found
    lines = unlabelled(said, _DECISION, cut)
    found = _decided(lines) if len(lines) == 1 else Unreadable(Reason.NO_VERDICT)
    return Unreadable(Reason.NO_VERDICT, found.detail) if isinstance(found, Unreadable) else found


def _decided_at(label: Label) -> Decision | Unreadable:
    lines = filled(label.lines)
    if label.inside and not (lines and bare_decision(lines[0]) and not has_words(lines[1:])):
        return Unreadable(Reason.NO_VERDICT, lines[0].strip()[:60] if lines else "")
    return _decided(lines)


def _decided(lines: Sequence[str]) -> Decision | Unreadable:
    """What the first line decides, if neither its reason nor the lines after it say otherwise."""
    value = unwrapped(lines[0].strip(), half=True) if lines else ""
    no = Unreadable(Reason.NO_DECISION, value[:60])
    found = read_choice(value) or read_tie(value)
    if found is None:
        return no
    # A reason is a sentence of its own: "1. Wait, …".
    after = "\n".join(
        [re.sub(r"^\W*(?:(?:summary|candidate|option)\W*)?(?:[12]|tied?|draw)\b\W*", "", value, flags=re.I), *lines[1:]]
    )
    return no if takes_back(after.split("\n")) or decides_anew(after, lines[1:], found) else found
