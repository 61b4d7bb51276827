"""The options of `serve`, declared once: `doctor` takes the same."""

import click
from click.core import ParameterSource

from copilot_mcp.cli._options import (
    account_options,
    all_of,
    filter_options,
    log_option,
    result_options,
    simulation_options,
)
from copilot_mcp.cli._outside import outside_options
from copilot_mcp.cli._setting import refuse, setting
from copilot_mcp.errors import SettingsError

__all__ = ["require_http_for_its_options", "serve_options"]

DEFAULT_PORT = 8765


def _checked_time_zone(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    if name is None:
        return None
    from copilot_mcp.tools.time_zone import checked_zone  # lists the zones there are

    try:
        return checked_zone(name)
    except ValueError as error:
        raise click.BadParameter(f"{name!r} {error}") from None


_server_options = all_of(
    setting(
        "--transport",
        type=click.Choice(["stdio", "http", "sse"]),
        default="stdio",
        show_default=True,
        envvar="COPILOT_MCP_TRANSPORT",
        help="stdio, or one HTTP server with Streamable HTTP at /mcp and SSE at /sse (http and sse mean the same).",
    ),
    setting(
        "--host",
        default="127.0.0.1",
        show_default=True,
        envvar="COPILOT_MCP_HOST",
        help="Loopback address of the HTTP server; any other is refused.",
    ),
    setting(
        "--port",
        type=click.IntRange(0, 65535),
        default=DEFAULT_PORT,
        show_default=True,
        envvar="COPILOT_MCP_PORT",
        help="Port of the HTTP server; 0 takes any free one.",
    ),
    setting(
        "--chat",
        type=click.Choice(["stream", "sync"]),
        default="stream",
        show_default=True,
        envvar="COPILOT_MCP_CHAT",
        help="Stream chat answers, or wait for the whole one; never one after the other.",
    ),
    setting(
        "--call-limit",
        type=click.IntRange(1, 300),
        default=55,
        show_default=True,
        envvar="COPILOT_MCP_CALL_LIMIT",
        help="Seconds after which a chat call returns what there is, the rest is fetched by a further call, and a "
        "retrieval is given up.",
    ),
    setting(
        "--web",
        type=click.Choice(["ask", "never"]),
        default="ask",
        show_default=True,
        envvar="COPILOT_MCP_WEB",
        help="Web search by Copilot: for the turns that ask for it, or never.",
    ),
    setting(
        "--time-zone",
        callback=_checked_time_zone,
        envvar="COPILOT_MCP_TIME_ZONE",
        help="IANA time zone for chat calls without locationHint; left out: this machine's.",
    ),
)

serve_options = all_of(
    _server_options,
    filter_options,
    result_options,
    account_options,
    outside_options,
    simulation_options,
    log_option,
)


def require_http_for_its_options(context: click.Context, transport: str) -> None:
    """Flags of the HTTP server without it would be ignored in silence. Variables may be meant for another server.

    Raises:
        SettingsError: There are such flags.
    """
    given = (name for name in ("host", "port") if context.get_parameter_source(name) is ParameterSource.COMMANDLINE)
    if transport == "stdio" and (flags := " and ".join(f"--{name}" for name in given)):
        error = SettingsError(
            f"{flags} would be ignored: the transport is stdio.", "Add --transport http, or leave that out."
        )
        refuse(context, "transport-options", error)
