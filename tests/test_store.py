"""The store: writing twice changes nothing, nothing stored is lost, and every trouble is one sentence.

Run: python -m pytest tests/test_store.py
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, inspect, text

from permissions import as_nobody
from precis.errors import BadInput, UserError
from precis.records import (
    Candidate,
    Comparison,
    Critique,
    Document,
    Failure,
    JudgeInfo,
    Judgement,
    Maker,
    Ranking,
    Rating,
    Score,
)
from precis.store import Added, Store, schema
from precis.store.migrations import MIGRATIONS, m001_initial

REFERENCE = Maker("reference", "dogs")
POLICY = Maker("policy", "model-1", {"temperature": 0.7, "seed": 1})
OTHER = Maker("policy", "model-2")
PERSON = JudgeInfo("person:ann", {"batch": "b1"})
ROUGE = JudgeInfo("rouge")

BARK = Document("A dog barked all night.", title="Dog", key="1", dataset="dogs", split="train", meta={"topic": ["🐕"]})
PURR = Document("قطة تخرخر طوال الليل 🐈.", key="2", dataset="dogs", split="valid")

BARK_REFERENCE = Candidate(BARK.id, "Dog barks.", REFERENCE)
BARK_0 = Candidate(BARK.id, "Noise.", POLICY, index=0, token_ids=(5, 7, 2), tokenizer="tok", logp=-1.25, finished=False)
BARK_1 = Candidate(BARK.id, " ", POLICY, index=1)
PURR_0 = Candidate(PURR.id, "Cat purrs.", OTHER)
CRITIQUE = Critique(PERSON, BARK.id, BARK_0.id, "Which noise?", label="coverage", seconds=3.5)
REFINED = Candidate(BARK.id, "Barking.", OTHER, parent=BARK_0.id, critique="j_x")
CANDIDATES = [BARK_REFERENCE, BARK_0, BARK_1, PURR_0, REFINED]
JUDGEMENTS: list[Judgement] = [
    Comparison(PERSON, BARK.id, BARK_REFERENCE.id, BARK_0.id, "a", confidence=2, shown_first="b", note="short\x00"),
    Ranking(PERSON, BARK.id, ((BARK_0.id,), (BARK_1.id, BARK_REFERENCE.id)), shown=(BARK_1.id, BARK_0.id)),
    Score(ROUGE, BARK.id, BARK_0.id, 0.5, "rouge1"),
    Rating(PERSON, PURR.id, PURR_0.id, "coverage", 6),
    CRITIQUE,
    Failure(ROUGE, BARK.id, (BARK_1.id,), "the candidate is empty", raw="\ud800"),
]


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's server programs, as Debian or the PATH has them."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found := shutil.which("initdb"):
        folders.append(Path(found).parent)
    return max(folders, default=None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of an empty PostgreSQL database: a given server's, or a throwaway one's."""
    if given := os.environ.get("PRECIS_TEST_POSTGRES"):
        with Store(given).engine.connect() as connection:  # the tests drop every table between them
            (documents,) = connection.execute(text("SELECT count(*) FROM documents")).one()
            assert documents == 0, "PRECIS_TEST_POSTGRES must name an empty database"
        yield given
        return
    pytest.importorskip("psycopg")
    programs = find_postgres()
    if programs is None:
        pytest.skip("no PostgreSQL: install Debian's `postgresql`, or set PRECIS_TEST_POSTGRES to an empty database")
    # The server refuses to run as root, and its socket's path must be short.
    as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    folder = tempfile.mkdtemp(prefix="pg", dir="/tmp")
    if as_user:
        shutil.chown(folder, "nobody")
    control = [*as_user, str(programs / "pg_ctl"), "-D", f"{folder}/data", "-w"]
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    try:
        initialise = [str(programs / "initdb"), "-D", f"{folder}/data", "-A", "trust", "-U", "precis", "-E", "UTF8"]
        subprocess.run([*as_user, *initialise, "--locale=C", "--no-sync"], **quiet)
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        subprocess.run([*control, "-o", options, "-l", f"{folder}/log", "start"], **quiet)
        try:
            yield f"postgresql:///postgres?host={folder}&user=precis"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        with Store(tmp_path / "workspace") as store:
            yield store
        return
    with Store(request.getfixturevalue("postgres")) as store:
        yield store
        with store.engine.begin() as connection:
            for table in reversed(inspect(connection).get_table_names()):
                connection.execute(text(f"DROP TABLE {table} CASCADE"))


def fill(store: Store) -> None:
    store.add_documents([BARK, PURR])
    store.add_candidates(CANDIDATES)
    store.add_judgements(JUDGEMENTS)


def test_what_was_written_is_read_back(store: Store) -> None:
    fill(store)
    assert store.documents() == [BARK, PURR]
    assert [document.id for document in store.documents()] == [BARK.id, PURR.id]
    assert store.candidates() == CANDIDATES
    assert [candidate.id for candidate in store.candidates()] == [candidate.id for candidate in CANDIDATES]
    assert store.judgements() == JUDGEMENTS
    assert store.makers() == [REFERENCE, POLICY, OTHER]
    assert store.judges() == [PERSON, ROUGE]


def test_writing_twice_changes_nothing(store: Store) -> None:
    assert store.add_documents([BARK, PURR, BARK]) == Added(new=2, known=1)
    assert store.add_candidates(CANDIDATES) == Added(new=5, known=0)
    assert store.add_judgements(JUDGEMENTS) == Added(new=6, known=0)
    before = store.stats(), store.groups()
    assert store.add_documents([PURR, BARK]) == Added(new=0, known=2)
    assert store.add_candidates(CANDIDATES * 2) == Added(new=0, known=10)
    assert store.add_judgements(JUDGEMENTS) == Added(new=0, known=6)
    assert (store.stats(), store.groups()) == before


def test_one_text_under_two_keys_is_one_document(store: Store) -> None:
    again = Document(BARK.text, title=BARK.title, key="77", dataset="dogs", split="test")
    elsewhere = Document(PURR.text, key="2", dataset="cats", split="valid")
    assert store.add_documents([BARK, PURR, again, elsewhere]) == Added(new=2, known=2, duplicates=2)
    assert store.add_documents([again]) == Added(new=0, known=1, duplicates=0)
    assert store.documents() == [BARK, PURR]
    documents = store.stats()["documents"]
    assert documents["duplicates"] == 2  # BARK and PURR were each met in two places
    assert documents["leaked"] == {"dogs": 1}  # BARK is in dogs' train and test
    assert documents["shared"] == 1  # PURR is in dogs and in cats


def test_a_document_is_one_of_every_place_where_it_was_met(store: Store) -> None:
    """Else a test document that the training file has too would leave the test split in silence."""
    again = Document(BARK.text, title=BARK.title, key="77", dataset="dogs", split="test")
    elsewhere = Document(BARK.text, title=BARK.title, key="1", dataset="cats", split="test")
    store.add_documents([BARK, PURR])
    store.add_documents([again, elsewhere])
    assert [(d.id, d.key, d.dataset, d.split) for d in store.documents("dogs", "test")] == [
        (BARK.id, "77", "dogs", "test")
    ]
    assert [d.split for d in store.documents("dogs", "train")] == ["train"]
    assert [(d.key, d.split) for d in store.documents("dogs")] == [("1", "train"), ("2", "valid")]
    assert [d.dataset for d in store.documents(split="test")] == ["dogs"]
    assert [d.dataset for d in store.documents("cats", limit=1)] == ["cats"]
    assert store.documents(ids=[BARK.id]) == [BARK]
    assert store.documents() == [BARK, PURR]
    assert [g.source.id for g in store.groups("dogs", "test")] == [BARK.id]
    counted = store.stats()["documents"]
    assert counted["by_dataset"] == {"cats": {"test": 1}, "dogs": {"test": 1, "train": 1, "valid": 1}}
    assert counted["total"] == 2


def test_reads_are_narrowed(store: Store) -> None:
    fill(store)
    assert store.documents(split="valid") == [PURR]
    assert store.documents(dataset="cats") == []
    assert store.documents("dogs", limit=1) == [BARK]
    assert store.documents(ids=[PURR.id, "d_unknown"]) == [PURR]
    assert store.candidates([PURR.id]) == [PURR_0]
    assert store.candidates(role="reference") == [BARK_REFERENCE]
    assert store.candidates(maker_id=POLICY.id) == [BARK_0, BARK_1]
    assert store.candidates(ids=[REFINED.id]) == [REFINED]
    assert store.references([BARK.id, PURR.id]) == {BARK.id: [BARK_REFERENCE]}
    assert store.judgements("critique") == [CRITIQUE]
    assert store.judgements(judge_id=ROUGE.id) == [JUDGEMENTS[2], JUDGEMENTS[5]]
    assert store.judgements(judge_name="rouge", kind="score") == [JUDGEMENTS[2]]
    assert store.judgements(source_ids=[PURR.id]) == [JUDGEMENTS[3]]
    # The comparison and the ranking name both candidates, and still come once.
    assert store.judgements(candidate_ids=[BARK_REFERENCE.id, BARK_0.id]) == [*JUDGEMENTS[:3], CRITIQUE]
    assert store.judgements(candidate_ids=[PURR_0.id], source_ids=[BARK.id]) == []
    assert store.makers("policy", "model-2") == [OTHER]


def test_groups_join_sources_candidates_and_judgements(store: Store) -> None:
    fill(store)
    barking, purring = store.groups()
    assert (barking.source, purring.source) == (BARK, PURR)
    assert barking.candidates == (BARK_0, BARK_1, REFINED)
    assert barking.references == (BARK_REFERENCE,)
    assert barking.judgements == tuple(j for j in JUDGEMENTS if j.source_id == BARK.id)
    assert (purring.candidates, purring.references) == ((PURR_0,), ())

    (chosen,) = store.groups(split="train", maker_ids=[OTHER.id])
    assert chosen.candidates == (REFINED,)
    assert chosen.judgements == ()  # every judgement names a candidate that is not in this group
    (by_rouge,) = store.groups(source_ids=[BARK.id], judge_ids=[ROUGE.id])
    assert by_rouge.judgements == (JUDGEMENTS[2], JUDGEMENTS[5])
    (competing,) = store.groups(limit=1, references_compete=True)
    assert competing.candidates == (BARK_REFERENCE, BARK_0, BARK_1, REFINED)


def test_a_source_may_be_a_candidate(store: Store) -> None:
    """Dialogues synthesized from a summary: the summary is the source (DESIGN §1)."""
    fill(store)
    dialogue = Candidate(BARK_REFERENCE.id, "Ann: Do you hear that? Bob: A dog.", POLICY)
    assert store.add_candidates([dialogue]).new == 1
    (group,) = store.groups(source_ids=[BARK_REFERENCE.id])
    assert group.source == BARK_REFERENCE
    assert group.candidates == (dialogue,)


def test_what_is_done_is_known_to_a_resumed_run(store: Store) -> None:
    fill(store)
    assert store.candidate_indices([BARK.id, PURR.id], POLICY.id) == {BARK.id: {0, 1}}
    assert store.candidate_indices(None, "m_unknown") == {}
    assert store.judged_candidates(ROUGE.id) == {BARK_0.id}
    assert store.judged_candidates(ROUGE.id, failures=True) == {BARK_0.id, BARK_1.id}
    assert store.judged(PERSON.id, "comparison") == {(BARK_REFERENCE.id, BARK_0.id)}
    assert store.judged(PERSON.id, "ranking") == {(BARK_0.id, BARK_1.id, BARK_REFERENCE.id)}


def test_stats_count_what_would_mislead(store: Store) -> None:
    fill(store)
    stats = store.stats()
    assert stats["documents"]["by_dataset"] == {"dogs": {"train": 1, "valid": 1}}
    assert (stats["candidates"]["total"], stats["candidates"]["empty"], stats["candidates"]["unfinished"]) == (5, 1, 1)
    assert stats["candidates"]["by_maker"][1] == {
        "role": "policy", "name": "model-1", "id": POLICY.id, "candidates": 2, "empty": 1, "unfinished": 1,
    }  # fmt: skip
    assert stats["judgements"]["failures"] == 1
    assert stats["judgements"]["by_judge"] == {
        "person:ann": {"comparison": 1, "critique": 1, "ranking": 1, "rating": 1},
        "rouge": {"failure": 1, "score": 1},
    }


def test_nothing_is_updated_or_deleted(store: Store) -> None:
    verbs = set()
    event.listen(
        store.engine, "before_cursor_execute", lambda *arguments: verbs.add(arguments[2].lstrip().split()[0].upper())
    )
    fill(store)
    fill(store)
    store.groups()
    store.stats()
    assert verbs <= {"BEGIN", "SELECT", "INSERT"}


def test_every_row_says_when_and_by_whom(store: Store) -> None:
    fill(store)
    with store.engine.connect() as connection:
        for table in ("documents", "sightings", "makers", "candidates", "judges", "judgements"):
            (missing,) = connection.execute(
                text(f"SELECT count(*) FROM {table} WHERE created_at IS NULL OR created_at = ''")
            ).one()
            assert missing == 0, table


def test_orphans_are_refused_and_leave_nothing(store: Store) -> None:
    with pytest.raises(BadInput, match="not in the store; add its documents first"):
        store.add_candidates([BARK_0])
    store.add_documents([BARK, PURR])
    with pytest.raises(BadInput, match=r"names candidate c_.* is not in the store"):
        store.add_judgements([JUDGEMENTS[2]])
    store.add_candidates([BARK_0])
    with pytest.raises(BadInput, match="has another source"):
        store.add_judgements([Score(ROUGE, PURR.id, BARK_0.id, 1.0, "rouge1")])
    assert store.judgements() == []
    assert store.judges() == []


def test_text_that_no_database_holds_is_refused(store: Store) -> None:
    with pytest.raises(BadInput, match="surrogate"):
        store.add_documents([Document("x", key="\ud800")])
    with pytest.raises(UserError, match="surrogate"):
        store.add_documents([BARK]) and store.add_candidates([Candidate(BARK.id, "x", POLICY, tokenizer="\udfff")])
    with pytest.raises(BadInput, match="NaN"):
        store.add_candidates([Candidate(BARK.id, "x", POLICY, logp=float("nan"))])


def test_many_ids_and_a_long_document(store: Store) -> None:
    documents = [Document(f"number {number}") for number in range(2500)]
    long = Document("a word " * 700_000)
    store.add_documents([*documents, long])
    store.add_candidates([Candidate(document.id, "short", POLICY) for document in documents])
    ids = [document.id for document in reversed(documents)]
    assert store.documents(ids=ids) == documents
    assert [c.source_id for c in store.candidates(ids)] == ids[::-1]
    assert len(store.groups(source_ids=ids)) == 2500
    assert store.documents(ids=[long.id])[0].text == long.text


# Schema


def m002_moods(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE documents ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'"))


def test_queries_and_migrations_agree_on_columns(store: Store) -> None:
    with store.engine.connect() as connection:
        for table in schema.documents.metadata.sorted_tables:
            made = {column["name"] for column in inspect(connection).get_columns(table.name)}
            assert made == set(table.columns.keys()), table.name


def test_an_old_schema_is_migrated_once_and_keeps_its_rows(tmp_path: Path) -> None:
    with Store(tmp_path) as old:
        fill(old)
    third = Document("A third one.")
    for known in (0, 1):
        with Store(tmp_path, migrations=(m001_initial, m002_moods)) as new:
            assert new.documents() == [BARK, PURR, third][: 2 + known]
            with new.engine.connect() as connection:
                assert connection.execute(text("SELECT DISTINCT mood FROM documents")).scalars().all() == ["calm"]
                applied = connection.execute(text("SELECT name FROM precis_migrations ORDER BY name")).scalars().all()
                assert applied == ["m001_initial", "m002_moods"]
            assert new.add_documents([third]).known == known


def test_a_failed_migration_leaves_the_old_schema(tmp_path: Path) -> None:
    def m002_broken(connection: Connection) -> None:
        m002_moods(connection)
        raise UserError("stop here")

    with Store(tmp_path) as old:
        fill(old)
    with pytest.raises(UserError, match="stop here"):
        Store(tmp_path, migrations=(m001_initial, m002_broken))
    with Store(tmp_path) as store:
        assert store.documents() == [BARK, PURR]
        with store.engine.connect() as connection:
            assert "mood" not in {column["name"] for column in inspect(connection).get_columns("documents")}


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    Store(tmp_path, migrations=(*MIGRATIONS, m002_moods)).close()
    with pytest.raises(UserError, match=r"newer precis.*m002_moods.*upgrade"):
        Store(tmp_path)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE documents (body TEXT)")
    with pytest.raises(UserError, match="belongs to another program"):
        Store(path)
    assert sqlite3.connect(path).execute("SELECT name FROM sqlite_master").fetchall() == [("documents",)]


# Places


def test_where_a_store_lies(tmp_path: Path) -> None:
    Store(tmp_path / "deep" / "workspace").close()
    assert (tmp_path / "deep" / "workspace" / "feedback.db").is_file()
    Store(tmp_path / "one.db").close()
    assert (tmp_path / "one.db").is_file()
    Store(f"sqlite:///{tmp_path}/two.sqlite").close()
    assert (tmp_path / "two.sqlite").is_file()
    folder = tmp_path / "folder?with=odd #name.db"
    folder.mkdir()
    with Store(folder) as store:
        fill(store)
    assert (folder / "feedback.db").is_file()


@pytest.mark.parametrize(
    "address, says",
    [
        ("mysql://host/db", "a store is a folder, a .db file or a postgresql:// address; 'mysql' is none of them"),
        ("sqlite://", "a store is a folder"),
        ("://", "cannot read the store's address"),
        ("", "the store's address is empty"),
        ("postgresql://precis:secret@127.0.0.1:1/none?connect_timeout=2", "cannot reach the store postgresql"),
    ],
)
def test_addresses_that_are_no_store(address: str, says: str) -> None:
    if address.startswith("postgresql"):
        pytest.importorskip("psycopg")
    with pytest.raises(UserError, match=says) as caught:
        Store(address)
    assert "secret" not in str(caught.value)


def test_reading_does_not_invent_a_store(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no store at"):
        Store(tmp_path / "typo", create=False)
    assert not (tmp_path / "typo").exists()


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a store")
    with pytest.raises(UserError, match="not a store"):
        Store(tmp_path / "file")
    with pytest.raises(UserError, match="cannot make the folder"):
        Store(tmp_path / "file" / "workspace")
    assert (tmp_path / "file").read_text() == "not a store"


# Trouble


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """SQLite's own page limit gives its genuine "database or disk is full"."""
    with Store(tmp_path) as store:
        fill(store)
        with store.engine.connect() as connection:  # the pool hands the same connection to the next write
            (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(UserError, match="the disk is full; make room") as caught:
            store.add_documents([Document(f"{number} " * 1000) for number in range(100)])
        assert "\n" not in str(caught.value)
        assert store.documents() == [BARK, PURR]
    with Store(tmp_path) as store:
        assert store.judgements() == JUDGEMENTS
        assert store.add_documents([Document(f"{number} " * 1000) for number in range(100)]).new == 100


def test_a_damaged_file(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.add_documents(Document(f"{number} " * 500) for number in range(200))
    path = tmp_path / "feedback.db"
    content = bytearray(path.read_bytes())
    content[8192:-8192] = b"\x5a" * (len(content) - 2 * 8192)
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged; restore a copy"):
        Store(tmp_path).documents()
    path.write_bytes(b"SQLite format 2" + bytes(1000))
    with pytest.raises(UserError, match="not a store"):
        Store(tmp_path)


def test_a_locked_file(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        fill(store)
    with Store(tmp_path, busy_seconds=0.2) as store, sqlite3.connect(tmp_path / "feedback.db") as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UserError, match="another process keeps it locked"):
            store.add_documents([Document("late")])
        assert len(store.documents()) == 2  # reading goes on


def test_a_read_only_folder() -> None:
    # pytest's own temporary folders are closed to other users.
    folder = Path(tempfile.mkdtemp())
    try:
        with Store(folder) as store:
            fill(store)
        for path in folder.iterdir():
            path.chmod(0o444)
        folder.chmod(0o555)

        def action() -> None:
            with pytest.raises(UserError, match="cannot be written; check the permissions"), Store(folder) as store:
                store.add_documents([Document("more")])
            with pytest.raises(UserError, match="cannot make the folder"):
                Store(folder / "new")

        as_nobody(action)
        folder.chmod(0o755)
        (folder / "feedback.db").chmod(0o644)
        with Store(folder) as store:
            assert store.documents() == [BARK, PURR]
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


WRITER = """
import sys
from precis.records import Candidate, Document, Maker
from precis.store import Store
name, url = sys.argv[1:]
documents = [Document(f"shared {number}", key=name) for number in range(200)]
for start in range(0, 200, 20):
    with Store(url) as store:
        store.add_documents(documents[start : start + 20])
        store.add_candidates(Candidate(d.id, name, Maker("policy", name)) for d in documents[start : start + 20])
"""


def test_several_processes_write_one_new_workspace(store: Store, tmp_path: Path) -> None:
    url = store.url.render_as_string(hide_password=False)
    if store.url.get_backend_name() == "sqlite":
        url = str(tmp_path / "new")  # the three of them also make it
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, name, url], stderr=subprocess.PIPE, text=True)
        for name in ("one", "two", "three")
    ]
    for writer in writers:
        _, said = writer.communicate(timeout=100)
        assert writer.returncode == 0, said
    with Store(url) as result:
        assert len(result.documents()) == 200
        assert len(result.candidates()) == 600
        assert result.stats()["documents"]["duplicates"] == 200  # each text was met under three keys


def test_a_killed_writer_leaves_whole_batches(tmp_path: Path) -> None:
    killed = """
import os, sys
from precis.records import Document
from precis.store import Store
store = Store(sys.argv[1])
store.add_documents(Document(f"first {n}") for n in range(50))
with store._write() as connection:
    from precis.store import _insert, schema
    _insert(connection, schema.documents, [schema.document_row(Document(f"second {n}")) for n in range(50)])
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", killed, str(tmp_path)]).returncode == -9
    with Store(tmp_path) as store:
        assert [d.text for d in store.documents()] == [f"first {n}" for n in range(50)]
        assert store.add_documents(Document(f"second {n}") for n in range(50)) == Added(50, 0)
