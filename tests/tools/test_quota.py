"""The rolling count: what it says, when it refuses, and that it is never in the way."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from copilot_mcp.auth import SharedFile
from copilot_mcp.errors import ThrottledError
from copilot_mcp.tools.quota import Ledger, MemoryStore, Quota

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


def later(**passed: float) -> datetime:
    return NOW + timedelta(**passed)


async def spent(quota: Quota, count: int, now: datetime = NOW, *, throttled: bool = False) -> str | None:
    await quota.take(count, now)
    return await quota.settle(0, throttled=throttled, now=now)


async def test_below_four_fifths_nothing_is_said() -> None:
    assert await spent(Quota(MemoryStore()), 159) is None


async def test_from_four_fifths_on_what_is_probably_left_is_said() -> None:
    assert await spent(Quota(MemoryStore()), 160) == (
        "Quota: about 160 of this person's 200 retrievals an hour are used, so probably 40 are left. "
        "The count is this program's own; Microsoft's may differ."
    )


async def test_retries_count_and_what_was_not_sent_does_not() -> None:
    quota = Quota(MemoryStore())
    await quota.take(150, NOW)
    assert await quota.settle(9, throttled=False, now=NOW) is None
    await quota.take(3, NOW)
    assert "about 160 " in (await quota.settle(-2, throttled=False, now=NOW) or "")


async def test_requests_not_sent_are_taken_back_across_minutes() -> None:
    quota = Quota(MemoryStore())
    await quota.take(100, NOW)
    await quota.take(100, later(minutes=2))
    await quota.take(100, later(minutes=2))
    assert await quota.settle(-150, throttled=False, now=later(minutes=2)) is None
    assert await quota.settle(-500, throttled=False, now=later(minutes=2)) is None
    assert "about 170 " in (await spent(quota, 170, later(minutes=3)) or "")


async def test_an_hour_later_all_is_free_again() -> None:
    quota = Quota(MemoryStore())
    await spent(quota, 200)
    assert await spent(quota, 1, later(minutes=62)) is None


async def test_the_count_alone_never_refuses() -> None:
    assert "probably 0 are left" in (await spent(Quota(MemoryStore()), 500) or "")


async def test_after_a_429_within_the_hour_a_full_count_refuses() -> None:
    quota = Quota(MemoryStore())
    await spent(quota, 100, later(hours=-2))
    await spent(quota, 150)
    await spent(quota, 50, later(minutes=30), throttled=True)
    with pytest.raises(ThrottledError) as raised:
        await quota.take(1, later(minutes=40))
    assert str(raised.value) == (
        "About 200 of 200 retrievals of the hour are used, and Microsoft 365 has throttled this person within the "
        "hour. Nothing was sent. Next try in 1260 s."
    )
    assert raised.value.details() == {"kind": "throttled", "retryAfterSeconds": 1260.0}
    await quota.take(50, later(seconds=1260, minutes=40))


async def test_a_429_alone_does_not_refuse_and_is_forgotten_after_an_hour() -> None:
    quota = Quota(MemoryStore())
    await spent(quota, 1, throttled=True)
    await quota.take(150, later(minutes=5))
    await quota.take(150, later(minutes=61))


async def test_the_setting_refuses_without_a_429() -> None:
    quota = Quota(MemoryStore(), refuses=True)
    await spent(quota, 198)
    with pytest.raises(ThrottledError, match="--quota refuse is set"):
        await quota.take(3, NOW)
    await quota.take(2, NOW)
    with pytest.raises(ThrottledError, match=r"Next try in 3600 s\."):
        await quota.take(201, NOW)


async def test_the_limit_of_a_day_refuses_before_anything_is_sent() -> None:
    quota = Quota(MemoryStore(), per_day=10)
    await spent(quota, 8)
    with pytest.raises(ThrottledError) as raised:
        await quota.take(3, later(hours=23))
    assert str(raised.value) == (
        "8 requests were sent in the last 24 hours, and 3 more would pass the limit of 10 a day. "
        "Nothing was sent. The person may raise --max-requests-per-day. Next try in 3660 s."
    )
    assert raised.value.details() == {"kind": "day_limit", "retryAfterSeconds": 3660.0}
    await quota.take(2, later(hours=23))
    await quota.take(8, later(hours=24, minutes=2))


async def test_the_count_outlives_a_restart_and_is_shared(tmp_path: Path) -> None:
    first, second = (Quota(SharedFile(tmp_path / "quota.json")) for _ in range(2))
    await spent(first, 100)
    assert "about 170 " in (await spent(second, 70, later(minutes=1)) or "")
    assert json.loads((tmp_path / "quota.json").read_text("utf-8")) == {
        "spent": [[int(NOW.timestamp()), 100], [int(NOW.timestamp()) + 60, 70]],
        "throttledAt": 0.0,
    }


async def test_many_at_once_are_all_counted(tmp_path: Path) -> None:
    quota = Quota(SharedFile(tmp_path / "quota.json", lock_timeout_s=30))
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(quota.take, 8, NOW)
    assert "about 160 " in (await quota.settle(0, throttled=False, now=NOW) or "")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"spent": [[1]], "throttledAt": 0}', '{"spent": [["x", 1]], "throttledAt": 0}', '{"spent": []}'],
)
def test_a_damaged_count_begins_anew(text: str) -> None:
    assert Ledger.read(text) == Ledger()


def test_a_clock_that_was_set_back_does_not_keep_the_future() -> None:
    ahead = Ledger().with_more(200, NOW.timestamp() + 7200)
    assert ahead.with_more(1, NOW.timestamp()).since(0) == 1


def test_a_day_of_requests_stays_small() -> None:
    begin = int(NOW.timestamp())
    busy = Ledger(tuple((begin + minute * 60, 1) for minute in range(3 * 24 * 60)))
    ledger = busy.with_more(1, begin + 3 * 24 * 3600)
    assert len(ledger.spent) == 24 * 60 + 1
    assert len(ledger.written()) < 30_000
