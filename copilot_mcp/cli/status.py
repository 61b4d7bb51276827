"""`copilot-mcp status`: who is signed in, and what that allows."""

import sys
from typing import Any

import anyio
import click

from copilot_mcp.cli._account import missing_scope_lines, require_client_id, where_kept
from copilot_mcp.cli._logs import start_logging
from copilot_mcp.cli._options import account_options, log_option, settings_from
from copilot_mcp.cli._services import open_credential, sign_in_scopes
from copilot_mcp.cli._simulated import simulated_settings
from copilot_mcp.settings import Settings

__all__ = ["command"]


@click.command("status")
@click.option(
    "--simulate",
    is_flag=True,
    envvar="COPILOT_MCP_SIMULATE",
    show_envvar=True,
    help="Say what `serve --simulate` would use.",
)
@account_options
@log_option
def command(
    simulate: bool,
    client_id: str | None,
    log_level: str,
    **decided: Any,
) -> None:
    """Show who is signed in.

    With the permissions granted and where the sign-in is kept. Ends with status 1 when nobody is signed in.
    """
    start_logging(log_level)
    settings = settings_from(client_id=client_id, **decided)
    if simulate:
        settings = simulated_settings(settings)
        click.echo("simulated tenant: not Microsoft 365. `serve --simulate` signs in by itself.")
        click.echo(f"Tenant {settings.tenant}, client {settings.client_id}. {where_kept(settings)}")
        return
    require_client_id(client_id)
    sys.exit(anyio.run(_status, settings))


async def _status(settings: Settings) -> int:
    from copilot_mcp.auth import open_http

    click.echo(
        f"Cloud {settings.cloud}, tenant {settings.tenant}, client {settings.client_id}, profile {settings.profile}."
    )
    place = await anyio.to_thread.run_sync(where_kept, settings)
    async with open_http() as http:
        credential = open_credential(settings, http)
        account = await credential.account()
        missing = await credential.missing_scopes(sign_in_scopes())
    if account is None:
        click.echo("Signed out. Run `copilot-mcp login`.")
        click.echo(place)
        return 1
    click.echo(f"Signed in as {account.name} <{account.username}>, tenant {account.tenant_id}.")
    click.echo(f"Granted: {', '.join(account.scopes)}.")
    click.echo(place)
    for line in missing_scope_lines(missing):
        click.echo(line)
    return 0
