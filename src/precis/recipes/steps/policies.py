"""The model that training starts from, and the supervised policy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from pydantic import model_validator

from ... import sandbox
from ...errors import UserError
from ...models import init_model, load_policy, model_folder, save_policy, warm_start_encoder_decoder
from ...objectives import nll
from ...records import Group
from ...render import load_renderer, template_named
from ...selection import reference_groups
from ...training import TrainConfig
from ...training.precision import computes_bf16
from ...training.run_folder import read_result
from ..settings import Settings
from ..workspace import Workspace, announce
from .documents import Documents
from .training import train_in
from .writer import Writer


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
    fine_tuned: bool = False
    """The model summarizes already (BRIO's bart-large-cnn): it is the supervised policy as it is, and only its template
    may have to be named."""

    @model_validator(mode="after")
    def _has_learned(self) -> StartSettings:
        if self.fine_tuned and (self.model in ("sandbox", "init") or self.model.startswith("warm:")):
            raise ValueError(f"a start from {self.model!r} has not learned to summarize, so that it is not fine_tuned")
        return self


class SupervisedSettings(Settings):
    """Supervised fine-tuning on the reference summaries (Stiennon et al. 2020, §3.4 and app. B)."""

    training: TrainConfig = TrainConfig(learning_rate=6.35e-5, epochs=1, schedule="cosine")
    """Learning rate of the 1.3B model, 1 epoch, cosine: app. B.1."""
    learning_rates: tuple[float, ...] = ()
    """Train once with each and keep the policy that is best on the validation documents (app. B.1 sweeps at least 7
    values, evenly spaced in their logarithm); none trains once, with `training.learning_rate`."""
    label_smoothing: float = 0.0
    """Share of the target probability spread over the vocabulary."""
    prompt_weight: float = 0.0
    """Weight of the prompt's tokens in the loss; 1 is the loss over post and summary of OpenAI's code."""


def check_start(settings: StartSettings) -> None:
    """Raises `UserError` if the model to start from is not there: before anything is paid for or trained."""
    source = settings.model.removeprefix("warm:")
    if source not in ("sandbox", "init"):
        model_folder(source, trust_remote_code=settings.trust_remote_code)


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
    return load_writer(path, settings, to_train=True, learns_template=not settings.fine_tuned)


def load_writer(
    path: Path | str,
    settings: StartSettings | None = None,
    *,
    to_train: bool = False,
    learns_template: bool = False,
) -> Writer:
    """A policy and its renderer: as `settings` say, else as the folder remembers.

    Weights are float32 `to_train`; to write with, bfloat16 where the device computes it natively. Unless the policy
    `learns_template`, being fine-tuned with it first, one that had to be guessed is announced.
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
    if renderer.guessed and not learns_template:
        announce(
            f"precis: {path} does not say how its documents are put to it; this template is guessed: "
            f"{renderer.template.text!r}. Name the model's own if it has one (--template; in a recipe start.template)"
        )
    return Writer(policy, renderer, settings.trust_remote_code)


def load_like(writer: Writer, path: Path | str, *, to_train: bool = False) -> Writer:
    """`load_writer` of a folder that came of `writer`, with the trust that it has."""
    return load_writer(path, StartSettings(trust_remote_code=writer.trust_remote_code), to_train=to_train)


def supervise(
    work: Workspace,
    start: Writer,
    imitated: Sequence[Group],
    held_out: Sequence[Group],
    settings: SupervisedSettings,
    *,
    fine_tuned: bool = False,
    name: str = "supervised",
) -> Writer:
    """Fine-tune on the reference summaries of `imitated`; the result is `models/NAME`, a copy of a start that is
    `fine_tuned`.

    Of several learning rates, each has its model, `models/NAME-RATE`, and the best by the loss on `held_out` is taken.
    Raises `UserError` for several of them without held-out documents.
    """
    if fine_tuned:
        if not (work.models / name).is_dir():
            announce("  the start summarizes already and is taken as it is (start.fine_tuned)")
            save_policy(start.policy, work.models / name, beside=start.renderer.save)
        return load_like(start, work.models / name)
    if not settings.learning_rates:
        return _supervise_once(work, start, imitated, held_out, settings, settings.training, name=name)
    if not held_out:
        raise UserError("a sweep of learning rates needs validation documents to choose by")
    losses: dict[str, float] = {}
    for rate in settings.learning_rates:
        own = f"{name}-{rate:g}"
        policy = load_policy(start.policy.path or "", dtype="float32", trust_remote_code=start.trust_remote_code)
        fresh = replace(start, policy=policy)
        config = replace(settings.training, learning_rate=rate)
        _supervise_once(work, fresh, imitated, held_out, settings, config, name=own)
        losses[own] = _validation_loss(work, own)
    announce("  validation, nats a token: " + ", ".join(f"{own} {loss:.3f}" for own, loss in losses.items()))
    return load_like(start, work.models / min(losses, key=lambda own: losses[own]))


def _supervise_once(
    work: Workspace,
    start: Writer,
    imitated: Sequence[Group],
    held_out: Sequence[Group],
    settings: SupervisedSettings,
    config: TrainConfig,
    *,
    name: str,
) -> Writer:
    folder = work.models / name
    if not folder.is_dir():
        selection = reference_groups(imitated)
        announce(f"  {selection}")
        objective = nll(label_smoothing=settings.label_smoothing, prompt_weight=settings.prompt_weight)
        validation = reference_groups(held_out).groups
        model, pad_id = start.policy.model, start.policy.pad_id
        train_in(work, name, model, start.renderer, pad_id, selection.groups, validation, objective, config)
        save_policy(start.policy, folder, beside=start.renderer.save)
    return load_like(start, folder)


def _validation_loss(work: Workspace, name: str) -> float:
    result = read_result(work.training / name)
    measured = {} if result is None else result.best or result.validation
    return measured.get("nll", math.inf)
