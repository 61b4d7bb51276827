"""How much of a result a model is shown: whole passages, as many as stay under a budget of tokens."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from copilot_mcp.tools.hits import Hit

__all__ = ["estimated_tokens", "within_budget"]

HEADS_SHARE = 4
"""A quarter of a budget may go to the documents' own lines, where not all passages fit; the rest is for passages."""


def estimated_tokens(text: str) -> int:
    """Tokens of a text, estimated high: UTF-8 bytes / 3. Exact counts differ by model."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 3)


def within_budget(hits: "Sequence[Hit]", budget: int, size: "Callable[[Sequence[Hit]], int]") -> "list[Hit]":
    """The hits, as much of them as `budget` allows; `size` estimates a result that shows the hits it is given.

    Cuts between passages, never inside one. Thumbnails go first. Then each document keeps its own line as far as a
    quarter of the budget goes, and passages are taken in turns, the best of every document first. Each hit says how
    many of its own are missing.
    """
    if size(hits) <= budget:
        return list(hits)
    plain = [hit.model_copy(update={"thumbnails": None}) for hit in hits]
    if size(plain) <= budget:
        return plain
    empty = size([])
    for_heads = empty + max(0, budget - empty) // HEADS_SHARE
    named = _most(len(plain), lambda count: size(_taken(plain[:count], 0)) <= for_heads)
    whole = _most(len(plain), lambda count: size(plain[:count]) <= budget)
    shown = plain[: max(1, named, whole)]
    passages = sum(len(hit.extracts) for hit in shown)
    return _taken(shown, _most(passages, lambda count: size(_taken(shown, count)) <= budget))


def _taken(hits: "Sequence[Hit]", count: int) -> "list[Hit]":
    """The hits with `count` passages in all, taken in turns."""
    turns = sorted((turn, number) for number, hit in enumerate(hits) for turn in range(len(hit.extracts)))[:count]
    kept = [0] * len(hits)
    for _, number in turns:
        kept[number] += 1
    return [
        hit.model_copy(update={"extracts": hit.extracts[:n], "extracts_left_out": len(hit.extracts) - n or None})
        for hit, n in zip(hits, kept, strict=True)
    ]


def _most(highest: int, fits: Callable[[int], bool]) -> int:
    """The highest count up to `highest` that fits, 0 when none does."""
    low = 0
    while low < highest:
        middle = (low + highest + 1) // 2
        low, highest = (middle, highest) if fits(middle) else (low, middle - 1)
    return low
