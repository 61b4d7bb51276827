"""Threads for what may block for ever: a name server that never answers, a window that nobody closes."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import anyio

__all__ = ["in_daemon_thread"]

T = TypeVar("T")


async def in_daemon_thread(function: Callable[[], T]) -> T:
    """What `function` gives; a caller who gives up leaves it behind.

    Not anyio's threads: the process would wait for them at its end.
    """
    done = anyio.Event()
    loop = asyncio.get_running_loop()
    outcome: list[tuple[T | None, Exception | None]] = []

    def work() -> None:
        try:
            outcome.append((function(), None))
        except Exception as error:
            outcome.append((None, error))
        with suppress(RuntimeError):  # the event loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=work, name="copilot-mcp", daemon=True).start()
    await done.wait()
    value: Any
    value, error = outcome[0]
    if error is not None:
        raise error
    result: T = value
    return result
