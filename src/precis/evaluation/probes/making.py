"""Probes of a judge that scores: edits of good summaries, of which we know what a good judge does with them.

Stiennon et al. 2020 (§4.3, tables 17–18) ask a reward model to tell reference summaries from edited ones. Most edits
here are mechanical (`edits`) and make a summary worse: roles swapped, sentences shuffled, the document's beginning
instead. Where the store holds people's improvements of a summary, those are probed too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from ...records import Document, Group
from ...sandbox import cheats, ideal_summary
from . import edits
from .edits import Edit, NoEdit

Good = Literal["reject", "prefer"]


@dataclass(frozen=True)
class Case:
    """A document with its reference summary, and another document's where there is one."""

    document: str
    title: str
    summary: str
    other_summary: str | None
    other_title: str | None


@dataclass(frozen=True)
class Probe:
    """An edit, what a good judge does with it (`reject`: score it below the original) and what the paper found."""

    name: str
    edit: Callable[[Case, Random], Edit]
    good: Good = "reject"
    paper: str = ""


@dataclass(frozen=True)
class Edited:
    """One edit of one text of a source."""

    probe: str
    source_id: str
    original: str
    text: str


@dataclass(frozen=True)
class Edits:
    """What to score. `left_out` counts, by probe and reason, the documents to which it does not apply."""

    edited: tuple[Edited, ...]
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def _of(text: str | None, why: str) -> Edit:
    return NoEdit(why) if text is None or not text.strip() else text


PROBES = (
    Probe(
        "roles swapped",
        lambda case, _: edits.swap_roles(case.summary, case.document),
        paper="rejected: 92.9% (1.3B), 97.2% (6.7B), with roles swapped by people",
    ),
    Probe("genders swapped", lambda case, _: edits.swap_genders(case.summary)),
    Probe(
        "sentences shuffled", lambda case, rng: edits.shuffle_sentences(case.summary, rng), paper="a probe of table 18"
    ),
    Probe(
        "another document's summary",
        lambda case, _: _of(case.other_summary, "no other document has a reference"),
        paper="a probe of table 18 (there, a random title)",
    ),
    Probe(
        "another document's title",
        lambda case, _: _of(case.other_title, "no other document has a title"),
        paper="a probe of table 18",
    ),
    Probe(
        "lead-2",
        lambda case, _: edits.first_units(case.document, 2),
        paper="a probe of table 18; on news, people prefer lead-3 to the references (6.23 to 5.54 of 7)",
    ),
    Probe("lead-3", lambda case, _: edits.first_units(case.document, 3), paper="as lead-2"),
    Probe(
        "3 random sentences", lambda case, rng: edits.random_units(case.document, 3, rng), paper="a probe of table 18"
    ),
    Probe(
        "title twice",
        lambda case, _: edits.title_twice(case.title, case.document),
        paper="the paper's models wrongly like it",
    ),
    Probe(
        "question appended",
        lambda case, _: edits.append_question(case.summary),
        paper='the paper\'s models wrongly like "What should I do?"',
    ),
    Probe("last sentence dropped", lambda case, _: edits.drop_last_sentence(case.summary)),
    Probe("clause dropped", lambda case, rng: edits.drop_clause(case.summary, rng)),
    Probe("cut off in the middle", lambda case, _: edits.cut_off(case.summary)),
    Probe("said twice", lambda case, _: edits.say_twice(case.summary)),
    Probe("empty", lambda *_: ""),
)
SANDBOX = "sandbox: "  # opens the names of probes that only the sandbox can make
IMPROVED, SHORTENED, IDEAL = "improved by people", "improved and shortened", f"{SANDBOX}the ideal summary"
# Probes that are not edits of references by a rule: (good, paper).
_WRITTEN: dict[str, tuple[Good, str]] = {
    IMPROVED: ("prefer", "preferred: 79.4% (1.3B), 82.8% (6.7B), people 84.1%"),
    SHORTENED: ("prefer", "preferred: 62.6% (6.7B), people 76.4%"),
    IDEAL: ("prefer", ""),
}


def what_is_good(probe: str) -> tuple[Good, str]:
    """What a good judge does with a probe's edits, and the paper's figure or ""; a sandbox cheat is to be rejected."""
    known = {own.name: (own.good, own.paper) for own in PROBES} | _WRITTEN
    return known.get(probe, ("reject", ""))


def edit_references(groups: Sequence[Group], *, probes: Sequence[Probe] = PROBES, seed: int = 0) -> Edits:
    """Every probe applied to the first reference summary of every group that has one.

    An edit depends on the seed, the probe and the document alone, except for those that borrow from another one.
    """
    edited: list[Edited] = []
    left_out: dict[str, Counter[str]] = {probe.name: Counter() for probe in probes}
    for group, case in _cases(groups, seed):
        for probe in probes:
            rng = Random(f"{probe.name}|{group.source.id}|{seed}")
            found = NoEdit("it has no reference summary") if case is None else probe.edit(case, rng)
            if case is not None and found == case.summary:
                found = NoEdit("the edit changes nothing")
            if isinstance(found, NoEdit):
                left_out[probe.name][found.why] += 1
            elif case is not None:
                edited.append(Edited(probe.name, group.source.id, case.summary, found))
    return Edits(tuple(edited), {name: dict(counts) for name, counts in left_out.items()})


def _cases(groups: Sequence[Group], seed: int) -> Iterator[tuple[Group, Case | None]]:
    """Each group with its case; the other document is drawn by the seed."""
    first = {n: group.references[0].text.strip() for n, group in enumerate(groups) if group.references}
    summarized = [n for n, text in first.items() if text]
    titled = [n for n, group in enumerate(groups) if _title(group)]
    for n, group in enumerate(groups):
        if n not in summarized:
            yield group, None
            continue
        rng = Random(f"other|{group.source.id}|{seed}")
        other = _another(summarized, n, rng)
        title = _another([t for t in titled if _title(groups[t]) != _title(group)], n, rng)
        yield (
            group,
            Case(
                group.source.text,
                _title(group),
                first[n],
                None if other is None else first[other],
                None if title is None else _title(groups[title]),
            ),
        )


def _another(places: Sequence[int], own: int, rng: Random) -> int | None:
    others = [place for place in places if place != own]
    return rng.choice(others) if others else None


def _title(group: Group) -> str:
    return group.source.title.strip() if isinstance(group.source, Document) else ""


def written_edits(groups: Sequence[Group]) -> Edits:
    """People's improvements: candidates of a person (maker `annotator`) that name the candidate they were made from.

    Those with fewer words than the original are a probe of their own (the paper's edits that shorten).
    """
    edited = []
    for group in groups:
        texts = {candidate.id: candidate.text for candidate in (*group.candidates, *group.references)}
        for candidate in group.candidates:
            original = texts.get(candidate.parent or "")
            if candidate.maker.role != "annotator" or original is None or original == candidate.text:
                continue
            shorter = len(candidate.text.split()) < len(original.split())
            edited += [
                Edited(probe, group.source.id, original, candidate.text)
                for probe in (IMPROVED, *([SHORTENED] if shorter else []))
            ]
    return Edits(tuple(edited))


def sandbox_edits(groups: Sequence[Group], *, seed: int = 0) -> Edits:
    """For sandbox documents: cheats against the ideal summary they are made of, and the ideal against the reference."""
    own = [group.source for group in groups if isinstance(group.source, Document) and "sandbox" in group.source.meta]
    references = {group.source.id: group.references[0].text for group in groups if group.references}
    edited = []
    for place, document in enumerate(own):
        ideal = ideal_summary(document, seed=seed).text
        found = cheats(document, own[(place + 1) % len(own)], seed=seed)
        if len(own) == 1:  # what is made up is taken from another document
            found = {name: text for name, text in found.items() if not name.startswith("made up")}
        edited += [
            Edited(SANDBOX + name, document.id, ideal, text)
            for name, text in found.items()
            if name != "empty" and text != ideal
        ]
        reference = references.get(document.id, ideal)
        if reference != ideal:
            edited.append(Edited(IDEAL, document.id, reference, ideal))
    return Edits(tuple(edited))
