"""What large models behind URLs cost a run, step by step: `spent.json` in its folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ..endpoint import Spent
from ..judges.protocol import Judge
from ..report.contents import Cell, Column, Row, Table
from .summary import Figure
from .workspace import Workspace, announce

FILE = "spent.json"


@contextmanager
def paid(work: Workspace, engine: object) -> Iterator[None]:
    """What `engine` spends meanwhile is said, and added to what the step has cost, also where it is interrupted.

    An engine that counts nothing costs nothing. A process that is killed takes its part of the count with it.
    """
    before = _spent(engine)
    try:
        yield
    finally:
        after = _spent(engine)
        if before is not None and after is not None and after != before:
            own = _less(after, before)
            announce(f"  {own.sentence()}")
            known = read_spent(work.folder)
            known[work.at] = _sum(known[work.at], own) if work.at in known else own
            partial = work.folder / f".{FILE}.part"
            partial.write_text(json.dumps({step: asdict(own) for step, own in known.items()}, indent=2) + "\n", "utf-8")
            os.replace(partial, work.folder / FILE)


def engine_of(judge: Judge) -> object:
    """Whatever `judge` asks: a large model behind a URL, or nobody."""
    return getattr(getattr(judge, "likelihood", judge), "engine", None)


def read_spent(folder: Path) -> dict[str, Spent]:
    """What each step of the run in `folder` spent so far."""
    path = folder / FILE
    content = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return {step: Spent(**own) for step, own in content.items()}


def spent_table(spent: Mapping[str, Spent]) -> Table:
    """A row a step."""
    rows = [
        Row(
            (
                Cell(step),
                Cell(own.sent),
                Cell(own.no_reply),
                Cell(own.prompt_tokens),
                Cell(own.completion_tokens),
                Cell(own.estimated_share, why="nothing was charged" if own.estimated_share is None else ""),
                Cell(own.money, why="no prices were given, or not for all" if own.money is None else ""),
            )
        )
        for step, own in spent.items()
    ]
    columns = (
        Column("Step"),
        Column("Requests", "That went out, further tries included; what was in the cache did not.", digits=0),
        Column("Without an answer", digits=0),
        Column("Tokens read", "By the server's word, or estimated.", digits=0),
        Column("Tokens written", "By the server's word, or estimated.", digits=0),
        Column("Estimated", "Share of the tokens that no server told, %.", "", 100, 0),
        Column("Money", "At the prices of the settings.", digits=2),
    )
    return Table("What the large models behind URLs cost, over all parts that were not killed.", columns, tuple(rows))


def spent_figures(spent: Mapping[str, Spent]) -> list[Figure]:
    """Tokens of large models behind URLs, and money, over all steps; nothing where none was asked."""
    if not spent:
        return []
    paid_for = [own.money for own in spent.values() if own.money is not None]
    money = Cell(sum(paid_for)) if len(paid_for) == len(spent) else Cell(None, why="not every step has prices")
    return [
        (Column("Large models, tokens", digits=0), Cell(sum(own.tokens for own in spent.values()))),
        (Column("Large models, money", digits=2), money),
    ]


def _spent(engine: object) -> Spent | None:
    own = getattr(engine, "spent", None)
    return own if isinstance(own, Spent) else None


def _less(after: Spent, before: Spent) -> Spent:
    """What came between the two, of one engine."""
    parts: dict[str, Any] = {}
    for name in (field.name for field in fields(Spent)):
        later, earlier = getattr(after, name), getattr(before, name)
        parts[name] = None if later is None else later - (earlier or 0)
    return Spent(**parts)


def _sum(one: Spent, other: Spent) -> Spent:
    """Both together; money is not known where one of them was charged for tokens without a price."""
    parts: dict[str, Any] = {}
    for name in (field.name for field in fields(Spent)):
        values = [getattr(own, name) for own in (one, other)]
        unknown = name == "money" and any(own.money is None and own.tokens for own in (one, other))
        known = [value for value in values if value is not None]
        parts[name] = sum(known) if known and not unknown else None
    return Spent(**parts)
