"""Rollouts: what the policy wrote in one iteration, how it was scored, and the examples that follow from it.

An iteration's rollouts are one safetensors file, whole or not there, so that a killed run neither samples nor asks
for rewards again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..objectives import Rollout
from ..render import TokenGroup
from .advantages import gae, leave_one_out, token_rewards, whiten
from .batches import Example
from .checkpoint import disk_errors
from .online_config import OnlineConfig


@dataclass(frozen=True)
class Written:
    """K candidates of one source. The lists have one entry a candidate, the tensors one a token, in that order.

    `scores` are the rewards, None where there is none; `finished` candidates ended with the end token. Log-probs are
    in nats at the sampling temperature; `values` are the value network's, before each token.
    """

    source_id: str
    ids: list[list[int]]
    finished: list[bool]
    scores: list[float | None]
    logps: Tensor
    reference_logps: Tensor
    entropy: Tensor
    values: Tensor | None = None


def examples_of_rollouts(
    written: Sequence[Written], prefixes: dict[str, TokenGroup], how: OnlineConfig
) -> list[Example]:
    """Examples for `ppo`, where there are values, or `rloo`: one a source, with all of its candidates."""
    mask_NT = _mask(written)
    logps_NT, reference_NT = _padded(written, "logps"), _padded(written, "reference_logps")
    scores_N = torch.tensor([score for group in written for score in _shaped_scores(group, how)], dtype=logps_NT.dtype)
    rewards_NT = token_rewards(scores_N, logps_NT, reference_NT, mask_NT, beta=how.beta)
    values_NT = returns_NT = None
    if all(group.values is not None for group in written):
        if how.whiten_rewards:
            rewards_NT = whiten(rewards_NT, mask_NT, shift_mean=False)
        values_NT = _padded(written, "values")
        advantages_NT, returns_NT = gae(rewards_NT, values_NT, mask_NT, gamma=how.gamma, lam=how.lam)
        if how.whiten_advantages:
            advantages_NT = whiten(advantages_NT, mask_NT)
    else:
        k = len(written[0].ids)
        advantages_N = leave_one_out(rewards_NT.sum(-1).view(-1, k)).flatten()
        advantages_NT = torch.where(mask_NT, advantages_N[:, None], 0.0)
    examples, start = [], 0
    for group in written:
        k, length = len(group.ids), max(map(len, group.ids))
        of = slice(start, start + k), slice(0, length)
        rollout = Rollout(
            logps_NT[of],
            advantages_NT[of],
            None if values_NT is None else values_NT[of],
            None if returns_NT is None else returns_NT[of],
        )
        prefix = prefixes[group.source_id]
        tokens = TokenGroup(group.source_id, prefix.prefix_ids, tuple(map(tuple, group.ids)), prefix.cut_characters)
        examples.append(Example(tokens, rollout=rollout))
        start += k
    return examples


def metrics_of_rollouts(written: Sequence[Written], how: OnlineConfig) -> dict[str, float]:
    """Means over an iteration: per candidate, but for `entropy`, which is per token in nats.

    `score` is of scored candidates alone, before any penalty; `reward` is what is maximized, score − β·KL, penalties
    included; `kl` is the sum of log π − log π_ref, in nats; `length` counts tokens; the others are shares.
    """
    mask_NT = _mask(written)
    kl_N = (_padded(written, "logps") - _padded(written, "reference_logps")).sum(-1)
    shaped_N = torch.tensor([score for group in written for score in _shaped_scores(group, how)], dtype=kl_N.dtype)
    scores = [score for group in written for score in group.scores if score is not None]
    finished = [done for group in written for done in group.finished]
    count = len(finished)
    metrics = {
        "reward": float((shaped_N - how.beta * kl_N).mean()),
        "kl": float(kl_N.mean()),
        "entropy": float(_padded(written, "entropy").sum() / mask_NT.sum()),
        "length": float(mask_NT.sum()) / count,
        "unfinished": 1 - sum(finished) / count,
        "unscored": 1 - len(scores) / count,
    }
    return {"score": sum(scores) / len(scores), **metrics} if scores else metrics


def save_rollouts(written: Sequence[Written], path: Path) -> None:
    """Write one iteration's rollouts, whole or not at all."""
    fields = ("logps", "reference_logps", "entropy", *(("values",) if written[0].values is not None else ()))
    tensors = {name: torch.cat([getattr(group, name) for group in written]) for name in fields}
    plain = [{k: v for k, v in _plain(group).items() if k not in (*fields, "values")} for group in written]
    partial = path.with_name(f".{path.name}.part")
    with disk_errors(f"the rollouts could not be written to {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, partial, metadata={"groups": json.dumps(plain)})
        with open(partial, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(partial, path)


def load_rollouts(path: Path) -> list[Written] | None:
    """The rollouts of an iteration, or None if it has none yet."""
    if not path.is_file():
        return None
    with disk_errors(f"the rollouts in {path} could not be read"), safe_open(path, "pt") as stored:
        groups = json.loads(stored.metadata()["groups"])
        sizes = [sum(map(len, group["ids"])) for group in groups]
        tensors = {name: torch.split(stored.get_tensor(name).clone(), sizes) for name in stored.keys()}  # noqa: SIM118
    return [Written(**(group | {name: parts[i] for name, parts in tensors.items()})) for i, group in enumerate(groups)]


def _plain(group: Written) -> dict[str, Any]:
    return {name: value for name, value in asdict(group).items() if not isinstance(value, Tensor)}


def _shaped_scores(group: Written, how: OnlineConfig) -> list[float]:
    """Scores with the penalty in place of what must not be rewarded: no end token, or nothing to judge (detail 23)."""
    return [
        how.penalty if score is None or (how.eos_penalty and not finished) else score
        for score, finished in zip(group.scores, group.finished, strict=True)
    ]


def _mask(written: Sequence[Written]) -> Tensor:
    lengths_N = torch.tensor([len(ids) for group in written for ids in group.ids])
    return torch.arange(int(lengths_N.max())) < lengths_N[:, None]


def _padded(written: Sequence[Written], name: str) -> Tensor:
    """One of the per-token tensors as [N, T], right-padded with 0."""
    rows = [row for group in written for row in torch.split(getattr(group, name), [len(ids) for ids in group.ids])]
    return pad_sequence(rows, batch_first=True)
