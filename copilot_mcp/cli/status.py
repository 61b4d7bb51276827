"""`copilot-mcp status`: who is signed in, and what that allows."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from copilot_mcp.cli._account import how_kept, kept, missing_scope_lines, require_client_id
from copilot_mcp.cli._errors import error_facts
from copilot_mcp.cli._logs import start_logging
from copilot_mcp.cli._options import account_options, log_option, settings_from, simulation_options
from copilot_mcp.cli._outside import outside_options, token_sentence
from copilot_mcp.cli._running import run_to_end
from copilot_mcp.cli._say import tell
from copilot_mcp.cli._services import open_credential, sign_in_scopes
from copilot_mcp.cli._simulated import JoinedTenant, StartedTenant, chosen_tenant, simulated_settings
from copilot_mcp.errors import CopilotMcpError
from copilot_mcp.settings import Settings
from copilot_mcp.tools.consent import closed_uses, tools_closed_without

if TYPE_CHECKING:
    from copilot_mcp.auth import Account, Keeping, Origin, TokenFacts

__all__ = ["command"]


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as one JSON object.")
@account_options
@outside_options
@simulation_options
@log_option
def command(
    as_json: bool,
    client_id: str | None,
    simulate: bool,
    simulate_url: str | None,
    documents: Path | None,
    user: str | None,
    signed_out: bool,
    log_level: str,
    origin: "Origin | None",
    **decided: Any,
) -> None:
    """Show who is signed in.

    With the permissions granted and where the sign-in is kept; of a simulated tenant, whom `serve` would sign in by
    itself. Ends with status 1 when nobody is signed in, or when that cannot be told.
    """
    start_logging(log_level)
    settings = settings_from(client_id=client_id, **decided)
    try:
        local = chosen_tenant(
            simulate=simulate, simulate_url=simulate_url, documents=documents, user=user, signed_out=signed_out
        )
        if local is not None:
            settings = simulated_settings(settings)
            sys.exit(run_to_end(_simulated_status, settings, local, as_json))
        if origin is not None:
            run_to_end(_outside_status, settings, origin, as_json)
            return
        require_client_id(client_id)
        sys.exit(run_to_end(_status, settings, as_json))
    except CopilotMcpError as error:
        if not as_json:
            raise
        click.echo(json.dumps(_head(settings) | {"signedIn": False, "error": error_facts(error)}, indent=2))
        sys.exit(1)


async def _simulated_status(settings: Settings, local: "StartedTenant | JoinedTenant", as_json: bool) -> int:
    """Whom a server would sign in by itself; nobody is signed in for that."""
    from copilot_mcp.auth import Account
    from copilot_mcp.doctor import simulated_findings

    person = await local.user()
    username = person.username if local.signs_in else None
    if as_json:
        account = Account(person.username, person.name, settings.tenant, sign_in_scopes()) if username else None
        click.echo(json.dumps(_facts(settings, account, how_kept(settings)), indent=2))
    else:
        tell("simulated tenant: not Microsoft 365.")
        tell(f"Tenant {settings.tenant}, client {settings.client_id}.")
        for finding in simulated_findings(username):
            tell(finding.what)
    return 0 if username else 1


async def _status(settings: Settings, as_json: bool) -> int:
    from copilot_mcp.auth import open_http

    place = await anyio.to_thread.run_sync(how_kept, settings)
    async with open_http(proxies=False) as http:  # nothing is sent
        account = await open_credential(settings, http).account()
    if as_json:
        click.echo(json.dumps(_facts(settings, account, place), indent=2))
        return 0 if account else 1
    tell(f"Cloud {settings.cloud}, tenant {settings.tenant}, client {settings.client_id}, profile {settings.profile}.")
    if account is None:
        from copilot_mcp.doctor import account_finding

        finding = account_finding(None, lasting=place.path is not None)
        tell(f"{finding.what} {finding.remedy}")
        tell(kept(place))
        return 1
    tell(f"Signed in as {account.name} <{account.username}>, tenant {account.tenant_id}.")
    tell(f"Granted: {', '.join(account.scopes)}.")
    tell(kept(place))
    for line in missing_scope_lines(_missing(account.scopes)):
        tell(line)
    return 0


async def _outside_status(settings: Settings, origin: "Origin", as_json: bool) -> None:
    """The token that would be used; raises where it could not be."""
    from copilot_mcp.auth import CLOUDS, OutsideToken

    facts = await OutsideToken(CLOUDS[settings.cloud], origin).facts()
    if as_json:
        click.echo(json.dumps(_outside_facts(settings, origin, facts), indent=2))
        return
    tell(token_sentence(facts, origin, datetime.now(UTC)))
    for line in missing_scope_lines(_missing(facts.scopes or ())):
        tell(line)


def _missing(granted: Any) -> list[str]:
    return sorted(set(sign_in_scopes()) - set(granted))


def _facts(settings: Settings, account: "Account | None", place: "Keeping") -> dict[str, Any]:
    """What a program may rely on; a member that does not apply is null."""
    missing = _missing(account.scopes if account else ())
    person = {"username": account.username, "name": account.name, "tenantId": account.tenant_id} if account else None
    return _head(settings) | {
        "signedIn": account is not None,
        "account": person,
        "granted": list(account.scopes) if account else [],
        "missing": missing,
        **_closed(missing),
        "cache": {
            "path": str(place.path) if place.path else None,
            "encrypted": place.encrypted,
            "protectedBy": place.protected_by or None,
            "reason": place.reason or None,
        },
        "outsideToken": None,
        "error": None,
    }


def _outside_facts(settings: Settings, origin: "Origin", facts: "TokenFacts") -> dict[str, Any]:
    missing = _missing(facts.scopes or ())
    return _head(settings) | {
        "signedIn": True,
        "account": {"username": facts.username, "name": None, "tenantId": facts.tenant_id},
        "granted": sorted(facts.scopes or ()),
        "missing": missing,
        **_closed(missing),
        "cache": None,
        "outsideToken": {
            "origin": origin.name,
            "audience": facts.audience,
            "expires": datetime.fromtimestamp(facts.expires or 0.0, UTC).isoformat(),
        },
        "error": None,
    }


def _closed(missing: list[str]) -> dict[str, list[str]]:
    """The tools that are of no use at all, and every part of one that is not."""
    return {
        "closedTools": list(tools_closed_without(missing)),
        "closedUses": [str(use) for use in closed_uses(missing)],
    }


def _head(settings: Settings) -> dict[str, Any]:
    return {
        "simulated": settings.simulated,
        "cloud": settings.cloud,
        "tenant": settings.tenant,
        "clientId": settings.client_id,
        "profile": settings.profile,
    }
