"""`copilot-mcp serve`: the MCP server, over stdio or HTTP."""

import gc
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from copilot_mcp.cli._account import warn_of_plain_file
from copilot_mcp.cli._logs import start_logging
from copilot_mcp.cli._names import names_from
from copilot_mcp.cli._options import settings_from
from copilot_mcp.cli._outside import check_at_start
from copilot_mcp.cli._say import say
from copilot_mcp.cli._serve_options import require_http_for_its_options, serve_options
from copilot_mcp.cli._services import GraphServices
from copilot_mcp.cli._simulated import StartedTenant, chosen_tenant, simulated_settings
from copilot_mcp.errors import SettingsError
from copilot_mcp.settings import Settings

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from copilot_mcp.auth import Origin

__all__ = ["command"]

LEAST_SECRET_CHARACTERS = 32


@click.command("serve")
@serve_options
@click.pass_context
def command(
    context: click.Context,
    /,
    transport: str,
    host: str,
    port: int,
    settings_file: Path | None,
    simulate: bool,
    simulate_url: str | None,
    documents: Path | None,
    user: str | None,
    signed_out: bool,
    log_level: str,
    origin: "Origin | None",
    **decided: Any,
) -> None:
    """Serve the tools to an MCP host.

    They speak to Microsoft 365, or with --simulate to a simulated tenant. The HTTP server asks for a secret in the
    Authorization header: that of COPILOT_MCP_SECRET (32 characters or more), else a new one, printed at its start.
    """
    require_http_for_its_options(context, transport)
    local = chosen_tenant(
        simulate=simulate, simulate_url=simulate_url, documents=documents, user=user, signed_out=signed_out
    )
    names = names_from(settings_file, simulated=local is not None)
    settings = settings_from(names=names, **decided)
    if local is not None:
        settings = simulated_settings(settings)
    start_logging(log_level)
    if isinstance(local, StartedTenant) and documents is not None:
        local.load()  # says at once what is wrong with the folder
    _say_at_start(settings, origin)
    services = GraphServices(settings, local, origin=origin)
    server = _built(services, settings)
    if transport == "stdio":
        from copilot_mcp.server.stdio import serve_stdio

        sys.exit(anyio.run(serve_stdio, server, services))
    _serve_http(server, services, host, port, start_up_secret(fictional=local is not None and not local.private))


def _built(services: GraphServices, settings: Settings) -> "MCPServer[Any]":
    """The server, without a garbage collection meanwhile: nearly all that is imported stays, and walking over it again
    and again took a tenth of the start (measured). What is there afterwards is never walked over again."""
    gc.disable()
    try:
        from copilot_mcp.server import build_server

        return build_server(services, settings, person=services.person)
    finally:
        gc.freeze()
        gc.enable()


def _say_at_start(settings: Settings, origin: "Origin | None") -> None:
    """What a person must know before the first call: a token that cannot serve, or a sign-in that lies in clear."""
    if origin is not None:
        check_at_start(origin, settings.cloud)
    elif settings.client_id:
        warn_of_plain_file(settings)


def start_up_secret(*, fictional: bool) -> str | None:
    """The secret of the HTTP server; None where only the built-in company could be read.

    From the environment and never from a flag, which every user of the machine could see.

    Raises:
        SettingsError: The secret given is short enough to be guessed.
    """
    secret = os.environ.get("COPILOT_MCP_SECRET")
    if secret is None:
        from copilot_mcp.server.http import new_secret

        return None if fictional else new_secret()
    if len(secret) < LEAST_SECRET_CHARACTERS:
        raise SettingsError(
            f"COPILOT_MCP_SECRET has fewer than {LEAST_SECRET_CHARACTERS} characters.",
            "Take a longer random one, or unset it to get a new one at each start.",
        )
    return secret


def _serve_http(server: "MCPServer[Any]", services: GraphServices, host: str, port: int, secret: str | None) -> None:
    from copilot_mcp.server.http import HTTP_PATH, SSE_PATH, bind_loopback, http_app, serve_http

    listener = bind_loopback(host, port)
    address = f"http://{'[::1]' if ':' in host else host}:{listener.getsockname()[1]}"
    with suppress(KeyboardInterrupt):  # the way to stop it
        say(f"Streamable HTTP at {address}{HTTP_PATH} (for new clients), SSE at {address}{SSE_PATH}")
        say(host_configuration(f"{address}{HTTP_PATH}", secret))
        anyio.run(serve_http, http_app(server, secret=secret, services=services), listener)


def host_configuration(url: str, secret: str | None) -> str:
    """What to paste into an MCP host's configuration. A secret that was given is named and not shown.

    Whoever gave it has it, and standard error often ends in a file.
    """
    entry: dict[str, Any] = {"type": "http", "url": url}
    if secret is not None:
        given = os.environ.get("COPILOT_MCP_SECRET")
        shown = "<the value of COPILOT_MCP_SECRET>" if secret == given else secret
        entry["headers"] = {"Authorization": f"Bearer {shown}"}
    shown = json.dumps({"mcpServers": {"copilot-mcp": entry}}, indent=2)
    return f"For your MCP host (VS Code: the same below `servers`):\n{shown}"
