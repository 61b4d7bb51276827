"""Signing in to Microsoft Entra and getting tokens for Graph, for one person on one machine.

Importing this package costs next to nothing: msal and httpx come in when they are first needed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from copilot_mcp.auth.clouds import CLOUDS, LOOPBACK_HOSTS, Cloud
from copilot_mcp.auth.library_logs import quiet_libraries

if TYPE_CHECKING:
    from copilot_mcp.auth.answers import Account
    from copilot_mcp.auth.cache_place import cache_file_name, checked_profile
    from copilot_mcp.auth.credential import Credential
    from copilot_mcp.auth.device_code import SignInAttempt
    from copilot_mcp.auth.keeping import Keeping
    from copilot_mcp.auth.shared_file import SharedFile
    from copilot_mcp.auth.sign_in_cache import MemoryCache, SignInCache
    from copilot_mcp.auth.token_cache import TokenCache
    from copilot_mcp.auth.transport import LoopbackTransport, open_http

__all__ = [
    "CLOUDS",
    "LOOPBACK_HOSTS",
    "Account",
    "Cloud",
    "Credential",
    "Keeping",
    "LoopbackTransport",
    "MemoryCache",
    "SharedFile",
    "SignInAttempt",
    "SignInCache",
    "TokenCache",
    "cache_file_name",
    "checked_profile",
    "open_http",
    "quiet_libraries",
]

_HOMES = {
    "Account": "answers",
    "Credential": "credential",
    "Keeping": "keeping",
    "LoopbackTransport": "transport",
    "MemoryCache": "sign_in_cache",
    "SharedFile": "shared_file",
    "SignInAttempt": "device_code",
    "SignInCache": "sign_in_cache",
    "TokenCache": "token_cache",
    "cache_file_name": "cache_place",
    "checked_profile": "cache_place",
    "open_http": "transport",
}
"""Where each name lives that is imported when it is first asked for: a server lists its tools without any of them."""


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"copilot_mcp.auth.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
