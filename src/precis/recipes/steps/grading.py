"""Who grades what contrast made: first a judge that gave no training signal, where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ...judges.bertscore import BertScoreJudge
from ...judges.copying import CopyingJudge
from ...judges.gptrank import ListwiseJudge
from ...judges.gptscore import GPTScoreJudge
from ...judges.length import LengthJudge
from ...judges.oracle import OracleJudge
from ...judges.protocol import Judge
from ...judges.rouge import RougeJudge
from .ranking import RankingSettings, ranking_judge


class GraderSettings(RankingSettings):
    """A large model that grades and trains nothing, so that the one that trained is not alone (its own open point)."""

    judge: Literal["gptrank", "gptscore"]
    """How it is asked: `gptrank` for a ranking of all summaries of a document, `gptscore` for log-probabilities."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{self.judge} by {asked_of(self)[1].rpartition('/')[2]}"


def check_graders(graders: Sequence[GraderSettings], ranking: RankingSettings) -> None:
    """Raises `ValueError` for a grader that is the judge that trains, or is called as another one is."""
    for index, grader in enumerate(graders):
        if grader.judge == ranking.judge and asked_of(grader) == asked_of(ranking):
            raise ValueError(f"evaluation.graders: {grader.name} ranks for training, so it is no further judge")
        if grader.name in [other.name for other in graders[:index]]:
            raise ValueError(f"evaluation.graders: two of them are {grader.name}")


def asked_of(settings: RankingSettings) -> tuple[str, str]:
    """Where the large model is that the judge asks, whatever it asks it, and what it is called; empty texts for a judge
    that asks none."""
    if settings.judge not in ("gptrank", "gptscore"):
        return "", ""
    if settings.model:
        return "", settings.model
    assert settings.endpoint is not None, "the settings were checked"
    return settings.endpoint.url, settings.endpoint.model


def grading_judges(
    graders: Sequence[GraderSettings],
    ranking: RankingSettings,
    ranker: Judge,
    *,
    seed: int,
    sandbox: bool,
    encoder: str | None = None,
    by_training: bool = True,
    written_by: tuple[str, ...] = (),
) -> tuple[list[Judge], list[str]]:
    """Every judge once, and the names of those that gave the training signal, or are a model that did.

    First stand those that gave none: the sandbox's oracle, `graders`, ROUGE, BERTScore by `encoder`; then graders that
    are the model that ranked, asked otherwise; then the ranker itself, `by_training` or where it is alone; last the
    rules that know nothing.
    """
    further: list[Judge] = []
    related: list[Judge] = []
    for grader in graders:
        same = asked_of(grader) == asked_of(ranking)
        (related if same else further).append(_called(ranking_judge(grader, seed=seed), grader.name))
    found: list[Judge] = [OracleJudge()] if sandbox and ranking.judge != "oracle" else []
    found += further
    if ranking.judge != "rouge":
        found.append(RougeJudge(written_by=written_by))
    if encoder is not None:
        found.append(BertScoreJudge(Path(encoder), written_by=written_by))
    trained = [*related, *([ranker] if by_training or not found else [])]
    return [*found, *trained, LengthJudge(), CopyingJudge()], [ranker.info.name, *(j.info.name for j in related)]


def _called(judge: Judge, name: str) -> Judge:
    assert isinstance(judge, (GPTScoreJudge, ListwiseJudge))
    return replace(judge, name=name)
