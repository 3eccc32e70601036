"""The flow is one way (DESIGN §2): a module imports only from layers to its left, some rooms only what they must."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "precis"

# Left to right. Modules in one set may not import each other, unless they are one package.
LAYERS = [
    {"errors", "leftovers"},
    {"records", "progress"},
    {"textmetrics"},
    {"store", "data", "render", "sandbox", "endpoint"},
    {"models"},
    {"logprobs"},
    {"sampling", "judges"},
    {"selection"},
    {"objectives"},
    {"training"},
    {"evaluation"},
    {"report"},
    {"recipes"},
    {"cli"},
]
RANK = {room: rank for rank, layer in enumerate(LAYERS) for room in layer}
ONE_PACKAGE = {frozenset({"data", "store"})}
# What training code must not load, so that it runs on a bare GPU box (DESIGN §11).
NOT_IN_TRAINING = {"pydantic", "sqlalchemy", "jinja2", "typer", "fastapi"}
TRAINING_ROOMS = {
    "records", "errors", "leftovers", "progress", "render", "models", "logprobs", "objectives", "training",
}  # fmt: skip
ONLY = {
    "sandbox": {"records", "errors", "sandbox"},
    "endpoint": {"records", "errors", "progress", "endpoint"},
    "label": {"records", "store", "errors", "label"},
}

MODULES = sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[tuple[str, str]]:
    """(top package, room) of every import in the file, those inside functions and TYPE_CHECKING included."""
    package = ("precis", *path.relative_to(ROOT).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = base + (node.module.split(".") if node.module else [])
            # `from . import x` and `from precis import x` name the room in the alias.
            names = [".".join([*module, alias.name]) for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            found.add((parts[0], parts[1] if parts[0] == "precis" and len(parts) > 1 else ""))
    return found


def test_every_room_has_a_place() -> None:
    rooms = {room_of(path) for path in MODULES} - {"__init__", "__main__"}
    assert rooms <= set(RANK), f"give {rooms - set(RANK)} a layer here and in docs/structure.md"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_left(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    rooms = {name for package, name in imports_of(path) if package == "precis" and name in RANK} - {room}
    wrong = {name for name in rooms if RANK[name] >= RANK[room] and frozenset({name, room}) not in ONE_PACKAGE}
    assert not wrong, f"{room} imports {wrong}, which lie to its right"
    if room in ONLY:
        assert rooms <= ONLY[room]


@pytest.mark.parametrize(
    "path", [p for p in MODULES if room_of(p) in TRAINING_ROOMS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_training_runs_without_web_database_and_settings(path: Path) -> None:
    assert not {package for package, _ in imports_of(path)} & NOT_IN_TRAINING
