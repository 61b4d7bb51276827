"""`copilot-mcp logout`: forget the sign-in on this machine."""

from typing import Literal

import anyio
import click

from copilot_mcp.cli._account import require_client_id
from copilot_mcp.cli._logs import start_logging
from copilot_mcp.cli._options import account_options, log_option
from copilot_mcp.cli._services import open_credential
from copilot_mcp.settings import Settings

__all__ = ["command"]


@click.command("logout")
@account_options
@log_option
def command(cloud: str, tenant: str, client_id: str | None, cache: Literal["plain", "memory"], log_level: str) -> None:
    """Forget the sign-in on this machine."""
    start_logging(log_level)
    anyio.run(_logout, Settings(cloud, tenant, require_client_id(client_id), cache=cache))


async def _logout(settings: Settings) -> None:
    from copilot_mcp.auth import open_http

    async with open_http() as http:
        credential = open_credential(settings, http)
        account = await credential.account()
        await credential.sign_out()
    click.echo(f"Signed out {account.username}." if account else "Nobody was signed in.")
    click.echo(
        "Sessions at Microsoft were not revoked: end them at https://mysignins.microsoft.com if this machine was lost."
    )
