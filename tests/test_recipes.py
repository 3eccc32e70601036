"""Each recipe whole, in small: two steps of training, a tiny model, a complete run folder; killed, it resumes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from precis.errors import UserError
from precis.evaluation.optimization.frontier import read_observations
from precis.recipes import human_feedback, steps
from precis.recipes.settings import check_unchanged, load_settings, presets, save_settings
from precis.recipes.workspace import open_workspace
from precis.report.contents import Table
from precis.report.write import read_report
from precis.sampling.decoding import Decoding
from precis.store import Store
from precis.training.run_folder import read_result

SMALL = """
improve = ["ppo", "rloo", "rejection"]
[data]
kind = "sandbox"
train_documents = 12
valid_documents = 4
test_documents = 6
[start]
model = "init"
size = "tiny"
vocab_size = 600
template = "separator"
max_prefix_tokens = 700
[supervised.training]
max_steps = 2
[candidates]
k = 3
decoding = {kind = "temperature", max_new_tokens = 12}
[feedback]
pairs_per_group = 2
[reward.training]
max_steps = 2
[reinforcement]
watch = 2
seeds = [1, 2]
[reinforcement.online]
iterations = 2
documents = 3
k = 2
max_new_tokens = 12
passes = 1
[rejection]
seeds = [1, 2]
[rejection.training]
max_steps = 1
[evaluation]
n = 3
"""


def settings(tmp_path: Path, *overrides: str) -> human_feedback.HumanFeedback:
    config = tmp_path / "small.toml"
    config.write_text(SMALL)
    return load_settings(human_feedback.HumanFeedback, "human-feedback", config=config, overrides=overrides)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    human_feedback.run(settings(folder), folder / "work", command="precis run human-feedback")
    return folder


def test_human_feedback_leaves_a_complete_folder(finished: Path) -> None:
    work = finished / "work"
    for name in ("config.json", "feedback.db", "times.json", "report.html", "outputs.jsonl", "evaluation.json"):
        assert (work / name).is_file(), name
    report = read_report(work / "report.json")
    assert report.run.seeds == (1,)
    assert set(report.run.seconds) >= {
        "documents",
        "supervised",
        "candidates",
        "feedback",
        "reward",
        "ppo",
        "rloo",
        "rejection",
        "test",
    }
    outputs = [json.loads(line) for line in (work / "outputs.jsonl").read_text().splitlines()]
    systems = {row["system"] for row in outputs}
    assert systems == {
        "Lead-3", "Longest-3", "supervised, greedy",
        *(f"{method}-{seed}, greedy" for method in ("ppo", "rloo", "rejection") for seed in (1, 2)),
        "random of 3", "best of 3 by reward", "best of 3 by oracle",
    }  # fmt: skip
    (policies,) = (section for section in report.sections if section.title == "Policies trained towards the reward")
    over_seeds = [block for block in policies.blocks if isinstance(block, Table)][1]
    assert {row.cells[0].value for row in over_seeds.rows} >= {
        f"{method} against random of 3" for method in ("ppo", "rloo", "rejection")
    }
    against = json.loads((work / "evaluation.json").read_text())["win_rates"]
    gold = {rate["system"] for rate in against if (rate["judge"], rate["against"]) == ("oracle", "supervised, greedy")}
    trained = {name for name in gold if name.startswith(("ppo", "rloo", "rejection"))}
    assert all(any(f", {name} " in f or f" of {name} " in f for f in report.findings) for name in trained)
    looks = sorted((work / "training" / "ppo-2" / "watch").iterdir())
    assert [path.name for path in looks] == [f"step-{step:08d}.jsonl" for step in (0, 1, 2)]
    rows = read_observations(looks)
    assert all(row.method == "ppo" and row.seed == "2" and row.gold is not None for row in rows)
    for name in ("ppo-1", "ppo-2", "ppo-2-value", "rloo-1", "rejection-2"):
        assert (work / "models" / name / "model.safetensors").is_file(), name
    # Imitation of the best leaves the references on purpose: what validation on these likes best is no reason to stay.
    rejected = read_result(work / "training" / "rejection-2")
    assert rejected is not None and rejected.kept_step == rejected.steps == 1
    with Store(work) as store:
        held = store.stats()
    assert held["judgements"]["by_judge"]["comparer"]["comparison"] > 0
    assert held["documents"]["by_dataset"]["sandbox"] == {"test": 6, "train": 12, "valid": 4}


def test_run_again_it_writes_and_judges_nothing_anew(finished: Path) -> None:
    work = finished / "work"
    with Store(work) as store:
        before = store.stats()
    weights = (work / "models" / "reward" / "model.safetensors").read_bytes()
    first = (work / "evaluation.json").read_bytes()
    human_feedback.run(settings(finished), work)
    with Store(work) as store:
        assert store.stats() == before
    assert (work / "models" / "reward" / "model.safetensors").read_bytes() == weights
    assert (work / "evaluation.json").read_bytes() == first


def test_a_run_with_other_settings_is_refused(finished: Path) -> None:
    with pytest.raises(UserError, match=r"other settings \(candidates.k\)"):
        human_feedback.run(settings(finished, "candidates.k=4"), finished / "work")


def test_a_run_of_before_a_setting_existed_goes_on_with_its_default(tmp_path: Path) -> None:
    small = settings(tmp_path)
    save_settings(small, tmp_path)
    before = json.loads((tmp_path / "config.json").read_text())
    del before["reward"]["keep"], before["evaluation"]["encoder"]
    (tmp_path / "config.json").write_text(json.dumps(before))
    check_unchanged(small, tmp_path)
    with pytest.raises(UserError, match=r"other settings \(reward.keep\)"):
        check_unchanged(settings(tmp_path, "reward.keep=ensemble"), tmp_path)
    # What only grades may change, so that a judge that was forgotten costs no run.
    check_unchanged(settings(tmp_path, "evaluation.encoder=folder", "evaluation.examples=3"), tmp_path)
    # A setting that is no more is a difference.
    (tmp_path / "config.json").write_text(json.dumps(before | {"gone": 1}))
    with pytest.raises(UserError, match="gone"):
        check_unchanged(small, tmp_path)


def test_two_processes_cannot_work_in_one_folder(tmp_path: Path) -> None:
    small = settings(tmp_path)
    with (
        open_workspace(tmp_path / "work", small),
        pytest.raises(UserError, match="is working in"),
        open_workspace(tmp_path / "work", small),
    ):
        pass


def test_naming_one_setting_of_a_part_leaves_the_papers_values_of_the_others() -> None:
    kind, own = human_feedback.HumanFeedback, human_feedback.HumanFeedback()
    overrides = [
        "supervised.training.epochs=3",
        "reinforcement.training.seed=5",
        "candidates.decoding.max_new_tokens=30",
    ]
    loaded = load_settings(kind, "human-feedback", overrides=overrides)
    assert loaded.supervised.training == replace(own.supervised.training, epochs=3)
    assert loaded.reinforcement.training == replace(own.reinforcement.training, seed=5)
    assert loaded.candidates.decoding == replace(own.candidates.decoding, max_new_tokens=30)
    assert load_settings(kind, "human-feedback") == own
    other = load_settings(kind, "human-feedback", overrides=['candidates.decoding={kind="beam", num_beams=8}'])
    assert other.candidates.decoding == Decoding("beam", num_beams=8), "0.7 was the temperature of another kind"
    said = ["candidates.decoding.num_beams=9", "candidates.decoding.kind=beam"]
    for overrides in (said, said[::-1]):
        assert load_settings(kind, "human-feedback", overrides=overrides).candidates.decoding.num_beams == 9


@pytest.mark.parametrize("name", presets("human-feedback"))
def test_presets_are_valid(name: str) -> None:
    loaded = load_settings(human_feedback.HumanFeedback, "human-feedback", preset=name)
    assert loaded.evaluation.n == 8


def test_of_several_learning_rates_the_best_on_validation_is_kept(tmp_path: Path) -> None:
    configured = settings(tmp_path, "supervised.learning_rates=[1e-9, 1e-2]", "supervised.training.max_steps=4")
    with open_workspace(tmp_path / "work", configured, None) as work:
        documents = steps.load_documents(work, configured.data, seed=1)
        start = steps.starting_writer(work, configured.start, documents, seed=1)
        policy = steps.supervise(work, start, documents.train, documents.valid, configured.supervised)
        assert policy.policy.path == work.models / "supervised-0.01"
        assert sorted(path.name for path in work.training.iterdir()) == ["supervised-0.01", "supervised-1e-09"]
        with pytest.raises(UserError, match="validation documents"):
            steps.supervise(work, start, documents.train, [], configured.supervised)


def test_wrong_settings_are_one_sentence(tmp_path: Path) -> None:
    cases = {
        "candidates.kk=4": "'candidates.kk': there is no such setting",
        "candidates.k=many": "'candidates.k': input should be a valid integer",
        "supervised.training.learning_rat=1": "'supervised.training.learning_rat': there is no such setting",
        "candidates.decoding.temprature=2": "'candidates.decoding.temprature': there is no such setting",
        "feedback.judge=nobody": "'feedback.judge': input should be",
        "nonsense": "expected key=value",
    }
    for override, said in cases.items():
        with pytest.raises(UserError) as error:
            settings(tmp_path, override)
        assert said in str(error.value)
    with pytest.raises(UserError, match="no preset 'x'"):
        load_settings(human_feedback.HumanFeedback, "human-feedback", preset="x")
    with pytest.raises(UserError, match="no settings file"):
        load_settings(human_feedback.HumanFeedback, "human-feedback", config=tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("a = [")
    with pytest.raises(UserError, match="not a TOML file"):
        load_settings(human_feedback.HumanFeedback, "human-feedback", config=tmp_path / "broken.toml")
