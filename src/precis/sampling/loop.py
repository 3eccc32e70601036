"""Greedy decoding and sampling of one batch: a token per live row and step, rows that have ended retire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .decoding import Decoding, Sample, choose, constrain, cut_at_stop
from .session import Session

# Rows that have ended are carried along until they are this share of the batch: retiring copies the others' caches.
RETIRE_SHARE = 1 / 8
# How often an accelerator is asked whether rows have ended: it must finish its queue to answer.
STEPS_BETWEEN_ANSWERS = 8


def write_rows(
    session: Session,
    decoding: Decoding,
    uniform_NT: np.ndarray[Any, np.dtype[np.float64]] | None,
    stop_ids: frozenset[int],
    limits: Sequence[int],
) -> list[Sample]:
    """Continue every row of `session`, each by at most its entry of `limits` tokens; samples in the rows' order.

    `uniform_NT` holds the rows' random numbers, None for greedy. A row that has retired changes nothing for the
    others but the shape of their batch.
    """
    device, steps = session.device, max(limits)
    stop = torch.tensor(sorted(stop_ids), device=device)
    every = 1 if device.type == "cpu" else STEPS_BETWEEN_ANSWERS
    wide = torch.float32 if device.type == "mps" else torch.float64
    uniform = None if uniform_NT is None else torch.from_numpy(uniform_NT).to(device, wide)
    written_NT = torch.empty(len(limits), steps, dtype=torch.long, device=device)
    logps_NT = torch.empty(len(limits), steps, dtype=wide, device=device)
    sampled_NT = torch.empty_like(logps_NT)
    ended_N = torch.zeros(len(limits), dtype=torch.bool, device=device)
    live, samples = list(range(len(limits))), dict[int, Sample]()
    token_N = session.first_tokens_N
    for step in range(steps):
        logits_NV = session.step(token_N)
        logits_NV = logits_NV if logits_NV.dtype == torch.float64 else logits_NV.float()
        allowed_NV = constrain(logits_NV, written_NT[:, :step], decoding, stop)
        token_N, logp_N, sampled_N = choose(
            logits_NV, allowed_NV, None if uniform is None else uniform[:, step], decoding
        )
        written_NT[:, step], logps_NT[:, step] = token_N, logp_N
        if sampled_N is not None:
            sampled_NT[:, step] = sampled_N
        ended_N |= (token_N[:, None] == stop).any(dim=1)

        full = [limits[row] <= step + 1 for row in live]
        if not any(full) and (step + 1) % every:
            continue
        gone = [place for place, ended in enumerate(ended_N.tolist()) if ended or full[place]]
        # A row at its limit must go: there may be no position left to feed its next token at.
        if not any(full) and len(gone) < RETIRE_SHARE * len(live):
            continue
        for place, tokens, logps, sampled in zip(
            gone,
            written_NT[gone, : step + 1].tolist(),
            logps_NT[gone, : step + 1].tolist(),
            sampled_NT[gone, : step + 1].tolist(),
        ):
            samples[live[place]] = cut_at_stop(tokens, logps, None if uniform is None else sampled, stop_ids)
        kept = sorted(set(range(len(live))) - set(gone))
        if not kept:
            break
        live = [live[place] for place in kept]
        session.keep(kept)
        index = torch.tensor(kept, device=device)
        written_NT, logps_NT, sampled_NT = written_NT[index], logps_NT[index], sampled_NT[index]
        token_N, ended_N = token_N[index], ended_N[index]
        uniform = None if uniform is None else uniform[index]
    return [samples[row] for row in range(len(limits))]
