"""The store's schema as numbered steps, each applied once and recorded by name in the table `precis_migrations`.

A step, once released, never changes: a store made by an older precis must arrive at the same tables as a fresh
one. Hence plain SQL here, and not the table objects that the queries in `store` use today.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, inspect, text

from ..errors import UserError

Migration = Callable[[Connection], None]
_RECORD = "precis_migrations"


def m001_initial(connection: Connection) -> None:
    """Documents, candidates and judgements; `seq` keeps the order of insertion, `id` is the content hash.

    A candidate's source is a document or another candidate, so `source_id` has no foreign key; `sightings` remembers
    every data set, split and key under which a document's text was met.
    """
    seq = {
        "sqlite": "seq INTEGER PRIMARY KEY AUTOINCREMENT",
        "postgresql": "seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    }[connection.dialect.name]
    for statement in (
        f"""CREATE TABLE documents ({seq}, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, title TEXT NOT NULL,
            key TEXT NOT NULL, dataset TEXT NOT NULL, split TEXT NOT NULL, meta TEXT NOT NULL,
            created_at TEXT NOT NULL)""",
        "CREATE INDEX documents_by_split ON documents (dataset, split)",
        f"""CREATE TABLE sightings ({seq}, id TEXT NOT NULL UNIQUE,
            document_id TEXT NOT NULL REFERENCES documents (id), key TEXT NOT NULL, dataset TEXT NOT NULL,
            split TEXT NOT NULL, created_at TEXT NOT NULL)""",
        "CREATE INDEX sightings_by_document ON sightings (document_id)",
        f"""CREATE TABLE makers ({seq}, id TEXT NOT NULL UNIQUE, role TEXT NOT NULL, name TEXT NOT NULL,
            settings TEXT NOT NULL, created_at TEXT NOT NULL)""",
        f"""CREATE TABLE candidates ({seq}, id TEXT NOT NULL UNIQUE, source_id TEXT NOT NULL,
            maker_id TEXT NOT NULL REFERENCES makers (id), sample_index BIGINT NOT NULL, text TEXT NOT NULL,
            token_ids TEXT, tokenizer TEXT, logp DOUBLE PRECISION, finished BOOLEAN NOT NULL, empty BOOLEAN NOT NULL,
            parent TEXT, critique TEXT, created_at TEXT NOT NULL)""",
        "CREATE INDEX candidates_by_source ON candidates (source_id, maker_id, sample_index)",
        "CREATE INDEX candidates_by_maker ON candidates (maker_id)",
        f"""CREATE TABLE judges ({seq}, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, settings TEXT NOT NULL,
            created_at TEXT NOT NULL)""",
        f"""CREATE TABLE judgements ({seq}, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
            judge_id TEXT NOT NULL REFERENCES judges (id), source_id TEXT NOT NULL, data TEXT NOT NULL,
            created_at TEXT NOT NULL)""",
        "CREATE INDEX judgements_by_source ON judgements (source_id)",
        "CREATE INDEX judgements_by_judge ON judgements (judge_id, kind)",
        """CREATE TABLE judgement_candidates (judgement_id TEXT NOT NULL REFERENCES judgements (id),
            place INTEGER NOT NULL, candidate_id TEXT NOT NULL REFERENCES candidates (id),
            PRIMARY KEY (judgement_id, place))""",
        "CREATE INDEX judgements_by_candidate ON judgement_candidates (candidate_id)",
    ):
        connection.execute(text(statement))


MIGRATIONS: tuple[Migration, ...] = (m001_initial,)


def pending(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> list[Migration]:
    """The steps that this store has not had yet, in order.

    Raises `UserError` for a store that has had steps unknown here (a newer precis made it), and for a database with
    tables of another program.
    """
    tables = inspect(connection).get_table_names()
    if _RECORD not in tables:
        if tables:
            raise UserError(
                f"this database belongs to another program (it has a table {min(tables)!r}); name another one"
            )
        return list(migrations)
    applied = {name for (name,) in connection.execute(text(f"SELECT name FROM {_RECORD}"))}
    if unknown := sorted(applied - {step.__name__ for step in migrations}):
        raise UserError(
            f"this store was written by a newer precis (it has {', '.join(unknown)}); upgrade precis to use it"
        )
    return [step for step in migrations if step.__name__ not in applied]


def migrate(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Apply what is pending, within the caller's write transaction; the names of the steps that were applied."""
    steps = pending(connection, migrations)
    connection.execute(
        text(f"CREATE TABLE IF NOT EXISTS {_RECORD} (name TEXT NOT NULL PRIMARY KEY, applied_at TEXT NOT NULL)")
    )
    for step in steps:
        step(connection)
        connection.execute(
            text(f"INSERT INTO {_RECORD} (name, applied_at) VALUES (:name, :now)"),
            {"name": step.__name__, "now": datetime.now(UTC).isoformat(timespec="seconds")},
        )
    return [step.__name__ for step in steps]
