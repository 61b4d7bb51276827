"""The faults of a connection over a real socket: what the client makes of them, and that the next request succeeds."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from copilot_mcp.auth import LoopbackTransport, open_http
from copilot_mcp.errors import GraphError
from copilot_mcp.graph import ChatBody, GraphClient, RetrievalBody
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

BODY = RetrievalBody(query_string="VPN access", data_source="sharePoint")
TURN = ChatBody.model_validate({"message": {"text": "Who may use the VPN?"}, "locationHint": {"timeZone": "Etc/UTC"}})


@pytest.fixture
def served(simulator: Simulator) -> Iterator[Simulator]:
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
async def graph(served: Simulator, open_tenant: Any, wire: Any) -> AsyncIterator[GraphClient]:
    tokens = open_tenant().tokens
    async with open_http(LoopbackTransport(served.url)) as http:
        client = GraphClient(http, "https://graph.copilot-mcp.test", tokens, sleep=wire.sleep, jitter=lambda: 0.0)
        await client.retrieve(BODY)
        yield client


@pytest.mark.parametrize(
    ("name", "requests"),
    [
        ("refused", 4),
        ("drop_connection", 4),
        ("reset_after_headers", 4),
        ("cut_body", 4),
        ("big_body", 1),
        ("gzip_bomb", 1),
        ("deep_json", 1),
    ],
)
async def test_a_spoilt_retrieval_is_repeated_only_where_that_may_help(
    graph: GraphClient, served: Simulator, name: str, requests: int
) -> None:
    served.faults.add(name, operation="retrieval", times=None)
    with pytest.raises(GraphError) as caught:
        await graph.retrieve(BODY)
    served.faults.clear()
    assert (caught.value.kind, caught.value.requests_used) == ("service", requests)
    assert (await graph.retrieve(BODY)).retrieval_hits


@pytest.mark.parametrize("name", ["refused", "drop_connection", "reset_after_headers", "cut_body", "big_body"])
async def test_a_turn_that_may_have_arrived_is_one_request(graph: GraphClient, served: Simulator, name: str) -> None:
    conversation = await graph.create_conversation()
    served.clear_trace()
    served.faults.add(name, operation="chat")
    with pytest.raises(GraphError) as caught:
        await graph.chat(conversation.id, TURN)
    assert (caught.value.kind, caught.value.requests_used) == ("service", 1)
    # Over a socket a refusal comes after the connection was made, so the client cannot know that nothing was read.
    assert served.received == ({} if name == "refused" else {"chat": 1})
    assert (await graph.chat(conversation.id, TURN)).turn_count == (1 if name == "refused" else 2)


@pytest.mark.parametrize("name", ["cut_body", "cut_event", "reset_stream", "gzip_bomb"])
async def test_a_spoilt_stream_keeps_what_it_told(graph: GraphClient, served: Simulator, name: str) -> None:
    conversation = await graph.create_conversation()
    served.faults.add(name, operation="chatOverStream")
    async with graph.chat_over_stream(conversation.id, TURN) as turn:
        snapshots = [snapshot.text async for snapshot in turn]
    assert turn.ending == ("too_large" if name == "gzip_bomb" else "cut")
    assert bool(snapshots) is (name in ("cut_event", "reset_stream"))
    assert (await graph.chat(conversation.id, TURN)).turn_count == 2


async def test_bytes_that_come_one_by_one_are_put_together(graph: GraphClient, served: Simulator) -> None:
    short = BODY.model_copy(update={"maximum_number_of_results": 1})
    whole = await graph.retrieve(short)
    served.faults.add("trickle", operation="retrieval", seconds=0.00001)
    assert (await graph.retrieve(short)).retrieval_hits == whole.retrieval_hits
