"""Importing: counted, resumable, and the real data sets' counts.

Run: python -m pytest tests/test_data_import.py
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from precis.data import import_into, read
from precis.data.docstrings import split_of_module
from precis.errors import BadInput, UserError
from precis.records import Candidate, Comparison, Document
from precis.store import Store

REAL = Path(__file__).parent / ".." / ".." / "shared" / "data"


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_report_counts_everything(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": 1, "document": "one", "summary": "s"},
        {"id": 2, "document": "one", "summary": "s"},
        {"id": 3, "document": "three", "candidate": ["", "c"]},
        {"id": 4, "document": ""},
        {"id": 1, "document": "one", "summary": "s"},
    ]
    path = write_rows(tmp_path / "posts.jsonl", rows)
    with Store(tmp_path) as store:
        report = import_into(store, "jsonl", path, skip_bad=tmp_path / "bad.jsonl")
        assert (report.rows, report.bad_rows) == (5, 1)
        assert report.new == {"documents": 2, "candidates": 3, "judgements": 0}
        assert report.known == {"documents": 2, "candidates": 2, "judgements": 0}
        assert (report.duplicate_documents, report.documents_without_reference, report.empty_candidates) == (1, 1, 1)
        said = str(report)
        assert said.splitlines()[1:] == [
            "  documents: 2 new, 2 known",
            "  candidates: 3 new, 2 known",
            "  1 documents have a text that was met under another id, split or data set",
            "  1 documents have no reference summary",
            "  1 candidates are empty",
            f"  1 bad rows were set aside in {tmp_path / 'bad.jsonl'}",
        ]
        again = import_into(store, "jsonl", path, skip_bad=tmp_path / "bad.jsonl")
        assert again.new == {"documents": 0, "candidates": 0, "judgements": 0}
        assert store.stats()["documents"]["duplicates"] == 1


def test_a_mended_file_is_imported_to_its_end(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": n, "document": f"text {n}", "summary": f"s {n}"} for n in range(5000)]
    rows[4900]["document"] = 3
    path = write_rows(tmp_path / "posts.jsonl", rows)
    with Store(tmp_path) as store:
        with pytest.raises(BadInput, match="line 4901, field 'document'"):
            import_into(store, "jsonl", path)
        before = len(store.documents())
        assert 0 < before < 4900
        assert len(store.candidates()) == before
        rows[4900]["document"] = "text 4900"
        report = import_into(store, "jsonl", write_rows(path, rows))
        assert report.new["documents"] == 5000 - before
        assert [document.key for document in store.documents()] == [str(n) for n in range(5000)]


def test_a_killed_import_resumes(tmp_path: Path) -> None:
    rows = [{"id": n, "document": f"text {n}", "summary": f"s {n}"} for n in range(6000)]
    path = write_rows(tmp_path / "posts.jsonl", rows)
    killed = """
import os, sys
from precis.data import import_into
from precis.store import Store
import_into(Store(sys.argv[1]), "jsonl", sys.argv[2], advance=lambda count: os.kill(os.getpid(), 9))
"""
    assert subprocess.run([sys.executable, "-c", killed, str(tmp_path), str(path)]).returncode == -9
    with Store(tmp_path, create=False) as store:
        half = len(store.documents())
        assert 0 < half < 6000
        assert import_into(store, "jsonl", path).known["documents"] == half
        assert len(store.documents()) == len(store.candidates()) == 6000


# Docstrings


LONG = "It goes on to say, over many lines, what there is to know. " * 5
SOURCE = f'''
"""Makes things from other things.

{LONG}
"""
def make(a):
    """Make one thing of another.

    {LONG} Indeed.
    """
    class Inner:
        """Short of words.

        {LONG} This too.
        """
if True:
    async def again(a):
        """Make one thing of another.

        {LONG} Indeed.
        """
def brief():
    """Only a line here."""
def make(a, b):
    """Make one thing of another two.

    {LONG} And more.
    """
raise SystemExit("parsed, never imported")
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "things"
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text(SOURCE)
    (folder / "deep" / "broken.py").write_text("def (:\n")
    (folder / "deep" / "bytes.py").write_bytes(b"x = '\xff'\n")
    (folder / "deep" / "other.py").write_text(SOURCE.replace("It goes on", "It stops"))
    return folder


def test_docstrings_of_a_folder(package: Path) -> None:
    counts: Counter[str] = Counter()
    records = list(read("docstrings", package, counts=counts))
    documents = [record for record in records if isinstance(record, Document)]
    assert [document.key for document in documents] == [
        "things", "things:make", "things:make.Inner", "things:make#2",
        "things.deep.other", "things.deep.other:make", "things.deep.other:make.Inner", "things.deep.other:make#2",
    ]  # fmt: skip
    summaries = [record.text for record in records if isinstance(record, Candidate)]
    assert summaries[:2] == ["Makes things from other things.", "Make one thing of another."]
    assert documents[0].text == LONG.strip()
    assert documents[0].meta == {"package": "things"}
    assert {document.split for document in documents[:4]} == {split_of_module("things")}
    assert counts == {
        "rows": 12,
        "dropped: the same text again": 2,
        "dropped: nothing, or little, after the first line": 2,
        "dropped: file that is no valid Python": 2,
    }


def test_docstrings_of_an_installed_package_without_importing_it(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    count = sum(isinstance(record, Document) for record in read("docstrings", "pytest,_pytest", counts=counts))
    assert count > 50
    # A package that is not loaded here stays so.
    assert "turtledemo" not in sys.modules
    list(read("docstrings", "turtledemo"))
    assert "turtledemo" not in sys.modules
    assert {split_of_module(f"module{number}") for number in range(200)} == {"train", "valid", "test"}
    with pytest.raises(UserError, match="there is no installed package 'no_such_package'"):
        list(read("docstrings", "no_such_package"))
    with pytest.raises(UserError, match="name packages"):
        list(read("docstrings", " , "))
    with pytest.raises(UserError, match="'sys' with Python files"):
        list(read("docstrings", "sys"))


# The real files (../shared/data/README.md says where they are from)


@pytest.mark.skipif(not (REAL / "dialogsum").is_dir(), reason="shared/data/dialogsum is not beside this checkout")
def test_dialogsum_itself(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        report = import_into(store, "dialogsum", REAL / "dialogsum")
        assert (report.rows, report.bad_rows, report.duplicate_documents) == (11278 + 491 + 500, 0, 0)
        stats = store.stats()
        assert stats["documents"]["by_dataset"] == {"dialogsum": {"test": 500, "train": 11278, "valid": 491}}
        assert stats["documents"]["leaked"] == {}
        assert stats["candidates"]["total"] == 11278 + 491 + 3 * 500
        groups = store.groups(split="test")
        assert {len(group.references) for group in groups} == {3}
        assert all(len(group.source.meta["topics"]) == 3 for group in groups if isinstance(group.source, Document))
        assert import_into(store, "dialogsum", REAL / "dialogsum" / "train.jsonl").new["documents"] == 0


@pytest.mark.skipif(
    not (REAL / "openai_comparisons").is_dir(), reason="shared/data/openai_comparisons is not beside this checkout"
)
def test_openai_comparisons_themselves(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        report = import_into(store, "openai", REAL / "openai_comparisons")
        assert (report.rows, report.bad_rows, report.new["judgements"]) == (412 + 239, 0, 651)
        stats = store.stats()
        # Posts and articles, counted in the files apart from the reader.
        assert stats["documents"]["by_dataset"] == {
            "openai-cnndm": {"valid2": 26},
            "openai-tldr": {"valid1": 14, "valid2": 59},
        }
        assert stats["judgements"]["by_kind"] == {"comparison": 651}
        said = [judgement for judgement in store.judgements() if isinstance(judgement, Comparison)]
        assert Counter(j.choice for j in said) == {"a": 213 + 113, "b": 199 + 126}
        assert Counter(j.confidence for j in said)[1] == 77 + 7
        assert len({j.judge.name for j in said}) == 11 + 2
        groups = store.groups(references_compete=True)
        assert sum(len(group.judgements) for group in groups) == 651
