"""Several orders of the same items made into one, by Borda counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def borda(orders: Sequence[Sequence[Sequence[T]]]) -> tuple[tuple[T, ...], ...]:
    """The order by mean rank, best first, of orders in tiers; equal mean ranks share a tier.

    In each order an item gets a point for every item below it and half a point for every one beside it, so the count
    is the mean rank turned round. Counted in whole numbers: a tie is exact.

    Raises ValueError unless all orders hold the same items, each once: a count over different items means nothing.

    >>> borda([[("a",), ("b",), ("c",)], [("b",), ("a", "c")]])
    (('b',), ('a',), ('c',))
    """
    points: Counter[T] = Counter()
    for order in orders:
        items = [item for tied in order for item in tied]
        if len(set(items)) != len(items) or (points and set(items) != set(points)):
            raise ValueError("Borda counts need every item exactly once in every order")
        below = len(items)
        for tied in order:
            below -= len(tied)
            for item in tied:
                points[item] += 2 * below + len(tied) - 1
    levels = sorted(set(points.values()), reverse=True)
    return tuple(tuple(item for item, own in points.items() if own == level) for level in levels)
