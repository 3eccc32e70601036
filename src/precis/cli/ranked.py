"""What a judge has ranked or scored in the store: what contrastive training and a reranker learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from .app import DEFAULT_STORE, StoreOption, open_store, say
from .models import judges_called
from .options import DatasetOption, SplitOption

if TYPE_CHECKING:
    from ..records import Candidate, Group
    from ..selection import Selection
    from ..store import Store


@dataclass(frozen=True)
class Ranked:
    """Whose order of which documents' candidates is learned, and what is imitated of each document."""

    judge: Annotated[
        str, typer.Option("--judge", help="Whose rankings or scores to learn from: a name in stats, or an id.")
    ]
    references: Annotated[
        str | None,
        typer.Option(
            "--references",
            metavar="MAKER",
            help="The candidates of this maker, a name or an id, are the references; else the reference summaries.",
        ),
    ] = None
    held_out: Annotated[
        float, typer.Option("--held-out", min=0.0, max=0.9, help="Share of the documents kept for validation.")
    ] = 0.1
    dataset: DatasetOption = None
    split: SplitOption = "train"
    store: StoreOption = DEFAULT_STORE


def ranked_parts(asked: Ranked, *, with_references: bool) -> tuple[Sequence[Group], Sequence[Group]]:
    """The documents to train on and those to validate on, each with its candidates in the judge's order and, where
    asked for, its references beside them.

    Raises `UserError` if these are too few, or if nobody of that name judged.
    """
    with open_store(asked.store, create=False) as opened:
        found = _ranked(opened, asked, with_references=with_references)
    say(f"ranked: {found}")
    kept = max(1, round(asked.held_out * len(found.groups)))
    if len(found.groups) <= kept:
        raise UserError(f"judge {asked.judge!r} ranks {len(found.groups)} documents; that is too few to train on")
    return found.groups[kept:], found.groups[:kept]


def _ranked(store: Store, asked: Ranked, *, with_references: bool) -> Selection:
    from ..recipes.steps import ordered, refer
    from ..selection import beside

    judges = judges_called(asked.judge, store.judges())
    ids = [info.id for info in judges]
    groups = store.groups(asked.dataset, asked.split, judge_ids=ids)
    references = _references(groups, asked.references)
    found = ordered(groups, judges[0] if len(judges) == 1 else asked.judge)
    if not found.groups:
        raise UserError(f"judge {asked.judge!r} orders no candidates of such documents")
    if len(judges) > 1 and _scored(found.groups):
        raise UserError(
            f"{asked.judge!r} scored with {len(judges)} different settings, and such scores cannot be compared; "
            f"name one of them with --judge: {', '.join(ids)}"
        )
    found = replace(found, groups=tuple(refer(found.groups, references)))
    return beside(found.groups, references) if with_references else found


def _scored(groups: Sequence[Group]) -> bool:
    from ..records import Ranking

    return not any(isinstance(said, Ranking) for group in groups for said in group.judgements)


def _references(groups: Sequence[Group], maker: str | None) -> dict[str, Sequence[Candidate]]:
    """The references of each document: people's, or what one maker wrote."""
    if maker is None:
        return {group.source.id: group.references for group in groups}
    found = {
        group.source.id: [
            candidate
            for candidate in (*group.candidates, *group.references)
            if maker in (candidate.maker.id, candidate.maker.name)
        ]
        for group in groups
    }
    if not any(found.values()):
        every = {c.maker.name: None for group in groups for c in (*group.candidates, *group.references)}
        known = ", ".join(sorted(every)[:8]) or "none"
        raise UserError(f"no candidate of these documents is by a maker {maker!r}; there are {known}")
    return {name: tuple(own) for name, own in found.items()}
