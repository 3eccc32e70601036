"""The steps that recipes share, each a function of the workspace and its own settings; every one can be resumed.

A step whose result is there already returns it: documents by their ids, candidates and judgements in the store,
models by their finished folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from .. import sandbox
from ..data import import_into
from ..errors import UserError
from ..judges.protocol import Judge
from ..judges.reward import RewardJudge
from ..judges.run import run_judge
from ..models import (
    Policy,
    RewardModel,
    init_model,
    load_policy,
    load_reward_model,
    reward_model_from_policy,
    save_policy,
    save_reward_model,
    warm_start_encoder_decoder,
)
from ..objectives import Objective, nll, pairwise_logistic
from ..records import Candidate, Document, Group, Judgement, Maker
from ..render import Renderer, load_renderer, template_named
from ..sampling.decoding import Decoding
from ..sampling.run import sample
from ..selection import Selection, reference_groups
from ..training import TrainConfig
from ..training.batches import examples_of
from ..training.precision import computes_bf16
from ..training.run_folder import TrainResult
from ..training.train import train
from .settings import Settings
from .workspace import Workspace, announce

# References whose mean reward becomes 0: enough for a mean, few enough to take seconds.
REFERENCES_TO_CENTRE_ON = 500
# How many documents the sandbox makes where the settings do not say.
SANDBOX_DOCUMENTS = {"train": 2000, "valid": 200, "test": 200}


class DataSettings(Settings):
    """Where the documents come from."""

    kind: str = "sandbox"
    """A format that `precis import` reads, or `sandbox` for generated documents."""
    train: str = ""
    """File or folder of the training documents."""
    valid: str = ""
    """File or folder of the validation documents; without it a share of the training documents."""
    test: str = ""
    """File or folder of the documents to evaluate on."""
    columns: dict[str, str] = Field(default_factory=dict)
    """For tables: role = column."""
    train_documents: int | None = None
    """Use the first so many; for the sandbox, make so many."""
    valid_documents: int = 200
    """As many validation documents at most."""
    test_documents: int | None = None
    """As many test documents at most."""


class StartSettings(Settings):
    """The model that supervised fine-tuning starts from."""

    model: str = "sandbox"
    """A folder or hub name; `sandbox` for the shipped base model; `init` for random weights and a tokenizer trained
    on the training documents; `warm:FOLDER` for an encoder-decoder made of two copies of that encoder."""
    size: Literal["tiny", "mini", "small", "base"] = "small"
    """With `init`: the size."""
    words: tuple[str, ...] = ()
    """With `init`: texts that are one token each, such as speakers' tags."""
    architecture: str = "llama"
    """With `init`: llama, or an encoder-decoder."""
    vocab_size: int = 8192
    """With `init`: entries of the tokenizer."""
    template: str | None = None
    """A template's name, or text with {document}; None takes what the model's folder says."""
    max_prefix_tokens: int | None = None
    """Longest prompt in tokens; longer documents are cut at a line or sentence end."""
    trust_remote_code: bool = False
    """Run code that a hub repository brings with it."""


class SupervisedSettings(Settings):
    """Supervised fine-tuning on the reference summaries (Stiennon et al. 2020, §3.4 and app. B)."""

    training: TrainConfig = TrainConfig(learning_rate=6.35e-5, epochs=1, schedule="cosine")
    """Learning rate of the 1.3B model, 1 epoch, cosine: app. B.1."""
    label_smoothing: float = 0.0
    """Share of the target probability spread over the vocabulary."""
    prompt_weight: float = 0.0
    """Weight of the prompt's tokens in the loss; 1 is the loss over post and summary of OpenAI's code."""


class CandidateSettings(Settings):
    """Which candidates are written for the judges."""

    documents: int | None = None
    """Training documents to write candidates for; None is all of them."""
    unseen: bool = False
    """Keep these documents from supervised fine-tuning. After several epochs a policy knows the references of what it
    was trained on by heart, and the reward model would learn to recognise them."""
    k: int = 8
    """Candidates a document."""
    decoding: Decoding = Decoding("temperature", temperature=0.7, max_new_tokens=48)
    """T = 0.7 and 48 tokens, as the paper's samples (app. B, tables 9–10)."""


class RewardSettings(Settings):
    """The reward model (Stiennon et al. 2020, §3.4 and app. B)."""

    training: TrainConfig = TrainConfig(learning_rate=1.5e-5, epochs=1, schedule="cosine")
    """Learning rate of the 1.3B model, 1 epoch, cosine: app. B.1."""
    held_out: float = 0.1
    """Share of the judged documents kept for validation."""


@dataclass(frozen=True)
class Documents:
    """Groups with references and without candidates, by split."""

    train: list[Group]
    valid: list[Group]
    test: list[Group]


@dataclass
class Writer:
    """A policy with the renderer it is used with."""

    policy: Policy
    renderer: Renderer


def load_documents(work: Workspace, settings: DataSettings, *, seed: int) -> Documents:
    """Import or generate the documents. A text that stands in two splits stays in the one that is evaluated later."""
    found: dict[str, list[Document]] = {}
    wanted = {"train": settings.train_documents, "valid": settings.valid_documents, "test": settings.test_documents}
    for split, limit in wanted.items():
        if settings.kind == "sandbox":
            made = sandbox.documents(limit or SANDBOX_DOCUMENTS[split], seed=seed, split=split)
            found[split] = list(made)
            work.store.add_documents(found[split])
            work.store.add_candidates([sandbox.reference_summary(document, seed=seed) for document in found[split]])
            continue
        path = getattr(settings, split)
        if not path:
            if split == "valid":
                continue
            raise UserError(f"setting 'data.{split}' is missing: name the file of the {split} documents")
        report = import_into(
            work.store, settings.kind, path, columns=settings.columns, dataset=settings.kind, split=split
        )
        announce("  " + str(report).replace("\n", "\n  "))
        found[split] = work.store.documents(settings.kind, split, limit)
    if "valid" not in found:
        share = min(settings.valid_documents, len(found["train"]) // 10)
        found["train"], found["valid"] = found["train"][share:], found["train"][:share]
    evaluated: set[str] = set()
    groups: dict[str, list[Group]] = {}
    for split in ("test", "valid", "train"):
        ids = [document.id for document in found[split] if document.id not in evaluated]
        if len(ids) < len(found[split]):
            left_out = len(found[split]) - len(ids)
            announce(f"  {left_out:,} {split} documents stand in a later split too and are left out")
        evaluated.update(ids)
        groups[split] = work.store.groups(source_ids=ids, maker_ids=()) if ids else []
        if not ids:
            raise UserError(f"there are no {split} documents")
    announce("  " + ", ".join(f"{len(groups[split]):,} {split}" for split in ("train", "valid", "test")) + " documents")
    return Documents(groups["train"], groups["valid"], groups["test"])


def starting_writer(work: Workspace, settings: StartSettings, documents: Documents, *, seed: int) -> Writer:
    """Load, initialise or warm-start the model that training begins with."""
    folder = work.models / "start"
    source = settings.model
    if source == "sandbox":
        path: Path | str = sandbox.base_model()
    elif source == "init":
        if not folder.is_dir():
            init_model(
                folder,
                [text.text for group in documents.train for text in (group.source, *group.references)],
                size=settings.size,
                architecture=settings.architecture,
                vocab_size=settings.vocab_size,
                words=settings.words,
                seed=seed,
            )
        path = folder
    elif source.startswith("warm:"):
        if not folder.is_dir():
            warm_start_encoder_decoder(source.removeprefix("warm:"), folder, seed=seed)
        path = folder
    else:
        path = source
    return load_writer(path, settings, to_train=True)


def load_writer(path: Path | str, settings: StartSettings | None = None, *, to_train: bool = False) -> Writer:
    """A policy and its renderer: as `settings` say, else as the folder remembers.

    Weights are float32 `to_train`; to write with, bfloat16 where the device computes it natively.
    """
    settings = settings or StartSettings()
    half = computes_bf16(torch.device("cuda" if torch.cuda.is_available() else "cpu")) and not to_train
    policy = load_policy(path, dtype="bfloat16" if half else "float32", trust_remote_code=settings.trust_remote_code)
    renderer = load_renderer(
        Path(path) if Path(path).is_dir() else None,
        policy.tokenizer,
        template=template_named(settings.template) if settings.template else None,
        max_prefix_tokens=settings.max_prefix_tokens,
        encoder_decoder=policy.is_encoder_decoder,
        decoder_start_id=policy.decoder_start_id,
    )
    return Writer(policy, renderer)


def shared_out(documents: Documents, settings: CandidateSettings) -> tuple[list[Group], list[Group]]:
    """The training documents to imitate, and those to write candidates for.

    Raises `UserError` if `unseen` leaves nothing to imitate.
    """
    train = documents.train
    judged = train[: settings.documents]
    if not settings.unseen:
        return train, judged
    if len(judged) == len(train):
        raise UserError(
            f"setting 'candidates.unseen' leaves no document to imitate: set candidates.documents below {len(train):,}"
        )
    return train[len(judged) :], judged


def supervise(
    work: Workspace,
    start: Writer,
    imitated: Sequence[Group],
    held_out: Sequence[Group],
    settings: SupervisedSettings,
    *,
    name: str = "supervised",
) -> Writer:
    """Fine-tune on the reference summaries of `imitated`; the result is `models/NAME`."""
    folder = work.models / name
    if not folder.is_dir():
        selection = reference_groups(imitated)
        announce(f"  {selection}")
        objective = nll(label_smoothing=settings.label_smoothing, prompt_weight=settings.prompt_weight)
        validation = reference_groups(held_out)
        _train(work, name, start.policy.model, start, selection.groups, validation.groups, objective, settings.training)
        save_policy(start.policy, folder, beside=start.renderer.save)
    return load_writer(folder)


def write_candidates(
    work: Workspace, writer: Writer, groups: Sequence[Group], decoding: Decoding, *, k: int, seed: int
) -> list[Group]:
    """K candidates of every group's source by `writer`: the groups with exactly these candidates."""
    summary = sample(
        work.store,
        writer.policy,
        writer.renderer,
        [group.source for group in groups],
        k=k,
        decoding=decoding,
        seed=seed,
    )
    announce(
        f"  {summary.written:,} candidates written ({summary.empty:,} empty, {summary.unfinished:,} cut by the length "
        f"limit), {summary.known:,} known; {summary.tokens_per_second:,.0f} tokens/s, documents "
        + ("computed once for all candidates" if summary.engine == "shared" else f"computed plainly: {summary.reason}")
    )
    return regroup(work, groups, [summary.maker], k=k)


def keep_candidates(work: Workspace, groups: Sequence[Group], candidates: Sequence[Candidate]) -> list[Group]:
    """The groups with exactly these candidates, which are stored too."""
    work.store.add_candidates(candidates)
    written: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        written.setdefault(candidate.source_id, []).append(candidate)
    return [replace(group, candidates=tuple(written.get(group.source.id, ()))) for group in groups]


def regroup(work: Workspace, groups: Sequence[Group], makers: Sequence[Maker], *, k: int | None = None) -> list[Group]:
    """The groups with the candidates of `makers` (the first `k` of each) and everything that was judged of them."""
    ids = [group.source.id for group in groups]
    found = work.store.groups(source_ids=ids, maker_ids=[maker.id for maker in makers])
    return [
        replace(group, candidates=tuple(sorted(chosen, key=lambda candidate: candidate.index)))
        for group in found
        for chosen in [[c for c in group.candidates if k is None or c.index < k]]
    ]


def judge(work: Workspace, judge: Judge, groups: Sequence[Group]) -> list[Group]:
    """Have `judge` judge the groups' candidates; the groups with all judgements so far."""
    announce(f"  {run_judge(work.store, judge, groups)}")
    return with_judgements(work, groups)


def with_judgements(work: Workspace, groups: Sequence[Group]) -> list[Group]:
    """The groups with everything that the store knows to be judged of their candidates."""
    said: dict[str, list[Judgement]] = {}
    for judgement in work.store.judgements(source_ids=[group.source.id for group in groups]):
        said.setdefault(judgement.source_id, []).append(judgement)
    return [
        replace(group, judgements=tuple(j for j in said.get(group.source.id, ()) if ids.issuperset(j.candidate_ids)))
        for group in groups
        for ids in [{c.id for c in (*group.candidates, *group.references)}]
    ]


def together(*parts: Sequence[Group]) -> list[Group]:
    """One group a source with the candidates of all parts, so that a judge is asked once."""
    joined: dict[str, Group] = {}
    for group in (group for part in parts for group in part):
        known = joined.get(group.source.id, replace(group, candidates=()))
        joined[group.source.id] = replace(known, candidates=(*known.candidates, *group.candidates), judgements=())
    return list(joined.values())


def train_reward_model(
    work: Workspace,
    writer: Writer,
    pairs: Selection,
    settings: RewardSettings,
    *,
    seed: int,
    name: str = "reward",
) -> RewardJudge:
    """A reward model from the supervised policy, trained on pairs and shifted so that references average 0."""
    folder = work.models / name
    if not folder.is_dir():
        held_out = max(1, round(settings.held_out * len(pairs.groups)))
        if len(pairs.groups) <= held_out:
            raise UserError(
                f"{len(pairs.groups)} groups with a pair are too few to train and validate a reward model on"
            )
        start = load_writer(writer.policy.path, to_train=True) if writer.policy.path is not None else writer
        model = reward_model_from_policy(start.policy, seed=seed)
        training, validation = pairs.groups[held_out:], pairs.groups[:held_out]
        _train(work, name, model, writer, training, validation, pairwise_logistic(), settings.training)
        centre_on_references(model, writer, training)
        save_reward_model(model, writer.policy.tokenizer, folder, beside=writer.renderer.save)
    return load_reward_judge(folder)


def centre_on_references(model: RewardModel, writer: Writer, groups: Sequence[Group]) -> None:
    """Shift the rewards so that reference summaries average 0 (app. B.1: only differences were trained)."""
    judge = RewardJudge(model, writer.renderer, pad_id=writer.policy.pad_id, name="untitled")
    tokens = [writer.renderer.group(group) for group in reference_groups(groups).groups[:REFERENCES_TO_CENTRE_ON]]
    rewards = [reward for group in judge.rewards(tokens) for reward in group]
    if rewards:
        model.offset += sum(rewards) / len(rewards)


def load_reward_judge(folder: Path | str) -> RewardJudge:
    """A saved reward model, ready to judge with the template that it was trained with."""
    loaded = load_reward_model(folder)
    renderer = load_renderer(
        Path(folder) if Path(folder).is_dir() else None,
        loaded.tokenizer,
        encoder_decoder=loaded.is_encoder_decoder,
        decoder_start_id=loaded.decoder_start_id,
    )
    return RewardJudge(loaded.model, renderer, pad_id=loaded.pad_id, name=loaded.fingerprint)


def _train(
    work: Workspace,
    name: str,
    model: nn.Module,
    writer: Writer,
    groups: Sequence[Group],
    validation: Sequence[Group],
    objective: Objective,
    config: TrainConfig,
) -> TrainResult:
    """Train in `training/NAME`, resuming what is there; a collapse stops the recipe with its reason."""
    examples, held_out = examples_of(writer.renderer, groups), examples_of(writer.renderer, validation)
    cut = sum(example.tokens.cut_characters > 0 for example in examples)
    if cut:
        announce(f"  {cut:,} of {len(examples):,} documents were cut to {writer.renderer.max_prefix_tokens} tokens")
    result = train(
        model,
        examples,
        objective,
        config,
        work.training / name,
        pad_id=writer.policy.pad_id,
        validation=held_out,
        resume=True,
    )
    if result.stopped == "collapse":
        raise UserError(
            f"training {name} was stopped: {result.reason}; its last good weights are in {result.checkpoint}"
        )
    return result
