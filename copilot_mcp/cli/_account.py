"""What `login`, `status` and `logout` say about an account."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from copilot_mcp.cli._say import say
from copilot_mcp.cli._services import open_cache
from copilot_mcp.errors import SettingsError
from copilot_mcp.settings import Settings

if TYPE_CHECKING:
    from copilot_mcp.auth import Keeping

__all__ = [
    "how_kept",
    "kept",
    "missing_scope_lines",
    "require_client_id",
    "require_keeping",
    "warn_of_plain_file",
    "where_kept",
]


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
    """Where the sign-in is, and what protects it. The warning about a plain file cannot be switched off.

    Raises:
        AuthenticationError: The place is not safe to use, or another process holds it.
    """
    return kept(how_kept(settings))


def how_kept(settings: Settings) -> "Keeping":
    """The same as facts.

    Raises:
        AuthenticationError: The place is not safe to use, or another process holds it.
    """
    from copilot_mcp.auth import Keeping, TokenCache

    cache = open_cache(settings)
    return cache.keeping() if isinstance(cache, TokenCache) else Keeping(None)


def kept(keeping: "Keeping") -> str:
    """The facts as sentences."""
    if keeping.path is None and not keeping.reason:
        return "The sign-in is kept in memory only."
    if keeping.path is None:
        return f"Sign-ins are kept in memory only: {keeping.reason}. {keeping.remedy}."
    if keeping.encrypted:
        return (
            f"Sign-ins are kept in {keeping.path}, encrypted; {keeping.protected_by} protects them from other people, "
            "not from other programs of yours."
        )
    return (
        f"WARNING: sign-ins are kept in {keeping.path} (mode 0600), NOT encrypted: {keeping.reason}. Other programs of "
        f"yours, and whoever gets the disk or a backup, can read them. {keeping.remedy}."
    )


def require_keeping(settings: Settings) -> None:
    """Make sure that a sign-in would be kept, before a person is asked to do anything for it.

    Raises:
        SettingsError: It would end with this command.
        AuthenticationError: The place is not safe to use, or another process holds it.
    """
    from copilot_mcp.auth import TokenCache

    cache = open_cache(settings)
    if isinstance(cache, TokenCache):
        would = cache.prospect()
        if would.path is not None:
            return
        if would.occupied:
            raise SettingsError(
                f"A sign-in is saved in {cache.path}, encrypted, and cannot be opened now: {would.reason}. It is left "
                "as it is, and nobody was asked to sign in.",
                f"{would.remedy} and try again. Or give this sign-in a profile of its own (`--profile NAME`), or first "
                "forget the saved one with `copilot-mcp logout`.",
                kind="cache_shut",
            )
        reason, remedy = would.reason, would.remedy
    else:
        reason, remedy = "`--cache memory` keeps nothing after this command", "Leave it out"
    plain = (
        ""
        if settings.cache == "plain"
        else ", or keep the sign-in in a file that only you can read, not encrypted: `copilot-mcp login --cache plain`"
    )
    raise SettingsError(
        f"A sign-in could not be kept: {reason}. Nobody was asked to sign in.",
        f"{remedy}{plain}. Or sign in inside the host: `copilot-mcp serve` asks for it when a tool is first called, "
        "and it lasts as long as that server runs.",
        kind="cache_unencrypted",
    )


def warn_of_plain_file(settings: Settings) -> None:
    """Say on standard error, at the start of a server, that a sign-in lies in clear or will. Costs no library.

    Not a log record, which a level could silence.
    """
    from copilot_mcp.auth import TokenCache

    cache = open_cache(settings)
    if not isinstance(cache, TokenCache) or not (settings.cache == "plain" or cache.is_in_clear()):
        return
    then = (
        "`--cache plain` asks for that; leave it out where a keyring can be had."
        if settings.cache == "plain"
        else "It is encrypted at its first use where that is possible; `copilot-mcp status` tells."
    )
    say(
        f"WARNING: the sign-in in {cache.path} (mode 0600) is NOT encrypted. Other programs of yours, and whoever gets "
        f"the disk or a backup, can read it. {then}"
    )


def missing_scope_lines(missing: Sequence[str]) -> list[str]:
    """Permissions that were not granted, and what that closes; empty when all were."""
    from copilot_mcp.tools.consent import closed_uses

    return [
        f"Not granted: {', '.join(lacking)}; {use} needs {'it' if len(lacking) == 1 else 'them'} (an administrator can "
        "consent)."
        for use, lacking in closed_uses(missing).items()
    ]
