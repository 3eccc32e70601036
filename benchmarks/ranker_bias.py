"""What a list-wise judge's liking for places costs, and what permuted passes joined by Borda counts give back.

    python -m benchmarks.ranker_bias --work FOLDER [--documents 400] [--bias 1 2 4] [--passes 1 2 4 8] [--shape first]

FOLDER is a finished run of `precis run llm-reference --preset sandbox`: its warm policy's candidates of training
documents are ranked by the sandbox's simulated annotator, and every pair that the oracle tells apart is checked. As
published, a list is shown once, in the order in which the candidates were written (`as written`). Several passes also
even out a judge's noise, liking or none: so `given back` is the share of what the liking costs a list shown once
that is no longer lost against a judge without it, asked as often. Intervals are 95%, over documents.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.judges_on_summeval import shown
from precis.errors import UserError
from precis.evaluation.plain import write_json
from precis.evaluation.rewardmodel import Accuracy, HeldOut, accuracies, held_out_pairs
from precis.judges.oracle import OracleJudge
from precis.judges.ranker import RankerJudge
from precis.models import fingerprint_of
from precis.records import Group, Ranking
from precis.sandbox import RankerSettings
from precis.selection import distinct, pairs_from_scores
from precis.store import Store

WARM = "warm"
FAIR, WRITTEN = "0 points for places", "as written, 1 pass"


def ranked_candidates(work: Path, documents: int) -> list[Group]:
    """The first training documents with what the warm policy wrote of them to be ranked, each text once."""
    name = fingerprint_of(work / "models" / WARM)
    with Store(work, create=False) as store:
        writers = {one.maker.id for one in store.candidates() if one.maker.name == name}
        train = [document.id for document in store.documents(split="train")]
        groups = store.groups(source_ids=train, maker_ids=sorted(writers))
    written = [group for group in groups if len(group.candidates) > 1][:documents]
    if not written:
        raise UserError(f"{work} holds no candidates of training documents by its warm policy")
    return list(distinct(written, n=max(len(group.candidates) for group in written)).groups)


def places(judge: RankerJudge, groups: Sequence[Group]) -> dict[str, int]:
    """The rank of every candidate, the best 0."""
    said = [one for own in judge.judge(groups) for one in own if isinstance(one, Ranking) and one.judge == judge.info]
    return {name: place for one in said for place, tier in enumerate(one.tiers) for name in tier}


def judges(biases: Sequence[float], passes: Sequence[int], shape: str, seed: int) -> dict[str, RankerJudge]:
    found = {}
    for bias in (0.0, *biases):
        how = replace(RankerSettings(), position_bias=bias, position_shape=shape)
        liking = f"{bias:g} points for places"
        found[f"{liking}, {WRITTEN}"] = RankerJudge(1, permute=False, seed=seed, settings=how)
        for count in passes:
            found[f"{liking}, permuted, passes: {count}"] = RankerJudge(count, permute=True, seed=seed, settings=how)
    return found


def pairs_of_the_oracle(groups: Sequence[Group]) -> HeldOut:
    """Every two candidates of a group that the oracle tells apart, in its order."""
    oracle = OracleJudge()
    known = [replace(group, judgements=tuple(said)) for group, said in zip(groups, oracle.judge(groups), strict=True)]
    return held_out_pairs(pairs_from_scores(known, oracle.info).groups)


def measured(groups: Sequence[Group], judged: dict[str, RankerJudge]) -> list[Accuracy]:
    """How each judge orders the pairs that the oracle tells apart; a tie counts half."""
    held_out = pairs_of_the_oracle(groups)
    margins = {}
    for name, judge in judged.items():
        rank = places(judge, groups)
        pairs = zip(held_out.chosen_N, held_out.rejected_N, strict=True)
        margins[name] = np.array([rank.get(r.id, np.nan) - rank.get(c.id, np.nan) for c, r in pairs])
    return list(accuracies(margins, held_out.documents_N))


def table(rows: Sequence[Accuracy]) -> str:
    """A row a judge. A row of another liking is held against the one of as many passes without any."""
    value = {row.name: row.accuracy.value or float("nan") for row in rows}
    lines = ["| judge | pairs as the oracle orders them, % | given back |", "|---|---|---|"]
    for row in rows:
        liking, way = row.name.split(", ", 1)
        lost = value[f"{FAIR}, {WRITTEN}"] - value[f"{liking}, {WRITTEN}"]
        left = value[f"{FAIR}, {way}"] - value[row.name]
        back = "–" if liking == FAIR or way == WRITTEN else f"{1 - left / lost:.0%}".replace("-", "−")
        lines.append(f"| {row.name} | {shown(row.accuracy, 100, 1)} | {back} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a finished run of llm-reference in the sandbox")
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--bias", type=float, nargs="+", default=[1.0, 2.0, 4.0], help="points that places gain")
    parser.add_argument("--passes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--shape", choices=["first", "last", "ends"], default="first")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where every number goes")
    asked = parser.parse_args()
    groups = ranked_candidates(asked.work, asked.documents)
    rows = measured(groups, judges(asked.bias, asked.passes, asked.shape, asked.seed))
    texts = sum(len(group.candidates) for group in groups)
    print(f"{len(groups)} documents, {texts} candidates, {rows[0].pairs} pairs; seed {asked.seed}, {asked.shape}\n")
    print(table(rows))
    if asked.json:
        write_json(asked.json, rows)


if __name__ == "__main__":
    main()
