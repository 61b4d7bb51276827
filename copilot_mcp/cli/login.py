"""`copilot-mcp login`: by device code, browser or broker, shown to a person."""

import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import click

from copilot_mcp.cli._account import missing_scope_lines, require_client_id, require_keeping, where_kept
from copilot_mcp.cli._errors import INTERRUPTED
from copilot_mcp.cli._logs import start_logging
from copilot_mcp.cli._options import account_options, log_option, settings_from
from copilot_mcp.cli._person import announce
from copilot_mcp.cli._running import run_to_end
from copilot_mcp.cli._say import say, tell
from copilot_mcp.cli._services import LocalTenant, open_credential, sign_in_scopes
from copilot_mcp.cli._simulated import chosen_tenant, simulated_settings
from copilot_mcp.cli._surroundings import Surroundings, look_around
from copilot_mcp.cli._terminal import is_dumb, is_terminal
from copilot_mcp.cli._waiting import keep_company, spoken
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError, CopilotMcpError, SettingsError
from copilot_mcp.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from copilot_mcp.auth import Account, Credential, SignInAttempt

__all__ = ["command"]

_BLOCKED = ("sign_in_expired", "blocked_by_policy", "device_required", "approved_app_required")
"""What Entra says of a device code that an organisation does not allow; an expiry is all that some of them cause."""

OPEN_TIMEOUT_S = 10.0

_ERASE_LINE = "\r\x1b[K"


@click.command("login")
@click.option("--browser", is_flag=True, help="Sign in with a browser on this machine.")
@click.option("--broker", is_flag=True, help="Sign in through the operating system's broker.")
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser of this machine.")
@click.option(
    "--tool",
    "tools",
    multiple=True,
    metavar="TOOL",
    help="Ask for the permissions of this tool alone; may be given more than once.  [default: every tool]",
)
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
    browser: bool,
    broker: bool,
    opens: bool,
    tools: tuple[str, ...],
    simulate_url: str | None,
    client_id: str | None,
    replace_account: bool,
    log_level: str,
    **decided: Any,
) -> None:
    """Sign in to Microsoft 365, by device code unless told otherwise.

    The sign-in is kept for `serve`, `status` and later sign-ins of this profile.
    """
    start_logging(log_level)
    if browser and broker:
        raise click.UsageError("--browser and --broker exclude each other. Leave one of them out.")
    method = "browser" if browser else "broker" if broker else None
    joined = chosen_tenant(
        simulate=False, simulate_url=simulate_url, documents=None, user=None, signed_out=simulate_url is not None
    )
    if joined is not None:
        settings = simulated_settings(settings_from(client_id=client_id, **decided))
    else:
        settings = settings_from(client_id=require_client_id(client_id), **decided)
        require_keeping(settings)
    login = Login(scopes_of(tools), method, opens, look_around())
    try:
        run_to_end(_login, settings, joined, login, replace_account)
    except KeyboardInterrupt:
        behind = "\n" if is_terminal(sys.stderr) else ""  # the ^C
        say(f"{behind}Cancelled; nobody was signed in.")
        sys.exit(INTERRUPTED)


def scopes_of(tools: tuple[str, ...]) -> tuple[str, ...]:
    """The permissions of these tools, of all where none is named.

    Raises:
        SettingsError: There is no such tool, or it needs no sign-in.
    """
    from copilot_mcp.tools import TOOLS

    known = {tool.name: tool.scopes for tool in TOOLS if tool.scopes}
    for name in tools:
        if name not in known:
            raise SettingsError(f"--tool {name}: no such tool needs a sign-in.", f"There are {', '.join(known)}.")
    return tuple(sorted({scope for name in tools for scope in known[name]})) if tools else sign_in_scopes()


class Login:
    """One run of the command: which permissions, which method, and where it happens."""

    def __init__(self, scopes: tuple[str, ...], method: str | None, opens: bool, around: Surroundings) -> None:
        self.scopes = scopes
        self._method = method
        self._opens = opens
        self._around = around

    async def run(self, credential: "Credential", loopback: str | None) -> "Account":
        """Sign in. `loopback` is the address of a simulated tenant, which no browser finds by its own name.

        Raises:
            SettingsError: The method does not go with this place.
            AuthenticationError: Declined, expired or refused.
        """
        if self._method == "broker":
            return await credential.broker_sign_in(self.scopes)
        if self._method == "browser":
            if not self._around.browser_comes_back and loopback is None:
                raise SettingsError(
                    f"This is {self._around.name}: a browser cannot come back to it.",
                    "Sign in by device code, without --browser; its page opens on any device. Where device codes are "
                    f"blocked, {self._around.without_device_codes}.",
                )
            return await credential.browser_sign_in(self.scopes, partial(self._show_page, loopback))
        return await self._by_device_code(credential)

    async def _by_device_code(self, credential: "Credential") -> "Account":
        tell(f"Signing in by device code: its page opens on any device (this is {self._around.name}).", err=True)
        outcome, elsewhere = await self._asked(credential)
        if elsewhere and (isinstance(outcome, CopilotMcpError) or await self._lacks(credential)):
            tell("The other process has ended that sign-in or asked for less, so one more is needed.", err=True)
            outcome, _ = await self._asked(credential)
        if isinstance(outcome, CopilotMcpError):
            raise outcome
        return outcome

    async def _asked(self, credential: "Credential") -> "tuple[Account | CopilotMcpError, bool]":
        """What the person decided, and whether it was another process that asked them."""
        from copilot_mcp.auth import SignedInMeanwhileError

        try:
            attempt = await credential.start_sign_in(self.scopes, limited=False)
        except SignedInMeanwhileError as meanwhile:
            return meanwhile.account, True
        return await self._decided(credential, attempt), attempt.elsewhere

    def hint_after(self, error: AuthenticationError) -> str:
        """What to add to a refusal here, where its own advice to use a browser is of no use; mostly nothing."""
        if error.kind in _BLOCKED and not self._around.browser_comes_back:
            return f" Here, {self._around.without_device_codes}."
        return ""

    async def _decided(self, credential: "Credential", attempt: "SignInAttempt") -> "Account | CopilotMcpError":
        """Show the code, and wait for the person."""
        if attempt.elsewhere:
            tell("Another copilot-mcp process asks for this already; one approval serves both.", err=True)
        announce(attempt)
        tell(f"Read aloud, the code is: {spoken(attempt.user_code)}.", err=True)
        await self._open(attempt.verification_uri)
        rewrite = _rewrite if is_terminal(sys.stderr) and not is_dumb() else None
        try:
            async with anyio.create_task_group() as tasks:
                company = partial(
                    keep_company,
                    now=_now,
                    say=partial(tell, err=True),
                    rewrite=rewrite,
                    otherwise=self._around.without_device_codes,
                )
                tasks.start_soon(company, attempt.expires_at)
                outcome = await _outcome(credential.finish_sign_in(attempt))
                tasks.cancel_scope.cancel()
        finally:
            if rewrite is not None:  # also when it is interrupted, or the next line would stand behind this one
                rewrite("")
        return outcome

    async def _lacks(self, credential: "Credential") -> bool:
        """Whether some permission is missing, also after a refresh that asks for all of them."""
        if await credential.missing_scopes(self.scopes):
            with suppress(AuthenticationError, AuthenticationRequiredError):
                await credential.token(self.scopes)
        return bool(await credential.missing_scopes(self.scopes))

    async def _show_page(self, loopback: str | None, address: str) -> None:
        if loopback is not None:
            parts = urlsplit(address)
            address = f"{loopback}{parts.path}?{parts.query}"
        tell("To sign in, open this address in a browser on this machine within 5 minutes:", err=True)
        click.echo(address, err=True)
        tell("The page must name your own app registration; stop if it names another app.", err=True)
        await self._open(address)

    async def _open(self, address: str) -> None:
        """Open a page where that was asked for and a graphical browser is there for sure."""
        if not self._opens:
            return
        if self._around.opener is None:
            tell(f"This is {self._around.name}, with no browser to open: open the address yourself.", err=True)
            return
        from copilot_mcp.auth import without_our_secrets

        try:
            with anyio.move_on_after(OPEN_TIMEOUT_S):
                await anyio.run_process(
                    [*self._around.opener, address],
                    env=without_our_secrets(os.environ),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=False,
                )
        except OSError:
            tell("The browser could not be opened: open the address yourself.", err=True)


async def _outcome(signing: "Awaitable[Account]") -> "Account | CopilotMcpError":
    """The account, or the refusal as a value: a task group would wrap what is raised inside it."""
    try:
        return await signing
    except CopilotMcpError as error:
        return error


async def _login(settings: Settings, joined: LocalTenant | None, login: Login, replace_account: bool) -> None:
    from copilot_mcp.auth import open_http

    if joined is not None:
        tell("This is a simulated tenant, not Microsoft 365.", err=True)
    async with open_http(await joined.open() if joined else None) as http:
        credential = open_credential(settings, http)
        credential.replace_account = replace_account
        try:
            account = await login.run(credential, joined.address if joined else None)
        except AuthenticationError as error:
            error.hint += login.hint_after(error)
            if error.lacks_permission:
                error.hint += " `--tool copilot_retrieve` asks for the permissions of one tool alone."
            raise
        tell(f"Signed in as {account.name} <{account.username}>, tenant {account.tenant_id}.")
        tell(await anyio.to_thread.run_sync(where_kept, settings))
        for line in missing_scope_lines(await credential.missing_scopes(login.scopes)):
            tell(line)
        if missing := await credential.missing_scopes(login.scopes):
            tell(f"An administrator approves them at {credential.consent_link(missing)}")


def _now() -> datetime:
    return datetime.now(UTC)


def _rewrite(line: str) -> None:
    """Replace the last line of the terminal."""
    click.echo(f"{_ERASE_LINE}{line}", err=True, nl=False, color=True)  # else it would be taken out with the colours
