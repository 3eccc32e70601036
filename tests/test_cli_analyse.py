"""`precis analyse …` on a small file of comparisons in OpenAI's format: what is printed, the JSON, the report."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from precis.records import JudgeInfo, Rating, Score
from precis.store import Store
from test_cli import imported, last_json, run

REAL = Path(__file__).parent / ".." / ".." / "shared" / "data" / "openai_comparisons"
POLICIES = {"sft": 12, "ppo": 20, "ref": 15}  # words


def comparisons(documents: int = 24) -> list[dict[str, Any]]:
    """Two labelers and a researcher compare three systems; the longer text tends to win."""
    draw = random.Random(0)
    rows = []
    for number in range(documents):
        info = {"id": f"t{number}", "post": f"Post number {number}. The cat sat on the mat.", "title": f"Cat {number}"}
        texts = {name: " ".join(f"{name}{number}w{n}" for n in range(words)) for name, words in POLICIES.items()}
        for one, other in (("sft", "ppo"), ("sft", "ref"), ("ppo", "ref")):
            truth = int(POLICIES[other] > POLICIES[one]) if draw.random() < 0.8 else draw.randrange(2)
            for worker in ("ann", "bob", "eve", "boss"):
                choice = truth if draw.random() < 0.9 else 1 - truth
                strength = draw.randint(1, 4)
                rows.append(
                    {
                        "info": info,
                        "split": "valid1",
                        "summaries": [{"text": texts[name], "policy": name, "note": None} for name in (one, other)],
                        "choice": choice,
                        "worker": worker,
                        "batch": f"batch{9 + number % 2}",
                        "extra": {
                            "confidence": 5 + strength if choice else 5 - strength,
                            "shown_first": draw.choice("ab"),
                        },
                    }
                )
    return rows


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = imported("openai", comparisons(), tmp_path_factory.mktemp("work"))
    judge = JudgeInfo("reward", {"model": "m"})
    with Store(folder) as store:
        candidates = store.candidates()
        store.add_judgements(
            Score(judge, c.source_id, c.id, float(len(c.text.split())) / 10, "reward") for c in candidates
        )
        store.add_judgements(
            Rating(JudgeInfo("person:ann"), c.source_id, c.id, axis, 1 + len(c.text) % 7)
            for c in candidates
            for axis in ("overall", "coverage")
        )
    return folder


SAID = {
    "agreement": ("Labelers agree with each other in", "No drift found", "The modal label of three labelers"),
    "length": ("The longer text is preferred in", "ppo is preferred to sft in", "Length effect"),
    "accuracy": ("reward chooses as people did in", "reward beats a coin", "Calibration slope"),
    "metrics": ("Agreement with labelers on all pairs", "On pairs of samples of one system: none was compared"),
    "position": ("people: the text shown first is chosen in", "no bias is shown"),
    "axes": ("overall: ppo", "coverage: ppo"),
}


@pytest.mark.parametrize("name", SAID)
def test_an_analysis_is_said_given_as_json_and_reported(
    name: str, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--researcher", "boss") if name == "agreement" else ()
    assert run("analyse", name, "--store", workspace, "--out", tmp_path, "--json", *more) == 0
    said = capsys.readouterr().out
    for words in SAID[name]:
        assert words in said
    found = last_json(said)
    assert json.dumps(found, allow_nan=False)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "<svg" in page and "In short" in page
    assert (tmp_path / "report.json").is_file()
    assert "Post number" not in page  # numbers only


def test_the_json_holds_every_number(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("analyse", "agreement", "--store", workspace, "--researcher", "person:boss", "--json") == 0
    found: Any = last_json(capsys.readouterr().out)
    assert found["agreement"]["researchers"] == ["person:boss"]
    assert found["agreement"]["between_labelers"]["meetings"] == 24 * 3 * 3
    assert found["agreement"]["labelers_researchers"]["items"] == 72
    assert [one["labeler"] for one in found["thresholds"]] == ["person:ann", "person:bob", "person:eve"]
    assert len(found["drift"]["batches"]) == 2
    assert run("analyse", "length", "--store", workspace, "--json", "--labeler", "ann") == 0
    found = last_json(capsys.readouterr().out)
    assert found["comparisons"] == 72
    assert found["systems"][-1]["system"] == "reference"
    assert found["systems"][-1]["words"]["value"] == 15
    assert run("analyse", "metrics", "--store", workspace, "--json") == 0
    found = last_json(capsys.readouterr().out)
    assert found["all_pairs"]["ensemble_items"] == 72
    assert "people: overall" in found["metrics"]


MISTAKES = [
    (("agreement", "--researcher", "nobody"), "there is no researcher 'nobody' here"),
    (("agreement", "--sentinel", "gpt"), "no system 'gpt' was compared"),
    (("agreement", "--dataset", "other"), "holds no judgements of such documents"),
    (("length", "--labeler", "nobody"), "there is no labeler 'nobody' here"),
    (("accuracy", "--judge", "nobody"), "there is no judge with scores 'nobody' here; there are"),
    (("position", "--judge", "nobody"), "there is no judge that compares or ranks 'nobody'"),
    (("axes", "--axis", "beauty"), "there is no axis 'beauty' here"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
def test_a_mistake_is_one_sentence(
    arguments: tuple[str, ...], said: str, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("analyse", *arguments, "--store", workspace) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_what_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row | {"extra": {"confidence": row["extra"]["confidence"]}} for row in comparisons(2)]
    path = tmp_path / "comparisons.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert run("import", "openai", path, "--store", tmp_path) == 0
    assert run("analyse", "position", "--store", tmp_path) == 2
    assert "says which text was shown first" in capsys.readouterr().err
    assert run("analyse", "axes", "--store", tmp_path) == 2
    assert "is a rating on an axis" in capsys.readouterr().err
    assert run("analyse", "accuracy", "--store", tmp_path) == 2
    assert "there is no judge with scores 'reward' here; there are none" in capsys.readouterr().err


@pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/openai_comparisons is not beside this checkout")
def test_the_released_comparisons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", "openai", REAL / "cnndm0.jsonl", "--store", tmp_path) == 0
    assert run("analyse", "agreement", "--store", tmp_path, "--json") == 0
    found: Any = last_json(capsys.readouterr().out)
    agreement = found["agreement"]["between_labelers"]
    assert agreement["meetings"] == 84
    assert agreement["agreement"]["value"] == pytest.approx(65 / 84)  # the whole file: 132 of 168
    assert run("judge", "length", "--references", "--store", tmp_path) == 0
    assert run("analyse", "accuracy", "--judge", "length", "--store", tmp_path, "--json") == 0
    assert last_json(capsys.readouterr().out)["overall"][0]["missing"] == 0  # type: ignore[index]
