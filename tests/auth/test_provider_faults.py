"""Faults that meet a saved sign-in, against the simulated tenant: what is said, what is left, and what goes on."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client

from copilot_mcp.auth import CLOUDS, Credential, HostSignIn, MemoryCache, TokenCache, open_http
from copilot_mcp.cli._services import GraphServices
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError
from copilot_mcp.server import build_server
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

CLOUD = CLOUDS["simulated"]
FILES = ("Files.Read.All", "Sites.Read.All")
QUESTION = {"queryString": "parental leave", "dataSource": "sharePoint"}
CLAIMS = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}


class Later:
    """A clock that runs ahead of the machine's."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def tenant() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def cache(tmp_path: Path) -> TokenCache:
    """Where the sign-in is kept."""
    return TokenCache(tmp_path / "state" / "file.json")


@pytest.fixture
async def credential(tenant: Simulator, later: Later, cache: TokenCache) -> AsyncIterator[Credential]:
    """Adele's, signed in for the files."""
    async with open_http(httpx.ASGITransport(tenant.app)) as http, anyio.create_task_group() as tasks:
        made = Credential(CLOUD, CLOUD.tenant_id or "", CLOUD.client_id or "", cache, http, clock=later, tasks=tasks)
        await sign_in(tenant, made)
        yield made


async def sign_in(tenant: Simulator, credential: Credential, *scopes: str) -> None:
    attempt = await credential.start_sign_in(scopes or FILES)
    tenant.approve(attempt.user_code, "adele")
    await credential.finish_sign_in(attempt)


@pytest.mark.shows
@pytest.mark.parametrize(
    ("number", "fault", "options", "kind"),
    [
        ("F1", "refused", {}, "offline"),
        ("F2", "dns_failure", {}, "offline"),
        ("F3", "tls_untrusted", {}, "tls_intercepted"),
        ("F6", "cut_answer", {}, "bad_answer"),
        ("F7", "html", {}, "captive_portal"),
        ("F8", "not_an_object", {}, "bad_answer"),
        ("F8", "not_an_object", {"value": "text"}, "bad_answer"),
        ("F9", "no_access_token", {}, "bad_answer"),
        ("F9", "odd_access_token", {}, "bad_answer"),
        ("F9", "odd_access_token", {"value": ""}, "bad_answer"),
        ("F10", "expires_in", {"value": "soon"}, "bad_answer"),
        ("F10", "expires_in", {"value": -1}, "bad_answer"),
        ("F10", "expires_in", {"value": 0}, "bad_answer"),
        ("F10", "expires_in", {"value": 10**12}, "bad_answer"),
        ("F10", "no_expires_in", {}, "bad_answer"),
        ("F11", "broken_id_token", {}, "bad_answer"),
        ("F11", "id_token_of_another_person", {}, "bad_answer"),
        ("F11", "id_token_of_another_tenant", {}, "bad_answer"),
        ("F13", "fewer_scopes", {"value": ["Files.Read.All"]}, "scopes_missing"),
        ("F14", "big_body", {}, "bad_answer"),
        ("F14", "gzip_bomb", {}, "bad_answer"),
        ("F15", "redirect_to_http", {}, "bad_answer"),
        ("F15", "redirect_to_another_host", {}, "bad_answer"),
        ("F16", "throttled", {"retry_after": "7"}, "identity_unavailable"),
        ("F16", "throttled_garbage", {}, "identity_unavailable"),
        ("F17", "entra_down", {}, "identity_unavailable"),
        ("F17", "outage", {}, "identity_unavailable"),
        ("F44", "entra_error", {"value": 50173}, "session_revoked"),
        ("F44", "entra_error", {"value": 700082}, "session_expired"),
        ("F44", "entra_error", {"value": 70043}, "sign_in_frequency"),
        ("F44", "entra_error", {"value": 50196}, "retry_loop"),
        ("F44", "entra_error", {"value": 53003}, "blocked_by_policy"),
        ("F44", "entra_error", {"value": 65001}, "consent_required"),
    ],
)
async def test_fault_of_a_refresh_is_told_and_the_next_call_works(
    tenant: Simulator, credential: Credential, later: Later, ends: Any, number: str, fault: str, options: Any, kind: str
) -> None:
    tenant.faults.add(fault, operation="token", **options)

    async def works() -> str:
        tenant.faults.clear()
        later.ahead += 301.0
        return await credential.token(("Mail.Read",))

    await ends(credential.token(("Mail.Read",)), kind, works)


@pytest.mark.shows("F45")
@pytest.mark.parametrize(
    "fault",
    [
        "dns_failure",
        "tls_expired",
        "entra_down",
        "cut_answer",
        "no_access_token",
        "odd_access_token",
        "id_token_of_another_person",
    ],
)
async def test_ageing_token_is_used_while_no_new_one_can_be_had(
    tenant: Simulator, credential: Credential, later: Later, fault: str
) -> None:
    first = await credential.token(FILES)
    later.ahead = 3500.0
    tenant.faults.add(fault, operation="token")
    assert await credential.token(FILES) == first
    assert await credential.token(FILES) != first


@pytest.mark.shows("F9", "F10", "F44")
@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("no_expires_in", {}),
        ("no_access_token", {}),
        ("odd_access_token", {}),
        ("expires_in", {}),
        *[("expires_in", {"value": value}) for value in ("soon", "", "-3600", 3.5, [], {}, -1, 10**12)],
    ],
)
async def test_spoilt_answer_costs_one_call_also_where_a_refresh_token_works_once(
    tenant: Simulator, credential: Credential, later: Later, fault: str, options: Any
) -> None:
    tenant.identity.rotate_refresh_tokens("strict")
    later.ahead = 3700.0
    tenant.faults.add(fault, operation="token", **options)
    with pytest.raises(AuthenticationError) as caught:
        await credential.token(FILES)
    assert caught.value.kind == "bad_answer"
    assert await credential.token(FILES)
    assert tenant.identity.refreshes("adele") == 2


async def test_life_time_in_text_is_taken_as_the_number_it_is(
    tenant: Simulator, credential: Credential, later: Later
) -> None:
    tenant.identity.rotate_refresh_tokens("strict")
    later.ahead = 3700.0
    tenant.faults.add("expires_in", operation="token", value="3600")
    renewed = await credential.token(FILES)
    assert await credential.token(FILES) == renewed
    assert tenant.identity.refreshes("adele") == 1
    later.ahead = 7500.0
    assert await credential.token(FILES) != renewed
    assert tenant.identity.refreshes("adele") == 2


async def test_life_time_in_text_signs_in_too(tenant: Simulator, credential: Credential) -> None:
    tenant.faults.add("expires_in", operation="token", value="3600")
    await sign_in(tenant, credential, "Mail.Read")
    account = await credential.account()
    assert account is not None and account.scopes == ("Mail.Read",)


@pytest.mark.shows("F4")
async def test_answer_that_never_comes_ends_with_caller_and_server(tenant: Simulator) -> None:
    cache = MemoryCache()
    async with open_http(httpx.ASGITransport(tenant.app)) as http:
        async with anyio.create_task_group() as tasks:
            made = Credential(CLOUD, CLOUD.tenant_id or "", CLOUD.client_id or "", cache, http, tasks=tasks)
            await sign_in(tenant, made)
            tenant.faults.add("silence", operation="token")
            with anyio.move_on_after(0.2) as scope:
                await made.token(("Mail.Read",))
            assert scope.cancelled_caught
            tasks.cancel_scope.cancel()
        again = Credential(CLOUD, CLOUD.tenant_id or "", CLOUD.client_id or "", cache, http)
        assert await again.token(("Mail.Read",))


@pytest.mark.shows("F44")
async def test_loop_that_entra_saw_is_not_asked_again_for_five_minutes(
    tenant: Simulator, credential: Credential, later: Later
) -> None:
    tenant.faults.add("entra_error", operation="token", value=50196)
    for ahead in (0.0, 299.0):
        later.ahead = ahead
        with pytest.raises(AuthenticationError) as caught:
            await credential.token(("Mail.Read",))
        assert caught.value.kind == "retry_loop"
    assert tenant.identity.refreshes("adele") == 0
    later.ahead = 301.0
    assert await credential.token(("Mail.Read",))


@pytest.mark.shows("F48")
async def test_scopes_in_another_case_are_the_same_permissions(
    tenant: Simulator, credential: Credential, later: Later, cache: TokenCache
) -> None:
    """Entra takes scopes in any case and may spell them differently in its answer."""
    await credential.sign_out()
    tenant.faults.add("scopes_in_another_case", times=2)
    await sign_in(tenant, credential)
    assert "/files.read.all" in next(iter(cache.read()["AccessToken"].values()))["target"]
    account = await credential.account()
    assert (account and account.scopes, await credential.missing_scopes(FILES)) == (FILES, ())
    assert await credential.token(("Files.Read.All",)) == await credential.token(("files.read.all", "SITES.READ.ALL"))
    assert tenant.identity.refreshes("adele") == 0
    later.ahead = 3700.0
    assert await credential.token(FILES)
    assert tenant.identity.refreshes("adele") == 1


@pytest.mark.shows("F38")
@pytest.mark.parametrize("years", [1, -1])
async def test_clock_that_jumps_a_year_costs_one_refresh_at_most(
    tenant: Simulator, credential: Credential, later: Later, years: int
) -> None:
    """Backwards the token looks good for a year; Graph refuses it when it has ended, and then it is renewed."""
    first = await credential.token(FILES)
    later.ahead = years * 365 * 86_400.0
    second = await credential.token(FILES)
    assert (second == first, tenant.identity.refreshes("adele")) == (years < 0, years > 0)
    assert await credential.token(FILES, rejected=second) not in (first, second)


@pytest.fixture
async def host(tenant: Simulator, settings: Any, in_process: Any, era: Any) -> AsyncIterator[Client]:
    """An MCP client whose server signs in to that tenant by itself."""
    async with (
        GraphServices(settings, in_process(tenant)) as services,
        Client(build_server(services, settings, person=services.person), mode=era) as client,
    ):
        assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error
        yield client


@pytest.mark.shows("F47")
async def test_challenge_of_graph_is_met_by_one_refresh_and_the_call_goes_on(tenant: Simulator, host: Client) -> None:
    tenant.identity.challenge("adele", CLAIMS)
    assert not (await host.call_tool("copilot_retrieve", QUESTION)).is_error
    assert tenant.identity.refreshes("adele") == 1


@pytest.mark.shows("F47")
@pytest.mark.parametrize("header", ['Bearer error="insufficient_claims", claims="!"', f'Bearer claims="{"x" * 9000}"'])
async def test_malformed_or_oversized_challenge_is_a_plain_rejection(
    tenant: Simulator, host: Client, header: str
) -> None:
    tenant.identity.challenge("adele", CLAIMS, header=header)
    refused: Any = await host.call_tool("copilot_retrieve", QUESTION)
    assert refused.meta["copilot-mcp/error"]["kind"] in ("token_rejected", "reauth_required")
    assert tenant.identity.refreshes("adele") == 1
    tenant.identity.end_challenges()
    assert not (await host.call_tool("copilot_retrieve", QUESTION)).is_error


@pytest.mark.shows("F47")
async def test_endless_challenge_ends_after_one_repetition(tenant: Simulator, host: Client) -> None:
    tenant.identity.challenge("adele", CLAIMS, endless=True)
    before = [entry["operation"] for entry in tenant.trace].count("retrieval")
    refused: Any = await host.call_tool("copilot_retrieve", QUESTION)
    assert refused.meta["copilot-mcp/error"]["kind"] == "reauth_required"
    assert [entry["operation"] for entry in tenant.trace].count("retrieval") == before + 2
    tenant.identity.end_challenges()
    assert not (await host.call_tool("copilot_retrieve", QUESTION)).is_error


@pytest.mark.shows("F47")
async def test_challenge_that_needs_the_person_is_satisfied_by_the_next_sign_in(
    tenant: Simulator, settings: Any, in_process: Any, era: Any
) -> None:
    async with (
        GraphServices(settings, in_process(tenant, signs_in=False)) as services,
        Client(build_server(services, settings, person=services.person), mode=era) as client,
    ):

        async def approved() -> Any:
            pending: Any = await client.call_tool("copilot_retrieve", QUESTION)
            tenant.approve(pending.meta["copilot-mcp/error"]["userCode"], "adele")
            with anyio.fail_after(10):
                while (result := await client.call_tool("copilot_retrieve", QUESTION)).is_error:
                    await anyio.sleep(0.05)
            return result

        await approved()
        tenant.identity.challenge("adele", CLAIMS, needs_sign_in=True)
        assert (await approved()).structured_content["hits"]


async def test_code_for_a_challenge_stays_good_while_other_calls_have_tokens(
    tenant: Simulator, credential: Credential, later: Later
) -> None:
    async with anyio.create_task_group() as tasks:
        host = HostSignIn(credential, tasks, wait_s=0)
        tenant.identity.challenge("adele", CLAIMS, needs_sign_in=True)
        with pytest.raises(AuthenticationRequiredError):
            await host.token(FILES, rejected=await host.token(FILES), claims=json.dumps(CLAIMS))
        attempt = await host.start(FILES)
        assert attempt is not None
        later.ahead = 31  # the refusal is forgotten by then
        assert await host.token(FILES)
        assert await host.start(FILES) == attempt
        host.cancel()
        assert not credential.sign_in_is_open(attempt)


@pytest.mark.shows("F49")
async def test_token_that_ends_between_check_and_use_is_renewed(tenant: Simulator, host: Client) -> None:
    tenant.faults.add("unauthorized", operation="retrieval")
    assert not (await host.call_tool("copilot_retrieve", QUESTION)).is_error
    assert tenant.identity.refreshes("adele") == 1


@pytest.mark.shows("F29")
async def test_token_of_an_application_is_explained(tenant: Simulator, host: Client) -> None:
    tenant.faults.add("app_only_token", operation="token")
    tenant.faults.add("unauthorized", operation="retrieval")
    told: Any = await host.call_tool("copilot_retrieve", QUESTION)
    assert told.meta["copilot-mcp/error"]["kind"] == "app_only_token"
    assert told.meta["copilot-mcp/error"]["certainty"] == "certain"
    tenant.faults.clear()
    assert not (await host.call_tool("copilot_retrieve", QUESTION)).is_error
