"""`precis train contrastive`: from a store with scores to a policy for each choice of weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from precis.models import init_model
from test_cli import last_json, posts, run

__all__ = ["posts"]


@pytest.fixture
def sampled(tmp_path: Path, posts: Path) -> tuple[Path, Path]:
    """A store with posts, three candidates of each, and the length judge's scores; and the policy that wrote them."""
    store, model = tmp_path / "work", tmp_path / "model"
    init_model(model, [posts.read_text()], size="tiny", vocab_size=300)
    assert run("import", "jsonl", posts, "--dataset", "posts", "--split", "train", "--store", store) == 0
    common = ("--template", "separator", "--max-new-tokens", "8", "--store", store)
    assert run("sample", "--policy", model, "--k", "3", *common) == 0
    assert run("judge", "length", "--store", store) == 0
    return store, model


def test_contrastive_training_from_a_store(
    tmp_path: Path, sampled: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    store, model = sampled
    # The template of a model that was made by hand is a plain one: what is learned here is the way through.
    out = tmp_path / "contrastive"
    given = ("--policy", model, "--judge", "length", "--store", store, "--max-new-tokens", "8")
    training = ("--set", "max_steps=2", "--set", "warmup_steps=2", "--set", "schedule=inverse-sqrt")
    choices = ("--select", "rank", "--select", "generation", "--watch", "1", "--beams", "2")
    capsys.readouterr()
    assert (
        run("train", "contrastive", *given, *training, *choices, "--published", "brio-xsum", "-o", out, "--json") == 0
    )
    told = last_json(capsys.readouterr().out)
    assert told["folders"] == {"rank": str(out), "generation": f"{out}-generation"}
    assert set(told["validation"]) >= {"ranking_loss", "nll_loss", "generation", "words"}  # type: ignore[call-overload]
    assert (out / "model.safetensors").is_file() and (tmp_path / "contrastive-generation").is_dir()
    names = {"no": ("--references", "nobody"), "makers": ("--published", "nobody"), "loss": ("--loss", "wait=1"),
             "select": ("--select", "luck"), "watch": ("--select", "generation", "--watch", "0"),
             "judge": ("--judge", "nobody")}  # fmt: skip
    said = {"no": "by a maker 'nobody'", "makers": "no published loss", "loss": "loss.wait", "select": "select.0",
            "watch": "no summaries are written", "judge": "no judge 'nobody'"}  # fmt: skip
    for name, wrong in names.items():
        assert run("train", "contrastive", *given, *training, "-o", tmp_path / name, *wrong) == 2
        assert said[name] in capsys.readouterr().err


def test_quasi_references_are_the_candidates_of_a_named_maker(
    tmp_path: Path, sampled: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    store, model = sampled
    from precis.store import Store

    with Store(store) as opened:
        (maker,) = opened.makers(role="policy")
    given = ("--policy", model, "--judge", "length", "--store", store, "--watch", "0", "--references", maker.id)
    training = ("--set", "max_steps=1", "--set", "warmup_steps=2", "--set", "schedule=inverse-sqrt")
    assert run("train", "contrastive", *given, *training, "-o", tmp_path / "own") == 0
    assert "the best by total" in capsys.readouterr().out
