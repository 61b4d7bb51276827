"""What `login`, `status` and `logout` say about an account."""

from collections.abc import Sequence

from copilot_mcp.cli._services import open_cache
from copilot_mcp.errors import SettingsError
from copilot_mcp.settings import Settings

__all__ = ["missing_scope_lines", "require_client_id", "where_kept"]


def require_client_id(client_id: str | None) -> str:
    """The app registration to use.

    Raises:
        SettingsError: None is set.
    """
    if not client_id:
        raise SettingsError(
            "No app registration is set: --client-id (or COPILOT_MCP_CLIENT_ID) is missing.",
            'Register an app in your tenant (README, "Use a real tenant") and give its application id.',
        )
    return client_id


def where_kept(settings: Settings) -> str:
    """Where the sign-in is, and what protects it. The warning about a plain file cannot be switched off."""
    from copilot_mcp.auth import TokenCache

    cache = open_cache(settings)
    if not isinstance(cache, TokenCache):
        return "The sign-in is kept in memory only."
    return (
        f"The sign-in is kept in {cache.path}: readable by you alone, NOT encrypted. Other programs of yours can "
        "read it."
    )


def missing_scope_lines(missing: Sequence[str]) -> list[str]:
    """Permissions that were not granted, and which tools that closes; empty when all were."""
    from copilot_mcp.tools import TOOLS

    lines = []
    for tool in TOOLS:
        lacking = sorted(set(tool.scopes) & set(missing))
        if lacking:
            lines.append(f"Not granted: {', '.join(lacking)}; {tool.name} needs them (an administrator can consent).")
    return lines
