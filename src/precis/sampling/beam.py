"""Beam search and diverse beam search over one batch: groups of beams, of which plain beam search has one.

One group has the semantics of transformers' `generate(num_beams=..., do_sample=False)`. In diverse beam search
(Vijayakumar et al. 2016) every group is a beam search of its own over its share of the beams. The groups advance in
turn at each step, and a group chooses among its continuations by

    log-probability of the continuation - diversity_penalty · how often earlier groups chose its last token

at this very step (the paper's Hamming diversity). A group has chosen the last tokens of all beams that it keeps at
the step, running or finished; the end token counts like any other.

The penalty decides this choice and nothing else, as the paper defines it: a beam carries the model's own
log-probability on, and a group's finished beams are ordered, and its search is ended, by that / length **
`length_penalty`. Each group keeps its own finished beams. The group beam search that transformers had until 2025
added the penalties of all steps to a beam's score, by which it went on to choose and to order, and never penalised
an end token; until June 2023 all groups also shared one heap of finished beams, from which one group's texts drove
out another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from ..errors import UserError
from .decoding import Decoding, Sample, constrain, cut_at_stop

T = TypeVar("T")


class RowsLike(Protocol):
    """What a search needs of a batch of rows (`session.Session` and `unshared.Unshared` fit)."""

    device: torch.device
    first_tokens_N: Tensor

    def step(self, tokens_N: Tensor, /) -> Tensor: ...

    def keep(self, rows: Sequence[int], /) -> None: ...


@dataclass(frozen=True)
class _Beam:
    """A beginning: its tokens, their log-probabilities, and their sum as the model's precision adds them."""

    tokens: tuple[int, ...] = ()
    logps: tuple[float, ...] = ()
    total: float = 0.0


@dataclass
class _Search:
    """One group's search in one document: at most `width` `running` beams and `finished` (score, beam), best first.

    `parents` says which of the step before each running beam continues.
    """

    document: int
    group: int
    limit: int
    width: int
    running: list[_Beam] = field(default_factory=lambda: [_Beam()])
    parents: list[int] = field(default_factory=list)
    finished: list[tuple[float, _Beam]] = field(default_factory=list)

    def advance(
        self, ranked: Iterable[tuple[float, int, int, float]], decoding: Decoding, stop_ids: frozenset[int]
    ) -> list[int]:
        """Take the next step among continuations (total, parent, token, log-prob), most wanted first.

        Returns the tokens that it chose.
        """
        before, self.running, self.parents = self.rows(), [], []
        chosen = []
        for rank, (total, parent, token, logp) in enumerate(ranked):
            is_last = token in stop_ids or len(before[parent].tokens) + 1 >= self.limit
            if total == float("-inf") or (rank if is_last else len(self.running)) >= self.width:
                continue
            beam = _Beam((*before[parent].tokens, token), (*before[parent].logps, logp), total)
            if is_last:
                self.finished.append((_score(beam, decoding), beam))
            else:
                self.running.append(beam)
                self.parents.append(parent)
            chosen.append(token)
        self.finished = sorted(self.finished, key=lambda scored: -scored[0])[: self.width]
        return chosen

    def rows(self) -> list[_Beam]:
        return _padded(self.running, self.width)

    def is_over(self, decoding: Decoding) -> bool:
        """No running beam can do better than the worst finished one, judged at its present length (the usual
        heuristic: with a positive length penalty a longer text could still overtake)."""
        if not self.running:
            return True
        if len(self.finished) < self.width:
            return False
        return decoding.early_stopping or max(_score(beam, decoding) for beam in self.running) <= self.finished[-1][0]


def beam_search(
    session: RowsLike, decoding: Decoding, stop_ids: frozenset[int], limits: Sequence[int]
) -> list[list[Sample]]:
    """The `num_beams` continuations that each document's groups find: the best of every group in the groups' order,
    then the second best of every group, and so on. With one group: best first.

    `session` holds `num_beams` rows for each document; `limits` has one length limit a document. Each step widens
    every beam by its likeliest tokens and looks at the best (1 + number of end tokens) · width of a group, so that
    `width` unfinished ones remain whatever ends; only what ends among the best `width` is kept.
    """
    width = decoding.num_beams // decoding.groups
    stop = torch.tensor(sorted(stop_ids), device=session.device)
    searches = [
        _Search(document, group, limit, width)
        for document, limit in enumerate(limits)
        for group in range(decoding.groups)
    ]
    live, token_N = searches, session.first_tokens_N
    looked_at = max(2, 1 + len(stop_ids)) * width
    for step in range(max(limits)):
        logits_NV = session.step(token_N)
        logits_NV = logits_NV if logits_NV.dtype == torch.float64 else logits_NV.float()
        logps_NV = torch.log_softmax(logits_NV, dim=-1)
        written_NT = torch.zeros(len(token_N), step, dtype=torch.long, device=session.device)
        if decoding.no_repeat_ngram_size:
            rows = [list(beam.tokens) for search in live for beam in search.rows()]
            written_NT = torch.tensor(rows, dtype=torch.long, device=session.device).view(len(token_N), step)
        allowed_NV = constrain(logps_NV, written_NT, decoding, stop)
        # At most so many tokens of a row are penalised: one a running beam of another group, and the end tokens.
        sunk = decoding.num_beams - width + len(stop_ids)
        likeliest = min(looked_at + sunk, allowed_NV.shape[1])
        best_logp_NW, best_token_NW = allowed_NV.topk(likeliest, dim=1)
        _advance(live, best_logp_NW.cpu(), best_token_NW.cpu(), looked_at, decoding, stop_ids)

        still = [slot for slot, search in enumerate(live) if not search.is_over(decoding)]
        next_rows = [slot * width + parent for slot in still for parent in _padded(live[slot].parents, width)]
        live = [live[slot] for slot in still]
        if not live:
            break
        session.keep(next_rows)
        token_N = torch.tensor([beam.tokens[-1] for search in live for beam in search.rows()], device=session.device)
    if not all(search.finished for search in searches):
        raise UserError("beam search found no text: every token is barred by min_new_tokens and no_repeat_ngram_size")
    of_document = [searches[first : first + decoding.groups] for first in range(0, len(searches), decoding.groups)]
    return [
        [
            cut_at_stop(scored[1].tokens, scored[1].logps, None, stop_ids)
            for equals in zip_longest(*(search.finished for search in own))
            for scored in equals
            if scored is not None
        ]
        for own in of_document
    ]


def _advance(
    live: Sequence[_Search],
    logp_NW: Tensor,
    token_NW: Tensor,
    looked_at: int,
    decoding: Decoding,
    stop_ids: frozenset[int],
) -> None:
    """One step of every live search, group by group, from the likeliest tokens of each row.

    S searches of one group; X continuations of a search: the W tokens of each of its rows.
    """
    totals = [
        beam.total if place < len(search.running) else float("-inf")
        for search in live
        for place, beam in enumerate(search.rows())
    ]
    total_NW = logp_NW + torch.tensor(totals, dtype=logp_NW.dtype)[:, None]
    likeliest = logp_NW.shape[1]
    total_LX, token_LX, logp_LX = (values.view(len(live), -1) for values in (total_NW, token_NW, logp_NW))
    chosen: dict[int, list[int]] = {search.document: [] for search in live}
    for group in range(decoding.groups):
        slots = [slot for slot, search in enumerate(live) if search.group == group]
        if not slots:
            continue
        total_SX, token_SX = total_LX[slots], token_LX[slots]
        wanted_SX = total_SX
        if group:
            times_SX = _times_chosen(token_SX, [chosen[live[slot].document] for slot in slots])
            wanted_SX = total_SX - decoding.diversity_penalty * times_SX
        place_SX = wanted_SX.topk(min(looked_at, wanted_SX.shape[1]), dim=1).indices
        totals, tokens, logps = (values.gather(1, place_SX).tolist() for values in (total_SX, token_SX, logp_LX[slots]))
        for slot, *ranked in zip(slots, totals, (place_SX // likeliest).tolist(), tokens, logps):
            search = live[slot]
            chosen[search.document] += search.advance(zip(*ranked), decoding, stop_ids)


def _times_chosen(token_SX: Tensor, chosen: Sequence[Sequence[int]]) -> Tensor:
    """How often each token of search s occurs in `chosen[s]`."""
    most = max(map(len, chosen))
    chosen_SC = torch.tensor([[*tokens, *[-1] * (most - len(tokens))] for tokens in chosen], dtype=torch.long)
    return (token_SX[:, :, None] == chosen_SC[:, None, :]).sum(dim=-1)


def _score(beam: _Beam, decoding: Decoding) -> float:
    return float(beam.total / len(beam.tokens) ** decoding.length_penalty)


def _padded(items: list[T], width: int) -> list[T]:
    """`width` rows are always fed; where there are fewer beams, the first stands in and is not read."""
    return items + items[:1] * (width - len(items))
