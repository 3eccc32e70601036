"""What each automatic measure agrees with, as sections of a report."""

from __future__ import annotations

from ..evaluation.judgements.metricagreement import ENSEMBLE, LABELER, Agreements, MetricAgreement, MetricAnalysis
from .contents import Block, Cell, Column, Notice, Row, Section, Table, cell
from .intervals import interval_plots
from .sentences import count, percent
from .squares import square_table


def metrics_findings(found: MetricAnalysis) -> list[str]:
    """What each metric agrees with, in sentences."""
    said = []
    for name, on in (("all pairs", found.all_pairs), ("pairs of samples of one system", found.same_system)):
        people = on.of(LABELER, LABELER)
        if not on.items:
            said.append(f"On {name}: none was compared.")
            continue
        rows = [f"{metric} {percent(own.agreement)}" for metric in found.metrics if (own := on.of(LABELER, metric))]
        if people is not None and people.events:
            rows.insert(0, f"another labeler {percent(people.agreement)}")
        said.append(f"Agreement with labelers on {name} ({count(on.items, 'pair')}): {'; '.join(rows)}.")
    if not found.all_pairs.ensemble_items:
        said.append("No pair has labels of three people, so there are no ensembles of labelers to agree with.")
    return said


def metrics_sections(found: MetricAnalysis) -> list[Section]:
    """Agreement with people on all pairs and within systems, everyone with everyone, and correlations."""
    sections = [
        Section(title, tuple(_agreement_blocks(found, on, title.lower())))
        for title, on in (
            ("All pairs", found.all_pairs),
            ("Pairs of samples of one system", found.same_system),
        )
    ]
    across = [name for name in found.metrics if name in found.correlations]
    if across:
        names = {name: name for name in across}

        def value(a: str, b: str) -> Cell:
            return Cell("") if a == b else cell(found.correlations[a][b])

        sections.append(
            Section(
                "Correlation of metrics",
                (
                    square_table(
                        "Spearman's rho between metrics over the candidates of a document, mean over documents.",
                        across,
                        names,
                        value,
                        Column("", "", "", 1, 2),
                    ),
                ),
            )
        )
    return sections


def _agreement_blocks(found: MetricAnalysis, on: Agreements, title: str) -> list[Block]:
    if not on.items:
        return [Notice("No such pair was compared.", "note")]
    everyone = [LABELER, *([ENSEMBLE] if on.ensemble_items else []), *found.metrics]
    rows = [(name, own) for name in everyone[1:] if (own := on.of(LABELER, name)) is not None and own.events]
    people = on.of(LABELER, LABELER)
    if people is not None and people.events:
        rows.insert(0, ("another labeler", people))

    def value(a: str, b: str) -> Cell:
        own = on.of(a, b)
        if own is None:
            return Cell("")
        agreed = own.agreement
        return Cell(agreed.value, n=own.events, why=agreed.why if agreed.value is None else "")

    plots = interval_plots(
        {name: own.agreement for name, own in rows},
        "agreement with a labeler (%)",
        "Agreement with labelers, 95% intervals; n counts documents, the dashed line is a coin's.",
    )
    return [
        *plots,
        with_people_table(found, on, title),
        square_table(
            "Everyone with everyone, %; n counts labels, or pairs of summaries where no labeler takes part.",
            everyone,
            {name: name for name in everyone},
            value,
            Column("", "", "", 100),
        ),
    ]


def with_people_table(found: MetricAnalysis, on: Agreements, title: str) -> Table:
    """Each metric with labelers and with ensembles of them."""

    def row(label: str, own: MetricAgreement | None, group: MetricAgreement | None) -> Row:
        if own is None:
            return Row((Cell(label), Cell(None), Cell(None), Cell(0), Cell(0), Cell(0)))
        return Row(
            (
                Cell(label),
                cell(own.agreement),
                Cell("") if group is None else cell(group.agreement),
                Cell(own.events),
                Cell(own.ties),
                Cell(own.missing),
            )
        )

    return Table(
        f"Agreement with people, {title}.",
        (
            Column("Metric"),
            Column("With a labeler", "Share of labels that it repeats, its ties ½, %.", "", 100),
            Column("With an ensemble", "The majority of at least three labelers, %.", "", 100),
            Column("Labels", digits=0),
            Column("Ties", "Labels on which it is undecided.", digits=0),
            Column("No value", "Labels of pairs that it has no value for.", digits=0),
        ),
        (
            row("another labeler", on.of(LABELER, LABELER), on.of(LABELER, ENSEMBLE)),
            *(row(metric, on.of(LABELER, metric), on.of(ENSEMBLE, metric)) for metric in found.metrics),
        ),
        note="" if on.ensemble_items else "No pair has labels of three people: there is no ensemble.",
    )
