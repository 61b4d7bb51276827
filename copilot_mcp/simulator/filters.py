"""Scopes a search to a filter, and ignores a filter that the service would ignore.

Only the tenant's own trace tells an ignored filter: the real service answers 200 with unscoped hits and says
nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from copilot_mcp.kql import Item, SchemaProperty, matches, parse, properties_for
from copilot_mcp.simulator.metadata import values_of
from copilot_mcp.simulator.tenant import Document

__all__ = ["Scoping", "scope_to_filter"]

# The documentation took a blank before a comparison out of its sample with the note that the service rejects it.
_IGNORED_ALTHOUGH_VALID: Final = frozenset({"SPACE_BEFORE_COMPARISON"})


@dataclass(frozen=True, slots=True)
class Scoping:
    """The documents left to search. When `ignored`, the filter did nothing; `codes` are its diagnostics."""

    numbers: frozenset[int]
    ignored: bool = False
    codes: tuple[str, ...] = ()


def scope_to_filter(
    text: str,
    data_source: str,
    schema: Sequence[Mapping[str, Any]],
    documents: Sequence[Document],
    candidates: Collection[int],
    now: float,
) -> Scoping:
    """The candidates that satisfy the filter; all of them when it is malformed."""
    properties = properties_for(
        data_source, [SchemaProperty.of(each) for each in _distinct(schema)] if data_source == "externalItem" else None
    )
    parsed = parse(text, properties)
    codes = tuple(dict.fromkeys(each.code for each in parsed.diagnostics))
    if parsed.tree is None or not parsed.valid or _IGNORED_ALTHOUGH_VALID.intersection(codes):
        return Scoping(frozenset(candidates), ignored=True, codes=codes)
    moment = datetime.fromtimestamp(now, UTC)
    tree = parsed.tree
    kept = (
        number
        for number in candidates
        if matches(tree, Item(values_of(documents[number]), documents[number].body), properties, now=moment)
    )
    return Scoping(frozenset(kept), codes=codes)


def _distinct(schema: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The properties of the connections searched; of two with one name the first is taken."""
    return list({str(entry["name"]).casefold(): entry for entry in reversed(schema)}.values())
