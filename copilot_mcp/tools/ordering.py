"""The order of what has a score and what has none."""

from collections.abc import Iterable
from typing import TypeVar

__all__ = ["by_score_and_rank"]

T = TypeVar("T")


def by_score_and_rank(items: Iterable[tuple[float | None, int, T]]) -> list[T]:
    """Order items of (score, rank, item) best first.

    A missing score says nothing about relevance, so it never counts as 0: an item without one goes beside the item
    that has its rank among the scored. The rank, from 0, is its place in the answer it came in.
    """
    given = list(items)
    scored = sorted((each for each in given if each[0] is not None), key=lambda each: -(each[0] or 0.0))
    if len(scored) == len(given):
        return [item for _, _, item in scored]
    places = [(place, 0, item) for place, (_, _, item) in enumerate(scored)]
    places += [(rank, 1, item) for score, rank, item in given if score is None]
    return [item for _, _, item in sorted(places, key=lambda each: each[:2])]
