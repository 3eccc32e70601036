"""Released judgements: OpenAI's axis ratings, SumLLM's ranks and scores, BRIO's ROUGE, SummEval's ratings.

Run: python -m pytest tests/test_data_released.py
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from precis.cli import main
from precis.data import import_into, read, write
from precis.errors import BadInput, UserError
from precis.records import Candidate, Comparison, Document, JudgeInfo, Maker, Ranking, Rating, Score
from precis.store import Store

REAL = Path(__file__).parent / ".." / ".." / "shared" / "data"


def needs(folder: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not (REAL / folder).is_dir(), reason=f"shared/data/{folder} is not beside this checkout")


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# OpenAI's comparisons and axis ratings

POST = {"id": "t3_1", "post": "I lost a dog.", "title": "Dog", "subreddit": "dogs"}
ARTICLE = {"id": "c1", "site": "dailymail", "title": "News", "article": "A long article."}
# As Hugging Face's copy of the files has both shapes: one record with nulls.
POST_WITH_NULLS = POST | {"site": None, "article": None}
ARTICLE_WITH_NULLS = ARTICLE | {"post": None, "subreddit": None}


def axis_row(info: dict[str, Any], **axes: Any) -> dict[str, Any]:
    summary = {"text": " A dog is lost.", "policy": "sup4_ppo_rm4", "note": "Somebody lost something.", "axes": axes}
    return {"info": info, "split": "valid2", "summary": summary, "worker": "w1", "batch": "axis1"}


@pytest.mark.parametrize(
    "info, dataset, meta",
    [
        (POST, "openai-tldr", {"subreddit": "dogs"}),
        (POST_WITH_NULLS, "openai-tldr", {"subreddit": "dogs"}),
        (ARTICLE, "openai-cnndm", {"site": "dailymail"}),
        (ARTICLE_WITH_NULLS, "openai-cnndm", {"site": "dailymail"}),
    ],
)
def test_axis_ratings_of_both_shapes(tmp_path: Path, info: dict[str, Any], dataset: str, meta: dict[str, str]) -> None:
    axes = {"overall": 6, "accuracy": 7, "coverage": 5, "coherence": 4, "compatible": False}
    document, candidate, *ratings = read("openai", written(tmp_path / "axis.jsonl", axis_row(info, **axes)))
    assert isinstance(document, Document)
    assert (document.dataset, document.split, document.meta) == (dataset, "valid2", meta)
    # The space before the text is the query's end, not the summary's beginning.
    assert candidate == Candidate(document.id, "A dog is lost.", Maker("policy", "sup4_ppo_rm4"))
    judge, note = JudgeInfo("person:w1", {"batch": "axis1"}), "Somebody lost something."
    assert ratings == [
        Rating(judge, document.id, candidate.id, axis, value, note=note)
        for axis, value in axes.items()
        if axis != "compatible"
    ] + [Rating(judge, document.id, candidate.id, "compatible", 0, low=0, high=1, note=note)]


def test_axes_without_a_value_make_no_rating_and_are_counted(tmp_path: Path) -> None:
    rows = [axis_row(POST, overall=6, coverage=None, compatible=None), axis_row(POST, overall=None, coverage=None)]
    with Store(tmp_path / "w") as store:
        report = import_into(store, "openai", written(tmp_path / "axis.jsonl", *rows))
        assert report.absent == {"rating of coverage": 2, "rating of compatible": 1, "rating of overall": 1}
        assert "  2 absent: rating of coverage" in str(report)
        assert report.new == {"documents": 1, "candidates": 1, "judgements": 1}
        assert report.dropped == {}


@pytest.mark.parametrize(
    "axes, says",
    [({"overall": 8}, "field 'overall': expected a rating from 1 to 7, found 8"),
     ({"overall": 0}, "from 1 to 7, found 0"), ({"overall": "6"}, "expected a number, found '6'")],
)  # fmt: skip
def test_axes_off_the_scale_are_placed(tmp_path: Path, axes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        list(read("openai", written(tmp_path / "axis.jsonl", axis_row(POST, **axes))))


def comparison_row(a: str, b: str, **extra: Any) -> dict[str, Any]:
    sides = [{"text": a, "policy": "ref", "note": None}, {"text": b, "policy": "sup4", "note": "read so"}]
    return {"info": POST, "split": "valid1", "summaries": sides, "choice": 0, "worker": "w1", "batch": "b",
            "extra": extra}  # fmt: skip


def test_the_space_before_a_text_is_taken_off_once_and_put_back(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", comparison_row(" ref", "  two", confidence=1), comparison_row("ref", " "))
    records = list(read("openai", path))
    assert [record.text for record in records if isinstance(record, Candidate)] == ["ref", " two", "ref", ""]
    write("openai", tmp_path / "b.jsonl", records)
    rows = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert [[side["text"] for side in row["summaries"]] for row in rows] == [[" ref", "  two"], [" ref", " "]]
    assert list(read("openai", tmp_path / "b.jsonl")) == records


def test_a_comparison_without_a_confidence_has_none(tmp_path: Path) -> None:
    for extra in ({}, {"confidence": None}):
        *_, said = read("openai", written(tmp_path / "a.jsonl", comparison_row(" a", " b", **extra)))
        assert isinstance(said, Comparison)
        assert (said.choice, said.confidence, said.note) == ("a", None, '{"b": "read so"}')


@needs("openai_comparisons")
@pytest.mark.parametrize("name, rows, notes", [("tldr_batch18", 412, 818), ("cnndm0", 239, 170)])
def test_every_row_of_the_real_files_is_a_comparison_with_its_notes(name: str, rows: int, notes: int) -> None:
    counts: Counter[str] = Counter()
    records = list(read("openai", REAL / "openai_comparisons" / f"{name}.jsonl", counts=counts))
    said = [record for record in records if isinstance(record, Comparison)]
    assert counts == {"rows": rows}
    assert len(said) == rows
    assert all(judgement.confidence not in (None, 5) for judgement in said)
    assert sum(len(json.loads(judgement.note or "{}")) for judgement in said) == notes
    # Not one summary still begins with the space that the files put before each (checklist row 2).
    assert not [record.text for record in records if isinstance(record, Candidate) and record.text.startswith(" ")]


BATCH18_ORDER = ["ref", "sup4_6b", "sup4_6b_t0.7", "sup4_6b_p.95"]


@needs("openai_comparisons")
def test_the_order_of_decodings_in_batch18_is_the_papers() -> None:
    """Row 26 (Fig. 8): people prefer references, then T=0, then T=0.7, then top-p 0.95, on nearly 200 pairs each."""
    makers: dict[str, str] = {}
    wins: defaultdict[tuple[str, str], int] = defaultdict(int)
    for record in read("openai", REAL / "openai_comparisons" / "tldr_batch18.jsonl"):
        if isinstance(record, Candidate):
            makers[record.id] = "ref" if record.maker.role == "reference" else record.maker.name
        elif isinstance(record, Comparison):
            best, other = (record.a, record.b) if record.choice == "a" else (record.b, record.a)
            wins[makers[best], makers[other]] += 1

    def share(a: str, b: str) -> float:
        return wins[a, b] / (wins[a, b] + wins[b, a])

    against_reference = [share("ref", name) for name in BATCH18_ORDER[1:]]
    assert against_reference == sorted(against_reference)
    assert against_reference[0] > 0.5
    assert share("sup4_6b", "sup4_6b_p.95") > 0.5


# SumLLM


def sumllm_row(*candidates: Any) -> dict[str, Any]:
    return {"article": "A long article.", "abstract": "An abstract.", "candidates": list(candidates)}


def test_sumllm_ranks_are_a_ranking_best_first(tmp_path: Path) -> None:
    path = written(tmp_path / "gptrank_gpt4.jsonl", sumllm_row(["one", 2], ["two", 3], ["three", 1]))
    document, abstract, *candidates, said = read("sumllm", path)
    assert document == Document("A long article.", dataset="sumllm")
    assert abstract == Candidate(document.id, "An abstract.", Maker("reference", "chatgpt (released)"))
    one, two, three = (Candidate(document.id, text, Maker("policy", "sumllm")) for text in ("one", "two", "three"))
    assert candidates == [one, two, three]
    assert said == Ranking(JudgeInfo("gpt-4 (released)"), document.id, ((two.id,), (one.id,), (three.id,)))


def test_sumllm_equal_ranks_are_a_tie(tmp_path: Path) -> None:
    *_, a, b, c, said = read("sumllm", written(tmp_path / "x.jsonl", sumllm_row(["a", 3], ["b", 1], ["c", 3])))
    assert said.tiers == ((a.id, c.id), (b.id,))
    assert said.judge.name == "unnamed model (released)"


def test_sumllm_mean_log_probs_are_scores_also_of_one_text_twice(tmp_path: Path) -> None:
    row = sumllm_row(["one", -0.25], ["one", -0.26], ["two", -1.5])
    document, abstract, *rest = read("sumllm", written(tmp_path / "gptscore_davinci003.jsonl", row))
    candidates, said = rest[:3], rest[3:]
    assert abstract.maker.name == "text-davinci-003 (released)"
    assert [(candidate.text, candidate.index) for candidate in candidates] == [("one", 0), ("one", 1), ("two", 0)]
    judge = JudgeInfo("text-davinci-003 (released)")
    assert said == [
        Score(judge, document.id, candidate.id, value, "nats/token")
        for candidate, value in zip(candidates, (-0.25, -0.26, -1.5), strict=True)
    ]


@pytest.mark.parametrize(
    "candidates, says",
    [([["a", 1], ["b", 9]], "expected ranks from 1 to 2, or mean log-probabilities"), ([], "at least one"),
     ([["a", 0.5], ["b", -1.0]], "expected ranks from 1 to 2"), ([["a"]], r"expected \[text, number\]"),
     ([["a", "1"]], "finite number beside each text, found '1'"), ([["a", True]], "found True"),
     ([["a", float("nan")]], "found nan"), ([[3, 1]], "expected text, found int"),
     (["a"], r"expected \[text, number\]")],
)  # fmt: skip
def test_bad_candidates_of_sumllm(tmp_path: Path, candidates: list[Any], says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        list(read("sumllm", written(tmp_path / "x.jsonl", sumllm_row(*candidates))))
    assert "line 1, field 'candidates'" in str(caught.value)


@needs("sumllm")
def test_sumllm_itself(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        report = import_into(store, "sumllm", REAL / "sumllm")
        assert (report.rows, report.bad_rows) == (500 + 100, 0)
        # The hundred articles that were scored are among the five hundred that were ranked.
        assert (report.new["documents"], report.known["documents"]) == (500, 100)
        assert store.stats()["judgements"]["by_judge"] == {
            "gpt-4 (released)": {"ranking": 500},
            "text-davinci-003 (released)": {"score": 800},
        }
        groups = store.groups()
        assert len(groups) == 500
        rankings = [said for group in groups for said in group.judgements if isinstance(said, Ranking)]
        assert {tuple(map(len, said.tiers)) for said in rankings} == {(1,) * 8}
        best = {said.source_id: said.tiers[0][0] for said in rankings}
        for row in map(json.loads, (REAL / "sumllm" / "gptrank_gpt4.jsonl").read_text().splitlines()):
            text = max(row["candidates"], key=lambda pair: pair[1])[0]
            document = Document(row["article"])
            assert best[document.id] == Candidate(document.id, text, Maker("policy", "sumllm")).id


# BRIO and SimCLS

BRIO: dict[str, Any] = {
    "article": ["a dog 's long day .", "it ended ."],
    "article_untok": ["A dog's long day.", "It ended."],
    "abstract": ["a dog 's day ."],
    "abstract_untok": ["A dog's day."],
    "candidates": [[["a dog .", "a day ."], 0.5], [["a day ."], 0.25], [["a day ."], 0.25]],
    "candidates_untok": [[["A dog.", "A day."], 0.5], [["A day."], 0.25], [["A day."], 0.25]],
}


def brio_folder(path: Path, *rows: dict[str, Any], indent: int | None = None) -> Path:
    path.mkdir(parents=True)
    for number, row in enumerate(rows):
        (path / f"{number}.json").write_text(json.dumps(row, indent=indent))
    return path


@pytest.mark.parametrize("indent", [None, 4])
def test_brio_reads_the_text_as_it_was_written(tmp_path: Path, indent: int | None) -> None:
    path = brio_folder(tmp_path / "cnndm" / "val", BRIO, indent=indent)
    document, abstract, *rest = read("brio", path)
    assert document == Document("A dog's long day. It ended.", dataset="brio", split="valid")
    assert abstract == Candidate(document.id, "A dog's day.", Maker("reference", "brio"))
    maker, judge = Maker("policy", "brio"), JudgeInfo("rouge (released)")
    texts = [("A dog. A day.", 0), ("A day.", 0), ("A day.", 1)]
    candidates = [Candidate(document.id, text, maker, index) for text, index in texts]
    scores = [
        Score(judge, document.id, candidate.id, value, "rouge")
        for candidate, value in zip(candidates, (0.5, 0.25, 0.25), strict=True)
    ]
    assert rest == [*candidates, *scores]


def test_brio_without_the_text_as_it_was_written_is_read_tokenized(tmp_path: Path) -> None:
    row = {name: value for name, value in BRIO.items() if not name.endswith("_untok")}
    document, abstract, first, *_ = read("brio", brio_folder(tmp_path / "x", row | {"abstract": "one text"}))
    assert [document.text, abstract.text, first.text] == [
        "a dog 's long day . it ended .", "one text", "a dog . a day ."
    ]  # fmt: skip


def test_a_folder_of_brio_comes_in_the_order_of_its_numbers_and_a_list_in_its_own(tmp_path: Path) -> None:
    rows = [BRIO | {"article_untok": [f"Article {number}."]} for number in range(11)]
    path = brio_folder(tmp_path / "test", *rows)
    expected = [f"Article {number}." for number in range(11)]
    assert [record.text for record in read("brio", path) if isinstance(record, Document)] == expected
    for name, content in (("all.json", json.dumps(rows)), ("all.jsonl", "\n".join(map(json.dumps, rows)))):
        (tmp_path / name).write_text(content)
        found = [record for record in read("brio", tmp_path / name) if isinstance(record, Document)]
        assert [record.text for record in found] == expected
    with Store(tmp_path / "store") as store:
        report = import_into(store, "brio", path)
        assert (report.rows, report.new) == (11, {"documents": 11, "candidates": 44, "judgements": 33})
        assert import_into(store, "brio", path).new == {"documents": 0, "candidates": 0, "judgements": 0}


@pytest.mark.parametrize(
    "change, says",
    [({"candidates_untok": [[["a"], "0.5"]]}, "field 'candidates_untok': expected a finite number"),
     ({"candidates_untok": [[["a", 3], 0.5]]}, "field 'candidates_untok': expected text, found int"),
     ({"candidates_untok": [[3, 0.5]]}, "expected a list of sentences, found int"),
     ({"candidates_untok": [["a"]]}, r"expected \[text, number\]"), ({"candidates_untok": []}, "at least one"),
     ({"article_untok": None}, "field 'article_untok': expected a list of sentences, found nothing"),
     ({"abstract_untok": []}, "field 'abstract_untok': expected text, found nothing but white space")],
)  # fmt: skip
def test_bad_files_of_brio(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = brio_folder(tmp_path / "x", BRIO | change, BRIO)
    with pytest.raises(BadInput, match=says) as caught:
        list(read("brio", path))
    assert str(path / "0.json") in str(caught.value)
    bad, counts = tmp_path / "bad.jsonl", Counter[str]()
    assert len(list(read("brio", path, skip_bad=bad, counts=counts))) == 2 + 3 + 3
    assert counts == {"rows": 2, "bad rows": 1}


@pytest.mark.parametrize(
    "content, says",
    [('{"article": ', "not valid JSON"), ("3", "expected a JSON object, found int"), ("", "there are no rows in it")],
)
def test_files_of_brio_that_are_no_object(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "0.json"
    path.write_text(content)
    with pytest.raises(BadInput, match=says):
        list(read("brio", path))


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 4039\n".format("0" * 64)


@pytest.mark.parametrize(
    "kind, name", [("brio", "0.json"), ("sumllm", "a.jsonl"), ("csv", "a.csv"), ("parquet", "a.parquet")]
)
def test_a_pointer_of_git_in_a_files_place_is_told_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, name: str
) -> None:
    (tmp_path / name).write_text(POINTER)
    with pytest.raises(SystemExit) as ended:
        main(["import", kind, str(tmp_path / name), "--store", str(tmp_path / "store")])
    assert ended.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "is not the file but git's pointer to it; fetch the file with `git lfs pull`" in said
    # Not a bad row: the other files of the folder are pointers too.
    with pytest.raises(UserError, match="git lfs pull"):
        list(read(kind, tmp_path / name, skip_bad=tmp_path / "bad.jsonl"))


# SummEval

SUMMEVAL = {
    "id": "dm-1", "document": "A long article.", "references": ["One.", "Two."],
    "systems": [
        {"system": "M0", "summary": "Short.", "ratings": {"coherence": 4.333333, "consistency": 5.0}},
        {"system": "M1", "summary": "Short.", "ratings": {"coherence": 1, "consistency": None}},
    ],
}  # fmt: skip


def test_summeval_ratings_by_experts(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    path = written(tmp_path / "summeval.jsonl", SUMMEVAL)
    document, one, two, first, *ratings, second, last = read("summeval", path, counts=counts)
    assert document == Document("A long article.", key="dm-1", dataset="summeval")
    assert [one, two] == [Candidate(document.id, text, Maker("reference", "summeval"), index)
                          for index, text in enumerate(["One.", "Two."])]  # fmt: skip
    assert [first, second] == [Candidate(document.id, "Short.", Maker("policy", name)) for name in ("M0", "M1")]
    expert = JudgeInfo("expert")
    assert [*ratings, last] == [
        Rating(expert, document.id, first.id, "coherence", 4.333333, low=1, high=5),
        Rating(expert, document.id, first.id, "consistency", 5.0, low=1, high=5),
        Rating(expert, document.id, second.id, "coherence", 1, low=1, high=5),
    ]
    assert counts == {"rows": 1, "absent: rating of consistency": 1}


@pytest.mark.parametrize(
    "change, says",
    [({"systems": [{"system": "M0", "summary": "s", "ratings": {"fluency": 5.5}}]}, "field 'fluency': expected a rat"),
     ({"systems": ["M0"]}, "expected objects"), ({"systems": None}, "field 'systems': expected a list, found nothing"),
     ({"references": [""]}, "field 'references'"), ({"id": None}, "field 'id'"),
     ({"systems": [{"system": "M0", "summary": "s"}]}, "field 'ratings': expected an object")],
)  # fmt: skip
def test_bad_rows_of_summeval(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        list(read("summeval", written(tmp_path / "x.jsonl", SUMMEVAL | change)))


@needs("summeval")
def test_summeval_itself(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        report = import_into(store, "summeval", REAL / "summeval")
        assert (report.rows, report.absent) == (100, {})
        assert report.new == {"documents": 100, "candidates": 100 * (11 + 16), "judgements": 1600 * 4}
        ratings = [said for said in store.judgements() if isinstance(said, Rating)]
        assert {(said.low, said.high) for said in ratings} == {(1, 5)}
        means = {
            axis: sum(said.value for said in ratings if said.axis == axis) / 1600
            for axis in ("coherence", "consistency", "fluency", "relevance")
        }
        # The same means, from the file without the reader.
        rows = map(json.loads, (REAL / "summeval" / "summeval.jsonl").read_text().splitlines())
        expected = Counter[str]()
        for row in rows:
            for system in row["systems"]:
                expected.update(system["ratings"])
        assert means == pytest.approx({axis: total / 1600 for axis, total in expected.items()})
