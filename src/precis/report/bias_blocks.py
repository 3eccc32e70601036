"""What judges of lists like beside quality, as sections of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..evaluation.judgements.judgebias import JudgeBias
from ..evaluation.judgements.slots import Slots, Uniformity
from .contents import Block, Cell, Column, Notice, Plot, Row, Section, Table, Text, cell
from .sentences import count, percent, plain_number

_MEANING = {
    "place": "1 is shown first: above 0 favours what comes late",
    "words": "number of words",
    "copying": "share of bigrams copied in order",
    "coverage": "share of words in fragments of the document",
    "novelty": "share of trigrams that the document does not have",
}
_FAVOURS = {
    "place": ("what comes late", "what comes early"),
    "words": ("longer texts", "shorter texts"),
    "copying": ("texts that copy more", "texts that copy less"),
    "coverage": ("texts that cover more of their words by the document", "texts that cover less"),
    "novelty": ("texts with more new trigrams", "texts with fewer new trigrams"),
}


def bias_findings(found: Sequence[JudgeBias]) -> list[str]:
    """What each judge's ranks go with, and which places its best and worst have, in sentences."""
    said = []
    for one in found:
        liked = []
        for trait, estimate in one.traits.items():
            if estimate.value is None:
                continue
            verdict = "no liking is shown"
            if estimate.low is not None and estimate.high is not None and not estimate.low <= 0 <= estimate.high:
                verdict = f"{_FAVOURS[trait][estimate.value < 0]} rank higher"
            liked.append(f"{trait} {plain_number(estimate, 3)}: {verdict}")
        said.append(f"{one.judge}, {count(one.lists, 'list')}: correlation of rank with " + "; ".join(liked) + ".")
        said += [_slots_sentence(one.judge, slots) for slots in one.slots]
    return said


def _slots_sentence(judge: str, slots: Slots) -> str:
    best, worst = (
        ", ".join(f"{value:g}" for value in values)
        for values in ([slot.best for slot in slots.slots], [slot.worst for slot in slots.slots])
    )
    return (
        f"{judge}, {count(slots.lists, 'list')} of {slots.size}, by place from first to last: best {best} "
        f"({_test(slots.best_uniform)}); worst {worst} ({_test(slots.worst_uniform)})."
    )


def _test(test: Uniformity) -> str:
    known = f"χ² = {test.chi_square:.1f} on {test.degrees}"
    if test.p_value is None:
        return f"{known}, no p: {test.why}"
    return f"{known}, p = {test.p_value:.2g}" if test.p_value >= 1e-4 else f"{known}, p < 0.0001"


def bias_warnings(found: Sequence[JudgeBias], *, stored_order: bool) -> list[str]:
    """What took no part, and what was taken for granted."""
    said = []
    for one in found:
        if one.failures:
            said.append(f"{one.judge} gave no verdict {count(one.failures, 'time')}: left out.")
        if one.unusable:
            said.append(f"{one.judge}: {count(one.unusable, 'ranking')} of texts that are not here: left out.")
        if one.unknown_order:
            said.append(
                f"{one.judge}: {count(one.unknown_order, 'list')} without a known order: no places "
                "(--stored-order takes the order of the file for it)."
            )
    if stored_order:
        said.append(
            "Where no order is known, the order in the store is taken for the order shown. A judge that scores texts "
            "one by one was shown no list: for it, places tell how the file was ordered."
        )
    return said


def bias_sections(found: Sequence[JudgeBias]) -> list[Section]:
    """One section a judge: correlations, places, and how the texts were ordered."""
    return [Section(one.judge, tuple(_blocks(one))) for one in found]


def _blocks(one: JudgeBias) -> list[Block]:
    blocks: list[Block] = [*_correlation_plot(one), traits_table(one)]
    for slots in one.slots:
        blocks += [_slots_plot(one.judge, slots), slots_table(one.judge, slots)]
    if one.slots:
        ordered = ", ".join(
            f"{trait} {plain_number(own)}" for trait, own in one.by_place.items() if own.value is not None
        )
        blocks.append(
            Text(
                f"Correlation of the place itself with the texts' traits: {ordered or 'not estimable'}. Far from 0, "
                "the lists are ordered by these traits, and places say nothing of the judge. Even near 0, lists that "
                "were not shuffled may be ordered by quality: only a drawn order tells a liking for places for sure."
            )
        )
    else:
        blocks.append(Notice("No list of this judge has a known order.", "note"))
    return blocks


def _correlation_plot(one: JudgeBias) -> tuple[Plot, ...]:
    shown = {trait: own for trait, own in one.traits.items() if own.value is not None}
    if not shown:
        return ()
    rows = [
        {"label": trait, "value": own.value, "low": own.low, "high": own.high, "n": own.n, "twin": None}
        for trait, own in shown.items()
    ]
    caption = "Correlation of rank with each trait within a list, mean over lists, 95% intervals over documents."
    said = "; ".join(f"{trait} {plain_number(own)}" for trait, own in shown.items())
    data = {"rows": rows, "xlabel": f"rank by {one.judge} goes with", "reference": 0.0, "scale": 1.0, "twin": ""}
    return (Plot("forest", data, caption, f"{caption} {said}"),)


def traits_table(one: JudgeBias) -> Table:
    """What ranks go with."""

    def row(trait: str) -> Row:
        ends = one.ends.get(trait)
        scale = 1.0 if trait == "words" else 100.0
        inner = [cell(end, scale=scale) for end in (ends.best, ends.worst, ends.difference)] if ends else [Cell("")] * 3
        return Row((Cell(trait), cell(one.traits[trait]), *inner, Cell(one.traits[trait].missing)))

    meanings = "; ".join(f"{trait}: {meaning}" for trait, meaning in _MEANING.items())
    return Table(
        f"What ranks by {one.judge} go with ({count(one.lists, 'list')}).",
        (
            Column("Trait"),
            Column("Correlation", "With rank within a list, mean over lists; above 0 favours more of it.", "", 1, 3),
            Column("In the best", "Words, or % for shares."),
            Column("In the worst"),
            Column("Best minus worst"),
            Column("Left out", "Lists in which it is undefined: all alike, or one text.", digits=0),
        ),
        tuple(row(trait) for trait in one.traits),
        note=f"{meanings}.",
    )


def _slots_plot(judge: str, slots: Slots) -> Plot:
    lines: list[dict[str, Any]] = []
    for name, shares in (
        ("best", [slot.best_share for slot in slots.slots]),
        ("worst", [slot.worst_share for slot in slots.slots]),
    ):
        ends = {
            end: [None if value is None else 100 * value for value in values]
            for end, values in (
                ("y", [share.value for share in shares]),
                ("low", [share.low for share in shares]),
                ("high", [share.high for share in shares]),
            )
        }
        lines.append({"name": f"ranked {name}", "x": [slot.place for slot in slots.slots], **ends})
    fair = 100 / slots.size
    lines.append({"name": f"fair: {fair:.3g}%", "x": [1, slots.size], "y": [fair, fair], "dots": False})
    said = "; ".join(
        f"place {slot.place}: best {percent(slot.best_share)}, worst {percent(slot.worst_share)}"
        for slot in slots.slots
    )
    return Plot(
        "curves",
        {"lines": lines, "xlabel": "place in the list", "ylabel": "share of lists (%)"},
        f"Where {judge}'s best and worst stood in {count(slots.lists, 'list')} of {slots.size}, with 95% intervals.",
        said,
    )


def slots_table(judge: str, slots: Slots) -> Table:
    """Best and worst by place."""
    return Table(
        f"Where {judge}'s best and worst stood, in lists of {slots.size}.",
        (
            Column("Place", digits=0),
            Column("Best", "Lists whose best stood here; the tied share a point.", digits=1),
            Column("Best, %", "", "", 100),
            Column("Worst", digits=1),
            Column("Worst, %", "", "", 100),
        ),
        tuple(
            Row((Cell(slot.place), Cell(slot.best), cell(slot.best_share), Cell(slot.worst), cell(slot.worst_share)))
            for slot in slots.slots
        ),
        note=(
            f"All places alike, {100 / slots.size:.3g}% each? Best: {_test(slots.best_uniform)}. "
            f"Worst: {_test(slots.worst_uniform)}."
        ),
    )
