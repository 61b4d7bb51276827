"""What a missing permission closes: the tools stay listed, and their calls say what is missing."""

from collections.abc import Collection
from dataclasses import dataclass

from copilot_mcp.graph import CHAT_SCOPES, RETRIEVAL_SCOPES

__all__ = ["USES", "Use", "closed_uses", "tools_closed_without"]


@dataclass(frozen=True, slots=True)
class Use:
    """What a person can do with a tool, and the permissions it takes, sorted. `part` is empty for all of the tool."""

    tool: str
    part: str
    scopes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.tool}, {self.part}" if self.part else self.tool


USES = (
    Use("copilot_chat", "", tuple(sorted(CHAT_SCOPES))),
    Use("copilot_retrieve", "SharePoint and OneDrive", tuple(sorted(RETRIEVAL_SCOPES["sharePoint"]))),
    Use("copilot_retrieve", "connectors", tuple(sorted(RETRIEVAL_SCOPES["externalItem"]))),
)
"""In the order of the tools; a tool without permissions is not here."""


def closed_uses(missing: Collection[str]) -> dict[Use, tuple[str, ...]]:
    """What some of these permissions are needed for, and which of them each lacks."""
    lacking = {use: tuple(scope for scope in use.scopes if scope in missing) for use in USES}
    return {use: scopes for use, scopes in lacking.items() if scopes}


def tools_closed_without(missing: Collection[str]) -> tuple[str, ...]:
    """The names of the tools that can do nothing at all without these permissions."""
    closed = closed_uses(missing)
    names = dict.fromkeys(use.tool for use in USES)
    return tuple(name for name in names if all(use in closed for use in USES if use.tool == name))
