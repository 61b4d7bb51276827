"""Where requests may go: whatever address a caller or an answer names, only the configured hosts are ever dialled.

The corpus is that of server-side request forgery (the class of CVE-2026-26118, where a server's own token went to an
address that was given to it). Two witnesses: the transport under our one HTTP client, and the interpreter's audit
events for name look-ups and connections.
"""

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from mcp import Client

from copilot_mcp.cli._services import GraphServices
from copilot_mcp.server import build_server
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

GRAPH, LOGIN = "graph.copilot-mcp.test", "login.copilot-mcp.test"
ADDRESSES = (
    "http://169.254.169.254/latest/meta-data/iam",
    "http://169.254.169.254.nip.example/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://127.0.0.1:8080/",
    "https://localhost/sites/HR/a.docx",
    "https://0.0.0.0/a.docx",
    "https://[::1]/a.docx",
    "https://[::ffff:169.254.169.254]/a.docx",
    "https://[::ffff:a9fe:a9fe]/a.docx",
    "https://0177.0.0.1/a.docx",
    "https://0x7f.1/a.docx",
    "https://2130706433/a.docx",
    "https://127.1/a.docx",
    f"https://{GRAPH}@evil.example/a.docx",
    f"https://evil.example#@{GRAPH}/a.docx",
    f"https://{GRAPH}.evil.example/a.docx",
    f"https://{GRAPH}./a.docx",
    f"https://{GRAPH}:8443/a.docx",
    f"http://{GRAPH}/a.docx",
    f"https://user:secret@{GRAPH}/a.docx",
    f"https://evil.example\\@{GRAPH}/a.docx",
    "https://contoso.sharepoint.com.evil.example/a.docx",
    "https://contoso.sharepoint.com@evil.example/a.docx",
    "https://contoso.sharepoint.com:8443/a.docx",
    "https://c\u043entoso.sharepoint.com/a.docx",
    "https://xn--cntoso-wqf.sharepoint.com/a.docx",
    "https://evil\uff0eexample/a.docx",
    "//evil.example/a.docx",
    "\\\\evil.example\\share\\a.docx",
    "file:///etc/passwd",
    "ftp://evil.example/a",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "javascript:alert(1)",
    "data:text/html,x",
    "../../v1.0/me/messages",
    "..%2f..%2fv1.0%2fme",
    "https://evil.example/\r\nHost: evil.example",
    "https://contoso.sharepoint.com/sites/HR/Plan.docx",
)
CHAT: dict[str, Callable[[str], dict[str, Any]]] = {
    "files": lambda address: {"message": {"text": "Why?"}, "contextualResources": {"files": [{"uri": address}]}},
    "conversationId": lambda address: {"message": {"text": "Why?"}, "conversationId": address},
    "timeZone": lambda address: {"message": {"text": "Why?"}, "locationHint": {"timeZone": address}},
}
RETRIEVE: dict[str, Callable[[str], dict[str, Any]]] = {
    "queryString": lambda address: {"queryString": f"What does {address} say?"},
    "path filter": lambda address: {"filterExpression": f'Path:"{address}"'},
    "bare path filter": lambda address: {"filterExpression": f"Path:{address}"},
    "site filter": lambda address: {"filterExpression": f'SiteID:"{address}" OR Title:"{address}"'},
    "resourceMetadata": lambda address: {"resourceMetadata": [address]},
    "connectionId": lambda address: {
        "dataSource": "externalItem",
        "dataSourceConfiguration": {"externalItem": {"connections": [{"connectionId": address}]}},
    },
    "containerTypeId": lambda address: {
        "dataSource": "sharePointEmbedded",
        "dataSourceConfiguration": {"sharePointEmbedded": {"containerTypeId": address}},
    },
}
ARGUMENTS = {("copilot_chat", name): made for name, made in CHAT.items()} | {
    ("copilot_retrieve", name): made for name, made in RETRIEVE.items()
}


class _Audit:
    """Name look-ups and connections of this process. A hook stays for good, so there is one."""

    def __init__(self) -> None:
        self.events: list[str] | None = None
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.events is not None and event in (
            "socket.connect",
            "socket.sendto",
            "socket.getaddrinfo",
            "socket.gethostbyname",
            "urllib.Request",
        ):
            self.events.append(f"{event} {arguments[-1]!r}")


AUDIT = _Audit()


@pytest.fixture
def dialled() -> Iterator[list[str]]:
    """Every name look-up and connection while a test runs."""
    AUDIT.events = []
    yield AUDIT.events
    AUDIT.events = None


Change = Callable[[httpx.Request, httpx.Response], httpx.Response]


@dataclass
class Wire(httpx.AsyncBaseTransport):
    """The tenant's transport with a record of where requests went, and a hand on its answers."""

    inner: httpx.AsyncBaseTransport
    change: Change
    requests: list[httpx.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = await self.inner.handle_async_request(request)
        await response.aread()
        return self.change(request, response)

    def places(self) -> set[str]:
        """Scheme, host and port of every request."""
        return {f"{each.url.scheme}://{each.url.netloc.decode()}" for each in self.requests}

    def holders(self) -> set[str]:
        """The hosts that were shown a token."""
        return {each.headers["host"] for each in self.requests if "authorization" in each.headers}


@dataclass
class WiredTenant:
    """A tenant behind a wire."""

    simulator: Simulator
    wire: Wire
    signs_in: bool = True

    async def open(self) -> httpx.AsyncBaseTransport:
        return self.wire

    async def approve(self, attempt: Any) -> None:
        self.simulator.approve(attempt.user_code, "adele")

    async def aclose(self) -> None:
        return None


def unchanged(_request: httpx.Request, response: httpx.Response) -> httpx.Response:
    return response


async def no_pause(_seconds: float) -> None:
    return None


@pytest.fixture
async def wired(simulator: Simulator, settings: Settings, era: Any) -> AsyncIterator[Callable[..., Any]]:
    """Opens a client whose server speaks to the tenant over a wire: `client, wire = await wired(change)`."""
    async with AsyncExitStack() as stack:

        async def opened(change: Change = unchanged) -> tuple[Client, Wire]:
            wire = Wire(httpx.ASGITransport(simulator.app), change)
            tenant = WiredTenant(simulator, wire)
            services = await stack.enter_async_context(GraphServices(settings, tenant, sleep=no_pause))
            client = await stack.enter_async_context(Client(build_server(services, settings), mode=era))
            return client, wire

        yield opened


@pytest.mark.parametrize(("tool", "name"), ARGUMENTS, ids=lambda each: each)
async def test_no_argument_makes_a_request_leave_for_another_host(
    wired: Any, dialled: list[str], tool: str, name: str
) -> None:
    client, wire = await wired()
    for address in ADDRESSES:
        arguments = ARGUMENTS[tool, name](address)
        if tool == "copilot_retrieve":
            arguments = {
                "queryString": "What is written there?",
                "dataSource": "sharePoint",
                "maximumNumberOfResults": 1,
            } | arguments
        result = await client.call_tool(tool, arguments)
        assert result.content[0].text
    assert wire.places() <= {f"https://{GRAPH}", f"https://{LOGIN}"}
    assert wire.holders() <= {GRAPH}
    assert dialled == []
    paths = [request.url.raw_path.decode() for request in wire.requests if request.url.host == GRAPH]
    known = ("/beta/copilot/conversations", "/v1.0/copilot/retrieval")
    assert [path for path in paths if not path.startswith(known) or ".." in path] == []


async def test_addresses_in_a_prompt_and_its_context_are_text(wired: Any, dialled: list[str]) -> None:
    client, wire = await wired()
    result = await client.call_tool(
        "copilot_chat",
        {
            "message": {"text": f"Read {' and '.join(ADDRESSES)}"},
            "additionalContext": [{"text": address, "description": address} for address in ADDRESSES],
        },
    )
    assert not result.is_error
    assert wire.places() <= {f"https://{GRAPH}", f"https://{LOGIN}"}
    assert wire.holders() == {GRAPH}
    assert dialled == []


@pytest.mark.parametrize("source", ["sharePoint", "externalItem"])
async def test_building_a_filter_of_addresses_asks_nobody(wired: Any, dialled: list[str], source: str) -> None:
    client, wire = await wired()
    for address in ADDRESSES:
        condition = {"property": "Path", "operator": "starts with", "value": address}
        result = await client.call_tool("build_filter", {"dataSource": source, "all": [condition]})
        assert result.content[0].text
    assert (wire.requests, dialled) == ([], [])


def planted(value: Any, address: str) -> Any:
    """The JSON value with the address in every member that some client might follow."""
    if isinstance(value, list):
        return [planted(member, address) for member in value]
    if not isinstance(value, dict):
        return value
    links = (
        "@odata.nextLink @odata.context @odata.deltaLink @odata.id @microsoft.graph.downloadUrl @odata.mediaReadLink "
        "webUrl seeMoreWebUrl imageWebUrl imageFavIcon helpLink href location"
    )
    return {name: planted(member, address) for name, member in value.items()} | dict.fromkeys(links.split(), address)


HEADERS = (
    "Location Content-Location Link Refresh Operation-Location Azure-AsyncOperation SourceMap Alt-Svc "
    "X-Forwarded-Host x-ms-proxy-url"
)


def plant(address: str) -> Change:
    """Fills every answer of Graph with the address, in its body and its headers."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.url.host != GRAPH:
            return response
        headers = dict(response.headers) | dict.fromkeys(HEADERS.split(), address.encode("ascii", "ignore").decode())
        headers.pop("content-length", None)
        if "json" in response.headers.get("content-type", ""):
            return httpx.Response(response.status_code, headers=headers, json=planted(response.json(), address))
        lines = [
            f"data: {json.dumps(planted(json.loads(line[6:]), address))}" if line.startswith("data: {") else line
            for line in response.text.split("\n")
        ]
        return httpx.Response(response.status_code, headers=headers, content="\n".join(lines).encode())

    return change


async def test_no_address_in_an_answer_is_followed(wired: Any, dialled: list[str]) -> None:
    client, wire = await wired()
    for address in (each for each in ADDRESSES if each.isprintable()):
        wire.change = plant(address)
        wire.requests.clear()
        found = await client.call_tool(
            "copilot_retrieve",
            {
                "queryString": "How long is parental leave?",
                "dataSource": "sharePoint",
                "maximumNumberOfResults": 1,
            },
        )
        asked = await client.call_tool("copilot_chat", {"message": {"text": "How many weeks of leave are there?"}})
        assert (found.is_error, asked.is_error) == (False, False)
        assert len([each for each in wire.requests if each.url.host == GRAPH]) == 3
        assert wire.places() <= {f"https://{GRAPH}", f"https://{LOGIN}"}
        assert wire.holders() == {GRAPH}
    assert dialled == []


def refuse(status: int, address: str, host: str = GRAPH) -> Change:
    """Every answer of a host becomes this status, with the address wherever a client might look for the next one."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.url.host != host:
            return response
        headers = {
            "Location": address,
            "WWW-Authenticate": f'Bearer realm="", authorization_uri="{address}", resource_metadata="{address}"',
        }
        error = {"code": "Moved", "message": f"See {address}", "innerError": {"helpLink": address}, "helpUrl": address}
        return httpx.Response(status, headers=headers, json={"error": error})

    return change


STATUSES = (300, 301, 302, 303, 305, 307, 308, 401, 403, 404, 407, 421, 429, 500, 503, 511)


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/token", f"https://{GRAPH}:8443/x", f"https://{GRAPH}/v1.0/me"]
)
async def test_no_redirect_and_no_help_link_of_a_refusal_is_followed(
    wired: Any, dialled: list[str], address: str
) -> None:
    client, wire = await wired()
    for status in STATUSES:
        wire.change = refuse(status, address)
        wire.requests.clear()
        found = await client.call_tool("copilot_retrieve", {"queryString": "Why is it so?", "dataSource": "sharePoint"})
        asked = await client.call_tool("copilot_chat", {"message": {"text": "Why?"}})
        for result in (found, asked):
            assert result.is_error
            assert not any(part in result.content[0].text for part in ("169.254", "8443", "v1.0/me"))
        asked_of_graph = {each.url.raw_path.decode() for each in wire.requests if each.url.host == GRAPH}
        assert asked_of_graph == {"/v1.0/copilot/retrieval", "/beta/copilot/conversations"}
        assert wire.places() <= {f"https://{GRAPH}", f"https://{LOGIN}"}
        assert wire.holders() == {GRAPH}
    assert dialled == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_redirect_of_the_sign_in_service_is_followed(wired: Any, dialled: list[str], status: int) -> None:
    client, wire = await wired(refuse(status, "http://169.254.169.254/token", LOGIN))
    found = await client.call_tool("copilot_retrieve", {"queryString": "Why is it so?", "dataSource": "sharePoint"})
    assert found.is_error
    assert "169.254" not in found.content[0].text
    assert wire.places() == {f"https://{LOGIN}"}
    assert wire.holders() == set()
    assert dialled == []
