"""A tenant that misbehaves, our server and a client of it, in one process and in time that nobody waits for.

The event loop's own clock runs ahead when the tenant or the client sleeps, so that every time limit, whoever set it,
falls due as it would have; the answers come in pieces, as they would over a socket.
"""

import asyncio
import logging
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client

from copilot_mcp.auth import SignInAttempt
from copilot_mcp.cli._services import GraphServices
from copilot_mcp.cli._simulated import simulated_settings
from copilot_mcp.server import build_server
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import Simulator, load_folder

ERAS = ("auto", "legacy")
SECRET_MEMBERS = r'"(access_token|refresh_token|id_token|device_code)":"([^"]+)"'
TEXTS = {
    "Parental leave.md": "# Parental leave\n\nEmployees in Europe get 26 weeks of parental leave, paid in full. "
    "The leave may be taken in two parts, and the second part ends before the child is eight years old.\n",
    "VPN.md": "# VPN\n\nThe VPN needs a certificate that is renewed every year.\n",
}


class AheadLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put ahead."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


async def pass_time(seconds: float) -> None:
    """Let so much time pass at once, second by second, so that whatever falls due on the way does."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, AheadLoop)
    while seconds > 0:
        step = min(1.0, seconds)
        loop.ahead += step
        seconds -= step
        for _ in range(20):
            await asyncio.sleep(0)


class Wire(httpx.AsyncBaseTransport):
    """ASGI as over a socket: bodies come in pieces, silence times out, and a broken connection is httpx's error."""

    def __init__(self, app: Any) -> None:
        self.secrets: set[str] = set()
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if secret := request.headers.get("authorization"):
            self.secrets.add(secret.removeprefix("Bearer "))
        exchange = Exchange(await request.aread(), request.extensions.get("timeout", {}).get("read"))
        if request.url.path.endswith(("/token", "/devicecode")):
            exchange.secrets = self.secrets
        exchange.start(self._app, request)
        try:
            start = await exchange.next()
        except BaseException:
            await exchange.aclose()
            raise
        assert start is not None
        return httpx.Response(start["status"], headers=start["headers"], stream=exchange)


@dataclass
class Exchange(httpx.AsyncByteStream):
    """One request under way, and the stream of its answer."""

    body: bytes
    silence_s: float | None
    messages: asyncio.Queue[Any] = field(default_factory=lambda: asyncio.Queue(1))
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    secrets: set[str] | None = None
    answered: bool = False

    def start(self, app: Any, request: httpx.Request) -> None:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.split(b"?")[0],
            "query_string": request.url.query,
            "server": (request.url.host, request.url.port),
            "client": ("127.0.0.1", 123),
            "root_path": "",
        }
        self.task = asyncio.create_task(self._run(app, scope))

    async def _run(self, app: Any, scope: dict[str, Any]) -> None:
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": self.body, "more_body": False}
            while not self.answered and not self.gone.is_set():
                await pass_time(1.0)  # a silent tenant lets time pass, as nobody else does
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            self.answered = True
            await self.messages.put(message)

        try:
            await app(scope, receive, send)
        except (ConnectionRefusedError, socket.gaierror, ssl.SSLError) as error:
            failed = httpx.ConnectError("no connection")
            failed.__cause__ = error
            await self.messages.put(failed)
        except ConnectionError:
            await self.messages.put(httpx.ReadError("reset"))
        else:
            await self.messages.put(None)

    async def next(self) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(self.silence_s):
                message = await self.messages.get()
        except TimeoutError:
            raise httpx.ReadTimeout("silence") from None
        if isinstance(message, Exception):
            raise message
        told: dict[str, Any] | None = message
        return told

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = b""
        while message := await self.next():
            if message.get("body"):
                content += message["body"] if self.secrets is not None else b""
                yield message["body"]
            if not message.get("more_body"):
                break
        if self.secrets is not None:
            self.secrets |= {value for name, value in re.findall(SECRET_MEMBERS, content.decode("utf-8", "replace"))}

    async def aclose(self) -> None:
        self.gone.set()
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])


class WiredTenant:
    """The tenant behind the wire; approves as Adele."""

    signs_in = True

    def __init__(self, simulator: Simulator, wire: Wire) -> None:
        self._simulator = simulator
        self._wire = wire

    async def open(self) -> httpx.AsyncBaseTransport:
        return self._wire

    async def approve(self, attempt: SignInAttempt) -> None:
        self._simulator.approve(attempt.user_code, "adele")

    async def aclose(self) -> None:
        return None


@dataclass
class Bench:
    """One tenant and a client for each way of asking, in one era."""

    simulator: Simulator
    wire: Wire
    era: str
    connect: Callable[..., Any] = field(init=False)
    clients: dict[str, Client] = field(default_factory=dict)
    days: int = 0

    def now(self) -> datetime:
        """Each case has a day of its own, or the quota of an hour would stop them."""
        return datetime.now(UTC) + timedelta(days=self.days)

    async def client(self, chat: str) -> Client:
        """A signed-in client whose server chats in this way."""
        if chat not in self.clients:
            self.clients[chat] = await self.connect(chat=chat)
        return self.clients[chat]


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """asyncio on the loop whose clock can be put ahead."""
    return "asyncio", {"loop_factory": AheadLoop}


@pytest.fixture(scope="module")
async def benches(tmp_path_factory: pytest.TempPathFactory, anyio_backend: Any) -> AsyncIterator[dict[str, Bench]]:
    """A bench for each era; a tenant serves many cases, as every case ends with an ordinary call."""
    settings = Settings(time_zone="Etc/UTC")
    folder = tmp_path_factory.mktemp("documents")
    for name, text in TEXTS.items():
        (folder / name).write_text(text, "utf-8")
    async with AsyncExitStack() as stack:
        made: dict[str, Bench] = {}
        for era in ERAS:
            simulator = stack.enter_context(Simulator(load_folder(folder), sleep=pass_time, hourly_limit=None))
            wire = Wire(simulator.app)
            tenant = WiredTenant(simulator, wire)

            bench = made[era] = Bench(simulator, wire, era)

            async def connect(*, chat: str, bench: Bench = bench, tenant: WiredTenant = tenant) -> Client:
                # No part of the 330 s that a turn may take, so that the number of calls never hangs on a moment.
                chosen = replace(simulated_settings(settings), chat=chat, call_limit=50.0)
                services = GraphServices(chosen, tenant, sleep=pass_time, monotonic=anyio.current_time)
                await stack.enter_async_context(services)
                server = build_server(services, chosen, now=bench.now, monotonic=anyio.current_time)
                return await stack.enter_async_context(Client(server, mode=bench.era))

            bench.connect = connect
        yield made


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that we and the HTTP library log, whatever the level; MSAL and the SDK as we let them, for at their
    own debug level they tell tokens and whole messages."""
    for name in ("copilot_mcp", "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield caplog
