"""Agreement of labelers as a section of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..evaluation.judgements.agreement import PairAgreement
from ..evaluation.judgements.labelers import Agreed, LabelAgreement, ModalAgreement
from .analysis_blocks import agreement_table
from .contents import Block, Cell, Column, Plot, Row, Section, Table, cell
from .intervals import interval_plots
from .sentences import count, percent, points, short_names
from .squares import square_table

_MATRIX = 12  # judges; a wider table is not read
_SHOWN = 20  # labelers in the plot
_AGREEMENT = Column("Agreement", "Share of pairs of labels with the same preference, %.", "", 100)


def agreement_findings(found: LabelAgreement) -> list[str]:
    """What to know of who agrees with whom, in sentences."""
    documents = found.between_labelers.agreement.n
    said = [
        f"Labelers agree with each other in {percent(found.between_labelers.agreement)} of "
        f"{count(found.between_labelers.meetings, 'pair')} of labels "
        f"({count(found.between_labelers.items, 'comparison')} judged more than once, {count(documents, 'document')})."
    ]
    if found.researchers:
        said.append(
            f"Labelers agree with researchers in {percent(found.labelers_researchers.agreement)} of "
            f"{count(found.labelers_researchers.meetings, 'pair')} of labels; researchers with each other: "
            f"{percent(found.between_researchers.agreement)}."
        )
    for modal, against in ((found.modal_others, "another labeler"), (found.modal_researchers, "a researcher")):
        said += [
            f"The modal label of three labelers agrees with {against} in {percent(one.agreement)}, one labeler in "
            f"{percent(one.single)} of the same {count(one.items, 'comparison')}: {points(one.gain)}."
            if one.items
            else f"The modal label of three labelers against {against}: {percent(one.agreement)}."
            for one in modal
            if one.labelers == 3
        ]
    said.append(
        f"{found.indifferent:,} of {count(found.labels, 'label')} are indifferent and take no part in agreement."
    )
    return said


def agreement_section(found: LabelAgreement) -> Section:
    """Who agrees with whom: together, by labeler, and every two of them."""
    names = short_names([*found.labelers, *found.researchers])
    blocks: list[Block] = [*_forest(found, names), groups_table(found)]
    if any(one.items for one in (*found.modal_others, *found.modal_researchers)):
        blocks.append(modal_table(found))
    blocks.append(labelers_table(found))
    everyone = [*found.labelers, *found.researchers]
    pairs = [pair for pair in found.matrix if pair.items]
    if 2 < len(everyone) <= _MATRIX and 2 * len(pairs) > len(found.matrix):
        blocks.append(matrix_of(found.matrix, everyone, names))
    if pairs:
        blocks.append(agreement_table([_renamed(pair, names) for pair in pairs]))
    return Section("Agreement", tuple(blocks))


def _renamed(pair: PairAgreement, names: Mapping[str, str]) -> PairAgreement:
    return PairAgreement(names[pair.a], names[pair.b], pair.agreement, pair.kappa, pair.items, pair.ties)


def _forest(found: LabelAgreement, names: Mapping[str, str]) -> tuple[Plot, ...]:
    shown = {name: own.agreement for name, own in _groups(found)}
    for modal, whom in ((found.modal_others, "another labeler"), (found.modal_researchers, "researcher")):
        shown |= {f"modal of {one.labelers} – {whom}": one.agreement for one in modal}
    shown |= {f"{names[one.labeler]} – the others' modal": one.with_others.agreement for one in found.each[:_SHOWN]}
    return interval_plots(
        shown, "agreement (%)", "Agreement with 95% intervals; n counts documents, the dashed line is a coin's."
    )


def _groups(found: LabelAgreement) -> list[tuple[str, Agreed]]:
    groups = [("labeler – labeler", found.between_labelers)]
    if found.researchers:
        groups += [
            ("labeler – researcher", found.labelers_researchers),
            ("researcher – researcher", found.between_researchers),
        ]
    return groups


def groups_table(found: LabelAgreement) -> Table:
    """Labelers and researchers, all together."""
    return Table(
        "Who agrees with whom. Each pair of labels counts once; n counts documents.",
        (
            Column("Between"),
            _AGREEMENT,
            Column("Pairs of labels", "Neither of the two indifferent.", digits=0),
            Column("Comparisons", "Pairs of summaries that they were given for.", digits=0),
        ),
        tuple(
            Row((Cell(name), cell(own.agreement), Cell(own.meetings), Cell(own.items))) for name, own in _groups(found)
        ),
        note=(
            f"{found.labels:,} labels, {found.indifferent:,} of them indifferent (left out); {found.items:,} pairs of "
            f"summaries, {found.repeated:,} with more than one label. Krippendorff's alpha: "
            + ("not defined." if found.alpha is None else f"{found.alpha:.2f}.")
        ),
    )


def modal_table(found: LabelAgreement) -> Table:
    """What asking several labelers buys."""

    def row(one: ModalAgreement, against: str) -> Row:
        return Row(
            (
                Cell(f"{one.labelers} against {against}"),
                cell(one.agreement),
                cell(one.single),
                cell(one.gain),
                Cell(one.items),
            )
        )

    return Table(
        "The modal label of several labelers, drawn from those who judged the pair.",
        (
            Column("Labelers"),
            Column("Modal agrees", "Share of agreement of the most frequent label, %; an even vote counts ½.", "", 100),
            Column("One agrees", "One labeler on the same pairs, %.", "", 100),
            Column("Gain", "Points, paired.", "", 100),
            Column("Comparisons", digits=0),
        ),
        (
            *(row(one, "another labeler") for one in found.modal_others),
            *(row(one, "a researcher") for one in found.modal_researchers),
        ),
    )


def labelers_table(found: LabelAgreement) -> Table:
    """Each labeler against the others and the researchers."""
    names = short_names(found.labelers)
    research = bool(found.researchers)
    return Table(
        "Each labeler against the modal label of all others (their own left out)"
        + (" and against researchers." if research else "."),
        (
            Column("Labeler"),
            Column("With the others", "Share of their labels that the others' modal label repeats, %.", "", 100),
            Column("Checked", "Their labels on pairs that others judged too.", digits=0),
            *(
                (
                    Column("With researchers", "Share of agreement with each researcher's label, %.", "", 100),
                    Column("Checked by researchers", digits=0),
                )
                if research
                else ()
            ),
            Column("Labels", digits=0),
            Column("Indifferent", digits=0),
        ),
        tuple(
            Row(
                (
                    Cell(names[one.labeler]),
                    cell(one.with_others.agreement),
                    Cell(one.with_others.meetings),
                    *((cell(one.with_researchers.agreement), Cell(one.with_researchers.meetings)) if research else ()),
                    Cell(one.labels),
                    Cell(one.indifferent),
                )
            )
            for one in found.each
        ),
    )


def matrix_of(pairs: Sequence[PairAgreement], order: Sequence[str], names: Mapping[str, str]) -> Table:
    """Every two judges in a square."""
    by = {frozenset((pair.a, pair.b)): pair for pair in pairs}

    def value(a: str, b: str) -> Cell:
        pair = by.get(frozenset((a, b)))
        if a == b or pair is None:
            return Cell("")
        return Cell(pair.agreement.value, n=pair.items - pair.ties, why=pair.agreement.why)

    return square_table("Agreement of every two judges, %.", order, names, value, Column("", "", "", 100))
