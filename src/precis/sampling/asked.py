"""Candidates by whatever answers requests, a large model behind a URL above all: documents → candidates, resumable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..endpoint.engine import Engine
from ..endpoint.messages import NoReply, Request, spoken
from ..errors import UserError
from ..records import Candidate, Document, Maker
from ..render.templates import Template, filled
from .decoding import Decoding
from .run import StoreLike, missing_indices

# Requests asked for at once: what is answered of them is in the store before the next are asked for.
CHUNK = 64


@dataclass
class AskedSummary:
    """What one call of `sample_by_asking` did; `failed` counts the candidates that there are none of, by the reason."""

    maker: Maker
    documents: int = 0
    known: int = 0
    written: int = 0
    empty: int = 0
    unfinished: int = 0
    failed: dict[str, int] = field(default_factory=dict)


def sample_by_asking(
    store: StoreLike,
    engine: Engine,
    template: Template,
    sources: Iterable[Document | Candidate],
    *,
    k: int,
    decoding: Decoding,
    seed: int = 0,
    one_line: bool = True,
) -> AskedSummary:
    """Write candidates 0 … k-1 of every source into the store, as far as they are not in it.

    The `template` says whether it is asked by chat; with `one_line` a document's line ends become spaces. A reasoning
    model's thoughts are no part of a candidate. Candidate i is asked for with the seed `seed` + i, for servers that
    take one, and is a request of its own for those that do not. Raises `UserError` for a decoding that no server can
    be asked for.
    """
    if decoding.is_search or decoding.min_new_tokens or decoding.no_repeat_ngram_size:
        raise UserError(
            "a model that is asked writes greedily, by temperature or by top-p; there are no beams to ask for"
        )
    if decoding.kind == "greedy" and k > 1:
        raise UserError("greedy decoding writes one and the same candidate each time; ask for 1, or sample")
    settings: dict[str, Any] = {
        "engine": dict(engine.settings),
        "prompt_hash": template.hash,
        "one_line": one_line,
        "decoding": decoding.settings(),
    }
    if decoding.is_random:
        settings["seed"] = seed
    maker = Maker("policy", engine.name, settings)
    by_id = {source.id: source for source in sources}
    missing = missing_indices(store, by_id, maker, k)
    wanted = [(name, index) for name, indices in missing.items() for index in indices]
    summary = AskedSummary(maker, documents=len(by_id), known=k * len(by_id) - len(wanted))
    for first in range(0, len(wanted), CHUNK):
        chunk = wanted[first : first + CHUNK]
        requests = [
            _request(filled(template.text, by_id[name], one_line=one_line), template, decoding, seed, index)
            for name, index in chunk
        ]
        replies = engine.ask(requests, note=f"writing {first + 1:,} to {first + len(chunk):,} of {len(wanted):,}")
        written = []
        for (name, index), reply in zip(chunk, replies, strict=True):
            if isinstance(reply, NoReply):
                summary.failed[reply.why] = summary.failed.get(reply.why, 0) + 1
            else:
                finished = reply.finish != "length"
                text = spoken(reply.text).replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()
                written.append(Candidate(name, text, maker, index=index, finished=finished))
        store.add_candidates(written)
        summary.written += len(written)
        summary.empty += sum(candidate.is_empty for candidate in written)
        summary.unfinished += sum(not candidate.finished for candidate in written)
    return summary


def _request(text: str, template: Template, decoding: Decoding, seed: int, index: int) -> Request:
    how: dict[str, Any] = {"max_tokens": decoding.max_new_tokens}
    if decoding.is_random:
        how |= {"temperature": decoding.temperature, "top_p": decoding.top_p, "seed": seed + index, "repeat": index}
    if not template.chat:
        return Request(prompt=text, **how)
    system = (("system", template.system),) if template.system else ()
    return Request((*system, ("user", text)), **how)
