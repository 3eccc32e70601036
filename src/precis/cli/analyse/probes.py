"""`precis analyse probes`: does a judge tell good summaries from edited ones?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UserError
from ..app import existing, open_store
from ..options import Ending, LimitOption, Where, flat
from .finish import finish
from .reading import show_block

if TYPE_CHECKING:
    from ...evaluation.probes.making import Edits
    from ...evaluation.probes.run import ProbeResult, Scorer
    from ...records import Group

NAMED = 8  # probes named in a finding; the table has them all
JUDGES = ("oracle", "length", "copying", "rouge")
_SHOWN = ("Deserves", "Gets it", "Edits", "No score", "Left out")


@flat
def probes_command(
    reward_model: Annotated[
        Path | None, typer.Option("--reward-model", help="Folder of the reward model to probe.")
    ] = None,
    judges: Annotated[
        list[str] | None, typer.Option("--judge", help=f"Probe this too: {', '.join(JUDGES)}; may repeat.")
    ] = None,
    limit: LimitOption = None,
    sandbox: Annotated[
        int | None, typer.Option("--sandbox", min=1, help="Make so many sandbox documents and read no store.")
    ] = None,
    where: Where = Where(),
    ending: Ending = Ending(),
) -> None:
    """Edit reference summaries and see whether a judge scores the edits as a good one would."""
    if sandbox and (where.dataset or where.split or limit):
        raise UserError("--sandbox makes its own documents: leave out --dataset, --split and --limit")
    scorers = _scorers(reward_model, judges or [])
    groups = _made(sandbox, ending.seed) if sandbox else _stored(where, limit)
    edits = _edits(groups, ending.seed)
    if not edits.edited:
        raise UserError("none of these documents has a reference summary to edit; import some with summaries")
    from ...evaluation.plain import to_plain
    from ...evaluation.probes.run import probe_judge
    from ...report.probe_blocks import paper_section, probe_section, probe_table

    results = {name: probe_judge(name, scorer, groups, edits, seed=ending.seed) for name, scorer in scorers.items()}
    for name, own in results.items():
        show_block(probe_table(name, own), _SHOWN)
    said = [{**to_plain(result), "verdict": result.verdict} for own in results.values() for result in own]
    finish(
        "Probes",
        [*(probe_section(name, own) for name, own in results.items()), paper_section(next(iter(results.values())))],
        {"documents": len(groups), "probes": said},
        findings=[_finding(name, own, len(groups)) for name, own in results.items()],
        warnings=_warnings(results, groups),
        ending=ending,
    )


def _scorers(reward_model: Path | None, judges: list[str]) -> dict[str, Scorer]:
    from ...evaluation.probes.run import rewards_by, scores_by

    if unknown := [name for name in judges if name not in JUDGES]:
        raise UserError(f"there is no judge {unknown[0]!r} to probe; there are {', '.join(JUDGES)}")
    if reward_model is None and not judges:
        raise UserError("name what to probe: --reward-model FOLDER, or --judge NAME")
    found: dict[str, Scorer] = {}
    if reward_model is not None:
        folder = existing(reward_model, "reward model")
        from ...recipes.steps import load_reward_judge

        found["reward model"] = rewards_by(load_reward_judge(folder))
    from ...judges.copying import CopyingJudge
    from ...judges.length import LengthJudge
    from ...judges.oracle import OracleJudge
    from ...judges.rouge import RougeJudge

    makers = {"oracle": OracleJudge, "length": LengthJudge, "copying": CopyingJudge, "rouge": RougeJudge}
    return found | {name: scores_by(makers[name]()) for name in judges}


def _stored(where: Where, limit: int | None) -> list[Group]:
    with open_store(where.store, create=False) as opened:
        groups = opened.groups(where.dataset, where.split, limit)
    if not groups:
        raise UserError(f"the store {where.store} holds no such documents; import some first")
    return groups


def _made(count: int, seed: int) -> list[Group]:
    from ...records import Group
    from ...sandbox import documents, reference_summary

    made = documents(count, seed=seed, split="test")
    return [Group(document, (), (reference_summary(document, seed=seed),)) for document in made]


def _edits(groups: list[Group], seed: int) -> Edits:
    from ...evaluation.probes.making import Edits, edit_references, sandbox_edits, written_edits

    edits = edit_references(groups, seed=seed)
    return Edits(
        (*edits.edited, *written_edits(groups).edited, *sandbox_edits(groups, seed=seed).edited), edits.left_out
    )


def _finding(name: str, results: list[ProbeResult], documents: int) -> str:
    told = [result for result in results if result.right.value is not None]
    right = sum(result.verdict == "right" for result in told)
    parts = [f"{name}: {right} of {len(told)} probes are scored as they deserve"]
    for verdict, said in (("wrong", "fooled by"), ("blind", "blind to"), ("undecided", "undecided on")):
        those = [result.probe for result in told if result.verdict == verdict]
        more = f" and {len(those) - NAMED} more" if len(those) > NAMED else ""
        parts += [f"{said} {', '.join(those[:NAMED])}{more}"] if those else []
    return f"{'; '.join(parts)} ({documents:,} documents)."


def _warnings(results: dict[str, list[ProbeResult]], groups: list[Group]) -> list[str]:
    bare = sum(not group.references for group in groups)
    found = [f"{bare:,} of {len(groups):,} documents have no reference summary and were left out"] if bare else []
    for name, own in results.items():
        silent = [result.probe for result in own if result.right.value is None and not result.unscored]
        mute = [result.probe for result in own if result.unscored]
        found += [f"{name} gave no score to some texts of: {', '.join(mute)}"] if mute else []
        if silent and own is next(iter(results.values())):
            found.append(f"no document allows: {', '.join(silent)}")
    return found
