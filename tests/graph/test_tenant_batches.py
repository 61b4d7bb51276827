"""What a tenant may do to the answers of a batch, and what becomes of each retrieval in it."""

from typing import Any

import pytest

from copilot_mcp.errors import GraphError
from copilot_mcp.graph import RetrievalBody, RetrievalResponse
from copilot_mcp.simulator import FAULTS, Simulator

pytestmark = pytest.mark.anyio

SOURCES = ("sharePoint", "oneDriveBusiness", "externalItem")
OUTCOMES = {
    "batch_reordered": ["answer", "answer", "answer"],
    "batch_missing": ["service", "answer", "answer"],
    "batch_doubled": ["answer", "answer", "answer"],
    "batch_unknown_id": ["answer", "answer", "answer"],
    "batch_item_424": ["service", "answer", "answer"],
    "batch_item_429": ["answer x2", "answer", "answer"],
    "batch_item_401": ["answer x2", "answer", "answer"],
    "batch_item_claims": ["answer x2", "answer", "answer"],
}


def bodies() -> list[RetrievalBody]:
    return [RetrievalBody.model_validate({"queryString": "VPN access", "dataSource": source}) for source in SOURCES]


def shown(result: Any) -> str:
    if isinstance(result, RetrievalResponse):
        return "answer" if result.requests_used == 1 else f"answer x{result.requests_used}"
    assert isinstance(result, GraphError) and result.hint
    return result.kind


def test_every_fault_of_a_batch_has_an_expectation() -> None:
    assert set(OUTCOMES) == {name for name, kind in FAULTS.items() if kind.stage == "batch"}


@pytest.mark.parametrize("name", OUTCOMES)
async def test_a_spoilt_batch_costs_no_more_than_the_item_it_spoils(
    open_tenant: Any, simulator: Simulator, name: str
) -> None:
    graph = open_tenant().graph
    ordinary = await graph.retrieve_many(bodies())
    simulator.faults.add(name)
    spoilt = await graph.retrieve_many(bodies())
    assert [shown(result) for result in spoilt] == OUTCOMES[name]
    for before, after in zip(ordinary, spoilt, strict=True):
        if isinstance(after, RetrievalResponse):
            assert after.retrieval_hits == before.retrieval_hits
    assert simulator.faults.waiting == ()


async def test_an_item_that_stays_throttled_is_given_up_with_its_wait(open_tenant: Any, simulator: Simulator) -> None:
    tenant = open_tenant()
    simulator.faults.add("batch_item_429", times=None, retry_after="4")
    first, *others = await tenant.graph.retrieve_many(bodies())
    assert (first.kind, first.retry_after, first.requests_used) == ("throttled", 4.0, 4)
    assert [shown(result) for result in others] == ["answer", "answer"]
    assert tenant.wire.slept == [4.0, 4.0, 4.0]


@pytest.mark.parametrize("name", ["gzip_bomb", "deep_json", "cut_body", "empty", "html"])
async def test_an_envelope_that_cannot_be_read_is_an_error_of_every_item(
    open_tenant: Any, simulator: Simulator, name: str
) -> None:
    graph = open_tenant().graph
    simulator.faults.add(name, operation="batch", times=None)
    results = await graph.retrieve_many(bodies())
    simulator.faults.clear()
    assert {shown(result) for result in results} == {"captive_portal" if name == "html" else "service"}
    assert [shown(result) for result in await graph.retrieve_many(bodies())] == ["answer"] * 3
