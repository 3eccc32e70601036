"""Which judges agree with experts? SummEval's ratings against every judge that needs no large model, in one command.

    python -m benchmarks.judges_on_summeval --summeval FILE.jsonl --out FOLDER

FOLDER is a workspace: judges that were run on it (`precis judge … --store FOLDER`) take part the next time. The tables
are Markdown; every number with its interval goes to FOLDER/judges.json. Same as `precis import`, `judge` and
`analyse judges`, one after the other.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from precis.data import import_into
from precis.evaluation.judgements.candidatemetrics import rule_metrics
from precis.evaluation.judgements.metaevaluation import JudgeOnAxis, judges_on_axes
from precis.evaluation.judgements.verdicts import verdicts_of
from precis.evaluation.plain import write_json
from precis.evaluation.statistics import Estimate
from precis.judges.random import RandomJudge
from precis.judges.rouge import RougeJudge
from precis.judges.run import run_judge
from precis.store import Store

AXES = ("coherence", "consistency", "fluency", "relevance")


def measured(file: Path, folder: Path, *, seed: int) -> list[JudgeOnAxis]:
    """Every judge of the workspace on every axis, after the file's import and the two judges that are no rules."""
    with Store(folder) as store:
        print(import_into(store, "summeval", file), flush=True)
        for judge in (RougeJudge(), RandomJudge(seed)):
            print(run_judge(store, judge, store.groups()), flush=True)
        groups = [group for group in store.groups() if group.judgements]
    truths = [f"expert: {axis}" for axis in AXES]
    rules = rule_metrics(groups, [candidate.id for group in groups for candidate in group.candidates])
    judges = {name: one for name, one in verdicts_of(groups, rules).items() if name not in truths and one.values}
    return judges_on_axes(groups, truths, list(judges.values()), against=judges["copying"], seed=seed)


def shown(estimate: Estimate, scale: float = 1.0, digits: int = 3) -> str:
    """ "0.126 [0.086, 0.168]"."""
    if estimate.value is None:
        return "–"
    value = f"{scale * estimate.value:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{scale * estimate.low:.{digits}f}, {scale * estimate.high:.{digits}f}]".replace("-", "−")


def table(own: Sequence[JudgeOnAxis]) -> str:
    """The judges on one axis, as Markdown."""
    levels = ("tau-b", "rho", "tau-b, systems", "rho, systems")
    head = ("judge", *levels, "pairs right, %", "ahead of copying, tau-b", "pairs", "undecided")
    rows = [
        (
            one.judge,
            *(shown(level[method]) for level in (one.within, one.between) for method in ("kendall", "spearman")),
            shown(one.accuracy, 100, 1),
            "–" if one.ahead is None else shown(one.ahead.difference),
            f"{one.pairs:,}",
            f"{one.judge_ties:,}",
        )
        for one in own
    ]
    first = own[0]
    title = f"**{first.axis}**: {first.rated:,} summaries, {first.systems} systems"
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join([f"{title}, {first.human_ties:,} pairs rated equal", "", *lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--summeval", type=Path, required=True, help="the file of expert ratings")
    parser.add_argument("--out", type=Path, required=True, help="workspace folder")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    found = measured(asked.summeval, asked.out, seed=asked.seed)
    write_json(asked.out / "judges.json", found)
    for axis in AXES:
        print(table([one for one in found if one.axis == f"expert: {axis}"]))


if __name__ == "__main__":
    main()
