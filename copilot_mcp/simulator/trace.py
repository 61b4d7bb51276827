"""What the tenant was asked and what it answered, kept for tests, for `GET /simulator/trace` and for the demo.

Trace entries hold sizes, statuses and the filter; exchanges hold whole JSON bodies. Neither ever holds a token, a
device code or an Authorization header: bodies of the sign-in service pass only through a list of harmless members.
"""

import threading
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["Trace", "harmless"]

MAX_ENTRIES: Final = 1_000
MAX_EXCHANGES: Final = 200
_HARMLESS: Final = frozenset(
    {
        "claims",
        "client_id",
        "error",
        "error_codes",
        "expires_in",
        "grant_type",
        "interval",
        "scope",
        "suberror",
        "token_type",
        "verification_uri",
    }
)


def harmless(body: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a sign-in body that are no secrets."""
    return {name: value for name, value in body.items() if name in _HARMLESS}


class Trace:
    """The latest entries and exchanges, oldest first; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[dict[str, Any]] = deque(maxlen=MAX_ENTRIES)
        self._exchanges: deque[dict[str, Any]] = deque(maxlen=MAX_EXCHANGES)
        self._count = 0
        self._received: Counter[str] = Counter()

    def add(self, entry: dict[str, Any], request: Any, response: Any) -> dict[str, Any]:
        """Keep one request; answers the exchange, whose `response` a stream fills as it goes on."""
        with self._lock:
            self._count += 1
            numbered = {"number": self._count, **entry}
            exchange = {
                "number": self._count,
                "method": entry["method"],
                "path": entry["path"],
                "operation": entry["operation"],
                "status": entry["status"],
                "request": request,
                "response": response,
            }
            self._entries.append(numbered)
            self._exchanges.append(exchange)
            return exchange

    def count(self, method: str, operation: str) -> None:
        """Count a request that has come in, whatever becomes of it."""
        if method == "POST":
            with self._lock:
                self._received[operation] += 1

    @property
    def received(self) -> dict[str, int]:
        """POSTs that came in, by operation."""
        with self._lock:
            return dict(self._received)

    def clear(self) -> None:
        """Forget everything but the numbering."""
        with self._lock:
            self._received.clear()
            self._entries.clear()
            self._exchanges.clear()

    @property
    def entries(self) -> list[dict[str, Any]]:
        """At most 1,000 entries."""
        with self._lock:
            return list(self._entries)

    @property
    def exchanges(self) -> list[dict[str, Any]]:
        """At most 200 exchanges."""
        with self._lock:
            return list(self._exchanges)
