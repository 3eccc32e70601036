"""A report's two files."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import BadInput
from ..evaluation.plain import write_json, write_text
from .contents import Report, from_json, to_json
from .html import render_html


def write_report(report: Report, run_dir: Path) -> tuple[Path, Path]:
    """`report.html` and `report.json` in `run_dir`, each whole or not at all."""
    return (
        write_text(run_dir / "report.html", render_html(report)),
        write_json(run_dir / "report.json", to_json(report)),
    )


def read_report(path: Path) -> Report:
    """The report of a `report.json`."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"not a report that precis wrote ({error})", path=path) from error
    if not isinstance(data, dict):
        raise BadInput("expected a JSON object", path=path)
    try:
        return from_json(data)
    except BadInput as error:
        raise error.at(path=path) from error
