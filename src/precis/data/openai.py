"""The comparisons and ratings released with "Learning to summarize from human feedback" (Stiennon et al. 2020).

    {info: {id, post, title, subreddit} or {id, site, title, article}, split, worker, batch,
     summaries: [{text, policy, note} × 2], choice: 0 or 1, extra: {confidence: 1–9 without 5}}
    {info, split, worker, batch, summary: {text, policy, note, axes: {overall, accuracy, coverage, coherence}}}

A confidence of at most 4 goes with choice 0. Policy `ref` is the reference summary. The notes are the labeller's naive
readings of each summary before seeing the post (appendix C); a comparison's `note` holds both as `{"a": …, "b": …}`.
A text begins with the space that stands between prompt and summary (utils/experiment_helpers); that space belongs to
the template's `lead`, not to the summary, so it is taken off here and put back by `row_of`.
Where precis writes such a file, `extra` also holds what OpenAI's rows have no place for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal

from ..errors import BadInput
from ..records import Candidate, Comparison, Document, JudgeInfo, Maker, Rating, check_text
from .rows import ABSENT, Fields, Record, key_of, list_of, object_of, optional_text, plain, reference, text_of

REFERENCE = "ref"
LEAD = " "


def parse(fields: Fields, dataset: str, split: str, counts: Counter[str] | None = None) -> Iterator[Record]:
    """One row's document, candidates, and comparison or ratings. `split`, if any, stands for the row's own.

    An axis that is null makes no rating, and is counted in `counts`.
    """
    info = object_of(fields, "info")
    name = "post" if info.get("post") is not None or "article" not in info else "article"
    document = Document(
        text_of(info, name),
        title=optional_text(info, "title"),
        key=key_of(info, "id"),
        dataset=dataset or ("openai-tldr" if name == "post" else "openai-cnndm"),
        split=split or optional_text(fields, "split"),
        meta={field: plain(value) for field, value in info.items() if field in _INFO and value is not None},
    )
    batch = optional_text(fields, "batch")
    judge = JudgeInfo(f"person:{key_of(fields, 'worker')}", {"batch": batch} if batch else {})
    yield document
    if "summary" in fields and "summaries" not in fields:
        yield from _ratings(object_of(fields, "summary"), document, judge, Counter() if counts is None else counts)
        return
    sides = list_of(fields, "summaries")
    if len(sides) != 2 or not all(isinstance(side, dict) for side in sides):
        raise BadInput("expected two summaries, each {text, policy, note}", field="summaries")
    a, b = (_candidate(side, document) for side in sides)
    if a.id == b.id:  # one policy wrote the same text twice
        b = Candidate(b.source_id, b.text, b.maker, index=1)
    choice = fields.get("choice")
    if isinstance(choice, bool) or choice not in (0, 1):
        raise BadInput(f"expected 0 or 1, found {choice!r}", field="choice")
    extra = object_of(fields, "extra") if fields.get("extra") is not None else {}
    if isinstance(extra.get("judge"), dict):
        judge = JudgeInfo(text_of(extra["judge"], "name"), object_of(extra["judge"], "settings"))
    notes = {name: note for name, side in zip("ab", sides) if (note := optional_text(side, "note"))}
    yield a
    yield b
    yield Comparison(
        judge,
        document.id,
        a.id,
        b.id,
        "b" if choice else "a",
        confidence=extra.get("confidence"),
        shown_first=_shown(extra.get("shown_first")),
        seconds=_seconds(extra.get("seconds")),
        note=json.dumps(notes, ensure_ascii=False) if notes else optional_text(extra, "note"),
    )


# The fields of `info` that a Document has no place of its own for.
_INFO = ("subreddit", "site")


def row_of(document: Document, a: Candidate, b: Candidate, comparison: Comparison) -> dict[str, Any] | None:
    """The row that `parse` reads back as this comparison, or None for a tie, which these files do not know.

    Of a candidate's maker only the policy's name is kept.
    """
    if comparison.choice == "tie":
        return None
    is_article = "site" in document.meta or document.dataset.endswith("cnndm")
    info = {"id": document.key, "article" if is_article else "post": document.text, "title": document.title}
    notes = _notes(comparison.note)
    worker, batch = comparison.judge.name.removeprefix("person:"), comparison.judge.settings.get("batch", "")
    extra = {
        name: value
        for name in ("confidence", "shown_first", "seconds")
        if (value := getattr(comparison, name)) is not None
    }
    if comparison.note and not notes:
        extra["note"] = comparison.note
    if comparison.judge != JudgeInfo(f"person:{worker}", {"batch": batch} if batch else {}):
        extra["judge"] = {"name": comparison.judge.name, "settings": dict(comparison.judge.settings)}
    return {
        "info": info | dict(document.meta),
        "split": document.split,
        "summaries": [
            {
                "text": LEAD + side.text,
                "policy": REFERENCE if side.maker.role == "reference" else side.maker.name,
                "note": notes.get(name),
            }
            for name, side in (("a", a), ("b", b))
        ],
        "choice": int(comparison.choice == "b"),
        "worker": worker,
        "batch": batch,
        "extra": extra,
    }


def _notes(note: str) -> dict[str, str]:
    """The two naive readings that a comparison's note holds; empty if it is a note of another kind."""
    with suppress(ValueError, RecursionError):
        value = json.loads(note)
        if isinstance(value, dict) and set(value) <= {"a", "b"} and all(isinstance(v, str) for v in value.values()):
            return value
    return {}


def _shown(value: Any) -> Literal["a", "b"] | None:
    if value is not None and value not in ("a", "b"):
        raise BadInput(f"expected 'a' or 'b', found {value!r}", field="shown_first")
    return "a" if value == "a" else "b" if value == "b" else None


def _seconds(value: Any) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise BadInput(f"expected a number, found {value!r}", field="seconds")
    return value


def _candidate(side: Fields, document: Document) -> Candidate:
    policy = text_of(side, "policy")
    if policy == REFERENCE:
        return reference(document, text_of(side, "text").removeprefix(LEAD))
    text = text_of(side, "text", allow_empty=True).removeprefix(LEAD)
    return Candidate(document.id, text, Maker("policy", policy))


def _ratings(summary: Fields, document: Document, judge: JudgeInfo, counts: Counter[str]) -> Iterator[Record]:
    candidate = _candidate(summary, document)
    yield candidate
    note = optional_text(summary, "note")
    absent: Counter[str] = Counter()
    for axis, value in object_of(summary, "axes").items():
        check_text(axis, "axes")
        if value is None:
            absent[f"{ABSENT}rating of {axis}"] += 1
        elif isinstance(value, bool):  # "compatible": a yes or no, not one of the 1–7 axes
            yield Rating(judge, document.id, candidate.id, axis, int(value), low=0, high=1, note=note)
        else:
            yield Rating(judge, document.id, candidate.id, axis, value, note=note)
    counts.update(absent)
