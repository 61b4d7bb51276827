"""`copilot-mcp doctor`: what would prevent a server from working here, line by line."""

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from copilot_mcp.cli._account import how_kept
from copilot_mcp.cli._doctor_report import lines, report, report_width
from copilot_mcp.cli._given import known_variables, options_given
from copilot_mcp.cli._logs import start_logging
from copilot_mcp.cli._names import read_names, settings_files
from copilot_mcp.cli._options import settings_from
from copilot_mcp.cli._running import run_to_end
from copilot_mcp.cli._serve_options import require_http_for_its_options, serve_options
from copilot_mcp.cli._services import open_credential
from copilot_mcp.cli._setting import collect_refusals, refuse
from copilot_mcp.cli._simulated import DEMO_USER, JoinedTenant, StartedTenant, chosen_tenant, simulated_settings
from copilot_mcp.cli._surroundings import look_around
from copilot_mcp.cli.serve import LEAST_SECRET_CHARACTERS
from copilot_mcp.errors import CopilotMcpError, SettingsError
from copilot_mcp.settings import Settings

if TYPE_CHECKING:
    import httpx

    from copilot_mcp.auth import Origin
    from copilot_mcp.cli._services import LocalTenant
    from copilot_mcp.doctor import FileRead, Finding, Given, Outside, Way

__all__ = ["command"]


class _Examining(click.Command):
    """Goes on with what `serve` refuses, since it is what one runs when things are wrong."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        collect_refusals(ctx)
        return super().parse_args(ctx, args)


@click.command("doctor", cls=_Examining)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
@serve_options
@click.pass_context
def command(
    context: click.Context,
    /,
    as_json: bool,
    settings_file: Path | None,
    origin: "Origin | None",
    transport: str,
    host: str,
    port: int,
    user: str | None,
    log_level: str,
    **decided: Any,
) -> None:
    """Find out what prevents the tools from working.

    Looks at this machine, the configuration, the network and the sign-in as `serve` would find them with the same
    options, and says what to do. It never signs in and never calls Copilot. Ends with status 1 when something
    prevents the tools from working.
    """
    start_logging(log_level)
    simulation = {name: decided.pop(name) for name in ("simulate", "simulate_url", "documents", "signed_out")}
    local = _tenant(context, user=user, **simulation)
    if isinstance(local, StartedTenant):
        local.announces = False  # it ends with this command
    require_http_for_its_options(context, transport)
    _judge_host(context, transport, host)
    settings = settings_from(**decided)
    if local is not None:
        settings = simulated_settings(settings)
    given = options_given(context, settings, origin, collect_refusals(context))
    files = files_read(settings_file, simulated=local is not None)
    signs_in = (user or DEMO_USER) if local is not None and local.signs_in else None
    findings = run_to_end(_examined, settings, given, files, local, origin, signs_in, transport != "stdio")
    from copilot_mcp.doctor import Verdict, worst

    if as_json:
        click.echo(json.dumps(report(findings, simulated=settings.simulated, now=datetime.now(UTC)), indent=2))
    else:
        click.echo("\n".join(lines(findings, simulated=settings.simulated, width=report_width())))
    sys.exit(1 if worst(findings) is Verdict.PROBLEM else 0)


def _tenant(
    context: click.Context,
    *,
    simulate: bool,
    simulate_url: str | None,
    documents: Path | None,
    user: str | None,
    signed_out: bool,
) -> "StartedTenant | JoinedTenant | None":
    """The simulated tenant; where the options contradict each other, the one that they name first."""
    try:
        return chosen_tenant(
            simulate=simulate, simulate_url=simulate_url, documents=documents, user=user, signed_out=signed_out
        )
    except SettingsError as error:
        refuse(context, "simulation", error)
    if simulate:
        return StartedTenant(documents, user or DEMO_USER, signs_in=not signed_out)
    return JoinedTenant(simulate_url, user or DEMO_USER, signs_in=not signed_out) if simulate_url else None


def _judge_host(context: click.Context, transport: str, host: str) -> None:
    if transport == "stdio":
        return
    from copilot_mcp.server.http import bind_loopback

    try:
        bind_loopback(host, 0).close()  # not the port itself, at which the server may be running
    except SettingsError as error:
        refuse(context, "host", error)


def files_read(file: Path | None, *, simulated: bool) -> "list[FileRead]":
    """The settings files that `serve` would read, read."""
    from copilot_mcp.doctor import FileRead

    read = []
    for path in (file,) if file is not None else () if simulated else settings_files():
        if file is None and not (path.is_file() or path.is_dir()):
            read.append(FileRead(str(path), None))
            continue
        try:
            read.append(FileRead(str(path), sum(len(names) for names in read_names(path).values())))
        except CopilotMcpError as error:
            read.append(FileRead(str(path), None, error))
    return read


async def _examined(
    settings: Settings,
    given: "Sequence[Given]",
    files: "Sequence[FileRead]",
    local: "LocalTenant | None",
    origin: "Origin | None",
    user: str | None,
    over_http: bool,
) -> "list[Finding]":
    from copilot_mcp.auth import open_http
    from copilot_mcp.doctor import Subject, examine

    async with AsyncExitStack() as stack:
        way = await _way(stack, local)
        http = await stack.enter_async_context(open_http(proxies=False)) if isinstance(way, Exception) else way.http
        around = look_around()
        subject = Subject(
            settings,
            given,
            files,
            dict(os.environ),
            known_variables(click.get_current_context()),
            LEAST_SECRET_CHARACTERS,
            way,
            partial(how_kept, settings),
            open_credential(settings, http),
            around.name,
            around.browser_comes_back,
            outside=_outside(settings, origin),
            user=user,
            over_http=over_http,
        )
        return await examine(subject)


async def _way(stack: AsyncExitStack, local: "LocalTenant | None") -> "Way | CopilotMcpError":
    from copilot_mcp.auth import in_daemon_thread, open_http
    from copilot_mcp.doctor import Way, addresses_of, proxy_of

    async def resolve(name: str) -> Sequence[str]:
        return await in_daemon_thread(partial(addresses_of, name))

    transport: httpx.AsyncBaseTransport | None = None
    try:
        if local is not None:
            stack.push_async_callback(local.aclose)
            transport = await local.open()
        http = await stack.enter_async_context(open_http(transport))
    except CopilotMcpError as error:
        return error
    return Way(http, resolve, proxy_of, time.time, loopback=local is not None)


def _outside(settings: Settings, origin: "Origin | None") -> "Outside | None":
    if origin is None:
        return None
    from copilot_mcp.auth import CLOUDS, OutsideToken
    from copilot_mcp.doctor import Outside

    return Outside(origin.name, OutsideToken(CLOUDS[settings.cloud], origin).facts)
