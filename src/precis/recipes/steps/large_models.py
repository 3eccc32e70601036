"""The large models that a run asks: which they are, whether two are one, and whether they are at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...endpoint import EndpointConfig
from ...endpoint.replies import same_model
from ...endpoint.secret import read_key
from ...errors import UserError
from ...models import model_folder
from ...models.tokenizer import load_tokenizer
from ...sampling.asking import check_chat
from ..workspace import Workspace, announce
from .ranking import RankingSettings
from .targets import TargetSettings


@dataclass(frozen=True)
class LargeModel:
    """A model that is asked: a folder or hub name, or what a server calls it."""

    name: str
    url: str = ""

    @property
    def title(self) -> str:
        """Its name without the folders or the owner before it."""
        return Path(self.name).name

    def may_be(self, other: LargeModel) -> bool:
        """Whether the two may be one model. Folders are one if they are one place; what servers hold is known by its
        name only, and a name that two of them use may be one model's."""
        ours, theirs = (Path(own.name) for own in (self, other))
        if not self.url and not other.url and ours.is_dir() and theirs.is_dir():
            return ours.resolve() == theirs.resolve()
        return same_model(self.name, other.name)


def asked_by(settings: RankingSettings | TargetSettings) -> LargeModel | None:
    """The large model that a judge asks, or that writes what is imitated; None where there is none."""
    kind = settings.judge if isinstance(settings, RankingSettings) else settings.source
    if kind not in ("gptrank", "gptscore", "endpoint", "model"):
        return None
    if settings.model and kind != "endpoint":
        return LargeModel(settings.model)
    assert settings.endpoint is not None, "the settings were checked"
    return LargeModel(settings.endpoint.model, settings.endpoint.url)


def check_at_hand(work: Workspace, targets: TargetSettings, judges: Sequence[RankingSettings]) -> None:
    """Tell before anything is paid for, or trained, what a later step would end with: a model that is not there or has
    no chat template, a key that is not set.

    A run that goes on may have every answer in its cache and need no key: there it is a note. Raises `UserError`.
    """
    for judge in judges:
        model = asked_by(judge)
        if model is None or model.url:
            continue
        folder = model_folder(model.name)
        if judge.judge == "gptrank":
            check_chat(load_tokenizer(folder), model.name)
    every: list[RankingSettings | TargetSettings] = [targets, *judges]
    for own in every:
        model = asked_by(own)
        if model is not None and model.url and own.endpoint is not None:
            _check_key(work, own.endpoint)


def _check_key(work: Workspace, endpoint: EndpointConfig) -> None:
    try:
        read_key(endpoint.key_env)
    except UserError as error:
        if not work.seconds:
            raise
        announce(f"note: {error}")
