"""Runs the asynchronous half of a command, which Ctrl-C ends in order."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar, TypeVarTuple, Unpack

import anyio

__all__ = ["run_to_end"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def run_to_end(function: Callable[[Unpack[Ts]], Awaitable[T]], *args: *Ts) -> T:
    """What `function` gives.

    Ctrl-C cancels it as anyio does, so that what works in a thread is waited for and its tasks end before the loop;
    left to asyncio they would be found at the loop's end, and complained of. A second Ctrl-C ends it as it stands.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    interrupted = False

    async def watched() -> T:
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as scope:

            def interrupt() -> None:
                nonlocal interrupted
                interrupted = True
                loop.remove_signal_handler(signal.SIGINT)
                scope.cancel()

            with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows; a thread that gets no signals
                loop.add_signal_handler(signal.SIGINT, interrupt)
            return await function(*args)
        raise anyio.get_cancelled_exc_class()

    try:
        return anyio.run(watched)
    except BaseException:
        if interrupted:  # whatever came of the cancelling
            raise KeyboardInterrupt from None
        raise
