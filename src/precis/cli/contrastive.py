"""`precis train contrastive`: a policy that learns to find better candidates more probable."""

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

PUBLISHED = ("sumllm", "brio-cnndm", "brio-xsum", "simcls")


@dataclass(frozen=True)
class Learning:
    """What learns, and how."""

    policy: Annotated[str, typer.Option("--policy", help="Folder or hub name of the policy to start from.")]
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the trained policy; training is kept beside it.")]
    published: Annotated[str, typer.Option("--published", help=f"Whose loss: {', '.join(PUBLISHED)}.")] = "sumllm"
    loss: LossOption = None
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select",
            help="Keep the weights that are best on validation by mle, rank, total or generation; may be repeated: "
            "the first is the policy, each other one has a folder OUT-NAME. Default: total.",
        ),
    ] = None
    watch: Annotated[
        int, typer.Option("--watch", min=0, help="Validation documents on which summaries are written.")
    ] = 50
    beams: Annotated[
        int, typer.Option("--beams", min=1, help="Of these summaries: beams, with the loss's length penalty.")
    ] = 1
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, help="Of these summaries.")] = 128


@flat
def train_contrastive_command(asked: Learning, ranked: Ranked, training: Training) -> None:
    """Contrastive training on ranked candidates, with imitation beside it (BRIO; Liu et al. 2023)."""
    from ..models import check_replaceable
    from ..recipes.steps import contrastive_objective, load_writer
    from ..recipes.steps.contrast_settings import contrast_guards, generation_measure
    from ..recipes.steps.contrasting import choosing, save_chosen
    from ..training.batches import examples_of
    from ..training.train import train

    check_replaceable(asked.out)
    how = _settings(asked, training.settings or [])
    objective = contrastive_objective(how.loss)
    config = choosing(replace(how.training, seed=training.seed), how.select, objective)
    writer = load_writer(asked.policy, to_train=True)
    learned, held_out = ranked_parts(ranked, with_references=bool(how.loss.mle_weight or how.loss.gold_weight))
    examples, validation = (examples_of(writer.renderer, own) for own in (learned, held_out))
    watched = [group for group in held_out if group.references][: how.watch]
    folder = asked.out.with_name(asked.out.name + ".training")
    result = train(
        writer.policy.model,
        examples,
        objective,
        config,
        folder,
        pad_id=writer.policy.pad_id,
        validation=validation,
        measure=generation_measure(writer, watched, how.decoding) if watched else None,
        guards=contrast_guards(how.loss),
        resume=training.resume,
    )
    if result.stopped == "collapse":
        raise UserError(f"training was stopped: {result.reason}; the last good weights are in {result.checkpoint}")
    folders = save_chosen(writer, folder, asked.out, how.select, objective)
    steps = {how.select[0]: result.kept_step} | {
        by: result.best_steps.get(metric, result.kept_step) for by, metric in _metrics(how.select, objective)
    }
    for by, chosen in folders.items():
        say(f"{chosen}: {result.steps:,} steps, weights of step {steps[by]:,} kept, the best by {by}")
    emit(
        {
            "folders": {by: str(chosen) for by, chosen in folders.items()},
            "kept_steps": steps,
            "steps": result.steps,
            "validation": result.best,
        },
        training.as_json,
    )


def _metrics(select: Sequence[Any], objective: Any) -> list[tuple[Any, str]]:
    from ..recipes.steps.contrast_settings import metric_of

    return [(by, metric_of(by, objective)) for by in select[1:]]


def _settings(asked: Learning, settings: Sequence[str]) -> Any:
    """The published settings with what was asked for over them."""
    from ..recipes.settings import load_settings
    from ..recipes.steps import ContrastSettings
    from ..sampling.decoding import Decoding
    from ..training import TrainConfig

    if asked.published not in PUBLISHED:
        raise UserError(f"there is no published loss {asked.published!r}; there are {', '.join(PUBLISHED)}")
    select = asked.select or ["total"]
    named = ", ".join(f'"{by}"' for by in select)
    given = [f"published={asked.published}", f"select=[{named}]", f"watch={asked.watch}"]
    given += [f"loss.{setting}" for setting in asked.loss or []]
    found = load_settings(ContrastSettings, "train contrastive", overrides=given)
    set_to = [f"training.{setting}" for setting in settings]
    changed = load_settings(ContrastSettings, "train contrastive", overrides=set_to)
    names = [setting.partition("=")[0].strip() for setting in settings]
    config = replace(ContrastSettings().training, **{name: getattr(changed.training, name) for name in names})
    penalty = found.loss.length_penalty
    decoding = (
        Decoding("greedy", max_new_tokens=asked.max_new_tokens)
        if asked.beams == 1
        else Decoding("beam", num_beams=asked.beams, length_penalty=penalty, max_new_tokens=asked.max_new_tokens)
    )
    assert isinstance(config, TrainConfig)
    return found.model_copy(update={"training": config, "decoding": decoding})
