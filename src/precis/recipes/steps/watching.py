"""Watching a policy while it is optimized: what the reward says, what a judge says that it never sees, and the KL.

Each look is a file of its own beside the training's metrics, `watch/step-00000042.jsonl`, with a row a document, in the
format that `precis analyse overoptimization` reads. A resumed run looks again at the same steps, and writes the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ...evaluation.plain import write_jsonl
from ...judges.protocol import Judge
from ...logprobs import sequence_logprobs
from ...records import Candidate, Group, Maker
from ...render import TokenGroup
from ...sampling.decoding import Decoding
from ...sampling.local import generate
from ...training.batches import Example, fixed_batches
from ...training.rewarding import rewards_of
from .writer import Writer

WATCH = "watch"
TOKENS_PER_BATCH = 8192


def watcher(
    policy: Writer,
    reference: Writer,
    reward: Judge,
    gold: Judge,
    groups: Sequence[Group],
    decoding: Decoding,
    folder: Path,
    *,
    name: str,
    beta: float,
    seed: int,
) -> Callable[[int], Mapping[str, float]]:
    """A measurement for training's `measure`: means of `proxy` (the reward), `gold` and `kl` (nats a summary).

    One summary a document is sampled by the decoding, always from the same random numbers, so that looks differ by
    the policy alone. A summary without a score is left out of that mean, its row has null; one without any has no
    row and counts in `unscored`, a share.
    """
    prefixes = [policy.renderer.prefix(group.source).ids for group in groups]

    def look(step: int) -> dict[str, float]:
        samples = generate(policy.policy, prefixes, decoding=decoding, seed=seed, keys=[g.source.id for g in groups])
        tokens = [
            TokenGroup(group.source.id, prefix, (sample.token_ids,))
            for group, prefix, (sample,) in zip(groups, prefixes, samples, strict=True)
        ]
        maker = Maker("policy", policy.policy.fingerprint, {"while": "training"})
        written = [
            Group(
                group.source,
                (
                    Candidate(
                        group.source.id,
                        policy.renderer.decode(sample.token_ids),
                        maker,
                        token_ids=sample.token_ids,
                        tokenizer=policy.renderer.tokenizer_hash,
                        finished=sample.finished,
                    ),
                ),
                group.references,
            )
            for group, (sample,) in zip(groups, samples, strict=True)
        ]
        scores = zip(rewards_of(reward, written), rewards_of(gold, written), strict=True)
        moved = _kl(policy, reference, tokens, temperature=decoding.temperature)
        rows: list[dict[str, Any]] = [
            {
                "run": name,
                "method": name,
                "beta": beta,
                "step": step,
                "seed": seed,
                "document": group.source.id,
                "proxy": proxy,
                "gold": truth,
                "kl": kl,
            }
            for group, ((proxy,), (truth,)), kl in zip(groups, scores, moved, strict=True)
            if proxy is not None or truth is not None
        ]
        folder.mkdir(parents=True, exist_ok=True)
        write_jsonl(folder / f"step-{step:08d}.jsonl", rows)
        means = {
            what: sum(known) / len(known)
            for what in ("proxy", "gold", "kl")
            if (known := [row[what] for row in rows if row[what] is not None])
        }
        return {**means, "unscored": 1 - len(rows) / len(groups)}

    return look


@torch.no_grad()
def _kl(policy: Writer, reference: Writer, tokens: Sequence[TokenGroup], *, temperature: float) -> list[float]:
    """log π(y) − log π_ref(y) of every group's one summary, in nats."""
    found: dict[str, float] = {}
    examples = [Example(group) for group in tokens]
    lengths = [example.forwarded for example in examples]
    for batch in fixed_batches(lengths, tokens_per_batch=TOKENS_PER_BATCH, groups_per_batch=None):
        chosen = [tokens[index] for index in batch]
        own, other = (
            sequence_logprobs(writer.policy.model, chosen, pad_id=writer.policy.pad_id, temperature=temperature)
            for writer in (policy, reference)
        )
        moved_B = (own.logps_BKT.double() - other.logps_BKT.double()).sum((1, 2))
        found |= {group.source_id: value for group, value in zip(chosen, moved_B.tolist(), strict=True)}
    return [found[group.source_id] for group in tokens]
