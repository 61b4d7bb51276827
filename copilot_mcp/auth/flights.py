"""Single flight: of many callers who need the same thing, one errand is run, and all get what it brings.

The errand belongs to the task group given, so that a caller who is cancelled leaves at once and the others still get
their answer. Without a task group it runs in the first caller's task, whose cancellation then waits for it.
"""

import copy
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from copilot_mcp.errors import AuthenticationError

__all__ = ["Flights"]

KeyT = TypeVar("KeyT", bound=Hashable)
ResultT = TypeVar("ResultT")


@dataclass(slots=True)
class _Flight(Generic[ResultT]):
    done: anyio.Event = field(default_factory=anyio.Event)
    result: ResultT | None = None
    error: Exception | None = None


class Flights(Generic[KeyT, ResultT]):
    """Errands under way, by key. All calls from one event loop."""

    def __init__(self, tasks: TaskGroup | None) -> None:
        self._tasks = tasks
        self._under_way: dict[KeyT, _Flight[ResultT]] = {}

    async def join(self, key: KeyT, errand: Callable[[], Awaitable[ResultT]]) -> tuple[ResultT, bool]:
        """What the errand under this key brings, and whether it was ours; one under way is joined.

        Raises:
            Exception: What the errand raised; each caller gets a copy of its own.
        """
        flight = self._under_way.get(key)
        ours = flight is None
        if flight is None:
            flight = _Flight()
            if self._tasks is not None:
                self._tasks.start_soon(self._run, key, flight, errand)
                self._under_way[key] = flight
            else:
                self._under_way[key] = flight
                with anyio.CancelScope(shield=True):
                    await self._run(key, flight, errand)
        await flight.done.wait()
        if flight.error is not None:
            raise copy.copy(flight.error)
        if flight.result is None:
            raise AuthenticationError("The server is shutting down.", "Start it again.", kind="shutting_down")
        return flight.result, ours

    async def _run(self, key: KeyT, flight: _Flight[ResultT], errand: Callable[[], Awaitable[ResultT]]) -> None:
        try:
            flight.result = await errand()
        except Exception as error:
            flight.error = error
        finally:
            self._under_way.pop(key, None)
            flight.done.set()
