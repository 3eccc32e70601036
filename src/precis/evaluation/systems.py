"""Systems side by side on the same documents: text metrics, win rates, differences, and the rows behind each number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..records import Candidate, Document, Failure, JudgeInfo, Judgement
from ..textmetrics import ROUGE_TYPES, rouge_reads
from .measure import STATISTICS, add_bertscore, add_scores, by_document, document_means, measure
from .plain import to_plain, write_json, write_jsonl
from .statistics import RESAMPLES, Difference, Estimate, mean_estimates, paired_differences
from .winrates import Verdicts, WinRate, judgements_by_judge, verdicts_between, win_rate

Floats = NDArray[np.float64]

REFERENCE = "reference"
# Judges that know nothing of what a good summary is, and so grade none.
RULES = frozenset({"length", "copying", "random"})
UNEQUAL = 1.25  # from this ratio of mean lengths on, a win rate comes with a warning


@dataclass(frozen=True)
class SystemResult:
    """One row of the table.

    `documents` have at least one candidate, `missing` have none; `empty` and `unfinished` count candidates.
    """

    name: str
    documents: int
    missing: int
    candidates: int
    empty: int
    unfinished: int
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate_systems` found; its sources are `outputs` (a row a candidate) and `verdicts` (a row a verdict)."""

    systems: tuple[SystemResult, ...]
    win_rates: tuple[WinRate, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    settings: Mapping[str, Any]
    outputs: tuple[Mapping[str, Any], ...]
    verdicts: tuple[Mapping[str, Any], ...]


def evaluate_systems(
    documents: Sequence[Document],
    references: Mapping[str, Sequence[Candidate]],
    systems: Mapping[str, Sequence[Candidate]],
    *,
    judgements: Sequence[Judgement] = (),
    against: Sequence[str] = (REFERENCE,),
    baselines: Sequence[str] = (),
    compared: Callable[[str, str], bool] = lambda system, other: True,
    training_judges: Sequence[str] = (),
    over: Literal["mean", "max"] = "mean",
    tokenizer: Literal["rouge-score", "unicode", "character"] = "rouge-score",
    encoder: Path | str | None = None,
    encoder_layer: int | None = None,
    judged: Mapping[str, JudgeInfo] = MappingProxyType({}),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Measure each of `systems` (name → its candidates) on `documents`.

    `references` are by document id; a candidate that is itself a reference is scored against the others. Where a
    system has several candidates of a document, the document's value is their mean. `judgements` give win rates
    of each system against each name in `against` (another system, or "reference"), by judge; `training_judges`
    are the judges that the systems were trained or chosen by, which may not be the only ones. With each of `baselines`
    every other system's metrics are compared, paired by document. `encoder` adds BERTScore; `judged` adds metrics by
    name that are the scores of a judge, as `judgements` have them.
    """
    if not documents:
        raise UserError("there is no document to evaluate on")
    if not systems:
        raise UserError("there is no system to evaluate")
    if repeated := len(documents) - len({document.id for document in documents}):
        raise UserError(f"{repeated} documents appear twice; evaluate each text once")
    for name in (*against, *baselines):
        if name != REFERENCE and name not in systems:
            raise UserError(f"no system is called {name!r}; there are {', '.join(systems)}")
    texts = {name: by_document(name, own, documents) for name, own in systems.items()}
    rows = measure(documents, references, texts, over=over, tokenizer=tokenizer)
    if encoder is not None:
        add_bertscore(rows, references, encoder, encoder_layer, over)
    for name, judge in judged.items():
        add_scores(rows, name, judge, judgements)
    metrics = [*ROUGE_TYPES, *(["bertscore"] if encoder is not None else []), *judged, *STATISTICS]
    values = {name: document_means(rows, name, documents, metrics) for name in systems}
    # All systems in one call: the same resamples, drawn once.
    estimates = mean_estimates(
        np.concatenate([values[name] for name in systems], axis=1), resamples=resamples, seed=seed
    )
    results = tuple(
        _result(name, texts[name], dict(zip(metrics, estimates[len(metrics) * place :])), len(documents))
        for place, name in enumerate(systems)
    )
    pairs = [(name, other) for other in baselines for name in systems if name != other and compared(name, other)]
    differences = (
        paired_differences(
            np.concatenate([values[name] for name, _ in pairs], axis=1),
            np.concatenate([values[baseline] for _, baseline in pairs], axis=1),
            [(metric, *pair) for pair in pairs for metric in metrics],
            resamples=resamples,
            seed=seed,
        )
        if pairs
        else []
    )
    sides = {REFERENCE: {document.id: list(references.get(document.id, ())) for document in documents}} | texts
    rivals = [(name, other) for other in against for name in systems if name != other and compared(name, other)]
    rates, verdicts = _win_rates(rivals, sides, judgements, resamples=resamples, seed=seed)
    settings = {
        "rouge": f"F1{', stemmed' if tokenizer == 'rouge-score' else ''}, {over} over references, words as {tokenizer}",
        "documents": len(documents),
        "references": sorted({len(references.get(document.id, ())) for document in documents}),
        "resamples": resamples,
        "seed": seed,
        "encoder": Path(encoder).name if encoder is not None else None,
    }
    warnings = _warnings(documents, references, results, rates, training_judges, tokenizer)
    return Evaluation(
        results, tuple(rates), tuple(differences), tuple(warnings), settings, tuple(rows), tuple(verdicts)
    )


def mean_differences(
    evaluation: Evaluation,
    documents: Sequence[Document],
    pairs: Sequence[tuple[str, str]],
    metrics: Sequence[str],
    *,
    names: tuple[str, str],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Several runs of one thing as one: for each metric the mean of a − b over `pairs` (a run and what it is compared
    with), document by document, on those that all of them have; `names` are what a and b are called.

    The interval is over documents, for the runs that there are; how far runs are apart stands in `statistics.Seeds`.
    """
    a_ND, b_ND = (
        np.mean([document_means(evaluation.outputs, pair[side], documents, metrics) for pair in pairs], axis=0)
        for side in (0, 1)
    )
    named = [(metric, *names) for metric in metrics]
    return paired_differences(a_ND, b_ND, named, resamples=resamples, seed=seed)


def write_evaluation(evaluation: Evaluation, folder: Path) -> Path:
    """`evaluation.json` beside `outputs.jsonl` (a row a candidate) and `verdicts.jsonl` (a row a verdict)."""
    write_jsonl(folder / "outputs.jsonl", evaluation.outputs)
    write_jsonl(folder / "verdicts.jsonl", evaluation.verdicts)
    content = {name: value for name, value in to_plain(evaluation).items() if name not in ("outputs", "verdicts")}
    return write_json(folder / "evaluation.json", content)


def _result(
    name: str, texts: Mapping[str, Sequence[Candidate]], metrics: Mapping[str, Estimate], total: int
) -> SystemResult:
    candidates = [candidate for own in texts.values() for candidate in own]
    covered = sum(bool(own) for own in texts.values())
    return SystemResult(
        name=name,
        documents=covered,
        missing=total - covered,
        candidates=len(candidates),
        empty=sum(candidate.is_empty for candidate in candidates),
        unfinished=sum(not candidate.finished for candidate in candidates),
        metrics=metrics,
    )


def _win_rates(
    rivals: Sequence[tuple[str, str]],
    sides: Mapping[str, Mapping[str, Sequence[Candidate]]],
    judgements: Sequence[Judgement],
    *,
    resamples: int,
    seed: int,
) -> tuple[list[WinRate], list[dict[str, Any]]]:
    rates: list[WinRate] = []
    rows: list[dict[str, Any]] = []
    ids = {name: {c.id for texts in side.values() for c in texts} for name, side in sides.items()}
    for judge, own in judgements_by_judge(judgements).items():
        met = {i for judgement in own if not isinstance(judgement, Failure) for i in judgement.candidate_ids}
        for system, other in rivals:
            found: Verdicts = verdicts_between(own, sides[system], sides[other])
            # Two systems that wrote the same texts are even, if the judge was asked about them at all.
            if len(found.verdicts) == found.identical and not (met & ids[system] and met & ids[other]):
                continue
            rates.append(win_rate(found, system=system, against=other, judge=judge, resamples=resamples, seed=seed))
            rows += [{"judge": judge, "system": system, "against": other, **asdict(v)} for v in found.verdicts]
    return rates, rows


def _warnings(
    documents: Sequence[Document],
    references: Mapping[str, Sequence[Candidate]],
    results: Sequence[SystemResult],
    rates: Sequence[WinRate],
    training_judges: Sequence[str],
    tokenizer: str,
) -> list[str]:
    """What a reader must know before believing the tables."""
    found = []
    if bare := sum(not references.get(document.id) for document in documents):
        found.append(f"{bare} of {len(documents)} documents have no reference summary and take no part in ROUGE.")
    blind = sum(not rouge_reads(r.text) for document in documents for r in references.get(document.id, ()))
    if blind and tokenizer == "rouge-score":
        found.append(f"ROUGE sees no word in {blind} references: for other scripts than Latin use tokenizer 'unicode'.")
    for what, counts in (
        (
            "no summary, or none that was chosen, and means of the others",
            [(r.name, r.missing, len(documents)) for r in results],
        ),
        ("empty summaries", [(r.name, r.empty, r.candidates) for r in results]),
        ("summaries that hit the length limit", [(r.name, r.unfinished, r.candidates) for r in results]),
    ):
        if some := [f"{name}: {count} of {of}" for name, count, of in counts if count]:
            found.append(f"Systems with {what}. {'; '.join(some)}.")
    for judge, against in dict.fromkeys((rate.judge, rate.against) for rate in rates):
        own = [rate for rate in rates if (rate.judge, rate.against) == (judge, against)]
        if failures := max(rate.failures for rate in own):  # a list that cannot be read fails for all systems alike
            found.append(
                f"{judge}, against {against}: the judge failed on up to {failures} documents of a system, left out."
            )
        if unjudged := max(rate.unjudged for rate in own):
            found.append(f"{judge}, against {against}: up to {unjudged} documents of a system were not judged.")
    apart = [
        rate
        for rate in rates
        if rate.words and rate.words_against and not 1 / UNEQUAL < rate.words / rate.words_against < UNEQUAL
    ]
    if apart:
        found.append(
            f"Mean lengths differ by a factor of {UNEQUAL} or more in {len(apart)} of {len(rates)} win rates: "
            "read them at equal length."
        )
    judges = {rate.judge for rate in rates} - RULES
    if judges and judges <= set(training_judges):
        found.append(
            f"The only judge ({', '.join(sorted(judges))}) also trained or chose a system: its win rates say how well "
            "that was optimized, not how good the summaries are."
        )
    return found
