"""Documents and their reference summaries, by split."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from ... import sandbox
from ...data import import_into
from ...errors import UserError
from ...records import Group
from ..settings import Settings
from ..workspace import Workspace, announce

# How many documents the sandbox makes where the settings do not say.
SANDBOX_DOCUMENTS = {"train": 2000, "valid": 200, "test": 200}


class DataSettings(Settings):
    """Where the documents come from."""

    kind: str = "sandbox"
    """A format that `precis import` reads, or `sandbox` for generated documents."""
    train: str = ""
    """File or folder of the training documents."""
    valid: str = ""
    """File or folder of the validation documents; without it a share of the training documents."""
    test: str = ""
    """File or folder of the documents to evaluate on."""
    columns: dict[str, str] = Field(default_factory=dict)
    """For tables: role = column."""
    train_documents: int | None = Field(default=None, ge=1)
    """Use the first so many; for the sandbox, make so many."""
    valid_documents: int = Field(default=200, ge=1)
    """As many validation documents at most."""
    test_documents: int | None = Field(default=None, ge=1)
    """As many test documents at most."""


@dataclass(frozen=True)
class Documents:
    """Groups with references and without candidates, by split."""

    train: list[Group]
    valid: list[Group]
    test: list[Group]


def load_documents(work: Workspace, settings: DataSettings, *, seed: int) -> Documents:
    """Import or generate the documents. A text that stands in two splits stays in the one that is evaluated later."""
    found: dict[str, list[str]] = {}
    wanted = {"train": settings.train_documents, "valid": settings.valid_documents, "test": settings.test_documents}
    for split, limit in wanted.items():
        if settings.kind == "sandbox":
            made = sandbox.documents(limit or SANDBOX_DOCUMENTS[split], seed=seed, split=split)
            texts = list(made)
            work.store.add_documents(texts)
            work.store.add_candidates([sandbox.reference_summary(document, seed=seed) for document in texts])
            found[split] = [document.id for document in texts]
            continue
        path = getattr(settings, split)
        if not path:
            if split == "valid":
                continue
            raise UserError(f"setting 'data.{split}' is missing: name the file of the {split} documents")
        met: list[str] = []
        report = import_into(
            work.store, settings.kind, path, columns=settings.columns, dataset=settings.kind, split=split, met=met
        )
        announce("  " + str(report).replace("\n", "\n  "))
        # What this file holds, whatever else a shared store has under the same name.
        found[split] = list(dict.fromkeys(met))[:limit]
    if "valid" not in found:
        # Of what is not tested: a file that begins with test documents would leave none to validate on.
        tested = set(found["test"])
        left = [name for name in found["train"] if name not in tested]
        found["valid"] = left[: min(settings.valid_documents, len(left) // 10)]
        taken = set(found["valid"])
        found["train"] = [name for name in found["train"] if name not in taken]
    evaluated: set[str] = set()
    groups: dict[str, list[Group]] = {}
    for split in ("test", "valid", "train"):
        ids = [name for name in found[split] if name not in evaluated]
        if len(ids) < len(found[split]):
            left_out = len(found[split]) - len(ids)
            announce(f"  {left_out:,} {split} documents stand in a later split too and are left out")
        evaluated.update(ids)
        groups[split] = work.store.groups(source_ids=ids, maker_ids=()) if ids else []
        if not ids:
            raise UserError(f"there are no {split} documents")
    announce("  " + ", ".join(f"{len(groups[split]):,} {split}" for split in ("train", "valid", "test")) + " documents")
    return Documents(groups["train"], groups["valid"], groups["test"])
