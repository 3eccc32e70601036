"""What `gpu.py` measures: the work of the other benchmarks, at any size and length of document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

import bench_feedback as feedback
import bench_sampling as sampling
import bench_scoring as scoring
from precis.logprobs import sequence_logprobs
from precis.objectives import margin_ranking
from precis.sampling.local import engine_for
from sizes import SMALL, Size

CANDIDATES = 16
# Of a batch of updates, each document counted once: the rows of the loop that repeats them must fit too, for PPO twice.
TOKENS_PER_BATCH = 4096

Call = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """Work done in several ways, ours first. `tokens` is what a second is divided by, the same for every way.

    They are those of documents and summaries, each once however often it is computed, and in sampling those written.
    """

    name: str
    tokens: int
    ways: tuple[str, ...]
    make: Callable[[], Mapping[str, Call]]


def cases(size: Size, folder: str) -> list[Case]:
    """`folder` is for what trainers write."""
    ways = ("precis", "repeated")
    with_trl = (*ways, "TRL") if feedback.HAS_TRL else ways
    found = [
        Case(name, _tokens(size, count), with_trl, partial(_reward_steps, size, count, folder))
        for name, count in (("reward step, 4 ranked summaries", 4), ("reward step, one pair", 2))
    ]
    found += [
        Case(f"contrastive step, {CANDIDATES} candidates", _tokens(size), ways, partial(_contrastive_steps, size)),
        Case(f"score {CANDIDATES} candidates", _tokens(size), (*ways, "cached"), partial(_scorings, size)),
    ]
    for documents, name in ((1, "one document"), (8, "each of 8 documents")):
        for k in (4, CANDIDATES):
            make = partial(_samplings, size, documents, k)
            found.append(Case(f"{k} samples of {name}", documents * k * size.summary, ("precis", "generate"), make))
    for kind in ("ppo", "rloo"):
        name = f"{kind.upper()} iteration, {feedback.DOCUMENTS} documents × {feedback.ROLLOUTS} summaries"
        tokens = feedback.DOCUMENTS * _tokens(size, feedback.ROLLOUTS)
        found.append(Case(name, tokens, ways, partial(_iterations, size, kind, folder)))
    return found


def _tokens(size: Size, summaries: int = CANDIDATES) -> int:
    return size.document + summaries * size.summary


def _reward_steps(size: Size, summaries: int, folder: str) -> dict[str, Call]:
    model, example = feedback.classifier(size), feedback.ranked(summaries, size)
    found: dict[str, Call] = {
        "precis": feedback.our_reward_step(model, example, "packed"),
        "repeated": feedback.our_reward_step(model, example, "repeated"),
    }
    if feedback.HAS_TRL:
        found["TRL"] = _when_called(lambda: feedback.their_reward_step(feedback.classifier(size), example, folder))
    return found


def _when_called(make: Callable[[], Call]) -> Call:
    """Made at its first call, so that what fails there fails as a way and not as a case."""
    made: list[Call] = []

    def call() -> object:
        if not made:
            made.append(make())
        return made[0]()

    return call


def _contrastive_steps(size: Size) -> dict[str, Call]:
    model, example, objective = feedback.language_model(size), feedback.ranked(CANDIDATES, size), margin_ranking()
    return {
        "precis": feedback.our_step(model, example, objective, "packed"),
        "repeated": feedback.our_step(model, example, objective, "repeated"),
    }


def _scorings(size: Size) -> dict[str, Call]:
    model, groups = scoring.make_model("llama", size), scoring.one_document(CANDIDATES, size)
    ways = {"precis": "packed", "repeated": "repeated", "cached": "cached"}
    return {name: partial(scoring.once, model, groups, way, train=False) for name, way in ways.items()}


def _samplings(size: Size, documents: int, k: int) -> dict[str, Call]:
    policy = sampling.policy("llama", size)
    reason = engine_for(policy).reason
    if reason is not None:
        raise RuntimeError(f"the sampler shares nothing here: {reason}")
    lengths = [size.document - size.document // 16 * place for place in range(documents)]
    prefixes = sampling.documents(lengths, size)
    return {
        "precis": lambda: sampling.ours(policy, prefixes, k, size.summary),
        "generate": lambda: sampling.theirs(policy, prefixes, k, "sdpa", size.summary),
    }


def _iterations(size: Size, kind: str, folder: str) -> dict[str, Call]:
    one = feedback.iteration(kind, folder, size, tokens_per_batch=TOKENS_PER_BATCH)
    return {
        "precis": partial(feedback.run_way, one, repeated=False),
        "repeated": partial(feedback.run_way, one, repeated=True),
    }


@torch.no_grad()
def differences() -> dict[str, float]:
    """On this device in float64, with fewer key heads than heads: our numbers against those of rows repeated."""
    size = replace(SMALL, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4)
    size = replace(size, num_key_value_heads=2)
    model: Any = scoring.make_model("llama", size).double()
    groups = [*scoring.one_document(4, size), *scoring.make_groups([(97, (7, 48, 1)), (33, (20,))], size)]
    packed, repeated, cached = (
        sequence_logprobs(model, groups, pad_id=0, implementation=way).logps_BKT
        for way in ("packed", "repeated", "cached")
    )
    return {
        "reward loss, precis and TRL's": feedback.parity(),
        "log-probs, packed and repeated": float((packed - repeated).abs().max()),
        "log-probs, cached and repeated": float((cached - repeated).abs().max()),
    }
