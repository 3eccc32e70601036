"""THE primitive: groups of token ids in, the log-probs of their candidates out, each document computed once."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..models.reranker import Reranker
from ..models.reward import RewardModel
from ..models.structure import evaluating, is_encoder_decoder, max_positions, unwrap
from ..render import TokenGroup
from .cached import PrefixCache, cached_states
from .encoder_decoder import folded_states, why_not_folded
from .layout import LayoutNotSupported
from .lm_head import lm_head_of, token_scores
from .packed import packed_states
from .repeated import repeated_states
from .reranking import cosines
from .scored import Batch, Limits, Scored, States, Wanted, check_groups
from .support import VERIFIED, family, why_not_packed

Implementation = Literal["auto", "repeated", "packed", "cached"]
_log = logging.getLogger("precis")
# Reasons found while running (by the self-check, or because a model refused), by model.
_refused: weakref.WeakKeyDictionary[nn.Module, str] = weakref.WeakKeyDictionary()
_checked: weakref.WeakSet[nn.Module] = weakref.WeakSet()


def sequence_logprobs(
    model: nn.Module,
    groups: Sequence[TokenGroup],
    *,
    pad_id: int,
    implementation: Implementation = "auto",
    token_budget: int | None = None,
    temperature: float = 1.0,
    last_hidden: bool = False,
    mean_logps: bool = False,
    entropy: bool = False,
    prefix_logps: bool = False,
    values: bool = False,
    cache: PrefixCache | None = None,
    self_check: bool | None = None,
) -> Scored:
    """Log-probs in nats of every candidate's tokens given its source: [B, K, T] for B groups.

    `model` is a Hugging Face causal or encoder-decoder model (with LoRA adapters or without), or a `RewardModel`,
    whose `rewards_BK` are then returned; those of a `Reranker` are its cosines. Gradients flow unless `cached` is
    asked for or gradients are off.

    - `repeated`: one row per candidate. The definition, which works for every model.
    - `packed`: a prefix and all its candidates in one row, several groups a row up to `token_budget` tokens. For
      an encoder-decoder: each source encoded once, its cross-attention keys and values projected once.
    - `cached`: prefixes are computed once and kept in `cache`, for calls that use the same prefixes again.
    - `auto`: `packed`, and `repeated` for models that cannot; `Scored.reason` then says why.

    Log-probs are at `temperature`. `last_hidden`, `mean_logps`, `entropy`, `prefix_logps` and, of a `RewardModel`,
    `values` ask for more (see `Scored`). With `self_check` (or PRECIS_SELF_CHECK=1) the first batch is also computed by
    `repeated`, and a difference raises, or under `auto` falls back; a family of models that no test covers is always
    checked so.

    Raises `UserError` for groups that no model could score or that exceed the model's positions.
    """
    if isinstance(model, Reranker):
        if last_hidden or mean_logps or entropy or prefix_logps or values:
            raise UserError("a reranker gives one number for a candidate, and nothing else")
        return cosines(model, groups, pad_id=pad_id)
    device = next(model.parameters()).device
    batch = Batch(groups, device)
    core: nn.Module = model.trunk if isinstance(model, RewardModel) else model
    check_groups(
        groups,
        encoder_decoder=is_encoder_decoder(core),
        vocabulary=_vocabulary(core),
        limits=_limits(core),
    )
    if prefix_logps and (is_encoder_decoder(core) or isinstance(model, RewardModel)):
        raise UserError("only a decoder-only language model gives its prefix log-probs")
    if values and not isinstance(model, RewardModel):
        raise UserError("only a model with a scalar head gives values")
    every = isinstance(model, RewardModel) and model.read_at == "every token"
    wanted = Wanted(
        predictions=values or every or not isinstance(model, RewardModel),
        last=last_hidden or isinstance(model, RewardModel),
        prefix=prefix_logps,
    )

    def score(implementation: str) -> Scored:
        return _score(
            model,
            core,
            batch,
            wanted,
            implementation,
            pad_id=pad_id,
            token_budget=token_budget,
            temperature=temperature,
            mean=mean_logps,
            entropy=entropy,
            cache=cache,
        )

    if implementation == "repeated":
        return score("repeated")
    reason = why_not(core)
    inner = unwrap(core)
    check = self_check if self_check is not None else os.environ.get("PRECIS_SELF_CHECK") == "1"
    if not reason and inner not in _checked and (check or family(core) not in VERIFIED):
        reason = _self_check(core, score, "packed" if implementation == "auto" else implementation)
        _checked.add(inner)
        if reason:
            _refused[inner] = reason
    if not reason:
        try:
            return score("packed" if implementation == "auto" else implementation)
        except LayoutNotSupported as error:
            _refused[inner] = reason = str(error)
    if implementation != "auto":
        raise UserError(f"this model ({family(core)}) cannot score with implementation={implementation!r}: {reason}")
    scored = score("repeated")
    scored.reason = reason
    return scored


def why_not(model: nn.Module) -> str:
    """Why a model is scored one row per candidate; empty if its candidates share the document's computation."""
    if isinstance(model, Reranker):
        return ""
    if isinstance(model, RewardModel):
        model = model.trunk
    known = _refused.get(unwrap(model), "")
    return known or (why_not_folded(model) if is_encoder_decoder(model) else why_not_packed(model))


class Scorer(nn.Module):
    """A model whose forward pass is `sequence_logprobs`, so that DDP or accelerate can wrap it."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, groups: Sequence[TokenGroup], **options: Any) -> Scored:
        return sequence_logprobs(self.model, groups, **options)


def _score(
    model: nn.Module,
    core: nn.Module,
    batch: Batch,
    wanted: Wanted,
    implementation: str,
    *,
    pad_id: int,
    token_budget: int | None,
    temperature: float,
    mean: bool,
    entropy: bool,
    cache: PrefixCache | None,
) -> Scored:
    speaks = not isinstance(model, RewardModel)
    head: Callable[[Tensor], Tensor] | None = lm_head_of(core) if speaks else None
    reason = ""
    own_logits = speaks and head is None
    if own_logits and implementation != "repeated":
        implementation, reason = "repeated", "its logits are made in a way we do not know"
    if own_logits and wanted.last:
        raise UserError(f"{family(core)} models make their logits in a way we do not know: no hidden states from them")
    if implementation == "repeated":
        states = repeated_states(core, batch, wanted, token_budget, pad_id=pad_id, logits=own_logits)
    elif implementation == "cached":
        states = cached_states(core, batch, wanted, token_budget, cache, pad_id=pad_id)
    elif is_encoder_decoder(core):
        states = folded_states(core, batch, wanted, token_budget, pad_id=pad_id)
    else:
        states = packed_states(core, batch, wanted, token_budget)
    return _assemble(
        model,
        batch,
        states,
        wanted,
        head or _as_they_are,
        Scored(
            logps_BKT=torch.empty(0),
            mask_BKT=torch.empty(0),
            mask_BK=torch.empty(0),
            tokens_forwarded=states.tokens_forwarded,
            tokens_repeated=sum(len(g.prefix_ids) + len(c) for g in batch.groups for c in g.continuations),
            implementation=implementation,
            reason=reason,
        ),
        _vocabulary(core),
        temperature,
        mean,
        entropy,
    )


def _as_they_are(logits_NV: Tensor) -> Tensor:
    return logits_NV


def _assemble(
    model: nn.Module,
    batch: Batch,
    states: States,
    wanted: Wanted,
    head: Callable[[Tensor], Tensor],
    scored: Scored,
    vocabulary: int,
    temperature: float,
    mean: bool,
    entropy: bool,
) -> Scored:
    targets_BKT, scored.mask_BKT = batch.targets_BKT()
    scored.mask_BK = scored.mask_BKT.any(dim=-1)
    shape_BKT, device = batch.shape_BKT, batch.device
    if isinstance(model, RewardModel):
        scored.logps_BKT = torch.full(shape_BKT, torch.nan, device=device)
        if wanted.predictions:
            values_N = model.score(torch.cat(states.predict_ND))
            scored.values_BKT = _placed(values_N, torch.cat(states.slots_N).to(device), shape_BKT)
    else:
        slots_N = torch.cat(states.slots_N).to(device)
        scores = token_scores(
            head,
            torch.cat(states.predict_ND),
            targets_BKT.flatten()[slots_N],
            vocabulary=vocabulary,
            temperature=temperature,
            mean=mean,
            entropy=entropy,
        )
        scored.logps_BKT = _placed(scores.logps_N, slots_N, shape_BKT)
        if scores.mean_logps_N is not None:
            scored.mean_logps_BKT = _placed(scores.mean_logps_N, slots_N, shape_BKT)
        if scores.entropy_N is not None:
            scored.entropy_BKT = _placed(scores.entropy_N, slots_N, shape_BKT)
    if wanted.last:
        last_MD, last_slots_M = torch.cat(states.last_MD), torch.cat(states.last_slots_M).to(device)
        scored.last_hidden_BKD = _placed(last_MD, last_slots_M, (*shape_BKT[:2], last_MD.shape[-1]))
        if isinstance(model, RewardModel):
            scored.rewards_BK = _placed(model.score(last_MD), last_slots_M, shape_BKT[:2])
            if model.read_at == "every token":
                _average(scored)
    if wanted.prefix:
        targets_BP, scored.prefix_mask_BP = batch.prefix_targets_BP()
        slots_N = torch.cat(states.prefix_slots_N).to(device)
        prefix = token_scores(
            head,
            torch.cat(states.prefix_ND),
            targets_BP.flatten()[slots_N],
            vocabulary=vocabulary,
            temperature=temperature,
        )
        scored.prefix_logps_BP = _placed(prefix.logps_N, slots_N, tuple(targets_BP.shape))
    return scored


def _average(scored: Scored) -> None:
    """Rewards and values as means of the head's numbers from the prompt's end up to their token."""
    assert scored.values_BKT is not None and scored.rewards_BK is not None  # asked for above
    counts_T = torch.arange(1, scored.mask_BKT.shape[-1] + 1, device=scored.mask_BKT.device)
    sums_BK = scored.values_BKT.sum(-1) + scored.rewards_BK
    scored.rewards_BK = sums_BK / (scored.mask_BKT.sum(-1) + 1)
    scored.values_BKT = torch.where(scored.mask_BKT, scored.values_BKT.cumsum(-1) / counts_T, 0.0)


def _placed(values: Tensor, slots: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Flat values in their places of a zero tensor; [N, D] values keep their last axis."""
    tail = values.shape[1:]
    places = torch.Size(shape[: len(shape) - len(tail)]).numel()
    return values.new_zeros(places, *tail).index_copy(0, slots, values).view(shape)


@torch.no_grad()
def _self_check(core: nn.Module, score: Callable[[str], Scored], implementation: str) -> str:
    """Compare with one row per candidate on this batch, without dropout; the difference in words, or nothing."""
    with evaluating(core):
        expected = score("repeated")
        try:
            found = score(implementation)
        except LayoutNotSupported as error:
            return str(error)
        except (RuntimeError, TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
            return f"its layers do not take a shared row ({type(error).__name__}: {error})"
    pairs = [(getattr(found, name), getattr(expected, name)) for name in ("logps_BKT", "rewards_BK", "values_BKT")]
    worst = max(_difference(a, b) for a, b in pairs if a is not None and b is not None)
    dtype = next(core.parameters()).dtype
    tolerance = {torch.float64: 1e-9, torch.float32: 1e-3}.get(dtype, 0.25)
    if worst <= tolerance:
        return ""
    reason = f"its packed scores differ from one row per candidate by up to {worst:.2g} nats"
    _log.warning("%s: %s; scoring one row per candidate instead", family(core), reason)
    return reason


def _difference(a: Tensor, b: Tensor) -> float:
    # A reward model's log-probs are NaN on both sides.
    return float(torch.where(a.isnan() & b.isnan(), 0.0, a.double() - b.double()).abs().nan_to_num(torch.inf).max())


def _vocabulary(core: nn.Module) -> int:
    return int(unwrap(core).get_input_embeddings().weight.shape[0])


def _limits(core: nn.Module) -> Limits:
    config = unwrap(core).config
    if not config.is_encoder_decoder:
        return Limits(max_positions(config))
    return Limits(max_positions(getattr(config, "encoder", config)), max_positions(getattr(config, "decoder", config)))
