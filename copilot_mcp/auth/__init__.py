"""Signing in to Microsoft Entra and getting tokens for Graph, for one person on one machine.

Importing this package costs next to nothing: msal and httpx come in when they are first needed.
"""

from typing import TYPE_CHECKING, Any

from copilot_mcp.auth.answers import Account
from copilot_mcp.auth.clouds import CLOUDS, LOOPBACK_HOSTS, Cloud
from copilot_mcp.auth.credential import Credential
from copilot_mcp.auth.device_code import SignInAttempt
from copilot_mcp.auth.library_logs import quiet_libraries
from copilot_mcp.auth.token_cache import MemoryCache, SignInCache, TokenCache, cache_file_name

if TYPE_CHECKING:
    from copilot_mcp.auth.transport import LoopbackTransport, open_http

__all__ = [
    "CLOUDS",
    "LOOPBACK_HOSTS",
    "Account",
    "Cloud",
    "Credential",
    "LoopbackTransport",
    "MemoryCache",
    "SignInAttempt",
    "SignInCache",
    "TokenCache",
    "cache_file_name",
    "open_http",
    "quiet_libraries",
]

_NEEDS_HTTPX = ("LoopbackTransport", "open_http")


def __getattr__(name: str) -> Any:
    """Import what needs httpx when it is first asked for."""
    if name in _NEEDS_HTTPX:
        from copilot_mcp.auth import transport

        return getattr(transport, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
