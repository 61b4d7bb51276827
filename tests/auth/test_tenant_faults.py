"""The faults of the simulated sign-in service against this client: a kind, bounded time, no secret, and it goes on.

The first column of each table is the number in `test_fault_list.py`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from copilot_mcp.auth import CLOUDS, Credential, TokenCache, open_http
from copilot_mcp.simulator import Simulator, Tenant

pytestmark = [pytest.mark.anyio, pytest.mark.shows]

CLOUD = CLOUDS["simulated"]
SCOPES = ("Files.Read.All", "Sites.Read.All")


@pytest.fixture
def tenant(company: Tenant, clock: Any) -> Iterator[Simulator]:
    """A tenant in this process, whose time is the client's."""
    with Simulator(company, clock=clock) as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the sign-in is kept."""
    return tmp_path / "state" / "file.json"


@pytest.fixture
async def credential(tenant: Simulator, path: Path, clock: Any) -> AsyncIterator[Credential]:
    """A client of that tenant."""
    async with open_http(httpx.ASGITransport(tenant.app)) as http:
        yield Credential(
            CLOUD,
            CLOUD.tenant_id or "",
            CLOUD.client_id or "",
            TokenCache(path),
            http,
            clock=clock,
            sleep=clock.sleep,
        )


async def sign_in(tenant: Simulator, credential: Credential) -> Any:
    attempt = await credential.start_sign_in(SCOPES)
    tenant.approve(attempt.user_code, "adele")
    return await credential.finish_sign_in(attempt)


@pytest.fixture
def works(tenant: Simulator, credential: Credential) -> Callable[[], Awaitable[bool]]:
    """The next sign-in, once the fault is gone."""

    async def again() -> bool:
        tenant.faults.clear()
        tenant.identity.unblock()
        return bool((await sign_in(tenant, credential)).username == "adele@contoso.example")

    return again


def operations(tenant: Simulator) -> list[str]:
    return [entry["operation"] for entry in tenant.trace]


@pytest.mark.parametrize(
    ("number", "spec", "kind"),
    [
        ("F1", "refused@devicecode", "offline"),
        ("F2", "dns_failure@devicecode", "offline"),
        ("F3", "tls_untrusted@devicecode", "tls_intercepted"),
        ("F3", "tls_expired@devicecode", "tls_intercepted"),
        ("F3", "tls_wrong_name@devicecode", "tls_intercepted"),
        ("F6", "cut_answer@devicecode", "bad_answer"),
        ("F7", "html@devicecode", "captive_portal"),
        ("F8", "not_an_object@devicecode", "bad_answer"),
        ("F8", "not_an_object@devicecode,value=[]", "bad_answer"),
        ("F8", 'not_an_object@devicecode,value=""', "bad_answer"),
        ("F8", "not_an_object@devicecode,value=7", "bad_answer"),
        ("F14", "gzip_bomb@devicecode", "bad_answer"),
        ("F15", "redirect_to_http@devicecode", "bad_answer"),
        ("F15", "redirect_to_another_host@devicecode", "bad_answer"),
        ("F16", "throttled@devicecode,retry_after=0", "identity_unavailable"),
        ("F16", "throttled@devicecode,retry_after=7", "identity_unavailable"),
        ("F16", "throttled_date@devicecode", "identity_unavailable"),
        ("F16", "throttled_huge@devicecode", "identity_unavailable"),
        ("F16", "throttled_garbage@devicecode", "identity_unavailable"),
        ("F16", "throttled_silent@devicecode", "identity_unavailable"),
        ("F17", "server_error@devicecode", "identity_unavailable"),
        ("F17", "bad_gateway@devicecode,form=html", "identity_unavailable"),
        ("F17", "unavailable@devicecode,form=empty", "identity_unavailable"),
        ("F19", "discovery_over_http", "bad_answer"),
        ("F19", "discovery_elsewhere", "bad_answer"),
        ("F19", "discovery_missing", "sign_in_failed"),
        ("F25", "verification_uri", "bad_answer"),
        ("F25", 'verification_uri,value="javascript:alert(1)"', "bad_answer"),
        ("F25", 'verification_uri,value="http://login.copilot-mcp.test/devicelogin"', "bad_answer"),
        ("F25", "user_code", "bad_answer"),
        ("L10", "redirect_to_another_host@discovery", "bad_answer"),
    ],
)
async def test_fault_at_the_start_ends_in_its_kind(
    tenant: Simulator, credential: Credential, ends: Any, works: Any, number: str, spec: str, kind: str
) -> None:
    tenant.faults.add_spec(spec)
    error = await ends(credential.start_sign_in(SCOPES), kind, works)
    assert "evil" not in f"{error}"
    assert "javascript" not in f"{error}"


@pytest.mark.shows("F25")
async def test_code_of_a_megabyte_is_not_shown(
    tenant: Simulator, credential: Credential, ends: Any, works: Any
) -> None:
    tenant.faults.add("user_code", value="A" * 1_000_000)
    error = await ends(credential.start_sign_in(SCOPES), "bad_answer", works)
    assert len(str(error)) < 300


@pytest.mark.parametrize(
    ("number", "spec", "kind"),
    [
        ("F9", "no_access_token", "bad_answer"),
        ("F9", "odd_access_token", "bad_answer"),
        ("F9", 'odd_access_token,value=""', "bad_answer"),
        ("F10", "no_expires_in", "bad_answer"),
        ("F10", "expires_in,value=0", "bad_answer"),
        ("F10", "expires_in,value=-1", "bad_answer"),
        ("F10", "expires_in,value=1000000000000", "bad_answer"),
        ("F10", "expires_in,value=soon", "bad_answer"),
        ("F11", "broken_id_token", "bad_answer"),
        ("F11", "id_token_of_another_person", "bad_answer"),
        ("F11", "id_token_of_another_tenant", "user_not_in_tenant"),
        ("F29", "approved_by_a_stranger", "user_not_in_tenant"),
        ("F29", "personal_account", "personal_account"),
        ("F21", "entra_error,value=authorization_declined", "sign_in_declined"),
        ("F21", "entra_error,value=expired_token", "sign_in_expired"),
        ("F21", "entra_error,value=bad_verification_code", "sign_in_failed"),
        ("F21", "entra_error,value=53003", "blocked_by_policy"),
        ("F21", "entra_error,value=7000218", "app_misconfigured"),
        ("F21", "entra_error,value=50057", "account_disabled"),
    ],
)
async def test_fault_at_the_end_ends_in_its_kind_and_signs_nobody_in(
    tenant: Simulator, credential: Credential, ends: Any, works: Any, path: Path, number: str, spec: str, kind: str
) -> None:
    tenant.faults.add_spec(spec)

    async def works_from_nothing() -> bool:
        assert (await credential.account(), path.exists()) == (None, False)
        return bool(await works())

    await ends(sign_in(tenant, credential), kind, works_from_nothing)


@pytest.mark.parametrize(
    ("number", "spec"),
    [
        ("F12", "no_client_info"),
        ("F18", "retry_after_on_success"),
        ("F19", "foreign_issuer"),
        ("F23", "interval"),
        ("F23", "interval,value=-1"),
        ("F23", 'interval,value="5"'),
        ("F23", "interval,value=1000000"),
        ("F24", "expires_in@devicecode,value=0"),
        ("F24", "no_expires_in@devicecode"),
        ("F24", "expires_in@devicecode,value=1000000000"),
        ("F25", "message"),
    ],
)
async def test_fault_that_changes_nothing_is_borne(
    tenant: Simulator, credential: Credential, clock: Any, number: str, spec: str
) -> None:
    tenant.faults.add_spec(spec)
    assert (await sign_in(tenant, credential)).username == "adele@contoso.example"
    assert sum(clock.slept) <= 30
    assert await credential.token(SCOPES)


@pytest.mark.shows("F13")
async def test_fewer_scopes_are_told(tenant: Simulator, credential: Credential) -> None:
    tenant.faults.add("fewer_scopes", value=["Files.Read.All"])

    assert (await sign_in(tenant, credential)).scopes == ("Files.Read.All",)


@pytest.mark.shows("F17", "F30")
async def test_outage_of_a_minute_in_the_middle_of_a_sign_in_is_waited_out(
    tenant: Simulator, credential: Credential, clock: Any
) -> None:
    attempt = await credential.start_sign_in(SCOPES)
    tenant.identity.outage(60)
    tenant.approve(attempt.user_code, "adele")
    assert (await credential.finish_sign_in(attempt)).username == "adele@contoso.example"
    assert 60 <= sum(clock.slept) <= 61


@pytest.mark.shows("F17")
@pytest.mark.parametrize("seconds", [60, None])
async def test_outage_is_told_at_every_call_until_it_is_over(
    tenant: Simulator, credential: Credential, ends: Any, works: Any, clock: Any, seconds: int | None
) -> None:
    async def still_down() -> bool:
        clock.now += 59
        return True

    tenant.identity.outage(seconds)
    for _ in range(2 if seconds is None else 1):
        await ends(credential.start_sign_in(SCOPES), "identity_unavailable", still_down)

    async def over() -> bool:
        clock.now += 1
        return bool((await sign_in(tenant, credential)).username) if seconds else bool(await works())

    await ends(credential.start_sign_in(SCOPES), "identity_unavailable", over)


@pytest.mark.shows("F20")
@pytest.mark.parametrize(
    "fault", ["keys_empty", "keys_twice", "keys_elliptic", "keys_flood", "keys_rotated", "entra_down", "silence"]
)
async def test_keys_of_the_sign_in_service_are_never_asked_for_and_so_can_do_no_harm(
    tenant: Simulator, credential: Credential, fault: str
) -> None:
    """An ID token that comes straight over TLS needs no signature check, and access tokens are Graph's to check."""
    tenant.faults.add(fault, operation="keys", times=None)
    await sign_in(tenant, credential)
    assert await credential.token(SCOPES, rejected=await credential.token(SCOPES))
    assert set(operations(tenant)) == {"discovery", "devicecode", "token"}


@pytest.mark.shows("F22")
async def test_storm_of_slow_down_from_the_service_ends_with_the_code(
    tenant: Simulator, credential: Credential, clock: Any, ends: Any, works: Any
) -> None:
    tenant.faults.add("slow_down", times=None)
    await ends(sign_in(tenant, credential), "sign_in_expired", works)
    assert operations(tenant).count("token") < 30
    assert max(clock.slept) == 60


@pytest.mark.shows("F31")
async def test_code_that_was_redeemed_is_not_sent_again(tenant: Simulator, credential: Credential) -> None:
    attempt = await credential.start_sign_in(SCOPES)
    tenant.approve(attempt.user_code, "adele")
    account = await credential.finish_sign_in(attempt)
    assert await credential.finish_sign_in(attempt) == account
    assert operations(tenant).count("token") == 1


@pytest.mark.shows("F31")
async def test_code_that_somebody_else_redeemed_signs_nobody_in(
    tenant: Simulator, credential: Credential, ends: Any, works: Any, path: Path
) -> None:
    attempt = await credential.start_sign_in(SCOPES)
    tenant.approve(attempt.user_code, "adele")
    (device_code,) = [value for value, kind in tenant.secrets_issued.values.items() if kind == "device_code"]
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": CLOUD.client_id,
        "device_code": device_code,
    }
    thief = httpx.AsyncClient(transport=httpx.ASGITransport(tenant.app), base_url=CLOUD.authority)
    async with thief:
        stolen = await thief.post(f"/{CLOUD.tenant_id}/oauth2/v2.0/token", data=form)
    assert stolen.status_code == 200
    assert not path.exists()
    await ends(credential.finish_sign_in(attempt), "sign_in_failed", works)


@pytest.mark.shows("F4")
async def test_silence_ends_when_the_caller_gives_up(tenant: Simulator, credential: Credential, works: Any) -> None:
    tenant.faults.add("silence", operation="devicecode")
    with anyio.move_on_after(0.2) as scope:
        await credential.start_sign_in(SCOPES)
    assert scope.cancelled_caught
    assert await works()
