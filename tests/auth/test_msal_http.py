"""The HTTP client that MSAL gets: its limits, and what it makes of answers."""

import ssl
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from copilot_mcp.auth.msal_http import AuthorityFaultError, MsalHttp, MsalResponse

pytestmark = pytest.mark.anyio

ROOT = "https://login.microsoftonline.com"
TOKEN = f"{ROOT}/tenant/oauth2/v2.0/token"
DISCOVERY = f"{ROOT}/tenant/v2.0/.well-known/openid-configuration"


async def call(adapter: MsalHttp, method: str = "post", url: str = TOKEN, **arguments: Any) -> MsalResponse:
    """As MSAL does, from a worker thread."""
    return await anyio.to_thread.run_sync(partial(getattr(adapter, method), url, **arguments))


async def fault(adapter: MsalHttp, method: str = "post", url: str = TOKEN) -> AuthorityFaultError:
    """The fault that a call ends with."""
    with pytest.raises(AuthorityFaultError) as caught:
        await call(adapter, method, url)
    return caught.value


def answering(response: httpx.Response | Exception, **options: Any) -> MsalHttp:
    """An adapter whose network always answers the same."""

    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    return MsalHttp(httpx.AsyncClient(transport=httpx.MockTransport(handle)), ROOT, **options)


async def test_cookies_of_the_sign_in_service_are_not_sent_back() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"ok": True}, headers={"set-cookie": "fpc=one-person; Path=/; Secure"})

    client = httpx.AsyncClient(transport=httpx.MockTransport(handle), headers={"user-agent": "copilot-mcp"})
    adapter = MsalHttp(client, ROOT)
    for _ in range(2):
        await call(adapter, data={"a": "1"})
    assert [sorted(request.headers) for request in seen] == [
        ["accept", "accept-encoding", "content-length", "content-type", "host", "user-agent"]
    ] * 2
    assert {request.headers["user-agent"] for request in seen} == {"copilot-mcp"}


async def test_form_goes_out_without_empty_fields_and_without_compression() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"ok": True}, headers={"x-kept": "1"})

    adapter = MsalHttp(httpx.AsyncClient(transport=httpx.MockTransport(handle)), ROOT)
    answer = await call(adapter, data={"a": "1", "claims": None, "client_info": 1}, headers={"x-sent": "2"}, timeout=3)
    assert (answer.status_code, answer.text, answer.headers["x-kept"]) == (200, '{"ok":true}', "1")
    assert (seen[0].content, seen[0].headers["x-sent"], seen[0].headers["accept-encoding"]) == (
        b"a=1&client_info=1",
        "2",
        "identity",
    )
    assert seen[0].extensions["timeout"] == {"connect": 5.0, "read": 15.0, "write": 15.0, "pool": 5.0}


@pytest.mark.shows("F18")
async def test_success_loses_its_retry_after_so_that_msal_does_not_keep_it() -> None:
    answer = await call(answering(httpx.Response(200, json={}, headers={"Retry-After": "30"})))
    assert "retry-after" not in {name.lower() for name in answer.headers}


async def test_refusal_gets_a_status_that_msal_does_not_keep() -> None:
    for status in (400, 429, 500):
        answer = await call(answering(httpx.Response(status, json={"error": "invalid_grant"})))
        assert (answer.status_code, answer.text) == (401, '{"error":"invalid_grant"}')
        answer.raise_for_status()


@pytest.mark.shows("F16")
@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0.0), ("7", 7.0), ("1000000000", 3600.0), ("soon", None), ("", None), ("-1", None)],
)
async def test_waiting_time_of_a_busy_service_is_read_and_bounded(value: str, seconds: float | None) -> None:
    headers = {"retry-after": value} if value else {}
    found = await fault(answering(httpx.Response(429, headers=headers)))
    assert (found.kind, found.retry_after) == ("identity_unavailable", seconds)


async def test_waiting_time_may_be_a_date() -> None:
    response = httpx.Response(503, headers={"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"})
    assert (await fault(answering(response, clock=lambda: 40.0))).retry_after == 60.0
    assert (await fault(answering(response, clock=lambda: 400.0))).retry_after == 0.0


@pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error"])
async def test_busy_service_in_the_form_of_oauth_is_a_fault_too(error: str) -> None:
    assert (await fault(answering(httpx.Response(503, json={"error": error})))).kind == "identity_unavailable"


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (httpx.Response(200, html="<html>"), "captive_portal"),
        (httpx.Response(200, text="  <HTML>"), "captive_portal"),
        (httpx.Response(407, text="sign in"), "captive_portal"),
        (httpx.Response(511, text="sign in"), "captive_portal"),
        (httpx.Response(200, text=""), "bad_answer"),
        (httpx.Response(200, text="7"), "bad_answer"),
        (httpx.Response(200, content=b"\xff\xfe"), "bad_answer"),
        (httpx.Response(302, headers={"location": "https://evil.example/"}), "bad_answer"),
        (httpx.Response(200, content=b"x" * 1_048_577), "bad_answer"),
        (httpx.Response(200, json={}, headers={"content-encoding": "br"}), "bad_answer"),
        (httpx.Response(502, html="<html>"), "identity_unavailable"),
        (httpx.ConnectError("refused"), "offline"),
        (httpx.ReadTimeout("slow"), "offline"),
        (httpx.ProxyError("407"), "captive_portal"),
        (httpx.RemoteProtocolError("cut"), "bad_answer"),
    ],
)
async def test_unusable_answers_become_faults_without_their_text(
    response: httpx.Response | Exception, kind: str
) -> None:
    found = await fault(answering(response))
    assert (found.kind, str(found), found.__cause__) == (kind, kind, None)


async def test_answer_of_the_largest_size_is_read() -> None:
    body = b'{"a":"' + b"x" * (1_048_576 - 8) + b'"}'
    assert len((await call(answering(httpx.Response(200, content=body)))).text) == 1_048_576


async def test_untrusted_certificate_is_told_apart() -> None:
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = RuntimeError("wrapped")
    error.__cause__.__context__ = ssl.SSLCertVerificationError("self-signed certificate")
    assert (await fault(answering(error))).kind == "tls_intercepted"


async def test_endless_chain_of_causes_is_bounded() -> None:
    error = httpx.ConnectError("a")
    error.__cause__ = error
    assert (await fault(answering(error))).kind == "offline"


async def test_silent_service_ends_at_the_total_time_limit() -> None:
    class Silent(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"{"
            await anyio.sleep_forever()

    response = httpx.Response(200, stream=Silent())
    assert (await fault(answering(response, total_timeout_s=0.05))).kind == "offline"


async def test_cancelled_caller_ends_its_request() -> None:
    started = anyio.Event()

    class Silent(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            started.set()
            yield b"{"
            await anyio.sleep_forever()

    adapter = answering(httpx.Response(200, stream=Silent()))
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(call, adapter)
            await started.wait()
            group.cancel_scope.cancel()
    assert group.cancel_scope.cancel_called


@pytest.mark.shows("L10")
@pytest.mark.parametrize(
    "url",
    [
        "http://login.microsoftonline.com/tenant/oauth2/v2.0/token",
        "https://login.microsoftonline.com:8443/token",
        "https://login.microsoftonline.com.evil.example/token",
        "https://login.microsoftonline.com@evil.example/token",
        "https://evil.example/token",
    ],
)
async def test_other_hosts_are_refused_unsent(adapter: MsalHttp, entra: Any, url: str) -> None:
    assert ((await fault(adapter, url=url)).kind, entra.log) == ("bad_answer", [])


async def test_discovery_is_asked_once_a_day(adapter: MsalHttp, entra: Any, clock: Any) -> None:
    first = await call(adapter, "get", DISCOVERY)
    assert await call(adapter, "get", DISCOVERY) is first
    clock.now += 24 * 3600
    await call(adapter, "get", DISCOVERY)
    assert entra.log == ["discovery", "discovery"]


@pytest.mark.shows("F19", "L10")
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "device_authorization_endpoint"])
@pytest.mark.parametrize("address", [None, 7, f"http{ROOT[5:]}/x", "https://evil.example/x"])
async def test_discovery_that_leads_elsewhere_is_refused_and_not_kept(
    adapter: MsalHttp, entra: Any, name: str, address: Any
) -> None:
    endpoints = dict.fromkeys(("authorization_endpoint", "token_endpoint", "device_authorization_endpoint"), TOKEN)
    entra.script["discovery"].append(httpx.Response(200, json=endpoints | {name: address}))
    assert (await fault(adapter, "get", DISCOVERY)).kind == "bad_answer"
    assert (await call(adapter, "get", DISCOVERY)).status_code == 200


async def test_refused_discovery_hands_its_error_on(adapter: MsalHttp, entra: Any) -> None:
    entra.script["discovery"].append(httpx.Response(404, json={"error": "invalid_tenant"}))
    found = await fault(adapter, "get", DISCOVERY)
    assert (found.kind, found.oauth) == ("refused", {"error": "invalid_tenant"})


async def test_requests_are_logged_without_tenant_and_body(
    adapter: MsalHttp, entra: Any, caplog: pytest.LogCaptureFixture
) -> None:
    entra.script["token"].append(
        httpx.Response(200, json={"access_token": "SECRETMARK"}, headers={"x-ms-request-id": "a-1\n<b>"})
    )
    await call(adapter, data={"refresh_token": "SECRETMARK"})
    (line,) = [message for message in caplog.messages if message.startswith("POST")]
    start, _, end = line.partition(" in ")
    assert start == "POST login.microsoftonline.com/{tenant}/oauth2/v2.0/token 200"
    assert end.endswith(" ms, request a-1b")


async def test_wrong_clock_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    response = httpx.Response(200, json={}, headers={"date": "Thu, 01 Jan 1970 01:00:00 GMT"})
    adapter = answering(response, clock=lambda: 0.0)
    for _ in range(2):
        await call(adapter)
    assert [message for message in caplog.messages if "clock" in message] == [
        "This computer's clock is 60 minutes off; tokens may be refused until it is set."
    ]


async def test_closing_leaves_the_clients_connections_alone(adapter: MsalHttp, http: httpx.AsyncClient) -> None:
    adapter.close()
    assert not http.is_closed
