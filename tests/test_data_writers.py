"""Writers: what was written is read back, a kind refuses what it cannot hold, and a failed write leaves nothing behind.

Run: python -m pytest tests/test_data_writers.py
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from permissions import as_nobody
from precis.data import WRITERS, export_from, import_into, read, write
from precis.errors import BadInput, UserError
from precis.records import (
    Candidate,
    Comparison,
    Critique,
    Document,
    Failure,
    Group,
    JudgeInfo,
    Maker,
    Preference,
    Ranking,
    Rating,
    Score,
)
from precis.store import Store

DOG = Document('A dog\r\nbarked, all "night" 🐕.', key="1", dataset="dogs", split="train", meta={"topic": ["ف", 1.5]})
CAT = Document('["a cat"]', title="Cat", key="2", dataset="dogs", split="train")
BY_PEOPLE, BY_MODEL = Maker("reference", "dogs"), Maker("reference", "gpt")
REFERENCES = [
    Candidate(DOG.id, "Dog barks.", BY_PEOPLE),
    Candidate(DOG.id, "[1]", BY_PEOPLE, index=1),
    Candidate(DOG.id, "Barking", BY_MODEL),
    Candidate(CAT.id, "Cat.", BY_PEOPLE),
]
SAMPLE = Candidate(
    DOG.id, "", Maker("policy", "m", {"seed": 1}), 3, (5, 2), "tok", -0.1, finished=False, parent="c_x", critique="j_x"
)
ANN, ROUGE = JudgeInfo("person:ann", {"batch": "b1"}), JudgeInfo("rouge")
SAID = Comparison(ANN, DOG.id, REFERENCES[0].id, SAMPLE.id, "a", confidence=2, note='{"b": "nothing"}')
JUDGEMENTS = [
    SAID,
    Comparison(ROUGE, DOG.id, REFERENCES[0].id, REFERENCES[1].id, "tie", shown_first="b", seconds=1.5, note="\ud800"),
    Ranking(ANN, DOG.id, ((SAMPLE.id,), (REFERENCES[0].id, REFERENCES[1].id)), shown=(SAMPLE.id,), repeat=2),
    Score(ROUGE, DOG.id, SAMPLE.id, 0, "rouge1"),
    Rating(ANN, DOG.id, SAMPLE.id, "coverage", 3.5),
    Critique(ANN, DOG.id, SAMPLE.id, "Empty.", label="coverage"),
    Failure(ROUGE, DOG.id, (SAMPLE.id, REFERENCES[0].id), "why", raw="\x00"),
]
EVERYTHING = [DOG, CAT, *REFERENCES, SAMPLE, *JUDGEMENTS]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "hf"])
def test_tables_come_back(tmp_path: Path, kind: str) -> None:
    assert write(kind, tmp_path / f"x.{kind}", [DOG, *REFERENCES, CAT]) == {"rows": 2}
    assert list(read(kind, tmp_path / f"x.{kind}")) == [DOG, *REFERENCES[:3], CAT, REFERENCES[3]]


def test_everything_comes_back_from_precis_own_kind(tmp_path: Path) -> None:
    assert write("precis", tmp_path / "x.jsonl", EVERYTHING) == {"rows": len(EVERYTHING)}
    assert list(read("precis", tmp_path / "x.jsonl")) == EVERYTHING


@pytest.mark.parametrize("kind", ["samsum", "cnndm", "xsum", "dialogsum"])
def test_the_data_sets_own_kinds_come_back(tmp_path: Path, kind: str) -> None:
    document = Document("A long one.", key="1", dataset=kind, split="valid")
    reference = Candidate(document.id, "Short.", Maker("reference", kind))
    write(kind, tmp_path / "dev.jsonl", [document, reference])
    assert list(read(kind, tmp_path / "dev.jsonl")) == [document, reference]


def test_dialogsum_with_several_references(tmp_path: Path) -> None:
    document = Document("A: Hi.", key="1", dataset="dialogsum", split="test", meta={"topics": ["a", "b"]})
    references = [Candidate(document.id, t, Maker("reference", "dialogsum"), i) for i, t in enumerate(["one", "two"])]
    write("dialogsum", tmp_path / "test.jsonl", [document, *references])
    assert list(read("dialogsum", tmp_path / "test.jsonl")) == [document, *references]
    row = json.loads((tmp_path / "test.jsonl").read_text())
    assert row == {"id": "1", "dialogue": "A: Hi.", "summaries": ["one", "two"], "topics": ["a", "b"]}


def test_openai_comparisons_come_back(tmp_path: Path) -> None:
    post = Document("Post.", title="T", key="t3", dataset="openai-tldr", split="valid1", meta={"subreddit": "dogs"})
    a = Candidate(post.id, "ref text", Maker("reference", "openai-tldr"))
    b = Candidate(post.id, "", Maker("policy", "sup4"))
    plain = Comparison(ANN, post.id, a.id, b.id, "b", confidence=9, note='{"a": "x"}')
    ours = Comparison(ROUGE, post.id, b.id, a.id, "a", shown_first="b", seconds=2.5, note="free words")
    tie = replace(plain, choice="tie", confidence=None)
    counts = write("openai", tmp_path / "x.jsonl", [post, a, b, plain, ours, tie])
    assert counts == {"rows": 2, "left out: ties, which OpenAI's rows do not know": 1}
    assert list(read("openai", tmp_path / "x.jsonl")) == [post, a, b, plain, post, b, a, ours]
    row = json.loads((tmp_path / "x.jsonl").read_text().splitlines()[0])
    assert row["summaries"][0] == {"text": " ref text", "policy": "ref", "note": "x"}
    assert (row["choice"], row["worker"], row["batch"], row["extra"]) == (1, "ann", "b1", {"confidence": 9})


def test_trl_preferences(tmp_path: Path) -> None:
    candidates = tuple(Candidate(DOG.id, text, BY_PEOPLE) for text in ("good", "bad", "worse"))
    group = Group(DOG, candidates, preferences=(Preference(0, 1), Preference(1, 2, weight=0.5)))
    assert write("trl", tmp_path / "x.jsonl", [group, Group(CAT, ())]) == {"rows": 2}
    rows = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert rows == [
        {"prompt": DOG.text, "chosen": "good", "rejected": "bad"},
        {"prompt": DOG.text, "chosen": "bad", "rejected": "worse"},
    ]
    write("trl-conversational", tmp_path / "y.jsonl", [group])
    assert json.loads((tmp_path / "y.jsonl").read_text().splitlines()[0]) == {
        "prompt": [{"role": "user", "content": DOG.text}],
        "chosen": [{"role": "assistant", "content": "good"}],
        "rejected": [{"role": "assistant", "content": "bad"}],
    }


def test_datasets_loads_what_was_written(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    other = Document("Another.", key="9", split="odd/split")
    write("hf", tmp_path / "x", [DOG, *REFERENCES[:3], other])
    loaded = datasets.load_from_disk(str(tmp_path / "x"))
    assert set(loaded) == {"train", "odd_split"}
    assert loaded["train"][0]["document"] == DOG.text
    assert loaded["train"][0]["summary"] == ["Dog barks.", "[1]", "Barking"]
    with pytest.raises(UserError, match="is there already"):
        write("hf", tmp_path / "x", [DOG])
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(
    "kind, records, says",
    [
        ("csv", EVERYTHING, "csv holds documents and reference summaries, no candidate by a policy"),
        ("jsonl", [DOG, SAID], "no comparison; write the kind precis instead"),
        ("samsum", [CAT, REFERENCES[3]], "samsum cannot hold the document '2': what is known of it"),
        ("xsum", [DOG], "xsum cannot hold the document '1': field 'summary': expected text, found NoneType"),
        (
            "jsonl",
            [DOG, replace(REFERENCES[0], logp=-1.0)],
            "jsonl cannot hold the document '1': what is known of it and its 1 reference",
        ),
        ("jsonl", [CAT, REFERENCES[0]], "which is not among what is to be written"),
        ("cnndm", [DOG, replace(CAT, split="test")], "a cnndm file holds one split of one data set; choose one of 2"),
        ("openai", [DOG, JUDGEMENTS[3]], "they cannot hold a score"),
        ("openai", [DOG, SAID], "are not among what is written"),
        ("jsonl", [], "there is nothing of this kind to write"),
        ("precis", [], "there is nothing of this kind to write"),
        ("trl", [Group(DOG, ())], "there is nothing of this kind to write"),
        ("pdf", [DOG], "there is no kind 'pdf' to write; the kinds are jsonl"),
    ],
)
def test_what_a_kind_cannot_hold_is_refused(tmp_path: Path, kind: str, records: list[Any], says: str) -> None:
    with pytest.raises(UserError) as caught:
        write(kind, tmp_path / "x", records)
    assert says in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change, says",
    [
        ({"text": "Another."}, "field 'id': the content is not that of"),
        ({"record": "poem"}, "field 'record': expected one of document, candidate, comparison"),
        ({"index": "3"}, "field 'index': expected a whole number, found '3'"),
        ({"index": True}, "field 'index': expected a whole number"),
        ({"index": 10**30}, "field 'index': expected a whole number"),
        ({"token_ids": [1, "2"]}, "field 'token_ids': expected a list of a whole number or null"),
        ({"logp": "low"}, "field 'logp': expected a finite number or null, found 'low'"),
        ({"finished": 1}, "field 'finished': expected true or false"),
        ({"maker": {"role": "king", "name": "x"}}, "field 'maker.role': expected 'reference' or 'policy'"),
        ({"maker": {"role": "policy"}}, "field 'maker.name': this field is missing"),
        ({"maker": None}, "field 'maker': expected an object"),
        ({"colour": "red"}, "field 'colour': no such field in this kind of record"),
        ({"tokenizer": "\ud800"}, "field 'tokenizer': half a character"),
    ],
)
def test_changed_lines_of_precis_own_kind(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    write("precis", tmp_path / "x.jsonl", [SAMPLE])
    row = json.loads((tmp_path / "x.jsonl").read_text())
    (tmp_path / "x.jsonl").write_text(json.dumps(row | change) + "\n")
    with pytest.raises(BadInput) as caught:
        list(read("precis", tmp_path / "x.jsonl"))
    assert "line 1" in str(caught.value)
    assert says in str(caught.value)


def test_non_finite_numbers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(
        '{"record": "score", "judge": {"name": "j"}, "source_id": "d", "candidate": "c", "value": NaN, "scale": "s"}\n'
    )
    with pytest.raises(BadInput, match="field 'value': expected a finite number, found 'nan'"):
        list(read("precis", tmp_path / "x.jsonl"))


# Trouble


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """Writing beyond `size` bytes fails, as on a full disk but with another errno."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "precis", "hf"])
def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path: Path, kind: str) -> None:
    # Text that does not compress, for Parquet.
    many = [Document(os.urandom(500).hex(), key=str(number)) for number in range(200)]
    path = tmp_path / "x"
    if kind != "hf":
        path.write_text("old")
    with small_files(20_000), pytest.raises(UserError, match=r"cannot write .*File too large"):
        write(kind, path, many)
    assert [file.name for file in tmp_path.iterdir()] == ([] if kind == "hf" else ["x"])
    assert kind == "hf" or path.read_text() == "old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("kind", [kind for kind in WRITERS if not kind.startswith(("trl", "hf", "openai"))])
def test_a_full_disk(kind: str) -> None:
    document = Document("Text.", key="1", dataset=kind, split="test")
    reference = Candidate(document.id, "Short.", Maker("reference", kind))
    with pytest.raises(UserError, match="cannot write /dev/full: No space left on device"):
        write(kind, "/dev/full", [document, reference])
    assert Path("/dev/full").is_char_device()


def test_a_read_only_folder_and_a_folder_as_file() -> None:
    folder = Path(tempfile.mkdtemp())  # pytest's own are closed to other users
    try:
        folder.chmod(0o555)

        def action() -> None:
            for kind in ("jsonl", "csv", "parquet", "hf"):
                with pytest.raises(UserError, match=r"cannot write .*: Permission denied"):
                    write(kind, folder / "x", [DOG])

        as_nobody(action)
        with pytest.raises(UserError, match=r"cannot write .*: Is a directory"):
            write("jsonl", folder, [DOG])
        assert list(folder.iterdir()) == []
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_link_keeps_pointing_at_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").write_text("old")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    write("jsonl", tmp_path / "link.jsonl", [DOG])
    assert (tmp_path / "link.jsonl").is_symlink()
    assert list(read("jsonl", tmp_path / "real.jsonl")) == [DOG]


# Through the store


@pytest.mark.parametrize("kind", ["precis", "jsonl", "parquet"])
def test_export_then_import_is_the_identity(tmp_path: Path, kind: str) -> None:
    with Store(tmp_path / "one") as one, Store(tmp_path / "two") as two:
        one.add_documents([DOG, CAT])
        one.add_candidates(REFERENCES if kind != "precis" else [*REFERENCES, SAMPLE])
        if kind == "precis":
            dialogue = Candidate(REFERENCES[0].id, "Ann: A dog!", Maker("policy", "m"))
            one.add_candidates([dialogue])
            one.add_judgements([*JUDGEMENTS, Score(ROUGE, REFERENCES[0].id, dialogue.id, 1.0, "rouge1")])
        export_from(one, kind, tmp_path / "x")
        report = import_into(two, kind, tmp_path / "x")
        assert report.new["candidates"] == len(one.candidates())
        assert two.documents() == one.documents()
        assert set(two.candidates()) == set(one.candidates())
        assert two.judgements() == one.judgements()
        assert import_into(two, kind, tmp_path / "x").new == {"documents": 0, "candidates": 0, "judgements": 0}


def test_export_of_one_split_takes_what_hangs_on_it(tmp_path: Path) -> None:
    other = replace(CAT, split="test")
    with Store(tmp_path) as store:
        store.add_documents([DOG, other])
        dialogue = Candidate(REFERENCES[0].id, "Ann: A dog!", Maker("policy", "m"))
        store.add_candidates([*REFERENCES, SAMPLE, dialogue])
        store.add_judgements(JUDGEMENTS)
        export_from(store, "precis", tmp_path / "train.jsonl", split="train")
        export_from(store, "csv", tmp_path / "test.csv", split="test")
    assert list(read("precis", tmp_path / "train.jsonl")) == [DOG, *REFERENCES[:3], SAMPLE, dialogue, *JUDGEMENTS]
    assert list(read("csv", tmp_path / "test.csv")) == [other, REFERENCES[3]]
