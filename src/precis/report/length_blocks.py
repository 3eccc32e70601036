"""What length does to comparisons, as sections of a report."""

from __future__ import annotations

from collections.abc import Sequence

from ..evaluation.judgements.lengths import LengthAnalysis, LongerWins
from ..evaluation.statistics import Estimate
from ..evaluation.winrates import WinRate
from .contents import Cell, Column, Notice, Row, Section, Table, Text, cell
from .intervals import interval_plots
from .sentences import count, percent, plain_number

FEW = 20  # comparisons of two systems, below which a win rate stands in the tables only


def length_findings(found: LengthAnalysis) -> list[str]:
    """How much of the preference is length, in sentences."""
    effect = found.length_effect
    said = [
        f"The longer text is preferred in {percent(found.longer.share)} of "
        f"{count(found.longer.comparisons, 'comparison')} of unequal lengths "
        f"({count(found.longer.share.n, 'document')}).",
        f"Length effect, all systems together: {_effect(effect)}.",
    ]
    return said + [
        f"{rate.system} is preferred to {rate.against} in {percent(rate.win_rate)} of "
        f"{count(rate.comparisons, 'comparison')} ({rate.words:.0f} and {rate.words_against:.0f} words); "
        f"at equal length {percent(rate.length_controlled)}."
        for rate in found.pairs
        if rate.comparisons >= FEW
    ]


def _effect(effect: Estimate) -> str:
    if effect.value is None:
        return plain_number(effect)
    low, high = effect.low or 0.0, effect.high or 0.0
    verdict = "longer is preferred" if low > 0 else "shorter is preferred" if high < 0 else "no effect is shown"
    return (
        f"the log-odds of being preferred change by {plain_number(effect)} when a text is e (2.7) times as long as the "
        f"other ({verdict}, whoever wrote it)"
    )


def length_warnings(found: LengthAnalysis) -> list[str]:
    """What took no part, or a part of its own."""
    said = []
    if found.empty:
        said.append(f"{count(found.empty, 'comparison')} with an empty text: no part in length control.")
    if found.identical:
        said.append(f"{count(found.identical, 'comparison')} of the same text twice: counted as ties.")
    if found.same_system:
        said.append(
            f"{count(found.same_system, 'comparison')} between two texts of one system: they inform the length "
            "effect, and no win rate."
        )
    if any(rate.comparisons < FEW for rate in found.pairs):
        said.append(f"Pairs of systems with fewer than {FEW} comparisons are in the tables only, not in the plot.")
    return said


def length_sections(found: LengthAnalysis) -> list[Section]:
    """Systems and their lengths, every two of them raw and at equal length, and how often the longer wins."""
    many = {f"{rate.system} / {rate.against}": rate for rate in found.pairs if rate.comparisons >= FEW}
    rates = interval_plots(
        {name: rate.win_rate for name, rate in many.items()},
        "the first of the two is preferred (%)",
        "Win rates raw and at equal length, with 95% intervals; n counts documents.",
        twins={name: rate.length_controlled for name, rate in many.items()},
        twin="at equal length",
    )
    longer = interval_plots(
        {one.name: one.share for one in _longer_rows(found)},
        "the longer text is preferred (%)",
        "How often the text with more words is preferred, with 95% intervals; n counts documents.",
    )
    return [
        Section("Systems", (systems_table(found),)),
        Section(
            "Win rates, raw and at equal length",
            (
                *rates,
                pairs_table(found.pairs, f"Pairs of systems, judged by {found.judge}."),
                Text(
                    "Rates at equal length are those of one logistic regression over all pairs of systems, with a rate "
                    "for each pair and one effect of log(length ratio) for all (Stiennon et al. 2020, appendix F)."
                ),
                *(
                    Notice(f"{rate.system} / {rate.against}: {note}.", "note")
                    for rate in found.pairs
                    for note in rate.notes
                ),
            ),
        ),
        Section("Does the longer text win?", (*longer, longer_table(found))),
    ]


def systems_table(found: LengthAnalysis) -> Table:
    """The systems that were compared."""
    return Table(
        "Systems whose texts were compared.",
        (
            Column("System"),
            Column("Words", "Mean length of the candidates that were compared."),
            Column("Over reference", "Words over the words of the document's reference, geometric mean.", "", 1, 2),
            Column("Wins, all opponents", "Share of comparisons; who the opponents were differs by system.", "", 100),
            Column("Candidates", digits=0),
            Column("Comparisons", digits=0),
        ),
        tuple(
            Row(
                (
                    Cell(one.system),
                    cell(one.words),
                    cell(one.ratio),
                    cell(one.win_rate),
                    Cell(one.candidates),
                    Cell(one.comparisons),
                )
            )
            for one in found.systems
        ),
    )


def pairs_table(pairs: Sequence[WinRate], caption: str) -> Table:
    """Pairs of systems, one a line."""
    return Table(
        caption,
        (
            Column("System / against"),
            Column("Win rate", "Share of comparisons that the first of the two won, indifference ½, %.", "", 100),
            Column("At equal length", "The same at a length ratio of 1, %.", "", 100),
            Column("Comparisons", digits=0),
            Column("Words", "Mean length of the first's texts."),
            Column("Opponent's words", "Mean length of the second's."),
        ),
        tuple(
            Row(
                (
                    Cell(f"{rate.system} / {rate.against}"),
                    cell(rate.win_rate),
                    cell(rate.length_controlled),
                    Cell(rate.comparisons),
                    cell(rate.words),
                    cell(rate.words_against),
                )
            )
            for rate in pairs
        ),
    )


def _longer_rows(found: LengthAnalysis) -> list[LongerWins]:
    return [found.longer, *(found.longer_by_pair if len(found.longer_by_pair) > 1 else ())]


def longer_table(found: LengthAnalysis) -> Table:
    """How often the longer text won, by pair of systems."""
    return Table(
        "How often the text with more words was preferred.",
        (
            Column("Systems"),
            Column("Longer wins", "Share of comparisons of unequal lengths, indifference ½, %.", "", 100),
            Column("Comparisons", "Of unequal lengths.", digits=0),
            Column("Equal lengths", "Comparisons left out.", digits=0),
        ),
        tuple(
            Row((Cell(one.name), cell(one.share), Cell(one.comparisons), Cell(one.equal)))
            for one in _longer_rows(found)
        ),
    )
