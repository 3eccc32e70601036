"""Models that give one number for document and summary: a reward model (Stiennon et al. 2020, §3.4), a reranker."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from ..logprobs import sequence_logprobs, why_not
from ..records import Failure, Group, JudgeInfo, Judgement, Score
from ..render import Renderer, TokenGroup
from .protocol import EMPTY

if TYPE_CHECKING:
    from ..models import Reranker, RewardModel

# Tokens of one forward pass, each source counted once.
TOKENS_PER_BATCH = 16384
_log = logging.getLogger("precis")


class _ModelJudge:
    """Scores by a model with one number for a candidate.

    All candidates of a source share its computation. An empty candidate is a `Failure`: its reward is a number,
    but not one of a summary; so is a reward that is not a number. `name` is the model's fingerprint, which names the
    judge in the store. `cut_documents` counts the documents so far that were too long for the prompt.
    """

    kind: ClassVar[str]
    scale: ClassVar[str]
    model: nn.Module

    def __init__(self, model: nn.Module, renderer: Renderer, *, pad_id: int, name: str):
        self.model, self.renderer, self.pad_id, self.name = model, renderer, pad_id, name
        self.cut_documents = 0
        if reason := why_not(model):
            _log.warning("the reward model scores one row per candidate: %s", reason)

    @cached_property
    def info(self) -> JudgeInfo:
        return JudgeInfo(self.kind, {"model": self.name, "prompt": self.renderer.prompt_hash})

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        found: list[list[Judgement]] = [
            [
                Failure(self.info, group.source.id, (candidate.id,), EMPTY)
                for candidate in group.candidates
                if candidate.is_empty
            ]
            for group in groups
        ]
        written = [[candidate for candidate in group.candidates if not candidate.is_empty] for group in groups]
        places = [place for place, own in enumerate(written) if own]
        prefixes = [self.renderer.prefix(groups[place].source) for place in places]
        self.cut_documents += sum(prefix.cut_characters > 0 for prefix in prefixes)
        tokens = [
            TokenGroup(
                groups[place].source.id,
                prefix.ids,
                tuple(self.renderer.continuation(candidate) for candidate in written[place]),
                prefix.cut_characters,
            )
            for place, prefix in zip(places, prefixes)
        ]
        for place, values in zip(places, self.rewards(tokens), strict=True):
            source = groups[place].source.id
            for candidate, value in zip(written[place], values, strict=True):
                if math.isfinite(value):
                    found[place].append(Score(self.info, source, candidate.id, value, self.scale))
                else:
                    why = f"the {self.kind} is {value}: check the model's weights"
                    found[place].append(Failure(self.info, source, (candidate.id,), why))
        return found

    def rewards(self, groups: Sequence[TokenGroup]) -> list[list[float]]:
        """The reward of every continuation, group by group."""
        values: list[list[float]] = [[] for _ in groups]
        training = self.model.training
        self.model.eval()
        with torch.no_grad():
            for batch in _batches(groups):
                scored = sequence_logprobs(self.model, [groups[place] for place in batch], pad_id=self.pad_id)
                assert scored.rewards_BK is not None  # these models always have them
                for row, place in enumerate(batch):
                    count = len(groups[place].continuations)
                    values[place] = scored.rewards_BK[row, :count].float().tolist()
        self.model.train(training)
        return values


class RewardJudge(_ModelJudge):
    """Scores in the reward model's own unit, shifted so that reference summaries average 0."""

    kind = scale = "reward"
    model: RewardModel


class RerankerJudge(_ModelJudge):
    """Cosines of the encodings of document and summary, from −1 to 1 (SimCLS: Liu & Liu 2021)."""

    kind, scale = "reranker", "cosine"
    model: Reranker


def _batches(groups: Sequence[TokenGroup]) -> Iterator[list[int]]:
    """Places of groups of like length, within the token budget; a group alone may exceed it."""
    sizes = [len(group.prefix_ids) + sum(map(len, group.continuations)) for group in groups]
    batch: list[int] = []
    total = 0
    for place in sorted(range(len(groups)), key=lambda place: sizes[place]):
        if batch and total + sizes[place] > TOKENS_PER_BATCH:
            yield batch
            batch, total = [], 0
        batch.append(place)
        total += sizes[place]
    if batch:
        yield batch
