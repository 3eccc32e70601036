"""The reward model of a recipe: shifted to its references, and one or all of several seeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from precis.judges.ensemble import EnsembleJudge
from precis.judges.length import LengthJudge
from precis.judges.reward import RewardJudge
from precis.models import init_model
from precis.recipes import steps
from precis.recipes.steps.rewards import load_reward_judge
from precis.recipes.workspace import Workspace, open_workspace
from precis.records import Candidate, Document, Group, Maker
from precis.selection import Selection, pairs_from_scores
from precis.training.run_folder import read_result
from test_recipes import settings
from tiny import TEXTS

HAND, PERSON = Maker("annotator", "hand"), Maker("reference", "hand")


def by_hand(text: str, shorter: str, longer: str, reference: str) -> Group:
    document = Document(text)
    candidates = tuple(Candidate(document.id, own, HAND) for own in (shorter, longer))
    group = Group(document, candidates, (Candidate(document.id, reference, PERSON),))
    return replace(group, judgements=tuple(LengthJudge().judge([group])[0]))


GROUPS = [
    by_hand(f"{text} {number}.", text[:20], text[:60], text[10:40]) for number in range(4) for text in TEXTS
]  # fmt: skip


@pytest.fixture
def pairs() -> Selection:
    return pairs_from_scores(GROUPS, LengthJudge().info)


def opened(tmp_path: Path) -> tuple[steps.Writer, steps.RewardSettings]:
    init_model(tmp_path / "policy", TEXTS, size="tiny", vocab_size=300)
    start = steps.StartSettings(template="separator", max_prefix_tokens=100)
    configured = settings(tmp_path, "reward.training.max_steps=3", "reward.training.learning_rate=1e-3").reward
    return steps.load_writer(tmp_path / "policy", start, to_train=True), configured


def train(work: Workspace, writer: steps.Writer, pairs: Selection, reward: steps.RewardSettings) -> object:
    return steps.train_reward_model(work, writer, pairs, reward, seed=5)


def test_the_references_of_the_training_documents_average_0(tmp_path: Path, pairs: Selection) -> None:
    writer, reward = opened(tmp_path)
    with open_workspace(tmp_path / "work", settings(tmp_path)) as work:
        judge = train(work, writer, pairs, reward)
    assert isinstance(judge, RewardJudge)
    training = pairs.groups[round(reward.held_out * len(pairs.groups)) :]
    asked = [Group(group.source, group.references) for group in training]
    said = [judgement.value for group in judge.judge(asked) for judgement in group]  # type: ignore[union-attr]
    assert len(said) == len(training) and sum(said) / len(said) == pytest.approx(0, abs=1e-3)
    assert max(said) - min(said) > 1e-3


def test_of_several_seeds_the_best_on_validation_is_kept_or_all_of_them(tmp_path: Path, pairs: Selection) -> None:
    writer, reward = opened(tmp_path)
    seeds = reward.model_copy(update={"seeds": (1, 2, 3), "held_out": 0.3})
    with open_workspace(tmp_path / "work", settings(tmp_path)) as work:
        best = train(work, writer, pairs, seeds)
        ensemble = train(work, writer, pairs, seeds.model_copy(update={"keep": "ensemble"}))
        names = [f"reward-{seed}" for seed in (1, 2, 3)]
        results = {name: read_result(work.training / name) for name in names}
        single = {name: load_reward_judge(work.models / name) for name in names}
    accuracies = {name: (result.best or result.validation)["accuracy"] for name, result in results.items() if result}
    assert isinstance(best, RewardJudge)
    assert best.info.id == single[max(names, key=lambda name: accuracies[name])].info.id
    assert len({judge.info.id for judge in single.values()}) == 3
    assert isinstance(ensemble, EnsembleJudge)
    own = [judge.judge(GROUPS[:1])[0][0].value for judge in single.values()]  # type: ignore[union-attr]
    assert ensemble.judge(GROUPS[:1])[0][0].value == pytest.approx(sum(own) / 3)  # type: ignore[union-attr]
