"""`precis analyse probes`, `overoptimization` and `scaling`, as a user runs them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precis.models import reward_model_from_policy, save_reward_model
from precis.recipes.steps import load_writer
from precis.report.write import read_report
from test_cli import POSTS, last_json, run


@pytest.fixture(scope="module")
def reward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny reward model with random weights, and the store that its tokenizer was made from, beside it."""
    folder = tmp_path_factory.mktemp("reward")
    (folder / "posts.jsonl").write_text("\n".join(json.dumps(post) for post in POSTS))
    store = ("--store", folder / "work")
    assert run("import", "jsonl", folder / "posts.jsonl", "--dataset", "posts", "--split", "test", *store) == 0
    assert run("init-model", folder / "policy", "--size", "tiny", "--vocab-size", "300", *store) == 0
    writer = load_writer(folder / "policy", to_train=True)
    model = reward_model_from_policy(writer.policy, seed=0)
    save_reward_model(model, writer.policy.tokenizer, folder / "reward", beside=writer.renderer.save)
    return folder


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


# Probes


def test_probes_of_a_reward_model_on_stored_documents(
    reward: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "probes"
    arguments = ("--reward-model", reward / "reward", "--judge", "length", "--store", reward / "work", "--limit", "8")
    assert run("analyse", "probes", *arguments, "--out", out, "--json") == 0
    said = capsys.readouterr().out
    found = last_json(said)
    assert found["documents"] == 8
    probes: Any = found["probes"]
    by_length = {own["probe"]: own for own in probes if own["judge"] == "length"}
    assert (by_length["said twice"]["right"]["value"], by_length["said twice"]["verdict"]) == (0, "wrong")
    assert by_length["roles swapped"]["left_out"] == {"it names fewer than two people": 8}
    by_model = {own["probe"]: own for own in probes if own["judge"] == "reward model"}
    assert by_model["empty"]["edits"] == 8
    assert by_model["said twice"]["right"]["n"] == 8
    assert "length: " in said and "fooled by" in said
    assert "no document allows: roles swapped" in said
    report = read_report(out / "report.json")
    assert [section.title for section in report.sections] == [
        "Probes of reward model",
        "Probes of length",
        "In the paper",
    ]
    assert "<svg" in (out / "report.html").read_text("utf-8")


def test_probes_are_the_same_for_one_seed(reward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = []
    for _ in range(2):
        assert run("analyse", "probes", "--judge", "copying", "--store", reward / "work", "--seed", "3", "--json") == 0
        answers.append(last_json(capsys.readouterr().out))
    assert answers[0] == answers[1]


def test_probes_in_the_sandbox_need_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("analyse", "probes", "--judge", "oracle", "--sandbox", "6", "--store", tmp_path / "none", "--json")
    assert run(*arguments) == 0
    probes: Any = last_json(capsys.readouterr().out)["probes"]
    names = {own["probe"]: own["right"]["value"] for own in probes}
    assert names["another document's summary"] == 1
    assert names["sandbox: the ideal summary"] > 0.5
    assert not (tmp_path / "none").exists()


def test_a_reward_model_is_probed_in_the_sandbox(reward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("analyse", "probes", "--reward-model", reward / "reward", "--sandbox", "2", "--json") == 0
    probes: Any = last_json(capsys.readouterr().out)["probes"]
    found = {own["probe"]: own for own in probes}
    assert found["empty"]["edits"] == found["cut off in the middle"]["edits"] == 2
    # With this tokenizer a document fills the model's positions nearly alone: as its own summary it does not fit.
    whole = found["sandbox: whole document"]
    assert (whole["edits"], whole["unscored"]) == (0, 2)
    assert whole["right"]["value"] is None


# Over-optimization


def ppo_rows() -> list[dict[str, Any]]:
    """Gold follows d(1.2 − 0.3 · 2d) over five β; two seeds, of which one collapses at the smallest β."""
    rng = np.random.default_rng(0)
    rows = [
        {"method": "start", "document": f"d{d}", "gold": float(rng.random() < 0.35), "proxy": 0.0} for d in range(200)
    ]
    for beta, kl, rate in ((0.5, 0.5, 0.45), (0.2, 3, 0.55), (0.1, 9, 0.65), (0.05, 20, 0.6), (0.02, 60, 0.45)):
        for seed in (1, 2):
            won = rate if (beta, seed) != (0.02, 2) else 0.1
            rows += [
                {"run": f"b{beta}-{seed}", "method": "ppo", "beta": beta, "seed": seed, "document": f"d{d}",
                 "gold": float(rng.random() < won), "proxy": math.sqrt(kl) + rng.normal(),
                 "kl": kl + rng.normal(0, 1) + (20 if won == 0.1 else 0)}
                for d in range(200)
            ]  # fmt: skip
    return rows


def test_overoptimization_finds_the_turn_and_the_collapsed_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = lines(tmp_path / "ppo.jsonl", ppo_rows()), tmp_path / "report"
    assert run("analyse", "overoptimization", path, "--out", out, "--json") == 0
    said = capsys.readouterr().out
    curves: Any = last_json(said)["curves"]
    (curve,) = curves
    assert [point["label"] for point in curve["points"]] == [
        "start", "β 0.5", "β 0.2", "β 0.1", "β 0.05", "β 0.02",
    ]  # fmt: skip
    assert curve["peak"] in ("β 0.1", "β 0.05") and curve["turned"] is True
    assert [own["state"] for own in curve["seed_states"]["β 0.02"]] == ["sound", "collapsed"]
    assert {own["state"] for own in curve["seed_states"]["β 0.1"]} == {"sound"}
    assert "it surely falls, so the proxy is over-optimized" in said
    assert "β 0.02: 1 of 2 seeds collapsed (seed 2:" in said
    page = (out / "report.html").read_text("utf-8")
    assert "turning point" in page and "Gao et al. 2023" in page


def test_overoptimization_of_pools_and_of_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    pools = [
        {"method": "best-of-n", "document": f"d{d}", "proxy": proxy, "gold": proxy - 0.2 * proxy**2}
        for d in range(30)
        for proxy in rng.normal(size=8)
    ]
    steps = [
        {"method": "rloo", "run": "a", "step": step, "document": f"d{d}", "proxy": step, "kl": step / 2 - 0.3,
         "gold": -((step - 8) ** 2) / 64 + rng.normal(0, 0.1)}
        for step in range(24)
        for d in range(20)
    ]  # fmt: skip
    files = lines(tmp_path / "pools.jsonl", pools), lines(tmp_path / "steps.jsonl", steps)
    assert run("analyse", "overoptimization", *files, "--json") == 0
    said = capsys.readouterr().out
    curves: Any = last_json(said)["curves"]
    best, path = curves
    assert [round(point["kl"]["value"], 2) for point in best["points"]] == [0, 0.19, 0.64, 1.2]
    assert path["title"] == "rloo, a"
    assert path["points"][0]["kl"]["value"] == pytest.approx(-0.3)  # shown, not clipped
    assert path["fit"]["clipped"] == 1 and "the mean KL of step 0 is below 0" in said
    assert path["replay"]["stop"] is True and path["replay"]["share"] > 0.9


def test_scaling_prints_both_slopes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"parameters": parameters, "pairs": pairs, "seed": seed, "n": 2000,
         "accuracy": 0.6 + 0.018 * math.log2(parameters / 160e6) + 0.011 * math.log2(pairs / 8e3) + 0.001 * seed}
        for parameters in (160e6, 1.3e9, 13e9)
        for pairs in (8e3, 16e3, 64e3)
        for seed in (0, 1)
    ]  # fmt: skip
    out = tmp_path / "report"
    assert run("analyse", "scaling", lines(tmp_path / "runs.jsonl", rows), "--out", out, "--json") == 0
    said = capsys.readouterr().out
    slopes: Any = last_json(said)["slopes"]
    data, model = slopes
    assert data["per_doubling"]["value"] == pytest.approx(0.011)
    assert model["per_doubling"]["value"] == pytest.approx(0.018)
    assert "Doubling the data buys 1.10 points of accuracy" in said
    assert "the paper's 1.10 lies inside" in said
    assert "160M parameters" in (out / "report.html").read_text("utf-8")


# Mistakes

MISTAKES = [
    (("probes",), "name what to probe"),
    (("probes", "--judge", "nobody"), "there is no judge 'nobody' to probe"),
    (("probes", "--reward-model", "{tmp}/none"), "no reward model at"),
    (("probes", "--judge", "length", "--store", "{tmp}/nothing"), "there is no store"),
    (("probes", "--judge", "length", "--sandbox", "3", "--split", "test"), "--sandbox makes its own documents"),
    (("overoptimization", "{tmp}/none.jsonl"), "none.jsonl"),
    (("overoptimization", "{tmp}/empty.jsonl"), "there are no rows in it"),
    (("overoptimization", "{tmp}/one.jsonl"), "no method has two points"),
    (("scaling", "{tmp}/sizes.jsonl"), "a slope needs runs of at least two sizes: every run has 8,000 pairs"),
    (("scaling", "{tmp}/percent.jsonl"), "line 1, field 'accuracy'"),
    (("scaling",), "Missing argument"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=[str(n) for n in range(len(MISTAKES))])
def test_a_mistake_is_one_sentence(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines(tmp_path / "empty.jsonl", [])
    lines(tmp_path / "one.jsonl", [{"method": "ppo", "kl": 1, "gold": 1, "beta": 0.1}])
    lines(tmp_path / "sizes.jsonl", [{"accuracy": 0.6, "pairs": 8000}, {"accuracy": 0.7, "pairs": 8000}])
    lines(tmp_path / "percent.jsonl", [{"accuracy": 60, "pairs": 8000}])
    assert run("analyse", *(argument.format(tmp=tmp_path) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert error.strip().splitlines()[-1].startswith("precis: ")
