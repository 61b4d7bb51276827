"""How many retrievals a person has used: a rolling count, kept by us because the service never says.

Microsoft allows a person 200 retrievals an hour, and each may be billed. The count is an estimate: it knows only what
this person's copilot-mcp processes sent. So it warns early, and refuses only once the service itself has said 429
within the hour, or where the settings ask for it.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

import anyio

from copilot_mcp.errors import ThrottledError

__all__ = ["HOURLY_LIMIT", "MemoryStore", "Quota", "QuotaStore"]

HOURLY_LIMIT = 200
WARN_SHARE = 0.8

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S


class QuotaStore(Protocol):
    """Where a count is kept, as a short text. May block for a moment; called from a worker thread."""

    def update(self, change: Callable[[str], str]) -> None:
        """Put `change(text)` in the text's place, no other process's change lost; an error leaves it as it is."""


class MemoryStore:
    """Keeps the count as long as the process lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._text = ""

    def update(self, change: Callable[[str], str]) -> None:
        """Apply the change."""
        with self._lock:
            self._text = change(self._text)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was sent in the last 24 hours.

    Attributes:
        spent: requests by the minute they were sent in (seconds since 1970), oldest first.
        throttled_at: when the service last said 429, in seconds since 1970; 0 when it never did.
    """

    spent: tuple[tuple[int, int], ...] = ()
    throttled_at: float = 0.0

    @classmethod
    def read(cls, text: str) -> "Ledger":
        """The ledger in a text; an empty one where the text is damaged, as a count is never worth a failure."""
        try:
            data = json.loads(text)
            spent = sorted((int(minute), int(count)) for minute, count in data["spent"])
            return cls(tuple(spent), float(data["throttledAt"]))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return cls()

    def written(self) -> str:
        """The text to keep."""
        return json.dumps({"spent": self.spent, "throttledAt": self.throttled_at}, separators=(",", ":"))

    def since(self, moment: float) -> int:
        """Requests sent after `moment`, by the minute."""
        return sum(count for minute, count in self.spent if minute + _MINUTE_S > moment)

    def with_more(self, count: int, now: float) -> "Ledger":
        """The ledger with `count` more requests, or fewer where it is negative; what is a day old falls out."""
        kept = {
            minute: n for minute, n in self.spent if now - _DAY_S < minute + _MINUTE_S and minute <= now + _MINUTE_S
        }
        minute = int(now) // _MINUTE_S * _MINUTE_S
        if count > 0:
            kept[minute] = kept.get(minute, 0) + count
        for place in sorted(kept, reverse=True):
            taken = min(kept[place], max(0, -count))
            kept[place] -= taken
            count += taken
        return replace(self, spent=tuple(sorted((place, n) for place, n in kept.items() if n > 0)))

    def free_in(self, count: int, now: float, limit: int, span: int) -> float:
        """Seconds until `count` more requests stay within `limit` in `span` seconds; at most all of the span."""
        over = self.since(now - span) + count - limit
        for minute, spent in self.spent:
            if minute + _MINUTE_S <= now - span:
                continue
            over -= spent
            if over <= 0:
                return min(max(0.0, minute + _MINUTE_S + span - now), span)
        return float(span)


class Quota:
    """One person's count. `refuses`: hold to it even before the service throttles; `per_day`: our own limit."""

    def __init__(self, store: QuotaStore, *, refuses: bool = False, per_day: int | None = None) -> None:
        self._store = store
        self._refuses = refuses
        self._per_day = per_day
        self._seen = Ledger()  # as it was after the latest change

    async def take(self, count: int, now: datetime) -> None:
        """Count `count` requests that are about to be sent.

        Raises:
            ThrottledError: They would pass the limit of the day, or that of the hour where it is held to. Nothing
                was counted, and nothing is to be sent.
        """
        await self._update(partial(self._taken, count=count, now=now.timestamp()))

    async def settle(self, difference: int, *, throttled: bool, now: datetime) -> str | None:
        """Correct a count taken before by what was really sent, and say what is probably left where that is little.

        Args:
            difference: requests sent beyond those taken: retries; negative where some were not sent.
            throttled: whether the service has just said 429.
        """
        ledger = self._seen  # nearly always all that was taken was sent, and nothing more
        if difference or throttled:
            ledger = await self._update(
                partial(_settled, difference=difference, throttled=throttled, now=now.timestamp()),
            )
        used = ledger.since(now.timestamp() - _HOUR_S)
        if used < WARN_SHARE * HOURLY_LIMIT:
            return None
        left = max(0, HOURLY_LIMIT - used)
        return (
            f"Quota: about {used} of this person's {HOURLY_LIMIT} retrievals an hour are used, so probably {left} are "
            "left. The count is this program's own; Microsoft's may differ."
        )

    def _taken(self, ledger: Ledger, *, count: int, now: float) -> Ledger:
        day, hour = ledger.since(now - _DAY_S), ledger.since(now - _HOUR_S)
        if self._per_day is not None and day + count > self._per_day:
            raise ThrottledError(
                f"{day} requests were sent in the last 24 hours, and {count} more would pass the limit of "
                f"{self._per_day} a day.",
                "Nothing was sent. The person may raise --max-requests-per-day.",
                kind="day_limit",
                retry_after=ledger.free_in(count, now, self._per_day, _DAY_S),
            )
        confirmed = ledger.throttled_at > 0 and 0 <= now - ledger.throttled_at < _HOUR_S
        if hour + count > HOURLY_LIMIT and (confirmed or self._refuses):
            reason = "Microsoft 365 has throttled this person within the hour" if confirmed else "--quota refuse is set"
            raise ThrottledError(
                f"About {hour} of {HOURLY_LIMIT} retrievals of the hour are used, and {reason}.",
                "Nothing was sent.",
                retry_after=ledger.free_in(count, now, HOURLY_LIMIT, _HOUR_S),
            )
        return ledger.with_more(count, now)

    async def _update(self, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Change the ledger, a stored one in a worker thread, to the end even while the caller is being cancelled."""
        kept: list[Ledger] = []

        def apply(text: str) -> str:
            kept[:] = [change(Ledger.read(text))]
            return kept[0].written()

        if isinstance(self._store, MemoryStore):  # nothing to wait for
            self._store.update(apply)
        else:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._store.update, apply)
        self._seen = kept[0]
        return self._seen


def _settled(ledger: Ledger, *, difference: int, throttled: bool, now: float) -> Ledger:
    settled = ledger.with_more(difference, now)
    return replace(settled, throttled_at=now) if throttled else settled
