"""A recipe left alone: stopped after any step it goes on to the same end, and no test document is trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from precis.errors import UserError
from precis.recipes import human_feedback, steps
from precis.recipes.settings import load_settings
from precis.recipes.workspace import open_workspace
from precis.report import html
from test_recipes import settings as small_settings

STEPS = ("load_documents", "supervise", "write_candidates", "judge", "train_reward_model", "reinforce")


def test_stopped_after_every_step_it_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "_draw", lambda *_: "")  # figures would take most of the time
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    fewer = ("data.train_documents=6", "data.valid_documents=2", "data.test_documents=3", "candidates.k=2")
    settings = small_settings(tmp_path, *fewer, "evaluation.n=2")
    human_feedback.run(settings, whole)

    def stopping(step: Callable[..., Any]) -> Callable[..., Any]:
        def run_and_stop(*args: Any, **options: Any) -> Any:
            step(*args, **options)
            raise KeyboardInterrupt

        return run_and_stop

    for name in STEPS:
        with monkeypatch.context() as patch:
            patch.setattr(steps, name, stopping(getattr(steps, name)))
            with pytest.raises(KeyboardInterrupt):
                human_feedback.run(settings, parts)
    human_feedback.run(settings, parts)
    for name in ("evaluation.json", "outputs.jsonl", "models/supervised/model.safetensors"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes(), name


def rows(*numbers: int) -> str:
    return "\n".join(
        json.dumps(
            {"id": f"p{n}", "document": f"Ann: The cat number {n} sat.\nBob: It did.", "summary": f"Cat {n} sat."}
        )
        for n in numbers
    )


def test_a_test_document_that_the_training_file_has_too_is_left_out_of_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split, numbers in {"train": range(20), "valid": (30, 31), "test": (40, 0, 41, 30, 7)}.items():
        (tmp_path / f"{split}.jsonl").write_text(rows(*numbers))
    given = [
        "data.kind=jsonl",
        "feedback.judge=rouge",
        *(f"data.{split}={tmp_path / split}.jsonl" for split in ("train", "valid", "test")),
    ]
    settings = load_settings(human_feedback.HumanFeedback, "human-feedback", overrides=given)
    with open_workspace(tmp_path / "work", settings) as work:
        documents = steps.load_documents(work, settings.data, seed=1)
    assert [group.source.text.split()[4] for group in documents.test] == ["40", "0", "41", "30", "7"]
    assert [group.source.text.split()[4] for group in documents.valid] == ["31"]
    assert [group.source.text.split()[4] for group in documents.train] == [str(n) for n in range(20) if n not in (0, 7)]
    said = capsys.readouterr().err
    assert "2 train documents stand in a later split too and are left out" in said
    assert "1 valid documents stand in a later split too and are left out" in said


def test_a_share_to_validate_on_is_of_what_is_not_tested(tmp_path: Path) -> None:
    """The training file begins with the test documents, as SumLLM's does."""
    for split, numbers in {"train": range(40), "test": range(10)}.items():
        (tmp_path / f"{split}.jsonl").write_text(rows(*numbers))
    given = ["data.kind=jsonl", "feedback.judge=rouge"]
    given += [f"data.{split}={tmp_path / split}.jsonl" for split in ("train", "test")]
    settings = load_settings(human_feedback.HumanFeedback, "human-feedback", overrides=given)
    with open_workspace(tmp_path / "work", settings) as work:
        documents = steps.load_documents(work, settings.data, seed=1)
    found = [[group.source.text.split()[4] for group in part] for part in (documents.valid, documents.train)]
    assert found == [["10", "11", "12"], [str(n) for n in range(13, 40)]]


def test_settings_cut_short_by_a_full_disk_are_the_users_to_mend(tmp_path: Path) -> None:
    settings = small_settings(tmp_path)
    work = tmp_path / "work"
    with open_workspace(work, settings):
        pass
    whole = (work / "config.json").read_text()
    (work / "config.json").write_text(whole[:100])
    with (
        pytest.raises(UserError, match=r"config.json cannot be read .* name another folder"),
        open_workspace(work, settings),
    ):
        pass
