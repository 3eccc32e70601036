"""The docstrings of installed Python packages: a real corpus on every machine.

A docstring's first line is the reference summary, the rest the document (PEP 257 asks for just that). Files are parsed,
never imported.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path

from ..errors import UserError
from ..records import Document, check_text
from .files import reading
from .rows import Record, reference

# Shorter documents hold nothing to summarize; shorter first lines are headings ("Notes", "TODO.").
MIN_DOCUMENT_CHARACTERS = 200
MIN_SUMMARY_WORDS = 3
_EVERYTHING = ("all", "installed")
_BLOCKS = (ast.stmt, ast.ExceptHandler, ast.match_case)


def read(packages: str, *, dataset: str, split: str | None, counts: Counter[str]) -> Iterator[Record]:
    """Documents and reference summaries from `packages`: names between commas, `stdlib`, a folder, or `all` installed.

    A module's docstrings share a split (90% train, 5% valid, 5% test by the hash of the module's name), and a text
    occurs once, so no text is in two splits; `split` overrules that. `counts` receives what was dropped, by reason.
    Raises `UserError` for a package that is not there.
    """
    roots = [root for name in packages.split(",") if name.strip() for root in _roots(name.strip())]
    if not roots:
        raise UserError("name packages, such as docstrings numpy,scipy; `all` takes every installed one")
    return _records(roots, dataset, split, counts)


def _records(roots: list[tuple[str, Path]], dataset: str, split: str | None, counts: Counter[str]) -> Iterator[Record]:
    seen: set[str] = set()
    files: set[Path] = set()
    keys: Counter[str] = Counter()
    for package, root in roots:
        for file in _python_files(root):
            if file in files:
                continue
            files.add(file)
            module = ".".join([package, *file.relative_to(root).with_suffix("").parts]) if file != root else package
            module = module.removesuffix(".__init__")
            for name, docstring in _docstrings(file, counts):
                counts["rows"] += 1
                first, _, rest = docstring.partition("\n")
                summary, text = first.strip(), rest.strip()
                if why := _unfit(summary, text, seen):
                    counts[f"dropped: {why}"] += 1
                    continue
                seen.add(text)
                key = f"{module}:{name}" if name else module
                keys[key] += 1  # overloads and properties define a name more than once
                document = Document(
                    text,
                    key=key if keys[key] == 1 else f"{key}#{keys[key]}",
                    dataset=dataset,
                    split=split if split is not None else split_of_module(module),
                    meta={"package": package},
                )
                yield document
                yield reference(document, summary)


def split_of_module(module: str) -> str:
    """The split of all docstrings of a module: the same on every machine."""
    place = int.from_bytes(hashlib.sha256(module.encode("utf-8", "surrogateescape")).digest()[:8]) % 100
    return "train" if place < 90 else "valid" if place < 95 else "test"


def _unfit(summary: str, text: str, seen: set[str]) -> str | None:
    """Why a docstring makes no document; None if it does."""
    if len(text) < MIN_DOCUMENT_CHARACTERS:
        return "nothing, or little, after the first line"
    if len(summary.split()) < MIN_SUMMARY_WORDS:
        return "first line too short for a summary"
    if text in seen:
        return "the same text again"
    try:
        check_text(text, "document")
        check_text(summary, "summary")
    except UserError:
        return "text that cannot be stored"
    return None


def _docstrings(file: Path, counts: Counter[str]) -> Iterator[tuple[str, str]]:
    """Qualified name and docstring of a file's module (named ""), classes and functions, in their order."""
    try:
        with reading(file) as stream:
            source = stream.read()
    except UserError:
        counts["dropped: file that may not be read"] += 1
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other people's invalid escapes
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        counts["dropped: file that is no valid Python"] += 1
        return
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        prefix, node = waiting.pop()
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            prefix = f"{prefix}.{node.name}".lstrip(".") if not isinstance(node, ast.Module) else prefix
            if docstring := ast.get_docstring(node):
                yield prefix, docstring
        # Definitions stand among statements; looking into expressions too would take most of the time.
        inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, _BLOCKS)]
        waiting += [(prefix, child) for child in reversed(inner)]


def _roots(name: str) -> list[tuple[str, Path]]:
    """(package, its folder or file) for one word of the user's."""
    folder = Path(name)
    if ("/" in name or "\\" in name) and folder.is_dir():
        return [(folder.resolve().name, folder)]
    if name in _EVERYTHING:
        names = sorted(name for name in metadata.packages_distributions() if name.isidentifier())
        return [root for name in names for root in _found(name)]
    if name == "stdlib":
        names = sorted(name for name in sys.stdlib_module_names if not name.startswith("_"))
        return [root for name in names for root in _found(name, sysconfig.get_path("stdlib"))]
    if found := _found(name):
        return found
    raise UserError(
        f"there is no installed package {name!r} with Python files; name a package, `stdlib`, `all` or a folder"
    )


def _found(name: str, *places: str) -> list[tuple[str, Path]]:
    """Where a package's Python files are, without importing it; none for a built-in or compiled one."""
    try:
        spec = PathFinder.find_spec(name, list(places) or None)
    except (ImportError, ValueError, AttributeError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations:
        return [(name, Path(place)) for place in sorted(spec.submodule_search_locations) if Path(place).is_dir()]
    return [(name, Path(spec.origin))] if spec.origin and spec.origin.endswith(".py") else []


def _python_files(root: Path) -> list[Path]:
    return [root] if root.is_file() else sorted(root.rglob("*.py"))
