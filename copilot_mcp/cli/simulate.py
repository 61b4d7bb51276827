"""`copilot-mcp simulate`: the simulated tenant alone, for any other client."""

import signal
import threading
from pathlib import Path
from secrets import token_urlsafe

import click

from copilot_mcp.cli._logs import start_logging
from copilot_mcp.cli._options import documents_option, log_option
from copilot_mcp.cli._simulated import STREAM_PACE_S, load_tenant

__all__ = ["command"]


@click.command("simulate")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8764,
    show_default=True,
    envvar="COPILOT_MCP_SIMULATE_PORT",
    show_envvar=True,
    help="Loopback port; 0 takes any free one.",
)
@documents_option
@log_option
def command(port: int, documents: Path | None, log_level: str) -> None:
    """Run the simulated tenant alone.

    Its Entra and its Graph, on loopback, for any client, until interrupted.
    """
    from copilot_mcp.simulator import Simulator

    start_logging(log_level)
    tenant = load_tenant(documents)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    key = token_urlsafe() if documents is not None else None
    with Simulator(tenant, pace=STREAM_PACE_S, key=key) as simulator:
        try:
            url = simulator.start(port)
        except OSError as error:
            raise click.ClickException(f"Port {port} cannot be used: {error}. Choose another with --port.") from None
        click.echo(f"Simulated tenant at {url}: {len(tenant.documents)} documents. {tenant.about}")
        page = f"{url}/devicelogin" + (f"?key={key}" if key else "")
        click.echo(f"Graph: {url}/v1.0 and {url}/beta. Sign-in: {url}/organizations/v2.0, page {page}")
        click.echo(f"People: {', '.join(f'{user.name} ({user.key})' for user in tenant.users)}")
        if key:
            click.echo(
                f"Join it: set COPILOT_MCP_SIMULATE_URL={url}#{key} for copilot-mcp serve; the key is for you alone"
            )
        else:
            click.echo(f"Join it: copilot-mcp serve --simulate-url {url}")
        ended.wait()
