"""The command line: what it prints, and that a mistake is one sentence with exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from precis.cli import main

POSTS = [
    {"id": f"p{index}", "document": f"Ann: The cat number {index} sat on the mat.\nBob: It did.\nAnn: It was glad.",
     "summary": f"Cat {index} sat on a mat and was glad."}
    for index in range(12)
]  # fmt: skip


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    path = tmp_path / "posts.jsonl"
    path.write_text("\n".join(json.dumps(post) for post in POSTS))
    return path


def last_json(text: str) -> dict[str, object]:
    found = json.loads(text.strip().splitlines()[-1])
    assert isinstance(found, dict)
    return found


def test_from_documents_to_a_summary_by_single_commands(
    tmp_path: Path, posts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "work"
    common = ("--store", store)
    assert run("import", "jsonl", posts, "--dataset", "posts", "--split", "train", "--json", *common) == 0
    assert last_json(capsys.readouterr().out)["rows"] == 12
    model = tmp_path / "model"
    assert run("init-model", model, "--size", "tiny", "--vocab-size", "300", *common) == 0
    sft = tmp_path / "sft"
    training = ("--set", "max_steps=2", "--set", "tokens_per_batch=2000")
    assert run("train", "sft", "--model", model, "--template", "separator", "-o", sft, *training, *common) == 0
    assert run("sample", "--policy", sft, "--k", "3", "--max-new-tokens", "8", "--json", *common) == 0
    assert last_json(capsys.readouterr().out)["written"] == 36
    assert run("sample", "--policy", sft, "--k", "3", "--max-new-tokens", "8", "--json", *common) == 0
    again = last_json(capsys.readouterr().out)
    assert (again["written"], again["known"]) == (0, 36)
    assert run("judge", "length", *common) == 0
    reward = tmp_path / "reward"
    assert run("train", "reward", "--model", sft, "--judge", "length", "-o", reward, *training, *common) == 0
    assert run("judge", "reward", "--reward-model", reward, *common) == 0
    assert run("judge", "rouge", *common) == 0
    assert run("evaluate", "-o", tmp_path / "evaluation", *common) == 0
    assert (tmp_path / "evaluation" / "outputs.jsonl").is_file()
    assert run("export", "trl", tmp_path / "pairs.jsonl", "--judge", "length", *common) == 0
    text = tmp_path / "text.txt"
    text.write_text("Ann: The cat number 99 sat on the mat.\nBob: It did.")
    capsys.readouterr()
    code = run("summarize", text, "--model", sft, "--best-of", "4", "--reward-model", reward, "--json")
    said = capsys.readouterr()
    assert code == 0, said.err
    assert isinstance(last_json(said.out)["reward"], float)
    assert run("stats", "--json", *common) == 0
    held = last_json(capsys.readouterr().out)
    assert held["judgements"]["total"] > 0  # type: ignore[index]


MISTAKES = [
    (("impot",), "No such command 'impot'"),
    (("import", "jsonl"), "Missing argument 'path'"),
    (("import", "nothing", "x", "--store", "{tmp}/w"), "there is no kind 'nothing'"),
    (("import", "jsonl", "{tmp}/none.jsonl", "--store", "{tmp}/w"), "none.jsonl"),
    (("import", "jsonl", "{tmp}/broken.jsonl", "--store", "{tmp}/w"), "line 2"),
    (("sample", "--policy", "{tmp}/nowhere", "--store", "{tmp}/w"), "holds no such documents"),
    (("judge", "nobody", "--store", "{tmp}/w"), "there is no judge 'nobody'"),
    (("judge", "reward", "--store", "{tmp}/w"), "needs its model"),
    (("run", "nothing", "-o", "{tmp}/r"), "there is no recipe 'nothing'"),
    (("run", "human-feedback", "-o", "{tmp}/r", "--set", "x=1"), "'x': there is no such setting"),
    (("run", "human-feedback", "-o", "{tmp}/broken.jsonl"), "is a file"),
    (("report", "{tmp}"), "no report at"),
    (("summarize", "{tmp}/none.txt", "--model", "m"), "there is no file"),
    (("summarize", "{tmp}/latin1.txt", "--model", "m"), "not UTF-8"),
    (("summarize", "{tmp}/none.txt", "--model", "m", "--best-of", "3"), "go together"),
    (("init-model", "{tmp}", "--store", "{tmp}/w"), "is there already"),
    (("export", "trl", "{tmp}/x", "--store", "{tmp}/w"), "no comparisons"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), MISTAKES, ids=[" ".join(m[0][:2]) + f" {n}" for n, m in enumerate(MISTAKES)]
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.jsonl").write_text('{"document": "one"}\n{"document": \n')
    (tmp_path / "latin1.txt").write_bytes("caf\xe9".encode("latin-1"))
    assert run(*(argument.format(tmp=tmp_path) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert error.strip().splitlines()[-1].startswith("precis: ")


def test_help_is_quick_and_loads_no_torch() -> None:
    code = "import sys, precis.cli; sys.exit('torch' in sys.modules or 'sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_a_command_it_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert "quickstart" in capsys.readouterr().out


def test_a_closed_pipe_is_no_error(posts: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m precis import --help | head -1; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert ended.stderr == ""
