"""Who may call Graph, and how it refuses."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import jwt
import pytest

from copilot_mcp.simulator import Faults, Simulator
from copilot_mcp.simulator.challenges import Challenges
from copilot_mcp.simulator.chat import Chat
from copilot_mcp.simulator.conversations import Conversations
from copilot_mcp.simulator.graph import Graph, GraphCall
from copilot_mcp.simulator.replies import RequestIds
from copilot_mcp.simulator.retrieval import Retrieval
from copilot_mcp.simulator.search import Index
from copilot_mcp.simulator.secrets_issued import SecretsIssued
from copilot_mcp.simulator.throttle import Throttle
from copilot_mcp.simulator.tokens import Tokens

GRAPH = "https://graph.copilot-mcp.test"
RETRIEVAL = {"queryString": "parental leave", "dataSource": "sharePoint"}
CHAT_SCOPES = (
    "Sites.Read.All Mail.Read People.Read.All OnlineMeetingTranscript.Read.All Chat.Read ChannelMessage.Read.All "
    "ExternalItem.Read.All"
)
Opener = Callable[..., Awaitable[httpx.AsyncClient]]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert set(error["innerError"]) == {"date", "request-id", "client-request-id"}
    assert error["innerError"]["request-id"] == answer.headers["request-id"]
    return answer.status_code, error["code"]


@pytest.mark.anyio
async def test_ids_and_the_date_come_with_every_answer(graph: httpx.AsyncClient) -> None:
    mine = await graph.post("/v1.0/copilot/retrieval", json=RETRIEVAL, headers={"client-request-id": "mine"})
    without = await graph.post("/v1.0/copilot/retrieval", json={})

    assert (mine.status_code, mine.headers["client-request-id"]) == (200, "mine")
    assert re.fullmatch(r"[0-9a-f-]{36}", mine.headers["request-id"])
    assert mine.headers["date"] == "Thu, 01 Oct 2026 12:00:00 GMT"
    assert mine.headers["content-type"] == "application/json"
    assert refusal(without) == (400, "BadRequest")
    assert without.json()["error"]["innerError"]["date"] == "2026-10-01T12:00:00"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "Access token is empty."),
        ("Basic abc", "Access token is empty."),
        ("Bearer ", "Access token is empty."),
        ("Bearer nonsense", "The token is malformed."),
        ("Bearer " + jwt.encode({"oid": "x"}, "k" * 32), "The token is malformed."),
    ],
)
async def test_a_request_without_a_token_is_challenged(simulator: Simulator, header: str, message: str) -> None:
    transport = httpx.ASGITransport(simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url=GRAPH, headers={"Authorization": header}) as client:
        answer = await client.post("/v1.0/copilot/retrieval", json=RETRIEVAL)

    assert refusal(answer) == (401, "InvalidAuthenticationToken")
    assert answer.json()["error"]["message"] == message
    assert answer.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.anyio
async def test_a_token_for_the_client_itself_or_of_another_tenant_is_refused(
    simulator: Simulator, sign_in: Callable[..., Awaitable[dict[str, Any]]]
) -> None:
    identity = (await sign_in("adele"))["id_token"]
    claims = jwt.decode(identity, options={"verify_signature": False})
    foreign = jwt.encode({**claims, "aud": GRAPH}, _other_key(), "RS256")
    answers = []
    for token in (identity, foreign):
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator.app), base_url=GRAPH) as client:
            answers.append(await client.post("/v1.0/copilot/retrieval", json=RETRIEVAL, headers=headers))

    assert [answer.json()["error"]["message"] for answer in answers] == [
        "Access token validation failure. Invalid audience.",
        "Signature is invalid.",
    ]


def _other_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.anyio
async def test_a_token_ends_after_an_hour_and_may_not_come_from_the_future(
    graph: httpx.AsyncClient, clock: Any
) -> None:
    clock.advance(3599)
    live = await graph.post("/v1.0/copilot/retrieval", json=RETRIEVAL)
    clock.advance(1)
    over = await graph.post("/v1.0/copilot/retrieval", json=RETRIEVAL)
    clock.advance(-3600 - 301)
    early = await graph.post("/v1.0/copilot/retrieval", json=RETRIEVAL)

    assert live.status_code == 200
    assert "expired" in over.json()["error"]["message"]
    assert "not yet valid" in early.json()["error"]["message"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("scope", "body", "status"),
    [
        ("Files.Read.All Sites.Read.All", RETRIEVAL, 200),
        ("Files.Read.All", RETRIEVAL, 403),
        ("Sites.Read.All", RETRIEVAL | {"dataSource": "oneDriveBusiness"}, 403),
        ("ExternalItem.Read.All", RETRIEVAL | {"dataSource": "externalItem"}, 200),
        ("Files.Read.All Sites.Read.All", RETRIEVAL | {"dataSource": "externalItem"}, 403),
    ],
)
async def test_retrieval_needs_the_scopes_of_its_data_source(
    graph_of: Opener, scope: str, body: dict[str, str], status: int
) -> None:
    client = await graph_of("adele", scope)

    assert (await client.post("/beta/copilot/retrieval", json=body)).status_code == status


@pytest.mark.anyio
async def test_chat_needs_all_seven_scopes(graph_of: Opener) -> None:
    whole = await graph_of("adele", CHAT_SCOPES)
    short = await graph_of("adele", CHAT_SCOPES.replace("Mail.Read ", ""))

    created = await whole.post("/beta/copilot/conversations", json={})
    refused = await short.post("/beta/copilot/conversations", json={})

    assert created.status_code == 201
    assert refusal(refused) == (403, "Forbidden")
    assert "Missing: Mail.Read." in refused.json()["error"]["message"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1.0/copilot/conversations", 404),
        ("POST", "/beta/copilot/search", 404),
        ("POST", "/v2.0/copilot/retrieval", 404),
        ("GET", "/v1.0/copilot/retrieval", 405),
        ("DELETE", "/beta/copilot/conversations/x/chat", 405),
        ("OPTIONS", "/v1.0/copilot/retrieval", 405),
        ("TRACE", "/beta/$batch", 405),
        ("PROPFIND", "/beta/copilot/conversations", 405),
        ("OPTIONS", "/v1.0/copilot/nothing", 404),
        ("GET", "/", 404),
        ("POST", "/v1.0", 404),
        ("POST", "/beta/copilot/conversations/x/chat", 404),
    ],
)
async def test_what_is_not_there_is_refused_in_graphs_shape(
    graph: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    turn = {"message": {"text": "Hi"}, "locationHint": {"timeZone": "Etc/UTC"}}
    answer = await graph.request(method, path, json=turn if method == "POST" else None)

    assert refusal(answer)[0] == status
    assert answer.headers.get("allow") == ("POST" if status == 405 else None)


@pytest.mark.anyio
@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 200_000])
async def test_a_body_that_is_no_json_object_is_refused(graph: httpx.AsyncClient, content: bytes) -> None:
    assert refusal(await graph.post("/v1.0/copilot/retrieval", content=content)) == (400, "BadRequest")


@pytest.mark.anyio
async def test_a_huge_body_is_refused(graph: httpx.AsyncClient) -> None:
    answer = await graph.post("/v1.0/copilot/retrieval", content=b"x" * (4 * 1024 * 1024 + 1))

    assert refusal(answer) == (413, "RequestEntityTooLarge")


def test_a_person_who_left_the_tenant_is_refused(simulator: Simulator, clock: Any, waits: Any) -> None:
    tokens, faults = Tokens(clock, SecretsIssued()), Faults()
    tenant = replace(simulator.tenant, users=simulator.users[:1])
    index = Index(())
    chat = Chat(tenant, lambda: index, faults, clock, Conversations(clock), waits)
    graph = Graph(
        tenant,
        tokens,
        faults,
        chat,
        Retrieval(tenant, lambda: index, faults, clock),
        Challenges(),
        Throttle(None, clock),
    )
    token = tokens.access_token(simulator.users[1], "client", GRAPH, ["Files.Read.All"], {})
    ids = RequestIds.of(clock(), None)

    reply = graph.answer(GraphCall("retrieval", "v1.0", "", "POST", f"Bearer {token}", b"{}", ids))

    index.close()
    assert reply.status == 401
    assert reply.body["error"]["message"] == "The user of the token does not exist."


@pytest.mark.anyio
async def test_an_unreadable_content_length_is_no_matter(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    await graph.post("/v1.0/copilot/retrieval", content=b"{}", headers={"Content-Length": "many"})

    assert simulator.trace[-1]["requestBytes"] == 0
