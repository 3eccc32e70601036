"""The parts of training that need no model: settings, schedules, batches, guards, files."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from precis.errors import UserError
from precis.objectives import nll, pairwise_logistic
from precis.records import Preference
from precis.render import TokenGroup
from precis.training import DEFAULT_GUARDS, Guard, TrainConfig
from precis.training.batches import Example, epoch_batches, fingerprint, fixed_batches, learnable, steps_of
from precis.training.checkpoint import checkpoints, load_state, load_tensors, prune, save_checkpoint
from precis.training.metrics import MetricsFile, add_sums, means
from precis.training.randomness import random_state, same_afterwards, seed_everything, set_random_state
from precis.training.run_folder import begin, sole_user
from precis.training.schedule import rate_factor
from training_toys import some_examples


def test_settings_and_guards_load_without_torch() -> None:
    code = "import sys, precis.training; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- settings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"betas": (0.9, 1.0)},
        {"optimizer": "sgd"},
        {"tokens_per_batch": 0},
        {"max_steps": 0},
        {"warmup_steps": 3, "warmup_fraction": 0.1},
        {"schedule": "inverse-sqrt"},
        {"ema": 1.0},
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError, match="|".join(wrong) + "|warm-up"):
        TrainConfig(**wrong)  # type: ignore[arg-type]


def test_pydantic_can_embed_the_settings_and_refuses_unknown_ones() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Recipe(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        training: TrainConfig = TrainConfig()

    found = Recipe.model_validate({"training": {"learning_rate": 0.5, "betas": [0.8, 0.9]}}).training
    assert (found.learning_rate, found.betas) == (0.5, (0.8, 0.9))
    with pytest.raises(pydantic.ValidationError, match="learning_rat"):
        Recipe.model_validate({"training": {"learning_rat": 0.5}})


def test_only_settings_that_change_no_weight_may_change_on_resume() -> None:
    fixed = TrainConfig().result_settings()
    assert not {"checkpoint_every", "checkpoint_minutes", "keep_checkpoints", "log_every", "trackers"} & set(fixed)
    assert {"learning_rate", "seed", "tokens_per_batch", "evaluate_every", "max_steps"} <= set(fixed)


# --- schedules --------------------------------------------------------------------------------------------------


def test_inverse_sqrt_is_the_papers_formula() -> None:
    # Liu et al. 2023: at s = 1, w, 4w the rate is m·w^-1.5, m/√w, m/(2√w)
    config = TrainConfig(schedule="inverse-sqrt", warmup_steps=100)
    factors = [rate_factor(step, 10_000, config) for step in (1, 100, 400)]
    assert factors == pytest.approx([1e-3, 0.1, 0.05])


def test_warm_up_then_decay_by_hand() -> None:
    linear = TrainConfig(schedule="linear", warmup_steps=2, final_fraction=0.5)
    # rises 1/2, 1; then falls towards 0.5, which would come after the last step: 1 - 0.5·(1/3), 1 - 0.5·(2/3)
    assert [rate_factor(s, 4, linear) for s in (1, 2, 3, 4)] == pytest.approx([0.5, 1.0, 5 / 6, 2 / 3])
    cosine = TrainConfig(schedule="cosine")
    assert [rate_factor(s, 3, cosine) for s in (1, 2, 3)] == pytest.approx([1.0, 0.75, 0.25])
    constant = TrainConfig(schedule="constant", warmup_fraction=0.25)
    assert [rate_factor(s, 8, constant) for s in (1, 2, 3, 8)] == pytest.approx([0.5, 1.0, 1.0, 1.0])


@given(
    st.sampled_from(["constant", "linear", "cosine", "inverse-sqrt"]), st.integers(1, 40), st.integers(1, 60), st.data()
)
def test_every_step_has_a_positive_rate_of_at_most_the_peak(
    name: str, warmup: int, total: int, data: st.DataObject
) -> None:
    step = data.draw(st.integers(1, total))
    factor = rate_factor(step, total, TrainConfig(schedule=name, warmup_steps=warmup))  # type: ignore[arg-type]
    assert 0 < factor <= 1


# --- batches ----------------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(1, 300), max_size=200),
    st.integers(50, 400),
    st.one_of(st.none(), st.integers(1, 7)),
    st.integers(0, 5),
)
def test_an_epoch_has_every_example_once_within_the_budget(
    lengths: list[int], tokens: int, groups: int | None, epoch: int
) -> None:
    def make(epoch: int) -> list[list[int]]:
        return epoch_batches(lengths, tokens_per_batch=tokens, groups_per_batch=groups, seed=3, epoch=epoch)

    for batches in (make(epoch), fixed_batches(lengths, tokens_per_batch=tokens, groups_per_batch=groups)):
        assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
        assert all(batches)
        assert all(len(b) == 1 or sum(lengths[i] for i in b) <= tokens for b in batches)
        assert all(groups is None or len(batch) <= groups for batch in batches)
    assert make(epoch) == make(epoch)


def test_epochs_and_seeds_differ_in_order_and_in_company() -> None:
    draw = random.Random(0)
    lengths = [draw.randint(20, 400) for _ in range(2000)]

    def make(seed: int, epoch: int) -> list[list[int]]:
        return epoch_batches(lengths, tokens_per_batch=4096, groups_per_batch=None, seed=seed, epoch=epoch)

    first, second, other = make(0, 0), make(0, 1), make(1, 0)
    together = [{frozenset(batch) for batch in batches} for batches in (first, second, other)]
    assert not together[0] & together[1]
    assert not together[0] & together[2]
    # Companions are of similar length, and batches are well filled.
    spread = [max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in first]
    assert sorted(spread)[len(spread) // 2] < 60
    assert len(first) <= 1.08 * sum(lengths) / 4096 + 1


def test_the_last_step_of_an_epoch_has_what_is_left() -> None:
    assert steps_of([[0], [1], [2], [3], [4]], 2) == [[[0], [1]], [[2], [3]], [[4]]]


def test_groups_with_nothing_to_learn_are_left_out_and_all_of_them_is_a_mistake() -> None:
    examples = some_examples(3, candidates=2)
    tied = Example(examples[1].tokens)
    worthless = Example(examples[2].tokens, (Preference(0, 1, weight=0.0),))
    assert learnable([examples[0], tied, worthless], pairwise_logistic(), "training") == [examples[0]]
    assert len(learnable([examples[0], tied], nll(), "training")) == 2
    with pytest.raises(UserError, match="none of the 1 training examples has anything that pairwise can learn"):
        learnable([tied], pairwise_logistic(), "training")
    with pytest.raises(UserError, match="no training examples"):
        learnable([], nll(), "training")


@pytest.mark.parametrize(
    "wrong",
    [
        Example(TokenGroup("s", (3,), ((2,),)), (Preference(0, 1),)),
        Example(TokenGroup("s", (3,), ((2,), (4,))), (Preference(0, 1, weight=math.nan),)),
        Example(TokenGroup("s", (3,), ((2,), (4,))), (Preference(0, 1, margin=math.inf),)),
        Example(TokenGroup("s", (3,), ((2,),)), (), (0, 1)),
    ],
)
def test_malformed_examples_are_named(wrong: Example) -> None:
    with pytest.raises(UserError, match="source s"):
        learnable([wrong], nll(), "training")


def test_a_fingerprint_changes_with_any_token_preference_and_order() -> None:
    a, b = some_examples(2, candidates=2)
    moved = TokenGroup(a.tokens.source_id, a.tokens.prefix_ids[:-1], a.tokens.continuations)
    variants: list[Sequence[Example]] = [
        [a, b],
        [b, a],
        [a],
        [Example(moved, a.preferences), b],
        [Example(a.tokens, (Preference(1, 0),)), b],
        [Example(a.tokens, (Preference(0, 1, margin=0.1),)), b],
        [Example(a.tokens, a.preferences, (0, 1)), b],
    ]
    assert len({fingerprint(variant) for variant in variants}) == len(variants)
    assert fingerprint([a, b]) == fingerprint(list(some_examples(2, candidates=2)))


# --- guards -----------------------------------------------------------------------------------------------------


def trips_at(guard: Guard, values: Sequence[float]) -> int | None:
    """After how many values the guard trips; its memory passes through JSON, as in a resumed run."""
    memory: object = {}
    for number, value in enumerate(values, 1):
        memory, reason = guard.look(json.loads(json.dumps(memory)), {guard.metric: value})
        if reason:
            return number
    return None


def test_bounds_and_patience() -> None:
    assert trips_at(Guard("entropy", low=0.5, patience=3), [1, 0.4, 0.4, 0.6, 0.4, 0.4, 0.4]) == 7
    assert trips_at(Guard("kl", high=10), [1, 9.9, 10.1]) == 3
    assert trips_at(Guard("kl", high=10), [1, math.nan]) == 2
    assert Guard("kl", high=10).look({}, {"loss": 99.0}) == ({}, None)


def test_collapses_that_were_seen_in_the_papers_trip() -> None:
    # BRIO#9: mean scores went from -0.25 to -1.14 while outputs became a single full stop.
    scores = [-0.25 + 0.01 * (i % 3) for i in range(20)] + [-0.25 - 0.03 * i for i in range(30)]
    assert trips_at(Guard("score", fall=2.0, patience=2), scores) is not None
    lengths = [40.0 + i % 5 for i in range(20)] + [40 - 2.0 * i for i in range(20)]
    tripped = trips_at(Guard("length", fall=0.5, rise=1.0), lengths)
    assert tripped is not None
    assert lengths[tripped - 1] < 21
    assert trips_at(Guard("length", fall=0.5, rise=1.0), [40.0 + i % 5 for i in range(200)]) is None


def test_the_default_guards_see_an_explosion_and_forgive_a_bad_batch() -> None:
    (guard,) = DEFAULT_GUARDS
    draw = random.Random(0)
    healthy = [2.5 * math.exp(-i / 300) + 1 + draw.gauss(0, 0.2) for i in range(600)]
    assert trips_at(guard, healthy) is None
    assert trips_at(guard, [*healthy[:300], 9.0, *healthy[300:]]) is None
    assert trips_at(guard, [*healthy, *[9.0] * 30]) == 610
    # A reward model that fits well: its loss jumps about near zero.
    assert trips_at(guard, [abs(draw.gauss(0, 0.02)) for _ in range(500)]) is None


# --- files ------------------------------------------------------------------------------------------------------


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    tensors = {
        "weights": {"a.b": torch.randn(3, 2), "c": torch.ones(3, 2).mT},
        "optimizer": {"0.step.c": torch.tensor(4.0)},
    }
    path = save_checkpoint(tmp_path, 7, tensors, {"step": 7, "loss": 0.1 + 0.2})
    assert checkpoints(tmp_path) == [(7, path)]
    assert load_state(path) == {"step": 7, "loss": 0.1 + 0.2}
    for name, content in tensors.items():
        found = load_tensors(path, name)
        assert found.keys() == content.keys()
        assert all(torch.equal(found[key], content[key]) for key in content)
    assert load_tensors(path, "average") == {}


def test_a_damaged_checkpoint_is_passed_over_and_leftovers_are_swept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, {"weights": {"a": torch.ones(10)}}, {"step": step})
    weights = tmp_path / "step-00000003" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    (tmp_path / ".writing-step-00000004").mkdir()
    assert [step for step, _ in checkpoints(tmp_path)] == [1, 2]
    prune(tmp_path, {2})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]


def test_a_file_that_the_system_refuses_to_grow_is_a_sentence(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    save_checkpoint(tmp_path, 1, {"weights": {"a": torch.ones(10)}}, {"step": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(UserError, match="checkpoint of step 2 could not be written"):
            save_checkpoint(tmp_path, 2, {"weights": {"a": torch.ones(10_000)}}, {"step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert [step for step, _ in checkpoints(tmp_path)] == [1]


def test_metrics_continue_where_the_checkpoint_stood(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    first = MetricsFile(path, 0)
    first.write({"step": 1, "loss": 0.5})
    position = first.position()
    first.write({"step": 2, "loss": math.nan})
    first.close()
    with path.open("ab") as file:
        file.write(b'{"step": 3, "lo')  # killed in the middle of a line
    again = MetricsFile(path, position)
    again.write({"step": 2, "loss": math.inf})
    again.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": None},
    ]
    with pytest.raises(UserError, match="shorter"):
        MetricsFile(path, 10_000)


def test_sums_add_up_and_what_was_never_counted_has_no_mean() -> None:
    total = add_sums({"nll": (6.0, 3.0)}, {"nll": (2.0, 1.0), "accuracy": (0.0, 0.0)})
    assert means(total) == {"nll": 2.0}


def test_randomness_is_read_out_and_put_back() -> None:
    import numpy as np

    def drawn() -> list[float]:
        return [random.random(), float(np.random.random()), float(torch.rand(()))]  # noqa: NPY002

    seed_everything(5)
    state = json.loads(json.dumps(random_state()))
    first = drawn()
    set_random_state(state)
    with same_afterwards():
        assert drawn() == first
    assert drawn() == first
    seed_everything(5, process=1)
    assert drawn()[2] != first[2]


def test_a_run_folder_belongs_to_one_training_and_one_process(tmp_path: Path) -> None:
    identity = {"settings": {"learning_rate": 0.1, "betas": [0.9, 0.99]}, "examples": "abc"}
    begin(tmp_path / "run", {**identity, "examples": "mended since"}, resume=False)
    begin(tmp_path / "run", identity, resume=False)
    save_checkpoint(tmp_path / "run" / "checkpoints", 0, {"weights": {"a": torch.ones(1)}}, {})
    begin(tmp_path / "run", identity, resume=True)
    with pytest.raises(UserError, match="already holds a training"):
        begin(tmp_path / "run", identity, resume=False)
    other = {"settings": {"learning_rate": 0.2, "betas": [0.9, 0.99]}, "examples": "abd"}
    with pytest.raises(UserError, match=r"examples.*learning_rate.*0\.1.*0\.2"):
        begin(tmp_path / "run", other, resume=True)
    with (
        sole_user(tmp_path / "run"),
        pytest.raises(UserError, match="another process"),
        sole_user(tmp_path / "run"),
    ):
        pass
    with sole_user(tmp_path / "run"):
        pass


def test_a_folder_that_cannot_be_one_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match="cannot be used"):
        begin(tmp_path / "file" / "run", {}, resume=False)
    with pytest.raises(UserError, match="could not be written"):
        save_checkpoint(tmp_path / "file", 1, {"weights": {"a": torch.ones(1)}}, {})
