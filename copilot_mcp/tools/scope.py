"""The scope of one search: its filter checked before it is sent, and its hits held against the filter afterwards.

The service ignores a malformed filter and searches everything, so nothing leaves that cannot be read with certainty,
and what comes back is not taken on trust.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from copilot_mcp.errors import FilterError
from copilot_mcp.tools.filter import FilterDiagnostic, reported

if TYPE_CHECKING:
    from copilot_mcp.graph import RetrievalHit
    from copilot_mcp.kql import Node, Parsed, Properties
    from copilot_mcp.kql.evidence import Verdict
    from copilot_mcp.tools._tool import ToolContext

__all__ = ["Honoured", "Scope", "checked_scope"]

Honoured: TypeAlias = Literal["yes", "unclear", "no"]

_TOO_LONG = "FILTER_TOO_LONG"
_LABEL_PROPERTY = "InformationProtectionLabelId"


@dataclass(frozen=True, slots=True)
class Scope:
    """A filter that may be sent: its canonical text, its tree, and a note for each thing worth saying about it."""

    text: str
    tree: "Node"
    properties: "Properties"
    now: datetime
    notes: tuple[str, ...]

    def metadata(self, asked: Sequence[str] | None) -> list[str] | None:
        """The properties to ask the service for: those the caller wants, then those that hits are judged by."""
        from copilot_mcp.kql.evidence import asked_for_proof

        known = {name.casefold() for name in asked or ()}
        proof = [name for name in asked_for_proof(self.tree, self.properties) if name.casefold() not in known]
        return [*(asked or ()), *proof] or None

    def judge(self, hit: "RetrievalHit") -> "Verdict":
        """Where the hit lies, as far as it tells."""
        from copilot_mcp.kql.evidence import verdict

        metadata = dict(hit.resource_metadata)
        label = hit.sensitivity_label.sensitivity_label_id if hit.sensitivity_label else None
        if label and hit.metadata(_LABEL_PROPERTY) is None:
            metadata[_LABEL_PROPERTY] = label
        return verdict(self.tree, hit.web_url, metadata, self.properties, now=self.now)

    @staticmethod
    def honoured(verdicts: Sequence["Verdict"]) -> Honoured:
        """`no` where a hit is proven outside, `yes` where each of one or more lies inside, else `unclear`."""
        if "outside" in verdicts:
            return "no"
        return "yes" if verdicts and "unclear" not in verdicts else "unclear"


def checked_scope(expression: str | None, data_source: str, context: "ToolContext") -> Scope | None:
    """The scope that `expression` describes; None without one.

    Raises:
        FilterError: It cannot be read with certainty, or is too long; nothing was sent.
    """
    if expression is None:
        return None
    from copilot_mcp.kql import parse, properties_for

    properties = properties_for(data_source, allow=context.settings.allow_property)
    now = context.now()
    parsed = parse(expression, properties, now=now)
    if parsed.tree is None or parsed.canonical is None or _too_long(parsed):
        raise _refused(parsed)
    if parsed.canonical != expression:  # a canonical text may be the longer one
        sent = parse(parsed.canonical, properties, now=now)
        if not sent.valid or _too_long(sent):
            raise _refused(sent)
    found = reported(parsed.diagnostics)
    notes = list(dict.fromkeys(_warning(each) for each in found if each.severity == "warning"))
    if parsed.canonical != expression:
        notes.append("The filter was sent in canonical form (`filterExpression`).")
    return Scope(parsed.canonical, parsed.tree, properties, now, tuple(notes))


def _warning(found: FilterDiagnostic) -> str:
    return f"Filter: {found.message}" + (f" Write: {found.suggestion}" if found.suggestion else "")


def _too_long(parsed: "Parsed") -> bool:
    return any(each.code == _TOO_LONG for each in parsed.diagnostics)


def _refused(parsed: "Parsed") -> FilterError:
    found = reported(parsed.diagnostics)
    worst = [each for each in found if each.severity == "error" or each.code == _TOO_LONG]
    suggestion = next((each.suggestion for each in worst if each.suggestion), None)
    remedy = f"Write: {suggestion}" if suggestion else "Check it with build_filter."
    if all(each.code == _TOO_LONG for each in worst):
        remedy = "Shorten it, or search several times with a part of it each."
    reasons = dict.fromkeys(f"{each.code}: {each.message}" for each in worst)
    return FilterError(
        "`filterExpression` was not sent, because Microsoft 365 ignores a malformed filter and searches "
        f"everything. {' '.join(reasons)}",
        remedy,
        diagnostics=[each.model_dump(exclude_none=True) for each in found],
    )
