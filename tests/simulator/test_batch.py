"""Several retrievals in one request."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import Simulator

JSON = {"Content-Type": "application/json"}


def item(identity: str, **changes: Any) -> dict[str, Any]:
    body = {"queryString": "VPN", "dataSource": "sharePoint"}
    base = {"id": identity, "method": "POST", "url": "/copilot/retrieval", "headers": JSON, "body": body}
    return base | changes


async def answered(graph: httpx.AsyncClient, *requests: dict[str, Any]) -> dict[str, dict[str, Any]]:
    answer = await graph.post("/v1.0/$batch", json={"requests": list(requests)})
    assert answer.status_code == 200, answer.text
    return {each["id"]: each for each in answer.json()["responses"]}


@pytest.mark.anyio
async def test_each_item_has_its_own_answer_in_no_order(graph: httpx.AsyncClient) -> None:
    requests = [item(str(number)) for number in range(20)]

    answer = await graph.post("/v1.0/$batch", json={"requests": requests})

    ids = [each["id"] for each in answer.json()["responses"]]
    assert sorted(ids, key=int) == [str(number) for number in range(20)]
    assert ids != sorted(ids, key=int)
    first = answer.json()["responses"][0]
    assert (first["status"], first["headers"]["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert first["body"]["retrievalHits"]


@pytest.mark.anyio
async def test_an_item_fails_alone(graph: httpx.AsyncClient) -> None:
    found = await answered(
        graph,
        item("good", url="copilot/retrieval/"),
        item("empty", body={}),
        item("text", body="e30"),
        item("bare", headers={}),
        item("get", method="get"),
        item("chat", url="/copilot/conversations"),
        item("after", dependsOn=["chat"]),
        item("chain", dependsOn=["good"]),
    )

    assert {name: each["status"] for name, each in found.items()} == {
        "good": 200,
        "empty": 400,
        "text": 400,
        "bare": 400,
        "get": 405,
        "chat": 404,
        "after": 424,
        "chain": 200,
    }
    assert found["after"]["body"]["error"]["code"] == "FailedDependency"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"CONTENT-TYPE": "Application/JSON"}, 200),
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "application/jsonp"}, 400),
        ({"Content-Type": "text/plain"}, 400),
        ({"Content-Type": 5}, 400),
        ({}, 400),
        (None, 400),
    ],
)
async def test_an_item_with_a_body_says_that_it_is_json(graph: httpx.AsyncClient, headers: Any, status: int) -> None:
    found = await answered(graph, item("1", headers=headers))

    assert found["1"]["status"] == status


@pytest.mark.anyio
async def test_each_item_needs_its_own_scopes(graph_of: Callable[..., Awaitable[httpx.AsyncClient]]) -> None:
    graph = await graph_of("adele", "ExternalItem.Read.All")
    tickets = item("2", body={"queryString": "VPN", "dataSource": "externalItem"})

    found = await answered(graph, item("1"), tickets)

    assert (found["1"]["status"], found["2"]["status"]) == (403, 200)


@pytest.mark.anyio
async def test_items_are_throttled_one_by_one(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("throttled", operation="retrieval", retry_after="7")
    simulator.faults.add("html", operation="retrieval", status=502)

    found = await answered(graph, item("a"), item("b"), item("c"))

    assert [found[name]["status"] for name in "abc"] == [429, 502, 200]
    assert found["a"]["headers"]["Retry-After"] == "7"
    assert found["b"]["body"].startswith("<!DOCTYPE html>")
    assert [each.get("hits") is not None for each in simulator.trace[-1]["items"]] == [False, False, True]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "requests",
    [
        None,
        [],
        ["x"],
        [item("1"), item("1")],
        [item("A"), item("a")],
        [item("1", id=7)],
        [item("1", url=None)],
        [item("1", method="")],
        [item("1", dependsOn=["2"])],
        [item("1", dependsOn="2")],
        [item("1"), item("2", dependsOn=[1])],
        [item("1"), item("2", dependsOn=[{}])],
        [item("1"), item("2", dependsOn={})],
        [item("1"), item("2", dependsOn=0)],
        [item("1", headers=[])],
        [item(str(number)) for number in range(21)],
    ],
)
async def test_a_malformed_batch_fails_as_a_whole(graph: httpx.AsyncClient, requests: Any) -> None:
    answer = await graph.post("/beta/$batch", json={"requests": requests})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")
