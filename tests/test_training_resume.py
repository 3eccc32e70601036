"""Killed at any moment and resumed, a training ends bit for bit where it would have ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """Trainings left alone and trainings killed, by kind; and how many kills there were."""
    root = tmp_path_factory.mktemp("victims")
    command = [sys.executable, str(HERE / "training_victim.py"), str(root)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return root, json.loads(done.stdout.splitlines()[-1])


def record(run: Path) -> list[dict[str, Any]]:
    """The metrics without what a clock or the machine decides."""
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("tokens_per_second", "peak_memory")} for line in found]


def outcome(run: Path) -> dict[str, Any]:
    return {k: v for k, v in json.loads((run / "result.json").read_text()).items() if k != "seconds"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its victims")
@pytest.mark.parametrize("kind", ["policy", "reward", "muon", "ppo"])
def test_a_killed_training_ends_as_if_it_had_not_been(kind: str, victims: tuple[Path, dict[str, int]]) -> None:
    root, kills = victims
    assert kills[kind] >= {"policy": 20, "reward": 1, "muon": 1, "ppo": 7}[kind]
    whole = root / kind / "whole"
    survivors = sorted((root / kind).glob("killed*"))
    assert survivors
    for killed in survivors:
        assert record(killed) == record(whole)
        assert outcome(killed) == outcome(whole)
        kept = outcome(whole)["checkpoint"]
        average = () if kind == "ppo" else (f"{kept}/average",)
        for name in (f"{kept}/weights", f"{kept}/optimizer", *average, "final"):
            file = f"{name}.safetensors"
            assert (killed / file).read_bytes() == (whole / file).read_bytes(), file
        assert [path.name for path in (killed / "checkpoints").iterdir()] == [Path(kept).name]
    lines = record(whole)
    if kind == "ppo":
        assert [line["step"] for line in lines if line["split"] == "rollout"] == [0, 2, 4]
        assert [line["step"] for line in lines if line["split"] == "train"] == [1, 2, 3, 4, 5, 6]
        return
    assert [line["step"] for line in lines if line["split"] == "train"] == [3, 6, 8]
    assert [line["step"] for line in lines if line["split"] == "validation"] == [0, 3, 6, 8]
