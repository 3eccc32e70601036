"""Opening the database: where it lies, how SQLite is set up for several processes, and errors in plain words."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from ..errors import UserError

FILE_NAME = "feedback.db"
# Any fixed number serves: it names the lock that lets one of several PostgreSQL clients write at a time.
_ADVISORY_LOCK = 2009_01325
_FILE_SUFFIXES = (".db", ".sqlite", ".sqlite3")


def locate(url_or_path: str | Path) -> URL:
    """The database's URL: of a server, of a .db file, or of `feedback.db` in a workspace folder.

    Raises `UserError` for other databases and for URLs that cannot be read.
    """
    if not str(url_or_path).strip():
        raise UserError("the store's address is empty; expected a folder or postgresql://…")
    if "://" not in str(url_or_path):
        path = Path(url_or_path).expanduser()
        is_file = path.is_file() or (path.suffix in _FILE_SUFFIXES and not path.is_dir())
        return URL.create("sqlite", database=str(path if is_file else path / FILE_NAME))
    try:
        url = make_url(str(url_or_path))
    except ArgumentError as error:
        raise UserError(
            f"cannot read the store's address {str(url_or_path)!r}; expected a folder or postgresql://…"
        ) from error
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and url.database:
        return URL.create("sqlite", database=url.database)
    raise UserError(f"a store is a folder, a .db file or a postgresql:// address; {backend!r} is none of them")


def open_engine(url: URL, *, create: bool, busy_seconds: float) -> Engine:
    """An engine on `url`; an SQLite file's folder is made when `create`.

    A connection with the execution option `write` takes the write lock at once, so that writers follow one another:
    SQLite refuses, without waiting, a transaction that read first and wants to write after another process wrote.
    """
    if url.get_backend_name() == "sqlite":
        path = Path(url.database or "")
        try:
            if not create and not path.exists():
                raise UserError(f"there is no store at {path}; `precis import` makes one")
            path.parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = error.strerror if isinstance(error, OSError) else error
            raise UserError(f"cannot make the folder {path.parent} for the store: {reason}") from error
        engine = create_engine(url, connect_args={"timeout": busy_seconds})
        event.listen(engine, "connect", lambda connection, _: _configure(connection, busy_seconds))
        event.listen(engine, "begin", _begin)
        return engine
    try:
        engine = create_engine(url, pool_pre_ping=True)
        event.listen(engine, "begin", _begin)
        return engine
    except (ImportError, NoSuchModuleError) as error:
        raise UserError(
            "a postgresql:// store needs psycopg; install it with `pip install 'psycopg[binary]'`"
        ) from error


def _configure(connection: Any, busy_seconds: float) -> None:
    connection.isolation_level = None  # transactions begin in `_begin`, not where the driver guesses
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            # Readers and a writer at once. The change itself does not wait for a lock, unlike everything else.
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
    elif write:
        # Two clients that insert the same rows in different orders would wait for each other for ever.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")


_PLAIN = (
    ("disk is full", "the disk is full; make room and run the same command again, what was stored before is safe"),
    ("readonly", "it cannot be written; check the permissions of the file and its folder"),
    ("unable to open", "it cannot be opened; check that its folder exists and may be written"),
    ("not a database", "this file is not a store (not an SQLite database)"),
    ("malformed", "the file is damaged; restore a copy of it, or rescue its rows with `sqlite3 FILE .recover`"),
    ("could not decode", "the file is damaged; restore a copy of it, or rescue its rows with `sqlite3 FILE .recover`"),
    ("locked", "another process keeps it locked; wait for that process or end it, then run the same command again"),
    ("disk i/o error", "the disk reports an error; check it and its free space, then run the same command again"),
)


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn what the machine or the user can mend into a `UserError`; anything else is our mistake and passes."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise UserError(
            f"half a character (lone surrogate) in {error.object[:40]!r}: the store holds whole text only"
        ) from error
    except (DBAPIError, sqlite3.Error) as error:
        said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
        place = url.database if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
        for sign, meaning in _PLAIN:
            if sign in said.lower():
                raise UserError(f"the store {place}: {meaning}") from error
        lost = isinstance(error, DBAPIError) and (
            error.connection_invalidated or type(error).__name__ == "OperationalError"
        )
        if lost and url.get_backend_name() != "sqlite":
            first_line = said.splitlines()[0] if said else "no reason given"
            raise UserError(f"cannot reach the store {place}: {first_line}") from error
        raise
