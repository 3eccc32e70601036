"""Sampling into the store: documents → candidates, in chunks, resumable at any moment.

A candidate is skipped when the store has one of the same source, maker and index. A sample depends on the seed, its
source and its index alone; batches are stored whole and drawn up over all sources, done or not, so that what a killed
run left out comes from the very batches that it would have come from, the same to the last bit on one machine.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..progress import Progress
from ..records import Candidate, Document, Maker
from .decoding import Decoding, Sample
from .local import Implementation, PolicyLike, engine_for, generate_batches

# Documents rendered ahead, from which batches of like length are made.
POOL = 2048


class StoreLike(Protocol):
    """What sampling needs of a store (`store.Store` fits)."""

    def candidate_indices(self, source_ids: Collection[str], maker_id: str, /) -> dict[str, set[int]]: ...

    def add_candidates(self, candidates: list[Candidate], /) -> Any: ...


class PrefixLike(Protocol):
    @property
    def ids(self) -> tuple[int, ...]: ...

    @property
    def cut_characters(self) -> int: ...


class RendererLike(Protocol):
    """What sampling needs of a renderer (`render.Renderer` fits)."""

    @property
    def prompt_hash(self) -> str: ...

    @property
    def tokenizer_hash(self) -> str: ...

    def prefix(self, source: Document | Candidate, /) -> PrefixLike: ...

    def decode(self, ids: Sequence[int], /) -> str: ...


class NamedPolicy(PolicyLike, Protocol):
    @property
    def fingerprint(self) -> str: ...


@dataclass
class SampleSummary:
    """What one call of `sample` did. `known` candidates were in the store already; the other counts are of new ones.

    `unfinished` were cut by the length limit, `empty` hold nothing but white space; both are in the store.
    `cut_documents` were too long for the prompt. `engine` is `shared` where each document was computed once and
    `plain` where the model could not do that, for the `reason` given.
    """

    maker: Maker
    documents: int = 0
    known: int = 0
    written: int = 0
    empty: int = 0
    unfinished: int = 0
    cut_documents: int = 0
    tokens: int = 0
    seconds: float = 0.0
    engine: str = "shared"
    reason: str | None = None

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0


def policy_maker(policy: NamedPolicy, renderer: RendererLike, decoding: Decoding, seed: int) -> Maker:
    """Who writes: the policy under this prompt, decoding and, where chance plays a part, seed."""
    settings: dict[str, Any] = {"prompt_hash": renderer.prompt_hash, "decoding": decoding.settings()}
    if decoding.is_random:
        settings["seed"] = seed
    return Maker("policy", policy.fingerprint, settings)


def sample(
    store: StoreLike,
    policy: NamedPolicy,
    renderer: RendererLike,
    sources: Iterable[Document | Candidate],
    *,
    k: int,
    decoding: Decoding,
    seed: int = 0,
    max_rows: int | None = None,
    implementation: Implementation = "auto",
    quiet: bool = False,
) -> SampleSummary:
    """Write candidates 0 … k-1 of every source into the store, as far as they are not in it.

    They are stored batch by batch, so that killing the run loses at most one batch. Raises `UserError` for a
    prompt that leaves the model no room, before anything of its pool of documents is written.
    """
    maker = policy_maker(policy, renderer, decoding, seed)
    by_id = {source.id: source for source in sources}
    wanted = missing_indices(store, by_id, maker, k)
    names = list(by_id)
    pending = sum(bool(wanted[name]) for name in names)
    summary = SampleSummary(maker, documents=len(names), known=k * len(names) - sum(map(len, wanted.values())))
    if not pending:
        return summary
    start = time.monotonic()
    engine = engine_for(policy, implementation)
    summary.engine, summary.reason = engine.name, engine.reason
    with Progress("sampling", total=len(names), unit="documents", done=len(names) - pending, quiet=quiet) as bar:
        for first in range(0, len(names), POOL):
            pool = names[first : first + POOL]
            if not any(wanted[name] for name in pool):
                continue
            prefixes = [renderer.prefix(by_id[name]) for name in pool]
            summary.cut_documents += sum(
                prefix.cut_characters > 0 for name, prefix in zip(pool, prefixes) if wanted[name]
            )
            batches = generate_batches(
                engine,
                [prefix.ids for prefix in prefixes],
                [wanted[name] for name in pool],
                k=k,
                keys=pool,
                decoding=decoding,
                seed=seed,
                max_rows=max_rows,
            )
            for batch in batches:
                candidates = [
                    _candidate(pool[place], index, written, maker, renderer)
                    for place, samples in batch
                    for index, written in zip(wanted[pool[place]], samples)
                ]
                store.add_candidates(candidates)
                summary.written += len(candidates)
                summary.empty += sum(candidate.is_empty for candidate in candidates)
                summary.unfinished += sum(not candidate.finished for candidate in candidates)
                summary.tokens += sum(len(written.token_ids) for _, samples in batch for written in samples)
                summary.seconds = time.monotonic() - start
                bar.advance(len(batch), note=f"{summary.tokens_per_second:,.0f} tokens/s")
    return summary


def missing_indices(store: StoreLike, source_ids: Iterable[str], maker: Maker, k: int) -> dict[str, list[int]]:
    """Which of the candidates 0 … k-1 of each source `maker` has not written yet."""
    ids = list(source_ids)
    present = store.candidate_indices(ids, maker.id)
    return {name: [index for index in range(k) if index not in present.get(name, ())] for name in ids}


def _candidate(source_id: str, index: int, written: Sample, maker: Maker, renderer: RendererLike) -> Candidate:
    text = renderer.decode(written.token_ids)
    return Candidate(
        source_id,
        text,
        maker,
        index=index,
        token_ids=written.token_ids,
        tokenizer=renderer.tokenizer_hash,
        logp=written.logp,
        finished=written.finished,
    )
