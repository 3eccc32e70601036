"""GPTScore against people on BAGEL or SFRES (Fu et al. 2023, data-to-text): Spearman's rho, aspect by aspect.

    python -m benchmarks.judges_on_data2text --data data.json --model FOLDER --out FOLDER

A row is `{src, sys_summ, scores: {informativeness, naturalness, quality}, ref_summs}`; the file is JSONL, a JSON list,
or one object of rows by number, as the authors' `data.json` is. Where there is only a pickle, which can run any code
when it is read, turn it into such a file in a throw-away environment: `json.dump(list(pickle.load(f).values()), out)`.

A text is scored by how likely it is after a reference (reference → text), the reference after it (text → reference),
and the mean of the two, each the highest over the row's references; without an instruction and with one for the aspect.
Departures from the authors' code: instructions are in our words, there are no demonstrations, texts stay as they are
(theirs are detokenized, and end in a full stop), and no token is dropped.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.judges_on_summeval import shown
from precis.data.json_rows import json_rows, object_rows
from precis.data.rows import Bad, Fields, list_of, object_of, text_of
from precis.errors import BadInput
from precis.evaluation.judgements.agreement import correlation
from precis.evaluation.plain import write_json
from precis.evaluation.statistics import Estimate, not_estimable
from precis.judges.gptscore import GPTScoreJudge
from precis.judges.gptscore_prompts import ScoreTemplate
from precis.judges.likelihood import Likelihood
from precis.judges.policy_likelihood import PolicyLikelihood
from precis.models import load_policy
from precis.records import Candidate, Document, Group, Maker, Score, check_text
from precis.textmetrics import count_words, rouge_f1

INSTRUCTIONS = {
    "informativeness": "Say the following in other words and keep all that it tells.",
    "naturalness": "Say the following in other words, as a native speaker would.",
    "quality": "Say the following in other words, fluently and in correct grammar.",
}
# The authors' words between the two texts; the line end keeps a text from opening the other's field.
FORWARD, BACKWARD = "{document} In other words ,\n{summary}", "{summary} In other words ,\n{document}"
RESAMPLES = 1000


@dataclass(frozen=True)
class Said:
    """One text, what it was written from, its references, and people's mean score on each aspect."""

    source: str
    text: str
    references: tuple[str, ...]
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Correlated:
    """Spearman's rho of one scorer with people on one aspect; resampled by source."""

    aspect: str
    scorer: str
    rho: Estimate


def rows_of(path: Path) -> list[Said]:
    """The file's rows; raises `BadInput` with the row and the field that are wrong."""
    found: list[Said] = []
    for row in (object_rows if path.suffix.lower() == ".json" else json_rows)(path):
        if isinstance(row, Bad):
            raise row.error.at(path=path)
        of_number = {str(row.line): row.fields} if "sys_summ" in row.fields else row.fields
        for number in of_number:
            try:
                found.append(said(object_of(of_number, number)))
            except BadInput as error:
                raise BadInput(f"row {number}: {error.what}", path=path, field=error.field) from error
    return found


def said(fields: Fields) -> Said:
    references = list_of(fields, "ref_summs")
    for reference in references:
        check_text(reference, "ref_summs")
    if not references:
        raise BadInput("expected at least one reference", field="ref_summs")
    scores = object_of(fields, "scores")
    for aspect in INSTRUCTIONS:
        number = scores.get(aspect)
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise BadInput(f"expected a number, found {number!r}", field=aspect)
    people = {aspect: float(scores[aspect]) for aspect in INSTRUCTIONS}
    return Said(text_of(fields, "src"), text_of(fields, "sys_summ"), tuple(dict.fromkeys(references)), people)


def likelihoods(rows: Sequence[Said], likelihood: Likelihood, template: str) -> dict[tuple[str, str], float]:
    """GPTScore of every text beside each of its references, by (reference, text); a pair that failed has none."""
    texts: dict[str, dict[str, None]] = defaultdict(dict)
    for row in rows:
        for reference in row.references:
            texts[reference][row.text] = None
    maker = Maker("policy", "data-to-text")
    documents = {reference: Document(reference) for reference in texts}
    groups = [
        Group(documents[reference], tuple(Candidate(documents[reference].id, text, maker) for text in own))
        for reference, own in texts.items()
    ]
    judge = GPTScoreJudge(likelihood, (ScoreTemplate(template),))
    values = {score.candidate: score.value for own in judge.judge(groups) for score in own if isinstance(score, Score)}
    return {
        (group.source.text, candidate.text): values[candidate.id]
        for group in groups
        for candidate in group.candidates
        if candidate.id in values
    }


def scored(rows: Sequence[Said], likelihood: Likelihood, instruction: str) -> dict[str, list[float]]:
    """Each row's value in each direction: the highest over its references, NaN where none is known."""
    start = f"{instruction}\n" if instruction else ""
    forward, backward = (likelihoods(rows, likelihood, start + template) for template in (FORWARD, BACKWARD))
    both = {pair: (value + backward[pair]) / 2 for pair, value in forward.items() if pair in backward}
    directions = {"reference → text": forward, "text → reference": backward, "both": both}
    return {
        name: [
            max((values[pair] for r in row.references if (pair := (r, row.text)) in values), default=float("nan"))
            for row in rows
        ]
        for name, values in directions.items()
    }


def spearman(values: Sequence[float], people: Sequence[float], sources: Sequence[str], *, seed: int) -> Estimate:
    """Over all rows with a value, with a bootstrap interval over sources."""
    rows_of_source: dict[str, list[int]] = defaultdict(list)
    for row, value in enumerate(values):
        if np.isfinite(value):
            rows_of_source[sources[row]].append(row)
    blocks = [np.array(own) for own in rows_of_source.values()]
    missing = len(values) - sum(map(len, blocks))
    x, y = np.asarray(values), np.asarray(people)

    def rho(drawn: Sequence[int] | np.ndarray) -> float | None:
        rows = np.concatenate([blocks[block] for block in drawn])
        return correlation(x[rows], y[rows], "spearman")

    whole = rho(range(len(blocks))) if blocks else None
    if whole is None:
        return not_estimable("fewer than two rows, or one side is constant", len(blocks), missing)
    draw = np.random.default_rng(seed)
    found = [rho(draw.integers(0, len(blocks), len(blocks))) for _ in range(RESAMPLES)]
    known = [value for value in found if value is not None]
    if len(known) < RESAMPLES / 2:
        return Estimate(whole, None, None, len(blocks), "most resamples have a constant side", missing)
    low, high = (float(end) for end in np.quantile(known, [0.025, 0.975]))
    return Estimate(whole, low, high, len(blocks), "", missing)


def measured(rows: Sequence[Said], likelihood: Likelihood, *, seed: int = 0) -> list[Correlated]:
    """Every scorer on every aspect; length and ROUGE-L against the references stand beside."""
    rouge = rouge_f1([row.text for row in rows], [row.references for row in rows], types=("rougeL",))["rougeL"]
    rules = {"length": [float(count_words(row.text)) for row in rows], "ROUGE-L": [float(value) for value in rouge]}
    plain = scored(rows, likelihood, "")
    found = []
    for aspect, instruction in INSTRUCTIONS.items():
        scorers = {f"gptscore, {name}": values for name, values in plain.items()}
        scorers |= {f"gptscore, instructed, {name}": own for name, own in scored(rows, likelihood, instruction).items()}
        people = [row.scores[aspect] for row in rows]
        for name, values in {**scorers, **rules}.items():
            rho = spearman(values, people, [row.source for row in rows], seed=seed)
            found.append(Correlated(aspect, name, rho))
        print(f"{aspect}: {len(rows):,} texts", flush=True)
    return found


def table(found: Sequence[Correlated]) -> str:
    """Scorers by aspect, as Markdown."""
    rho = {(one.scorer, one.aspect): one.rho for one in found}
    head = [f"| Spearman's rho of | {' | '.join(INSTRUCTIONS)} |", "|---" * (1 + len(INSTRUCTIONS)) + "|"]
    lines = (
        f"| {scorer} | {' | '.join(shown(rho[scorer, aspect]) for aspect in INSTRUCTIONS)} |"
        for scorer in dict.fromkeys(one.scorer for one in found)
    )
    return "\n".join([*head, *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the rows, as JSON")
    parser.add_argument("--model", required=True, help="folder of the model that scores")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    found = measured(rows_of(asked.data), PolicyLikelihood(load_policy(asked.model)), seed=asked.seed)
    write_json(asked.out / f"{asked.data.stem}.json", found)
    print(f"\n{table(found)}")


if __name__ == "__main__":
    main()
