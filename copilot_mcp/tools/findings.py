"""What copilot_retrieve hands back: the hits of all its searches as one result that stays under a budget."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field, PrivateAttr
from pydantic_core import to_json

from copilot_mcp.errors import CopilotMcpError
from copilot_mcp.quoting import Quoter, fact
from copilot_mcp.tools._tool import ToolResult
from copilot_mcp.tools.advice import causes_of_nothing
from copilot_mcp.tools.budget import estimated_tokens, tokens_of, within_budget
from copilot_mcp.tools.found import Found, found_by
from copilot_mcp.tools.hits import Hit, Part
from copilot_mcp.tools.hits_text import render
from copilot_mcp.tools.labels import Label, by_key, strictness
from copilot_mcp.tools.merging import Merged, merged
from copilot_mcp.tools.scope import Honoured
from copilot_mcp.tools.searches import Search

if TYPE_CHECKING:
    from copilot_mcp.graph import RetrievalResponse
    from copilot_mcp.kql.evidence import Verdict
    from copilot_mcp.settings import Settings

__all__ = ["AskedRequest", "RetrieveResult", "result_of"]

_MOST_SAID = 500
_WITH_PATHS = ("sharePoint", "oneDriveBusiness")


class AskedRequest(Part):
    """One of several requests: what was sent, and its own result or error, which ends with its kind in brackets.

    Number 1 is the call's own, 2 the first of `moreRequests`.
    """

    number: int
    data_source: str
    filter_expression: str | None = None
    filter_honoured: str | None = None
    hits: int | None = None
    error: str | None = None


class RetrieveResult(ToolResult):
    """Hits, best first, and what was sent to find them."""

    hits: list[Hit]
    data_source: str | None = None
    filter_expression: str | None = Field(None, description="As sent.")
    filter_honoured: Honoured | None = Field(None, description="yes: every hit shown inside; no: some proven outside.")
    requests: list[AskedRequest] | None = None
    sensitivity_labels: list[Label] | None = Field(None, description="Strictest first.")
    requests_used: int = Field(description="By this call; 200 an hour.")
    notes: list[str]
    _halves: tuple[str, dict[str, Any]] | None = PrivateAttr(None)  # made once: for the budget, then for the host

    def structured(self) -> dict[str, Any]:
        """As any result."""
        return self._made()[1]

    def text(self) -> str:
        """The text half."""
        return self._made()[0]

    def tokens(self) -> int:
        """Estimated tokens of the larger half."""
        text, data = self._made()
        return max(tokens_of(to_json(data)), estimated_tokens(text))

    def _made(self) -> tuple[str, dict[str, Any]]:
        if self._halves is None:
            self._halves = render(self), super().structured()
        return self._halves


def result_of(
    searches: Sequence[Search],
    outcomes: "Sequence[RetrievalResponse | CopilotMcpError]",
    verdicts: "Sequence[Sequence[Verdict]]",
    settings: "Settings",
    notes: Sequence[str],
) -> RetrieveResult:
    """The published form of what became of the searches, at least one of which was answered.

    `verdicts` are those on the hits of each outcome, none on an error's; `notes` are about the whole call and come
    last.
    """
    mark = settings.outside == "mark"
    found = {
        number: found_by(search, outcome, each, mark_outside=mark)
        for number, (search, outcome, each) in enumerate(zip(searches, outcomes, verdicts, strict=True), 1)
        if not isinstance(outcome, CopilotMcpError)
    }
    everything = merged({number: each.hits for number, each in found.items()}, several=len(searches) > 1)
    result = RetrieveResult(
        hits=[],
        data_source=searches[0].body.data_source if len(searches) == 1 else None,
        filter_expression=searches[0].body.filter_expression if len(searches) == 1 else None,
        filter_honoured=_honoured(searches, found),
        requests=_requests(searches, outcomes, found) if len(searches) > 1 else None,
        requests_used=sum(each.requests_used for each in outcomes),
        notes=[*_search_notes(searches, found), *_sign_in_notes(outcomes), *notes],
    )
    by_path = any(search.body.data_source in _WITH_PATHS for search in searches)
    return _shown(result, everything, settings.max_tokens, by_path=by_path)


def _honoured(searches: Sequence[Search], found: Mapping[int, Found]) -> Honoured | None:
    """The worst of all that were answered; `yes` only where each of them had a filter, else it would say too much."""
    each = {_own_honoured(searches[number - 1], one) for number, one in found.items()}
    order: tuple[Honoured, ...] = ("no", "unclear") if None in each else ("no", "unclear", "yes")
    return next((verdict for verdict in order if verdict in each), None)


def _own_honoured(search: Search, found: Found) -> Honoured | None:
    return search.scope.honoured(found.verdicts) if search.scope else None


def _requests(
    searches: Sequence[Search], outcomes: "Sequence[RetrievalResponse | CopilotMcpError]", found: Mapping[int, Found]
) -> list[AskedRequest]:
    return [
        AskedRequest(
            number=number,
            data_source=search.body.data_source,
            filter_expression=None if search.refusal else search.body.filter_expression,
            filter_honoured=_own_honoured(search, found[number]) if number in found else None,
            hits=len(found[number].hits) if number in found else None,
            error=_told(outcome) if isinstance(outcome, CopilotMcpError) else None,
        )
        for number, (search, outcome) in enumerate(zip(searches, outcomes, strict=True), 1)
    ]


def _told(error: CopilotMcpError) -> str:
    """An error in one line, with what the service wrote instead of answering."""
    said = Quoter().line(getattr(error, "partial_text", "")[:_MOST_SAID])
    return f"{error} The service had written: {fact(said)} [{error.kind}]" if said else f"{error} [{error.kind}]"


def _search_notes(searches: Sequence[Search], found: Mapping[int, Found]) -> list[str]:
    """The notes of every search that was answered, a note that several share once, each with their numbers."""
    said: dict[str, list[int]] = {}
    for number, each in found.items():
        search = searches[number - 1]
        nothing = [] if each.verdicts else [causes_of_nothing(search.body)]
        for note in (*search.notes, *each.notes, *nothing):
            said.setdefault(note, []).append(number)
    if len(searches) == 1:
        return list(said)
    return [_about(numbers, note) for note, numbers in said.items()]


def _sign_in_notes(outcomes: "Sequence[RetrievalResponse | CopilotMcpError]") -> list[str]:
    """How to go on where others were answered, so that nobody was asked to sign in during this call."""
    failed = [(number, each) for number, each in enumerate(outcomes, 1) if isinstance(each, CopilotMcpError)]
    numbers = [number for number, each in failed if each.cured_by_sign_in]
    note = "call again for what was not answered; the person may then be asked to sign in."
    return [_about(numbers, note)] if numbers else []


def _about(numbers: Sequence[int], note: str) -> str:
    return f"Request{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}: {note}"


def _shown(result: RetrieveResult, found: Merged, max_tokens: int, *, by_path: bool) -> RetrieveResult:
    """The result with as many of the hits as the budget allows, in both of its halves."""

    def complete(shown: Sequence[Hit]) -> RetrieveResult:
        borne = by_key(found.labels[hit.id] for hit in shown if hit.label)
        left_out = _left_out(found.hits, shown, max_tokens, by_path)
        return result.model_copy(
            update={
                "hits": list(shown),
                "sensitivity_labels": sorted(borne.values(), key=strictness) or None,
                "notes": [*result.notes, *left_out],
            }
        )

    return within_budget(found.hits, max_tokens, complete) if max_tokens else complete(found.hits)


_ONE_DOCUMENT = "For more of one document, ask again with its address in a Path filter; for the rest, "


def _left_out(hits: Sequence[Hit], shown: Sequence[Hit], max_tokens: int, by_path: bool) -> list[str]:
    """What the budget cost, and how to get it; `by_path`, a filter on an address finds one document alone."""
    all_of_them, kept = (sum(len(hit.extracts) for hit in some) for some in (hits, shown))
    missing = {
        "thumbnails": sum(len(hit.thumbnails or ()) for hit in hits) - sum(len(hit.thumbnails or ()) for hit in shown),
        "property values": sum(
            len(hit.resource_metadata or ()) - len(less.resource_metadata or ())
            for hit, less in zip(hits, shown, strict=False)  # the first so many are shown
        ),
    }
    notes = [
        f"{count} {what} left out to stay under {max_tokens:,} tokens; --max-tokens raises that."
        for what, count in missing.items()
        if count
    ]
    if kept < all_of_them or len(shown) < len(hits):
        documents = f"; {len(hits) - len(shown)} documents are not listed" if len(shown) < len(hits) else ""
        notes.append(
            f"{kept} of {all_of_them} extracts shown; the rest was left out to stay under {max_tokens:,} tokens"
            f"{documents}. {_ONE_DOCUMENT if by_path else 'For the rest, '}ask less in one call, or the person raises "
            "--max-tokens."
        )
    return notes
