"""Beam search over one batch, with the semantics of transformers' `generate(num_beams=..., do_sample=False)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from ..errors import UserError
from .decoding import Decoding, Sample, constrain, cut_at_stop
from .session import Session


@dataclass(frozen=True)
class _Beam:
    """A beginning: its tokens, their log-probabilities, and their sum as the model's precision adds them."""

    tokens: tuple[int, ...] = ()
    logps: tuple[float, ...] = ()
    total: float = 0.0


@dataclass
class _Search:
    """One document's search: `running` beams, best first, and `finished` (score, beam), best first."""

    limit: int
    running: list[_Beam]
    finished: list[tuple[float, _Beam]] = field(default_factory=list)

    def finish(self, beam: _Beam, length_penalty: float, num_beams: int) -> None:
        score = beam.total / len(beam.tokens) ** length_penalty
        self.finished.append((score, beam))
        self.finished = sorted(self.finished, key=lambda scored: -scored[0])[:num_beams]

    def is_over(self, decoding: Decoding) -> bool:
        """No running beam can do better than the worst finished one, judged at its present length (the usual
        heuristic: with a positive length penalty a longer text could still overtake)."""
        if not self.running or len(self.running[0].tokens) >= self.limit:
            return True
        if len(self.finished) < decoding.num_beams:
            return False
        best = self.running[0].total / len(self.running[0].tokens) ** decoding.length_penalty
        return decoding.early_stopping or best <= self.finished[-1][0]


def beam_search(
    session: Session, decoding: Decoding, stop_ids: frozenset[int], limits: Sequence[int]
) -> list[list[Sample]]:
    """The `num_beams` best continuations of each document, best first.

    `session` holds `num_beams` rows for each document; `limits` has one length limit a document. Each step widens
    every beam by its likeliest tokens and looks at the best (1 + number of end tokens) · num_beams of a document,
    so that `num_beams` unfinished ones remain whatever ends; only what ends among the best `num_beams` is kept.
    """
    device, beams = session.device, decoding.num_beams
    stop = torch.tensor(sorted(stop_ids), device=device)
    searches = [_Search(limit, [_Beam()]) for limit in limits]
    live = list(range(len(limits)))
    token_N = session.first_tokens_N
    for step in range(max(limits)):
        logits_NV = session.step(token_N)
        logits_NV = logits_NV if logits_NV.dtype == torch.float64 else logits_NV.float()
        vocabulary = logits_NV.shape[1]
        logps_NV = torch.log_softmax(logits_NV, dim=-1)
        written_NT = torch.zeros(len(token_N), step, dtype=torch.long, device=device)
        if decoding.no_repeat_ngram_size:
            rows = [list(beam.tokens) for index in live for beam in _padded(searches[index].running, beams)]
            written_NT = torch.tensor(rows, dtype=torch.long, device=device).view(len(token_N), step)
        allowed_NV = constrain(logps_NV, written_NT, decoding, stop)
        totals = [
            beam.total if place < len(searches[index].running) else float("-inf")
            for index in live
            for place, beam in enumerate(_padded(searches[index].running, beams))
        ]
        total_BM = torch.tensor(totals, dtype=logps_NV.dtype, device=device).view(len(live), beams)
        wide_BX = (allowed_NV.view(len(live), beams, -1) + total_BM[:, :, None]).flatten(1)
        best_total, best_place = wide_BX.topk(min(max(2, 1 + len(stop_ids)) * beams, wide_BX.shape[1]), dim=1)
        best_logp = logps_NV.view(len(live), -1).gather(1, best_place)

        next_rows: list[int] = []
        next_tokens: list[int] = []
        still = []
        for slot, (index, new_totals, places, logps) in enumerate(
            zip(live, best_total.tolist(), best_place.tolist(), best_logp.tolist())
        ):
            search = searches[index]
            before, search.running, parents = _padded(search.running, beams), [], list[int]()
            for rank, (total, place, logp) in enumerate(zip(new_totals, places, logps)):
                if total == float("-inf"):
                    continue
                parent, token = divmod(place, vocabulary)
                beam = _Beam((*before[parent].tokens, token), (*before[parent].logps, logp), total)
                if token in stop_ids or step + 1 >= search.limit:
                    if rank < beams:
                        search.finish(beam, decoding.length_penalty, beams)
                elif len(search.running) < beams:
                    search.running.append(beam)
                    parents.append(slot * beams + parent)
            if not search.is_over(decoding):
                still.append(index)
                parents += parents[:1] * (beams - len(parents))
                next_rows += parents
                next_tokens += [beam.tokens[-1] for beam in _padded(search.running, beams)]
        live = still
        if not live:
            break
        session.keep(next_rows)
        token_N = torch.tensor(next_tokens, device=device)
    if not all(search.finished for search in searches):
        raise UserError("beam search found no text: every token is barred by min_new_tokens and no_repeat_ngram_size")
    return [
        [cut_at_stop(beam.tokens, beam.logps, None, stop_ids) for _, beam in search.finished] for search in searches
    ]


def _padded(running: list[_Beam], beams: int) -> list[_Beam]:
    """`beams` rows are always fed; where there are fewer beams, the first stands in and is not read."""
    return running + running[:1] * (beams - len(running))
