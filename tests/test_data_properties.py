"""Properties of readers and writers: any bytes give records or one `UserError`; any records come back as they were.

Run: python -m pytest tests/test_data_properties.py
"""

from __future__ import annotations

import json
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precis.data import KINDS, read, write
from precis.errors import UserError
from precis.records import (
    Candidate,
    Comparison,
    Critique,
    Document,
    Failure,
    JudgeInfo,
    Maker,
    Ranking,
    Rating,
    Score,
)
from precis.store import Store

FILE_KINDS = [kind for kind in KINDS if kind not in ("docstrings", "hf")]
SUFFIX = {"csv": ".csv", "parquet": ".parquet", "brio": ".json"}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp())
    yield path
    shutil.rmtree(path)


# Any bytes

names = st.sampled_from(
    ["id", "document", "dialogue", "summary", "summaries", "topics", "article", "highlights", "info", "post", "choice",
     "extra", "worker", "record", "maker", "judge", "prompt", "chosen", "rejected", "split", "meta", "text", "policy",
     "subreddit", "content", "body", "abstract", "candidates", "references", "systems", "system", "ratings", "axes"]
)  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just("ref"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
json_lines = st.lists(st.dictionaries(names, json_values, max_size=8), max_size=4).map(
    lambda rows: "\n".join(json.dumps(row) for row in rows).encode()
)
json_list = st.lists(json_values, max_size=4).map(lambda rows: json.dumps(rows, indent=1).encode())
csv_text = st.text(st.sampled_from('ab,"\n\r\t;\x00é'), max_size=40).map(lambda text: b"id,document\n" + text.encode())


def cut(content: bytes) -> st.SearchStrategy[bytes]:
    return st.integers(0, len(content)).map(lambda size: content[:size])


any_content = st.binary() | json_lines | json_list | csv_text | (json_lines | json_list).flatmap(cut)


@pytest.mark.parametrize("kind", FILE_KINDS)
@settings(max_examples=120, deadline=None, derandomize=True)
@given(content=any_content, skip=st.booleans())
def test_any_bytes_give_records_or_a_user_error(folder: Path, kind: str, content: bytes, skip: bool) -> None:
    path = folder / f"any{SUFFIX.get(kind, '.jsonl')}"
    path.write_bytes(content)
    bad = folder / "bad.jsonl" if skip else None
    with suppress(UserError):
        for record in read(kind, path, skip_bad=bad):
            assert isinstance(record, Document) or record.source_id


@contextmanager
def little_memory() -> Iterator[None]:
    """At most 2 GiB more than now: a damaged length must not fill the machine that runs the tests."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**31, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, Path]:
    """A Parquet file, and the Arrow file of a `datasets` folder."""
    records = [Document(f"text {n}", key=str(n), meta={"n": n}) for n in range(20)]
    write("parquet", folder / "whole.parquet", records)
    write("hf", folder / "whole.hf", records)
    return {"parquet": folder / "whole.parquet", "hf": folder / "whole.hf" / "data" / "data-00000-of-00001.arrow"}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory limit of this test needs Linux's /proc")
@pytest.mark.parametrize("kind", ["parquet", "hf"])
@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_damaged_binary_files_give_records_or_a_user_error(
    whole: dict[str, Path], kind: str, data: st.DataObject
) -> None:
    sound = whole[kind].read_bytes()
    content = bytearray(sound)
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.just(len(content)) | st.integers(0, len(content)))]
    whole[kind].write_bytes(content)
    try:
        with little_memory(), suppress(UserError):
            list(read(kind, whole[kind] if kind == "parquet" else whole[kind].parent.parent))
    finally:
        whole[kind].write_bytes(sound)


# Any records

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=30).filter(
    lambda text: bool(text.strip())
)
short = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
metas = st.dictionaries(
    short,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(short, inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)
keys = st.just("") | short.filter(str.strip)  # an id of white space alone is refused
documents = st.builds(Document, text=texts, title=short, key=keys, dataset=short, split=short, meta=metas)
batches = st.lists(
    st.tuples(documents, st.lists(texts, max_size=3, unique=True), st.text(min_size=1, max_size=3).filter(str.strip)),
    min_size=1,
    max_size=4,
    unique_by=(lambda item: item[0].id, lambda item: item[0].key),
)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "hf"])
@settings(max_examples=80, deadline=None, derandomize=True)
@given(batch=batches)
def test_documents_and_references_come_back(folder: Path, kind: str, batch: list[Any]) -> None:
    expected: dict[Document, list[Candidate]] = {}
    for document, summaries, by in batch:
        maker = Maker("reference", by.replace("\x00", "x"))
        expected[document] = [Candidate(document.id, text, maker, index) for index, text in enumerate(summaries)]
    records = [record for document, references in expected.items() for record in (document, *references)]
    path = folder / f"round.{kind}"
    if kind == "hf":
        shutil.rmtree(path, ignore_errors=True)
    write(kind, path, records)
    found: dict[Document, list[Candidate]] = {}
    for record in read(kind, path):
        found.setdefault(record, []) if isinstance(record, Document) else list(found.values())[-1].append(record)
    assert found == expected


ids = st.text("abc", min_size=1, max_size=3)
any_text = st.text(st.characters(), max_size=10)  # half characters and NUL included: notes may hold them
makers = st.builds(Maker, st.sampled_from(Maker.ROLES), texts, metas)
candidates = st.builds(
    Candidate, source_id=ids, text=short, maker=makers, index=st.integers(0, 10**6),
    token_ids=st.none() | st.lists(st.integers(0, 2**31)).map(tuple), tokenizer=st.none() | ids,
    logp=st.none() | st.floats(allow_nan=False, allow_infinity=False), finished=st.booleans(),
    parent=st.none() | ids, critique=st.none() | ids,
)  # fmt: skip
judges = st.builds(JudgeInfo, texts, metas)
repeats = st.integers(0, 3)
pairs_of_ids = st.lists(ids, min_size=2, max_size=2, unique=True)
comparisons = st.builds(
    lambda judge, pair, confidence, **rest: Comparison(
        judge, "d", *pair, "a" if confidence < 5 else "b" if confidence > 5 else "tie", confidence=confidence, **rest
    ),
    judges, pairs_of_ids, st.integers(1, 9), shown_first=st.sampled_from([None, "a", "b"]),
    seconds=st.none() | st.floats(0, 1e6), note=any_text, repeat=repeats,
)  # fmt: skip
rankings = st.builds(
    lambda judge, ids, **rest: Ranking(judge, "d", tuple((id_,) for id_ in ids), **rest),
    judges, st.lists(ids, min_size=1, max_size=4, unique=True),
    shown=st.none() | st.lists(ids, max_size=3).map(tuple), note=any_text, repeat=repeats,
)  # fmt: skip
finite = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**62), 2**62)
scores = st.builds(Score, judges, ids, ids, finite, any_text, repeat=repeats)
ratings = st.builds(Rating, judges, ids, ids, texts, st.floats(1, 7) | st.integers(1, 7), note=any_text, repeat=repeats)
critiques = st.builds(Critique, judges, ids, ids, texts, label=any_text, seconds=st.none() | st.floats(0, 1e6))
failures = st.builds(Failure, judges, ids, st.lists(ids, max_size=3).map(tuple), any_text, raw=any_text, repeat=repeats)
judgements = comparisons | rankings | scores | ratings | critiques | failures


@settings(max_examples=150, deadline=None, derandomize=True)
@given(records=st.lists(documents | candidates | judgements, min_size=1, max_size=5))
def test_every_record_comes_back_from_precis_own_kind(folder: Path, records: list[Any]) -> None:
    write("precis", folder / "own.jsonl", records)
    assert list(read("precis", folder / "own.jsonl")) == records


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    document=documents, made=st.lists(candidates, min_size=2, max_size=2, unique_by=lambda c: c.text), said=st.data()
)
def test_every_record_comes_back_from_the_store(document: Document, made: list[Candidate], said: st.DataObject) -> None:
    from dataclasses import replace

    a, b = (replace(candidate, source_id=document.id) for candidate in made)
    judge = said.draw(judges)
    written = [
        replace(said.draw(comparisons), judge=judge, source_id=document.id, a=a.id, b=b.id),
        Ranking(judge, document.id, ((a.id, b.id),), note=said.draw(any_text)),
        replace(said.draw(scores), source_id=document.id, candidate=a.id),
        replace(said.draw(ratings), source_id=document.id, candidate=b.id),
        replace(said.draw(critiques), source_id=document.id, candidate=b.id),
        replace(said.draw(failures), source_id=document.id, candidate_ids=(a.id,)),
    ]
    folder = Path(tempfile.mkdtemp())
    try:
        with Store(folder) as store:
            store.add_documents([document])
            store.add_candidates([a, b])
            store.add_judgements(written)
            (group,) = store.groups(references_compete=True)
            assert (group.source, group.candidates, group.judgements) == (document, (a, b), tuple(written))
    finally:
        shutil.rmtree(folder)
