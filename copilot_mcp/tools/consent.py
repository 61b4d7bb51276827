"""Which tools a missing permission closes: they stay listed, and their calls say what is missing."""

from collections.abc import Collection

__all__ = ["tools_closed_without"]


def tools_closed_without(missing: Collection[str]) -> tuple[str, ...]:
    """The names of the tools that some of these permissions are needed for, in the order of the list."""
    from copilot_mcp.tools import TOOLS

    return tuple(tool.name for tool in TOOLS if set(tool.scopes) & set(missing))
