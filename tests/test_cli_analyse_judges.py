"""`precis analyse judge-bias`, `judges` and `raters`, and `precis human-eval`, on a small store.

Run: python -m pytest tests/test_cli_analyse_judges.py
"""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest

from precis.records import JudgeInfo, Ranking, Score
from precis.store import Store
from test_cli import imported, last_json, run

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "dogs", "barked", "at", "one", "car", "in", "our", "street"]


def rows(documents: int = 12) -> list[dict[str, Any]]:
    """SummEval's schema: five systems, of which a later one writes more and is rated higher."""
    draw = random.Random(0)
    found = []
    for number in range(documents):
        document = " ".join(draw.choice(WORDS) for _ in range(60)) + f" {number}"
        systems = [
            {
                "system": f"M{n}",
                "summary": " ".join(draw.choice([*WORDS, "new", "words"]) for _ in range(4 + 2 * n)),
                "ratings": {
                    "coherence": min(5.0, 1 + n * 0.8 + draw.random()),
                    "relevance": float(draw.randint(1, 5)),
                },
            }
            for n in range(5)
        ]
        found.append(
            {"id": f"d{number}", "document": document, "references": [" ".join(WORDS[:9])], "systems": systems}
        )
    return found


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = imported("summeval", rows(), tmp_path_factory.mktemp("work"))
    with Store(folder) as store:
        for group in store.groups():
            ids = [candidate.id for candidate in group.candidates]
            # One judge ranks by length and was shown the lists from short to long; the other scores all but one.
            store.add_judgements([Ranking(JudgeInfo("ranker"), group.source.id, tuple((id,) for id in ids[::-1]))])
            store.add_judgements(
                Score(JudgeInfo("scorer"), group.source.id, id, float(-n), "points") for n, id in enumerate(ids[:-1])
            )
    return folder


def test_judge_bias(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("analyse", "judge-bias", "--store", workspace, "--json") == 0
    said = capsys.readouterr().out
    assert "ranker, 12 lists" in said and "longer texts rank higher" in said
    assert "12 lists without a known order" in said
    found: Any = last_json(said)
    ranker, scorer = (next(one for one in found["judges"] if one["judge"] == name) for name in ("ranker", "scorer"))
    assert found["correlation"] == "spearman"
    assert ranker["traits"]["words"]["value"] == pytest.approx(1) and ranker["traits"]["words"]["n"] == 12
    assert scorer["traits"]["words"]["value"] == pytest.approx(-1)
    assert ranker["slots"] == [] and ranker["traits"]["place"]["value"] is None
    assert {one["judge"] for one in found["judges"]} == {
        "ranker", "scorer", "expert: coherence", "expert: relevance",
    }  # fmt: skip
    assert ranker["ends"]["words"]["difference"]["value"] == pytest.approx(8)
    more = ("--judge", "ranker", "--stored-order", "--pearson")
    assert run("analyse", "judge-bias", "--store", workspace, "--json", "--out", tmp_path, *more) == 0
    found = last_json(capsys.readouterr().out)
    (ranker,) = found["judges"]
    (slots,) = ranker["slots"]
    assert [slot["best"] for slot in slots["slots"]] == [0, 0, 0, 0, 12]
    assert [slot["worst"] for slot in slots["slots"]] == [12, 0, 0, 0, 0]
    assert slots["best_uniform"]["p_value"] is None and "2.4 hits a place" in slots["best_uniform"]["why"]
    assert ranker["by_place"]["words"]["value"] == pytest.approx(1)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "<svg" in page and "place in the list" in page and "barked" not in page


def test_judges_against_ratings(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("analyse", "judges", "--store", workspace, "--json", "--out", tmp_path) == 0
    said = capsys.readouterr().out
    assert "expert: coherence: tau-b within documents" in said
    assert "scorer has no value of 12 of 60 rated summaries" in said
    found: Any = last_json(said)
    own = {(one["axis"], one["judge"]): one for one in found["judges"]}
    assert {axis for axis, _ in own} == {"expert: coherence", "expert: relevance"}
    assert {judge for _, judge in own} == {"length", "copying", "rouge1", "rouge2", "rougeL", "ranker", "scorer"}
    length, scorer = own["expert: coherence", "length"], own["expert: coherence", "scorer"]
    assert length["within"]["kendall"]["value"] > 0.7 and length["accuracy"]["low"] > 0.5
    assert length["between"]["spearman"]["value"] == pytest.approx(1) and length["systems"] == 5
    assert own["expert: coherence", "ranker"]["within"] == length["within"]
    assert length["ahead"]["b"] == "copying" and length["ahead"]["difference"]["n"] == 12
    assert scorer["systems"] == 4 and scorer["no_value"] == 48 and scorer["accuracy"]["high"] < 0.5
    assert "<svg" in (tmp_path / "report.html").read_text("utf-8")
    more = ("--axis", "relevance", "--judge", "scorer", "--human", "expert")
    assert run("analyse", "judges", "--store", workspace, "--json", *more) == 0
    (one,) = last_json(capsys.readouterr().out)["judges"]  # type: ignore[misc, str-unpack]
    assert (one["axis"], one["judge"]) == ("expert: relevance", "scorer")  # type: ignore[index]


MISTAKES = [
    (("judge-bias", "--judge", "nobody"), "there is no judge that ranks, scores or rates 'nobody'"),
    (("judges", "--human", "nobody"), "there is no rater 'nobody' here; there are expert"),
    (("judges", "--axis", "beauty"), "there is no axis 'beauty' here"),
    (("judges", "--judge", "nobody"), "there is no judge 'nobody' here"),
    (("judges", "--against", "nobody"), "there is no judge 'nobody' here"),
    (("raters",), "agreement needs two raters; here is expert"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
def test_a_mistake_is_one_sentence(
    arguments: tuple[str, ...], said: str, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("analyse", *arguments, "--store", workspace) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_people_rate_blind_and_agree(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sheets out, filled in by two raters who both count words, back in, and their agreement."""
    store, key, sheets = tmp_path / "store", tmp_path / "key.json", tmp_path / "sheets"
    path = tmp_path / "summeval.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows(6)))
    assert run("import", "summeval", path, "--store", store) == 0
    raters = ("--rater", "ann", "--rater", "bob", "--store", store, "--json")
    assert run("human-eval", "export", sheets, "--key", key, "--axis", "length", "--documents", "4", *raters) == 0
    out: Any = last_json(capsys.readouterr().out)
    assert (out["items"], out["documents"]) == (20, 4)
    for file in map(Path, out["sheets"]):
        with open(file, newline="", encoding="utf-8") as stream:
            answers = list(csv.DictReader(stream))
        for row in answers:
            row["length"] = str(min(7, len(row["summary"].split()) // 2))
        answers[0]["length"] = ""
        with open(file, "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(answers[0]))
            writer.writeheader()
            writer.writerows(answers)
    assert run("human-eval", "import", *out["sheets"], "--key", key, "--store", store, "--json") == 0
    back: Any = last_json(capsys.readouterr().out)
    assert (back["new"], back["items"], back["left open: length"]) == (38, 40, 2)
    assert run("human-eval", "import", *out["sheets"], "--key", key, "--store", store, "--json") == 0
    assert last_json(capsys.readouterr().out)["new"] == 0
    assert run("analyse", "raters", "--store", store, "--json", "--out", tmp_path / "report") == 0
    said = capsys.readouterr().out
    assert "length: Krippendorff's alpha nominal 1.00" in said
    (axis,) = last_json(said)["axes"]  # type: ignore[misc, str-unpack]
    assert axis["alpha"]["interval"]["value"] == 1 and axis["items"] + axis["alone"] == 20  # type: ignore[index]
    assert run("analyse", "judges", "--store", store, "--human", "people", "--judge", "length", "--json") == 0
    (length,) = last_json(capsys.readouterr().out)["judges"]  # type: ignore[misc, str-unpack]
    assert length["axis"] == "people: length" and length["accuracy"]["value"] == 1  # type: ignore[index]
    assert run("human-eval", "export", tmp_path / "p", "--key", tmp_path / "k", *raters, "--maker", "M9") == 2
    assert "no candidate here is by 'M9'; there are M0, M1" in capsys.readouterr().err
    pairs = ("--maker", "M0", "--maker", "M1", "--pairs", "1")
    assert run("human-eval", "export", tmp_path / "p", "--key", tmp_path / "k", *raters, *pairs) == 0
    assert last_json(capsys.readouterr().out)["items"] == 6
