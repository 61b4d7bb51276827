"""Signing in to Microsoft Entra and getting tokens for Graph, for one person on one machine.

Importing this package costs next to nothing: msal and httpx come in when they are first needed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from copilot_mcp.auth.clouds import CLOUDS, LOOPBACK_HOSTS, Cloud
from copilot_mcp.auth.identifiers import is_application_id, is_tenant
from copilot_mcp.auth.library_logs import HidingFormatter, quiet_libraries

if TYPE_CHECKING:
    from copilot_mcp.auth.answers import Account
    from copilot_mcp.auth.cache_place import cache_file_name, checked_profile
    from copilot_mcp.auth.child_environment import without_our_secrets
    from copilot_mcp.auth.credential import Credential
    from copilot_mcp.auth.daemon_thread import in_daemon_thread
    from copilot_mcp.auth.host_sign_in import HostSignIn
    from copilot_mcp.auth.joined_code import SignedInMeanwhileError
    from copilot_mcp.auth.keeping import Keeping
    from copilot_mcp.auth.outside_token import Origin, OutsideToken
    from copilot_mcp.auth.prompts import SignInAttempt
    from copilot_mcp.auth.shared_file import SharedFile
    from copilot_mcp.auth.sign_in_cache import MemoryCache, SignInCache
    from copilot_mcp.auth.token_cache import TokenCache
    from copilot_mcp.auth.token_facts import TokenFacts
    from copilot_mcp.auth.token_origins import command_origin, file_origin, variable_origin
    from copilot_mcp.auth.transport import LoopbackTransport, open_http

__all__ = [
    "CLOUDS",
    "LOOPBACK_HOSTS",
    "Account",
    "Cloud",
    "Credential",
    "HidingFormatter",
    "HostSignIn",
    "Keeping",
    "LoopbackTransport",
    "MemoryCache",
    "Origin",
    "OutsideToken",
    "SharedFile",
    "SignInAttempt",
    "SignInCache",
    "SignedInMeanwhileError",
    "TokenCache",
    "TokenFacts",
    "cache_file_name",
    "checked_profile",
    "command_origin",
    "file_origin",
    "in_daemon_thread",
    "is_application_id",
    "is_tenant",
    "open_http",
    "quiet_libraries",
    "variable_origin",
    "without_our_secrets",
]

_HOMES = {
    "Account": "answers",
    "Credential": "credential",
    "HostSignIn": "host_sign_in",
    "Keeping": "keeping",
    "LoopbackTransport": "transport",
    "MemoryCache": "sign_in_cache",
    "Origin": "outside_token",
    "OutsideToken": "outside_token",
    "SharedFile": "shared_file",
    "SignInAttempt": "prompts",
    "SignInCache": "sign_in_cache",
    "SignedInMeanwhileError": "joined_code",
    "TokenCache": "token_cache",
    "TokenFacts": "token_facts",
    "cache_file_name": "cache_place",
    "checked_profile": "cache_place",
    "command_origin": "token_origins",
    "file_origin": "token_origins",
    "in_daemon_thread": "daemon_thread",
    "open_http": "transport",
    "variable_origin": "token_origins",
    "without_our_secrets": "child_environment",
}
"""Where each name lives that is imported when it is first asked for: a server lists its tools without any of them."""


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"copilot_mcp.auth.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
