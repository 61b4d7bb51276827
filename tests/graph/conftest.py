"""A Graph client on a wire that the test holds, our own payloads, and time that only the test moves."""

import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from copilot_mcp.graph import GraphClient
from copilot_mcp.simulator import Simulator

DATA = Path(__file__).parents[1] / "data" / "graph"
ROOT = "https://graph.lumen.test"
TENANT_ROOT = "https://graph.copilot-mcp.test"
CLIENT_ID = "00000000-0000-4000-8000-00000000c0de"
DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

Handler = Callable[[httpx.Request], httpx.Response]


def read_payload(name: str) -> Any:
    """A JSON file of tests/data/graph."""
    return json.loads((DATA / name).read_text("utf-8"))


@pytest.fixture
def payload() -> Callable[[str], Any]:
    return read_payload


@pytest.fixture
def stream_bytes() -> bytes:
    """A stream in the captured framing; its last event has line breaks inside."""
    return (DATA / "chat-stream.txt").read_bytes()


@pytest.fixture(scope="session")
def examples() -> dict[str, Any]:
    """The documented examples by id, where COPILOT_MCP_EXAMPLES names their file."""
    path = os.environ.get("COPILOT_MCP_EXAMPLES")
    if not path:
        pytest.skip("COPILOT_MCP_EXAMPLES names no file of documented examples")
    entries = json.loads(Path(path).read_text("utf-8"))["examples"]
    return {entry["id"]: entry for entry in entries}


@dataclass
class Tokens:
    """Gives token-1, then token-2 after a rejection, and so on, or `fails` then; remembers what was asked."""

    asked: list[tuple[tuple[str, ...], str | None]] = field(default_factory=list)
    claims: list[str | None] = field(default_factory=list)
    fails: Exception | None = None

    async def token(self, scopes: Sequence[str], *, rejected: str | None = None, claims: str | None = None) -> str:
        self.asked.append((tuple(scopes), rejected))
        self.claims.append(claims)
        if rejected is not None and self.fails is not None:
            raise self.fails
        return "token-1" if rejected is None else f"token-{int(rejected.removeprefix('token-')) + 1}"


@dataclass
class Wire:
    """What went over the wire, and how long the client chose to wait."""

    requests: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    tokens: Tokens = field(default_factory=Tokens)
    seconds: float = 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def monotonic(self) -> float:
        return self.seconds

    @property
    def paths(self) -> list[str]:
        return [request.url.raw_path.decode() for request in self.requests]

    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]

    @asynccontextmanager
    async def open(self, handler: Handler, root: str = ROOT) -> AsyncIterator[GraphClient]:
        def answer(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return handler(request)

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), follow_redirects=True) as http:
            yield GraphClient(
                http,
                root,
                self.tokens,
                user_agent="copilot-mcp/test",
                clock=lambda: NOW,
                monotonic=self.monotonic,
                sleep=self.sleep,
                jitter=lambda: 0.0,
            )


@pytest.fixture
def wire() -> Wire:
    return Wire()


class Replies(Protocol):
    """Makes a handler that answers one after another, the last one for good; an exception is raised."""

    def __call__(self, *answers: httpx.Response | Exception) -> Handler: ...


@pytest.fixture
def replies() -> Replies:
    def handler_of(*answers: httpx.Response | Exception) -> Handler:
        waiting = list(answers)

        def handler(request: httpx.Request) -> httpx.Response:
            answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            if isinstance(answer, Exception):
                raise answer
            # Fresh each time, as an answer can be read once only.
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

        return handler

    return handler_of


class DeviceFlow:
    """A token source that signs a person in by device code, in raw HTTP; each rejected token costs a new sign-in."""

    def __init__(self, http: httpx.AsyncClient, simulator: Simulator, user: str, granted: Sequence[str] | None) -> None:
        self.sign_ins = 0
        self._http = http
        self._simulator = simulator
        self._user = user
        self._granted = granted
        self._held: dict[tuple[str, ...], str] = {}

    async def token(self, scopes: Sequence[str], *, rejected: str | None = None, claims: str | None = None) -> str:
        wanted = tuple(scopes if self._granted is None else self._granted)
        if wanted not in self._held or self._held[wanted] == rejected:
            self._held[wanted] = await self._sign_in(wanted)
        return self._held[wanted]

    async def _sign_in(self, scopes: tuple[str, ...]) -> str:
        self.sign_ins += 1
        login = "https://login.copilot-mcp.test/organizations/oauth2/v2.0"
        form = {"client_id": CLIENT_ID, "scope": " ".join(f"{TENANT_ROOT}/{scope}" for scope in scopes)}
        begun = (await self._http.post(f"{login}/devicecode", data=form)).json()
        self._simulator.approve(begun["user_code"], self._user)
        grant = {"grant_type": DEVICE_CODE_GRANT, "client_id": CLIENT_ID, "device_code": begun["device_code"]}
        return str((await self._http.post(f"{login}/token", data=grant)).json()["access_token"])


@dataclass
class Tenant:
    """A client on the simulated tenant, and what stands around it."""

    graph: GraphClient
    tokens: DeviceFlow
    wire: Wire


@pytest.fixture
async def open_tenant(simulator: Simulator, wire: Wire) -> AsyncIterator[Callable[..., Tenant]]:
    """Opens clients of the simulated tenant: `open_tenant("megan", granted=["Files.Read.All"])`."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator.app, raise_app_exceptions=False)) as http:

        def opened(user: str = "adele", granted: Sequence[str] | None = None) -> Tenant:
            tokens = DeviceFlow(http, simulator, user, granted)
            graph = GraphClient(
                http, TENANT_ROOT, tokens, monotonic=wire.monotonic, sleep=wire.sleep, jitter=lambda: 0.0
            )
            return Tenant(graph, tokens, wire)

        yield opened
