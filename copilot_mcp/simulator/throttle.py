"""The limit of the Retrieval API: so many requests a person and hour. What is refused counts as well."""

import math
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from copilot_mcp.simulator.replies import GraphRefusalError

__all__ = ["Throttle"]

_HOUR_S: Final = 3_600


class Throttle:
    """Counts the requests of each person. `limit` None: nobody is ever refused."""

    def __init__(self, limit: int | None, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def count(self, user: str) -> None:
        """Count one request of this person.

        Raises:
            GraphRefusalError: 429, with the seconds until one more would be answered.
        """
        if self._limit is None:
            return
        now = self._clock()
        with self._lock:
            times = self._times.setdefault(user, deque(maxlen=self._limit))
            full = len(times) == self._limit and times[0] > now - _HOUR_S
            times.append(now)  # the oldest makes room
            wait = times[0] + _HOUR_S - now
        if full:
            headers = {"Retry-After": str(max(1, math.ceil(wait)))}
            raise GraphRefusalError(429, "TooManyRequests", "Too many requests; wait and try again.", headers)
