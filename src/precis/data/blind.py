"""Sheets for people to fill in, without the makers' names and in a drawn order, and the answers back.

A sheet is a CSV file: one row a summary (to rate on axes) or a pair (to compare), with an opaque code. What a code
stands for is in the key, a JSON file that raters do not get. Every rater has the same items, in an order of their own:

    item,document,summary_1,summary_2,choice,note        choice is 1, 2 or tie
    item,document,summary,coherence,relevance,note       marks from low to high
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any, Literal

from ..errors import BadInput, UserError
from ..records import Candidate, Comparison, Group, JudgeInfo, Rating
from .csv_rows import csv_rows, write_csv
from .files import reading, writing
from .rows import Bad, Fields, text_of

SCHEMA = "precis.blind/1"
Task = Literal["comparisons", "ratings"]
_CHOICES: Mapping[str, Literal["a", "b", "tie"]] = {"1": "a", "1.0": "a", "2": "b", "2.0": "b", "tie": "tie"}
_OWN = ("item", "document", "summary", "summary_1", "summary_2", "choice", "note")


@dataclass(frozen=True)
class Item:
    """What a code stands for; `candidates` in the order shown."""

    rater: str
    source: str
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class Key:
    """What raters must not see. `batch` names the study, in the judges' settings; `low` and `high` are of ratings."""

    task: Task
    items: Mapping[str, Item]
    axes: tuple[str, ...] = ()
    low: int = 1
    high: int = 7
    batch: str = "blind"
    seed: int = 0


@dataclass
class Sheets:
    """`rows` by rater, the `key` to them, and what was left out (`counts`)."""

    rows: dict[str, list[Fields]]
    key: Key
    counts: Counter[str] = field(default_factory=Counter)


def make_sheets(
    groups: Iterable[Group],
    task: Task,
    raters: Sequence[str],
    *,
    axes: Sequence[str] = (),
    low: int = 1,
    high: int = 7,
    pairs_per_group: int | None = None,
    documents: int | None = None,
    batch: str = "blind",
    seed: int = 0,
) -> Sheets:
    """`Sheets` of the groups' candidates, or of pairs of them: all, or `pairs_per_group` drawn ones.

    Documents come in a drawn order (`documents` of them), the items of one together, since reading a document costs
    most. Empty candidates, and pairs of one text, take no part and are counted. Nothing depends on the order of
    `groups`; one seed gives the same sheets again. Raises `UserError` if nothing is left to judge.
    """
    _check(task, raters, axes, low, high)
    counts: Counter[str] = Counter()
    drawn = sorted(groups, key=lambda group: group.source.id)
    Random(f"blind/documents/{seed}").shuffle(drawn)
    chosen: list[tuple[Group, list[tuple[Candidate, ...]]]] = []
    for group in drawn:
        if documents is not None and len(chosen) == documents:
            break
        shown = _shown(group, task, pairs_per_group, seed, counts)
        if shown:
            chosen.append((group, shown))
    if not chosen:
        raise UserError("there is nothing to judge: no document has candidates (for comparisons, two different texts)")
    items: dict[str, Item] = {}
    rows: dict[str, list[Fields]] = {rater: [] for rater in raters}
    for rater in raters:
        random = Random(f"blind/{seed}/{rater}")
        for group, shown in random.sample(chosen, len(chosen)):
            for candidates in random.sample(shown, len(shown)):
                order = random.sample(candidates, len(candidates))
                code = _code(random, items)
                items[code] = Item(rater, group.source.id, tuple(candidate.id for candidate in order))
                rows[rater].append(_row(code, group.source.text, order, task, axes))
    counts["documents"] = len(chosen)
    counts["items"] = len(items) // len(raters)
    return Sheets(rows, Key(task, items, tuple(axes) if task == "ratings" else (), low, high, batch, seed), counts)


def _check(task: Task, raters: Sequence[str], axes: Sequence[str], low: int, high: int) -> None:
    if not raters or len(set(raters)) < len(raters) or not all(name and "/" not in name for name in raters):
        raise UserError("raters need names, each another one and without a slash")
    if task == "ratings" and (not axes or len(set(axes)) < len(axes) or set(axes) & set(_OWN)):
        raise UserError(f"ratings need axes, each another one, and none of {', '.join(_OWN)}")
    if low >= high:
        raise UserError(f"a scale from {low} to {high} has no two marks")


def _shown(
    group: Group, task: Task, pairs_per_group: int | None, seed: int, counts: Counter[str]
) -> list[tuple[Candidate, ...]]:
    """The items of one document: candidates, or pairs of them."""
    written = sorted((c for c in group.candidates if not c.is_empty), key=lambda candidate: candidate.id)
    counts["empty candidates left out"] += len(group.candidates) - len(written)
    if task == "ratings":
        return [(candidate,) for candidate in written]
    pairs = list(combinations(written, 2))
    different = [(one, other) for one, other in pairs if one.text.strip() != other.text.strip()]
    counts["pairs of one text left out"] += len(pairs) - len(different)
    if pairs_per_group is None or len(different) <= pairs_per_group:
        return list(different)
    return list(Random(f"blind/pairs/{seed}/{group.source.id}").sample(different, pairs_per_group))


def _code(random: Random, taken: Mapping[str, Item]) -> str:
    """A code that no spreadsheet takes for a number."""
    while (code := f"q{random.getrandbits(40):010x}") in taken:
        pass
    return code


def _row(code: str, document: str, shown: Sequence[Candidate], task: Task, axes: Sequence[str]) -> Fields:
    texts = [_text(candidate.text) for candidate in shown]
    if task == "comparisons":
        pair = {"summary_1": texts[0], "summary_2": texts[1]}
        return {"item": code, "document": _text(document), **pair, "choice": "", "note": ""}
    return {"item": code, "document": _text(document), "summary": texts[0], **dict.fromkeys(axes, ""), "note": ""}


def _text(text: str) -> str:
    """A text that no spreadsheet takes for a formula; answers come back by code, so the mark does no harm."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def write_sheets(sheets: Sheets, folder: Path, key_path: Path) -> list[Path]:
    """Write RATER.csv for each rater into `folder`, and the key; the sheets' paths.

    Raises `UserError` rather than put the key among the sheets, or overwrite a sheet that may be filled in, or a key.
    """
    if key_path.resolve().parent == folder.resolve():
        raise UserError(f"the key tells who wrote what: keep it elsewhere than in {folder}, which raters get")
    paths = [folder / f"{rater}.csv" for rater in sheets.rows]
    for path in (*paths, key_path):
        if path.exists():
            raise UserError(f"{path} is there already; remove it or name another place")
    with writing(key_path) as stream:
        stream.write(json.dumps({"schema": SCHEMA, **asdict(sheets.key)}, indent=1).encode())
    for path, rows in zip(paths, sheets.rows.values(), strict=True):
        with writing(path) as stream:
            write_csv(stream, rows[0], rows)
    return paths


def read_key(path: Path) -> Key:
    """The key that `write_sheets` wrote; `BadInput` for any other file."""
    with reading(path) as stream:
        data = stream.read()
    try:
        values: dict[str, Any] = json.loads(data)
        if values.pop("schema") != SCHEMA:
            raise KeyError("schema")
        items = {
            code: Item(item["rater"], item["source"], tuple(item["candidates"]))
            for code, item in values.pop("items").items()
        }
        return Key(**{**values, "items": items, "axes": tuple(values["axes"])})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(f"not a key of blind sheets ({SCHEMA})", path=path) from error


def read_sheet(path: Path, key: Key, counts: Counter[str]) -> Iterator[Comparison | Rating]:
    """The answers in a filled-in sheet, by `person:RATER`; what is left open makes none and is counted in `counts`.

    Raises `BadInput`, with line and field, for a code that the key does not have or that comes twice, a mark off the
    scale, an answer that is none of the choices, and a missing column.
    """
    seen: set[str] = set()
    for row in csv_rows(path):
        if isinstance(row, Bad):
            raise row.error
        try:
            code = text_of(row.fields, "item").strip()
            if code not in key.items:
                raise BadInput(f"the key has no item {code[:40]!r}; is it another study's key?", field="item")
            if code in seen:
                raise BadInput(f"item {code} comes twice", field="item")
            seen.add(code)
            yield from _answers(row.fields, key, key.items[code], counts)
        except BadInput as error:
            raise error.at(path=path, line=row.line) from error
    counts["items"] += len(seen)


def _answers(fields: Fields, key: Key, item: Item, counts: Counter[str]) -> Iterator[Comparison | Rating]:
    judge = JudgeInfo(f"person:{item.rater}", {"batch": key.batch})
    note = str(fields.get("note") or "").strip()
    for name in ("choice",) if key.task == "comparisons" else key.axes:
        said = text_of(fields, name, allow_empty=True).strip().lower()
        if not said:
            counts["left open" if name == "choice" else f"left open: {name}"] += 1
        elif key.task == "comparisons":
            if said not in _CHOICES:
                raise BadInput(f"expected 1, 2 or tie, found {said[:40]!r}", field=name)
            first, second = item.candidates
            yield Comparison(judge, item.source, first, second, _CHOICES[said], shown_first="a", note=note)
        else:
            try:
                value = float(said.replace(",", "."))
            except ValueError:
                raise BadInput(
                    f"expected a mark from {key.low} to {key.high}, found {said[:40]!r}", field=name
                ) from None
            yield Rating(judge, item.source, item.candidates[0], name, value, low=key.low, high=key.high, note=note)
