"""How much of a result a model is shown: whole passages, as many as stay under a budget of tokens."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from copilot_mcp.tools.hits import Hit, Part

__all__ = ["Sized", "estimated_tokens", "tokens_of", "within_budget"]

HEADS_SHARE = 4
"""A quarter of a budget may go to the documents' own lines, where not all passages fit; the rest is for passages."""

LONG_VALUE_TOKENS = 200
"""A property value above this goes before any passage, where not everything fits: it is a text, and no fact."""

_LEFT_OUT_TOKENS = 8
"""What it costs a document to say how many of its passages are missing."""


def estimated_tokens(text: str) -> int:
    """Tokens of a text, estimated high: UTF-8 bytes / 3. Exact counts differ by model."""
    return tokens_of(text.encode("utf-8", "surrogatepass"))


def tokens_of(encoded: bytes) -> int:
    """The same of a text in UTF-8."""
    return -(-len(encoded) // 3)


class Sized(Protocol):
    """A result that knows what it costs."""

    def tokens(self) -> int:
        """Estimated tokens."""
        ...


SizedT = TypeVar("SizedT", bound=Sized)


def within_budget(hits: "Sequence[Hit]", budget: int, make: "Callable[[Sequence[Hit]], SizedT]") -> SizedT:
    """What `make` makes of the hits, as much of them as `budget` allows.

    Cuts between passages, never inside one. Thumbnails go first, then long property values. Then each document keeps
    its own line as far as a quarter of the budget goes, and passages are taken in turns, the best of every document
    first. Each hit says how many of its own are missing. The first document keeps its address whatever that costs.
    """
    if (made := make(hits)).tokens() <= budget:
        return made
    plain = list(hits)
    for smaller in (_without_pictures, _without_long_values):
        if (less := list(map(smaller, plain))) != plain and (made := make(plain := less)).tokens() <= budget:
            return made
    # A result is sized once at the end, as sizing it costs as much as making it; until then its parts are added up.
    room = budget - make([]).tokens()
    heads = [_cost(hit.model_copy(update={"extracts": []})) + _LEFT_OUT_TOKENS for hit in plain]
    passages = [[_cost(extract) for extract in hit.extracts] for hit in plain]
    named = _fitting(heads, room / HEADS_SHARE)
    whole = _fitting((head + sum(costs) for head, costs in zip(heads, passages, strict=True)), room)
    documents = max(1, named, whole)
    turns = _turns(plain[:documents])
    count = _fitting((passages[number][turn] for turn, number in turns), room - sum(heads[:documents]))
    while (made := make(shown := _taken(plain[:documents], count))).tokens() > budget and (count or documents > 1):
        count, documents = (count - max(1, count // 16), documents) if count else (0, documents - 1)
    if made.tokens() <= budget:
        return made
    return make([hit.model_copy(update={"resource_metadata": None}) for hit in shown])


def _without_pictures(hit: "Hit") -> "Hit":
    return hit.model_copy(update={"thumbnails": None})


def _without_long_values(hit: "Hit") -> "Hit":
    values = hit.resource_metadata or {}
    kept = {name: value for name, value in values.items() if estimated_tokens(value) <= LONG_VALUE_TOKENS}
    return hit.model_copy(update={"resource_metadata": kept or None})


def _cost(part: "Part") -> float:
    """What a part adds to the larger half, which is nearly always the data."""
    return estimated_tokens(part.model_dump_json(by_alias=True, exclude_none=True)) + 1 / 3


def _fitting(costs: Iterable[float], room: float) -> int:
    """How many of the costs, from the first on, fit into `room`."""
    count = 0
    for cost in costs:
        room -= cost
        if room < 0:
            break
        count += 1
    return count


def _turns(hits: "Sequence[Hit]") -> list[tuple[int, int]]:
    """Every passage as (turn, number of the hit), in the order in which they are taken."""
    return sorted((turn, number) for number, hit in enumerate(hits) for turn in range(len(hit.extracts)))


def _taken(hits: "Sequence[Hit]", count: int) -> "list[Hit]":
    """The hits with `count` passages in all, taken in turns."""
    kept = [0] * len(hits)
    for _, number in _turns(hits)[:count]:
        kept[number] += 1
    return [
        hit.model_copy(update={"extracts": hit.extracts[:n], "extracts_left_out": len(hit.extracts) - n or None})
        for hit, n in zip(hits, kept, strict=True)
    ]
