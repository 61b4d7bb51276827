"""`copilot-mcp doctor`: what would prevent a server from working here, line by line."""

import json
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from copilot_mcp import __version__
from copilot_mcp.cli._account import how_kept
from copilot_mcp.cli._given import known_variables, options_given
from copilot_mcp.cli._logs import start_logging
from copilot_mcp.cli._names import read_names, settings_files
from copilot_mcp.cli._options import (
    examined_account_options,
    filter_options,
    log_option,
    settings_from,
    simulation_options,
)
from copilot_mcp.cli._outside import outside_options
from copilot_mcp.cli._services import open_credential
from copilot_mcp.cli._simulated import DEMO_USER, chosen_tenant, simulated_settings
from copilot_mcp.cli._surroundings import look_around
from copilot_mcp.cli.serve import LEAST_SECRET_CHARACTERS
from copilot_mcp.errors import CopilotMcpError
from copilot_mcp.settings import Settings

if TYPE_CHECKING:
    import httpx

    from copilot_mcp.auth import Origin
    from copilot_mcp.cli._services import LocalTenant
    from copilot_mcp.doctor import FileRead, Finding, Given, Outside, Way

__all__ = ["command"]

_COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "red"}
_HEADINGS = {
    "machine": "This machine",
    "configuration": "Configuration",
    "network": "Network",
    "sign-in": "Sign-in",
}
_MARGIN = 11
_WIDEST = 110


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
@filter_options
@examined_account_options
@outside_options
@simulation_options
@log_option
def command(
    as_json: bool,
    settings_file: Path | None,
    origin: "Origin | None",
    simulate: bool,
    simulate_url: str | None,
    documents: Path | None,
    user: str | None,
    signed_out: bool,
    log_level: str,
    **decided: Any,
) -> None:
    """Find out what prevents the tools from working.

    Looks at this machine, the configuration, the network and the sign-in as `serve` would find them with the same
    options, and says what to do. It never signs in and never calls Copilot. Ends with status 1 when something
    prevents the tools from working.
    """
    start_logging(log_level)
    local = chosen_tenant(
        simulate=simulate, simulate_url=simulate_url, documents=documents, user=user, signed_out=signed_out
    )
    settings = settings_from(**decided)
    if local is not None:
        settings = simulated_settings(settings)
    given = options_given(click.get_current_context(), settings, origin)
    files = files_read(settings_file, simulated=local is not None)
    signs_in = (user or DEMO_USER) if local is not None and local.signs_in else None
    findings = anyio.run(_examined, settings, given, files, local, origin, signs_in)
    from copilot_mcp.doctor import Verdict, worst

    if as_json:
        click.echo(json.dumps(report(findings, simulated=settings.simulated, now=datetime.now(UTC)), indent=2))
    else:
        click.echo("\n".join(lines(findings, simulated=settings.simulated, width=_width())))
    sys.exit(1 if worst(findings) is Verdict.PROBLEM else 0)


def files_read(file: Path | None, *, simulated: bool) -> "list[FileRead]":
    """The settings files that `serve` would read, read."""
    from copilot_mcp.doctor import FileRead

    read = []
    for path in (file,) if file is not None else () if simulated else settings_files():
        if file is None and not path.is_file():
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


def report(findings: "Sequence[Finding]", *, simulated: bool, now: datetime) -> dict[str, Any]:
    """What a program may rely on: topics, verdicts and facts are stable, sentences are not."""
    from copilot_mcp.doctor import worst

    return {
        "version": __version__,
        "time": now.isoformat(timespec="seconds"),
        "simulated": simulated,
        "verdict": worst(findings),
        "findings": [
            {
                "section": each.section,
                "topic": each.topic,
                "verdict": each.verdict,
                "what": each.what,
                "remedy": each.remedy or None,
                "facts": dict(each.facts),
            }
            for each in findings
        ],
    }


def lines(findings: "Sequence[Finding]", *, simulated: bool, width: int) -> Iterator[str]:
    """The report for a person; `width` columns, 0 for lines of any length."""
    if simulated:
        yield "simulated tenant: not Microsoft 365."
    section = None
    for each in findings:
        if each.section is not section:
            section = each.section
            yield ("" if each is findings[0] and not simulated else "\n") + click.style(_HEADINGS[section], bold=True)
        verdict = click.style(f"{each.verdict:<{_MARGIN - 3}}", fg=_COLOURS[each.verdict])
        first, *rest = _wrapped(each.what, width)
        yield f"  {verdict} {first}"
        yield from (" " * _MARGIN + line for line in rest)
        marked = [f"{'> ' if not place else '  '}{line}" for place, line in enumerate(_wrapped(each.remedy, width))]
        yield from (" " * _MARGIN + line for line in marked if each.remedy)
    yield "\n" + _summary(findings)


def _summary(findings: "Sequence[Finding]") -> str:
    problems, warnings = (sum(each.verdict == verdict for each in findings) for verdict in ("problem", "warning"))
    counted = f"{warnings} warning{'s' * (warnings != 1)}"
    if problems:
        shown = f"{problems} problem{'s' * (problems != 1)}, {counted}: the tools cannot work until that is put right."
        return click.style(shown, fg="red", bold=True)
    if warnings:
        return click.style(
            f"No problem, {counted}: nothing was found that prevents the tools from working.", fg="yellow", bold=True
        )
    return click.style("Nothing was found that prevents the tools from working.", fg="green", bold=True)


def _wrapped(text: str, width: int) -> list[str]:
    room = max(20, width - _MARGIN - 2)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) if width else [text]


def _width() -> int:
    """Of the terminal; a pipe or a file gets each finding on one line."""
    return min(shutil.get_terminal_size().columns, _WIDEST) if sys.stdout.isatty() else 0
