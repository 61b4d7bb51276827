"""One refresh for everybody: callers who are cancelled, sign-outs in between, and a server that stops."""

from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from copilot_mcp.auth import MemoryCache
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError

pytestmark = pytest.mark.anyio

FILES = ("Files.Read.All", "Sites.Read.All")


@pytest.fixture
def slow_refresh(http: httpx.AsyncClient, entra: Any) -> Any:
    """The answer of a refresh comes when the test says so: `arrived`, then `released.set()`."""

    class Slow(httpx.AsyncBaseTransport):
        def __init__(self) -> None:
            self.arrived = anyio.Event()
            self.released = anyio.Event()
            self.ended = 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await request.aread()
            if b"grant_type=refresh_token" in request.content:
                self.arrived.set()
                try:
                    await self.released.wait()
                finally:
                    self.ended += 1
            response: httpx.Response = entra(request)
            return response

    slow = Slow()
    http._transport = slow
    return slow


@pytest.mark.shows("F46")
async def test_cancelled_caller_leaves_at_once_and_the_others_get_the_token(
    new_credential: Any, entra: Any, sign_in: Any, slow_refresh: Any
) -> None:
    got: list[str] = []
    async with anyio.create_task_group() as tasks:
        credential = new_credential(tasks=tasks)
        await sign_in("Mail.Read", by=credential)

        async def caller() -> None:
            got.append(await credential.token(FILES))

        async with anyio.create_task_group() as callers:
            callers.start_soon(caller)
            await slow_refresh.arrived.wait()
            callers.cancel_scope.cancel()
        assert (got, slow_refresh.ended) == ([], 0)
        async with anyio.create_task_group() as callers:
            for _ in range(3):
                callers.start_soon(caller)
            await anyio.lowlevel.checkpoint()
            slow_refresh.released.set()
    assert got == ["access-2-SECRETMARK"] * 3
    assert entra.log.count("refresh_token") == 1


@pytest.mark.shows("F40")
async def test_sign_out_during_a_refresh_drops_the_late_answer(
    new_credential: Any, entra: Any, sign_in: Any, slow_refresh: Any
) -> None:
    caught: list[str] = []
    cache = MemoryCache(refresh_timeout_s=0.05)  # so that the sign-out does not wait until the refresh has ended
    async with anyio.create_task_group() as tasks:
        credential = new_credential(cache=cache, tasks=tasks)
        await sign_in("Mail.Read", by=credential)

        async def caller() -> None:
            try:
                await credential.token(FILES)
            except AuthenticationRequiredError as error:
                caught.append(error.kind)

        tasks.start_soon(caller)
        await slow_refresh.arrived.wait()
        await credential.sign_out()
        slow_refresh.released.set()
    assert (caught, cache.read(), await credential.account()) == (["signed_out"], {}, None)
    later = new_credential(cache=cache)
    await sign_in("Mail.Read", by=later)
    assert await later.token(["Mail.Read"]) == "access-3-SECRETMARK"


@pytest.mark.shows("F40")
async def test_sign_in_of_somebody_else_during_a_refresh_is_not_overwritten(
    new_credential: Any, cache: Any, entra: Any, bob: Any, sign_in: Any, slow_refresh: Any
) -> None:
    async with anyio.create_task_group() as tasks:
        credential = new_credential(tasks=tasks)
        await sign_in("Mail.Read", by=credential)
        caught: list[str] = []

        async def caller() -> None:
            try:
                await credential.token(FILES)
            except AuthenticationRequiredError as error:
                caught.append(error.kind)

        tasks.start_soon(caller)
        await slow_refresh.arrived.wait()
        person, entra.person = entra.person, bob
        other = new_credential()
        other.replace_account = True
        await sign_in("Chat.Read", by=other)
        entra.person = person
        slow_refresh.released.set()
    account = await credential.account()
    assert (caught, account.username, account.scopes) == (["signed_out"], "bob@contoso.example", ("Chat.Read",))


@pytest.mark.shows("F46")
async def test_server_that_stops_ends_the_refresh_and_its_thread(
    new_credential: Any, sign_in: Any, slow_refresh: Any
) -> None:
    async with anyio.create_task_group() as tasks:
        credential = new_credential(tasks=tasks)
        await sign_in("Mail.Read", by=credential)
        tasks.start_soon(credential.token, FILES)
        await slow_refresh.arrived.wait()
        tasks.cancel_scope.cancel()
    assert slow_refresh.ended == 1
    slow_refresh.released.set()
    assert await new_credential().token(FILES) == "access-2-SECRETMARK"


async def test_caller_of_another_task_learns_that_the_server_stops(
    new_credential: Any, sign_in: Any, slow_refresh: Any
) -> None:
    caught: list[str] = []
    async with anyio.create_task_group() as callers, anyio.create_task_group() as tasks:
        credential = new_credential(tasks=tasks)
        await sign_in("Mail.Read", by=credential)

        async def caller() -> None:
            try:
                await credential.token(FILES)
            except AuthenticationError as error:
                caught.append(error.kind)

        callers.start_soon(caller)
        await slow_refresh.arrived.wait()
        tasks.cancel_scope.cancel()
    assert caught == ["shutting_down"]


async def test_rejection_that_an_errand_under_way_did_not_know_of_is_answered_by_another(
    new_credential: Any, entra: Any, sign_in: Any, slow_refresh: Any
) -> None:
    """The refresh of one caller brings the very token that the other has just seen refused."""
    got: list[str] = []
    async with anyio.create_task_group() as tasks:
        credential = new_credential(tasks=tasks)
        await sign_in("Mail.Read", by=credential)

        async def caller(rejected: str | None) -> None:
            got.append(await credential.token(FILES, rejected=rejected))

        tasks.start_soon(caller, None)
        await slow_refresh.arrived.wait()
        tasks.start_soon(caller, "access-2-SECRETMARK")
        await anyio.lowlevel.checkpoint()
        slow_refresh.released.set()
    assert sorted(got) == ["access-2-SECRETMARK", "access-3-SECRETMARK"]
    assert entra.log.count("refresh_token") == 2


async def test_defect_in_an_errand_reaches_every_caller_and_not_the_task_group(
    new_credential: Any, cache: Any, sign_in: Any
) -> None:
    async with anyio.create_task_group() as tasks:
        credential = new_credential(tasks=tasks)
        await sign_in("Mail.Read", by=credential)
        cache.update(lambda content: content | {"AccessToken": {"x": {}}})
        for _ in range(2):
            with pytest.raises(KeyError):
                await credential.token(FILES)
