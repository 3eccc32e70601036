"""Counts over the store: what is there, who made it, and what a reader must be told (failures, cuts, duplicates)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, case, distinct, func, select

from . import schema


def stats(connection: Connection) -> dict[str, Any]:
    """Counts as plain JSON data.

    `documents.total` counts texts; `documents.by_dataset` has data set → split → documents met there, so that a text
    met in two splits counts in both. `documents.duplicates`: texts met under more than one key or split;
    `documents.leaked`: data set → texts met in more than one of its splits; `documents.shared`: texts met in more than
    one data set. `candidates.empty` wrote nothing but white space, `candidates.unfinished` were cut by the length
    limit. `judgements.failures` gave no verdict.
    """
    sightings = schema.sightings.c
    candidates, judgements = schema.candidates.c, schema.judgements.c

    by_dataset: dict[str, dict[str, int]] = {}
    per_split = select(sightings.dataset, sightings.split, func.count(distinct(sightings.document_id)))
    per_split = per_split.group_by(sightings.dataset, sightings.split).order_by(sightings.dataset, sightings.split)
    for dataset, split, count in connection.execute(per_split):
        by_dataset.setdefault(dataset, {})[split] = count

    places = (
        select(
            func.count().label("places"),
            func.count(distinct(sightings.dataset)).label("datasets"),
        )
        .group_by(sightings.document_id)
        .subquery()
    )
    duplicates, shared = connection.execute(
        select(
            func.count(case((places.c.places > 1, 1))),
            func.count(case((places.c.datasets > 1, 1))),
        )
    ).one()
    splits = (
        select(sightings.dataset, sightings.document_id)
        .group_by(sightings.dataset, sightings.document_id)
        .having(func.count(distinct(sightings.split)) > 1)
        .subquery()
    )
    leaked = connection.execute(
        select(splits.c.dataset, func.count().label("texts")).group_by(splits.c.dataset).order_by(splits.c.dataset)
    )

    per_maker = (
        select(
            schema.makers.c.role,
            schema.makers.c.name,
            schema.makers.c.id,
            func.count(),
            func.count(case((candidates.empty, 1))),
            func.count(case((~candidates.finished, 1))),
        )
        .join(schema.candidates, candidates.maker_id == schema.makers.c.id)
        .group_by(schema.makers.c.seq, schema.makers.c.role, schema.makers.c.name, schema.makers.c.id)
        .order_by(schema.makers.c.seq)
    )
    columns = ("role", "name", "id", "candidates", "empty", "unfinished")
    makers = [dict(zip(columns, row, strict=True)) for row in connection.execute(per_maker)]

    by_kind: dict[str, int] = {}
    by_judge: dict[str, dict[str, int]] = {}
    per_judge = (
        select(schema.judges.c.name, judgements.kind, func.count())
        .join(schema.judges, schema.judges.c.id == judgements.judge_id)
        .group_by(schema.judges.c.name, judgements.kind)
        .order_by(schema.judges.c.name, judgements.kind)
    )
    for judge, kind, count in connection.execute(per_judge):
        by_kind[kind] = by_kind.get(kind, 0) + count
        by_judge.setdefault(judge, {})[kind] = count

    return {
        "documents": {
            "total": connection.execute(select(func.count()).select_from(schema.documents)).scalar_one(),
            "by_dataset": by_dataset,
            "duplicates": duplicates,
            "shared": shared,
            "leaked": {row.dataset: row.texts for row in leaked},
        },
        "candidates": {
            "total": sum(maker["candidates"] for maker in makers),
            "empty": sum(maker["empty"] for maker in makers),
            "unfinished": sum(maker["unfinished"] for maker in makers),
            "by_maker": makers,
        },
        "judgements": {
            "total": sum(by_kind.values()),
            "failures": by_kind.get("failure", 0),
            "by_kind": dict(sorted(by_kind.items())),
            "by_judge": by_judge,
        },
    }
