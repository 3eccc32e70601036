"""The supervised policy of a recipe: fine-tuned here, or a start that summarizes already."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from precis.errors import UserError
from precis.models import save_policy
from precis.recipes import steps
from precis.recipes.steps.documents import Documents
from precis.recipes.workspace import open_workspace
from test_recipe_rewards import GROUPS, opened
from test_recipes import settings


def test_a_training_that_kept_what_it_began_with_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer, _ = opened(tmp_path)
    configured = settings(tmp_path, "supervised.training.learning_rate=10.0").supervised
    with open_workspace(tmp_path / "work", settings(tmp_path)) as work:
        steps.supervise(work, writer, GROUPS, GROUPS[:2], configured)
    assert (
        "best on validation before its first step: the weights that it began with are kept" in capsys.readouterr().err
    )


def test_a_start_that_summarizes_already_is_taken_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is of another tool: a policy, and no word of its template but the setting's."""
    writer, _ = opened(tmp_path)
    given = tmp_path / "given"
    save_policy(writer.policy, given)
    configured = settings(tmp_path, f"start.model={given}", "start.template=separator", "start.fine_tuned=true")
    with open_workspace(tmp_path / "work", configured) as work:
        for _ in range(2):  # the second time it is there
            documents = Documents(train=GROUPS, valid=GROUPS[:2], test=GROUPS[:2])
            start = steps.starting_writer(work, configured.start, documents, seed=1)
            policy = steps.supervise(work, start, GROUPS, GROUPS[:2], configured.supervised, fine_tuned=True)
        assert not (work.training / "supervised").exists()
    assert capsys.readouterr().err.count("taken as it is") == 1
    assert policy.policy.path == tmp_path / "work" / "models" / "supervised"
    assert policy.renderer.template == start.renderer.template
    for before, after in zip(writer.policy.model.parameters(), policy.policy.model.parameters(), strict=True):
        assert torch.equal(before.to(after.dtype), after)
    for model in ("init", "sandbox", "warm:encoder"):
        with pytest.raises(UserError, match="has not learned to summarize"):
            settings(tmp_path, f"start.model={model}", "start.fine_tuned=true")


def test_every_learning_rate_is_asked_as_the_start_is(tmp_path: Path) -> None:
    """The start's folder says nothing of templates; the setting does."""
    writer, _ = opened(tmp_path)
    save_policy(writer.policy, tmp_path / "given")
    how = steps.StartSettings(model=str(tmp_path / "given"), template="separator", max_prefix_tokens=50)
    start = steps.load_writer(tmp_path / "given", how, to_train=True)
    configured = settings(tmp_path, "supervised.learning_rates=[1e-3, 1e-4]", "supervised.training.max_steps=1")
    with open_workspace(tmp_path / "work", configured) as work:
        policy = steps.supervise(work, start, GROUPS, GROUPS[:2], configured.supervised)
    assert policy.renderer.prompt_hash == start.renderer.prompt_hash


def test_a_template_that_was_guessed_is_announced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer, _ = opened(tmp_path)
    given = tmp_path / "given"
    save_policy(writer.policy, given)

    def said(settings: steps.StartSettings | None = None, **options: bool) -> str:
        steps.load_writer(given, settings, **options)
        return capsys.readouterr().err

    assert "this template is guessed: '{document}\\n\\nTL;DR:'. Name the model's own" in said()
    assert not said(steps.StartSettings(template="separator"))
    assert not said(to_train=True, learns_template=True)
    writer.renderer.save(given)
    assert not said()
