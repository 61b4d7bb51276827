"""A filter's result under the budget of tokens: the expression whole, of the lists what fits, the rest counted."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from copilot_mcp.tools.budget import estimated_tokens

if TYPE_CHECKING:
    from copilot_mcp.tools.filter import BuildFilterResult

__all__ = ["within_tokens"]

_SHOWN_CHARACTERS = 300
"""Of one repair or one message, where not everything fits: they quote names of any length."""


def within_tokens(
    result: "BuildFilterResult", budget: int, render: "Callable[[BuildFilterResult], str]", omitted: int = 0
) -> "BuildFilterResult":
    """The result, cut where one of its halves exceeds `budget` (0: never); what was left out is counted.

    `omitted` diagnostics are missing from the start. The expression stays whatever it costs, and the first of the
    diagnostics and of the repairs.
    """

    def fits(tried: "BuildFilterResult") -> bool:
        halves = (tried.model_dump_json(by_alias=True), render(tried))
        return max(map(estimated_tokens, halves)) <= budget

    low, high = 1, max(len(result.diagnostics), len(result.repairs), 1)
    whole = _first(result, high, omitted)
    if not budget or fits(whole):
        return whole
    short = _shortened(result, budget)
    while low < high:  # the largest count that fits
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(_first(short, middle, omitted)) else (low, middle - 1)
    return _first(short, low, omitted)


def _shortened(result: "BuildFilterResult", budget: int) -> "BuildFilterResult":
    """Without what is said several times, and without the ends of long texts; a third of the budget to the words."""
    suggested = next((each for each in result.diagnostics if each.suggestion), None)
    diagnostics = [
        each.model_copy(
            update={"message": _cut(each.message), "suggestion": each.suggestion if each is suggested else None}
        )
        for each in result.diagnostics
    ]
    said = result.explanation.encode()
    left = len(result.explanation) - len(kept := said[:budget].decode(errors="ignore"))
    explanation = f"{kept}… ({left} more characters are not shown.)" if left else result.explanation
    update = {"diagnostics": diagnostics, "repairs": [_cut(each) for each in result.repairs]}
    return result.model_copy(update={**update, "explanation": explanation})


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _first(result: "BuildFilterResult", count: int, omitted: int) -> "BuildFilterResult":
    missing = {
        "diagnostics": omitted + len(result.diagnostics[count:]),
        "repairs": len(result.repairs[count:]),
    }
    told = [f"{number} more {name} are not listed." for name, number in missing.items() if number]
    update: dict[str, Any] = {
        "explanation": " ".join([result.explanation, *told]),
        "diagnostics": result.diagnostics[:count],
        "repairs": result.repairs[:count],
    }
    return result.model_copy(update=update)
