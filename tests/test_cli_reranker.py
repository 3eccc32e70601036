"""`precis train reranker`: from a store with scores to a judge of the store's candidates."""

from __future__ import annotations

from pathlib import Path

import pytest

from precis.store import Store
from test_cli import last_json, posts, run
from test_cli_contrastive import sampled
from test_reranker import make_encoder

__all__ = ["posts", "sampled"]


def test_a_reranker_from_a_store_judges_the_store(
    tmp_path: Path, sampled: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    store, model = sampled
    encoder, out = make_encoder(tmp_path / "encoder", positions=512), tmp_path / "reranker"
    given = ("--encoder", encoder, "--judge", "length", "--store", store, "--pool", "mean", "--held-out", "0.4")
    training = ("--set", "max_steps=2", "--set", "schedule=constant", "--set", "warmup_steps=0")
    capsys.readouterr()
    assert run("train", "reranker", *given, *training, "-o", out, "--json") == 0
    told = last_json(capsys.readouterr().out)
    assert told["folder"] == str(out) and told["steps"] == 2
    assert run("judge", "reranker", "--reranker", out, "--store", store, "--json") == 0
    judged = last_json(capsys.readouterr().out)
    assert judged["name"] == "reranker"
    with Store(store) as opened:
        scores = [one.value for group in opened.groups() for one in group.judgements if one.judge.name == "reranker"]
    assert scores and all(-1 <= value <= 1 for value in scores)
    (tmp_path / "text.txt").write_text("The cat sat on the mat, and nobody saw it.")
    text = ("summarize", tmp_path / "text.txt", "--model", model, "--max-new-tokens", "8")
    assert run(*text, "--best-of", "3", "--beams", "3", "--reranker", out, "--json") == 0
    chosen = last_json(capsys.readouterr().out)
    assert isinstance(chosen["score"], float) and -1 <= chosen["score"] <= 1 and chosen["summary"]


def test_mistakes_are_one_sentence(
    tmp_path: Path, sampled: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    store, model = sampled
    encoder = make_encoder(tmp_path / "encoder", positions=512)
    given = ("--store", store, "-o", tmp_path / "no")
    for said, wrong in {
        "pool": ("--encoder", encoder, "--judge", "length", "--pool", "max"),
        "loss.wait": ("--encoder", encoder, "--judge", "length", "--loss", "wait=1"),
        "nothing can be imitated": ("--encoder", encoder, "--judge", "length", "--loss", "mle_weight=1"),
        "no judge 'nobody'": ("--encoder", encoder, "--judge", "nobody"),
        "no CLS token": ("--encoder", model, "--judge", "length"),
    }.items():
        assert run("train", "reranker", *given, *wrong) == 2
        assert said in capsys.readouterr().err
    assert run("judge", "reranker", "--store", store) == 2
    assert "--reranker FOLDER" in capsys.readouterr().err
