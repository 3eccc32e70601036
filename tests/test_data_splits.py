"""Splits by text: no text in two of them, shares as asked, and no document moved by others.

Run: python -m pytest tests/test_data_splits.py
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precis.cli import main
from precis.data import import_into, parse_shares, read, split_by_document
from precis.data.files import dataset_of, split_of
from precis.data.splits import split_of_text
from precis.errors import UserError
from precis.records import Candidate, Document, Maker
from precis.store import Store

SHARES = {"train": 0.9, "valid1": 0.05, "valid2": 0.05}

texts = st.sampled_from("abcdefgh")  # few, so that many documents share one
documents = st.builds(Document, text=texts, title=st.text("xy", max_size=1), key=st.text("0123"), split=st.text("s"))
shares = st.lists(st.floats(0.01, 1), min_size=1, max_size=4).map(
    lambda values: {f"s{number}": value / sum(values) for number, value in enumerate(values)}
)


@settings(max_examples=100, deadline=None)
@given(st.lists(documents, max_size=30), shares, st.integers(0, 5))
def test_no_text_is_in_two_splits(found: list[Document], shares: dict[str, float], seed: int) -> None:
    splits = defaultdict(set)
    for document in split_by_document(found, shares, seed=seed):
        assert isinstance(document, Document)
        splits[document.text].add(document.split)
    assert all(len(names) == 1 for names in splits.values())
    assert set().union(*splits.values()) <= set(shares)


@settings(max_examples=50, deadline=None)
@given(st.lists(documents, max_size=10), st.lists(documents, max_size=10))
def test_documents_that_come_later_move_none(first: list[Document], more: list[Document]) -> None:
    both = list(split_by_document([*first, *more], SHARES))
    assert both[: len(first)] == list(split_by_document(first, SHARES))


def test_white_space_makes_no_other_text() -> None:
    many = [f"text {number}" for number in range(200)]
    assert [split_of_text(text, SHARES) for text in many] == [
        split_of_text(f" {text.replace(' ', chr(10))}\n", SHARES) for text in many
    ]


def test_the_shares_come_out_and_the_seed_changes_who_is_in_them() -> None:
    many = [f"text {number}" for number in range(4000)]
    one = [split_of_text(text, SHARES) for text in many]
    count = Counter(one)
    # Three standard deviations of a share of 5% in 4,000 are 41.
    assert abs(count["valid1"] - 200) < 42
    assert abs(count["valid2"] - 200) < 42
    assert one != [split_of_text(text, SHARES, seed=1) for text in many]


def test_other_records_pass_untouched() -> None:
    document = Document("a")
    candidate = Candidate(document.id, "b", Maker("policy", "m"))
    assert list(split_by_document([document, candidate], {"only": 1.0})) == [Document("a", split="only"), candidate]


@pytest.mark.parametrize(
    "words, says",
    [("train", "expected shares of different splits"), ("train=0.9,train=0.1", "different splits"),
     ("train=x", "different splits"), ("=1", "different splits"), ("", "different splits"),
     ("train=1.1,valid=-0.1", "different splits"), ("train=nan", "different splits"),
     ("train=0.9,valid=0.05", "add up to 0.95")],
)  # fmt: skip
def test_shares_that_are_none(words: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        parse_shares(words)


def test_shares_as_typed() -> None:
    assert parse_shares(" train=0.9, valid1=0.05,valid2=0.05 ") == SHARES


def test_the_names_of_openais_halves_are_kept() -> None:
    assert [split_of(Path(name)) for name in ("valid1.jsonl", "x-valid2.json", "valid.jsonl", "train_valid1.csv")] == [
        "valid1", "valid2", "valid", ""
    ]  # fmt: skip
    assert dataset_of(Path("posts-valid1.jsonl")) == "posts"


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_an_import_splits_by_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": number, "document": f"text {number % 50}", "summary": "s"} for number in range(100)]
    path = written(tmp_path / "posts.jsonl", rows)
    with pytest.raises(SystemExit) as ended:
        main(["import", "jsonl", str(path), "--store", str(tmp_path / "w"), "--json", "--split-shares", "a=0.5,b=0.5"])
    assert not ended.value.code
    said = json.loads(capsys.readouterr().out.splitlines()[-1])["splits"]
    with Store(tmp_path / "w") as store:
        held = store.stats()["documents"]
        assert held["by_dataset"] == {"posts": said}
        assert (sum(said.values()), min(said.values()) > 0, held["leaked"]) == (50, True, {})
        with pytest.raises(UserError, match="give one of them"):
            import_into(store, "jsonl", path, split="train", shares={"a": 1.0})


def test_openais_split_names_are_kept_from_the_rows(tmp_path: Path) -> None:
    names = ["train", "valid1", "valid2"]
    rows = [
        {"info": {"id": name, "post": f"Post {name}.", "title": "T", "subreddit": "dogs"}, "split": name,
         "summaries": [{"text": " a", "policy": "ref", "note": ""}, {"text": " b", "policy": "sup4", "note": ""}],
         "choice": 0, "worker": "w", "batch": "b", "extra": {"confidence": 2}}
        for name in names
    ]  # fmt: skip
    found = read("openai", written(tmp_path / "x.jsonl", rows))
    assert [record.split for record in found if isinstance(record, Document)] == names
