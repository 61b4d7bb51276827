"""Faults that meet a saved sign-in, against the simulated tenant: what is said, what is left, and what goes on."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client

from copilot_mcp.auth import CLOUDS, Credential, HostSignIn, LoopbackTransport, MemoryCache, TokenCache, open_http
from copilot_mcp.cli._services import GraphServices
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError, CopilotMcpError
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
async def credential(tenant: Simulator, later: Later) -> AsyncIterator[Credential]:
    """Adele's, signed in for the files; afterwards nothing of it runs any more."""
    async with open_http(httpx.ASGITransport(tenant.app)) as http, anyio.create_task_group() as tasks:
        made = Credential(
            CLOUD, CLOUD.tenant_id or "", CLOUD.client_id or "", MemoryCache(), http, clock=later, tasks=tasks
        )
        await sign_in(tenant, made)
        yield made
    workers = [thread for thread in threading.enumerate() if thread.name.startswith("AnyIO")]
    assert len(workers) <= 4
    assert [task for task in asyncio.all_tasks() if "Flights" in repr(task)] == []


async def sign_in(tenant: Simulator, credential: Credential, *scopes: str) -> None:
    attempt = await credential.start_sign_in(scopes or FILES)
    tenant.approve(attempt.user_code, "adele")
    await credential.finish_sign_in(attempt)


@pytest.mark.parametrize(
    ("fault", "options", "kind"),
    [
        ("dns_failure", {}, "offline"),
        ("tls_untrusted", {}, "tls_intercepted"),
        ("cut_answer", {}, "bad_answer"),
        ("not_an_object", {}, "bad_answer"),
        ("not_an_object", {"value": "text"}, "bad_answer"),
        ("big_body", {}, "bad_answer"),
        ("gzip_bomb", {}, "bad_answer"),
        ("redirect_to_http", {}, "bad_answer"),
        ("redirect_to_another_host", {}, "bad_answer"),
        ("entra_down", {}, "identity_unavailable"),
        ("no_access_token", {}, "bad_answer"),
        ("odd_access_token", {}, "bad_answer"),
        ("expires_in", {"value": "soon"}, "bad_answer"),
        ("expires_in", {"value": 10**12}, "bad_answer"),
        ("no_expires_in", {}, "bad_answer"),
        ("broken_id_token", {}, "bad_answer"),
        ("id_token_of_another_person", {}, "bad_answer"),
        ("id_token_of_another_tenant", {}, "bad_answer"),
        ("fewer_scopes", {"value": ["Files.Read.All"]}, "scopes_missing"),
        ("entra_error", {"value": 50173}, "session_revoked"),
        ("entra_error", {"value": 700082}, "session_expired"),
        ("entra_error", {"value": 70043}, "sign_in_frequency"),
        ("entra_error", {"value": 50196}, "retry_loop"),
        ("entra_error", {"value": 53003}, "blocked_by_policy"),
        ("entra_error", {"value": 65001}, "consent_required"),
    ],
)
async def test_fault_of_a_refresh_is_told_and_the_next_call_works(
    tenant: Simulator, credential: Credential, later: Later, caplog: Any, fault: str, options: Any, kind: str
) -> None:
    tenant.faults.add(fault, operation="token", **options)
    started = time.monotonic()
    with pytest.raises(CopilotMcpError) as caught:
        await credential.token(("Mail.Read",))
    assert caught.value.kind == kind
    assert time.monotonic() - started < 5
    told = f"{caught.value} {caught.value!r} {caught.value.details()} {caplog.text}"
    assert tenant.secrets_issued.found_in(told) == []
    tenant.faults.clear()
    later.ahead += 301.0
    assert await credential.token(("Mail.Read",))


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


async def test_scopes_in_another_case_are_the_same_permissions(tenant: Simulator, credential: Credential) -> None:
    assert await credential.token(("Files.Read.All",)) == await credential.token(FILES)
    assert tenant.identity.refreshes("adele") == 0


@pytest.fixture
async def host(tenant: Simulator, settings: Any, in_process: Any, era: Any) -> AsyncIterator[Client]:
    """An MCP client whose server signs in to that tenant by itself."""
    async with (
        GraphServices(settings, in_process(tenant)) as services,
        Client(build_server(services, settings, person=services.person), mode=era) as client,
    ):
        assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error
        yield client


async def test_challenge_of_graph_is_met_by_one_refresh_and_the_call_goes_on(tenant: Simulator, host: Client) -> None:
    tenant.identity.challenge("adele", CLAIMS)
    assert not (await host.call_tool("copilot_retrieve", QUESTION)).is_error
    assert tenant.identity.refreshes("adele") == 1


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


async def test_endless_challenge_ends_after_one_repetition(tenant: Simulator, host: Client) -> None:
    tenant.identity.challenge("adele", CLAIMS, endless=True)
    before = [entry["operation"] for entry in tenant.trace].count("retrieval")
    refused: Any = await host.call_tool("copilot_retrieve", QUESTION)
    assert refused.meta["copilot-mcp/error"]["kind"] == "reauth_required"
    assert [entry["operation"] for entry in tenant.trace].count("retrieval") == before + 2
    tenant.identity.end_challenges()
    assert not (await host.call_tool("copilot_retrieve", QUESTION)).is_error


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


async def test_token_that_ends_between_check_and_use_is_renewed(tenant: Simulator, host: Client) -> None:
    tenant.faults.add("unauthorized", operation="retrieval")
    assert not (await host.call_tool("copilot_retrieve", QUESTION)).is_error
    assert tenant.identity.refreshes("adele") == 1


async def test_token_of_an_application_is_explained(tenant: Simulator, host: Client) -> None:
    tenant.faults.add("app_only_token", operation="token")
    tenant.faults.add("unauthorized", operation="retrieval")
    told: Any = await host.call_tool("copilot_retrieve", QUESTION)
    assert told.meta["copilot-mcp/error"]["kind"] == "app_only_token"
    assert told.meta["copilot-mcp/error"]["certainty"] == "certain"


PROCESS = """
import sys
from pathlib import Path
import anyio
from copilot_mcp.auth import CLOUDS, Credential, LoopbackTransport, TokenCache, open_http

async def main():
    cloud = CLOUDS["simulated"]
    cache = TokenCache.of("p", "simulated", "t", "c", plain=True, directory=Path(sys.argv[2]))
    got = []
    async with open_http(LoopbackTransport(sys.argv[1])) as http, anyio.create_task_group() as tasks:
        credential = Credential(cloud, cloud.tenant_id, cloud.client_id, cache, http, tasks=tasks)

        async def caller():
            got.append(await credential.token(["Mail.Read"]))

        sys.stdin.readline()
        async with anyio.create_task_group() as callers:
            for _ in range(10):
                callers.start_soon(caller)
    sys.stdout.write(f"{len(got)} {len(set(got))} {hash(got[0]) & 0xFFFF}")

anyio.run(main)
"""


async def test_four_processes_with_ten_callers_each_refresh_once_under_strict_rotation(
    tenant: Simulator, tmp_path: Path
) -> None:
    tenant.identity.rotate_refresh_tokens("strict")
    base_url = tenant.start()
    cache = TokenCache.of("p", "simulated", "t", "c", plain=True, directory=tmp_path / "state")
    async with open_http(LoopbackTransport(base_url)) as http:
        await sign_in(tenant, Credential(CLOUD, CLOUD.tenant_id or "", CLOUD.client_id or "", cache, http), "Mail.Read")

    def expire(content: dict[str, Any]) -> dict[str, Any]:
        for entry in content["AccessToken"].values():
            entry["expires_on"] = "1"
        return content

    cache.update(expire)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "PYTHONHASHSEED": "0",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", PROCESS, base_url, str(tmp_path / "state")],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = {process.communicate(timeout=90)[0] for process in processes}
    assert len(outputs) == 1
    assert outputs.pop().startswith("10 1 ")
    assert tenant.identity.refreshes("adele") == 1
    assert [path.suffix for path in (tmp_path / "state").iterdir() if path.suffix == ".tmp"] == []
