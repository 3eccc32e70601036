"""Who grades what contrast made: first a judge that gave no training signal, where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from ...judges.bertscore import BertScoreJudge
from ...judges.copying import CopyingJudge
from ...judges.gptrank import ListwiseJudge
from ...judges.gptscore import GPTScoreJudge
from ...judges.length import LengthJudge
from ...judges.oracle import OracleJudge
from ...judges.protocol import Judge
from ...judges.rouge import RougeJudge
from .large_models import asked_by
from .ranking import RankingSettings, ranking_judge
from .targets import TargetSettings

_OF_RANKERS, _OF_LISTS = ("noise", "position_bias", "position_shape"), ("passes", "permute", "max_tokens")


class GraderSettings(RankingSettings):
    """A large model that grades and trains nothing, so that the one that trained is not alone (its own open point)."""

    judge: Literal["gptrank", "gptscore"]
    """How it is asked: `gptrank` for a ranking of all summaries of a document, `gptscore` for log-probabilities."""
    name: str = ""
    """What tables call it; without a name, its judge and its model."""

    @model_validator(mode="after")
    def _is_asked_so(self) -> GraderSettings:
        for field in (*_OF_RANKERS, *(_OF_LISTS if self.judge == "gptscore" else ())):
            if getattr(self, field) != type(self).model_fields[field].default:
                raise ValueError(f"{self.judge} has no {field}")
        return self

    @property
    def title(self) -> str:
        """What tables call it."""
        model = asked_by(self)
        assert model is not None, "a grader asks a large model"
        return self.name or f"{self.judge} by {model.title}"


def check_graders(graders: Sequence[GraderSettings], ranking: RankingSettings) -> None:
    """Raises `ValueError` for a grader that is the judge that trains, or is called as another one is."""
    for index, grader in enumerate(graders):
        if grader.judge == ranking.judge and asked_by(grader) == asked_by(ranking):
            raise ValueError(f"evaluation.graders: {grader.title} ranks for training, so it is no further judge")
        if grader.title in [ranking.judge, *(other.title for other in graders[:index])]:
            raise ValueError(f"evaluation.graders: two judges are called {grader.title}; give each a name")


def trained(grader: GraderSettings, ranking: RankingSettings, targets: TargetSettings) -> bool:
    """Whether the grader may be a model that gave training signal: its ranking, or what is imitated."""
    own = asked_by(grader)
    assert own is not None, "a grader asks a large model"
    others = (asked_by(ranking), asked_by(targets))
    return any(own.may_be(other) for other in others if other is not None)


def grading_judges(
    graders: Sequence[GraderSettings],
    ranking: RankingSettings,
    targets: TargetSettings,
    ranker: Judge,
    *,
    seed: int,
    sandbox: bool,
    encoder: str | None = None,
    by_training: bool = True,
    rouge_chose: bool = False,
    written_by: tuple[str, ...] = (),
) -> tuple[list[Judge], list[str]]:
    """Every judge once, and the names of those that gave the training signal, or are a model that did.

    First stand those that gave none: the sandbox's oracle, `graders`, ROUGE, BERTScore by `encoder`; then graders that
    may be the model that ranked or wrote what is imitated, and ROUGE where it chose weights (`rouge_chose`); then the
    ranker itself, `by_training` or where it is alone; last the rules that know nothing.
    """
    further: list[Judge] = []
    related: list[Judge] = []
    for grader in graders:
        kin = related if trained(grader, ranking, targets) else further
        kin.append(_called(ranking_judge(grader, seed=seed), grader.title))
    found: list[Judge] = [OracleJudge()] if sandbox and ranking.judge != "oracle" else []
    found += further
    if ranking.judge != "rouge":
        rouge = RougeJudge(written_by=written_by)
        (found if not rouge_chose else related).append(rouge)
    if encoder is not None:
        found.append(BertScoreJudge(Path(encoder), written_by=written_by))
    signal = [*related, *([ranker] if by_training or not (found or related) else [])]
    return [*found, *signal, LengthJudge(), CopyingJudge()], [ranker.info.name, *(j.info.name for j in related)]


def _called(judge: Judge, name: str) -> Judge:
    assert isinstance(judge, (GPTScoreJudge, ListwiseJudge))
    return replace(judge, name=name)
