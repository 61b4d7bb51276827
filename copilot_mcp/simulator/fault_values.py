"""Faults of stage `values`: a well-formed answer that says other things than the documents promise."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from copilot_mcp.simulator.faults import Fault
from copilot_mcp.simulator.prose import label_body

__all__ = ["altered"]

_ENUMERATIONS: Final = frozenset(
    {"state", "status", "attributionType", "attributionSource", "resourceType", "@odata.type"}
)
_UNKNOWN: Final[Mapping[str, Any]] = {
    "newMember": {"nested": [1, None, {"deeper": "unknown"}]},
    "newFlag": True,
    "@odata.newAnnotation": "#microsoft.graph.unknownType",
}


def altered(value: Any, faults: Collection[Fault]) -> Any:
    """The value as the faults want it; unchanged without any."""
    names = {fault.name for fault in faults}
    return _altered(value, names) if names else value


def _altered(value: Any, names: Collection[str]) -> Any:
    if isinstance(value, list):
        return [_altered(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {name: _altered(member, names) for name, member in value.items()}
    if "unknown_values" in names:
        changed |= {name: "aValueOfTomorrow" for name in _ENUMERATIONS if isinstance(changed.get(name), str)}
    if "null_labels" in names and ("extracts" in changed or "attributions" in changed):
        changed["sensitivityLabel"] = label_body(None)
    if "relevanceScore" in changed:
        if "missing_scores" in names:
            del changed["relevanceScore"]
        elif "nan_scores" in names:
            changed["relevanceScore"] = float("nan")
    if "unknown_members" in names:
        changed |= _UNKNOWN
    return changed
