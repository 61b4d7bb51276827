"""Over HTTP, in a real process: both endpoints in both eras, and everybody who must be kept out."""

import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

pytestmark = pytest.mark.anyio

SECRET = "a-secret-of-the-test-and-of-nothing-else"
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}},
}


@pytest.fixture(scope="module")
def address(start: Callable[..., Any], tenant_url: str) -> str:
    """Our server on a free port, joined to the tenant; needs its secret."""
    server = start(
        "serve", "--transport", "http", "--port", "0", "--simulate-url", tenant_url, COPILOT_MCP_SECRET=SECRET
    )
    return str(server.wait_for(r"(http://127\.0\.0\.1:\d+)/mcp \(")[1])


@asynccontextmanager
async def connected(address: str, path: str, era: Any) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {SECRET}"}
    if path == "/sse":
        async with Client(sse_client(f"{address}/sse", headers=headers), mode=era) as client:
            yield client
        return
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http), mode=era) as client,
    ):
        yield client


@pytest.mark.parametrize("path", ["/mcp", "/sse"])
async def test_the_sdk_client_lists_calls_and_gets_progress(address: str, path: str, era: Any) -> None:
    texts: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        texts.append(message or "")

    async with connected(address, path, era) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        result = await client.call_tool(
            "copilot_chat", {"message": "How do I set up the VPN?"}, progress_callback=on_progress
        )
    assert tools == ["copilot_chat", "copilot_retrieve", "build_filter"]
    assert not result.is_error
    assert texts


class HalfCharacters(httpx2.AsyncHTTPTransport):
    """Sends what no encoder here would write, in the place of a word as long."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        content = (await request.aread()).replace(b"HALFED", rb"\ud83d")
        sent = httpx2.Request(
            request.method, request.url, headers=request.headers, content=content, extensions=request.extensions
        )
        return await super().handle_async_request(sent)


async def test_half_of_a_character_is_read_as_its_mark(address: str, era: Any) -> None:
    asked = {"dataSource": "sharePoint", "expression": 'Title="VPN HALFED"'}
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30, transport=HalfCharacters()) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http), mode=era) as client,
    ):
        result = await client.call_tool("build_filter", asked)
    assert (result.structured_content or {})["filterExpression"] == 'Title="VPN \ufffd"'


@pytest.mark.shows("L2", "L3")
@pytest.mark.parametrize("path", ["/mcp", "/sse"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Basic {SECRET}"}, 401),
    ],
)
async def test_strangers_are_kept_out(address: str, path: str, headers: dict[str, str], status: int) -> None:
    sent = {"Authorization": f"Bearer {SECRET}", "Accept": "application/json, text/event-stream", **headers}
    async with httpx.AsyncClient(trust_env=False) as http:
        if path == "/sse":
            answer = await http.get(f"{address}{path}", headers=sent)
        else:
            answer = await http.post(f"{address}{path}", headers=sent, json={})
    assert answer.status_code == status


async def test_health_needs_no_secret_but_a_known_host(address: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{address}/healthz")).json() == {"status": "ok"}
        assert (await http.get(f"{address}/healthz", headers={"Host": "evil.example"})).status_code == 421


async def test_a_body_over_one_mebibyte_is_refused(address: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(
            f"{address}/mcp",
            content=b" " * (1024 * 1024 + 1),
            headers={"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"},
        )
    assert answer.status_code == 413


def test_a_new_secret_is_printed_once_with_the_configuration_to_paste(
    start: Callable[..., Any], tenant_url: str
) -> None:
    server = start("serve", "--transport", "sse", "--port", "0", "--simulate-url", tenant_url)
    printed = server.wait_for(r'"Authorization": "Bearer ([\w-]{43})"')
    address = server.wait_for(r"(http://127\.0\.0\.1:\d+)/mcp \(")[1]
    with httpx.Client(trust_env=False) as http:
        assert http.post(f"{address}/mcp", json={}).status_code == 401
        known = http.post(f"{address}/mcp", json={}, headers={"Authorization": f"Bearer {printed[1]}"})
    assert known.status_code not in (401, 403, 421)
    server.popen.send_signal(signal.SIGTERM)
    server.popen.wait(10)
    assert len(re.findall(re.escape(printed[1]), server.text)) == 1


def test_the_built_in_company_alone_needs_no_secret(start: Callable[..., Any]) -> None:
    server = start("serve", "--transport", "http", "--port", "0", "--simulate")
    address = server.wait_for(r"(http://127\.0\.0\.1:\d+)/mcp \(")[1]
    assert "Authorization" not in server.text
    with httpx.Client(trust_env=False) as http:
        assert http.post(f"{address}/mcp", json={}).status_code != 401


@pytest.mark.parametrize("path", ["/sse", "/mcp"])
def test_a_stop_ends_open_streams_without_a_word(start: Callable[..., Any], path: str) -> None:
    server = start("serve", "--transport", "http", "--port", "0", "--simulate")
    address = server.wait_for(r"(http://127\.0\.0\.1:\d+)/mcp \(")[1]
    with httpx.Client(trust_env=False, base_url=address, timeout=20) as http:
        headers = {"accept": "application/json, text/event-stream"}
        if path == "/mcp":
            began = http.post(path, json=HELLO, headers=headers)
            headers["mcp-session-id"] = began.headers["mcp-session-id"]
        with http.stream("GET", path, headers=headers) as stream:
            assert stream.status_code == 200
            server.popen.send_signal(signal.SIGTERM)
            rest = b"".join(stream.iter_raw())
    server.popen.wait(10)
    assert b"HTTP/1.1" not in rest
    assert "ERROR" not in server.finished_text()
    assert "Traceback" not in server.text
