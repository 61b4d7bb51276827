"""A retrieval that takes its time: signs of life by the clock, and no longer than a call may take."""

from typing import Any

import pytest

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
