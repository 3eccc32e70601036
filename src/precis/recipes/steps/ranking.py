"""Candidates and who ranks them: a large model, a metric, or the sandbox's annotator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ...endpoint import EndpointConfig, EndpointEngine, Engine
from ...judges.gptrank import ListwiseJudge
from ...judges.gptscore import GPTScoreJudge
from ...judges.gptscore_prompts import templates_of
from ...judges.likelihood import EndpointLikelihood, Likelihood
from ...judges.oracle import OracleJudge
from ...judges.policy_likelihood import PolicyLikelihood
from ...judges.prompts import LISTWISE
from ...judges.protocol import Judge
from ...judges.ranker import RankerJudge
from ...judges.rouge import RougeJudge
from ...models import load_policy
from ...records import Group, JudgeInfo, Ranking
from ...sampling.asking import LocalEngine
from ...sampling.decoding import Decoding
from ...sandbox import RankerSettings
from ...selection import Selection, distinct, ranked, rankings
from ...selection.core import is_by
from ..settings import Settings
from ..workspace import Workspace, announce
from .candidates import CandidateSettings, judge, write_candidates
from .targets import References, refer
from .writer import Writer


class RankedCandidateSettings(CandidateSettings):
    """Which candidates are written to be ranked."""

    documents: int | None = Field(default=None, ge=1)
    """Training documents to write candidates for; None is all of them."""
    valid_documents: int | None = Field(default=100, ge=1)
    """Validation documents to write candidates for, by which weights are chosen (100 in Liu et al. 2023)."""
    unseen: int = Field(default=0, ge=0)
    """Keep the first so many of the training documents from the warm-up. After several epochs a policy knows the
    references that it was trained on by heart; on these documents its candidates are as they will be on new ones."""
    k: int = Field(default=16, ge=2)
    """Candidates written of a document (BRIO: 16 on CNN/DM; Liu et al. 2023 rank 8)."""
    keep: int | None = Field(default=None, ge=2)
    """Of those that differ, keep so many, the most diverse; None keeps all (BRIO writes 128 on XSum and keeps 16)."""
    decoding: Decoding = Decoding(
        "diverse-beam", num_beams=16, num_groups=16, diversity_penalty=1.0, length_penalty=2.0, max_new_tokens=142,
        min_new_tokens=56, no_repeat_ngram_size=3, early_stopping=True,
    )  # fmt: skip
    """Diverse beam search: 16 beams in 16 groups, penalty 1 (SimCLS and BRIO on CNN/DM, confirmed by the author)."""


class RankingSettings(Settings):
    """Who ranks the candidates (Liu et al. 2023: GPTScore or GPTRank; Liu et al. 2022: ROUGE)."""

    judge: Literal["ranker", "gptrank", "gptscore", "rouge", "oracle"] = "ranker"
    """`gptrank` is a large model that ranks lists; `gptscore` a model's log-probability of a summary; `rouge` the mean
    of ROUGE-1, -2 and -L against what is imitated, BRIO's own setting; `ranker` the sandbox's simulated list-wise
    annotator, `oracle` its truth."""
    passes: int = Field(default=1, ge=1)
    """With `gptrank` and `ranker`: rankings of each document, in other orders, joined by Borda counts."""
    permute: bool = True
    """With `gptrank` and `ranker`: show the candidates in a drawn order; without it in the order that they have, as in
    the released rankings, where the last place is never the best."""
    noise: float = Field(default=0.4, ge=0)
    """With `ranker`: scale of its Gumbel noise, in points of the oracle's seven."""
    position_bias: float = Field(default=0.0, allow_inf_nan=False)
    """With `ranker`: points that favoured places gain."""
    position_shape: Literal["first", "last", "ends"] = "first"
    """With `ranker`: which places are favoured."""
    endpoint: EndpointConfig | None = None
    """With `gptrank` and `gptscore`: the server and the model's name, as in docs/endpoints.md; for `gptscore` one that
    shows the log-probabilities of a prompt."""
    max_tokens: int = Field(default=1024, ge=1)
    """With `gptrank`: longest answer."""
    model: str = ""
    """With `gptrank` and `gptscore`: folder or hub name of a local model, in place of an endpoint."""
    one_line: bool = True
    """With `gptrank` and `gptscore`: white space becomes single spaces, as in the paper's code; dialogues are read
    better without."""

    @model_validator(mode="after")
    def _can_judge(self) -> RankingSettings:
        if self.judge == "gptrank" and self.endpoint is None and not self.model:
            raise ValueError("gptrank needs an endpoint or a model: say where the large model is and what it is called")
        if self.judge == "gptscore" and self.endpoint is None and not self.model:
            raise ValueError("gptscore needs a model, or an endpoint that shows the log-probs of a prompt")
        if self.judge in ("gptrank", "gptscore") and self.endpoint is not None and self.model:
            raise ValueError(f"{self.judge} asks one large model: give an endpoint or a model, not both")
        return self


def ranking_judge(settings: RankingSettings, *, seed: int, written_by: Sequence[str] = ()) -> Judge:
    """The judge whose order the policy learns; `written_by` are the makers of the references, where these are not the
    data set's."""
    if settings.judge == "rouge":
        return RougeJudge(("rouge1", "rouge2", "rougeL"), tuple(written_by))
    if settings.judge == "oracle":
        return OracleJudge()
    if settings.judge == "ranker":
        how = RankerSettings(settings.noise, settings.position_bias, settings.position_shape)
        return RankerJudge(settings.passes, settings.permute, seed, settings=how)
    if settings.judge == "gptscore" and settings.model:
        return _gptscore(PolicyLikelihood(load_policy(settings.model)), one_line=settings.one_line)
    engine: Engine
    if settings.model:
        engine = local_engine(settings.model)
    else:
        assert settings.endpoint is not None, "the settings were checked"
        engine = EndpointEngine(settings.endpoint)
    if settings.judge == "gptscore":
        return _gptscore(EndpointLikelihood(engine), one_line=settings.one_line)
    return ListwiseJudge(
        engine,
        settings.passes,
        seed,
        permute=settings.permute,
        template=replace(LISTWISE, one_line=settings.one_line),
        max_tokens=settings.max_tokens,
    )


def local_engine(model: str) -> LocalEngine:
    """A local model, a folder or a hub's name, that answers as one behind a URL does."""
    return LocalEngine(load_policy(model), Path(model).name)


def _gptscore(likelihood: Likelihood, *, one_line: bool) -> GPTScoreJudge:
    return GPTScoreJudge(likelihood, templates_of(one_line=one_line))


def candidates_to_rank(
    work: Workspace,
    writer: Writer,
    groups: Sequence[Group],
    settings: RankedCandidateSettings,
    references: References,
    *,
    seed: int,
) -> list[Group]:
    """K candidates of every group, each text once; what was dropped is counted and said."""
    written = write_candidates(work, writer, groups, settings.decoding, k=settings.k, seed=seed)
    most = settings.keep or settings.k
    kept = distinct(written, n=most)
    reasons = {
        "without a word": "empty",
        "that another has too": "duplicates",
        f"beyond the {most} most diverse": "beyond n",
    }
    left = ", ".join(f"{kept.counts[key]:,} {what}" for what, key in reasons.items() if kept.counts.get(key))
    announce(
        f"  {len(kept.groups):,} of {len(written):,} documents have candidates to rank"
        + (f"; candidates left out: {left}" if left else "")
    )
    return refer(kept.groups, references)


def rank(work: Workspace, ranker: Judge, groups: Sequence[Group], references: References) -> Selection:
    """The groups with the order that the judge gives them; groups that it does not order are left out and counted."""
    chosen = ordered(refer(judge(work, ranker, groups), references), ranker.info)
    announce(f"  {chosen}")
    return chosen


def ordered(groups: Iterable[Group], judge: JudgeInfo | str) -> Selection:
    """Groups in the order of a judge: from its rankings if it ranked anything, else from its scores."""
    groups = list(groups)
    ranks = any(isinstance(said, Ranking) and is_by(said.judge, judge) for group in groups for said in group.judgements)
    return ranked(groups, judge) if ranks else rankings(groups, judge)
