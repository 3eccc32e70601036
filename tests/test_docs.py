"""The docs say what the program does: the command reference is current, and every setting and command is documented."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from precis.sandbox.base import base_model

ROOT = Path(__file__).parent.parent


def generator() -> object:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["cli.md", "settings.md"])
def test_generated_pages_are_current(page: str) -> None:
    if page == "cli.md" and f"typer=={version('typer')}\n" not in (ROOT / "constraints.txt").read_text("utf-8"):
        pytest.skip("docs/cli.md shows the help as the typer of constraints.txt writes it")
    pages: dict[str, Callable[[], str]] = generator().PAGES  # type: ignore[attr-defined]
    assert (ROOT / "docs" / page).read_text("utf-8") == pages[page](), "run make docs"


def test_every_command_is_in_the_reference() -> None:
    from precis.cli import app

    names = {command.name for command in app.registered_commands}
    for group in app.registered_groups:
        assert group.typer_instance is not None
        names |= {f"{group.name} {command.name}" for command in group.typer_instance.registered_commands}
    assert names == set(generator().COMMANDS)  # type: ignore[attr-defined]


def test_every_setting_says_what_it_is() -> None:
    from precis.recipes.human_feedback import HumanFeedback

    def undocumented(schema: dict[str, object]) -> list[str]:
        properties = schema.get("properties", {})
        assert isinstance(properties, dict)
        return [name for name, entry in properties.items() if not entry.get("description")]

    schema = HumanFeedback.model_json_schema()
    definitions = schema["$defs"]
    missing = {"HumanFeedback": undocumented(schema)}
    missing |= {name: undocumented(entry) for name, entry in definitions.items()}
    assert not {name: fields for name, fields in missing.items() if fields}


def test_the_base_models_record_is_what_the_docs_say() -> None:
    facts = json.loads((base_model() / "training.json").read_text("utf-8"))
    page = (ROOT / "docs" / "sandbox.md").read_text("utf-8")
    loss = f"{facts['validation']['nll']:.3f} nats"
    megabytes = f"{facts['bytes'] / 1e6:.1f} MB"
    minutes = f"{facts['seconds'] / 60:.0f} min"
    counts = [f"{facts[name]:,}" for name in ("parameters", "documents", "steps", "tokens")]
    for said in (loss, megabytes, minutes, f"--documents {facts['documents']}", *counts):
        assert said in page, f"{said} is not in docs/sandbox.md: write down the new base model's record"
    assert facts["bytes"] <= 15_000_000


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
