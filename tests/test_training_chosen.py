"""One training, several models: the weights that were best by each metric are kept, killed or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from precis.errors import UserError
from precis.objectives import nll
from precis.training import TrainConfig
from precis.training.chosen import use_best_by
from precis.training.run_folder import read_result
from precis.training.train import train
from training_toys import PAD, some_examples, tiny_gpt2

CONFIG = TrainConfig(
    learning_rate=3e-2, schedule="constant", max_steps=6, epochs=9, evaluate_every=1, tokens_per_batch=60,
    precision="fp32", trackers=(), best_metric="loss", also_best=("early", "late"), keep_checkpoints=1,
)  # fmt: skip
EXAMPLES, HELD_OUT = some_examples(12), some_examples(4, seed=1)


def go(folder: Path, config: TrainConfig = CONFIG, *, kept: dict[int, Any] | None = None, stop: int = 99) -> Any:
    model = tiny_gpt2()

    def measure(step: int) -> dict[str, float]:
        if kept is not None:
            kept[step] = {name: value.clone() for name, value in model.state_dict().items()}
        if step == stop:
            raise KeyboardInterrupt
        return {"early": abs(step - 2), "late": abs(step - 5)}

    rest: dict[str, Any] = {"validation": HELD_OUT, "measure": measure, "resume": True, "quiet": True}
    result = train(model, EXAMPLES, nll(), config, folder, pad_id=PAD, **rest)
    return model, result


def same(a: Any, b: Any) -> bool:
    return all(torch.equal(value, b[name]) for name, value in a.items())


def test_each_metric_keeps_its_own_weights(tmp_path: Path) -> None:
    kept: dict[int, Any] = {}
    model, result = go(tmp_path, kept=kept)
    assert result.best_steps == {"early": 2, "late": 5}
    assert same(model.state_dict(), kept[result.kept_step])
    for metric, step in (("late", 5), ("early", 2)):
        assert use_best_by(model, tmp_path, metric) == step
        assert same(model.state_dict(), kept[step])
    left = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert left == {f"step-{step:08d}" for step in {2, 5, result.kept_step}}
    assert read_result(tmp_path) == result
    with pytest.raises(UserError, match="also chose by nll"):
        use_best_by(model, tmp_path, "nll")


def test_a_killed_training_chooses_the_same(tmp_path: Path) -> None:
    model, whole = go(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "killed", stop=4)
    again, resumed = go(tmp_path / "killed")
    assert resumed.best_steps == whole.best_steps and same(model.state_dict(), again.state_dict())
    for metric in ("early", "late"):
        use_best_by(model, tmp_path / "whole", metric)
        use_best_by(again, tmp_path / "killed", metric)
        assert same(model.state_dict(), again.state_dict())


def test_a_training_from_before_this_setting_goes_on(tmp_path: Path) -> None:
    plain = TrainConfig(max_steps=1, trackers=(), precision="fp32")
    assert "also_best" not in plain.result_settings() and "also_best" in CONFIG.result_settings()
    go(tmp_path, plain)
    assert "also_best" not in json.loads((tmp_path / "training.json").read_text())["settings"]


def test_wrong_choices_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs keep_best"):
        TrainConfig(also_best=("loss",), keep_best=False)
    with pytest.raises(UserError, match="'accuracy' is not measured"):
        go(tmp_path, TrainConfig(also_best=("accuracy",), max_steps=1, trackers=(), precision="fp32"))
