"""Contrastive training: a policy that finds better candidates more probable, and goes on imitating (BRIO, SumLLM).

The loss is rank_weight · L_rank + mle_weight · L_MLE + gold_weight · L_gold, with a candidate's score
f = Σ log p / |S|^α. `PUBLISHED` are the settings of four published systems, by their code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from ...errors import UserError
from ...objectives import Objective, gold_ranking, margin_ranking, nll, weighted
from ...objectives.ranking import OrderedBy
from ...records import Group
from ...sampling.decoding import Decoding
from ...sampling.local import generate
from ...textmetrics import count_words, rouge_f1, rouge_reads
from ...training import DEFAULT_GUARDS, Guard, TrainConfig
from ..settings import Settings
from .writer import Writer

Published = Literal["sumllm", "brio-cnndm", "brio-xsum", "simcls"]
By = Literal["mle", "rank", "total", "generation"]

# What a validation measures, by the name of the choice. A loss of one term alone is only called `loss`.
METRICS: dict[By, str] = {"mle": "nll_loss", "rank": "ranking_loss", "total": "loss", "generation": "generation"}
ROUGE_OF_SAMPLES = ("rouge1", "rouge2", "rougeLsum")

# Of a summary: what makes a score at another α than 1 comparable with nats a token.
TYPICAL_TOKENS = 50


class LossSettings(Settings):
    """The loss of contrastive training; the defaults are those of Liu et al. 2023 (`sumllm`)."""

    rank_weight: float = Field(default=100.0, ge=0)
    """Weight of the ranking loss."""
    mle_weight: float = Field(default=1.0, ge=0)
    """Weight of the smoothed likelihood of what is imitated."""
    gold_weight: float = Field(default=0.0, ge=0)
    """Weight of the loss that keeps what is imitated above every candidate."""
    margin: Literal["log rank", "rank"] = "log rank"
    """How the margin grows with Δ, the difference in rank: by ln(2Δ), as the mean over all pairs (Liu et al. 2023), or
    by Δ, as the sum over Δ of means (Liu et al. 2022)."""
    margin_scale: float = Field(default=0.01, gt=0)
    """What the margin is multiplied with."""
    score_scale: float = Field(default=1.0, gt=0)
    """What scores are multiplied with, before they are compared with margins."""
    gold_margin: float = Field(default=0.0, ge=0)
    """Margin of the gold loss."""
    length_penalty: float = 1.0
    """α: a score is a candidate's log-probability over its tokens to this power, the end token counted."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """ε of the likelihood: 0.1 in every published setting."""

    @model_validator(mode="after")
    def _is_a_loss(self) -> LossSettings:
        if not (self.rank_weight or self.mle_weight or self.gold_weight):
            raise ValueError("all weights are 0, so that nothing is learned")
        return self


PUBLISHED: dict[Published, LossSettings] = {
    "sumllm": LossSettings(),
    "brio-cnndm": LossSettings(rank_weight=10, mle_weight=0.1, margin="rank", margin_scale=0.001, length_penalty=2.0),
    "brio-xsum": LossSettings(
        rank_weight=10, mle_weight=0.1, margin="rank", margin_scale=0.001, score_scale=0.01, length_penalty=0.6
    ),
    # Its scores are cosines of two encoders; here they are the policy's own, per token.
    "simcls": LossSettings(rank_weight=1, mle_weight=0, gold_weight=1, margin="rank", margin_scale=0.01),
}


class ContrastSettings(Settings):
    """Contrastive training from the warm policy (Liu et al. 2023; Liu et al. 2022)."""

    published: Published = "sumllm"
    """Whose loss: that of Liu et al. 2023, of BRIO on CNN/DM or XSum, or of SimCLS; `loss` changes single values."""
    loss: LossSettings = LossSettings()
    """The loss in numbers."""
    training: TrainConfig = TrainConfig(
        learning_rate=2e-4,
        schedule="inverse-sqrt",
        warmup_steps=400,
        grad_clip=0.0,
        epochs=10,
        groups_per_batch=2,
        accumulation=5,
        tokens_per_batch=16384,
        dropout=True,
    )
    """Of `gpt4_brio` in the code of Liu et al. 2023: 10 documents a step, a peak of 1e-5. What is best is said by
    `select`."""
    select: tuple[By, ...] = Field(default=("total",), min_length=1)
    """Which weights to keep, by the lowest on validation: of the likelihood's loss (`mle`), of the ranking loss
    (`rank`), of their weighted sum (`total`, as Liu et al. 2023 do), or 1 − mean ROUGE of summaries that are written
    (`generation`). The first is the policy; each further one is a model of its own."""
    decoding: Decoding = Decoding("greedy", max_new_tokens=128)
    """How summaries are written for `generation` (BRIO: beams, with α as the length penalty)."""
    seeds: tuple[int, ...] = ()
    """Train contrast and its twin once for each of these seeds, of the documents' order; none is the recipe's seed.
    What is shown of one training is of the first."""
    watch: int = Field(default=50, ge=0)
    """Validation documents on which summaries are written; 0 writes none, and then lengths are not guarded."""

    @model_validator(mode="before")
    @classmethod
    def _take_published(cls, values: Any) -> Any:
        """The published loss under the values that were given, so that what is saved is what was used."""
        if not isinstance(values, dict) or not isinstance(values.get("loss", {}), dict):
            return values
        below = {str(name): loss for name, loss in PUBLISHED.items()}.get(str(values.get("published", "sumllm")))
        return {**values, "loss": {**below.model_dump(), **values.get("loss", {})}} if below else values

    @model_validator(mode="after")
    def _can_be_chosen(self) -> ContrastSettings:
        objective = contrastive_objective(self.loss)
        for by in self.select:
            metric_of(by, objective)
        check_watched(self.select, self.watch)
        return self


def contrastive_objective(loss: LossSettings, *, of: OrderedBy = "logps") -> Objective:
    """The weighted sum that `loss` describes; a term of weight 0 is not computed. Raises `UserError` if all are.

    It is `of` a policy's own scores, or of what a reward model or a reranker gives.

    Scores that are multiplied by s and compared with a margin m are s times scores compared with m / s: so a scale of
    scores becomes part of the weight and of the margin.
    """
    scale, penalty = loss.score_scale, loss.length_penalty
    parts = (
        (
            loss.rank_weight * scale,
            margin_ranking(margin=loss.margin, scale=loss.margin_scale / scale, length_penalty=penalty, of=of),
        ),
        (loss.mle_weight, nll(label_smoothing=loss.label_smoothing)),
        (loss.gold_weight * scale, gold_ranking(margin=loss.gold_margin / scale, length_penalty=penalty, of=of)),
    )
    return weighted(*((weight, objective) for weight, objective in parts if weight))


def contrast_guards(loss: LossSettings) -> tuple[Guard, ...]:
    """What stops a contrastive training. Seen in BRIO: mean scores that fall from −0.25 to −1.14, summaries of a single
    period, a rising MLE loss. A healthy training lowers scores too, by less than half a nat a token, and hardly moves
    the likelihood of what is imitated; one that starts at 4 nats is worse than chance before either has doubled."""
    a_nat = TYPICAL_TOKENS ** (1 - loss.length_penalty)
    return (
        *DEFAULT_GUARDS,
        Guard("score", fall=3.0, least=0.5 * a_nat, most=2 * a_nat, window=20, patience=10),
        Guard("validation/nll", rise=1.0, least=1.0, most=1.5, window=1),
        Guard("validation/words", fall=0.7, rise=2.0, least=5, window=1),
    )


def metric_of(by: By, objective: Objective) -> str:
    """The validation metric that a choice of weights looks at. Raises `UserError` if the objective has no such loss."""
    name = METRICS[by]
    if by in ("total", "generation"):
        return name
    terms = [term.name for term in objective.terms]
    if name.removesuffix("_loss") not in terms:
        raise UserError(f"weights cannot be chosen by {by!r}: the loss has no such term, only {', '.join(terms)}")
    return name if len(terms) > 1 else "loss"


def check_watched(select: Sequence[By], watch: int) -> None:
    """Raises `UserError` if weights are to be chosen by ROUGE of summaries, and none are written."""
    if "generation" in select and not watch:
        raise UserError("weights cannot be chosen by 'generation' where no summaries are written: set watch")


def generation_measure(
    writer: Writer, groups: Sequence[Group], decoding: Decoding
) -> Callable[[int], Mapping[str, float]]:
    """A measurement for training's `measure`: summaries of the groups' documents against their references.

    `generation` is 1 − the mean of ROUGE-1, -2 and -Lsum, F1 (BRIO's code multiplies two of the three, which looks like
    a slip); `words` the mean length. Documents without a reference that ROUGE reads take no part. Raises `UserError`
    if there is no other.
    """
    read = [group for group in groups if any(rouge_reads(reference.text) for reference in group.references)]
    if not read:
        raise UserError("no validation document has a reference that ROUGE reads, to compare summaries with")
    prefixes = [writer.renderer.prefix(group.source).ids for group in read]
    references = [[reference.text for reference in group.references] for group in read]
    keys = [group.source.id for group in read]

    def look(step: int) -> dict[str, float]:
        samples = generate(writer.policy, prefixes, decoding=decoding, keys=keys)
        texts = [writer.renderer.decode(sample.token_ids) for (sample,) in samples]
        means = {
            name: float(values.mean()) for name, values in rouge_f1(texts, references, types=ROUGE_OF_SAMPLES).items()
        }
        words = sum(map(count_words, texts)) / len(texts)
        return {**means, "generation": 1 - sum(means.values()) / len(means), "words": words}

    return look


def folder_of(out: Path, by: By, first: By) -> Path:
    """Where the weights chosen by `by` go: the first choice is `out` itself."""
    return out if by == first else out.with_name(f"{out.name}-{by}")
