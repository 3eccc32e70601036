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
