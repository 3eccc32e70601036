"""A judge's accuracy against people, as sections of a report."""

from __future__ import annotations

from dataclasses import replace

from ..evaluation.judgements.judgeaccuracy import COIN, OTHER_LABELERS, JudgeAccuracy, standing
from ..evaluation.statistics import Difference
from .analysis_blocks import accuracy_table, calibration_blocks
from .contents import Block, Notice, Section, Text
from .intervals import interval_plots
from .sentences import count, percent, plain_number, points

_CLASSES = {
    "batch": ("By batch", "Batch"),
    "systems": ("By systems compared", "Systems"),
    "confidence": ("By the labeler's confidence", "Confidence"),
    "length": ("By length", "Lengths"),
}


def accuracy_findings(found: JudgeAccuracy) -> list[str]:
    """How good, and better than what, in sentences."""
    own = found.overall[0]
    said = [
        f"{found.judge} chooses as people did in {percent(own.accuracy)} of {count(own.pairs, 'comparison')} "
        f"({count(own.accuracy.n, 'document')})."
    ]
    said += [_beats(gain) for gain in found.gains if gain.b != OTHER_LABELERS]
    people = next(row for row in found.overall if row.name == OTHER_LABELERS)
    if people.pairs:
        gain = next(gain for gain in found.gains if gain.b == OTHER_LABELERS)
        said.append(
            f"Other labelers of the same pair choose alike in {percent(people.accuracy)} of "
            f"{count(people.pairs, 'comparison')}; {found.judge} minus them, on these: {points(gain)}."
        )
    if found.calibration is not None:
        said.append(
            f"Calibration slope {plain_number(found.calibration.slope)} (1 is calibrated, below 1 over-confident)."
        )
    return said


def _beats(gain: Difference) -> str:
    """One plain sentence about the judge and one baseline."""
    verdict = {
        "above": f"{gain.a} beats {gain.b} beyond the 95% interval",
        "below": f"{gain.a} is WORSE than {gain.b} beyond the 95% interval",
        "level": f"{gain.a} does NOT beat {gain.b} beyond the 95% interval",
        "unknown": f"{gain.a} and {gain.b} cannot be told apart",
    }[standing(gain)]
    return f"{verdict}: {points(gain)} on {count(gain.difference.n, 'document')}."


def accuracy_warnings(found: JudgeAccuracy) -> list[str]:
    """What took no part."""
    said = []
    missing = found.overall[0].missing
    if missing:
        said.append(
            f"{count(missing, 'comparison')} without a score of both texts by {found.judge}: left out "
            "(precis judge … --references scores the reference summaries too)."
        )
    if found.indifferent:
        said.append(f"{count(found.indifferent, 'comparison')} without a preference: no right answer, left out.")
    if found.identical:
        said.append(f"{count(found.identical, 'comparison')} of the same text twice: left out.")
    if found.calibration is None:
        said.append(f"No calibration: {found.no_calibration}.")
    return said


def accuracy_sections(found: JudgeAccuracy) -> list[Section]:
    """Beside the baselines, then by class of comparison, then calibration."""
    table = accuracy_table(f"{found.judge} and rules that know no content, against people.", found.overall, found.gains)
    table = replace(
        table, rows=tuple(replace(row, aside=row.cells[0].value in (OTHER_LABELERS, COIN)) for row in table.rows)
    )
    beside: list[Block] = [
        *interval_plots(
            {row.name: row.accuracy for row in found.overall},
            "chooses as people did (%)",
            "Accuracy against people's choices with 95% intervals; n counts documents, the dashed line is a coin's.",
        ),
        table,
        Text(
            "Each comparison counts once. ROUGE has no say where one side is the only reference summary. Gains are "
            "paired: taken on the comparisons that both have a score for."
        ),
    ]
    classes: list[Block] = [
        accuracy_table(f"{_CLASSES[name][0]}.", rows, what=_CLASSES[name][1], contest=False)
        for name, rows in found.by.items()
        if rows
    ]
    by_confidence = interval_plots(
        {row.name: row.accuracy for row in found.by["confidence"]},
        f"{found.judge} chooses as people did (%)",
        "Accuracy by how sure the labeler was, with 95% intervals.",
    )
    sections = [
        Section("Beside the baselines", tuple(beside)),
        Section("By kind of comparison", (*by_confidence, *classes)),
    ]
    if found.calibration is None:
        sections.append(Section("Calibration", (Notice(f"No calibration: {found.no_calibration}.", "note"),)))
    else:
        sections.append(Section("Calibration", tuple(calibration_blocks(found.calibration))))
    return sections
