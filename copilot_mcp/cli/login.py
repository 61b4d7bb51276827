"""`copilot-mcp login`: device code, shown to a person."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import click

from copilot_mcp.cli._account import missing_scope_lines, require_client_id, require_keeping, where_kept
from copilot_mcp.cli._logs import start_logging
from copilot_mcp.cli._options import account_options, log_option, settings_from
from copilot_mcp.cli._services import LocalTenant, open_credential, sign_in_scopes
from copilot_mcp.cli._simulated import chosen_tenant, simulated_settings
from copilot_mcp.settings import Settings

if TYPE_CHECKING:
    from copilot_mcp.auth import SignInAttempt

__all__ = ["command"]


@click.command("login")
@click.option(
    "--simulate-url",
    envvar="COPILOT_MCP_SIMULATE_URL",
    show_envvar=True,
    help="Try the sign-in at the simulated tenant that runs at this loopback address; nothing is kept.",
)
@click.option(
    "--replace-account",
    is_flag=True,
    help="Let another account take the place of the one that this profile belongs to.",
)
@account_options
@log_option
def command(
    simulate_url: str | None,
    client_id: str | None,
    replace_account: bool,
    log_level: str,
    **decided: Any,
) -> None:
    """Sign in to Microsoft 365 by device code.

    The sign-in is kept for `serve`, `status` and later sign-ins of this profile.
    """
    start_logging(log_level)
    joined = chosen_tenant(
        simulate=False, simulate_url=simulate_url, documents=None, user=None, signed_out=simulate_url is not None
    )
    if joined is not None:
        settings = simulated_settings(settings_from(client_id=client_id, **decided))
    else:
        settings = settings_from(client_id=require_client_id(client_id), **decided)
        require_keeping(settings)
    try:
        anyio.run(_login, settings, joined, replace_account)
    except KeyboardInterrupt:
        raise click.ClickException("Cancelled; nobody was signed in.") from None


async def _login(settings: Settings, joined: LocalTenant | None, replace_account: bool) -> None:
    from copilot_mcp.auth import open_http

    if joined is not None:
        click.echo("This is a simulated tenant, not Microsoft 365.", err=True)
    async with open_http(await joined.open() if joined else None) as http:
        credential = open_credential(settings, http)
        credential.replace_account = replace_account
        attempt = await credential.start_sign_in(sign_in_scopes())
        show(attempt)
        account = await credential.finish_sign_in(attempt)
        click.echo(f"Signed in as {account.name} <{account.username}>, tenant {account.tenant_id}.")
        click.echo(await anyio.to_thread.run_sync(where_kept, settings))
        for line in missing_scope_lines(await credential.missing_scopes(sign_in_scopes())):
            click.echo(line)


def show(attempt: "SignInAttempt") -> None:
    """The page and the code, to standard error: prompts never mix with an answer."""
    minutes = max(1, round((attempt.expires_at - datetime.now(UTC)).total_seconds() / 60))
    click.echo(f"To sign in, open {attempt.verification_uri}", err=True)
    click.echo(f"and enter the code {click.style(attempt.user_code, bold=True)} within {minutes} minutes.", err=True)
    click.echo("The page must name your own app registration; stop if it names another app.", err=True)
