"""A token from outside: which of the three places was named, and what is said about the token."""

import functools
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import click

from copilot_mcp.auth import CLOUDS
from copilot_mcp.cli._say import say
from copilot_mcp.cli._setting import refuse, setting
from copilot_mcp.errors import AuthenticationError, SettingsError

if TYPE_CHECKING:
    from copilot_mcp.auth import Origin, TokenFacts

__all__ = ["TOKEN_VARIABLE", "announce_token", "check_at_start", "chosen_origin", "outside_options", "token_sentence"]

TOKEN_VARIABLE = "COPILOT_MCP_TOKEN"
"""Never a flag, which every user of the machine could read."""

_WAITS = ("outside_token_expired", "outside_token_missing")
"""What may be put right while the server runs."""

F = TypeVar("F", bound=Callable[..., Any])


def outside_options(function: F) -> F:
    """Adds the options; the command gets `origin`, None where no token comes from outside."""

    @setting(
        "--token-command",
        envvar="COPILOT_MCP_TOKEN_COMMAND",
        help="Take access tokens from what this program prints (no shell) instead of signing in; kept in memory only.",
    )
    @setting(
        "--token-file",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="COPILOT_MCP_TOKEN_FILE",
        help="Take access tokens from this file instead of signing in. COPILOT_MCP_TOKEN may hold one itself.",
    )
    @functools.wraps(function)
    def wrapper(*args: Any, token_command: str | None, token_file: Path | None, **options: Any) -> Any:
        try:
            origin = chosen_origin(token_command, token_file)
        except SettingsError as error:
            refuse(click.get_current_context(), "token", error)
            origin = None
        return function(*args, origin=origin, **options)

    return wrapper  # type: ignore[return-value]  # click's decorators give the same callable back


def chosen_origin(token_command: str | None, token_file: Path | None) -> "Origin | None":
    """Where tokens come from; the variable is taken out of the environment, so that no child process inherits it.

    Raises:
        SettingsError: More than one place is named, or the command cannot be run.
    """
    value = os.environ.pop(TOKEN_VARIABLE, "").strip()
    named = {TOKEN_VARIABLE: value, "--token-file": token_file, "--token-command": token_command}
    given = [name for name, each in named.items() if each]
    if len(given) > 1:
        raise SettingsError(f"Tokens come from one place, and {' and '.join(given)} are set.", "Leave one of them.")
    if not given:
        return None
    from copilot_mcp.auth import command_origin, file_origin, variable_origin

    if value:
        return variable_origin(TOKEN_VARIABLE, value)
    if token_file is not None:
        return file_origin(token_file)
    return command_origin(token_command or "", environment=os.environ)


def check_at_start(origin: "Origin", cloud: str) -> None:
    """Refuse at once a token that can never serve. One that has expired, or is not there yet, is only warned of.

    Raises:
        AuthenticationError: It is for another API, for an application, for a personal account, or no token.
    """
    if not origin.at_start:
        return
    from copilot_mcp.auth import OutsideToken

    try:
        announce_token(anyio.run(OutsideToken(CLOUDS[cloud], origin).facts), origin)
    except AuthenticationError as error:
        if error.kind not in _WAITS:
            raise
        say(f"WARNING: {error}")


def announce_token(facts: "TokenFacts", origin: "Origin") -> None:
    """Say which token is used, to standard error."""
    say(token_sentence(facts, origin, datetime.now(UTC)))


def token_sentence(facts: "TokenFacts", origin: "Origin", now: datetime) -> str:
    """Audience, person, permissions and expiry of a token; nothing of the token itself."""
    ends = datetime.fromtimestamp(facts.expires or 0.0, UTC)
    minutes = max(0, round((ends - now).total_seconds() / 60))
    person = f", as {facts.username}" if facts.username else ""
    return (
        f"The access token comes from {origin.name}: for {facts.audience}{person}, until {ends:%Y-%m-%d %H:%M} UTC "
        f"({minutes} minutes). It carries {', '.join(sorted(facts.scopes or ()))}. It is kept in memory only and never "
        "refreshed here."
    )
