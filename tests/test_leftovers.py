"""What killed processes leave half written is swept by the next one that writes the same; what others write is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from precis.evaluation.plain import write_text
from precis.leftovers import OLD, PARTIAL, name_beside, sweep
from precis.models.files import atomic_folder

VICTIM = """
import os, signal, sys
from pathlib import Path
from precis.models.files import atomic_folder
with atomic_folder(sys.argv[1]) as partial:
    (partial / "config.json").write_text("{}")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def dead() -> int:
    """The number of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_what_dead_processes_left_is_swept_and_nothing_else(dead: int, tmp_path: Path) -> None:
    alive, others = os.getppid(), ("a.json", f".b.json.{dead}.partial", f".a.json.{dead}.old", ".a.json.x.partial")
    for name in (*others, f".a.json.{dead}.partial", f".a.json.{alive}.partial", f".a.json.{10**30}.partial"):
        (tmp_path / name).write_text("x")
    sweep(tmp_path / "a.json", PARTIAL)
    assert {path.name for path in tmp_path.iterdir()} == {*others, f".a.json.{alive}.partial"}


@pytest.mark.parametrize("name", ["a[1].json", "a*", "é"])
def test_names_are_taken_to_the_letter(name: str, dead: int, tmp_path: Path) -> None:
    left = [tmp_path / f".{other}.{dead}.partial" for other in (name, "a1.json", "ab")]
    for path in left:
        path.mkdir()
    sweep(tmp_path / name, PARTIAL)
    assert [path.exists() for path in left] == [False, True, True]
    assert name_beside(tmp_path / name, OLD) == tmp_path / f".{name}.{os.getpid()}.old"


def test_a_file_that_is_written_again_has_no_leftovers(dead: int, tmp_path: Path) -> None:
    (tmp_path / f".a.json.{dead}.partial").write_text("hal")
    write_text(tmp_path / "a.json", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_model_that_was_killed_while_it_was_saved_leaves_nothing_behind_the_next(dead: int, tmp_path: Path) -> None:
    victim = subprocess.run([sys.executable, "-c", VICTIM, str(tmp_path / "model")], check=False, timeout=300)
    assert victim.returncode == -signal.SIGKILL
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
    (tmp_path / f".model.{dead}.old").mkdir()
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "model"):
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == [f".model.{dead}.old"], "the old one may be the only one"
    with atomic_folder(tmp_path / "model") as partial:
        (partial / "config.json").write_text("{}")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
