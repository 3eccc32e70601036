"""From which confidence on labelers can be believed, as a section of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..evaluation.judgements.thresholds import Threshold
from .contents import Block, Cell, Column, Plot, Row, Section, Table
from .sentences import count, short_names

_LINES = 6  # of a plot; there are no more colours


def thresholds_section(found: Sequence[Threshold], judged_by: str, target: float) -> Section:
    """From which confidence on each labeler agrees with `judged_by` often enough."""
    names = short_names([one.labeler for one in found])
    strengths = [level.strength for level in found[0].levels] if found else []
    lines = [
        {
            "name": names[one.labeler],
            "x": strengths,
            **{
                name: [None if (v := getattr(level.agreement, end)) is None else 100 * v for level in one.levels]
                for name, end in (("y", "value"), ("low", "low"), ("high", "high"))
            },
        }
        for one in sorted(found, key=lambda one: -one.levels[0].labels)[:_LINES]
        if one.levels[0].labels
    ]
    blocks: list[Block] = []
    if lines:
        blocks.append(
            Plot(
                "curves",
                {
                    "lines": lines,
                    "xlabel": "at least this far from indifference",
                    "ylabel": "agreement (%)",
                    "xlog": True,
                },
                "Agreement of labels at least so far from indifference; the band is the 95% interval."
                + ("" if len(found) <= _LINES else f" The {_LINES} labelers with most labels that can be checked."),
                "Agreement by confidence: " + "; ".join(_said(one, names) for one in found),
            )
        )
    return Section("Confidence thresholds", (*blocks, thresholds_table(found, judged_by, target)))


def thresholds_table(found: Sequence[Threshold], judged_by: str, target: float) -> Table:
    """Agreement by confidence, and the threshold, of each labeler."""
    names = short_names([one.labeler for one in found])
    strengths = [level.strength for level in found[0].levels] if found else []
    return Table(
        f"Agreement with {judged_by} of labels at least so sure, and the least strength that reaches {target:.0%}.",
        (
            Column("Labeler"),
            *(Column(f"Strength ≥ {s}", f"Confidence {_range(s)}, %.", "", 100) for s in strengths),
            Column("Threshold", digits=0),
            Column("Labels kept", "Share of all their labels that reach the threshold, %.", "", 100),
            Column("No confidence", "Labels without one.", digits=0),
        ),
        tuple(
            Row(
                (
                    Cell(names[one.labeler]),
                    *(
                        Cell(
                            level.agreement.value,
                            level.agreement.low,
                            level.agreement.high,
                            level.labels,
                            level.agreement.why,
                        )
                        for level in one.levels
                    ),
                    Cell(one.threshold, why=one.why),
                    Cell(one.kept),
                    Cell(one.unsure),
                )
            )
            for one in found
        ),
        note="Here n counts labels that can be checked. Use thresholds for validation sets; filtering the training set "
        "by confidence made reward models worse (Stiennon et al. 2020, appendix C).",
    )


def _range(strength: int) -> str:
    return f"up to {5 - strength} or from {5 + strength} on"


def _said(one: Threshold, names: Mapping[str, str]) -> str:
    return f"{names[one.labeler]}: {'none' if one.threshold is None else _range(one.threshold)}"


def threshold_findings(found: Sequence[Threshold], judged_by: str, target: float) -> list[str]:
    """How many labelers have a threshold."""
    names = short_names([one.labeler for one in found])
    having = [one for one in found if one.threshold is not None]
    if not having:
        return [f"No labeler reaches {target:.0%} agreement with {judged_by} on enough labels of any confidence."]
    reach = "reaches" if len(having) == 1 else "reach"
    return [
        f"{len(having)} of {count(len(found), 'labeler')} {reach} {target:.0%} agreement with {judged_by} "
        f"at some confidence: {'; '.join(_said(one, names) for one in having)}."
    ]
