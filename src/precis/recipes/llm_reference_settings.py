"""Settings of the recipe `llm-reference`; the defaults of its losses and trainings are the published numbers."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field, model_validator

from ..sampling.decoding import Decoding
from ..training import TrainConfig
from . import steps
from .settings import Settings

# What the recipe calls its policies.
WARM, IMITATION, CONTRASTIVE = "warm", "imitation only", "contrastive"


class EvaluationSettings(Settings):
    """What the result is measured on."""

    n: int = Field(default=8, ge=2)
    """Candidates of each test document by the warm policy, to choose among."""
    choice: Decoding | None = None
    """How these are written; None writes them as those that were ranked."""
    decoding: Decoding = Decoding("beam", num_beams=4, max_new_tokens=142, no_repeat_ngram_size=3)
    """How the policies write (4 beams for imitation in the README of Liu et al. 2023)."""
    contrast_beams: int | None = Field(default=None, ge=1)
    """Beams of the contrastive policies, where they are not those of `decoding` (64 or 128 in that README): order among
    likely summaries, which contrast trains, is what a wide search needs. None takes as many as for the others."""
    match_length: bool = True
    """Tune the length penalty of beams on validation documents until summaries are as long as what is imitated."""
    match_on: int = Field(default=50, ge=1)
    """Validation documents to tune it on."""
    judge_by_training: bool = True
    """Have the judge that ranked for training rank the test summaries too; a large model is paid for that."""
    graders: tuple[steps.GraderSettings, ...] = ()
    """Large models that grade and train nothing, as `[{judge = "gptrank", endpoint = {…}}]`: each is asked as one of
    `ranking` is, by GPTRank about all summaries of a test document at once, or by GPTScore."""
    examples: int = Field(default=8, ge=0)
    """Documents that the report shows side by side."""
    encoder: str | None = None
    """Folder of an encoder for BERTScore, which then also judges: it trains nothing. None leaves it out."""

    @model_validator(mode="after")
    def _searches(self) -> EvaluationSettings:
        if self.contrast_beams is not None and self.decoding.kind != "beam":
            raise ValueError("contrast_beams needs a decoding by beams")
        return self

    def decoding_of(self, system: str) -> Decoding:
        """How the policy of this name writes, before its length is matched."""
        wide = self.contrast_beams if system.startswith(CONTRASTIVE) else None
        return replace(self.decoding, num_beams=wide) if wide else self.decoding


class WarmUpSettings(steps.SupervisedSettings):
    """Label-smoothed imitation, with the numbers of `chatgpt_warmup` in the code of Liu et al. 2023."""

    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of the target probability spread over the vocabulary."""
    training: TrainConfig = TrainConfig(
        learning_rate=5e-4, schedule="inverse-sqrt", warmup_steps=1000, grad_clip=0.0, epochs=10, groups_per_batch=8,
        accumulation=4, dropout=True,
    )  # fmt: skip
    """32 documents a step, a peak of 1.6e-5."""


class LLMReference(Settings):
    """Settings of the recipe `llm-reference`."""

    seed: int = Field(default=1, ge=0, le=2**32 - 1)
    """Seed of data, initial weights, orders and samples."""
    data: steps.DataSettings = steps.DataSettings()
    """Documents and their reference summaries."""
    targets: steps.TargetSettings = steps.TargetSettings()
    """What is imitated."""
    start: steps.StartSettings = steps.StartSettings()
    """The pretrained model (bart-large-cnn in the paper)."""
    warm_up: WarmUpSettings = WarmUpSettings()
    """The warm-up."""
    candidates: steps.RankedCandidateSettings = steps.RankedCandidateSettings()
    """Candidates to rank."""
    ranking: steps.RankingSettings = steps.RankingSettings()
    """Who ranks them."""
    contrast: steps.ContrastSettings = steps.ContrastSettings()
    """Contrastive training."""
    reranker: steps.RerankerSettings = steps.RerankerSettings()
    """A reranker, where `reranker.encoder` names what it starts from."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """The evaluation."""

    @model_validator(mode="after")
    def _goes_together(self) -> LLMReference:
        steps.check_beams("evaluation.n", self.evaluation.n, self.choice)
        if self.ranking.judge in ("ranker", "oracle") and self.data.kind != "sandbox":
            raise ValueError(f"ranking.judge is {self.ranking.judge!r}, which knows the sandbox's documents only")
        steps.check_graders(self.evaluation.graders, self.ranking)
        return self

    @property
    def alone(self) -> bool:
        """Whether nobody grades but who trained or chose weights: ROUGE did, and no other model was named to grade."""
        oracle = self.data.kind == "sandbox" and self.ranking.judge != "oracle"
        rouge = self.ranking.judge != "rouge" and "generation" not in self.contrast.select
        others = [own for own in self.evaluation.graders if not steps.trained(own, self.ranking, self.targets)]
        return not (oracle or rouge or others or self.evaluation.encoder is not None)

    @property
    def choice(self) -> Decoding:
        """How the candidates of test documents are written, among which policies choose."""
        return self.evaluation.choice or self.candidates.decoding
