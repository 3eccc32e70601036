"""Two processes that share the batches of each step make the training that one process makes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

HERE = Path(__file__).parent


@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="torch has no gloo here")
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "training_processes.py"), str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    ends = json.loads(done.stdout.splitlines()[-1])
    assert ends == [
        ["finished"] * 2, ["finished"], ["user error"] * 2, ["finished"] * 2, ["finished"],
    ], done.stderr[-3000:]  # fmt: skip
    compare(tmp_path, "", lines=10)
    compare(tmp_path, "reinforced-", lines=6)


def compare(folder: Path, kind: str, *, lines: int) -> None:
    one, two = (
        [json.loads(line) for line in (folder / f"{kind}{name}" / "metrics.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    )
    assert len(one) == len(two) == lines
    for alone, together in zip(one, two):
        assert alone.keys() == together.keys()
        assert without_clock(together) == pytest.approx(without_clock(alone), abs=1e-12)
    names = ("one/final-0", "two/final-0", "two/final-1")
    final = [load_file(folder / f"{kind}{name}.safetensors") for name in names]
    for name, tensor in final[0].items():
        assert torch.equal(final[1][name], final[2][name])
        assert torch.allclose(final[1][name], tensor, atol=1e-9, rtol=0)


def without_clock(line: dict[str, Any]) -> dict[str, float]:
    return {k: v for k, v in line.items() if k not in ("tokens_per_second", "peak_memory", "split")}
