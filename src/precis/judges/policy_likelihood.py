"""A model in memory tells the log-probs: prompts with the same context share its computation (DESIGN §4)."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ..endpoint.alignment import align
from ..endpoint.messages import NoReply
from ..logprobs import Implementation, sequence_logprobs, why_not
from ..logprobs.packed import bins
from ..models import evaluating, max_positions, unwrap
from ..render import TokenGroup
from ..render.renderer import conventional_specials, plain_ids
from .likelihood import Logps, Prompt, first_of_target

if TYPE_CHECKING:
    from ..models import Policy

# Tokens of one call, each context counted once.
TOKENS_PER_BATCH = 16384
# A token seldom covers 32 characters: what is longer than that cannot fit, and need not be tokenized to know it.
_CHARACTERS_PER_TOKEN = 32
_log = logging.getLogger("precis")


@dataclass(frozen=True)
class _Row:
    """The ids of a prompt; the first `skip` of `continuation` are not the target's."""

    prefix: tuple[int, ...]
    continuation: tuple[int, ...]
    skip: int = 0


class PolicyLikelihood:
    """A policy's log-probs at temperature 1, without dropout.

    A decoder-only model reads context and target as one text, tokenized at once, after its tokenizer's own opening
    token if it has one. Prompts with one context share its ids as far as these agree: where a target changes how the
    context's end is tokenized, the last few ids of the context are computed apart, and are not scored.

    An encoder-decoder's encoder reads the context without the white space at its end, the decoder writes the target.
    The tokens that a decoder's texts open and end with are not scored.

    `tokens_forwarded` counts what went through the model so far, `tokens_repeated` what one row per prompt would have
    sent through it.
    """

    def __init__(self, policy: Policy, *, implementation: Implementation = "auto"):
        self.policy, self.implementation = policy, implementation
        self.tokens_forwarded = self.tokens_repeated = 0
        self._opening, self._closing = conventional_specials(policy.tokenizer)
        if reason := why_not(policy.model):
            _log.warning("GPTScore computes one row per candidate: %s", reason)

    @property
    def name(self) -> str:
        return self.policy.fingerprint

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"dtype": str(next(self.policy.model.parameters()).dtype).removeprefix("torch.")}

    def fits(self, prompts: Sequence[Prompt]) -> bool:
        """Whether every prompt, by itself, has no more tokens than the model has positions."""
        limit, written = self._limits()
        if limit is not None and any(len(prompt.text) > _CHARACTERS_PER_TOKEN * limit for prompt in prompts):
            return False
        for row in self._rows(prompts):
            if isinstance(row, NoReply):
                continue
            if self.policy.is_encoder_decoder:
                read, wrote = len(row.prefix), len(row.continuation)
            else:
                read, wrote = len(row.prefix) + len(row.continuation), 0
            if (limit is not None and read > limit) or (written is not None and wrote > written):
                return False
        return True

    def logps(self, prompts: Sequence[Prompt], *, note: str = "") -> list[Logps | NoReply]:
        """See `Likelihood`. Raises `UserError` for a prompt that does not fit the model's positions."""
        rows = self._rows(prompts)
        found: list[Logps | NoReply] = [row if isinstance(row, NoReply) else () for row in rows]
        families = list(_families(prompts, rows))
        groups = [
            TokenGroup(prompts[places[0]].context[:60], own[0].prefix, tuple(row.continuation for row in own))
            for places, own in families
        ]
        sizes = [len(group.prefix_ids) + sum(map(len, group.continuations)) for group in groups]
        with evaluating(self.policy.model), torch.no_grad():
            for batch in bins(sizes, TOKENS_PER_BATCH):
                scored = sequence_logprobs(
                    self.policy.model,
                    [groups[number] for number in batch],
                    pad_id=self.policy.pad_id,
                    implementation=self.implementation,
                )
                self.tokens_forwarded += scored.tokens_forwarded
                self.tokens_repeated += scored.tokens_repeated
                logps_BKT = scored.logps_BKT.double().tolist()
                for logps_KT, number in zip(logps_BKT, batch):
                    for logps_T, place, row in zip(logps_KT, *families[number]):
                        found[place] = _finite(logps_T[row.skip : len(row.continuation)])
        return found

    def _limits(self) -> tuple[int | None, int | None]:
        """How many tokens fit: prompt and target together, or what an encoder reads; what a decoder writes."""
        config = unwrap(self.policy.model).config
        own = max_positions(getattr(config, "decoder", config)) if self.policy.is_encoder_decoder else None
        return self.policy.max_positions, own

    def _rows(self, prompts: Sequence[Prompt]) -> list[_Row | NoReply]:
        if self.policy.is_encoder_decoder:
            return [self._halves(prompt) for prompt in prompts]
        return [self._joined(prompt) for prompt in prompts]

    def _joined(self, prompt: Prompt) -> _Row | NoReply:
        encoded = self._with_spans(prompt.text)
        if encoded is None:
            return NoReply("the tokenizer's tokens do not spell the text, so the target's cannot be told")
        ids, spans = encoded
        first = first_of_target(spans, prompt.seam)
        if first is None:
            return NoReply("the text to be scored has no token")
        prefix = (*self._opening, *ids[:first])
        if not prefix:
            return NoReply("the first token to be scored has nothing to be predicted from")
        return _Row(prefix, tuple(ids[first:]))

    def _halves(self, prompt: Prompt) -> _Row | NoReply:
        tokenizer = self.policy.tokenizer
        ids = plain_ids(tokenizer, prompt.target)
        if not ids:
            return NoReply("the text to be scored has no token")
        start = self.policy.decoder_start_id
        opening = self._opening[1:] if self._opening[:1] == (start,) else self._opening
        read = (*self._opening, *plain_ids(tokenizer, prompt.context.rstrip()), *self._closing)
        return _Row(read, (*opening, *ids), len(opening))

    def _with_spans(self, text: str) -> tuple[list[int], list[tuple[int, int]]] | None:
        """The ids of text in which nothing is a special token, and the characters that each covers."""
        tokenizer: Any = self.policy.tokenizer
        if tokenizer.is_fast:
            encoded = tokenizer(
                text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True, verbose=False
            )
            return list(encoded["input_ids"]), [tuple(span) for span in encoded["offset_mapping"]]
        ids = plain_ids(tokenizer, text)
        spans = align([tokenizer.decode([i], clean_up_tokenization_spaces=False) for i in ids], text)
        return None if spans is None else (ids, spans)


def _families(
    prompts: Sequence[Prompt], rows: Sequence[_Row | NoReply]
) -> Iterator[tuple[Sequence[int], Sequence[_Row]]]:
    """Places of prompts with one context, and their rows with one prefix: what all of their prefixes begin with."""
    places_of: dict[str, list[int]] = {}
    for place, (prompt, row) in enumerate(zip(prompts, rows, strict=True)):
        if isinstance(row, _Row):
            places_of.setdefault(prompt.context, []).append(place)
    for places in places_of.values():
        own = [row for row in (rows[place] for place in places) if isinstance(row, _Row)]
        shared = _agreeing([row.prefix for row in own])
        if shared:
            yield places, [_from(row, shared) for row in own]
        else:
            yield from (((place,), (row,)) for place, row in zip(places, own))


def _agreeing(prefixes: Sequence[tuple[int, ...]]) -> int:
    """How many ids all begin with: as many as the first and the last in their order do."""
    first, last = min(prefixes), max(prefixes)
    return next((place for place, (a, b) in enumerate(zip(first, last)) if a != b), min(len(first), len(last)))


def _from(row: _Row, shared: int) -> _Row:
    """The same ids, the prefix ending earlier."""
    return _Row(row.prefix[:shared], row.prefix[shared:] + row.continuation, len(row.prefix) - shared + row.skip)


def _finite(logps: Sequence[float]) -> Logps | NoReply:
    if wrong := [logp for logp in logps if not math.isfinite(logp)]:
        return NoReply(f"the model gives the log-prob {wrong[0]}: check its weights")
    return tuple(logps)
