"""A reward model on people's own judgements: how often it is right about documents that it did not see.

    python -m benchmarks.reward_on_people --policy FOLDER --openai FILE.jsonl --summeval FILE.jsonl --out FOLDER

Every data set is cut into folds by document; each fold is judged by a model that was trained, from the policy, on the
other folds. Settings are fixed beforehand: nothing is chosen by what a held-out fold says. The result is one JSON file
a data set, and a table beside rules that know no content.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from precis.data import import_into
from precis.evaluation.judgements.candidatemetrics import Metric, rule_metrics
from precis.evaluation.judgements.choices import Choice, choices_of
from precis.evaluation.judgements.judgeaccuracy import JudgeAccuracy, judge_accuracy
from precis.evaluation.plain import to_plain
from precis.judges.reward import RewardJudge
from precis.models import ReadAt, reward_model_from_policy
from precis.objectives import pairwise_logistic
from precis.recipes.steps import load_writer
from precis.records import Document, Group, Score
from precis.selection import Selection, pairs_from_comparisons, pairs_from_ratings
from precis.store import Store
from precis.training import TrainConfig
from precis.training.batches import examples_of
from precis.training.train import train

EXPERT = "expert"


def pairs_of(groups: Sequence[Group]) -> Selection:
    """What to train on: the comparisons, or else the experts' mean ratings over the four axes."""
    pairs = pairs_from_comparisons(groups)
    return pairs if pairs.groups else pairs_from_ratings(groups, EXPERT)


def choices_from(groups: Sequence[Group]) -> list[Choice]:
    """What to test on: each comparison once, or each pair of summaries that the experts rated differently."""
    choices = choices_of(groups)
    if choices:
        return choices
    return [
        Choice(EXPERT, "", group.source.id, "", group.candidates[pair.chosen], group.candidates[pair.rejected], 1.0)
        for group in pairs_from_ratings(groups, EXPERT).groups
        for pair in group.preferences
    ]


def folds(groups: Sequence[Group], count: int) -> Iterator[tuple[list[Group], list[Group]]]:
    """The groups to train on and those to judge, for each fold; the order of content hashes is as good as random."""
    ordered = sorted(groups, key=lambda group: group.source.id)
    for fold in range(count):
        yield (
            [group for place, group in enumerate(ordered) if place % count != fold],
            [group for place, group in enumerate(ordered) if place % count == fold],
        )


def held_out_rewards(
    policy: str, groups: Sequence[Group], config: TrainConfig, *, folder: Path, read_at: ReadAt, count: int
) -> dict[str, float]:
    """Each candidate's reward by the model that saw neither its document nor what people said of it."""
    values: dict[str, float] = {}
    for number, (seen, held_out) in enumerate(folds(groups, count)):
        writer = load_writer(policy, to_train=True)
        model = reward_model_from_policy(writer.policy, seed=config.seed, read_at=read_at)
        pairs = pairs_of(seen)
        print(f"fold {number + 1} of {count}: {pairs}", flush=True)
        examples = examples_of(writer.renderer, pairs.groups)
        run = folder / f"fold-{number}"
        train(model, examples, pairwise_logistic(), config, run, pad_id=writer.policy.pad_id, resume=True)
        judge = RewardJudge(model, writer.renderer, pad_id=writer.policy.pad_id, name=f"fold {number}")
        for said in judge.judge(held_out):
            values |= {judgement.candidate: judgement.value for judgement in said if isinstance(judgement, Score)}
    return values


def measured(policy: str, kind: str, file: Path, config: TrainConfig, *, out: Path, **how: object) -> JudgeAccuracy:
    """The accuracy on one file, and beside it that of every rule."""
    with Store(out / f"{file.stem}.db") as store:
        import_into(store, kind, file)
        groups = [
            group for group in store.groups(references_compete=kind == "openai") if isinstance(group.source, Document)
        ]
    values = held_out_rewards(policy, groups, config, folder=out / file.stem, **how)  # type: ignore[arg-type]
    choices = choices_from(groups)
    rules = rule_metrics(groups, {side.id for choice in choices for side in (choice.a, choice.b)})
    return judge_accuracy(choices, Metric("reward", values, "reward"), rules, seed=config.seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", required=True, help="folder of the supervised policy that the models start from")
    parser.add_argument("--openai", type=Path, action="append", default=[], help="a file of comparisons")
    parser.add_argument("--summeval", type=Path, action="append", default=[], help="a file of expert ratings")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--read-at", choices=["last token", "every token"], default="every token")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    config = TrainConfig(
        learning_rate=asked.learning_rate,
        epochs=asked.epochs,
        schedule="cosine",
        warmup_fraction=0.1,
        tokens_per_batch=4096,
        keep_best=False,
        trackers=(),
        seed=asked.seed,
    )
    asked.out.mkdir(parents=True, exist_ok=True)
    for kind, file in [("openai", file) for file in asked.openai] + [("summeval", file) for file in asked.summeval]:
        found = measured(
            asked.policy, kind, file, config, out=asked.out, read_at=asked.read_at, count=asked.folds
        )  # fmt: skip
        (asked.out / f"{file.stem}.json").write_text(json.dumps(to_plain(found), indent=2) + "\n", "utf-8")
        print(f"\n{file.stem}: {found.comparisons} judgements, {found.identical} of the same text twice")
        for row in found.overall:
            print(f"  {row.name:20} {row.accuracy}  ({row.pairs} pairs)")
        for gain in found.gains:
            print(f"  over {gain.b:20} {gain.difference}")


if __name__ == "__main__":
    main()
