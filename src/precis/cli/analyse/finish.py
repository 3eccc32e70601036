"""How every analysis ends: findings for people, one JSON object, and a report with its plots where one is wanted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..app import emit, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...report.contents import Section
    from ..options import Ending


def finish(
    title: str,
    sections: Sequence[Section],
    result: Mapping[str, Any],
    *,
    findings: Sequence[str],
    warnings: Sequence[str] = (),
    ending: Ending,
) -> None:
    """Say what was found, write the report where one is wanted, and print `result` with `--json`."""
    for finding in findings:
        say(finding)
    for warning in warnings:
        say(f"note: {warning}")
    if ending.out is not None:
        from ...report.contents import Report
        from ...report.run import describe_run
        from ...report.write import write_report

        command = " ".join(["precis", *sys.argv[1:]])
        report = Report(
            title=title,
            sections=tuple(sections),
            findings=tuple(findings),
            warnings=tuple(warnings),
            run=describe_run([command], seeds=[ending.seed]),
        )
        html, _ = write_report(report, ending.out)
        say(f"The report is {html}")
    emit(result, ending.as_json)
