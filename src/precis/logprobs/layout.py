"""Where each source's prefix and candidates stand in one row, who sees whom there, and at which positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

_ATTRIBUTE = "precis_layout"


class LayoutNotSupported(Exception):
    """A model cannot take a row of several candidates; the message says why."""


@dataclass
class Span:
    """One source in a row: tokens [start, start + prefix) and then its candidates, of the given lengths (none 0).

    `past` numbers a cached prefix; the row then holds the candidates only and `prefix` is 0.
    """

    start: int
    prefix: int
    lengths: tuple[int, ...]
    past: int | None = None
    past_length: int = 0

    @property
    def candidates(self) -> int:
        return self.start + self.prefix

    @property
    def end(self) -> int:
        return self.candidates + sum(self.lengths)

    @property
    def longest(self) -> int:
        return self.past_length + self.prefix + max(self.lengths, default=0)

    @property
    def plain(self) -> bool:
        """With one candidate or none, the whole span is one causal sequence."""
        return self.past is None and len(self.lengths) < 2


@dataclass
class Layout:
    """Where everything is in one row of T tokens.

    `past_kv[layer][i]` holds the keys and values of cached prefix i, as [1, H, P, D] each; with `capture`, every
    layer's keys and values of this row are appended to it instead. `calls` counts the layers that came by.
    """

    spans: list[Span]
    device: torch.device
    past_kv: Sequence[Sequence[tuple[Tensor, Tensor]]] | None = None
    capture: list[tuple[Tensor, Tensor]] | None = None
    calls: int = 0
    _masks: dict[Any, Tensor] = field(default_factory=dict)

    @cached_property
    def positions_T(self) -> Tensor:
        """Positions restart after the prefix: all candidates of a source stand at the same places."""
        parts = []
        for span in self.spans:
            first = span.past_length + span.prefix
            parts.append(torch.arange(span.prefix))
            parts += [torch.arange(first, first + length) for length in span.lengths]
        return torch.cat(parts).to(self.device)

    @cached_property
    def segments_T(self) -> Tensor:
        """A number for each prefix and each candidate of the row; a candidate's is above its prefix's."""
        parts, number = [], 0
        for span in self.spans:
            for length in (span.prefix, *span.lengths):
                parts.append(torch.full((length,), number))
                number += 1
        return torch.cat(parts).to(self.device)

    @cached_property
    def prefix_segments_T(self) -> Tensor:
        """For each token, the number of its source's prefix."""
        parts, number = [], 0
        for span in self.spans:
            parts.append(torch.full((span.end - span.start,), number))
            number += 1 + len(span.lengths)
        return torch.cat(parts).to(self.device)

    @cached_property
    def longest(self) -> int:
        return max(span.longest for span in self.spans)

    @cached_property
    def shared(self) -> list[Span]:
        return [span for span in self.spans if not span.plain]

    @cached_property
    def tails_N(self) -> Tensor:
        """The row's tokens that belong to candidates of shared spans, in order."""
        return torch.cat([torch.arange(span.candidates, span.end) for span in self.shared]).to(self.device)

    @cached_property
    def rows_KR(self) -> tuple[Tensor, Tensor]:
        """Those tokens as one padded row a candidate (indices into T), and which of its places are real.

        Padding is on the right, where no real token looks, so any index serves for it.
        """
        starts = [span.candidates + first for span in self.shared for first in accumulate(span.lengths[:-1], initial=0)]
        lengths_K = torch.tensor([length for span in self.shared for length in span.lengths])
        steps_R = torch.arange(int(lengths_K.max()))
        real_KR = steps_R < lengths_K[:, None]
        index_KR = (torch.tensor(starts)[:, None] + steps_R) * real_KR
        return index_KR.to(self.device), real_KR.to(self.device)

    def visible(self, queries: slice, keys: slice, window: int | None) -> Tensor:
        """[Q, K] bool: which keys of this row each query may see; a window counts positions, not places."""
        segment_Q, segment_K = self.segments_T[queries, None], self.segments_T[None, keys]
        same = (segment_Q == segment_K) | (self.prefix_segments_T[queries, None] == segment_K)
        return same & self._near(self.positions_T[queries, None], self.positions_T[None, keys], window)

    def visible_past(self, span: Span, window: int | None) -> Tensor:
        """[Q, P + Q] bool: what a span's candidates see of its cached prefix and of this row."""
        queries = slice(span.candidates, span.end)
        position_Q = self.positions_T[queries, None]
        past = self._near(position_Q, torch.arange(span.past_length, device=self.device)[None], window)
        return torch.cat([past, self.visible(queries, queries, window)], dim=1)

    @staticmethod
    def _near(query: Tensor, key: Tensor, window: int | None) -> Tensor:
        near = key <= query
        return near if window is None else near & (query - key < window)

    def additive(self, key: Any, dtype: torch.dtype, visible: Any) -> Tensor:
        """The mask as numbers to add to the scores, made once for all layers."""
        key = (key, dtype)
        if key not in self._masks:
            seen = visible()
            self._masks[key] = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(
                ~seen, torch.finfo(dtype).min
            )
        return self._masks[key]


def mask_carrying(layout: Layout, window: int | None, dtype: torch.dtype) -> Tensor:
    """A 4-D stand-in for an attention mask, which models pass on untouched, with the layout on it.

    It is NaN, so that a model that treats it as a mask cannot go unnoticed.
    """
    mask = torch.full((1, 1, 1, 1), torch.nan, dtype=dtype, device=layout.device)
    setattr(mask, _ATTRIBUTE, (layout, window))
    return mask


def carried_by(mask: Tensor | None) -> tuple[Layout | None, int | None]:
    """The layout and window that `mask_carrying` put on a mask."""
    found: tuple[Layout | None, int | None] = getattr(mask, _ATTRIBUTE, (None, None))
    return found
