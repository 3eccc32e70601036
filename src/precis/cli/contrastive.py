"""`precis train contrastive`: a policy that learns to find better candidates more probable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UserError
from .app import DEFAULT_STORE, JsonOption, ResumeOption, SeedOption, StoreOption, emit, open_store, say
from .options import DatasetOption, SplitOption, flat

if TYPE_CHECKING:
    from ..records import Candidate, Group
    from ..selection import Selection
    from ..store import Store

PUBLISHED = ("sumllm", "brio-cnndm", "brio-xsum", "simcls")


@dataclass(frozen=True)
class Learned:
    """What is learned from what."""

    policy: Annotated[str, typer.Option("--policy", help="Folder or hub name of the policy to start from.")]
    judge: Annotated[
        str, typer.Option("--judge", help="Whose rankings or scores to learn from: a name in stats, or an id.")
    ]
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the trained policy; training is kept beside it.")]
    references: Annotated[
        str | None,
        typer.Option(
            "--references",
            metavar="MAKER",
            help="Imitate the candidates of this maker, a name or an id; else the reference summaries.",
        ),
    ] = None
    published: Annotated[str, typer.Option("--published", help=f"Whose loss: {', '.join(PUBLISHED)}.")] = "sumllm"
    loss: Annotated[
        list[str] | None,
        typer.Option("--loss", metavar="NAME=VALUE", help="A number of the loss, as rank_weight=10; may be repeated."),
    ] = None
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
    held_out: Annotated[
        float, typer.Option("--held-out", min=0.0, max=0.9, help="Share of the documents kept for validation.")
    ] = 0.1
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A training setting, key=value, as in docs/settings.md; may be repeated."),
    ] = None
    dataset: DatasetOption = None
    split: SplitOption = "train"
    store: StoreOption = DEFAULT_STORE
    seed: SeedOption = 0
    resume: ResumeOption = True
    as_json: JsonOption = False


@flat
def train_contrastive_command(asked: Learned) -> None:
    """Contrastive training on ranked candidates, with imitation beside it (BRIO; Liu et al. 2023)."""
    from ..models import check_replaceable
    from ..recipes.steps import contrastive_objective, load_writer
    from ..recipes.steps.contrast_settings import CONTRAST_GUARDS, check_watched, generation_measure
    from ..recipes.steps.contrasting import choosing, save_chosen
    from ..training.batches import examples_of
    from ..training.train import train

    check_replaceable(asked.out)
    how = _settings(asked)
    check_watched(how.select, how.watch)
    objective = contrastive_objective(how.loss)
    config = choosing(replace(how.training, seed=asked.seed), how.select, objective)
    writer = load_writer(asked.policy, to_train=True)
    with open_store(asked.store, create=False) as opened:
        groups = _ranked(opened, asked, imitates=bool(how.loss.mle_weight or how.loss.gold_weight))
    say(f"ranked: {groups}")
    kept = max(1, round(asked.held_out * len(groups.groups)))
    if len(groups.groups) <= kept:
        raise UserError(f"judge {asked.judge!r} ranks {len(groups.groups)} documents; that is too few to train on")
    training, validation = (examples_of(writer.renderer, own) for own in (groups.groups[kept:], groups.groups[:kept]))
    watched = [group for group in groups.groups[:kept] if group.references][: how.watch]
    folder = asked.out.with_name(asked.out.name + ".training")
    result = train(
        writer.policy.model,
        training,
        objective,
        config,
        folder,
        pad_id=writer.policy.pad_id,
        validation=validation,
        measure=generation_measure(writer, watched, how.decoding) if watched else None,
        guards=CONTRAST_GUARDS,
        resume=asked.resume,
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
        asked.as_json,
    )


def _metrics(select: Sequence[Any], objective: Any) -> list[tuple[Any, str]]:
    from ..recipes.steps.contrast_settings import metric_of

    return [(by, metric_of(by, objective)) for by in select[1:]]


def _settings(asked: Learned) -> Any:
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
    set_to = [f"training.{setting}" for setting in asked.settings or []]
    changed = load_settings(ContrastSettings, "train contrastive", overrides=set_to)
    names = [setting.partition("=")[0].strip() for setting in asked.settings or []]
    training = replace(ContrastSettings().training, **{name: getattr(changed.training, name) for name in names})
    penalty = found.loss.length_penalty
    decoding = (
        Decoding("greedy", max_new_tokens=asked.max_new_tokens)
        if asked.beams == 1
        else Decoding("beam", num_beams=asked.beams, length_penalty=penalty, max_new_tokens=asked.max_new_tokens)
    )
    assert isinstance(training, TrainConfig)
    return found.model_copy(update={"training": training, "decoding": decoding})


def _ranked(store: Store, asked: Learned, *, imitates: bool) -> Selection:
    """The judge's order of the store's candidates, with what is imitated beside them."""
    from ..recipes.steps import ordered, refer
    from ..selection import beside
    from .models import judges_called

    judges = judges_called(asked.judge, store.judges())
    ids = [info.id for info in judges]
    groups = store.groups(asked.dataset, asked.split, judge_ids=ids)
    references = _imitated(groups, asked.references)
    found = ordered(groups, judges[0] if len(judges) == 1 else asked.judge)
    if not found.groups:
        raise UserError(f"judge {asked.judge!r} orders no candidates of such documents")
    if len(judges) > 1 and _scored(found.groups):
        raise UserError(
            f"{asked.judge!r} scored with {len(judges)} different settings, and such scores cannot be compared; "
            f"name one of them with --judge: {', '.join(ids)}"
        )
    found = replace(found, groups=tuple(refer(found.groups, references)))
    return beside(found.groups, references) if imitates else found


def _scored(groups: Sequence[Group]) -> bool:
    from ..records import Ranking

    return not any(isinstance(said, Ranking) for group in groups for said in group.judgements)


def _imitated(groups: Sequence[Group], maker: str | None) -> dict[str, Sequence[Candidate]]:
    """What is imitated of each document: its references, or what one maker wrote."""
    if maker is None:
        return {group.source.id: group.references for group in groups}
    found = {
        group.source.id: [
            candidate
            for candidate in (*group.candidates, *group.references)
            if maker in (candidate.maker.id, candidate.maker.name)
        ]
        for group in groups
    }
    if not any(found.values()):
        raise UserError(f"no candidate of these documents is by a maker {maker!r}")
    return {name: tuple(own) for name, own in found.items()}
