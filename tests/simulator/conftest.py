"""A simulated tenant with a clock of its own, spoken to in raw HTTP."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from copilot_mcp.simulator import Simulator

DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CLIENT_ID = "00000000-0000-4000-8000-00000000c0de"
LOGIN = "https://login.copilot-mcp.test"
GRAPH = "https://graph.copilot-mcp.test"
# 2026-10-01T12:00:00Z
START = 1_790_856_000.0


class Clock:
    """Seconds since the epoch that pass only when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Waits:
    """A sleeper that notes how long it was asked to sleep."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)


@pytest.fixture
def clock() -> Clock:
    """The tenant's clock, standing at noon of 1 October 2026."""
    return Clock()


@pytest.fixture
def waits() -> Waits:
    """What the tenant slept."""
    return Waits()


@pytest.fixture
def pace() -> float:
    """Seconds between the events of a stream."""
    return 0.0


@pytest.fixture
def simulator(clock: Clock, waits: Waits, pace: float) -> Iterator[Simulator]:
    """The built-in company."""
    with Simulator(clock=clock, sleep=waits, pace=pace) as made:
        yield made


@pytest.fixture
async def login(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client on Entra's name."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator.app), base_url=LOGIN) as client:
        yield client


@pytest.fixture
def start(login: httpx.AsyncClient) -> Callable[..., Awaitable[dict[str, object]]]:
    """Begin a device code sign-in and answer its facts."""

    async def begin(scope: str = ".default", client_id: str = CLIENT_ID) -> dict[str, object]:
        form = {"client_id": client_id, "scope": scope}
        answer = await login.post("/organizations/oauth2/v2.0/devicecode", data=form)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return begin


@pytest.fixture
def poll(login: httpx.AsyncClient) -> Callable[..., Awaitable[httpx.Response]]:
    """Ask once for the tokens of a device code."""

    async def ask(device_code: object, client_id: str = CLIENT_ID) -> httpx.Response:
        form = {"client_id": client_id, "grant_type": DEVICE_CODE_GRANT, "device_code": str(device_code)}
        return await login.post("/organizations/oauth2/v2.0/token", data=form)

    return ask


@pytest.fixture
def sign_in(
    simulator: Simulator,
    start: Callable[..., Awaitable[dict[str, object]]],
    poll: Callable[..., Awaitable[httpx.Response]],
) -> Callable[..., Awaitable[dict[str, object]]]:
    """Sign a person in and answer the token response."""

    async def whole(user: str = "adele", scope: str = ".default", client_id: str = CLIENT_ID) -> dict[str, object]:
        begun = await start(scope, client_id)
        simulator.approve(str(begun["user_code"]), user)
        answer = await poll(begun["device_code"], client_id)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return whole


@pytest.fixture
async def graph_of(
    simulator: Simulator, sign_in: Callable[..., Awaitable[dict[str, object]]]
) -> AsyncIterator[Callable[..., Awaitable[httpx.AsyncClient]]]:
    """An HTTP client on Graph's name, signed in as somebody with some scopes."""
    opened: list[httpx.AsyncClient] = []

    async def open_as(user: str = "adele", scope: str = ".default") -> httpx.AsyncClient:
        tokens = await sign_in(user, scope)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(simulator.app),
            base_url=GRAPH,
            headers={"Authorization": f"Bearer {tokens['access_token']}", "Content-Type": "application/json"},
        )
        opened.append(client)
        return client

    yield open_as
    for client in opened:
        await client.aclose()


@pytest.fixture
async def graph(graph_of: Callable[..., Awaitable[httpx.AsyncClient]]) -> httpx.AsyncClient:
    """Graph, signed in as Adele with every scope."""
    return await graph_of("adele")


@pytest.fixture
def examples() -> Path:
    """The documented payloads, where the environment names them; they are not ours to ship."""
    named = os.environ.get("COPILOT_MCP_EXAMPLES")
    if not named:
        pytest.skip("COPILOT_MCP_EXAMPLES does not name the documented payloads")
    return Path(named)
