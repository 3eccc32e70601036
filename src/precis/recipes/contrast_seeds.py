"""Contrast and what it is compared with, seed by seed, and what several seeds say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..evaluation.lengthmatch import LengthMatch
from ..evaluation.statistics import Difference, over_seeds
from ..evaluation.systems import RULES, Evaluation, mean_differences
from ..records import Document, JudgeInfo
from ..report.contents import Block, Cell, Column, cell
from ..report.systems_blocks import COLUMNS, differences_table, seeds_table
from ..sampling.decoding import Decoding
from ..textmetrics import ROUGE_TYPES
from .summary import Figure


@dataclass(frozen=True)
class Contrast:
    """Which judges and systems the findings are about; `own` are the policies' own scores, `decodings` how they
    write and how near that came to the length of what is imitated.

    `seeds` are the systems that contrast made, by seed, and `choosing` what each of them chooses among the candidates
    of the warm policy; `contrastive` and `reranked` are the first of them. `rerankers` are what each seed's reranker
    chooses among the same. `twins` are what imitation made, by seed: contrast is compared with its own seed's. `notes`
    are what a reader must know of who judges.
    """

    gold: JudgeInfo
    ranker: JudgeInfo
    own: Mapping[str, JudgeInfo]
    contrastive: str
    imitation: str
    warm: str
    seeds: Mapping[int, str]
    twins: Mapping[int, str]
    choosing: Mapping[int, str]
    rerankers: Mapping[int, str]
    random: str
    reranked: str
    ceiling: str
    decodings: Mapping[str, tuple[Decoding, LengthMatch | None]]
    notes: tuple[str, ...] = ()

    @property
    def judges(self) -> tuple[JudgeInfo, ...]:
        """The judge of the result and the one that trained, if they are two."""
        return (self.gold,) if self.gold.id == self.ranker.id else (self.gold, self.ranker)


def seeds_blocks(evaluation: Evaluation, about: Contrast, tested: Sequence[Document], seed: int) -> list[Block]:
    """Win rates and ROUGE of contrast's trainings, and of rerankers', over their seeds, where there are several."""
    several = [each for each in (about.seeds, about.choosing, about.rerankers) if len(each) > 1]
    if not several:
        return []
    ways = {next(iter(each.values())): each for each in several}
    way_of = {system: (way, str(seed)) for way, each in ways.items() for seed, system in each.items()}

    def named(other: str) -> str:
        return about.imitation if other in about.twins.values() else other

    rates: dict[str, dict[str, float]] = {}
    for rate in evaluation.win_rates:
        if rate.system in way_of and rate.judge == about.gold.name and rate.win_rate.value is not None:
            way, own_seed = way_of[rate.system]
            rates.setdefault(f"{way} against {named(rate.against)}", {})[own_seed] = rate.win_rate.value
    gains: dict[str, dict[str, float]] = {}
    for gain in evaluation.differences:
        if gain.a in way_of and gain.metric in ROUGE_TYPES and gain.difference.value is not None:
            way, own_seed = way_of[gain.a]
            name = f"{COLUMNS[gain.metric].name}, {way} over {named(gain.b)}"
            gains.setdefault(name, {})[own_seed] = gain.difference.value
    joined = [
        difference
        for each in ways.values()
        for other, others in ((about.imitation, {} if each is about.rerankers else about.twins), (about.warm, {}))
        for difference in _joined(evaluation, tested, each, other, others, seed)
    ]
    tables = {f"Win rate by {about.gold.name} over seeds, %.": rates, "Gain in ROUGE over seeds, points.": gains}
    return [
        *(
            seeds_table(caption, {name: over_seeds(own) for name, own in each.items()}, scale=100, digits=2)
            for caption, each in tables.items()
            if each
        ),
        differences_table(joined, ROUGE_TYPES, caption="Paired differences, each document's mean over the seeds."),
    ]


def seeds_figures(evaluation: Evaluation, about: Contrast, tested: Sequence[Document], seed: int) -> list[Figure]:
    """Contrast against the imitation of its own seed over all seeds, in one row; nothing where there is one.

    Of win rates the mean and the deviation over seeds; of ROUGE each document's mean, with an interval over documents.
    """
    if len(about.seeds) < 2:
        return []
    figures: list[Figure] = [(Column("Seeds", digits=0), Cell(len(about.seeds)))]
    own = {(system, about.twins[own_seed]): own_seed for own_seed, system in about.seeds.items()}
    rates: dict[str, dict[str, float]] = {}
    for rate in evaluation.win_rates:
        if (rate.system, rate.against) in own and rate.judge not in RULES and rate.win_rate.value is not None:
            rates.setdefault(rate.judge, {})[str(own[rate.system, rate.against])] = rate.win_rate.value
    for judge, each in rates.items():
        found = over_seeds(each)
        missing = "" if len(each) == len(about.seeds) else f"of {len(each)} seeds; the others have none"
        figures += [
            (Column(f"{judge}, mean", "Win rate, mean over seeds, %.", "higher", 100), Cell(found.mean, why=missing)),
            (Column(f"{judge}, SD", "Over seeds.", "", 100), Cell(found.sd, why="" if len(each) > 1 else "one seed")),
        ]
    for gain in _joined(evaluation, tested, about.seeds, about.imitation, about.twins, seed):
        name = f"{COLUMNS[gain.metric].name}, difference"
        figures.append((Column(name, "Each document's mean over seeds, paired, points.", "higher", 100), cell(gain)))
    return figures


def _joined(
    evaluation: Evaluation,
    tested: Sequence[Document],
    each: Mapping[int, str],
    other: str,
    others: Mapping[int, str],
    seed: int,
) -> list[Difference]:
    """Each document's mean over every seed's system minus that of `others`, or `other` where a seed has none."""
    return mean_differences(
        evaluation,
        tested,
        [(system, others.get(own_seed, other)) for own_seed, system in each.items()],
        ROUGE_TYPES,
        names=(f"{next(iter(each.values()))}, mean of {len(each)} seeds", other),
        seed=seed,
    )
