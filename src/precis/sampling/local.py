"""The local engine: K continuations of each document, each document computed once.

>>> samples = generate(policy, [[5, 9, 11]], k=4, decoding=Decoding("top-p", top_p=0.9), seed=1)  # doctest: +SKIP
>>> samples[0][2].token_ids, samples[0][2].finished  # doctest: +SKIP
((17, 3, 2), True)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch

from ..errors import UserError
from ..models.structure import decoder_start_id, encoder_of, evaluating, is_encoder_decoder, max_positions, unwrap
from .attention import decoding_attention
from .beam import beam_search
from .check import why_not_shared
from .decoding import Decoding, Sample, longest, uniforms
from .loop import write_rows
from .plain import generate_plainly
from .session import Session

Implementation = Literal["auto", "shared", "plain"]

# Rows decoded together. More rows read the weights less often, and wait longer for the last of them to end.
MAX_ROWS = {"cpu": 128}
MAX_ROWS_ELSEWHERE = 512
CACHE_BYTES_ON_CPU = 2 * 1024**3
CACHE_SHARE_OF_FREE_MEMORY = 0.5


class PolicyLike(Protocol):
    """What the engine needs of a policy (`models.Policy` fits)."""

    model: Any

    @property
    def pad_id(self) -> int: ...

    @property
    def eos_id(self) -> int: ...


@dataclass(frozen=True)
class _Job:
    """One prefix to continue: its place in the call, and which samples are wanted of it."""

    place: int
    prefix: list[int]
    key: str
    indices: tuple[int, ...]
    limit: int


@dataclass(frozen=True)
class Engine:
    """A model made ready to be sampled from. `reason` says why prefixes are not shared; None if they are."""

    model: Any
    pad_id: int
    start_id: int | None
    stop_ids: frozenset[int]
    reason: str | None

    @property
    def name(self) -> str:
        return "shared" if self.reason is None else "plain"


def engine_for(policy: PolicyLike, implementation: Implementation = "auto") -> Engine:
    """Find out how `policy` ends, starts and shares; `shared` insists on sharing, `plain` refuses it."""
    tunes_prompt = any(
        getattr(config, "is_prompt_learning", False) for config in getattr(policy.model, "peft_config", {}).values()
    )
    model = policy.model if tunes_prompt else unwrap(policy.model)  # other adapters sit inside its layers
    ends = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ends = [] if ends is None else [ends] if isinstance(ends, int) else ends
    stop_ids = frozenset({policy.eos_id, *ends})
    start_id = decoder_start_id(model) if is_encoder_decoder(model) else None
    reason: str | None
    if implementation == "plain":
        reason = "plain generation was asked for"
    elif tunes_prompt:
        reason = "its adapter tunes the prompt"
    else:
        with _inference(model):
            reason = why_not_shared(model, pad_id=policy.pad_id, start_id=start_id)
    if reason is not None and implementation == "shared":
        raise UserError(f"{type(model).__name__} cannot share a prefix: {reason}")
    return Engine(model, policy.pad_id, start_id, stop_ids, reason)


def generate(
    policy: PolicyLike,
    prefixes: Sequence[Sequence[int]],
    *,
    decoding: Decoding,
    k: int = 1,
    seed: int = 0,
    keys: Sequence[str] | None = None,
    implementation: Implementation = "auto",
    max_rows: int | None = None,
) -> list[list[Sample]]:
    """`k` samples of each prefix (for encoder-decoder models: of each encoder input), in the order given.

    Sample i of a prefix depends on (`seed`, its entry of `keys`, i) and not on what else is asked for; without
    `keys` a prefix's place in the call is its key. Beam search returns the `k` best of its `num_beams`, best first;
    diverse beam search the best of every group in the groups' order, then the second best of every group, and so on.
    `max_rows` bounds how many rows are decoded together. Raises `UserError` for a prefix that is empty or leaves
    the model no position to write at.
    """
    engine = engine_for(policy, implementation)
    keys = [str(place) for place in range(len(prefixes))] if keys is None else keys
    wanted = [range(k)] * len(prefixes)
    batches = generate_batches(
        engine, prefixes, wanted, k=k, keys=keys, decoding=decoding, seed=seed, max_rows=max_rows
    )
    done = dict(pair for batch in batches for pair in batch)
    return [done[place] for place in range(len(prefixes))]


def generate_batches(
    engine: Engine,
    prefixes: Sequence[Sequence[int]],
    indices: Sequence[Sequence[int]],
    *,
    k: int,
    keys: Sequence[str],
    decoding: Decoding,
    seed: int = 0,
    max_rows: int | None = None,
) -> Iterator[list[tuple[int, list[Sample]]]]:
    """Like `generate`, batch by batch as they are done, and only the samples numbered in `indices` of each prefix.

    Yields (place of the prefix in the call, its samples in the order of its `indices`) for prefixes with any.
    Documents of like length share a batch, the longest first, so that memory runs out at once or not at all.
    Batches are drawn up as if all `k` samples of every prefix were wanted: a caller that keeps whole batches and is
    killed gets the others, when it asks again, from the very same batches, thus the same to the last bit.
    """
    if decoding.kind == "greedy" and k > 1:
        raise UserError("greedy decoding writes one and the same candidate each time; ask for 1, or sample")
    if decoding.is_search and k > decoding.num_beams:
        raise UserError(f"a search with {decoding.num_beams} beams gives at most {decoding.num_beams} candidates")
    jobs = [
        _Job(place, list(prefix), key, tuple(wanted), _limit(engine, len(prefix), decoding))
        for place, (prefix, wanted, key) in enumerate(zip(prefixes, indices, keys, strict=True))
    ]
    jobs.sort(key=lambda job: (-len(job.prefix), job.place))
    for batch in _batches(engine, jobs, decoding.num_beams if decoding.is_search else k, max_rows):
        wanted_jobs = [job for job in batch if job.indices]
        if wanted_jobs:
            with _inference(engine.model):
                samples = _write(engine, wanted_jobs, decoding, seed)
            yield [(job.place, found) for job, found in zip(wanted_jobs, samples)]


def _write(engine: Engine, jobs: list[_Job], decoding: Decoding, seed: int) -> list[list[Sample]]:
    """One batch of documents."""
    rows = [decoding.num_beams if decoding.is_search else len(job.indices) for job in jobs]
    steps = max(job.limit for job in jobs)
    draws: list[np.ndarray[Any, np.dtype[np.float64]] | None] = [
        np.stack([uniforms(seed, job.key, index, steps) for index in job.indices]) if decoding.is_random else None
        for job in jobs
    ]
    ids: dict[str, Any] = {"pad_id": engine.pad_id, "start_id": engine.start_id}
    if engine.reason is not None:
        found = [
            generate_plainly(engine.model, job.prefix, decoding, draw, count, job.limit, engine.stop_ids, **ids)
            for job, draw, count in zip(jobs, draws, rows)
        ]
    else:
        documents = [place for place, count in enumerate(rows) for _ in range(count)]
        session = Session(engine.model, [job.prefix for job in jobs], documents, steps, **ids)
        with decoding_attention(engine.model, session.sharing):
            if decoding.is_search:
                found = beam_search(session, decoding, engine.stop_ids, [job.limit for job in jobs])
            else:
                draw_NT = np.concatenate([draw for draw in draws if draw is not None]) if decoding.is_random else None
                limits = [jobs[document].limit for document in documents]
                flat = iter(write_rows(session, decoding, draw_NT, engine.stop_ids, limits))
                found = [[next(flat) for _ in range(count)] for count in rows]
    if decoding.is_search:
        least = min(len(best) - max(job.indices) for job, best in zip(jobs, found))
        if least < 1:
            raise UserError(
                "beam search found fewer texts than candidates were asked for: min_new_tokens and "
                "no_repeat_ngram_size bar nearly every token"
            )
        return [[best[index] for index in job.indices] for job, best in zip(jobs, found)]
    return found


def _limit(engine: Engine, prefix_length: int, decoding: Decoding) -> int:
    """How many tokens may be written after this prefix. Raises `UserError` if it is empty or leaves no room."""
    if prefix_length == 0:
        raise UserError("a prefix is empty: the template renders nothing before the summary")
    positions = max_positions(engine.model.config.get_text_config(decoder=True))
    if engine.start_id is not None:
        source = max_positions(encoder_of(engine.model).config)
        if source is not None and prefix_length > source:
            raise UserError(_too_long(prefix_length, source))
        return longest(1, decoding, positions)
    limit = longest(prefix_length, decoding, positions)
    if limit < 1:
        raise UserError(_too_long(prefix_length, positions))
    return limit


def _too_long(length: int, positions: int | None) -> str:
    return f"a prompt has {length:,} tokens and the model {positions:,} positions; lower max_prefix_tokens"


def _batches(engine: Engine, jobs: list[_Job], rows_each: int, max_rows: int | None) -> Iterator[list[_Job]]:
    """Consecutive jobs within the bounds on rows and on cache memory; a job alone may exceed them."""
    device = next(engine.model.parameters()).device
    max_rows = max_rows or MAX_ROWS.get(device.type, MAX_ROWS_ELSEWHERE)
    budget = CACHE_BYTES_ON_CPU
    if device.type == "cuda":
        budget = int(CACHE_SHARE_OF_FREE_MEMORY * _free_cuda_bytes(device))
    position_bytes = _bytes_per_position(engine.model)
    batch: list[_Job] = []
    rows = positions = 0
    for job in jobs:
        cost = len(job.prefix) + rows_each * job.limit
        if batch and (rows + rows_each > max_rows or (positions + cost) * position_bytes > budget):
            yield batch
            batch, rows, positions = [], 0, 0
        batch.append(job)
        rows, positions = rows + rows_each, positions + cost
    if batch:
        yield batch


def _free_cuda_bytes(device: torch.device) -> int:
    """What PyTorch can still allocate: the device counts as taken what PyTorch has freed and keeps for later."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept


def _bytes_per_position(model: Any) -> int:
    """Keys and values of one position in all layers."""
    config = model.config.get_text_config(decoder=True)
    heads = getattr(config, "num_attention_heads", 1)
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    heads = getattr(config, "num_key_value_heads", None) or heads
    return int(2 * config.num_hidden_layers * heads * size * next(model.parameters()).element_size())


@contextlib.contextmanager
def _inference(model: Any) -> Iterator[None]:
    """No gradients and no dropout. Not `inference_mode`: its tensors would poison buffers that training reads."""
    with evaluating(model), torch.no_grad():
        yield
