"""The limit of the Retrieval API: 200 requests a person and hour, each item of a batch one of them."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import HOURLY_LIMIT
from copilot_mcp.simulator.replies import GraphRefusalError
from copilot_mcp.simulator.throttle import Throttle

QUESTION = {"queryString": "How long is parental leave?", "dataSource": "sharePoint", "maximumNumberOfResults": 1}
ITEM = {"method": "POST", "url": "/copilot/retrieval", "headers": {"Content-Type": "application/json"}}


def waits(throttle: Throttle, user: str) -> int:
    """Seconds that the next request of this person is told to wait, 0 where it is answered."""
    try:
        throttle.count(user)
    except GraphRefusalError as refusal:
        return int(refusal.headers["Retry-After"])
    return 0


def test_a_request_is_answered_once_an_earlier_one_is_an_hour_old(clock: Any) -> None:
    throttle = Throttle(2, clock)
    assert [waits(throttle, "adele"), waits(throttle, "megan")] == [0, 0]
    clock.advance(600)
    assert waits(throttle, "adele") == 0
    clock.advance(60)
    assert waits(throttle, "adele") == 3_540  # the refused one counts, so the first one's end frees nothing
    assert waits(throttle, "megan") == 0
    clock.advance(3_541)
    assert waits(throttle, "adele") == 0
    assert [waits(Throttle(None, clock), "adele") for _ in range(3)] == [0, 0, 0]


@pytest.mark.anyio
async def test_the_201st_request_of_an_hour_is_refused_until_it_is_over(
    graph: httpx.AsyncClient, graph_of: Callable[..., Awaitable[httpx.AsyncClient]], clock: Any
) -> None:
    for _ in range(HOURLY_LIMIT // 20 - 1):
        items = [{**ITEM, "id": str(number), "body": QUESTION} for number in range(20)]
        answer = await graph.post("/v1.0/$batch", json={"requests": items})
        assert {each["status"] for each in answer.json()["responses"]} == {200}
    statuses = [(await graph.post("/v1.0/copilot/retrieval", json=QUESTION)).status_code for _ in range(20)]
    refused = await graph.post("/v1.0/copilot/retrieval", json=QUESTION)
    assert (set(statuses), refused.status_code, refused.headers["retry-after"]) == ({200}, 429, "3600")
    assert refused.json()["error"]["code"] == "TooManyRequests"
    batch = await graph.post("/v1.0/$batch", json={"requests": [{**ITEM, "id": "1", "body": QUESTION}]})
    (item,) = batch.json()["responses"]
    assert (batch.status_code, item["status"], item["headers"]["Retry-After"]) == (200, 429, "3600")
    other = await graph_of("megan")
    assert (await other.post("/v1.0/copilot/retrieval", json=QUESTION)).status_code == 200
    clock.advance(3_601)
    headers = (await graph_of("adele")).headers  # the token's hour is over as well
    assert (await graph.post("/v1.0/copilot/retrieval", json=QUESTION, headers=headers)).status_code == 200
