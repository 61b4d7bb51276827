"""The gate before both HTTP transports, in process; the transports themselves are tried over sockets elsewhere."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from mcp.server import MCPServer
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from copilot_mcp.errors import SettingsError
from copilot_mcp.server.http import bind_loopback, http_app, new_secret

pytestmark = pytest.mark.anyio

LOCAL = "http://127.0.0.1:8765"


def http(secret: str | None) -> httpx.AsyncClient:
    app = http_app(MCPServer("gate"), secret=secret)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=LOCAL)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "evil.example", "Authorization": "Bearer right"}, 421),
        ({"Origin": "https://evil.example", "Authorization": "Bearer right"}, 403),
        ({"Origin": "null", "Authorization": "Bearer right"}, 403),
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "right"}, 401),
        ({"Authorization": "Basic right"}, 401),
        ({"Authorization": "Bearer rigä".encode()}, 401),
    ],
)
@pytest.mark.parametrize("path", ["/mcp", "/sse", "/messages/", "/elsewhere"])
async def test_strangers_are_kept_out_of_every_path(path: str, headers: dict[str, Any], status: int) -> None:
    async with http("right") as client:
        answer = await client.post(path, headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("secret", ["right", None])
async def test_who_knows_the_secret_or_needs_none_gets_through(secret: str | None) -> None:
    async with http(secret) as client:
        answer = await client.get("/elsewhere", headers={"Authorization": "bearer right", "Origin": LOCAL})
    assert answer.status_code == 404


async def test_health_needs_no_secret() -> None:
    async with http("right") as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}


def echo() -> Any:
    server: MCPServer[Any] = MCPServer("gate")

    @server.custom_route("/echo", ["POST"])
    async def answer(request: Request) -> Response:
        return Response(await request.body())

    return http_app(server, secret=None)


@pytest.mark.parametrize("size", [1, 5, 1000])
async def test_half_of_a_character_in_a_body_is_read_as_its_mark(size: int) -> None:
    given, read = r'{"ä": "a\uD83D \ud83d\ude00 \\ud800"}', r'{"ä": "a\ufffd \ud83d\ude00 \\ud800"}'

    async def pieces() -> AsyncIterator[bytes]:
        for place in range(0, len(given.encode()), size):
            yield given.encode()[place : place + size]

    async with httpx.AsyncClient(transport=httpx.ASGITransport(echo()), base_url=LOCAL) as client:
        answer = await client.post("/echo", content=pieces())
    assert answer.text == read


async def test_a_body_that_ends_too_soon_stays_cut() -> None:
    coming: list[Any] = [{"type": "http.disconnect"}, {"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Any:
        return coming.pop()

    async def send(message: Any) -> None:
        assert message.get("status", 500) == 500

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/echo",
        "headers": [(b"host", b"localhost")],
        "query_string": b"",
    }
    with pytest.raises(ClientDisconnect):
        await echo()(scope, receive, send)


async def test_services_are_open_while_the_app_runs() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def services() -> AsyncIterator[None]:
        events.append("open")
        yield
        events.append("closed")

    app = http_app(MCPServer("gate"), secret=None, services=services())
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])
        events.append("running")

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert events == ["open", "running", "closed", "running"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "contoso.example", ""])
def test_only_loopback_is_bound(host: str) -> None:
    with pytest.raises(SettingsError, match="is not a loopback address"):
        bind_loopback(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_a_loopback_address_is_bound_to_a_free_port(host: str) -> None:
    with bind_loopback(host, 0) as listener:
        assert listener.getsockname()[1] > 0
        assert listener.proto == socket.IPPROTO_TCP


def test_secrets_are_long_and_never_the_same() -> None:
    assert len(new_secret()) == 43
    assert new_secret() != new_secret()
