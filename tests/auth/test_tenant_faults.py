"""The faults of the simulated sign-in service against this client: a kind, bounded time, no secret, and it goes on."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from copilot_mcp.auth import CLOUDS, Credential, MemoryCache, open_http
from copilot_mcp.errors import AuthenticationError
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

CLOUD = CLOUDS["simulated"]
SCOPES = ("Files.Read.All", "Sites.Read.All")


@pytest.fixture
def tenant() -> Iterator[Simulator]:
    """A tenant in this process."""
    with Simulator() as running:
        yield running


@pytest.fixture
async def credential(tenant: Simulator) -> AsyncIterator[Credential]:
    """A client of that tenant."""
    async with open_http(httpx.ASGITransport(tenant.app)) as http:
        yield Credential(
            CLOUD, CLOUD.tenant_id or "", CLOUD.client_id or "", MemoryCache(), http, sleep=lambda _: asyncio.sleep(0)
        )


async def sign_in(tenant: Simulator, credential: Credential) -> Any:
    attempt = await credential.start_sign_in(SCOPES)
    tenant.approve(attempt.user_code, "adele")
    return await credential.finish_sign_in(attempt)


@pytest.fixture
def ends_well(tenant: Simulator, credential: Credential, caplog: Any) -> Callable[..., Any]:
    """What holds after any fault: nothing told, nothing left running, and the next sign-in works."""

    async def check(error: BaseException) -> None:
        text = f"{error!s} {error!r} {error.__cause__!r} {caplog.text}"
        assert tenant.secrets_issued.found_in(text) == []
        tenant.faults.clear()
        tenant.identity.unblock()
        assert (await sign_in(tenant, credential)).username == "adele@contoso.example"
        workers = {thread.name for thread in threading.enumerate() if thread.name.startswith("AnyIO")}
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert len(workers) <= 4
        assert [task.get_name() for task in others if "sign" in task.get_name()] == []

    return check


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("refused@devicecode", "offline"),
        ("dns_failure@devicecode", "offline"),
        ("tls_untrusted@devicecode", "tls_intercepted"),
        ("tls_expired@devicecode", "tls_intercepted"),
        ("tls_wrong_name@devicecode", "tls_intercepted"),
        ("cut_answer@devicecode", "bad_answer"),
        ("html@devicecode", "captive_portal"),
        ("not_an_object@devicecode", "bad_answer"),
        ("not_an_object@devicecode,value=7", "bad_answer"),
        ("gzip_bomb@devicecode", "bad_answer"),
        ("redirect_to_http@devicecode", "bad_answer"),
        ("redirect_to_another_host@devicecode", "bad_answer"),
        ("throttled@devicecode,retry_after=0", "identity_unavailable"),
        ("throttled_date@devicecode", "identity_unavailable"),
        ("throttled_garbage@devicecode", "identity_unavailable"),
        ("throttled_silent@devicecode", "identity_unavailable"),
        ("server_error@devicecode", "identity_unavailable"),
        ("bad_gateway@devicecode,form=html", "identity_unavailable"),
        ("unavailable@devicecode,form=empty", "identity_unavailable"),
        ("discovery_over_http", "bad_answer"),
        ("discovery_elsewhere", "bad_answer"),
        ("verification_uri", "bad_answer"),
        ("user_code", "bad_answer"),
    ],
)
async def test_fault_at_the_start_ends_in_its_kind(
    tenant: Simulator, credential: Credential, ends_well: Callable[..., Any], spec: str, kind: str
) -> None:
    tenant.faults.add_spec(spec)

    with pytest.raises(AuthenticationError) as caught:
        await credential.start_sign_in(SCOPES)

    assert caught.value.kind == kind
    await ends_well(caught.value)


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("no_access_token", "bad_answer"),
        ("odd_access_token", "bad_answer"),
        ("no_expires_in", "bad_answer"),
        ("expires_in,value=-1", "bad_answer"),
        ("expires_in,value=1000000000000", "bad_answer"),
        ("expires_in,value=soon", "bad_answer"),
        ("broken_id_token", "bad_answer"),
        ("id_token_of_another_tenant", "user_not_in_tenant"),
        ("approved_by_a_stranger", "user_not_in_tenant"),
        ("personal_account", "personal_account"),
        ("entra_error,value=53003", "blocked_by_policy"),
        ("entra_error,value=7000218", "app_misconfigured"),
        ("entra_error,value=50057", "account_disabled"),
        ("entra_error,value=expired_token", "sign_in_expired"),
        ("entra_error,value=bad_verification_code", "sign_in_failed"),
    ],
)
async def test_fault_at_the_end_ends_in_its_kind_and_signs_nobody_in(
    tenant: Simulator, credential: Credential, ends_well: Callable[..., Any], spec: str, kind: str
) -> None:
    tenant.faults.add_spec(spec)

    with pytest.raises(AuthenticationError) as caught:
        await sign_in(tenant, credential)

    assert (caught.value.kind, await credential.account()) == (kind, None)
    await ends_well(caught.value)


@pytest.mark.parametrize("spec", ["no_client_info", "retry_after_on_success", "message", "foreign_issuer"])
async def test_fault_that_changes_nothing_is_borne(tenant: Simulator, credential: Credential, spec: str) -> None:
    tenant.faults.add_spec(spec)

    assert (await sign_in(tenant, credential)).username == "adele@contoso.example"


async def test_fewer_scopes_are_told(tenant: Simulator, credential: Credential) -> None:
    tenant.faults.add("fewer_scopes", value=["Files.Read.All"])

    assert (await sign_in(tenant, credential)).scopes == ("Files.Read.All",)


async def test_silence_ends_when_the_caller_gives_up(tenant: Simulator, credential: Credential) -> None:
    tenant.faults.add("silence", operation="devicecode")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await credential.start_sign_in(SCOPES)

    assert (await sign_in(tenant, credential)).username == "adele@contoso.example"
