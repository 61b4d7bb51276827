"""The client's methods on a wire, and whole conversations with the simulated tenant."""

import gzip
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

import copilot_mcp.graph
from copilot_mcp.errors import (
    ArgumentError,
    ConversationGoneError,
    InvalidRequestError,
    PermissionDeniedError,
    ServiceUnavailableError,
    ThrottledError,
)
from copilot_mcp.graph import (
    CHAT_SCOPES,
    RETRIEVAL_SCOPES,
    ChatBody,
    GraphClient,
    RetrievalBody,
    RetrievalResponse,
    to_markdown,
)

pytestmark = pytest.mark.anyio

PROMPT = "What does the travel policy say about hotels?"


def turn_of(prompt: str, **members: Any) -> ChatBody:
    return ChatBody.model_validate({"message": {"text": prompt}, "locationHint": {"timeZone": "Etc/UTC"}} | members)


def retrieval_of(query: str, source: str = "sharePoint", **members: Any) -> RetrievalBody:
    return RetrievalBody.model_validate({"queryString": query, "dataSource": source} | members)


def test_importing_the_package_does_not_import_httpx() -> None:
    probe = "import sys, copilot_mcp.graph; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", probe], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0


def test_front_door_is_complete() -> None:
    assert [name for name in copilot_mcp.graph.__all__ if not hasattr(copilot_mcp.graph, name)] == []


def test_scopes_are_read_only_and_those_documented() -> None:
    assert len(CHAT_SCOPES) == 7
    assert (
        RETRIEVAL_SCOPES["sharePoint"] == RETRIEVAL_SCOPES["oneDriveBusiness"] == ("Files.Read.All", "Sites.Read.All")
    )
    assert RETRIEVAL_SCOPES["externalItem"] == ("ExternalItem.Read.All",)
    union = {scope for scopes in (CHAT_SCOPES, *RETRIEVAL_SCOPES.values()) for scope in scopes}
    assert [scope for scope in union if any(word in scope for word in ("Write", "Send", "Manage"))] == []


async def test_conversation_is_created_from_an_empty_object(wire: Any, replies: Any, payload: Any) -> None:
    async with wire.open(replies(httpx.Response(201, json=payload("conversation-created.json")))) as graph:
        conversation = await graph.create_conversation()
    assert (conversation.id, conversation.state) == ("5b0c7c1e-0d52-4c6b-9a3e-2f6f0d9d8a11", "active")
    assert (wire.paths, wire.bodies()) == (["/beta/copilot/conversations"], [{}])
    assert wire.tokens.asked == [(CHAT_SCOPES, None)]


async def test_conversation_without_an_id_is_no_conversation(wire: Any, replies: Any) -> None:
    async with wire.open(replies(httpx.Response(201, json={"state": "active"}))) as graph:
        with pytest.raises(ServiceUnavailableError) as caught:
            await graph.create_conversation()
    assert (caught.value.status, caught.value.requests_used) == (201, 1)


@pytest.mark.parametrize(
    ("conversation_id", "path"),
    [
        ("0d110e7e", "0d110e7e"),
        ("a b?c#d%2e&e", "a%20b%3Fc%23d%252e%26e"),
        ("19:é@thread", "19%3A%C3%A9%40thread"),
        ("x" * 200, "x" * 200),
    ],
)
async def test_conversation_id_is_encoded_into_the_path(
    wire: Any, replies: Any, payload: Any, conversation_id: str, path: str
) -> None:
    async with wire.open(replies(httpx.Response(200, json=payload("chat-answer.json")))) as graph:
        await graph.chat(conversation_id, turn_of("Hi"))
    assert wire.paths == [f"/beta/copilot/conversations/{path}/chat"]


@pytest.mark.parametrize(
    "conversation_id",
    [
        *("", "x" * 201, "a/b", "a\\b", "a\nb", "a\x00b", "..", ".", " ", "\ud800", "a\u202eb"),
        *("..%2fme", "a%252Fb", "%5cx", "%2e%2e", "a%0d%0ab"),
    ],
)
async def test_what_cannot_be_a_conversation_id_is_refused_here(wire: Any, replies: Any, conversation_id: str) -> None:
    async with wire.open(replies(httpx.Response(500))) as graph:
        with pytest.raises(ArgumentError):
            await graph.chat(conversation_id, turn_of("Hi"))
        with pytest.raises(ArgumentError):
            async with graph.chat_over_stream(conversation_id, turn_of("Hi")):
                raise AssertionError("opened")
    assert wire.requests == []


@pytest.mark.parametrize(
    ("body", "beta", "version"),
    [
        (retrieval_of("keys"), False, "v1.0"),
        (retrieval_of("keys"), True, "beta"),
        (retrieval_of("keys", includeThumbnails=True), False, "beta"),
        (retrieval_of("keys", "sharePointEmbedded"), False, "v1.0"),
    ],
)
async def test_version_follows_the_body(wire: Any, replies: Any, body: RetrievalBody, beta: bool, version: str) -> None:
    async with wire.open(replies(httpx.Response(200, json={"retrievalHits": []}))) as graph:
        await graph.retrieve(body, beta=beta)
    assert wire.paths == [f"/{version}/copilot/retrieval"]
    assert wire.tokens.asked == [(RETRIEVAL_SCOPES[body.data_source], None)]


async def test_answer_of_another_shape_is_no_empty_result(wire: Any, replies: Any) -> None:
    async with wire.open(replies(httpx.Response(200, json={"value": ["secret text"]}))) as graph:
        with pytest.raises(ServiceUnavailableError) as caught:
            await graph.retrieve(retrieval_of("keys"))
    error = caught.value
    assert (error.message, error.__cause__) == ("Microsoft Graph gave an answer that cannot be read (200).", None)


async def test_client_runs_on_the_real_clock_when_given_none() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, json={})

    class Tokens:
        async def token(self, scopes: Any, *, rejected: str | None = None) -> str:
            return "token"

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        with pytest.raises(ThrottledError) as caught:
            await GraphClient(http, "https://graph.lumen.test", Tokens()).create_conversation()
    assert caught.value.retry_after == 0.0


async def test_tenant_answers_a_turn_with_sources(open_tenant: Any) -> None:
    graph: GraphClient = open_tenant().graph
    conversation_id = (await graph.create_conversation()).id
    conversation = await graph.chat(conversation_id, turn_of(PROMPT))
    answer = conversation.answer(PROMPT)
    assert answer is not None
    text = to_markdown(answer)
    assert (conversation.id, conversation.state, conversation.turn_count) == (conversation_id, "active", 1)
    assert [one.url for one in text.citations] == [one.see_more_web_url for one in answer.attributions]
    assert any(one.number == 1 and one.placed for one in text.citations)
    assert "[^1^]" not in text.markdown and "</" not in text.markdown


@pytest.mark.parametrize("fault", [None, "crlf", "line_breaks", "rewrites", "deltas"])
async def test_tenant_streams_to_the_same_end_in_every_framing(
    open_tenant: Any, simulator: Any, fault: str | None
) -> None:
    graph: GraphClient = open_tenant().graph
    conversation_id = (await graph.create_conversation()).id
    if fault:
        simulator.faults.add(fault)
    async with graph.chat_over_stream(conversation_id, turn_of(PROMPT)) as turn:
        seen = [snapshot async for snapshot in turn]
    answer = seen[-1].conversation.answer(PROMPT)
    assert answer is not None
    assert (turn.complete, seen[-1].final, seen[-1].text) == (True, True, answer.text)
    assert len(seen) > 2 and seen[-2].text == answer.text
    assert to_markdown(answer).notes == ()


async def test_tenant_stream_that_breaks_off_is_incomplete(open_tenant: Any, simulator: Any) -> None:
    graph: GraphClient = open_tenant().graph
    conversation_id = (await graph.create_conversation()).id
    simulator.faults.add("cut_stream")
    async with graph.chat_over_stream(conversation_id, turn_of(PROMPT)) as turn:
        seen = [snapshot async for snapshot in turn]
    assert (turn.complete, turn.ending, [snapshot.final for snapshot in seen if snapshot.final]) == (False, "cut", [])


async def test_tenant_error_inside_the_stream_is_raised(open_tenant: Any, simulator: Any) -> None:
    graph: GraphClient = open_tenant().graph
    conversation_id = (await graph.create_conversation()).id
    simulator.faults.add("stream_error")
    with pytest.raises(ServiceUnavailableError) as caught:
        async with graph.chat_over_stream(conversation_id, turn_of(PROMPT)) as turn:
            seen = [snapshot.text async for snapshot in turn]
            assert seen == []
    assert caught.value.partial_text


async def test_tenant_closes_a_conversation(open_tenant: Any, simulator: Any) -> None:
    graph: GraphClient = open_tenant().graph
    conversation_id = (await graph.create_conversation()).id
    simulator.faults.add("disengaged")
    assert (await graph.chat(conversation_id, turn_of(PROMPT))).disengaged


@pytest.mark.parametrize(
    ("fault", "error_class", "kind"),
    [
        ("forbidden", PermissionDeniedError, "forbidden"),
        ("refusal", PermissionDeniedError, "forbidden"),
        ("no_licence", PermissionDeniedError, "licence"),
        ("wrapped_refusal", PermissionDeniedError, "licence"),
        ("throttled", ThrottledError, "throttled"),
        ("throttled_silent", ThrottledError, "throttled"),
        ("server_error", ServiceUnavailableError, "service"),
        ("unavailable", ServiceUnavailableError, "service"),
        ("gateway_timeout", ServiceUnavailableError, "timeout"),
        ("html", ServiceUnavailableError, "captive_portal"),
        ("cut_body", ServiceUnavailableError, "service"),
        ("conversation_gone", ConversationGoneError, "conversation_gone"),
    ],
)
async def test_tenant_refuses_a_turn_once(
    open_tenant: Any, simulator: Any, fault: str, error_class: type[Exception], kind: str
) -> None:
    graph: GraphClient = open_tenant().graph
    conversation_id = (await graph.create_conversation()).id
    simulator.faults.add(fault)
    simulator.clear_trace()
    with pytest.raises(error_class) as caught:
        await graph.chat(conversation_id, turn_of(PROMPT))
    error: Any = caught.value
    assert (error.kind, error.requests_used, len(simulator.trace)) == (kind, 1, 1)
    assert bool(error.partial_text) is (fault == "refusal")


async def test_conversation_of_somebody_else_is_gone(open_tenant: Any, simulator: Any) -> None:
    conversation_id = (await open_tenant("adele").graph.create_conversation()).id
    other = next(user.key for user in simulator.users if user.key != "adele")
    with pytest.raises(ConversationGoneError) as caught:
        await open_tenant(other).graph.chat(conversation_id, turn_of(PROMPT))
    assert caught.value.status == 404


async def test_tenant_retrieves_hits(open_tenant: Any) -> None:
    response = await open_tenant().graph.retrieve(retrieval_of(PROMPT, resourceMetadata=["title", "author"]))
    assert response.retrieval_hits
    assert all(hit.extracts and hit.metadata("Title") for hit in response.retrieval_hits)
    assert (response.requests_used, bool(response.request_id)) == (1, True)


@pytest.mark.parametrize("fault", ["throttled", "throttled_silent", "unavailable", "gateway_timeout", "cut_body"])
async def test_tenant_retrieval_survives_a_passing_fault(open_tenant: Any, simulator: Any, fault: str) -> None:
    tenant = open_tenant()
    simulator.faults.add(fault, operation="retrieval")
    response = await tenant.graph.retrieve(retrieval_of(PROMPT))
    assert (bool(response.retrieval_hits), response.requests_used, len(tenant.wire.slept)) == (True, 2, 1)


async def test_tenant_token_is_renewed_once(open_tenant: Any, simulator: Any) -> None:
    tenant = open_tenant()
    simulator.faults.add("unauthorized", operation="retrieval")
    assert (await tenant.graph.retrieve(retrieval_of(PROMPT))).requests_used == 2
    assert tenant.tokens.sign_ins == 2


async def test_tenant_names_the_missing_permission_as_a_refusal(open_tenant: Any) -> None:
    with pytest.raises(PermissionDeniedError) as caught:
        await open_tenant(granted=["Files.Read.All"]).graph.retrieve(retrieval_of(PROMPT))
    assert caught.value.status == 403


async def test_tenant_refuses_a_bad_request(open_tenant: Any) -> None:
    graph: GraphClient = open_tenant().graph
    conversation_id = (await graph.create_conversation()).id
    with pytest.raises(InvalidRequestError) as caught:
        await graph.chat(conversation_id, turn_of("Hi", locationHint={"timeZone": "Pacific Standard Time"}))
    assert (caught.value.status, bool(caught.value.request_id)) == (400, True)


async def test_tenant_answers_a_batch_of_all_sources(open_tenant: Any) -> None:
    sources = ("sharePoint", "oneDriveBusiness", "externalItem")
    results = await open_tenant().graph.retrieve_many([retrieval_of(PROMPT, source) for source in sources])
    assert [(type(result), result.requests_used) for result in results] == [(RetrievalResponse, 1)] * 3


async def test_tenant_date_and_clock_are_aware(wire: Any, replies: Any) -> None:
    moment = datetime(2026, 3, 2, 8, 0, 30, tzinfo=UTC)
    header = moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
    async with wire.open(replies(httpx.Response(429, headers={"Retry-After": header}, json={}))) as graph:
        with pytest.raises(ThrottledError) as caught:
            await graph.create_conversation()
    assert caught.value.retry_after == 30.0


async def test_compressed_answers_are_read(wire: Any) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        content = gzip.compress(b'{"retrievalHits": [{"webUrl": "https://x.test"}]}')
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(content))

    async with wire.open(handler) as graph:
        response = await graph.retrieve(retrieval_of("keys"))
    assert [hit.web_url for hit in response.retrieval_hits] == ["https://x.test"]
