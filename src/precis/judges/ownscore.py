"""A policy's own score of a summary: what contrastive training orders, read as a judge (Liu et al. 2022, "BRIO-Ctr").

The model that writes then also chooses, from the same weights: of several candidates, whoever wrote them, the one
that it finds most probable at the length penalty that it was trained with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from ..logprobs import sequence_logprobs
from ..logprobs.packed import bins
from ..models.structure import evaluating
from ..records import Failure, Group, JudgeInfo, Judgement, Score
from ..render import Renderer, TokenGroup
from .protocol import EMPTY

if TYPE_CHECKING:
    from ..models import Policy

# Tokens of one forward pass, each source counted once.
TOKENS_PER_BATCH = 16384


class OwnScoreJudge:
    """Σ log p / |S|^α in nats, the end token counted; α is `length_penalty`. An empty candidate is a `Failure`.

    It asks as the policy is asked to write, where GPTScore has a prompt of its own and leaves the end token out.
    `name` tells several policies apart. `cut_documents` counts the documents so far that were too long for the prompt.
    """

    def __init__(self, policy: Policy, renderer: Renderer, *, length_penalty: float = 1.0, name: str = "own score"):
        self.policy, self.renderer, self.length_penalty, self.name = policy, renderer, length_penalty, name
        self.cut_documents = 0

    @cached_property
    def info(self) -> JudgeInfo:
        settings = {
            "model": self.policy.fingerprint,
            "prompt": self.renderer.prompt_hash,
            "length_penalty": self.length_penalty,
        }
        return JudgeInfo(self.name, settings)

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        tokens: dict[int, TokenGroup] = {}
        for place, group in enumerate(groups):
            written = [candidate for candidate in group.candidates if not candidate.is_empty]
            if written:
                prefix = self.renderer.prefix(group.source)
                self.cut_documents += prefix.cut_characters > 0
                tokens[place] = TokenGroup(
                    group.source.id, prefix.ids, tuple(map(self.renderer.continuation, written)), prefix.cut_characters
                )
        scores = dict(zip(tokens, self.scores(list(tokens.values())), strict=True))
        return [list(self._said(group, scores.get(place, ()))) for place, group in enumerate(groups)]

    def _said(self, group: Group, scores: Sequence[float]) -> Iterator[Judgement]:
        source, left = group.source.id, iter(scores)
        for candidate in group.candidates:
            if candidate.is_empty:
                yield Failure(self.info, source, (candidate.id,), EMPTY)
                continue
            value = next(left)
            if math.isfinite(value):
                yield Score(self.info, source, candidate.id, value, f"nats/token^{self.length_penalty:g}")
            else:
                why = f"the log-probability is {value}: check the model's weights"
                yield Failure(self.info, source, (candidate.id,), why)

    @torch.no_grad()
    def scores(self, groups: Sequence[TokenGroup]) -> list[list[float]]:
        """The score of every continuation, group by group; each source is computed once."""
        values: list[list[float]] = [[] for _ in groups]
        model, pad_id = self.policy.model, self.policy.pad_id
        sizes = [len(group.prefix_ids) + sum(map(len, group.continuations)) for group in groups]
        with evaluating(model):
            for batch in bins(sizes, TOKENS_PER_BATCH):
                scored = sequence_logprobs(model, [groups[place] for place in batch], pad_id=pad_id)
                logps_BK = scored.logps_BKT.double().masked_fill(~scored.mask_BKT, 0.0).sum(-1)
                for logps_K, place in zip(logps_BK.tolist(), batch, strict=True):
                    lengths = map(len, groups[place].continuations)
                    values[place] = [logp / length**self.length_penalty for logp, length in zip(logps_K, lengths)]
        return values
