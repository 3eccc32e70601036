"""The command line: what it prints, and that a mistake is one sentence with exit code 2."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from precis.cli import main
from precis.cli.app import emit, run_guarded, say, show_table
from precis.models import init_model
from precis.records import Candidate, Document, JudgeInfo, Maker, Score
from precis.store import Store

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


def imported(kind: str, rows: Sequence[Mapping[str, Any]], folder: Path) -> Path:
    """`folder`, with a store of these rows of a file of that kind."""
    path = folder / f"{kind}.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert run("import", kind, path, "--store", folder) == 0
    return folder


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
    capsys.readouterr()
    assert run("evaluate", "-o", tmp_path / "evaluation", *common) == 0
    shown = capsys.readouterr().out
    assert "no judge has judged both a system and the references, so there is no win rate" in shown
    assert "win rate 0" not in shown and "not estimable" not in shown
    assert (tmp_path / "evaluation" / "outputs.jsonl").is_file()
    assert run("export", "trl", tmp_path / "pairs.jsonl", "--judge", "length", *common) == 0
    text = tmp_path / "text.txt"
    text.write_text("Ann: The cat number 99 sat on the mat.\nBob: It did.")
    capsys.readouterr()
    code = run("summarize", text, "--model", sft, "--best-of", "4", "--reward-model", reward, "--json")
    said = capsys.readouterr()
    assert code == 0, said.err
    assert isinstance(last_json(said.out)["score"], float)
    # The best of the beams, and the likeliest of them, which nobody chose.
    searched = ("summarize", text, "--model", sft, "--beams", "3", "--length-penalty", "0.6", "--max-new-tokens", "8")
    assert run(*searched, "--best-of", "3", "--reward-model", reward, "--json") == 0
    best = last_json(capsys.readouterr().out)
    assert run(*searched, "--json") == 0
    likeliest = last_json(capsys.readouterr().out)
    assert isinstance(best["score"], float) and best["summary"] and likeliest["score"] is None
    assert run("stats", "--json", *common) == 0
    held = last_json(capsys.readouterr().out)
    assert held["judgements"]["total"] > 0  # type: ignore[index]


MISTAKES = [
    (("impot",), "No such command 'impot'"),
    (("import", "jsonl"), "Missing argument 'path'"),
    (("import", "nothing", "x", "--store", "{tmp}/w"), "there is no kind 'nothing'"),
    (("import", "jsonl", "{tmp}/none.jsonl", "--store", "{tmp}/w"), "none.jsonl"),
    (("import", "jsonl", "{tmp}/broken.jsonl", "--store", "{tmp}/w"), "line 2"),
    (("sample", "--policy", "{tmp}/nowhere", "--store", "{tmp}/w"), "there is no store at"),
    (("sample", "--policy", "m", "--limit", "-3", "--store", "{tmp}/w"), "Invalid value for '--limit'"),
    (
        ("sample", "--policy", "m", "--max-prefix-tokens", "0", "--store", "{tmp}/w"),
        "Invalid value for '--max-prefix-tokens'",
    ),
    (("judge", "nobody", "--store", "{tmp}/w"), "there is no judge 'nobody'"),
    (("judge", "rouge", "--store", "{tmp}/w"), "there is no store at"),
    (("judge", "random", "--seed", "-1", "--store", "{tmp}/w"), "Invalid value for '--seed'"),
    (("evaluate", "-o", "{tmp}/e", "--store", "{tmp}/w"), "there is no store at"),
    (("evaluate", "-o", "{tmp}/e", "--encoder", "{tmp}/none", "--store", "{tmp}/w"), "no encoder at"),
    (("train", "reward", "--model", "m", "-o", "{tmp}", "--judge", "length"), "is not a model folder"),
    (("train", "sft", "--model", "m", "-o", "{tmp}"), "is not a model folder"),
    (("judge", "reward", "--store", "{tmp}/w"), "needs its model"),
    (("run", "nothing", "-o", "{tmp}/r"), "there is no recipe 'nothing'"),
    (("run", "human-feedback", "-o", "{tmp}/r", "--set", "x=1"), "'x': there is no such setting"),
    (("run", "human-feedback", "-o", "{tmp}/broken.jsonl"), "is a file"),
    (("run", "human-feedback", "-o", "{tmp}/r", "--seed", "99999999999999999999"), "Invalid value for '--seed'"),
    (("run", "human-feedback", "-o", "{tmp}/held", "--no-resume"), "holds a run already"),
    (("quickstart", "-o", "{tmp}/held", "--no-resume"), "holds a run already"),
    (("run", "human-feedback", "-o", "{tmp}/held"), "config.json cannot be read"),
    (("report", "{tmp}"), "no report at"),
    (("summarize", "{tmp}/none.txt", "--model", "m"), "there is no file"),
    (("summarize", "a" * 5000, "--model", "m"), "File name too long"),
    (("summarize", "{tmp}/latin1.txt", "--model", "m"), "not UTF-8"),
    (("summarize", "{tmp}/none.txt", "--model", "m", "--best-of", "3"), "goes together"),
    (("summarize", "{tmp}/none.txt", "--model", "m", "--reward-model", "r"), "goes together"),
    (("summarize", "x", "--model", "m", "--reward-model", "r", "--reranker", "r"), "both choose; give one"),
    (
        ("summarize", "x", "--model", "m", "--best-of", "4", "--reranker", "r", "--beams", "3"),
        "a search with 3 beams finds no 4 summaries",
    ),
    (("init-model", "{tmp}", "--store", "{tmp}/w"), "is there already"),
    (("export", "trl", "{tmp}/x", "--store", "{tmp}/w"), "there is no store at"),
    (("stats", "--store", "{tmp}/w"), "there is no store at"),
    (("run", "human-feedback", "-o", "{tmp}/r", "--set", "seed=-1"), "setting 'seed'"),
    (("train", "ppo", "--policy", "m", "--reward", "nothing", "-o", "{tmp}/p"), "no FILE.py:FUNCTION"),
    (("train", "rloo", "--policy", "m", "--reward", "{tmp}/none.py:f", "-o", "{tmp}/p"), "there is no file"),
    (("train", "rloo", "--policy", "m", "--reward", "rouge", "--online", "k=x", "-o", "{tmp}/p"), "'k'"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), MISTAKES, ids=[" ".join(m[0][:2]) + f" {n}" for n, m in enumerate(MISTAKES)]
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.jsonl").write_text('{"document": "one"}\n{"document": \n')
    (tmp_path / "latin1.txt").write_bytes("caf\xe9".encode("latin-1"))
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "config.json").write_text('{"seed": ')  # cut short, as by a full disk
    assert run(*(argument.format(tmp=tmp_path) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert said.lower() in error.lower()  # releases of typer differ in 'path' and 'PATH'
    assert "Traceback" not in error
    assert error.strip().splitlines()[-1].startswith("precis: ")


def test_a_command_that_reads_makes_no_store_of_a_mistyped_name(tmp_path: Path) -> None:
    assert run("judge", "rouge", "--store", tmp_path / "typo") == 2
    assert not (tmp_path / "typo").exists()


def test_scores_under_different_settings_are_not_mixed(
    tmp_path: Path, posts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    init_model(model, [post["document"] for post in POSTS], size="tiny", vocab_size=300)
    with Store(tmp_path / "work") as store:
        document = Document("Ann: The cat sat on the mat.", split="train")
        candidate = Candidate(document.id, "A cat sat.", Maker("policy", "m"))
        store.add_documents([document])
        store.add_candidates([candidate])
        judges = [JudgeInfo("random", {"seed": seed}) for seed in (1, 2)]
        store.add_judgements([Score(judge, document.id, candidate.id, 0.5, "uniform") for judge in judges])
    common = ("train", "reward", "--model", model, "-o", tmp_path / "reward", "--store", tmp_path / "work")
    for judge, said in [
        ("random", f"cannot be compared; name one of them with --judge: {judges[0].id}"),
        (judges[1].id, "makes pairs for 0 documents"),
        ("nobody", "no judge 'nobody' has judged anything in this store; there are random"),
    ]:
        assert run(*common, "--judge", judge) == 2
        assert said in capsys.readouterr().err


def test_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """What a model wrote or a user called a data set is data, not markup."""
    say("[b]a :dog: barked[/b]")
    show_table("[/odd]", ["name", "[/n]"], [["[/x] :dog:", "1"]])
    said = capsys.readouterr().out
    assert "[b]a :dog: barked[/b]\n" in said
    assert "[/odd]" in said and "[/n]" in said and "[/x] :dog:" in said


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"a": float("nan"), "b": [{"c": float("inf")}], "d": 1.5}, as_json=True)
    assert last_json(capsys.readouterr().out) == {"a": None, "b": [{"c": None}], "d": 1.5}


@pytest.mark.parametrize(
    ("trouble", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "goes on where it was"),
        (MemoryError(), 2, "out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), 2, "out of memory"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 2, "no space left on the disk: /x"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), 2, "not allowed to write or read: /x"),
        (OSError(errno.EIO, "Input/output error", "/x"), 2, "Input/output error: /x"),
        (UnicodeEncodeError("utf-8", "m\udcff", 1, 2, "surrogates not allowed"), 2, "'m\\udcff' is not UTF-8"),
        (RuntimeError("surprise"), 1, "this is a bug of precis"),
    ],
)
def test_every_end_is_one_sentence(
    trouble: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        raise trouble

    assert run_guarded(command) == code
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_no_error(closed: str) -> None:
    command = f"{sys.executable} -m precis import --help {closed}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_stream_that_cannot_spell_a_character_shows_its_number() -> None:
    code = "from precis.cli.app import run_guarded, say; run_guarded(lambda: say('caf\\xe9 \\udcff'))"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=False
    )
    assert (ended.stdout, ended.stderr) == (b"caf\\xe9 \\udcff\n", b"")


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
