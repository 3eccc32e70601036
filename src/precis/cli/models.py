"""`precis init-model`, `train sft`, `train reward`: models from nothing, and models from what the store holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UserError
from .app import DEFAULT_STORE, JsonOption, ResumeOption, SeedOption, StoreOption, emit, open_store, say
from .options import TrainingOption

if TYPE_CHECKING:
    from ..records import JudgeInfo

train_app = typer.Typer(help="Train a model on what the store holds.", no_args_is_help=True)

DatasetOption = Annotated[str | None, typer.Option("--dataset", help="Train on this data set's documents.")]
SplitOption = Annotated[str, typer.Option("--split", help="Train on this split.")]
ValidationOption = Annotated[str | None, typer.Option("--validation-split", help="Choose the best weights on it.")]
TemplateOption = Annotated[str | None, typer.Option("--template", help="A template's name, or text with {document}.")]
PrefixOption = Annotated[int | None, typer.Option("--max-prefix-tokens", min=1, help="Longest prompt in tokens.")]


def init_model_command(
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    corpus: Annotated[
        list[Path] | None,
        typer.Option("--corpus", help="Text files for the tokenizer; else the store's texts."),
    ] = None,
    size: Annotated[str, typer.Option("--size", help="tiny, mini, small or base.")] = "small",
    architecture: Annotated[str, typer.Option("--architecture", help="llama, bart or t5.")] = "llama",
    vocab_size: Annotated[int | None, typer.Option("--vocab-size", help="Entries of the tokenizer.")] = None,
    context: Annotated[int, typer.Option("--context", help="Positions.")] = 1024,
    words: Annotated[
        list[str] | None, typer.Option("--word", help="Text that is one token, such as a speaker's tag; may repeat.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Train a tokenizer and write random weights for it: an ordinary Hugging Face folder."""
    from ..models import init_model

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already; name a new folder")
    if corpus:
        texts = [_read_text(path) for path in corpus]
    else:
        with open_store(store, create=False) as opened:
            texts = [d.text for d in opened.documents()] + [c.text for c in opened.candidates(role="reference")]
        if not texts:
            raise UserError(f"the store {store} holds no documents; import some, or name text files with --corpus")
    init_model(
        folder,
        texts,
        size=size,
        architecture=architecture,
        vocab_size=vocab_size,
        context=context,
        words=words or (),
        seed=seed,
    )
    say(f"{folder}: {architecture}, size {size}, tokenizer trained on {sum(map(len, texts)):,} characters")
    emit({"folder": str(folder)}, as_json)


@train_app.command("sft")
def train_sft_command(
    model: Annotated[str, typer.Option("--model", help="Folder or hub name to start from.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the trained model; training is kept beside it.")],
    dataset: DatasetOption = None,
    split: SplitOption = "train",
    validation_split: ValidationOption = "valid",
    template: TemplateOption = None,
    max_prefix_tokens: PrefixOption = None,
    label_smoothing: Annotated[float, typer.Option("--label-smoothing")] = 0.0,
    prompt_weight: Annotated[float, typer.Option("--prompt-weight", help="Weight of the prompt's tokens.")] = 0.0,
    settings: TrainingOption = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run code a repository brings.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    seed: SeedOption = 0,
    resume: ResumeOption = True,
    as_json: JsonOption = False,
) -> None:
    """Supervised fine-tuning on the store's reference summaries."""
    from ..models import check_replaceable, save_policy
    from ..objectives import nll
    from ..recipes.steps import StartSettings, load_writer
    from ..selection import reference_groups

    check_replaceable(out)
    config = _config(settings, seed)
    start = StartSettings(
        model=model, template=template, max_prefix_tokens=max_prefix_tokens, trust_remote_code=trust_remote_code
    )
    writer = load_writer(model, start, to_train=True, learns_template=True)
    with open_store(store, create=False) as opened:
        chosen = reference_groups(opened.groups(dataset, split))
        held_out = reference_groups(opened.groups(dataset, validation_split)) if validation_split else None
    say(f"training: {chosen}")
    result = _train(
        writer.policy.model,
        writer.renderer,
        writer.policy.pad_id,
        chosen.groups,
        held_out.groups if held_out else (),
        nll(label_smoothing=label_smoothing, prompt_weight=prompt_weight),
        config,
        out,
        resume,
    )
    save_policy(writer.policy, out, beside=writer.renderer.save)
    _report(out, result, as_json)


@train_app.command("reward")
def train_reward_command(
    model: Annotated[str, typer.Option("--model", help="The supervised policy to start from.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the reward model; training is kept beside it.")],
    judge: Annotated[
        str,
        typer.Option("--judge", help="Whose comparisons, scores or ratings to learn from: a name in stats, or an id."),
    ],
    dataset: DatasetOption = None,
    split: SplitOption = "train",
    held_out: Annotated[
        float, typer.Option("--held-out", min=0.0, max=0.9, help="Share of the documents kept for validation.")
    ] = 0.1,
    min_gap: Annotated[
        float, typer.Option("--min-gap", min=0.0, help="Scores or ratings nearer than this make no pair.")
    ] = 0.0,
    axes: Annotated[
        list[str] | None,
        typer.Option("--axis", help="Of ratings: this axis; may be repeated. Default: the mean over all."),
    ] = None,
    settings: TrainingOption = None,
    store: StoreOption = DEFAULT_STORE,
    seed: SeedOption = 0,
    resume: ResumeOption = True,
    as_json: JsonOption = False,
) -> None:
    """A reward model on pairs that a judge's comparisons make, else its scores, else its ratings."""
    from ..models import check_replaceable, reward_model_from_policy, save_reward_model
    from ..objectives import pairwise_logistic
    from ..recipes.steps import centre_on_references, load_writer
    from ..selection import axes_of, pairs_from_comparisons, pairs_from_ratings, pairs_from_scores

    check_replaceable(out)
    config = _config(settings, seed)
    writer = load_writer(model, to_train=True, learns_template=True)
    with open_store(store, create=False) as opened:
        judges = judges_called(judge, opened.judges())
        ids = [info.id for info in judges]
        groups = opened.groups(dataset, split, judge_ids=ids, references_compete=True)
    pairs = pairs_from_comparisons(groups)
    if not pairs.groups:
        if len(judges) > 1:
            raise UserError(
                f"{judge!r} scored with {len(judges)} different settings, and such scores cannot be compared; "
                f"name one of them with --judge: {', '.join(ids)}"
            )
        rated = axes_of(groups, judges[0])
        if unknown := [axis for axis in axes or () if axis not in rated]:
            raise UserError(
                f"{judge!r} rated nothing on the axis {unknown[0]!r}; there are {', '.join(rated) or 'none'}"
            )
        pairs = pairs_from_scores(groups, judges[0], min_gap=min_gap)
        if rated and (axes or not pairs.groups):
            pairs = pairs_from_ratings(groups, judges[0], axes=axes or (), min_gap=min_gap)
    say(f"pairs: {pairs}")
    kept = max(1, round(held_out * len(pairs.groups)))
    if len(pairs.groups) <= kept:
        raise UserError(f"judge {judge!r} makes pairs for {len(pairs.groups)} documents; that is too few to train on")
    reward = reward_model_from_policy(writer.policy, seed=seed)
    result = _train(
        reward,
        writer.renderer,
        writer.policy.pad_id,
        pairs.groups[kept:],
        pairs.groups[:kept],
        pairwise_logistic(),
        config,
        out,
        resume,
    )
    centre_on_references(reward, writer, pairs.groups[kept:])
    save_reward_model(reward, writer.policy.tokenizer, out, beside=writer.renderer.save)
    _report(out, result, as_json)


def judges_called(name: str, known: Sequence[JudgeInfo]) -> list[JudgeInfo]:
    """Every judge of this name, whatever its settings, or the one with this id."""
    if found := [judge for judge in known if name in (judge.name, judge.id)]:
        return found
    names = ", ".join(sorted({judge.name for judge in known})) or "none"
    raise UserError(f"no judge {name!r} has judged anything in this store; there are {names}")


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: byte {error.start} cannot be read") from error


def _config(given: list[str] | None, seed: int) -> Any:
    from pydantic import TypeAdapter

    from ..recipes.settings import parse_settings
    from ..training import TrainConfig

    return parse_settings(TypeAdapter(TrainConfig), [f"seed={seed}", *(given or [])])


def _train(
    model: Any,
    renderer: Any,
    pad_id: int,
    groups: Any,
    validation: Any,
    objective: Any,
    config: Any,
    out: Path,
    resume: bool,
) -> Any:
    from ..training.batches import examples_of
    from ..training.train import train

    examples = examples_of(renderer, groups)
    if cut := sum(example.tokens.cut_characters > 0 for example in examples):
        say(f"{cut:,} of {len(examples):,} documents were cut to {renderer.max_prefix_tokens} tokens")
    result = train(
        model,
        examples,
        objective,
        config,
        out.with_name(out.name + ".training"),
        pad_id=pad_id,
        validation=examples_of(renderer, validation),
        resume=resume,
    )
    if result.stopped == "collapse":
        raise UserError(f"training was stopped: {result.reason}; the last good weights are in {result.checkpoint}")
    return result


def _report(out: Path, result: Any, as_json: bool) -> None:
    measured = (
        ", ".join(f"{name} {value:.4g}" for name, value in result.best.items()) if result.best else "not measured"
    )
    say(f"{out}: {result.steps:,} steps, weights of step {result.kept_step:,} kept; validation: {measured}")
    emit({"folder": str(out), "steps": result.steps, "kept_step": result.kept_step, "validation": result.best}, as_json)
