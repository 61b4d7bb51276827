"""The stdio transport, ended cleanly: by closed input, SIGINT and SIGTERM.

Left alone, SIGTERM kills the SDK's server before anything is closed, and SIGINT leaves it waiting for its input
(both tried with mcp 2.3.0). So a signal cancels the server, and a timer ends the process should its reader thread,
which cannot be abandoned, still sit in a read.
"""

import logging
import os
import signal
import sys
import threading
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
from anyio import CancelScope
from anyio.abc import TaskStatus
from mcp.server import MCPServer

__all__ = ["serve_stdio"]

logger = logging.getLogger(__name__)

GRACE_S = 0.5


async def serve_stdio(server: MCPServer[Any], services: AbstractAsyncContextManager[Any]) -> int:
    """Serve one client on standard input and output; `services` is open around the server.

    Returns:
        The exit status: 0 when the input was closed, 128 + the signal's number after SIGINT or SIGTERM, 1 when the
        output could not be written.
    """
    received: list[int] = []
    heard = True
    async with services, anyio.create_task_group() as tasks:
        if sys.platform != "win32":  # asyncio has no signal receiver there; console events end the process
            await tasks.start(_watch_signals, tasks.cancel_scope, received)
        heard = await _heard_out(server)
        tasks.cancel_scope.cancel()
    return 128 + received[0] if received else 0 if heard else 1


async def _heard_out(server: MCPServer[Any]) -> bool:
    """Serve until the input is closed; False where the host stopped reading before it stopped writing."""
    heard = True
    try:
        await server.run_stdio_async()
    except* OSError:  # of the SDK's writer; no tool lets one out
        logger.warning("Standard output cannot be written any more: the host has gone, and the last answers are lost.")
        heard = False
    return heard


async def _watch_signals(
    scope: CancelScope, received: list[int], *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            received.append(number)
            timer = threading.Timer(GRACE_S, os._exit, (128 + number,))
            timer.daemon = True
            timer.start()
            scope.cancel()
            return
