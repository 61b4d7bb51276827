"""Answers that never end, come too slowly or are far too large, over a real socket: our own limits end them."""

import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from copilot_mcp.auth import CLOUDS, Credential, LoopbackTransport, TokenCache, open_http
from copilot_mcp.auth.msal_http import MAX_BODY, TOTAL_TIMEOUT_S
from copilot_mcp.simulator import Simulator

pytestmark = [pytest.mark.anyio, pytest.mark.shows]

CLOUD = CLOUDS["simulated"]
SCOPES = ("Files.Read.All", "Sites.Read.All")
MAIL = ("Mail.Read",)
PATHS = {"discovery": "/openid-configuration", "devicecode": "/devicecode", "token": "/token"}


class Clocked(httpx.AsyncBaseTransport):
    """The tenant on a socket. At the path `struck`, sending takes `request_s`, and each byte of the answer `byte_s`."""

    def __init__(self, url: str, passes: Callable[[float], None]) -> None:
        self.inner = LoopbackTransport(url)
        self.passes = passes
        self.struck = "nowhere"
        self.byte_s = 0.0
        self.request_s = 0.0
        self.read = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith(self.struck):
            return await self.inner.handle_async_request(request)
        self.passes(self.request_s)
        response = await self.inner.handle_async_request(request)
        return httpx.Response(response.status_code, headers=response.headers, stream=Counted(self, response))

    async def aclose(self) -> None:
        await self.inner.aclose()


class Counted(httpx.AsyncByteStream):
    """An answer whose bytes are counted as they come."""

    def __init__(self, wire: Clocked, response: httpx.Response) -> None:
        self.wire = wire
        self.response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.response.aiter_raw():
            self.wire.read += len(chunk)
            self.wire.passes(len(chunk) * self.wire.byte_s)
            yield chunk

    async def aclose(self) -> None:
        await self.response.aclose()


@pytest.fixture
def wire(simulator: Simulator, loop_time: Any) -> Clocked:
    return Clocked(simulator.start(), loop_time.passes)


@pytest.fixture
async def opened(wire: Clocked, clock: Any, tmp_path: Path) -> AsyncIterator[Callable[[], Credential]]:
    """Makes clients of that tenant, as processes that share a cache."""
    cache = TokenCache(tmp_path / "state" / "file.json")
    async with open_http(wire) as http:

        def new() -> Credential:
            tenant_id, client_id = CLOUD.tenant_id or "", CLOUD.client_id or ""
            return Credential(CLOUD, tenant_id, client_id, cache, http, clock=clock, sleep=clock.sleep)

        yield new


@pytest.fixture
def credential(opened: Callable[[], Credential]) -> Credential:
    """The client that meets the fault."""
    return opened()


async def sign_in(simulator: Simulator, credential: Credential) -> Any:
    attempt = await credential.start_sign_in(SCOPES)
    simulator.approve(attempt.user_code, "adele")
    return await credential.finish_sign_in(attempt)


@pytest.fixture
def works(simulator: Simulator, credential: Credential, wire: Clocked, clock: Any) -> Callable[[], Awaitable[Any]]:
    """The next call, once the fault is gone and forgotten."""

    async def again() -> Any:
        simulator.faults.clear()
        wire.struck = "nowhere"
        clock.now += 31
        return await credential.token(MAIL) if await credential.account() else await sign_in(simulator, credential)

    return again


async def refresh_or_start(simulator: Simulator, credential: Credential, operation: str) -> Awaitable[Any]:
    """The call that asks this operation."""
    if operation != "token":
        return credential.start_sign_in(SCOPES)
    await sign_in(simulator, credential)
    return credential.token(MAIL)


@pytest.mark.parametrize("operation", ["discovery", "devicecode", "token"])
@pytest.mark.parametrize(("number", "fault"), [("F4", "silence"), ("F5", "trickle")])
async def test_answer_that_does_not_come_whole_is_given_up_after_twenty_seconds(
    simulator: Simulator,
    credential: Credential,
    wire: Clocked,
    loop_time: Any,
    ends: Any,
    works: Any,
    number: str,
    fault: str,
    operation: str,
) -> None:
    call = await refresh_or_start(simulator, credential, operation)
    if fault == "silence":
        simulator.faults.add("silence", operation=operation)
        wire.request_s = TOTAL_TIMEOUT_S
    else:
        simulator.faults.add("trickle", operation=operation, seconds=0.0005)
        wire.byte_s = 1.0
    wire.struck = PATHS[operation]

    async def given_up_in_time() -> Any:
        # A byte a second keeps every limit between two bytes; the total ends it.
        assert TOTAL_TIMEOUT_S <= loop_time.ahead < 2 * TOTAL_TIMEOUT_S
        assert wire.read == (0 if fault == "silence" else loop_time.ahead)
        return await works()

    await ends(call, "offline", given_up_in_time)


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """Traces memory from here on; the most that was held at once, in bytes."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize(("number", "operation"), [("F14", "devicecode"), ("F14", "token"), ("F19", "discovery")])
async def test_answer_of_a_hundred_megabytes_is_read_to_the_limit_and_no_further(
    simulator: Simulator,
    opened: Any,
    credential: Credential,
    wire: Clocked,
    ends: Any,
    works: Any,
    peak: Any,
    number: str,
    operation: str,
) -> None:
    await sign_in(simulator, opened())  # what is imported once is not measured
    call = await refresh_or_start(simulator, credential, operation)
    simulator.faults.add("big_body", operation=operation)
    wire.struck = PATHS[operation]
    tracemalloc.reset_peak()
    before = peak()

    async def capped() -> Any:
        assert MAX_BODY < wire.read < 2 * MAX_BODY
        assert peak() - before < 10 * MAX_BODY
        return await works()

    await ends(call, "bad_answer", capped)
