"""`precis train reranker`: an encoder that learns which of a document's summaries is better (SimCLS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UserError
from .app import emit, say
from .options import LossOption, Training, flat
from .ranked import Ranked, ranked_parts


@dataclass(frozen=True)
class Reranking:
    """What learns, and how."""

    encoder: Annotated[
        str, typer.Option("--encoder", help="Folder or hub name of the BERT-like encoder to start from.")
    ]
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the reranker; training is kept beside it.")]
    pool: Annotated[
        str,
        typer.Option("--pool", help="What is read of a text: 'first token', or 'mean' for an encoder of sentences."),
    ] = "first token"
    max_prefix_tokens: Annotated[
        int, typer.Option("--max-prefix-tokens", min=16, help="Longest document in tokens.")
    ] = 512
    loss: LossOption = None


@flat
def train_reranker_command(asked: Reranking, ranked: Ranked, training: Training) -> None:
    """An encoder learns a judge's order of ranked candidates (SimCLS); `precis judge reranker` then scores with it."""
    from ..models import check_replaceable, save_reranker
    from ..recipes.steps import contrastive_objective
    from ..recipes.steps.reranking import starting_reranker
    from ..training.batches import examples_of
    from ..training.train import train

    check_replaceable(asked.out)
    how = _settings(asked, training.settings or [])
    loaded, renderer = starting_reranker(how)
    learned, held_out = ranked_parts(ranked, with_references=bool(how.loss.gold_weight))
    folder = asked.out.with_name(asked.out.name + ".training")
    result = train(
        loaded.model,
        examples_of(renderer, learned),
        contrastive_objective(how.loss, of="rewards"),
        replace(how.training, seed=training.seed),
        folder,
        pad_id=loaded.pad_id,
        validation=examples_of(renderer, held_out),
        resume=training.resume,
    )
    if result.stopped == "collapse":
        raise UserError(f"training was stopped: {result.reason}; the last good weights are in {result.checkpoint}")
    save_reranker(loaded.model, loaded.tokenizer, asked.out, beside=renderer.save)
    right = result.best.get("accuracy")
    shown = f", {right:.1%} of validation pairs in the judge's order" if right is not None else ""
    say(f"{asked.out}: {result.steps:,} steps, weights of step {result.kept_step:,} kept{shown}")
    emit(
        {
            "folder": str(asked.out),
            "steps": result.steps,
            "kept_step": result.kept_step,
            "validation": result.best,
        },
        training.as_json,
    )


def _settings(asked: Reranking, settings: Sequence[str]) -> Any:
    """The published settings with what was asked for over them."""
    from ..recipes.settings import load_settings
    from ..recipes.steps import RerankerSettings

    given = [f"encoder={asked.encoder}", f"pool={asked.pool}", f"max_prefix_tokens={asked.max_prefix_tokens}"]
    given += [f"loss.{setting}" for setting in asked.loss or []]
    given += [f"training.{setting}" for setting in settings]
    return load_settings(RerankerSettings, "train reranker", overrides=given)
