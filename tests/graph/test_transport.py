"""One way out: what is sent, what is sent again, and where the token never goes."""

import base64
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import httpx
import pytest

from copilot_mcp.errors import (
    AuthenticationError,
    AuthenticationRequiredError,
    GraphError,
    PermissionDeniedError,
    ServiceUnavailableError,
    SettingsError,
    ThrottledError,
)
from copilot_mcp.graph import CHAT_SCOPES, ChatBody, GraphClient, RetrievalBody
from copilot_mcp.graph.transport import GraphTransport, Operation

pytestmark = pytest.mark.anyio

HITS = {"retrievalHits": []}
BODY = RetrievalBody(query_string="keys", data_source="sharePoint")
TURN = ChatBody.model_validate({"message": {"text": "Hi"}, "locationHint": {"timeZone": "Etc/UTC"}})
FILES = ("Files.Read.All", "Sites.Read.All")


def ok() -> httpx.Response:
    return httpx.Response(200, json=HITS, headers={"request-id": "req-1"})


def status(code: int, headers: dict[str, str] | None = None, body: Any = None) -> httpx.Response:
    return httpx.Response(code, headers=headers, json=body or {"error": {"code": "x", "message": "hidden text"}})


async def test_request_carries_what_graph_asks_for_and_nothing_of_the_clients(wire: Any, replies: Any) -> None:
    async with wire.open(replies(ok())) as graph:
        response = await graph.retrieve(BODY)
        await graph.retrieve(BODY)
    first, second = wire.requests
    ids = [request.headers.pop("client-request-id") for request in (first, second)]
    assert len(set(ids)) == 2 and all(len(one) == 36 for one in ids)
    assert dict(first.headers) == {
        "authorization": "Bearer token-1",
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "gzip",
        "user-agent": "copilot-mcp/test",
        "content-length": str(len(first.content)),
        "host": "graph.lumen.test",
    }
    assert (str(first.url), first.method) == ("https://graph.lumen.test/v1.0/copilot/retrieval", "POST")
    assert first.extensions["timeout"] == {"connect": 5.0, "read": 60.0, "write": 60.0, "pool": 5.0}
    assert wire.bodies()[0] == {"queryString": "keys", "dataSource": "sharePoint"}
    assert (response.request_id, response.requests_used) == ("req-1", 1)
    assert wire.tokens.asked == [(FILES, None), (FILES, None)]


@pytest.mark.parametrize("code", [429, 502, 503, 504])
async def test_retrieval_is_repeated_after_a_passing_failure(wire: Any, replies: Any, code: int) -> None:
    async with wire.open(replies(status(code), status(code), ok())) as graph:
        response = await graph.retrieve(BODY)
    assert (response.requests_used, wire.slept) == (3, [0.5, 1.0])


@pytest.mark.parametrize(
    ("fault", "used"),
    [
        (httpx.ConnectError("no route"), 1),
        (httpx.ConnectTimeout("slow"), 1),
        (httpx.PoolTimeout("full"), 1),
        (httpx.ReadError("reset"), 2),
        (httpx.ReadTimeout("idle"), 2),
        (httpx.RemoteProtocolError("cut"), 2),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_retrieval_is_repeated_after_a_connection_fault_and_counts_what_was_sent(
    wire: Any, replies: Any, fault: Exception, used: int
) -> None:
    async with wire.open(replies(fault, ok())) as graph:
        assert (await graph.retrieve(BODY)).requests_used == used
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    "unreadable",
    [
        httpx.Response(200, content=b'{"retrievalHits": [{"web'),
        httpx.Response(200, content=b""),
        httpx.Response(200, json=[1]),
    ],
)
async def test_cut_answer_is_asked_for_again(wire: Any, replies: Any, unreadable: httpx.Response) -> None:
    async with wire.open(replies(unreadable, ok())) as graph:
        assert (await graph.retrieve(BODY)).requests_used == 2
    async with wire.open(replies(unreadable)) as graph:
        with pytest.raises(ServiceUnavailableError) as caught:
            await graph.retrieve(BODY)
    assert (caught.value.kind, caught.value.status, caught.value.requests_used) == ("service", 200, 4)


async def test_retrieval_gives_up_after_three_repetitions(wire: Any, replies: Any) -> None:
    async with wire.open(replies(status(503))) as graph:
        with pytest.raises(ServiceUnavailableError) as caught:
            await graph.retrieve(BODY)
    assert (caught.value.requests_used, wire.slept) == (4, [0.5, 1.0, 2.0])


@pytest.mark.parametrize(
    ("header", "slept"),
    [
        ("7", [7.0]),
        ("0", [0.5]),
        ("Mon, 02 Mar 2026 08:00:09 GMT", [9.0]),
        ("-5", [0.5]),
        ("soon", [0.5]),
        ("inf", [0.5]),
        ("2.5", [2.5]),
        ("1e1", [0.5]),
        ("1_0", [0.5]),
        ("\u0667", [0.5]),
        ("Mon, 02 Mar 2026 07:59:00 GMT", [0.5]),
        ("Mon, 99 Mar 2026 07:59:00 GMT", [0.5]),
    ],
)
async def test_retry_after_is_honoured(wire: Any, replies: Any, header: str, slept: list[float]) -> None:
    throttled = httpx.Response(429, headers=[(b"Retry-After", header.encode())], json={})
    async with wire.open(replies(throttled, ok())) as graph:
        await graph.retrieve(BODY)
    assert wire.slept == slept


@pytest.mark.parametrize("header", ["0", "0.0", "Mon, 02 Mar 2026 07:59:00 GMT"])
async def test_a_wait_of_nothing_is_not_taken_at_its_word(wire: Any, replies: Any, header: str) -> None:
    async with wire.open(replies(status(429, {"Retry-After": header}))) as graph:
        with pytest.raises(ThrottledError) as caught:
            await graph.retrieve(BODY)
    assert (caught.value.retry_after, wire.slept) == (0.0, [0.5, 1.0, 2.0])


async def test_a_date_to_wait_for_is_taken_by_the_services_own_clock(wire: Any, replies: Any) -> None:
    headers = {"Retry-After": "Thu, 01 Oct 2026 12:00:09 GMT", "Date": "Thu, 01 Oct 2026 12:00:00 GMT"}
    async with wire.open(replies(status(429, headers), ok())) as graph:
        await graph.retrieve(BODY)
    assert wire.slept == [9.0]


@pytest.mark.parametrize("header", ["1000000000", "9" * 20, "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_a_wait_of_more_than_a_day_is_a_day(wire: Any, replies: Any, header: str) -> None:
    async with wire.open(replies(status(429, {"Retry-After": header}))) as graph:
        with pytest.raises(ThrottledError) as caught:
            await graph.retrieve(BODY)
    assert (caught.value.retry_after, caught.value.requests_used) == (86_400.0, 1)


@pytest.mark.parametrize("header", ["21", "Mon, 02 Mar 2026 08:00:21 GMT", "Mon, 02 Mar 2026 08:00:21 -0000"])
async def test_long_waits_are_given_back(wire: Any, replies: Any, header: str) -> None:
    async with wire.open(replies(status(429, {"Retry-After": header}), ok())) as graph:
        with pytest.raises(ThrottledError) as caught:
            await graph.retrieve(BODY)
    assert (caught.value.retry_after, caught.value.requests_used, wire.slept) == (21.0, 1, [])


async def test_no_wait_reaches_past_the_time_limit(wire: Any, replies: Any) -> None:
    wire.seconds = 0.0

    def slow(request: httpx.Request) -> httpx.Response:
        wire.seconds += 110
        return status(503, {"Retry-After": "15"})

    async with wire.open(slow) as graph:
        with pytest.raises(ServiceUnavailableError) as caught:
            await graph.retrieve(BODY)
    assert (caught.value.requests_used, wire.slept) == (1, [])


@pytest.mark.parametrize("code", [400, 402, 403, 404, 413, 500, 501])
async def test_lasting_refusals_are_not_repeated(wire: Any, replies: Any, code: int) -> None:
    async with wire.open(replies(status(code))) as graph:
        with pytest.raises(GraphError) as caught:
            await graph.retrieve(BODY)
    assert (caught.value.requests_used, caught.value.status, wire.slept) == (1, code, [])
    assert "hidden text" not in str(caught.value)


async def test_refusal_wrapped_in_a_passing_status_is_final(wire: Any, replies: Any, payload: Any) -> None:
    async with wire.open(replies(status(502, body=payload("error-wrapped.json")))) as graph:
        with pytest.raises(PermissionDeniedError) as caught:
            await graph.retrieve(BODY)
    assert (caught.value.requests_used, caught.value.status) == (1, 502)


async def test_chat_is_repeated_only_when_no_connection_was_made(wire: Any, replies: Any, payload: Any) -> None:
    answer = httpx.Response(200, json=payload("chat-answer.json"))
    created = httpx.Response(201, json=payload("conversation-created.json"))
    unconnected = [httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.PoolTimeout("x"), httpx.ProxyError("x")]
    async with wire.open(replies(*unconnected[1:], answer)) as graph:
        assert (await graph.chat("c", TURN)).requests_used == 1
    async with wire.open(replies(*unconnected[:3], created)) as graph:
        assert (await graph.create_conversation()).requests_used == 1
    assert len(wire.requests) == 8


async def test_turn_that_a_proxy_refused_was_not_recorded(wire: Any, replies: Any) -> None:
    async with wire.open(replies(httpx.ProxyError("502 Bad Gateway"))) as graph:
        with pytest.raises(ServiceUnavailableError) as caught:
            await graph.chat("c", TURN)
    assert (caught.value.kind, caught.value.requests_used) == ("offline", 0)


@pytest.mark.parametrize(
    "answer",
    [
        status(429, {"Retry-After": "3"}),
        status(502),
        status(503, {"Retry-After": "3"}),
        status(504),
        httpx.Response(200, content=b"{"),
        httpx.ReadTimeout("x"),
        httpx.ReadError("x"),
        httpx.RemoteProtocolError("x"),
    ],
    ids=str,
)
async def test_chat_that_may_have_arrived_is_sent_once(
    wire: Any, replies: Any, answer: httpx.Response | Exception
) -> None:
    async with wire.open(replies(answer)) as graph:
        for send in (graph.create_conversation, lambda: graph.chat("c", TURN)):
            with pytest.raises(GraphError) as caught:
                await send()
            assert caught.value.requests_used == 1
            throttled = isinstance(answer, httpx.Response) and "retry-after" in answer.headers
            assert caught.value.retry_after == (3.0 if throttled else None)
        assert isinstance(answer, httpx.Response) or "may have been recorded" in caught.value.hint
    assert (len(wire.requests), wire.slept) == (2, [])


@pytest.mark.parametrize("creates", [True, False])
async def test_rejected_token_is_renewed_once_where_no_turn_is_sent(
    wire: Any, replies: Any, payload: Any, creates: bool
) -> None:
    answer = httpx.Response(201, json=payload("conversation-created.json")) if creates else ok()
    async with wire.open(replies(status(401), answer)) as graph:
        got = await (graph.create_conversation() if creates else graph.retrieve(BODY))
    assert got.requests_used == 2
    assert [request.headers["authorization"] for request in wire.requests] == ["Bearer token-1", "Bearer token-2"]
    scopes = CHAT_SCOPES if creates else FILES
    assert wire.tokens.asked == [(scopes, None), (scopes, "token-1")]


async def ask_chat(graph: Any) -> None:
    await graph.chat("c", TURN)


async def ask_stream(graph: Any) -> None:
    async with graph.chat_over_stream("c", TURN):
        raise AssertionError("a refused turn has no stream")


CLAIMS = '{"access_token": {"nbf": {"essential": true, "value": "1"}}}'
CHALLENGE = f'Bearer error="insufficient_claims", claims="{base64.b64encode(CLAIMS.encode()).decode()}"'


@pytest.mark.parametrize("ask", [ask_chat, ask_stream])
@pytest.mark.parametrize(
    ("refused", "claims"),
    [
        (status(401), None),
        (status(401, {"WWW-Authenticate": CHALLENGE}), CLAIMS),
        (status(403, {"WWW-Authenticate": CHALLENGE}), CLAIMS),
    ],
)
async def test_refused_token_of_a_turn_is_renewed_and_the_turn_not_sent_again(
    wire: Any, replies: Any, payload: Any, ask: Any, refused: httpx.Response, claims: str | None
) -> None:
    answer = httpx.Response(200, json=payload("chat-answer.json"))
    async with wire.open(replies(refused, answer)) as graph:
        with pytest.raises(PermissionDeniedError) as caught:
            await ask(graph)
    code = refused.status_code
    assert str(caught.value) == (
        f"Microsoft Graph refused the token ({code}), so the question was not taken. The sign-in has been renewed. "
        "Ask again."
    )
    assert caught.value.details() == {
        "kind": "token_renewed",
        "status": code,
        "code": "x",
        "requestId": caught.value.request_id,
        "requestsUsed": 1,
        "whoActs": "user",
    }
    assert (len(wire.requests), caught.value.scopes) == (1, CHAT_SCOPES)
    assert wire.tokens.asked == [(CHAT_SCOPES, None), (CHAT_SCOPES, "token-1")]
    assert wire.tokens.claims == [None, claims]


async def test_turn_refused_for_a_wrong_clock_says_so(wire: Any, replies: Any) -> None:
    async with wire.open(replies(status(401, {"Date": "Mon, 02 Mar 2026 09:00:00 GMT"}))) as graph:
        with pytest.raises(PermissionDeniedError) as caught:
            await graph.chat("c", TURN)
    assert (caught.value.kind, len(wire.requests), len(wire.tokens.asked)) == ("clock_skew", 1, 2)


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationRequiredError("Gone."),
        AuthenticationError("Down.", kind="offline"),
        AuthenticationError("Not granted.", kind="consent_required"),
    ],
)
async def test_renewal_that_fails_after_a_turn_is_the_error(wire: Any, replies: Any, error: Any) -> None:
    wire.tokens.fails = error
    async with wire.open(replies(status(401))) as graph:
        with pytest.raises(type(error)) as caught:
            await graph.chat("c", TURN)
        assert caught.value is error
        assert error.after_turn
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("challenge", "kind"),
    [("Bearer", "token_rejected"), ('Bearer error="insufficient_claims", claims="e30="', "reauth_required")],
)
async def test_second_rejection_asks_for_a_new_sign_in(wire: Any, replies: Any, challenge: str, kind: str) -> None:
    async with wire.open(replies(status(401, {"WWW-Authenticate": challenge}))) as graph:
        with pytest.raises(PermissionDeniedError) as caught:
            await graph.retrieve(BODY)
    assert (caught.value.kind, caught.value.status, caught.value.requests_used) == (kind, 401, 2)
    assert "copilot-mcp login" in caught.value.hint


@pytest.mark.parametrize("code", [301, 302, 307, 308])
async def test_redirects_are_refused(wire: Any, replies: Any, code: int) -> None:
    async with wire.open(replies(httpx.Response(code, headers={"Location": "https://evil.test/"}))) as graph:
        with pytest.raises(ServiceUnavailableError) as caught:
            await graph.retrieve(BODY)
    assert caught.value.message == f"Microsoft Graph answered with a redirect, which is not followed ({code})."
    assert [str(request.url.host) for request in wire.requests] == ["graph.lumen.test"]


@pytest.mark.parametrize(
    "root",
    [
        "http://graph.lumen.test",
        "https://user@graph.lumen.test",
        "https://user:pw@graph.lumen.test",
        "https://graph.lumen.test/v1.0",
        "https://graph.lumen.test?x=1",
        "https://graph.lumen.test#x",
        "ftp://127.0.0.1",
        "https://",
        "graph.lumen.test",
    ],
)
async def test_root_that_would_leak_the_token_is_refused(wire: Any, replies: Any, root: str) -> None:
    with pytest.raises(SettingsError):
        async with wire.open(replies(ok()), root=root):
            raise AssertionError("opened")


@pytest.mark.parametrize(
    "root", ["http://127.0.0.1:5000/", "http://localhost", "http://[::1]:80", "https://graph.lumen.test/"]
)
async def test_plain_http_stays_on_this_machine(wire: Any, replies: Any, root: str) -> None:
    async with wire.open(replies(ok()), root=root) as graph:
        await graph.retrieve(BODY)
    assert str(wire.requests[0].url) == f"{root.rstrip('/').removesuffix(':80')}/v1.0/copilot/retrieval"


@pytest.mark.parametrize(
    "path", ["@evil.test/x", ".evil.test/x", ":8443/x", ":pw@evil.test", "//evil.test/x", "/beta/../../x"]
)
async def test_token_never_leaves_the_configured_root(wire: Any, path: str) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda request: ok())) as http:
        client = GraphClient(http, "https://graph.lumen.test", wire.tokens)
        transport: GraphTransport = client._transport
        operation = Operation("probe", repeatable=False, total_s=5)
        if path.startswith("/"):
            sent = await transport.send(operation, path, {}, FILES)
            assert sent.response.request.url.host == "graph.lumen.test"
        else:
            with pytest.raises(SettingsError):
                await transport.send(operation, path, {}, FILES)


async def test_cookies_of_one_answer_do_not_come_back(wire: Any, replies: Any) -> None:
    async with wire.open(replies(httpx.Response(200, json=HITS, headers={"Set-Cookie": "who=adele"}))) as graph:
        await graph.retrieve(BODY)
        await graph.retrieve(BODY)
    assert [request.headers.get("cookie") for request in wire.requests] == [None, None]


@pytest.mark.parametrize(
    ("fault", "kind", "tries", "used"),
    [
        (httpx.ConnectError("x"), "offline", 4, 0),
        (httpx.ConnectTimeout("x"), "offline", 4, 0),
        (httpx.PoolTimeout("x"), "timeout", 4, 0),
        (httpx.ProxyError("x"), "offline", 4, 0),
        (httpx.ReadTimeout("x"), "timeout", 4, 4),
        (httpx.ReadError("x"), "service", 4, 4),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] x"), "tls_intercepted", 1, 0),
    ],
)
async def test_connection_faults_have_their_kinds(
    wire: Any, replies: Any, fault: Exception, kind: str, tries: int, used: int
) -> None:
    async with wire.open(replies(fault)) as graph:
        with pytest.raises(ServiceUnavailableError) as caught:
            await graph.retrieve(BODY)
    error = caught.value
    assert (error.kind, error.requests_used, error.status) == (kind, used, None)
    assert len(wire.requests) == tries
    assert "chat turn" not in error.hint
    assert error.request_id == wire.requests[-1].headers["client-request-id"]
    assert error.__cause__ is fault


async def test_untrusted_certificate_is_found_behind_the_fault(wire: Any) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("handshake") from ssl.SSLCertVerificationError("self-signed")

    async with wire.open(handler) as graph:
        with pytest.raises(ServiceUnavailableError) as caught:
            await graph.chat("c", TURN)
    assert (caught.value.kind, caught.value.requests_used) == ("tls_intercepted", 0)


async def test_page_instead_of_json_is_a_portal_and_is_not_asked_again(wire: Any, replies: Any) -> None:
    async with wire.open(replies(httpx.Response(200, html="<html>Welcome</html>"))) as graph:
        with pytest.raises(ServiceUnavailableError) as caught:
            await graph.retrieve(BODY)
    assert (caught.value.kind, caught.value.requests_used) == ("captive_portal", 1)
    assert "Welcome" not in str(caught.value)


async def test_gateway_page_is_an_ordinary_failure(wire: Any, replies: Any) -> None:
    async with wire.open(replies(httpx.Response(502, html="<html>Bad gateway</html>"), ok())) as graph:
        assert (await graph.retrieve(BODY)).requests_used == 2


class Stalling(httpx.AsyncByteStream):
    """A body that begins and then waits for ever."""

    def __init__(self) -> None:
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"
        await anyio.sleep_forever()

    async def aclose(self) -> None:
        self.closed = True


async def test_time_limit_ends_a_stalled_answer_and_closes_it(wire: Any) -> None:
    stalling = Stalling()

    async def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=stalling)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
        transport = GraphClient(http, "https://graph.lumen.test", wire.tokens)._transport
        with pytest.raises(ServiceUnavailableError) as caught:
            await transport.send(Operation("probe", repeatable=True, total_s=0.01), "/x", {}, FILES)
    assert (caught.value.kind, caught.value.requests_used, stalling.closed) == ("timeout", 1, True)


class Hanging:
    """Gives a token at first, and after `answers` of them none for ever."""

    def __init__(self, answers: int) -> None:
        self.answers = answers

    async def token(self, scopes: Sequence[str], *, rejected: str | None = None, claims: str | None = None) -> str:
        if self.answers == 0:
            await anyio.sleep_forever()
        self.answers -= 1
        return "token-1"


@pytest.mark.parametrize("on_conversation", [False, True], ids=["request", "turn"])
@pytest.mark.parametrize("answers", [0, 1], ids=["first", "renewal"])
async def test_token_is_asked_for_within_the_time_of_the_call(answers: int, on_conversation: bool) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: status(401))) as http:
        transport = GraphClient(http, "https://graph.lumen.test", Hanging(answers))._transport
        operation = Operation("probe", repeatable=True, total_s=0.1, on_conversation=on_conversation)
        with anyio.fail_after(20), pytest.raises(AuthenticationError) as caught:
            await transport.send(operation, "/x", {}, FILES)
    assert (caught.value.kind, caught.value.who, caught.value.requests_used) == ("token_timeout", "nobody", answers)
    assert "within the time of this call" in caught.value.message and caught.value.hint
