"""Watching a turn on behalf of a call: progress by the text, by the clock, and no longer than the call may take."""

import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Any, TypeVar

import anyio

from copilot_mcp.tools._tool import ToolContext, unheard
from copilot_mcp.tools.received import inert_text
from copilot_mcp.tools.turns import OpenTurn

__all__ = ["HEARTBEAT_S", "PROGRESS_INTERVAL_S", "SHOWN_CHARACTERS", "kept_alive", "watch", "within"]

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

PROGRESS_INTERVAL_S = 0.25
HEARTBEAT_S = 5.0
SHOWN_CHARACTERS = 16_000
"""A longer text is shown by its end: it goes to the host again and again while it grows."""

_NO_TEXT_YET = {
    "opening": "Connecting to Microsoft 365",
    "queued": "Waiting for the turn before this one to end",
    "asked": "Microsoft 365 Copilot is working on the answer, no text yet",
}


async def watch(turn: OpenTurn, context: ToolContext, until: float) -> bool:
    """Report how `turn` grows until it ends; False when `until` (monotonic seconds) came first.

    When the call is cancelled and no other call waits for the turn, its connection is closed at once.
    """
    pulse = _Pulse(context)
    turn.watchers += 1
    left = True
    try:
        while not turn.ended.is_set() and (now := context.monotonic()) < until:
            await pulse.beat(turn, now)
            news = turn.ended if pulse.owes(turn) else turn.news  # what is owed already needs no further news
            pause = min(until, pulse.due(turn)) - context.monotonic()
            if pause > 0 and not turn.ended.is_set():
                await within(news.wait, pause, context.sleep)
        left = False
    finally:
        turn.watchers -= 1
        if left and not turn.watchers:
            turn.cancel()
    return turn.ended.is_set()


class _Pulse:
    """New text at most every quarter of a second; where there is none, a sign of life every five seconds.

    Texts are cumulative, and every message is the whole text so far: what Copilot takes back is simply not said
    again, and what one message leaves out is in the next.
    """

    def __init__(self, context: ToolContext) -> None:
        self._progress = context.progress
        self._began = self._said_at = self._free_at = context.monotonic()
        self._said = ""

    def owes(self, turn: OpenTurn) -> bool:
        """Whether there is text that was not reported."""
        return turn.text not in ("", self._said)

    def due(self, turn: OpenTurn) -> float:
        """When the next message is due, as things are now; the first text, at once."""
        return self._free_at if self.owes(turn) else self._said_at + HEARTBEAT_S

    async def beat(self, turn: OpenTurn, now: float) -> None:
        """Send the message that is due at `now`, if one is."""
        if now < self.due(turn):
            return
        self._said_at, self._free_at = now, now + PROGRESS_INTERVAL_S
        self._said = turn.text
        await self._progress(_shown(turn.text) or f"{_NO_TEXT_YET[turn.stage]} ({now - self._began:.0f} s).")


def _shown(text: str) -> str:
    if len(text) <= SHOWN_CHARACTERS:
        return inert_text(text) if text else ""
    return f"[{len(text):,} characters so far, the end of them:] …{inert_text(text[-SHOWN_CHARACTERS:])}"


async def within(
    work: Callable[[], Awaitable[ResultT]],
    seconds: float,
    sleep: Callable[[float], Awaitable[None]],
    beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> ResultT | None:
    """What `work` answers, or None when that took longer; then it is cancelled. `beside` goes on meanwhile."""
    outcome: ResultT | None = None
    error: Exception | None = None
    async with anyio.create_task_group() as tasks:

        async def ring() -> None:
            await sleep(seconds)
            tasks.cancel_scope.cancel()

        if seconds < math.inf:
            tasks.start_soon(ring)
        if beside is not None:
            tasks.start_soon(beside)
        try:
            outcome = await work()
        except Exception as raised:  # raised again outside, since the group would wrap it
            error = raised
        tasks.cancel_scope.cancel()
    if error is not None:
        raise error
    return outcome


async def kept_alive(
    work: Callable[[], Awaitable[ResultT]], context: ToolContext, limit: float, what: str
) -> ResultT | None:
    """As `within` the `limit`, with a sign of life every five seconds that says `what` goes on.

    A host that does not hear it, or has gone, costs `work` nothing.
    """

    if context.progress is unheard and limit == math.inf:
        return await work()  # as most calls are; a task beside each of them would cost a hundredth of it

    async def beat() -> None:
        for beats in count(1):
            await context.sleep(HEARTBEAT_S)
            try:
                await context.progress(f"{what} ({beats * HEARTBEAT_S:.0f} s).")
            except Exception as error:
                logger.info("No sign of life could be sent (%s).", type(error).__name__)
                return

    return await within(work, limit, context.sleep, beat)
