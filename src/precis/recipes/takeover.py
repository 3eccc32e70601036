"""What one run takes over from an earlier one: finished models, their candidates, and what was said of these.

What is taken over is what the run would have made itself: models of other settings, their candidates, and what a judge
said of other sets of candidates stay behind. Scores by judges that the run does not ask come along; it looks at none.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from ..evaluation.plain import write_json
from ..models import fingerprint_of
from ..records import Failure
from ..store import Store
from .settings import Settings, save_settings
from .stages import Stage
from .workspace import TAKEN, Taken, read_taken, read_times

# Written once, and then only ever replaced: such a file may stand in two folders at once.
LINKED = ".safetensors"
LEFT = shutil.ignore_patterns(".lock")


def take_over(source: Path, target: Path, stages: Sequence[Stage], settings: Settings) -> None:
    """Begin the workspace `target`, a new folder, with what `stages` left in the finished workspace `source`.

    Large files are hard links where the disk has them. Killed, it leaves no `target`. `taken.json` says which steps
    these are, in which run they were made, and how many seconds they took there.
    """
    begun = target.with_name(f".{target.name}.taking")
    shutil.rmtree(begun, ignore_errors=True)
    begun.mkdir()
    patterns = [pattern for stage in stages for pattern in stage.models]
    for room in ("models", "training"):
        for folder in _named(source / room, patterns):
            shutil.copytree(folder, begun / room / folder.name, copy_function=_link, ignore=LEFT)
    _share(source, begun, stages)
    before, seconds = read_taken(source), read_times(source)[1]
    taken = {
        step: before.get(step) or Taken(source.name, seconds[step])
        for stage in stages
        for step in stage.steps
        if step in before or step in seconds
    }
    write_json(begun / TAKEN, taken)
    save_settings(settings, begun)
    os.replace(begun, target)


def _named(room: Path, patterns: Iterable[str]) -> list[Path]:
    found = sorted(room.iterdir()) if room.is_dir() else []
    return [path for path in found if path.is_dir() and any(fnmatch(path.name, pattern) for pattern in patterns)]


def _link(file: str, target: str) -> str:
    if file.endswith(LINKED):
        try:
            os.link(file, target)
        except OSError:  # another disk, or one without links
            pass
        else:
            return target
    return shutil.copy2(file, target)


def _share(source: Path, target: Path, stages: Sequence[Stage]) -> None:
    """The documents, references and candidates of `stages`, and what was said of them.

    A score or rating is of one candidate, whatever else there is. A comparison or ranking is of a set, and which sets a
    run asks about follows from all its settings: only those of a stage with `orders` are taken over, and none of test
    documents. Failures are not: a run asks again.
    """
    writers = [pattern for stage in stages for pattern in stage.writers]
    own = {path: fingerprint_of(path) for path in _named(source / "models", ["*"]) if (path / "config.json").is_file()}
    wanted = {own[path] for path in _named(source / "models", writers) if path in own}
    unwanted = set(own.values()) - wanted
    orders = any(stage.orders for stage in stages)
    with Store(source, create=False) as before, Store(target) as store:
        store.add_documents(before.documents())
        tested = {document.id for document in before.documents(split="test")}
        candidates = [one for one in before.candidates() if one.maker.name not in unwanted]
        store.add_candidates(candidates)
        there = {candidate.id for candidate in candidates}
        store.add_judgements(
            judgement
            for judgement in before.judgements()
            if there.issuperset(judgement.candidate_ids)
            and not isinstance(judgement, Failure)
            and (len(judgement.candidate_ids) == 1 or (orders and judgement.source_id not in tested))
        )
