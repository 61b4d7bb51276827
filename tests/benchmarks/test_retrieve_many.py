"""Nine retrievals, three questions to three sources, in one call beside nine calls in a row through the same tool."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from mcp import Client

from copilot_mcp.cli._services import GraphServices
from copilot_mcp.server import build_server
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

UPSTREAM_S = 0.1
ROUNDS = 5
SPEED_UP = 6
QUESTIONS = (
    "How many weeks of parental leave do we get?",
    "What can I do when the VPN drops?",
    "What is the notice period after two years?",
)
REQUESTS = [
    {"queryString": question, "dataSource": source}
    for question in QUESTIONS
    for source in ("sharePoint", "oneDriveBusiness", "externalItem")
]


async def test_one_call_beside_nine(
    simulator: Simulator, settings: Settings, in_process: Any, compare: Callable[..., float]
) -> None:
    wide = replace(settings, max_requests=len(REQUESTS))
    services = GraphServices(wide, in_process(simulator))
    together: list[float] = []
    in_a_row: list[float] = []
    async with services, Client(build_server(services, wide)) as client:
        await client.call_tool("copilot_retrieve", REQUESTS[0])  # signs in, and builds the tenant's index
        simulator.faults.add("slow", operation="graph", times=None, seconds=UPSTREAM_S)
        for _ in range(ROUNDS):
            started = time.perf_counter()
            whole = await client.call_tool("copilot_retrieve", {**REQUESTS[0], "moreRequests": REQUESTS[1:]})
            together.append(time.perf_counter() - started)
            started = time.perf_counter()
            single = [await client.call_tool("copilot_retrieve", request) for request in REQUESTS]
            in_a_row.append(time.perf_counter() - started)
    found = (whole.structured_content or {})["requests"]
    assert [each["hits"] for each in found] == [len((each.structured_content or {})["hits"]) for each in single]
    title = f"{len(REQUESTS)} retrievals at {UPSTREAM_S * 1000:.0f} ms upstream: one call beside nine"
    assert compare(title, together, in_a_row, unit="s", bound=1 / SPEED_UP) <= 1 / SPEED_UP
