"""Each named fault spoils what it says, as often as it was asked to."""

from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import Simulator
from copilot_mcp.simulator.faults import Faults

RETRIEVAL = {"queryString": "VPN", "dataSource": "sharePoint"}
TURN = {"message": {"text": "VPN"}, "locationHint": {"timeZone": "Etc/UTC"}}


async def retrieved(graph: httpx.AsyncClient) -> httpx.Response:
    return await graph.post("/v1.0/copilot/retrieval", json=RETRIEVAL)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("unauthorized", 401, "InvalidAuthenticationToken"),
        ("forbidden", 403, "Forbidden"),
        ("no_licence", 403, "NoLicense"),
        ("not_found", 404, "ResourceNotFound"),
        ("throttled", 429, "TooManyRequests"),
        ("throttled_silent", 429, "UnknownError"),
        ("server_error", 500, "InternalServerError"),
        ("unavailable", 503, "ServiceUnavailable"),
        ("gateway_timeout", 504, "GatewayTimeout"),
    ],
)
async def test_a_refusal_strikes_once(
    graph: httpx.AsyncClient, simulator: Simulator, name: str, status: int, code: str
) -> None:
    simulator.faults.add(name)

    answers = [await retrieved(graph), await retrieved(graph)]

    assert [each.status_code for each in answers] == [status, 200]
    assert answers[0].json()["error"]["code"] == code
    assert simulator.trace[-2]["fault"] == name


@pytest.mark.anyio
async def test_waiting_times_stand_where_they_were_asked_for(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("throttled")
    simulator.faults.add("throttled", retry_after="Thu, 01 Oct 2026 12:00:09 GMT")
    simulator.faults.add("throttled_silent")
    simulator.faults.add("unavailable", retry_after="2")
    simulator.faults.add("unavailable")

    told = [(await retrieved(graph)).headers.get("retry-after") for _ in range(5)]

    assert told == ["10", "Thu, 01 Oct 2026 12:00:09 GMT", None, "2", None]


@pytest.mark.anyio
async def test_refusals_in_disguise(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    conversation = (await graph.post("/beta/copilot/conversations", json={})).json()["id"]
    path = f"/beta/copilot/conversations/{conversation}/chat"
    simulator.faults.add("wrapped_refusal")
    simulator.faults.add("refusal")

    wrapped = await graph.post(path, json=TURN)
    explaining = await graph.post(path, json=TURN)

    assert wrapped.status_code == 500
    assert "Status = 403 (Forbidden)" in wrapped.json()["error"]["message"]
    assert explaining.status_code == 403
    assert "administrator" in explaining.json()["messages"][-1]["text"]


@pytest.mark.anyio
async def test_a_page_stands_where_json_is_due(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("html")
    simulator.faults.add("html", status=502)

    answers = [await retrieved(graph), await retrieved(graph)]

    assert [(each.status_code, each.headers["content-type"]) for each in answers] == [
        (200, "text/html"),
        (502, "text/html"),
    ]


@pytest.mark.anyio
async def test_a_body_can_end_in_the_middle(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("cut_body")
    answer = await retrieved(graph)

    whole = await retrieved(graph)
    assert answer.status_code == 200
    assert answer.content == whole.content[: len(whole.content) // 2]


@pytest.mark.anyio
async def test_a_dropped_connection_has_carried_the_request_out(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    conversation = (await graph.post("/beta/copilot/conversations", json={})).json()["id"]
    path = f"/beta/copilot/conversations/{conversation}/chat"
    simulator.faults.add("drop_connection", operation="chat")

    with pytest.raises(ConnectionResetError):
        await graph.post(path, json=TURN)

    assert (await graph.post(path, json=TURN)).json()["turnCount"] == 2


@pytest.mark.anyio
async def test_slow_requests_wait_on_the_given_sleeper(
    graph: httpx.AsyncClient, simulator: Simulator, waits: Any
) -> None:
    simulator.faults.add("slow", operation="retrieval", seconds=30, times=2)

    statuses = [(await retrieved(graph)).status_code for _ in range(3)]

    assert statuses == [200, 200, 200]
    assert waits.asked == [30, 30]


@pytest.mark.anyio
async def test_a_fault_without_end_lasts_until_it_is_cleared(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("unavailable", operation="retrieval", times=None)
    struck = [(await retrieved(graph)).status_code for _ in range(3)]
    simulator.faults.clear()

    assert struck == [503, 503, 503]
    assert (await retrieved(graph)).status_code == 200


@pytest.mark.anyio
async def test_a_fault_strikes_its_operation_alone(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("server_error", operation="batch")
    simulator.faults.add("throttled", operation="turns")

    assert (await retrieved(graph)).status_code == 200
    assert [fault.operation for fault in simulator.faults.waiting] == ["batch", "turns"]


def test_unknown_faults_and_operations_are_refused(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="no such fault: earthquake"):
        simulator.faults.add("earthquake")
    with pytest.raises(ValueError, match="no such operation: search"):
        simulator.faults.add("slow", operation="search")


def test_dropped_fault_is_gone_even_after_a_part_of_it_was_used() -> None:
    faults = Faults()
    asked = faults.add("throttled", times=3)
    other = faults.add("unavailable")
    assert faults.take("retrieval", "answer") == (asked,)
    faults.drop(asked)
    assert faults.waiting == (other,)
    (left,) = faults.waiting
    faults.drop(left)
    assert faults.waiting == ()
