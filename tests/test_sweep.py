"""Several runs in one command: nothing is trained twice, a failure stops no other run, a killed sweep goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from precis.errors import UserError
from precis.recipes import llm_reference, registry, stages, summary, sweep
from precis.recipes.llm_reference_settings import LLMReference
from precis.recipes.registry import Recipe, recipe_named
from precis.recipes.settings import Settings, load_settings
from precis.recipes.steps import contrasting
from precis.recipes.sweep_plan import Planned, plan
from precis.recipes.sweep_report import Outcome
from precis.recipes.workspace import Taken, open_workspace, read_taken
from precis.report.contents import Cell, Column, Report, Row, Table
from precis.report.write import read_report, write_report
from precis.store import Store
from test_cli import last_json, run

SMALL = """
[data]
train_documents = 6
valid_documents = 3
test_documents = 3
[start]
model = "init"
size = "tiny"
vocab_size = 400
template = "separator"
max_prefix_tokens = 120
[warm_up.training]
max_steps = 2
[candidates]
k = 3
decoding = {kind = "temperature", max_new_tokens = 8}
[contrast]
watch = 0
[contrast.training]
max_steps = 2
learning_rate = 0.03
schedule = "constant"
warmup_steps = 0
[evaluation]
n = 2
decoding = {kind = "temperature", max_new_tokens = 8}
"""
FIRST, SECOND = "rank_weight=100", "rank_weight=10"


def table(captioned: str, tables: tuple[Table, ...] | list[Table]) -> Table:
    (found,) = (one for one in tables if one.caption.startswith(captioned))
    return found


def column(found: Table, name: str) -> list[Cell]:
    (place,) = (n for n, one in enumerate(found.columns) if one.name == name)
    return [row.cells[place] for row in found.rows]


def alike(alone: Path, taken: Path) -> None:
    """Two runs with the same results, weights, candidates and judgements."""
    for name in ("evaluation.json", "outputs.jsonl", "verdicts.jsonl", "config.json"):
        assert (alone / name).read_bytes() == (taken / name).read_bytes(), name
    for weights in (alone / "models").glob("**/*.safetensors"):
        assert weights.read_bytes() == (taken / weights.relative_to(alone)).read_bytes(), weights
    with Store(alone) as one, Store(taken) as other:
        assert {candidate.id for candidate in one.candidates()} == {candidate.id for candidate in other.candidates()}
        said = [sorted((j.judge.id, j.kind, j.candidate_ids) for j in store.judgements()) for store in (one, other)]
        assert said[0] == said[1]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "small.toml").write_text(SMALL)
    given = ("--config", folder / "small.toml", "--vary", "contrast.loss.rank_weight=100,10")
    assert run("sweep", "llm-reference", "-o", folder / "out", *given, "--json") == 0
    return folder


def tables_of(folder: Path) -> list[Table]:
    (_, found) = read_report(folder / "out" / "report.json").sections
    return [block for block in found.blocks if isinstance(block, Table)]


def test_runs_stand_side_by_side(swept: Path) -> None:
    tables = tables_of(swept)
    assert [one.columns[0].name for one in tables] == ["contrast.loss.rank_weight"] * 5
    wins = table("Win rate of contrastive against", tables)
    assert [cell.value for cell in column(wins, "contrast.loss.rank_weight")] == ["100", "10"]
    (own,) = (
        rate
        for rate in json.loads((swept / "out" / SECOND / "evaluation.json").read_text())["win_rates"]
        if (rate["system"], rate["against"], rate["judge"]) == ("contrastive", "imitation only", "oracle")
    )
    assert column(wins, "oracle")[1].value == own["win_rate"]["value"]
    assert {"ranker", "rouge", "oracle, equal length"} <= {one.name for one in wins.columns}
    assert not {"length", "copying"} & {one.name for one in wins.columns}
    texts = table("ROUGE", tables)
    assert all(cell.value is not None for cell in column(texts, "ROUGE-2, difference"))
    assert all(cell.value is not None for cell in column(texts, "Words, contrastive"))
    assert "ranker (learned from): contrastive" in {one.name for one in table("Pairs of test", tables).columns}


def test_what_each_run_found_is_said_first(swept: Path) -> None:
    said = read_report(swept / "out" / "report.json").findings
    assert said[0] == "2 of 2 runs are done."
    own = [read_report(swept / "out" / name / "report.json").findings[0] for name in (FIRST, SECOND)]
    assert list(said[1:]) == [f"{name}: {found}" for name, found in zip((FIRST, SECOND), own, strict=True)]
    assert all(found.startswith("By oracle, ") for found in own)


def test_what_was_made_once_is_taken_over_and_said_to_be(swept: Path) -> None:
    first, second = swept / "out" / FIRST, swept / "out" / SECOND
    assert not read_taken(first)
    taken = read_taken(second)
    assert list(taken) == ["targets", "warm-up", "candidates", "ranking", "imitation"]
    seconds = json.loads((first / "times.json").read_text())["seconds"]
    assert taken["warm-up"] == Taken(FIRST, seconds["warm-up"])
    weights = [folder / "models" / "warm" / "model.safetensors" for folder in (first, second)]
    assert weights[0].stat().st_ino == weights[1].stat().st_ino
    assert not (first / "models" / "contrastive" / "model.safetensors").samefile(
        second / "models" / "contrastive" / "model.safetensors"
    )
    cost = table("Cost", tables_of(swept))
    assert [cell.why for cell in column(cost, "warm-up, s")] == ["", f"taken over from {FIRST}"]
    assert [cell.value for cell in column(cost, "warm-up, s")] == [seconds["warm-up"]] * 2
    assert [cell.why for cell in column(cost, "contrast, s")] == ["", ""]
    assert "Taken over from runs" in str(read_report(second / "report.json").sections)


def test_a_run_that_took_over_ends_as_it_would_have_alone(swept: Path) -> None:
    config = swept / "small.toml"
    how = load_settings(LLMReference, "llm-reference", config=config, overrides=["contrast.loss.rank_weight=10"])
    llm_reference.run(how, swept / "alone")
    alike(swept / "alone", swept / "out" / SECOND)


def test_a_twin_of_other_documents_is_not_taken_over(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which documents a judge orders is not seen from settings: here the first run's twin had others, it says."""
    recipe = recipe_named("llm-reference")
    config = [str(swept / "small.toml")]
    runs = plan(recipe, swept / "other", config=config, vary=["contrast.loss.rank_weight=100,10"])
    shutil.copytree(swept / "out" / FIRST, swept / "other" / FIRST)
    (said,) = (swept / "other" / FIRST / "training").glob("imitation/training.json")
    said.write_text(json.dumps({**json.loads(said.read_text()), "examples": "of other documents"}))
    sweep.run(recipe, runs, swept / "other")
    assert "the imitation that was taken over had other documents or updates" in capsys.readouterr().err
    assert list(read_taken(swept / "other" / SECOND)) == ["targets", "warm-up", "candidates", "ranking"]
    alike(swept / "out" / SECOND, swept / "other" / SECOND)


def test_each_seeds_twin_is_looked_at_by_itself(swept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first seed's twin fits and stays; the second's does not; killed while it is removed, the run goes on."""
    recipe, config = recipe_named("llm-reference"), [str(swept / "small.toml")]
    seeds = ["contrast.seeds=[1, 2]"]
    out = swept / "seeds"
    runs = plan(recipe, out, config=config, overrides=seeds, vary=["contrast.loss.rank_weight=100,10"])
    sweep.run(recipe, runs[:1], out)
    said = out / FIRST / "training" / "imitation-seed-2" / "training.json"
    said.write_text(json.dumps({**json.loads(said.read_text()), "examples": "of other documents"}))
    removed: list[str] = []

    def killed(folder: Path, **how: object) -> None:
        if folder.name.startswith("imitation"):
            removed.append(f"{folder.parent.name}/{folder.name}")
            if len(removed) == 2:
                raise KeyboardInterrupt
        real(folder, **how)  # type: ignore[arg-type]

    real = shutil.rmtree
    with monkeypatch.context() as patch:
        patch.setattr(contrasting.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            sweep.run(recipe, runs, out)
    assert removed == ["models/imitation-seed-2", "training/imitation-seed-2"]
    found = sweep.run(recipe, runs, out)
    assert not found.failed and "imitation" not in read_taken(out / SECOND)
    twins = [out / name / "models" / "imitation" / "model.safetensors" for name in (FIRST, SECOND)]
    assert twins[0].samefile(twins[1]), "what fits is not trained again"
    alone = swept / "seeds-alone"
    how = load_settings(
        LLMReference, "llm-reference", config=config, overrides=[*seeds, "contrast.loss.rank_weight=10"]
    )
    llm_reference.run(how, alone)
    alike(alone, out / SECOND)


def test_a_finished_sweep_asks_a_grader_that_is_named_later(swept: Path) -> None:
    recipe, config = recipe_named("llm-reference"), [str(swept / "small.toml")]
    (one,) = plan(recipe, swept / "graded", config=config, vary=["contrast.loss.rank_weight=100"])
    shutil.copytree(swept / "out" / FIRST, swept / "graded" / FIRST)
    assert sweep.finished(swept / "graded" / FIRST, one.settings)
    (later,) = plan(
        recipe, swept / "graded", config=config, vary=["contrast.loss.rank_weight=100"],
        overrides=["evaluation.judge_by_training=false"],
    )  # fmt: skip
    assert not sweep.finished(swept / "graded" / FIRST, later.settings)
    sweep.run(recipe, [later], swept / "graded")
    rates = json.loads((swept / "graded" / FIRST / "evaluation.json").read_text())["win_rates"]
    assert "ranker" not in {rate["judge"] for rate in rates}


def test_the_same_command_again_makes_nothing_anew(
    swept: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llm_reference, "_run", lambda *_: pytest.fail("a finished run was made again"))
    given = ("--config", swept / "small.toml", "--vary", "contrast.loss.rank_weight=100,10")
    assert run("sweep", "llm-reference", "-o", swept / "out", *given, "--json") == 0
    told = last_json(capsys.readouterr().out)
    assert told["runs"] == {name: {"state": "done", "why": None} for name in (FIRST, SECOND)}
    assert run("sweep", "llm-reference", "-o", swept / "out", *given, "--set", "evaluation.n=3") == 2
    assert "holds a run with other settings (evaluation.n)" in capsys.readouterr().err
    assert run("sweep", "llm-reference", "-o", swept / "out" / FIRST, *given) == 2
    assert "holds a single run" in capsys.readouterr().err


def test_other_data_takes_nothing_over(swept: Path) -> None:
    recipe = recipe_named("llm-reference")
    config = [str(swept / "small.toml")]
    done = plan(recipe, swept / "out", config=config, vary=["contrast.loss.rank_weight=100,10"])
    (other,) = plan(recipe, swept / "out", config=config, vary=["data.train_documents=7"])
    sweep._take_over(recipe, other, done, swept / "out")
    assert not (swept / "out" / other.name).exists()


COMPARED = """
improve = ["rloo"]
[supervised.training]
max_steps = 2
[feedback]
pairs_per_group = 2
[reward.training]
max_steps = 1
[reinforcement.online]
iterations = 1
documents = 2
k = 2
max_new_tokens = 8
passes = 1
"""


def test_learning_from_comparisons_shares_all_but_the_policy_that_varies(tmp_path: Path) -> None:
    config = tmp_path / "small.toml"
    shared, written = SMALL[: SMALL.index("[warm_up")], SMALL[SMALL.index("[candidates") : SMALL.index("[contrast")]
    config.write_text(COMPARED + shared + written + "[evaluation]\nn = 2\n")
    recipe = recipe_named("human-feedback")
    runs = plan(recipe, tmp_path / "out", config=[str(config)], vary=["reinforcement.online.beta=0,0.5"])
    found = sweep.run(recipe, runs, tmp_path / "out")
    first, second = found.outcomes
    assert list(read_taken(tmp_path / "out" / "beta=0.5")) == ["supervised", "candidates", "feedback", "reward"]
    rates = table("Win rates against supervised, greedy", second.tables)
    assert rates.columns[1].name == "rloo, greedy" and column(rates, "By")[0].value == "oracle"
    gained = table("Greedy summaries", first.tables)
    assert {"supervised, greedy: Reward", "rloo, greedy: KL"} <= {one.name for one in gained.columns}
    recipe.run(runs[1].settings, tmp_path / "alone")
    alike(tmp_path / "alone", tmp_path / "out" / "beta=0.5")


# --- a recipe of one number ---------------------------------------------------------------------------------------


class Toy(Settings):
    seed: int = 1
    x: int = 1
    y: int = 1


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Settings of the runs that were made; `x` of 13 is a user's mistake."""
    made: list[tuple[int, int]] = []

    def go(settings: Toy, out: Path, *, store: str | None = None, command: str = "") -> Path:
        with open_workspace(out, settings) as work, work.step("model", "a number"):
            made.append((settings.x, settings.y))
            if settings.x == 13:
                raise UserError("13 brings bad luck")
            folder = work.models / "number"
            if not folder.is_dir():
                folder.mkdir(parents=True)
                (folder / "weights.safetensors").write_text(str(settings.x))
        figures = [(Column("product"), Cell(settings.x * settings.y))]
        figures += [(Column("big"), Cell("yes"))] if settings.x > 1 else []
        summary.write_summary([summary.one_row("Numbers.", figures)], out)
        return write_report(Report("Toy", ()), out)[0]

    run_it: Callable[..., Path] = go
    recipe = Recipe("toy", Toy, run_it, (stages.Stage(("model",), ("seed", "x"), models=("number",)),))
    monkeypatch.setattr(registry, "RECIPES", (recipe,))
    return made


def test_a_failure_is_a_row_and_the_other_runs_go_on(
    toy: list[tuple[int, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("sweep", "toy", "-o", tmp_path, "--vary", "x=1,13,2", "--json")
    assert run(*command) == 2
    said = capsys.readouterr()
    assert toy == [(1, 1), (13, 1), (2, 1)]
    assert said.err.strip().endswith("precis: 1 of 3 runs failed: x=13: 13 brings bad luck")
    assert last_json(said.out)["runs"]["x=13"] == {"state": "failed", "why": "13 brings bad luck"}  # type: ignore[index]
    report = read_report(tmp_path / "report.json")
    (numbers,) = report.sections[1].blocks[1:]
    assert isinstance(numbers, Table)
    assert [cell.value for cell in column(numbers, "product")] == [1, None, 2]
    assert [cell.why for cell in column(numbers, "big")] == ["this run has no such number", "the run failed", ""]
    assert report.findings == ("2 of 3 runs are done; 1 failed.",)
    assert run(*command) == 2
    assert toy[3:] == [(13, 1)], "what failed is tried again, and nothing else"


def test_a_killed_sweep_goes_on_where_it_was(
    toy: list[tuple[int, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = plan(registry.recipe_named("toy"), tmp_path, vary=["x=1,2", "y=1,2"])
    made = sweep._make

    def killed(recipe: Recipe, planned: Planned, *rest: object) -> Outcome:
        if planned.name == "x=2,y=1":
            raise KeyboardInterrupt
        return made(recipe, planned, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "_make", killed)
        with pytest.raises(KeyboardInterrupt):
            sweep.run(registry.recipe_named("toy"), runs, tmp_path)
    numbers = read_report(tmp_path / "report.json").sections[1].blocks[1]
    assert isinstance(numbers, Table)
    assert column(numbers, "product")[2].why == "the run has not come to its end"
    found = sweep.run(registry.recipe_named("toy"), runs, tmp_path)
    assert toy == [(1, 1), (1, 2), (2, 1), (2, 2)] and not found.failed
    taken = {name: list(read_taken(tmp_path / name).values()) for name in ("x=1,y=2", "x=2,y=1", "x=2,y=2")}
    assert [[own.run for own in steps] for steps in taken.values()] == [["x=1,y=1"], [], ["x=2,y=1"]]


def test_a_takeover_that_was_killed_leaves_no_run(toy: list[tuple[int, int]], tmp_path: Path) -> None:
    recipe = registry.recipe_named("toy")
    one, other = plan(recipe, tmp_path, vary=["y=1,2"])
    (tmp_path / f".{other.name}.taking" / "models" / "number").mkdir(parents=True)
    sweep.run(recipe, [one, other], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["y=1", "y=2"]
    assert (tmp_path / "y=2" / "models" / "number" / "weights.safetensors").read_text() == "1"


def test_nothing_runs_where_a_folder_holds_other_settings(toy: list[tuple[int, int]], tmp_path: Path) -> None:
    recipe = registry.recipe_named("toy")
    sweep.run(recipe, plan(recipe, tmp_path, vary=["x=2"]), tmp_path)
    with pytest.raises(UserError, match=r"x=2 holds a run with other settings \(y\)"):
        sweep.run(recipe, plan(recipe, tmp_path, vary=["x=1,2"], overrides=["y=3"]), tmp_path)
    assert toy == [(2, 1)]


def test_seconds_of_a_step_that_was_taken_over_are_those_it_took(tmp_path: Path) -> None:
    with open_workspace(tmp_path, Toy()) as work:
        work.seconds, work.taken = {"model": 0.1, "other": 2.0}, {"model": Taken("x=1", 30.0)}
        cells = [cell for _, cell in summary.seconds_figures(work, ("model", "other", "none"))]
    assert cells == [
        Cell(30.0, why="taken over from x=1"),
        Cell(2.0),
        Cell(None, why="this run has no such step"),
    ]


def test_a_table_of_several_rows_in_one() -> None:
    found = Table("", (Column("Policy"), Column("KL"), Column("Words")), (
        Row((Cell("ppo"), Cell(1.0), Cell(9))), Row((Cell("rloo"), Cell(None, why="none"), Cell(8)))))  # fmt: skip
    figures = {column.name: cell for column, cell in summary.in_one_row(found)}
    assert figures == {
        "ppo: KL": Cell(1.0), "ppo: Words": Cell(9), "rloo: KL": Cell(None, why="none"), "rloo: Words": Cell(8),
    }  # fmt: skip
