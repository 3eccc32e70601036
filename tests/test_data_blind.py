"""Blind sheets: what raters see, what they do not, and the way back into records.

Run: python -m pytest tests/test_data_blind.py
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precis.data.blind import Sheets, Task, make_sheets, read_key, read_sheet, write_sheets
from precis.errors import BadInput, UserError
from precis.records import Candidate, Comparison, Document, Group, Maker, Rating


def groups(
    documents: int = 3, texts: tuple[str, ...] = ("One thing.", "=2+2 things.", 'Three, "things"\nof\tit.')
) -> list[Group]:
    """Each document with one text a system."""
    found = []
    for number in range(documents):
        document = Document(f"Document {number}, with a comma.\nAnd a second line.")
        found.append(
            Group(
                document,
                tuple(Candidate(document.id, text, Maker("policy", f"secret-{n}")) for n, text in enumerate(texts)),
            )
        )
    return found


def filled(path: Path, answers: dict[str, str] | None = None, **columns: str) -> None:
    """Write the same `columns` into every row, or by item those of `answers` into the column "choice"."""
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row |= columns
        if answers is not None:
            row["choice"] = answers[row["item"]]
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def written(tmp_path: Path, task: Task, **options: object) -> tuple[Sheets, list[Path], Path]:
    sheets = make_sheets(groups(), task, ["ann", "bob"], **options)  # type: ignore[arg-type]
    key = tmp_path / "private" / "key.json"
    return sheets, write_sheets(sheets, tmp_path / "sheets", key), key


def test_comparisons_go_out_and_come_back(tmp_path: Path) -> None:
    sheets, paths, key_path = written(tmp_path, "comparisons", seed=3)
    assert [path.name for path in paths] == ["ann.csv", "bob.csv"]
    key = read_key(key_path)
    assert key == sheets.key
    truth = {candidate.id: candidate.text for group in groups() for candidate in group.candidates}
    said = []
    for path in paths:
        text = path.read_text("utf-8")
        assert "secret" not in text and not any(id in text for id in truth)
        with open(path, newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        assert len(rows) == 9
        # Each row shows what its code stands for, in that order; a formula is defused.
        for row in rows:
            shown = [truth[id] for id in key.items[row["item"]].candidates]
            assert [row["summary_1"].removeprefix("'"), row["summary_2"].removeprefix("'")] == shown
            assert not row["summary_1"].startswith("=") and not row["summary_2"].startswith("=")
        # All pairs of one document stand together.
        documents = [row["document"] for row in rows]
        assert all(len(set(documents[start : start + 3])) == 1 for start in (0, 3, 6))
        # Everyone prefers the longer text, whichever side it is on.
        filled(path, {row["item"]: str(1 + (len(row["summary_2"]) > len(row["summary_1"]))) for row in rows})
        counts: Counter[str] = Counter()
        said += list(read_sheet(path, key, counts))
        assert counts == {"items": 9}
    assert all(isinstance(one, Comparison) and one.shown_first == "a" for one in said)
    chosen = {one.a if one.choice == "a" else one.b for one in said if isinstance(one, Comparison)}
    assert {truth[id] for id in chosen} == {truth[id] for id in truth if not truth[id].startswith("One")}
    assert Counter(one.judge.name for one in said) == {"person:ann": 9, "person:bob": 9}
    # The two raters saw the same pairs, not all in the same order.
    orders = [[item.candidates for item in key.items.values() if item.rater == rater] for rater in ("ann", "bob")]
    assert {frozenset(pair) for pair in orders[0]} == {frozenset(pair) for pair in orders[1]}
    assert orders[0] != orders[1] and set(orders[0]) != set(orders[1])


def test_ratings_go_out_and_come_back(tmp_path: Path) -> None:
    _, paths, key_path = written(tmp_path, "ratings", axes=["coherence", "style"], low=1, high=5, batch="study 1")
    filled(paths[0], coherence="4", style="2,5", note=" too long ")
    counts: Counter[str] = Counter()
    said = list(read_sheet(paths[0], read_key(key_path), counts))
    assert len(said) == 18 and counts == {"items": 9}
    assert {(one.axis, one.value, one.low, one.high, one.note) for one in said if isinstance(one, Rating)} == {
        ("coherence", 4.0, 1, 5, "too long"),
        ("style", 2.5, 1, 5, "too long"),
    }
    assert {one.candidate for one in said if isinstance(one, Rating)} == {c.id for g in groups() for c in g.candidates}
    assert said[0].judge.settings == {"batch": "study 1"}
    filled(paths[1], coherence="3")
    open_ones: Counter[str] = Counter()
    assert len(list(read_sheet(paths[1], read_key(key_path), open_ones))) == 9
    assert open_ones == {"items": 9, "left open: style": 9}


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"choice": "3"}, "line 2, field 'choice': expected 1, 2 or tie, found '3'"),
        ({"item": "q0"}, "line 2, field 'item': the key has no item 'q0'"),
    ],
)
def test_a_wrong_answer_is_placed(tmp_path: Path, columns: dict[str, str], says: str) -> None:
    _, paths, key = written(tmp_path, "comparisons")
    filled(paths[0], **columns)
    with pytest.raises(BadInput) as caught:
        list(read_sheet(paths[0], read_key(key), Counter()))
    assert says in str(caught.value)


def test_what_a_rating_cannot_be(tmp_path: Path) -> None:
    _, paths, key = written(tmp_path, "ratings", axes=["style"])
    for mark, says in (("8", "expected a rating from 1 to 7"), ("good", "expected a mark from 1 to 7, found 'good'")):
        filled(paths[0], style=mark)
        with pytest.raises(BadInput, match=says):
            list(read_sheet(paths[0], read_key(key), Counter()))
    text = paths[1].read_text("utf-8")
    head, first = text.split("\n", 1)[0], text[text.index('"q') :]
    paths[1].write_text(head + "\n" + first + first)
    with pytest.raises(BadInput, match="comes twice"):
        list(read_sheet(paths[1], read_key(key), Counter()))
    paths[1].write_text(text.replace('"style"', '"stile"'))
    with pytest.raises(BadInput, match="field 'style': no such field"):
        list(read_sheet(paths[1], read_key(key), Counter()))
    for broken in ("[]", "{", json.dumps({"schema": "other"}), json.dumps({"schema": "precis.blind/1", "items": {}})):
        key.write_text(broken)
        with pytest.raises(BadInput, match="not a key of blind sheets"):
            read_key(key)


def test_what_takes_no_part_is_counted() -> None:
    mixed = groups(2, ("a text", "a text ", "", "another"))
    pairs = make_sheets(mixed, "comparisons", ["ann"])
    assert {k: v for k, v in pairs.counts.items() if v} == {
        "documents": 2, "items": 4, "empty candidates left out": 2, "pairs of one text left out": 2,
    }  # fmt: skip
    assert make_sheets(mixed, "ratings", ["ann"], axes=["style"]).counts["items"] == 6
    few = make_sheets(groups(5), "comparisons", ["ann"], pairs_per_group=1, documents=2)
    assert (few.counts["documents"], few.counts["items"]) == (2, 2)
    with pytest.raises(UserError, match="nothing to judge"):
        make_sheets(groups(2, ("same", "same")), "comparisons", ["ann"])
    for raters, axes in ((["a", "a"], ["style"]), (["a/b"], ["style"]), (["a"], []), (["a"], ["note"])):
        with pytest.raises(UserError):
            make_sheets(mixed, "ratings", raters, axes=axes)
    with pytest.raises(UserError, match="no two marks"):
        make_sheets(mixed, "ratings", ["a"], axes=["style"], low=3, high=3)


def test_nothing_is_overwritten_and_the_key_stays_away_from_the_sheets(tmp_path: Path) -> None:
    sheets, paths, key = written(tmp_path, "comparisons")
    with pytest.raises(UserError, match=r"ann\.csv is there already"):
        write_sheets(sheets, tmp_path / "sheets", tmp_path / "other.json")
    with pytest.raises(UserError, match="keep it elsewhere"):
        write_sheets(sheets, tmp_path / "sheets", tmp_path / "sheets" / "key.json")
    with pytest.raises(UserError, match=r"key\.json is there already"):
        write_sheets(sheets, tmp_path / "more", key)
    assert len(paths) == 2 and not (tmp_path / "more").exists()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.permutations(range(4)))
def test_one_seed_gives_one_study(seed: int, order: list[int]) -> None:
    whole = groups(4)
    first = make_sheets(whole, "comparisons", ["ann", "bob"], seed=seed, documents=3, pairs_per_group=2)
    again = make_sheets(
        [whole[n] for n in order], "comparisons", ["ann", "bob"], seed=seed, documents=3, pairs_per_group=2
    )
    assert first.rows == again.rows and first.key == again.key
    assert len(first.key.items) == 12


def test_sides_are_even() -> None:
    """Neither system is shown first more often than the lot allows: 200 pairs, three standard deviations."""
    sheets = make_sheets(groups(200, ("one", "two")), "comparisons", ["ann"])
    firsts = sum(row["summary_1"] == "one" for row in sheets.rows["ann"])
    assert abs(firsts - 100) < 3 * (200 * 0.25) ** 0.5
