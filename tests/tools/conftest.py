"""A desk to ask Copilot from: an MCP client, our server and a streaming tenant in one loop, in virtual time."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from mcp.types import CallToolResult

from copilot_mcp.cli._services import GraphServices
from copilot_mcp.server import build_server
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import Simulator, Tenant

QUIET_ROUNDS = 5
"""Rounds of the event loop without any task to run; a task's end takes a few to reach who waits for it."""


class VirtualTime:
    """Seconds that pass only while everybody waits: then the clock goes on to the next moment somebody waits for."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._numbers = count()
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        alarm = (self.seconds + max(0.0, seconds), next(self._numbers), asyncio.Event())
        heapq.heappush(self._sleepers, alarm)
        try:
            await alarm[2].wait()
        finally:
            if alarm in self._sleepers:
                self._sleepers.remove(alarm)
                heapq.heapify(self._sleepers)

    async def run(self) -> None:
        """Let time pass. Nothing that is waited for may come from a thread or a socket."""
        quiet = 0
        while True:
            await asyncio.sleep(0)
            quiet = quiet + 1 if all(map(_waits, asyncio.all_tasks() - {asyncio.current_task()})) else 0
            if quiet >= QUIET_ROUNDS and self._sleepers:
                self.seconds, _, alarm = heapq.heappop(self._sleepers)
                alarm.set()
                quiet = 0


def _waits(task: "asyncio.Task[Any]") -> bool:
    if "Flights" in task.get_name():
        return False  # a refresh works in a thread, where it cannot be seen; time stands still until it is done
    waiter = task._fut_waiter  # as anyio's own wait_all_tasks_blocked, which pauses for real time in between
    return waiter is not None and not waiter.done()


class _Body(httpx.AsyncByteStream):
    """What an ASGI app sends, piece by piece. Closing it ends the app's work, as a closed socket would."""

    def __init__(self, pieces: int | None) -> None:
        self.head: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.task: asyncio.Task[None] | None = None
        self.pieces = pieces

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.head.set_result(message)
        elif message.get("body"):
            self.queue.put_nowait(message["body"])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        taken = 0
        while (piece := await self.queue.get()) is not None:
            if isinstance(piece, Exception) or taken == self.pieces:
                raise httpx.ReadError("the connection broke")
            taken += 1
            yield piece

    async def aclose(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])


class StreamingTransport(httpx.AsyncBaseTransport):
    """Calls an ASGI app in process, without a socket, and hands its answer over as it comes.

    Attributes:
        pieces: break the connection after so many pieces of each streamed body.
    """

    def __init__(self, app: Callable[..., Any], pieces: int | None = None) -> None:
        self.app = app
        self.pieces = pieces

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        body = _Body(self.pieces if request.url.path.endswith("chatOverStream") else None)
        body.task = asyncio.create_task(self._serve(_scope(request), content, body))
        try:
            head = await body.head
        except BaseException as error:
            await body.aclose()
            if isinstance(error, Exception):
                raise httpx.ReadError("the connection broke") from error
            raise
        return httpx.Response(head["status"], headers=head["headers"], stream=body)

    async def _serve(self, scope: dict[str, Any], content: bytes, body: _Body) -> None:
        messages = [{"type": "http.request", "body": content, "more_body": False}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            return await asyncio.get_running_loop().create_future()  # the client is there until it closes

        try:
            await self.app(scope, receive, body.send)
            body.queue.put_nowait(None)
        except Exception as error:
            if not body.head.done():
                body.head.set_exception(error)
            body.queue.put_nowait(error)


def _scope(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": (request.url.host, 443),
        "client": ("127.0.0.1", 1),
    }


@dataclass
class Seen:
    """What a host saw of one call: its answer, its progress by the second, and how long it took."""

    result: CallToolResult
    progress: list[tuple[float, str]]
    numbers: list[float]
    seconds: float

    @property
    def text(self) -> str:
        text: str = self.result.content[0].text
        return text

    @property
    def data(self) -> dict[str, Any]:
        assert not self.result.is_error, self.text
        return dict(self.result.structured_content or {})

    @property
    def error(self) -> dict[str, Any]:
        assert self.result.is_error
        return dict((self.result.meta or {})["copilot-mcp/error"])


class KnownPerson:
    """The services of a process, whose person is known before virtual time begins: asking takes a thread."""

    def __init__(self, services: GraphServices, identity: str) -> None:
        self.graph = services.graph
        self.turns = services.turns
        self.quota = services.quota
        self._identity = identity

    async def identity(self) -> str:
        return self._identity


@dataclass
class Desk:
    """One process of ours with one host, all in virtual time."""

    client: Client
    services: KnownPerson
    time: VirtualTime
    transport: StreamingTransport
    host_limit: float = 60.0

    async def ask(self, message: str | None = None, tool: str = "copilot_chat", **arguments: Any) -> Seen:
        """Call a tool as a host does that cancels after `host_limit` seconds.

        Raises:
            TimeoutError: It had to.
        """
        if message is not None:
            arguments["message"] = message
        began = self.time.seconds
        progress: list[tuple[float, str]] = []
        numbers: list[float] = []
        result: CallToolResult | None = None

        async def on_progress(number: float, total: float | None, text: str | None) -> None:
            numbers.append(number)
            progress.append((self.time.seconds - began, text or ""))

        async with anyio.create_task_group() as tasks:

            async def give_up() -> None:
                await self.time.sleep(self.host_limit)
                tasks.cancel_scope.cancel()

            tasks.start_soon(give_up)
            result = await self.client.call_tool(tool, arguments, progress_callback=on_progress)
            tasks.cancel_scope.cancel()
        if result is None:
            raise TimeoutError("the host gave up")
        return Seen(result, progress, numbers, self.time.seconds - began)


@pytest.fixture
def time() -> VirtualTime:
    """Virtual seconds, from 0."""
    return VirtualTime()


@pytest.fixture
def slow_tenant(company: Tenant, time: VirtualTime) -> Any:
    """A tenant whose streams pause between two events for `slow_tenant.pause` virtual seconds, 1 if not changed.

    `slow_tenant.paused` counts the streams that pause now.
    """

    class SlowTenant(Simulator):
        pause = 1.0
        paused = 0

    async def sleep(seconds: float) -> None:
        if not tenant.pause and seconds == 1.0:
            return
        tenant.paused += 1
        try:
            await time.sleep(tenant.pause if seconds == 1.0 else seconds)
        finally:
            tenant.paused -= 1

    with SlowTenant(company, sleep=sleep, pace=1.0) as tenant:
        yield tenant


@pytest.fixture
async def sit_down(
    slow_tenant: Any, settings: Settings, in_process: Any, era: Any, time: VirtualTime
) -> AsyncIterator[Callable[..., Any]]:
    """Opens desks: `await sit_down(user="megan", call_limit=30)`; `await sit_down.leave()` closes them all."""
    async with AsyncExitStack() as stack:
        clock = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(clock.cancel_scope.cancel)
        clock.start_soon(time.run)

        async def opened(user: str = "adele", **changed: Any) -> Desk:
            chosen = replace(settings, **changed)
            transport = StreamingTransport(slow_tenant.app)

            class StreamedTenant(in_process):
                async def open(self) -> httpx.AsyncBaseTransport:
                    return transport

            tenant = StreamedTenant(slow_tenant, user)
            services = await stack.enter_async_context(
                GraphServices(chosen, tenant, sleep=time.sleep, monotonic=time.monotonic)
            )
            person = KnownPerson(services, await services.identity())
            server = build_server(person, chosen, monotonic=time.monotonic, sleep=time.sleep)
            client = await stack.enter_async_context(Client(server, mode=era))
            return Desk(client, person, time, transport)

        opened.leave = stack.aclose
        yield opened
