"""Which runs a sweep makes: the product of what varies, by name and settings; mistakes are one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precis.errors import UserError
from precis.recipes.llm_reference_settings import LLMReference
from precis.recipes.registry import RECIPES, Recipe, recipe_named
from precis.recipes.settings import load_settings
from precis.recipes.stages import shared
from precis.recipes.sweep_plan import Planned, plan, split_values

RECIPE = recipe_named("llm-reference")
K, PENALTY = "candidates.k=2,4,8", "candidates.decoding.diversity_penalty=0,1"


def planned(tmp_path: Path, *vary: str, files: tuple[str, ...] = (), overrides: tuple[str, ...] = ()) -> list[Planned]:
    return plan(RECIPE, tmp_path / "out", preset="sandbox", files=files, vary=vary, overrides=overrides)


def how(run: Planned) -> LLMReference:
    assert isinstance(run.settings, LLMReference)
    return run.settings


def test_every_combination_is_a_run(tmp_path: Path) -> None:
    runs = planned(tmp_path, K, PENALTY, overrides=("seed=3",))
    assert [run.name for run in runs] == [f"k={k},diversity_penalty={p}" for k in (2, 4, 8) for p in (0, 1)]
    found = [(how(run).candidates.k, how(run).candidates.decoding.diversity_penalty) for run in runs]
    assert found == [(k, p) for k in (2, 4, 8) for p in (0, 1)]
    assert {how(run).seed for run in runs} == {3}
    assert runs[1].varied == {"candidates.k": "2", "candidates.decoding.diversity_penalty": "1"}


def test_files_lie_over_the_preset_and_the_command_of_a_run_gives_its_settings(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text("[data]\ntrain_documents = 7\nvalid_documents = 3\n[evaluation]\nn = 5\n")
    (tmp_path / "mine.toml").write_text("[data]\ntrain_documents = 9\n")
    (tmp_path / "plain.toml").write_text("[evaluation]\nn = 6\n")
    files = (f"mine={tmp_path}/mine.toml", f"plain={tmp_path}/plain.toml")
    base = str(tmp_path / "base.toml")
    runs = plan(RECIPE, tmp_path / "out", preset="sandbox", config=[base], files=files, vary=["candidates.k=3"])
    assert [run.name for run in runs] == ["mine,k=3", "plain,k=3"]
    mine, plain = (how(run) for run in runs)
    assert (mine.data.train_documents, mine.data.valid_documents, mine.evaluation.n) == (9, 3, 5)
    assert (plain.data.train_documents, plain.evaluation.n, plain.candidates.k) == (7, 6, 3)
    (talks,) = plan(RECIPE, tmp_path / "out", files=["talks=preset:dialogsum"])
    assert how(talks) == load_settings(RECIPE.settings, RECIPE.name, preset="dialogsum")
    assert runs[0].command == (
        f"precis run llm-reference -o {tmp_path}/out/mine,k=3 --preset sandbox --config {base} "
        f"--config {tmp_path}/mine.toml --set candidates.k=3"
    )


def test_values_with_commas_in_brackets_stay_whole(tmp_path: Path) -> None:
    assert split_values('["total","rank"],["rank"]') == ['["total","rank"]', '["rank"]']
    assert split_values('{kind="beam", num_beams=2}, a') == ['{kind="beam", num_beams=2}', "a"]
    runs = planned(tmp_path, 'contrast.select=["total","rank"],["rank"]', "ranking.judge=rouge,oracle")
    assert [run.name for run in runs] == [
        f"select={s},judge={j}" for s in ("total,rank", "rank") for j in ("rouge", "oracle")
    ]
    assert how(runs[0]).contrast.select == ("total", "rank") and how(runs[3]).ranking.judge == "oracle"


@given(st.lists(st.sampled_from(["4", "[1,2]", '"a,b"', "{x=[1,2],y=3}", "word"]), min_size=1))
def test_values_that_were_joined_are_parted_again(values: list[str]) -> None:
    assert split_values(",".join(values)) == values


def test_keys_that_end_alike_keep_their_whole_names(tmp_path: Path) -> None:
    (run,) = planned(tmp_path, "warm_up.training.epochs=2", "contrast.training.epochs=3")
    assert run.name == "warm_up.training.epochs=2,contrast.training.epochs=3"


@pytest.mark.parametrize(
    ("vary", "files", "said"),
    [
        ((), (), "nothing varies"),
        (("candidates.k",), (), "expected KEY=V1,V2"),
        (("candidates.k=",), (), "expected KEY=V1,V2"),
        (("candidates.k=4,many",), (), "run k=many: setting 'candidates.k'"),
        (("candidates.kk=4",), (), "there is no such setting"),
        (("seed=1", "seed=2"), (), "'seed' varies twice"),
        (("seed=1,2,1",), (), "would be called seed=1"),
        (("ranking.model=a/b,a_b",), (), "would be called model=a_b"),
        (("seed=1,1.0",), (), "runs seed=1 and seed=1.0 have the same settings"),
        ((), ("mine",), "expected NAME=FILE.toml"),
        ((), ("../up=preset:sandbox",), "with a NAME for a folder"),
        ((), ("mine=preset:none",), "run mine: no preset 'none'"),
        ((), ("mine=/no/such.toml",), "no settings file"),
    ],
)
def test_mistakes_are_found_before_anything_runs(
    vary: tuple[str, ...], files: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        planned(tmp_path, *vary, files=files)


# --- what runs may share ------------------------------------------------------------------------------------------


def steps_shared(*overrides: str, recipe: str = "llm-reference") -> list[str]:
    known = recipe_named(recipe)
    one, other = (load_settings(known.settings, recipe, overrides=given) for given in ((), overrides))
    return [step for stage in shared(known.stages, one, other) for step in stage.steps]


def test_what_a_changed_setting_leaves_to_share() -> None:
    everything = ["targets", "warm-up", "candidates", "ranking", "contrast", "imitation", "reranker"]
    assert steps_shared("evaluation.n=4") == everything
    # The twin depends on no ranking, as far as settings tell.
    assert steps_shared("contrast.loss.rank_weight=1") == [*everything[:4], "imitation", "reranker"]
    assert steps_shared("contrast.training.learning_rate=1") == [*everything[:4], "reranker"]
    assert steps_shared("reranker.pool=mean") == everything[:6]
    assert steps_shared("ranking.passes=4") == [*everything[:3], "imitation"]
    assert steps_shared("candidates.k=4") == [*everything[:2], "imitation"]
    assert steps_shared("candidates.documents=7") == everything[:2]
    for setting in ("candidates.unseen=5", "warm_up.label_smoothing=0.2", "start.size=mini"):
        assert steps_shared(setting) == everything[:1], setting
    for setting in ("targets.max_tokens=5", "data.valid_documents=5", "seed=2"):
        assert steps_shared(setting) == [], setting


def test_methods_of_learning_from_comparisons_are_shared_apart() -> None:
    before = ["supervised", "candidates", "feedback", "reward"]
    recipe = "human-feedback"
    assert steps_shared("reinforcement.online.beta=0.1", recipe=recipe) == [*before, "rejection"]
    assert steps_shared("rejection.training.epochs=2", recipe=recipe) == [*before, "ppo", "rloo"]
    assert steps_shared('improve=["rloo"]', recipe=recipe) == [*before, "ppo", "rloo", "rejection"]
    assert steps_shared("reward.held_out=0.2", recipe=recipe) == before[:3]
    assert steps_shared("feedback.judge=rouge", recipe=recipe) == before[:2]
    assert steps_shared("start.size=mini", recipe=recipe) == []


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_setting_that_trains_is_named_by_a_stage(recipe: Recipe) -> None:
    named = {name.split(".")[0] for stage in recipe.stages for name in stage.settings}
    assert set(recipe.settings.model_fields) - named <= {"evaluation", "improve"}
