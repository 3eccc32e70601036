"""Readers: each format's fields become the right records, and each kind of bad input is one sentence with its place.

Run: python -m pytest tests/test_data_readers.py
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from precis.data import KINDS, parse_columns, read
from precis.errors import BadInput, UserError
from precis.records import Candidate, Comparison, Document, JudgeInfo, Maker, Rating


def written(path: Path, content: str | bytes | list[Any]) -> Path:
    """`path` with this text, these bytes, or these rows as JSONL."""
    if isinstance(content, list):
        content = "".join(json.dumps(row) + "\n" for row in content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def records(kind: str, path: Path | str, **options: Any) -> list[Any]:
    return list(read(kind, path, **options))


def documents(kind: str, path: Path | str, **options: Any) -> list[Document]:
    return [record for record in records(kind, path, **options) if isinstance(record, Document)]


# The data sets' own formats


def test_dialogsum_train_and_test_rows(tmp_path: Path) -> None:
    train = written(tmp_path / "train.jsonl", [{"id": "t0", "dialogue": "A: Hi\nB: Ho", "summary": "S.", "topic": "x"}])
    document, summary = records("dialogsum", train)
    assert document == Document("A: Hi\nB: Ho", key="t0", dataset="dialogsum", split="train", meta={"topic": "x"})
    assert summary == Candidate(document.id, "S.", Maker("reference", "dialogsum"))

    row = {"id": "e0", "dialogue": "A: Hi", "summaries": ["one", "two", "three"], "topics": ["x", "y", "z"]}
    document, *summaries = records("dialogsum", written(tmp_path / "dev.jsonl", [row]))
    assert (document.split, document.meta) == ("valid", {"topics": ["x", "y", "z"]})
    assert [(c.text, c.index) for c in summaries] == [("one", 0), ("two", 1), ("three", 2)]

    theirs = {"fname": "e0", "dialogue": "A: Hi", "summary1": "one", "topic1": "x", "summary2": "two", "topic2": "y"}
    document, *summaries = records("dialogsum", written(tmp_path / "test.jsonl", [theirs]))
    assert (document.key, document.split, document.meta) == ("e0", "test", {"topics": ["x", "y"]})
    assert [c.text for c in summaries] == ["one", "two"]


@pytest.mark.parametrize(
    "kind, text, summary",
    [("samsum", "dialogue", "summary"), ("cnndm", "article", "highlights"), ("xsum", "document", "summary")],
)
@pytest.mark.parametrize("container", ["json", "jsonl", "csv", "parquet"])
def test_pair_data_sets_in_every_container(tmp_path: Path, kind: str, text: str, summary: str, container: str) -> None:
    rows = [{"id": "7", text: "Ann: 🙂\r\nBob: نعم", summary: "Yes."}, {"id": "8", text: "More.", summary: "M."}]
    path = tmp_path / f"val.{container}"
    if container == "json":
        written(path, json.dumps(rows, indent=2))
    elif container == "jsonl":
        written(path, rows)
    elif container == "csv":
        cells = "".join(f'{row["id"]},"{row[text]}","{row[summary]}"\n' for row in rows)
        written(path, f"id,{text},{summary}\n{cells}")
    else:
        parquet.write_table(pa.Table.from_pylist(rows), path)
    first, reference, second, _ = records(kind, path)
    assert first == Document("Ann: 🙂\r\nBob: نعم", key="7", dataset=kind, split="valid")
    assert reference == Candidate(first.id, "Yes.", Maker("reference", kind))
    assert second.key == "8"


TLDR = {
    "info": {"id": "t3_1", "post": "I lost a dog.", "title": "Dog", "subreddit": "dogs"},
    "split": "valid1",
    "summaries": [
        {"text": " Lost it.", "policy": "sup4", "note": "someone lost something"},
        {"text": "Lost a dog.", "policy": "ref", "note": None},
    ],
    "choice": 1,
    "worker": "w1",
    "batch": "batch18",
    "extra": {"confidence": 8},
}


def test_openai_comparisons_of_both_shapes(tmp_path: Path) -> None:
    cnndm = TLDR | {
        "info": {"id": "c1", "site": "dailymail", "title": None, "article": "A long article."},
        "choice": 0,
        "extra": {"confidence": 4},
    }
    post, sample, reference, said, article, *_, other = records("openai", written(tmp_path / "a.json", [TLDR, cnndm]))
    assert post == Document(
        "I lost a dog.", title="Dog", key="t3_1", dataset="openai-tldr", split="valid1", meta={"subreddit": "dogs"}
    )
    assert sample == Candidate(post.id, "Lost it.", Maker("policy", "sup4"))
    assert reference == Candidate(post.id, "Lost a dog.", Maker("reference", "openai-tldr"))
    judge = JudgeInfo("person:w1", {"batch": "batch18"})
    note = '{"a": "someone lost something"}'
    assert said == Comparison(judge, post.id, sample.id, reference.id, "b", confidence=8, note=note)
    assert (article.dataset, article.title, article.meta) == ("openai-cnndm", "", {"site": "dailymail"})
    assert (other.choice, other.confidence) == ("a", 4)


def test_openai_axis_ratings(tmp_path: Path) -> None:
    axes = {"overall": 7, "coverage": None, "compatible": True}
    row = {name: TLDR[name] for name in ("info", "split", "worker", "batch")}
    row["summary"] = {"text": "Lost.", "policy": "sup4", "note": "n", "axes": axes}
    _, candidate, *ratings = records("openai", written(tmp_path / "axis.jsonl", [row]))
    judge = JudgeInfo("person:w1", {"batch": "batch18"})
    assert ratings == [
        Rating(judge, candidate.source_id, candidate.id, "overall", 7, note="n"),
        Rating(judge, candidate.source_id, candidate.id, "compatible", 1, low=0, high=1, note="n"),
    ]


def test_openai_one_policy_writing_the_same_text_twice(tmp_path: Path) -> None:
    side = {"text": "Same.", "policy": "sup4", "note": ""}
    *_, said = records("openai", written(tmp_path / "a.jsonl", [TLDR | {"summaries": [side, side]}]))
    assert said.a != said.b


@pytest.mark.parametrize(
    "change, says",
    [
        ({"choice": 2}, "field 'choice': expected 0 or 1, found 2"),
        ({"choice": True}, "field 'choice': expected 0 or 1"),
        ({"extra": {"confidence": 4}}, "field 'confidence': confidence 4 means 'a', but the choice is 'b'"),
        ({"extra": {"confidence": 5}}, "confidence 5 means 'tie'"),
        ({"extra": {"confidence": "8"}}, "expected a whole number from 1 to 9"),
        ({"extra": {"confidence": True}}, "field 'confidence': expected a whole number from 1 to 9, found True"),
        ({"extra": []}, "field 'extra': expected an object, found list"),
        ({"worker": None}, "field 'worker'"),
        ({"info": None}, "field 'info': expected an object, found nothing"),
        ({"info": {"id": "x"}}, "field 'post': no such field; the row has 'id'"),
        ({"summaries": [{}]}, "field 'summaries': expected two summaries"),
        ({"summaries": "no"}, "field 'summaries': expected a list, found str"),
    ],
)
def test_bad_comparisons(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = written(tmp_path / "a.jsonl", [TLDR, TLDR | change])
    with pytest.raises(BadInput) as caught:
        records("openai", path)
    assert str(caught.value).startswith(f"{path}, line 2, ")
    assert says in str(caught.value)


def test_trl_rows(tmp_path: Path) -> None:
    plain = {"prompt": "Long.", "chosen": "Good.", "rejected": "Bad."}
    turns = {
        "prompt": [{"role": "user", "content": "Long."}],
        "chosen": [{"role": "assistant", "content": "Good."}],
        "rejected": [{"role": "assistant", "content": "Bad."}],
    }
    first = records("trl", written(tmp_path / "p.jsonl", [plain]))
    assert first == records("trl", written(tmp_path / "p.jsonl", [turns]))
    document, chosen, rejected, said = first
    assert (document.text, chosen.text, rejected.text, said.choice) == ("Long.", "Good.", "Bad.", "a")
    with pytest.raises(BadInput, match="one message with the role 'user'"):
        records("trl", written(tmp_path / "p.jsonl", [turns | {"prompt": turns["prompt"] * 2}]))


# Tables of your own


def test_columns_by_usual_names(tmp_path: Path) -> None:
    row = {
        "id": 7,
        "text": "Long.",
        "summary": "Short.",
        "title": "T",
        "split": "dev",
        "mood": "calm",
        "n": float("nan"),
    }
    document, summary = records("jsonl", written(tmp_path / "posts_train.jsonl", [row]))
    assert document == Document(
        "Long.", title="T", key="7", dataset="posts", split="dev", meta={"mood": "calm", "n": None}
    )
    assert summary == Candidate(document.id, "Short.", Maker("reference", "posts"))


def test_columns_by_mapping(tmp_path: Path) -> None:
    row = {"text": "Short.", "body": "Long.", "post_id": "p1", "head": "T", "out": ["a", " ", "b"], "who": "gpt"}
    columns = parse_columns(["document=body", "summary=text", "id=post_id", "title=head", "candidate=out"])
    columns |= {"candidate_by": "who"}
    path = written(tmp_path / "x.jsonl", [row])
    document, summary, *candidates = records("jsonl", path, columns=columns, dataset="mine", split="test")
    assert document == Document("Long.", title="T", key="p1", dataset="mine", split="test")
    assert summary.text == "Short."
    assert [(c.text, c.index, c.maker) for c in candidates] == [
        (text, index, Maker("policy", "gpt")) for index, text in enumerate(["a", " ", "b"])
    ]


def test_several_references_in_every_container(tmp_path: Path) -> None:
    rows = [{"document": "Long.", "summary": ["one", "two"]}, {"document": "Longer.", "summary": []}]
    written(tmp_path / "t.jsonl", rows)
    written(tmp_path / "t.csv", 'document,summary\nLong.,"[""one"", ""two""]"\nLonger.,\n')
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    expected = records("jsonl", tmp_path / "t.jsonl")
    assert [getattr(record, "index", None) for record in expected] == [None, 0, 1, None]
    assert records("csv", tmp_path / "t.csv") == expected
    assert records("parquet", tmp_path / "t.parquet") == expected


def test_tsv_and_a_folder_of_files(tmp_path: Path) -> None:
    posts = tmp_path / "posts"
    posts.mkdir()
    written(posts / "train.tsv", "id\tdocument\n1\tone, two\n")
    written(posts / "test.csv", "id,document\n1,three\n")
    written(posts / "notes.md", "not read")
    found = [(d.dataset, d.split, d.text) for d in documents("csv", posts)]
    assert found == [("posts", "test", "three"), ("posts", "train", "one, two")]
    assert documents("csv", posts / "train.tsv")[0].dataset == "posts"
    with pytest.raises(UserError, match="holds the splits test, train; name one of its files"):
        records("csv", posts, split="test")


def test_explicit_dataset_and_split_overrule_the_row(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", [{"document": "d", "dataset": "a", "split": "b"}])
    assert [(d.dataset, d.split) for d in documents("jsonl", path)] == [("a", "b")]
    assert [(d.dataset, d.split) for d in documents("jsonl", path, dataset="c", split="d")] == [("c", "d")]


def test_parquet_of_other_types(tmp_path: Path) -> None:
    import datetime

    table = pa.table(
        {
            "article": pa.array(["Long."]).dictionary_encode(),
            "id": pa.array([3]),
            "when": pa.array([datetime.datetime(2020, 1, 2)]),
            "blob": pa.array([b"\xff\xfe"]),
            "none": pa.array([None], pa.string()),
        }
    )
    parquet.write_table(table, tmp_path / "x.parquet")
    (document,) = records("parquet", tmp_path / "x.parquet")
    assert (document.key, document.text) == ("3", "Long.")
    assert document.meta == {"when": "2020-01-02 00:00:00", "blob": "2 bytes"}


def test_a_folder_saved_by_datasets(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    train = datasets.Dataset.from_list([{"dialogue": f"d{n}", "summary": f"s{n}", "id": str(n)} for n in range(5)])
    test = datasets.Dataset.from_list([{"dialogue": "e", "summary": "f", "id": "0"}])
    datasets.DatasetDict({"train": train, "test": test}).save_to_disk(tmp_path / "both")
    found = records("hf", tmp_path / "both")
    assert [(d.split, d.key) for d in found if isinstance(d, Document)] == [
        *(("train", str(n)) for n in range(5)),
        ("test", "0"),
    ]
    assert found[1].text == "s0"
    assert records("samsum", tmp_path / "both")[1] == Candidate(Document("d0").id, "s0", Maker("reference", "samsum"))
    train.select([3, 1]).save_to_disk(tmp_path / "some", num_shards=2)
    assert [d.key for d in documents("hf", tmp_path / "some")] == ["3", "1"]
    hub = tmp_path / "hub" / "data"
    hub.mkdir(parents=True)
    test.to_parquet(hub / "validation-00000-of-00001.parquet")
    assert [d.split for d in documents("hf", tmp_path / "hub")] == ["valid"]


# Bad input


@pytest.mark.parametrize(
    "line, says",
    [
        ('{"document": "d', "not valid JSON: Unterminated string starting at (character 14)"),
        ("[1]", "expected a JSON object, found list"),
        ('"text"', "expected a JSON object, found str"),
        ("{}", "no column looks like the document among none; say document=COLUMN"),
        ('{"boddy": "d"}', "no column looks like the document among 'boddy'"),
        ('{"document": 3}', "field 'document': expected text, found int"),
        ('{"document": null}', "field 'document': expected text, found NoneType"),
        ('{"document": NaN}', "field 'document': expected text, found float"),
        ('{"document": " \\n\\t"}', "field 'document': expected text, found nothing but white space"),
        ('{"document": "a\\u0000b"}', "field 'document': a NUL character at position 1"),
        ('{"document": "a\\ud800b"}', "half a character (lone surrogate) at position 1"),
        ('{"document": "d", "summary": ""}', "field 'summary': expected text, found nothing but white space"),
        ('{"document": "d", "summary": ["s", 4]}', "field 'summary': expected text, found int"),
        ('{"document": "d", "summary": {"a": 1}}', "field 'summary': expected text, found dict"),
        ('{"document": "d", "id": true}', "field 'id': expected text, found bool"),
        ('{"document": "d", "id": "\\ud800"}', "field 'id': half a character"),
        ('{"document": "d", "split": 3}', "field 'split': expected text, found int"),
        ('{"document": "d", "summary": ["a", "b"], "summary_by": ["x"]}', "expected 2 names, one for each text"),
        ('{"document": ' + "9" * 5000 + "}", "not readable JSON: Exceeds the limit"),
        ('{"document": ' + "[" * 100_000, "nested too deeply"),
        ('{"document": "d", "m": ' + "[" * 600 + "]" * 600 + "}", "nested too deeply"),
        (b'{"document": "caf\xe9"}', "not UTF-8: byte 0xe9 at position 18; save the file as UTF-8"),
    ],
)  # fmt: skip
def test_bad_lines_are_placed_or_set_aside(tmp_path: Path, line: str | bytes, says: str) -> None:
    raw = line.encode() if isinstance(line, str) else line
    path = written(tmp_path / "x.jsonl", b'{"document": "first"}\n' + raw + b'\n\n{"document": "last"}\n')
    with pytest.raises(BadInput) as caught:
        records("jsonl", path)
    assert str(caught.value).startswith(f"{path}, line 2")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)

    counts: Counter[str] = Counter()
    found = documents("jsonl", path, skip_bad=tmp_path / "bad.jsonl", counts=counts)
    assert [document.text for document in found] == ["first", "last"]
    assert counts == {"rows": 3, "bad rows": 1}
    (fault,) = map(json.loads, (tmp_path / "bad.jsonl").read_text().splitlines())
    assert (fault["file"], fault["line"]) == (str(path), 2)
    assert fault["reason"] in str(caught.value)
    assert fault["raw"] is not None


def test_required_fields_and_ids(tmp_path: Path) -> None:
    for row, says in (
        ({"dialogue": "d", "summary": "s"}, "field 'id': no such field"),
        ({"id": "", "dialogue": "d", "summary": "s"}, "field 'id'"),
        ({"id": "1", "dialogue": "d"}, "field 'summary': no such field; the row has 'id', 'dialogue'"),
        ({"id": "1", "summary": "s"}, "field 'dialogue'"),
    ):
        path = written(tmp_path / "x.jsonl", [row])
        for kind in ("dialogsum", "samsum"):
            with pytest.raises(BadInput, match="line 1") as caught:
                records(kind, path)
            assert says in str(caught.value)
    with pytest.raises(BadInput, match="field 'pid': no such field"):
        records("jsonl", written(tmp_path / "x.jsonl", [{"document": "d"}]), columns={"id": "pid"})
    with pytest.raises(BadInput, match="field 'abstract': no such field"):
        records("jsonl", written(tmp_path / "x.jsonl", [{"document": "d"}]), columns={"summary": "abstract"})


def test_one_id_for_two_texts_is_an_error(tmp_path: Path) -> None:
    rows = [{"id": 1, "document": "a", "summary": "s"}, {"id": 1, "document": "a", "summary": "another"}]
    path = written(tmp_path / "x.jsonl", rows)
    assert [getattr(record, "text", None) for record in records("jsonl", path)] == ["a", "s", "a", "another"]
    path = written(tmp_path / "x.jsonl", [*rows, {"id": 1, "document": "b"}])
    with pytest.raises(BadInput, match="line 3, field 'id': the id '1' stands for another document in an earlier row"):
        records("jsonl", path)


@pytest.mark.parametrize(
    "content, line, says",
    [
        ('id,document\n1,"open\n2,b\n', 2, "not valid CSV: unexpected end of data"),
        ('id,document\n1,"a"b\n2,b\n', 2, "not valid CSV: ',' expected after '\"'"),
        ("id,document\n1,a,b\n", 2, "expected 2 cells, found 3"),
        ('id,document\n1,"two\nlines"\n2\n', 4, "expected 2 cells, found 1"),
        (b"id,document\n1,caf\xe9\n", 2, "not UTF-8: byte 0xe9 at position 6"),
        ("id,id\n1,a\n", 1, "expected a header of different names"),
        ("id,document\n1,a\x00b\n", 2, "a NUL character"),
    ],
)
def test_bad_csv(tmp_path: Path, content: str | bytes, line: int, says: str) -> None:
    path = written(tmp_path / "x.csv", content)
    with pytest.raises(BadInput) as caught:
        records("csv", path)
    assert str(caught.value).startswith(f"{path}, line {line}")
    assert says in str(caught.value)


def test_rows_after_a_bad_csv_row_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", b'id,document\n1,"a"b\n2,two\n3,caf\xe9\n4,"fo\nur"\n')
    bad = tmp_path / "bad.jsonl"
    assert [d.text for d in documents("csv", path, skip_bad=bad)] == ["two", "fo\nur"]
    assert [json.loads(line)["raw"] for line in bad.read_text().splitlines()] == ['1,"a"b\n', "3,caf\\xe9\n"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_marks_and_line_ends(tmp_path: Path, end: str) -> None:
    mark = b"\xef\xbb\xbf"
    for kind, content in (
        ("jsonl", f'{{"document": "d"}}{end}{end}{{"document": "e"}}{end}'),
        ("csv", f"document{end}d{end}{end}e{end}"),
        ("csv", f'"document"{end}"d"{end}e'),
    ):
        path = written(tmp_path / f"x.{kind}", mark + content.encode())
        assert [d.text for d in documents(kind, path)] == ["d", "e"]
    path = written(tmp_path / "x.json", mark + b'[{"id": 1, "dialogue": "d", "summary": "s"}]')
    assert [d.text for d in documents("samsum", path)] == ["d"]


def test_files_that_are_not_what_they_should_be(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    parquet.write_table(pa.table({"document": ["text " * 50] * 500}), whole)
    (tmp_path / "folder").mkdir()
    utf16 = written(tmp_path / "utf16.jsonl", '{"document": "d"}\n'.encode("utf-16"))
    cases = [
        ("parquet", written(tmp_path / "cut.parquet", whole.read_bytes()[:-200]), "not a whole Parquet file"),
        ("parquet", written(tmp_path / "no.parquet", "document\n"), "not a whole Parquet file"),
        ("parquet", written(tmp_path / "empty.parquet", b""), "not a whole Parquet file"),
        ("jsonl", written(tmp_path / "empty.jsonl", b""), "empty.jsonl: there are no rows in it"),
        ("jsonl", written(tmp_path / "blank.jsonl", b"\n \n"), "there are no rows in it"),
        ("csv", written(tmp_path / "header.csv", "id,document\n"), "there are no rows in it"),
        ("jsonl", utf16, "line 1: not UTF-8: byte 0xff at position 1"),
        ("jsonl", whole, "not UTF-8"),
        ("csv", whole, "whole.parquet"),
        ("jsonl", tmp_path / "missing.jsonl", "there is no file"),
        ("jsonl", tmp_path / "folder", "is a folder without .jsonl or .ndjson files"),
        ("hf", whole, "is no folder; expected one that `datasets` saved"),
        ("hf", tmp_path / "folder", "is a folder without .parquet files"),
        ("jsonl", Path("a\x00b"), "a\x00b"),
        (
            "samsum",
            written(tmp_path / "a.json", '[{"id": 1, "dialogue": "d", "summary": "s"} {}]'),
            "expected a comma or the end of the list",
        ),
        ("samsum", written(tmp_path / "b.json", '\n[\n{"id": 1'), "line 3: not valid JSON"),
        ("samsum", written(tmp_path / "c.json", "[] {}"), "something follows the list"),
        ("samsum", written(tmp_path / "d.json", "[\n\n3]"), "line 3: expected a JSON object, found int"),
        ("samsum", written(tmp_path / "e.json", "[" * 100_000), "nested too deeply"),
    ]
    for kind, path, says in cases:
        with pytest.raises(UserError) as caught:
            records(kind, path)
        assert says in str(caught.value), (kind, path)


def test_a_damaged_datasets_folder(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(BadInput, match=r"state.json, field '_data_files'"):
        records("hf", tmp_path)
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    with pytest.raises(UserError, match=r"cannot read .*data.arrow: No such file"):
        records("hf", tmp_path)
    (tmp_path / "data.arrow").write_bytes(b"\x00" * 100)
    with pytest.raises(BadInput, match="not a whole Arrow file"):
        records("hf", tmp_path)
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "../x"}], "_indices_data_files": [1]}')
    with pytest.raises(UserError, match="flatten_indices"):
        records("hf", tmp_path)
    (tmp_path / "dataset_dict.json").write_text("nonsense")
    with pytest.raises(BadInput, match=r"dataset_dict.json: not valid JSON"):
        records("hf", tmp_path)


def test_a_document_of_five_million_characters(tmp_path: Path) -> None:
    text = "Ein sehr langer Satz. " * 230_000
    assert len(text) > 5_000_000
    written(tmp_path / "x.jsonl", [{"document": text}])
    written(tmp_path / "x.csv", f'document\n"{text}"\n')
    start = time.monotonic()
    assert documents("jsonl", tmp_path / "x.jsonl")[0].text == text
    assert documents("csv", tmp_path / "x.csv")[0].text == text
    assert time.monotonic() - start < 10


def test_text_is_kept_as_it_is(tmp_path: Path) -> None:
    text = "  مرحبا \u202eabc\u202c 👩‍👩‍👧 e\u0301 é \u2028 \r\n\ttab \ufeff end  "
    for kind in ("jsonl", "csv"):
        content = json.dumps({"document": text}) if kind == "jsonl" else f'document\n"{text}"\n'
        assert documents(kind, written(tmp_path / f"x.{kind}", content))[0].text == text


def test_what_the_caller_gets_wrong(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", [{"document": "d"}])
    for call, says in (
        (lambda: read("xml", path), "there is no kind 'xml'; the kinds are jsonl, csv"),
        (lambda: read("jsonl", path, columns={"documnt": "body"}), "there is no column role 'documnt'"),
        (lambda: read("samsum", path, columns={"document": "body"}), "columns can be named for jsonl"),
        (lambda: parse_columns(["document"]), "expected ROLE=COLUMN, such as document=body; found 'document'"),
        (lambda: read("jsonl", path, skip_bad=path), "holds something other than bad rows"),
    ):
        with pytest.raises(UserError, match=says.split("(")[0]):
            call()
    assert path.read_text() == '{"document": "d"}\n'
    assert "docstrings" in KINDS


def test_the_reject_file_is_made_anew_by_each_reading(tmp_path: Path) -> None:
    path, bad = written(tmp_path / "x.jsonl", "{}\n3\n"), tmp_path / "bad.jsonl"
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(read("jsonl", path, skip_bad=bad))
        assert len(bad.read_text().splitlines()) == 2
    written(path, [{"document": "mended"}])
    records("jsonl", path, skip_bad=bad)
    assert not bad.exists()
