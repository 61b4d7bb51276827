"""`copilot-mcp simulate`: the simulated tenant alone, for any other client."""

import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING

import click

from copilot_mcp.auth import CLOUDS
from copilot_mcp.cli._logs import start_logging
from copilot_mcp.cli._options import documents_option, log_option
from copilot_mcp.cli._simulated import STREAM_PACE_S, load_tenant
from copilot_mcp.simulator import HOURLY_LIMIT

if TYPE_CHECKING:
    from copilot_mcp.simulator import Simulator

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
@click.option(
    "--fault",
    "faults",
    metavar="SPEC",
    multiple=True,
    envvar="COPILOT_MCP_SIMULATE_FAULT",
    show_envvar=True,
    help="Misbehave: NAME[@OPERATION][,OPTION=VALUE...], once unless times says otherwise, for instance "
    "throttled@retrieval,retry_after=7,times=always. May be repeated; a name that does not exist lists them all.",
)
@click.option(
    "--hourly-limit",
    type=click.IntRange(0),
    default=HOURLY_LIMIT,
    show_default=True,
    envvar="COPILOT_MCP_SIMULATE_HOURLY_LIMIT",
    show_envvar=True,
    help="Retrievals that each person may send in an hour before 429; 0 for no limit.",
)
@log_option
def command(port: int, documents: Path | None, faults: tuple[str, ...], hourly_limit: int, log_level: str) -> None:
    """Run the simulated tenant alone.

    Its Entra and its Graph, on loopback, for any client, until interrupted. It prints the addresses and the client id
    to use.
    """
    from copilot_mcp.simulator import Simulator

    start_logging(log_level)
    tenant = load_tenant(documents)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    key = token_urlsafe() if documents is not None else None
    with Simulator(tenant, pace=STREAM_PACE_S, key=key, hourly_limit=hourly_limit or None) as simulator:
        ask_for_faults(simulator, faults)
        try:
            url = simulator.start(port)
        except OSError as error:
            raise click.ClickException(f"Port {port} cannot be used: {error}. Choose another with --port.") from None
        click.echo(f"Simulated tenant at {url}: {len(tenant.documents)} documents. {tenant.about}")
        if tenant.left_out:
            click.echo(tenant.left_out_sentence)
        page = f"{url}/devicelogin" + (f"?key={key}" if key else "")
        click.echo(f"Graph: {url}/v1.0 and {url}/beta. Sign-in: {url}/organizations/v2.0, page {page}")
        row = CLOUDS["simulated"]
        click.echo(f"Client id {row.client_id}, which is the only one that it knows; tenant id {row.tenant_id}.")
        for fault in simulator.faults.waiting:
            click.echo(f"Fault: {fault.name} in {fault.operation}, {_often(fault.times)}: {fault.kind.about}")
        click.echo(f"People: {', '.join(f'{user.name} ({user.key})' for user in tenant.users)}")
        if key:
            click.echo(
                f"Join it: set COPILOT_MCP_SIMULATE_URL={url}#{key} for copilot-mcp serve; the key is for you alone"
            )
        else:
            click.echo(f"Join it: copilot-mcp serve --simulate-url {url}")
        ended.wait()


def ask_for_faults(simulator: "Simulator", specs: Sequence[str]) -> None:
    """Ask the tenant for each fault.

    Raises:
        click.BadParameter: A line cannot be read; the text says why, and which faults there are.
    """
    for spec in specs:
        try:
            simulator.faults.add_spec(spec)
        except ValueError as error:
            raise click.BadParameter(f"{spec}: {error}.", param_hint="--fault") from None


def _often(times: int | None) -> str:
    return "always" if times is None else "once" if times == 1 else f"{times} times"
