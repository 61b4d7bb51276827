"""What identity costs: a token from memory beside MSAL's warm look-up, and its share of a warm tool call."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msal
import pytest
from mcp import Client

from copilot_mcp.auth import CLOUDS, Credential, LoopbackTransport, TokenCache, open_http
from copilot_mcp.auth.cache_content import account_in, msal_text
from copilot_mcp.auth.sealing import KEY_BYTES, KeyedProtection
from copilot_mcp.cli._services import GraphServices
from copilot_mcp.graph import RETRIEVAL_SCOPES
from copilot_mcp.server import build_server
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

CLOUD = CLOUDS["simulated"]
SCOPES = RETRIEVAL_SCOPES["sharePoint"]
LOOK_UPS = 2000
SAVES = 200
TOOL_CALLS = 100


class Store:
    """A key store that answers at once."""

    name = "memory"
    key = bytes(KEY_BYTES)

    def get(self) -> bytes | None:
        return self.key

    def put(self, key: bytes) -> None:
        self.key = key

    def delete(self) -> None:
        return None

    def prove(self) -> None:
        return None


class Dialling(httpx.HTTPTransport):
    """For MSAL, which insists on https: sends every request to the simulated tenant."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = httpx.URL(url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme="http", host=self.url.host, port=self.url.port)
        return super().handle_request(request)


@pytest.fixture
def running(simulator: Simulator) -> Iterator[Simulator]:
    """The tenant on a socket."""
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def cache(tmp_path: Path) -> TokenCache:
    """A cache as it is kept: a file, encrypted."""
    return TokenCache(tmp_path / "state" / "file.json", protection=KeyedProtection("file.json", Store()))


@pytest.fixture
async def credential(running: Simulator, cache: TokenCache) -> AsyncIterator[Credential]:
    """Somebody signed in."""
    async with open_http(LoopbackTransport(running.url)) as http:
        signed_in = Credential(CLOUD, CLOUD.tenant_id or "", CLOUD.client_id or "", cache, http)
        attempt = await signed_in.start_sign_in(SCOPES)
        running.approve(attempt.user_code, "adele")
        await signed_in.finish_sign_in(attempt)
        yield signed_in


def each(work: Callable[[], Any], times: int) -> list[float]:
    """Milliseconds of each of so many calls."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append((time.perf_counter() - started) * 1000)
    return found


async def look_ups(credential: Credential) -> list[float]:
    await credential.token(SCOPES)
    found = []
    for _ in range(LOOK_UPS):
        started = time.perf_counter()
        await credential.token(SCOPES)
        found.append((time.perf_counter() - started) * 1000)
    return found


async def each_call(credential: Credential) -> list[float]:
    """What a tool call asks of identity: a token, and whose count of retrievals it is."""
    await credential.token(SCOPES)
    found = []
    for _ in range(LOOK_UPS):
        started = time.perf_counter()
        await credential.token(SCOPES)
        assert await credential.account() is not None
        found.append((time.perf_counter() - started) * 1000)
    return found


async def test_token_from_memory_beside_a_warm_look_up_of_msal(
    running: Simulator, credential: Credential, cache: TokenCache, compare: Callable[..., float]
) -> None:
    kept = msal.SerializableTokenCache()
    kept.deserialize(msal_text(cache.read()))
    scopes = [CLOUD.scope(name) for name in SCOPES]
    with httpx.Client(transport=Dialling(running.url), trust_env=False) as http:
        app = msal.PublicClientApplication(
            CLOUD.client_id,
            authority=f"{CLOUD.authority}/{CLOUD.tenant_id}",
            instance_discovery=False,
            http_client=http,
            token_cache=kept,
        )
        (account,) = app.get_accounts()
        answer = app.acquire_token_silent_with_error(scopes, account)
        assert answer["access_token"] == await credential.token(SCOPES)
        theirs = each(lambda: app.acquire_token_silent_with_error(scopes, account), LOOK_UPS)
    ours = await look_ups(credential)
    assert compare("token, warm: memory beside MSAL", ours, theirs, unit="ms", bound=0.5) <= 0.5


async def test_share_of_identity_in_a_warm_tool_call(
    simulator: Simulator,
    credential: Credential,
    settings: Settings,
    in_process: Any,
    compare: Callable[..., float],
) -> None:
    arguments = {"queryString": "parental leave", "dataSource": "sharePoint"}
    found: list[float] = []
    async with (
        GraphServices(settings, in_process(simulator)) as services,
        Client(build_server(services, settings)) as client,
    ):
        for number in range(TOOL_CALLS + 5):
            started = time.perf_counter()
            result = await client.call_tool("copilot_retrieve", arguments)
            if number >= 5:
                found.append((time.perf_counter() - started) * 1000)
        assert not result.is_error
    share = compare("identity in a warm copilot_retrieve", await each_call(credential), found, unit="ms", bound=0.01)
    assert share <= 0.01


async def test_encrypted_save_beside_a_plain_one(
    cache: TokenCache, credential: Credential, compare: Callable[..., float], tmp_path: Path
) -> None:
    assert account_in(cache.read()) is not None
    plain = TokenCache(tmp_path / "plain" / "file.json")
    content = cache.read()
    saves, theirs = each(lambda: cache.update(dict), SAVES), each(lambda: plain.update(lambda _: content), SAVES)
    compare("save: encrypted beside plain, each brought to the disk", saves, theirs, unit="ms", bound=1.5)
