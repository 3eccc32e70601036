"""How much better does a reward model get with more comparisons, and with more layers? Stiennon et al. 2020, §4.3.

    python -m benchmarks.reward_scaling --work FOLDER --out FOLDER [--documents 250 500 1000 2000 4000] [--layers 1 2 3]

FOLDER is a finished run of `precis run human-feedback --preset sandbox`. Reward models are trained as the recipe trains
its own, from the supervised policy, on the comparisons of its first documents: more documents with all layers, and on
one number of documents (`--at`) only the policy's first layers. Whatever a model was trained on, it is tested on the
same pairs: the policy's samples of the test documents, as the oracle orders them. What was measured is a line of
OUT/runs.jsonl, and not measured again; `precis analyse scaling OUT/runs.jsonl` fits the two slopes.

**What this cannot show.** A trunk cut short was never trained to be one, so its slope is not that of models of other
sizes, each pretrained as such; and the simulated people make mistakes, the more the nearer two summaries are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ranker_bias import pairs_of_the_oracle
from precis.errors import UserError
from precis.evaluation.rewardmodel import HeldOut, accuracy
from precis.judges.reward import RewardJudge
from precis.models import fingerprint_of, reward_model_from_policy
from precis.models.structure import trunk_of
from precis.objectives import pairwise_logistic
from precis.recipes.human_feedback import HumanFeedback
from precis.recipes.steps import load_writer
from precis.records import Group, Score
from precis.selection import Selection, pairs_from_comparisons
from precis.store import Store
from precis.training.batches import examples_of
from precis.training.train import train


@dataclass(frozen=True)
class Run:
    """One reward model: trained on so many documents' comparisons, with so many layers of the policy."""

    documents: int
    layers: int
    seed: int

    def __str__(self) -> str:
        return f"{self.documents}-documents-{self.layers}-layers-seed-{self.seed}"


def compared_and_tested(work: Path) -> tuple[Selection, list[Group]]:
    """The training pairs of the run's simulated people, and the test documents with what the policy sampled of them."""
    policy = fingerprint_of(work / "models" / "supervised")
    with Store(work, create=False) as store:
        compared = pairs_from_comparisons(store.groups(split="train"), ["comparer"])
        test = [document.id for document in store.documents(split="test")]
        sampled = {
            one.maker.id
            for one in store.candidates(test)
            if one.maker.name == policy and one.maker.settings["decoding"]["kind"] == "temperature"
        }
        tested = store.groups(source_ids=test, maker_ids=sorted(sampled))
    if not compared.groups or not tested:
        raise UserError(f"{work} holds no comparisons of training documents or no samples of test documents")
    return compared, tested


def trained(run: Run, work: Path, settings: HumanFeedback, groups: Sequence[Group], folder: Path) -> RewardJudge:
    """The recipe's reward model, on these groups and with the policy's first layers, the last weights kept."""
    writer = load_writer(work / "models" / "supervised", to_train=True)
    trunk = trunk_of(writer.policy.model)
    trunk.layers = trunk.layers[: run.layers]
    trunk.config.num_hidden_layers = run.layers
    model = reward_model_from_policy(writer.policy, seed=run.seed, read_at=settings.reward.read_at)
    config = replace(settings.reward.training, seed=run.seed, keep_best=False, trackers=())
    examples = examples_of(writer.renderer, groups)
    pad_id = writer.policy.pad_id
    train(model, examples, pairwise_logistic(), config, folder / str(run), pad_id=pad_id, resume=True)
    return RewardJudge(model, writer.renderer, pad_id=pad_id, name=str(run))


def measured(run: Run, judge: RewardJudge, pairs: int, tested: Sequence[Group], held_out: HeldOut) -> dict[str, Any]:
    said = [one for own in judge.judge(tested) for one in own if isinstance(one, Score)]
    reward = {score.candidate: score.value for score in said}
    ordered = zip(held_out.chosen_N, held_out.rejected_N, strict=True)
    margins = np.array([reward.get(c.id, np.nan) - reward.get(r.id, np.nan) for c, r in ordered])
    found = accuracy(margins, held_out.documents_N, name=str(run))
    parameters = sum(weights.numel() for weights in judge.model.parameters())
    return {
        "parameters": parameters, "pairs": pairs, "seed": run.seed, "accuracy": found.accuracy.value, "n": found.pairs,
        "documents": run.documents, "layers": run.layers, "low": found.accuracy.low, "high": found.accuracy.high,
    }  # fmt: skip


def runs_of(
    documents: Sequence[int], layers: Sequence[int], at: int, whole: int, seeds: Sequence[int]
) -> Iterator[Run]:
    """The smaller first, each once."""
    wanted = [(count, whole) for count in documents] + [(at, count) for count in layers]
    for count, depth in sorted(set(wanted), key=lambda one: one[0] * one[1]):
        yield from (Run(count, depth, seed) for seed in seeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a finished run of human-feedback in the sandbox")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--documents", type=int, nargs="+", default=[250, 500, 1000, 2000, 4000])
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--at", type=int, default=1000, help="documents that the cut models are trained on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    asked = parser.parse_args()
    settings = HumanFeedback.model_validate(json.loads((asked.work / "config.json").read_text("utf-8")))
    compared, tested = compared_and_tested(asked.work)
    held_out = pairs_of_the_oracle(tested)
    whole = len(trunk_of(load_writer(asked.work / "models" / "supervised").policy.model).layers)
    most = len(compared.groups)
    print(f"{compared}; tested on {len(held_out.documents_N):,} pairs of {len(tested):,} documents", flush=True)
    asked.out.mkdir(parents=True, exist_ok=True)
    file = asked.out / "runs.jsonl"
    known = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
    done = {Run(row["documents"], row["layers"], row["seed"]) for row in known}
    for run in runs_of([min(count, most) for count in asked.documents], asked.layers, asked.at, whole, asked.seeds):
        if run in done:
            continue
        groups = compared.groups[: run.documents]
        judge = trained(run, asked.work, settings, groups, asked.out)
        row = measured(run, judge, sum(len(group.preferences) for group in groups), tested, held_out)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
        print(f"{run}: {row['pairs']:,} pairs, {row['accuracy']:.1%} [{row['low']:.1%}, {row['high']:.1%}]", flush=True)


if __name__ == "__main__":
    main()
