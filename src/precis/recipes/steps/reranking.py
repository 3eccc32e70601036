"""A reranker beside the policy: an encoder of its own learns the judge's order (SimCLS, Liu & Liu 2021)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import Field, model_validator

from ...errors import UserError
from ...judges.reward import RerankerJudge
from ...models import LoadedReranker, Pool, load_reranker, save_reranker
from ...render import Renderer, load_renderer
from ...selection import Selection
from ...training import TrainConfig
from ..settings import Settings
from ..workspace import Workspace, announce
from .contrast_settings import PUBLISHED, LossSettings, contrastive_objective
from .contrasting import to_contrast
from .targets import References
from .training import train_in

RERANKER = RerankerJudge.kind


class RerankerSettings(Settings):
    """A reranker of two encodings; the defaults are those of SimCLS's code for CNN/DM."""

    encoder: str = ""
    """Folder or hub name of the encoder that it starts from (roberta-base there); without one there is no reranker."""
    pool: Pool = "first token"
    """What is read of a text: the first token's state, or the mean of all, for encoders made to compare sentences."""
    max_prefix_tokens: int = Field(default=512, ge=16)
    """Longest document in tokens, or what the encoder's positions allow, if that is less."""
    loss: LossSettings = PUBLISHED["simcls"]
    """Of the cosines: a margin of 0.01 times the difference in rank, and references above all candidates."""
    training: TrainConfig = TrainConfig(
        learning_rate=2e-3, schedule="inverse-sqrt", warmup_steps=10_000, grad_clip=0.0, epochs=5, groups_per_batch=1,
        accumulation=12, tokens_per_batch=16384, dropout=True, best_metric="accuracy", best_is="highest",
    )  # fmt: skip
    """12 documents a step, a peak of 2e-5; the best weights by the share of validation pairs in the judge's order."""
    seeds: tuple[int, ...] = ()
    """Train one for each of these seeds, of the documents' order and of dropout; none is the recipe's seed."""

    @model_validator(mode="after")
    def _has_a_loss(self) -> RerankerSettings:
        if self.loss.mle_weight:
            raise ValueError("a reranker writes nothing, so that nothing can be imitated: mle_weight is 0")
        return self


def train_reranker(
    work: Workspace,
    ranked: Selection,
    held_out: Selection,
    references: References,
    settings: RerankerSettings,
    *,
    seed: int,
    name: str = RERANKER,
) -> RerankerJudge:
    """Train `models/NAME` on ranked candidates; the judge scores with its cosines.

    Raises `UserError` if there is nothing to learn from, or the encoder is none.
    """
    folder = work.models / name
    if not folder.is_dir():
        loaded, renderer = starting_reranker(settings)
        groups, validation = (to_contrast(part, settings.loss, references) for part in (ranked, held_out))
        announce(f"  {groups}")
        if not validation.groups:
            raise UserError(
                f"no validation document has ranked candidates ({held_out}), so no weights of a reranker can be chosen"
            )
        objective = contrastive_objective(settings.loss, of="rewards")
        config = replace(settings.training, seed=seed)
        train_in(
            work, name, loaded.model, renderer, loaded.pad_id, groups.groups, validation.groups, objective, config
        )  # fmt: skip
        save_reranker(loaded.model, loaded.tokenizer, folder, beside=renderer.save)
    return load_reranker_judge(folder)


def starting_reranker(settings: RerankerSettings) -> tuple[LoadedReranker, Renderer]:
    """The encoder that a reranker starts from, and how it will read."""
    loaded = load_reranker(settings.encoder, pool=settings.pool)
    limit = min(settings.max_prefix_tokens, loaded.max_positions or settings.max_prefix_tokens)
    return loaded, _renderer(loaded, limit)


def load_reranker_judge(folder: Path) -> RerankerJudge:
    """A saved reranker as a judge, which reads documents as it was trained to."""
    loaded = load_reranker(folder)
    renderer = _renderer(loaded)
    return RerankerJudge(loaded.model, renderer, pad_id=loaded.pad_id, name=loaded.fingerprint)


def _renderer(loaded: LoadedReranker, max_prefix_tokens: int | None = None) -> Renderer:
    """As the folder remembers, else the document alone; summaries as the encoder's own convention ends them."""
    return load_renderer(
        loaded.path,
        loaded.tokenizer,
        max_prefix_tokens=max_prefix_tokens,
        encoder_decoder=True,
        decoder_start_id=loaded.model.start_id,
    )
