"""Does training on a large model's rankings teach more than imitation? SumLLM's released lists, held-out articles.

    python -m benchmarks.contrast_on_sumllm --gptrank FILE --gptscore FILE --start init|warm:FOLDER|sandbox|FOLDER \
        --out FOLDER [--seeds 1,2,3] [--set contrast.training.epochs=2]

From one start, with Liu et al. 2023's loss and preset: contrast on GPT-4's rankings, as many updates of imitation
alone, and the same on text-davinci-003's scores (GPTScore). Measured is the share of pairs of candidates that a
policy's own score orders as the large model does, beside rules that know nothing of quality.

**Held out** are the articles that both files hold (100 of 500): the start and what learns from GPT-4 see none of them,
and what learns from GPTScore judges those of the other folds. So everything is tested on the same articles and both
files' candidates, which are different texts, and one start serves all; five folds of the 500 would cost five times
as much. Weights are chosen on further articles; settings are fixed beforehand, seeds change all that is random.

**What this cannot show.** The start imitates some 350 abstracts and has seen no other summary (unless it is a FOLDER),
where the paper has bart-large-cnn: its candidates would be poor, so only orders are measured, of other models' texts.
The published training (a peak of 1e-5 after 400 updates) hardly moves such models. Small ones find other models' texts
very unlikely, so the ranking loss, weighed 100 as published, begins at some 30 where imitation's is 3: at peaks of
1e-4 and 3e-5 all candidates became equally unlikely, and imitation's loss doubled. Here it is weighed 5, at 3e-5.
`--set contrast.training.learning_rate=…` and so on changes what is set here.

A killed run goes on when the command is given again. FOLDER/results.json has every number with its interval; these
are over articles, for the seeds that were run, whose own numbers stand beside. A seed's trainings keep 0.8 GB each of
a 49M-parameter model, seven of them. By default a seed trains on some 1.4M tokens (`init`: 2M), and scores 1.1M.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field

from benchmarks.candidate_orders import Ordered, Values, measured, shown, table
from precis.data import import_into, read
from precis.errors import UserError
from precis.evaluation.plain import write_json
from precis.judges.ownscore import OwnScoreJudge
from precis.recipes import steps
from precis.recipes.llm_reference_settings import WarmUpSettings
from precis.recipes.settings import Settings, load_settings
from precis.recipes.workspace import Workspace, announce, open_workspace
from precis.records import Candidate, Group, Ranking, Score
from precis.selection import Selection, scores_of
from precis.training import TrainConfig
from precis.training.run_folder import read_result

RANK, SCORE = "GPTRank", "GPTScore"
WARM, IMITATION, CONTRAST = "start", "imitation only", "contrast"
CONTRASTS = tuple(f"{CONTRAST}, {name}" for name in (RANK, SCORE))
# Random weights learn faster with Muon, and English from the articles too.
SCRATCH = (
    "warm_up.prompt_weight=0.3", "warm_up.training.optimizer=muon", "warm_up.training.learning_rate=3e-3",
    "warm_up.training.epochs=6",
)  # fmt: skip


class Study(Settings):
    """Settings of one seed."""

    seed: int = 1
    start: steps.StartSettings = steps.StartSettings(size="mini", max_prefix_tokens=384)
    warm_up: WarmUpSettings = WarmUpSettings(
        training=TrainConfig(
            learning_rate=3e-4, warmup_fraction=0.1, epochs=2, groups_per_batch=8, tokens_per_batch=4096
        )
    )
    contrast: steps.ContrastSettings = steps.ContrastSettings(
        loss=steps.LossSettings(rank_weight=5),
        watch=0,
        training=TrainConfig(
            learning_rate=3e-5, warmup_fraction=0.1, groups_per_batch=2, accumulation=2, tokens_per_batch=4096
        ),
    )
    valid_documents: int = Field(default=40, ge=1)
    """Articles to choose weights by, of those that only GPT-4 judged; of a fold of GPTScore's a fifth of the others."""
    folds: int = Field(default=2, ge=2)
    score_epochs: int = Field(default=3, ge=1)
    """Passes over the few articles of a fold."""


@dataclass(frozen=True)
class Released:
    """One file: articles with candidates in the judge's order, and the abstracts that are imitated with them."""

    ordered: Selection
    references: steps.References
    place: Values
    """Of every candidate in its row, with a minus: earlier is better."""

    def of(self, ids: Sequence[str]) -> list[Group]:
        known = {group.source.id: group for group in self.ordered.groups}
        return [known[name] for name in ids]


def released(work: Workspace, file: Path, name: str) -> Released:
    """Import a file; its candidates and abstracts are told apart from the other file's."""
    announce(str(import_into(work.store, "sumllm", file, dataset=name)))
    records = list(read("sumllm", file, dataset=name))
    texts = [record for record in records if isinstance(record, Candidate)]
    references = {text.source_id: (text,) for text in texts if text.maker.role == "reference"}
    candidates = [text for text in texts if text.maker.role == "policy"]
    judge = next(record.judge for record in records if isinstance(record, (Ranking, Score)))
    groups = work.store.groups(
        source_ids=sorted(references), maker_ids=[candidates[0].maker.id], judge_ids=[judge.id]
    )  # fmt: skip
    ordered = steps.ordered(steps.refer(groups, references), judge)
    announce(f"  by {judge.name}: {ordered}")
    return Released(ordered, references, {candidate.id: -float(place) for place, candidate in enumerate(candidates)})


def shared_and_other(rank: Released, score: Released) -> tuple[list[str], list[str]]:
    """The articles of both files, which are held out, and those that only GPT-4 judged, by their hashes."""
    scored = {group.source.id for group in score.ordered.groups}
    ranked = [group.source.id for group in rank.ordered.groups]
    return [name for name in ranked if name in scored], [name for name in ranked if name not in scored]


def learn(
    work: Workspace, warm: steps.Writer, file: Released, ids: Sequence[str], valid: int, study: Study, name: str
) -> dict[str, steps.Writer]:
    """Contrast on the articles' order, and its twin; the first `valid` of them choose the weights."""
    training, held_out = (
        Selection(tuple(file.of(own)), {"groups": len(own), "kept": len(own)}) for own in (ids[valid:], ids[:valid])
    )
    learned = steps.contrast(
        work, warm, training, held_out, file.references, study.contrast, seed=study.seed, name=f"{name}-contrast"
    )
    twin = steps.imitate_beside(
        work, warm, training, held_out, file.references, study.contrast, steps=learned.result.steps, seed=study.seed,
        name=f"{name}-imitation",
    )  # fmt: skip
    return {IMITATION: twin, CONTRAST: next(iter(learned.writers.values()))}


def own_scores(work: Workspace, writer: steps.Writer, name: str, groups: Sequence[Group], alpha: float) -> Values:
    judge = OwnScoreJudge(writer.policy, writer.renderer, length_penalty=alpha, name=name)
    judged = steps.judge(work, judge, groups)
    return {
        candidate.id: value
        for group in judged
        for candidate, value in zip(group.candidates, scores_of(group, judge.info), strict=True)
        if value is not None
    }


def scores_of_seed(work: Workspace, rank: Released, score: Released, study: Study) -> dict[str, Values]:
    """What every policy thinks of the held-out articles' candidates of both files."""
    shared, other = shared_and_other(rank, score)
    if len(shared) < 5 * study.folds or len(other) <= study.valid_documents:
        raise UserError(f"{len(shared)} articles are in both files and {len(other)} in the first alone: too few")
    unordered = ([replace(group, ranks=None) for group in file.of(shared)] for file in (rank, score))
    tested = {group.source.id: group for group in steps.together(*unordered)}
    valid, alpha = study.valid_documents, study.contrast.loss.length_penalty
    documents = steps.Documents(rank.of(other[valid:]), rank.of(other[:valid]), rank.of(shared))
    with work.step(WARM, f"label-smoothed imitation of {len(documents.train)} abstracts"):
        start = steps.starting_writer(work, study.start, documents, seed=study.seed)
        warm = steps.supervise(work, start, documents.train, documents.valid, study.warm_up, name="warm")
        found: dict[str, dict[str, float]] = {WARM: {**own_scores(work, warm, WARM, list(tested.values()), alpha)}}
    with work.step(RANK, "contrast on its order, and as many updates of imitation"):
        for kind, writer in learn(work, warm, rank, other, valid, study, RANK).items():
            name = f"{kind}, {RANK}"
            found[name] = {**own_scores(work, writer, name, list(tested.values()), alpha)}
    longer = replace(study.contrast.training, epochs=study.score_epochs)
    study = study.model_copy(update={"contrast": study.contrast.model_copy(update={"training": longer})})
    for fold in range(study.folds):
        with work.step(f"{SCORE}-{fold + 1}", f"the same on its order, fold {fold + 1} of {study.folds}"):
            seen = [name for place, name in enumerate(shared) if place % study.folds != fold]
            mine = [group for name, group in tested.items() if name not in seen]
            for kind, writer in learn(work, warm, score, seen, len(seen) // 5, study, f"{SCORE}-{fold + 1}").items():
                name = f"{kind}, {SCORE}"
                found.setdefault(name, {}).update(own_scores(work, writer, name, mine, alpha))
    return dict(found)


def crossed(results: Mapping[str, Ordered]) -> str:
    """Trained on one judge's order, tested on the other's: gain over the twin that only imitates, as Markdown."""
    head = ("trained on", *(f"tested on {name}" for name in results))
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name in (RANK, SCORE):
        gains = [ordered.gain(f"{CONTRAST}, {name}", f"{IMITATION}, {name}") for ordered in results.values()]
        lines.append(f"| {name} | {' | '.join('–' if gain is None else shown(gain, 100, 1) for gain in gains)} |")
    return "\n".join([f"**{CONTRAST} over {IMITATION}**, points of pairs right", "", *lines, ""])


def trainings(work: Workspace) -> dict[str, Any]:
    """What became of each training of a seed."""
    found = {folder.name: read_result(folder) for folder in sorted(work.training.iterdir())}
    return {name: asdict(result) for name, result in found.items() if result is not None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gptrank", type=Path, required=True, help="the file of GPT-4's rankings")
    parser.add_argument("--gptscore", type=Path, required=True, help="the file of text-davinci-003's scores")
    parser.add_argument("--start", required=True, help="init, warm:FOLDER, sandbox, or a model's folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="1", help="as 1,2,3")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of `Study`")
    asked = parser.parse_args()
    chosen = [f"start.model={asked.start}", *(SCRATCH if asked.start == "init" else ()), *asked.set]
    study = load_settings(Study, "contrast_on_sumllm", overrides=chosen)
    scores: dict[int, dict[str, Values]] = {}
    told: dict[int, Any] = {}
    results: dict[str, Ordered] = {}
    for seed in map(int, asked.seeds.split(",")):
        own = study.model_copy(update={"seed": seed})
        with open_workspace(asked.out / f"seed-{seed}", own) as work:
            files = {RANK: released(work, asked.gptrank, RANK), SCORE: released(work, asked.gptscore, SCORE)}
            scores[seed] = scores_of_seed(work, files[RANK], files[SCORE], own)
            told[seed] = {"seconds": work.seconds, "trainings": trainings(work)}
        held_out, _ = shared_and_other(files[RANK], files[SCORE])
        results = {
            name: measured(file.of(held_out), scores, {"place in the list": file.place}, beaten_by=CONTRASTS)
            for name, file in files.items()
        }
        content = {"settings": study.model_dump(mode="json"), "seeds": told, "tested": results}
        write_json(asked.out / "results.json", content)
    for name, ordered in results.items():
        print(table(f"Ordered by {name}", ordered, of=f"{CONTRAST}, {name}"))
    print(crossed(results))


if __name__ == "__main__":
    main()
