"""Sign-in and tokens against the simulated tenant: a second witness that was written without this package."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from copilot_mcp.auth import CLOUDS, Credential, LoopbackTransport, MemoryCache, SignInCache, TokenCache, open_http
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

CLOUD = CLOUDS["simulated"]
SCOPES = ("Files.Read.All", "Sites.Read.All", "Mail.Read")
ROOT = "https://graph.copilot-mcp.test/v1.0"


@pytest.fixture
def tenant() -> Any:
    """A simulated tenant in this process."""
    with Simulator() as running:
        yield running


@pytest.fixture
async def tenant_http(tenant: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose network is that tenant."""
    async with open_http(httpx.ASGITransport(tenant.app)) as http:
        yield http


def open_credential(http: httpx.AsyncClient, cache: SignInCache, client_id: str = CLOUD.client_id or "") -> Credential:
    return Credential(CLOUD, CLOUD.tenant_id or "", client_id, cache, http)


async def sign_in(tenant: Simulator, credential: Credential, *scopes: str) -> Any:
    attempt = await credential.start_sign_in(scopes or SCOPES)
    tenant.approve(attempt.user_code, "adele")
    return await credential.finish_sign_in(attempt)


async def retrieve(http: httpx.AsyncClient, token: str) -> int:
    """The status of a retrieval with this token."""
    answer = await http.post(
        f"{ROOT}/copilot/retrieval",
        json={"queryString": "travel", "dataSource": "sharePoint"},
        headers={"authorization": f"Bearer {token}"},
    )
    return answer.status_code


async def test_token_of_a_sign_in_is_taken_by_graph(tenant: Simulator, tenant_http: httpx.AsyncClient) -> None:
    credential = open_credential(tenant_http, MemoryCache())
    account = await sign_in(tenant, credential)
    assert (account.scopes, account.tenant_id) == (tuple(sorted(SCOPES)), CLOUD.tenant_id)
    assert account.username.startswith("adele")
    assert await retrieve(tenant_http, await credential.token(["Files.Read.All", "Sites.Read.All"])) == 200


async def test_sign_in_survives_in_the_file_and_is_refreshed_for_other_scopes(
    tenant: Simulator, tenant_http: httpx.AsyncClient, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "file.json"
    await sign_in(tenant, open_credential(tenant_http, TokenCache(path)), "Mail.Read")
    later = open_credential(tenant_http, TokenCache(path))
    first = await later.token(["Files.Read.All", "Sites.Read.All"])
    second = await later.token(["Files.Read.All", "Sites.Read.All"], rejected=first)
    assert await retrieve(tenant_http, second) == 200
    assert [entry["operation"] for entry in tenant.trace].count("token") == 3
    await later.sign_out()
    with pytest.raises(AuthenticationRequiredError):
        await open_credential(tenant_http, TokenCache(path)).token(["Mail.Read"])


async def test_declined_code_is_told_as_such(tenant: Simulator, tenant_http: httpx.AsyncClient) -> None:
    credential = open_credential(tenant_http, MemoryCache())
    attempt = await credential.start_sign_in(SCOPES)
    tenant.decline(attempt.user_code)
    with pytest.raises(AuthenticationError) as caught:
        await credential.finish_sign_in(attempt)
    assert (caught.value.kind, await credential.account()) == ("sign_in_declined", None)


async def test_unknown_app_and_tenant_are_told_as_such(tenant_http: httpx.AsyncClient) -> None:
    with pytest.raises(AuthenticationError) as app:
        await open_credential(tenant_http, MemoryCache(), "unregistered").start_sign_in(SCOPES)
    elsewhere = Credential(CLOUD, "fabrikam.example", CLOUD.client_id or "", MemoryCache(), tenant_http)
    with pytest.raises(AuthenticationError) as tenant:
        await elsewhere.start_sign_in(SCOPES)
    assert (app.value.kind, tenant.value.kind) == ("app_not_found", "tenant_not_found")


async def test_sign_in_service_that_is_down_is_told_as_such_and_comes_back(
    tenant: Simulator, tenant_http: httpx.AsyncClient
) -> None:
    credential = open_credential(tenant_http, MemoryCache())
    tenant.faults.add("entra_down", times=1)
    with pytest.raises(AuthenticationError) as caught:
        await credential.start_sign_in(SCOPES)
    assert caught.value.kind == "identity_unavailable"
    assert (await sign_in(tenant, credential)).scopes == tuple(sorted(SCOPES))


async def test_whole_way_works_over_a_socket(tenant: Simulator, tmp_path: Path) -> None:
    async with open_http(LoopbackTransport(tenant.start())) as http:
        credential = open_credential(http, TokenCache(tmp_path / "state" / "file.json"))
        attempt = await credential.start_sign_in(SCOPES)
        assert attempt.verification_uri == f"{tenant.url}/devicelogin"
        tenant.approve(attempt.user_code, "adele")
        await credential.finish_sign_in(attempt)
        assert await retrieve(http, await credential.token(["Files.Read.All", "Sites.Read.All"])) == 200
