"""A retrieval that takes its time: signs of life by the clock, and no longer than a call may take."""

import math
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from copilot_mcp.tools.watch import kept_alive

pytestmark = pytest.mark.anyio

FIND = {"tool": "copilot_retrieve", "queryString": "How long is parental leave?", "dataSource": "sharePoint"}


async def test_a_slow_retrieval_says_every_five_seconds_that_it_goes_on(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down()
    slow_tenant.faults.add("slow", operation="retrieval", seconds=12)
    seen = await desk.ask(**FIND)
    assert seen.data["hits"]
    assert seen.progress == [
        (5.0, "Searching Microsoft 365, no answer yet (5 s)."),
        (10.0, "Searching Microsoft 365, no answer yet (10 s)."),
    ]
    assert seen.seconds == pytest.approx(12.0)
    assert (await desk.ask(**FIND)).progress == []


@pytest.mark.parametrize(("limit", "outcome"), [(math.inf, "done"), (20.0, "done"), (7.0, None)])
@pytest.mark.parametrize("hears", ["not", "no more"])
async def test_a_host_that_does_not_hear_costs_the_work_nothing(
    time: Any, limit: float, outcome: str | None, hears: str
) -> None:
    async def progress(message: str) -> None:
        if hears == "no more":
            raise anyio.BrokenResourceError
        await anyio.sleep_forever()

    async def work() -> str:
        await time.sleep(12)
        return "done"

    context: Any = SimpleNamespace(sleep=time.sleep, progress=progress)
    async with anyio.create_task_group() as clock:
        clock.start_soon(time.run)
        assert await kept_alive(work, context, limit, "Searching") == outcome
        clock.cancel_scope.cancel()
    assert time.seconds == pytest.approx(12.0 if outcome else 7.0)


@pytest.mark.parametrize("more", [[], [{"queryString": "leave", "dataSource": "oneDriveBusiness"}]])
async def test_a_retrieval_ends_with_the_time_of_its_call(sit_down: Any, slow_tenant: Any, more: Any) -> None:
    desk = await sit_down(call_limit=7)
    slow_tenant.faults.add("slow", operation="batch" if more else "retrieval", seconds=30)
    seen = await desk.ask(**FIND, moreRequests=more)
    assert seen.seconds == pytest.approx(7.0)
    assert "Microsoft 365 did not answer within 7 s." in seen.text
    assert "--call-limit" in seen.text
    assert (seen.error["kind"], seen.error["requestsUsed"]) == ("timeout", 1 + len(more))
    assert [text for _, text in seen.progress] == ["Searching Microsoft 365, no answer yet (5 s)."]
    assert (await desk.ask(**FIND)).data["hits"]
