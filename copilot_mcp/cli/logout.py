"""`copilot-mcp logout`: forget the sign-in on this machine."""

from typing import Any

import click

from copilot_mcp.cli._account import require_client_id
from copilot_mcp.cli._logs import start_logging
from copilot_mcp.cli._options import account_options, log_option, settings_from
from copilot_mcp.cli._running import run_to_end
from copilot_mcp.cli._say import tell
from copilot_mcp.cli._services import open_credential
from copilot_mcp.errors import AuthenticationRequiredError
from copilot_mcp.settings import Settings

__all__ = ["command"]

_LEFT = (
    "That file is removed. Its key is still in the key store, which would open a copy of the file, such as one in a "
    "backup: to remove it too, sign in and out again when the key store can be used."
)


@click.command("logout")
@account_options
@log_option
def command(client_id: str | None, log_level: str, **decided: Any) -> None:
    """Forget the sign-in on this machine."""
    start_logging(log_level)
    run_to_end(_logout, settings_from(client_id=require_client_id(client_id), **decided))


async def _logout(settings: Settings) -> None:
    from copilot_mcp.auth import open_http

    async with open_http(proxies=False) as http:  # nothing is sent
        credential = open_credential(settings, http)
        try:
            account = await credential.account()
            done = f"Signed out {account.username}." if account else "Nobody was signed in."
        except AuthenticationRequiredError as error:
            # What cannot be opened can still be removed.
            done = f"{error.message} {_LEFT}" if error.kind == "cache_shut" else error.message
        await credential.sign_out()
    tell(done)
    tell(
        "Sessions at Microsoft were not revoked: end them at https://mysignins.microsoft.com if this machine was lost."
    )
