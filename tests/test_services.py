"""What a serving process shares: opened once, closed with the process, and clear when the tenant is not there."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from copilot_mcp.cli._quota import open_quota, quota_path
from copilot_mcp.cli._services import GraphServices, open_cache
from copilot_mcp.cli._simulated import JoinedTenant, StartedTenant
from copilot_mcp.errors import AuthenticationRequiredError, SettingsError
from copilot_mcp.server import build_server
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import Simulator, Tenant

pytestmark = pytest.mark.anyio

RETRIEVAL = {"queryString": "parental leave", "dataSource": "sharePoint"}


async def test_a_tenant_that_goes_down_is_said_and_the_server_lives_on(
    company: Tenant, settings: Settings, era: Any
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with Simulator(company) as simulator:
        url = simulator.start()
        async with (
            GraphServices(settings, JoinedTenant(url, "adele", signs_in=True), sleep=sleep) as services,
            Client(build_server(services, settings), mode=era) as client,
        ):
            assert not (await client.call_tool("copilot_retrieve", RETRIEVAL)).is_error
            simulator.stop()
            found = await client.call_tool("copilot_retrieve", RETRIEVAL)
            asked = await client.call_tool("copilot_chat", {"message": "How much leave?"})
            assert len((await client.list_tools()).tools) == 3
    assert found.is_error
    assert asked.is_error
    assert (found.meta or {})["copilot-mcp/error"]["kind"] == "offline"
    assert (asked.meta or {})["copilot-mcp/error"]["kind"] == "offline"
    assert 1 <= len(pauses) <= 6


async def test_a_tenant_that_is_not_there_is_said(company: Tenant, settings: Settings, era: Any) -> None:
    with Simulator(company) as simulator:
        url = simulator.start()
    async with (
        GraphServices(settings, JoinedTenant(url, "adele", signs_in=True)) as services,
        Client(build_server(services, settings), mode=era) as client,
    ):
        found = await client.call_tool("copilot_retrieve", RETRIEVAL)
    assert found.is_error
    assert "Start one with `copilot-mcp simulate`." in found.content[0].text


async def test_the_graph_client_is_opened_once_and_needs_a_client_id(settings: Settings) -> None:
    async with GraphServices(settings, StartedTenant(None, "adele", signs_in=True)) as services:
        assert await services.graph() is await services.graph()
    async with GraphServices(Settings()) as services:
        with pytest.raises(SettingsError, match="COPILOT_MCP_CLIENT_ID"):
            await services.graph()


async def test_a_token_that_the_tenant_forgot_is_replaced(company: Tenant, settings: Settings) -> None:
    with Simulator(company) as simulator:
        url = simulator.start()
        async with (
            GraphServices(settings, JoinedTenant(url, "adele", signs_in=True)) as services,
            Client(build_server(services, settings)) as client,
        ):
            assert not (await client.call_tool("copilot_retrieve", RETRIEVAL)).is_error
            simulator.faults.add("unauthorized", operation="retrieval")
            assert not (await client.call_tool("copilot_retrieve", RETRIEVAL)).is_error


def test_only_a_real_tenant_has_a_stored_cache() -> None:
    kinds = [
        type(open_cache(each)).__name__
        for each in (
            Settings(client_id="x"),
            Settings(client_id="x", cache="memory"),
            Settings(client_id="x", simulated=True),
        )
    ]
    assert kinds == ["TokenCache", "MemoryCache", "MemoryCache"]


async def test_the_identity_is_the_signed_in_person(
    company: Tenant, settings: Settings, in_process: Callable[..., Any]
) -> None:
    with Simulator(company) as simulator:
        async with (
            GraphServices(settings, in_process(simulator, "adele")) as adele,
            GraphServices(settings, in_process(simulator, "megan")) as megan,
        ):
            hers = await adele.identity()
            assert hers == await adele.identity()
            assert hers.split("/")[:2] == ["simulated", settings.tenant]
            assert hers != await megan.identity()
        async with GraphServices(settings, in_process(simulator, "adele", signs_in=False)) as nobody:
            with pytest.raises(AuthenticationRequiredError):
                await nobody.identity()


async def test_an_account_that_was_signed_out_meanwhile_has_no_identity(
    company: Tenant, settings: Settings, in_process: Callable[..., Any]
) -> None:
    with Simulator(company) as simulator:
        async with GraphServices(settings, in_process(simulator)) as services:
            await services.identity()
            opened = await services._open_once()

            class SignedOut:
                async def token(self, scopes: Any, *, rejected: str | None = None) -> str:
                    await opened.credential.sign_out()
                    return "a token that was given a moment ago"

            services._opened = replace(opened, tokens=SignedOut())
            with pytest.raises(AuthenticationRequiredError, match="signed out a moment ago"):
                await services.identity()


async def test_the_count_of_a_person_is_shared_and_outlives_the_process(tmp_path: Path) -> None:
    real = Settings(client_id="x")
    now = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
    await open_quota(real, "megan", tmp_path).take(100, now)
    assert "about 160 " in (await open_quota(real, "megan", tmp_path).settle(60, throttled=False, now=now) or "")
    for settings, person in (
        (real, "adele"),
        (replace(real, simulated=True), "megan"),
        (replace(real, cache="memory"), "megan"),
        (real, None),
    ):
        assert await open_quota(settings, person, tmp_path).settle(60, throttled=False, now=now) is None
    counts = sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".json")
    assert counts == sorted(quota_path("global", person).name for person in ("megan", "adele"))


async def test_a_simulated_tenant_has_one_count_and_keeps_it_nowhere(settings: Settings) -> None:
    async with GraphServices(settings, StartedTenant(None, "adele", signs_in=True)) as services:
        assert await services.quota() is await services.quota()


async def test_nobody_signed_in_has_a_count_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    async with GraphServices(Settings(client_id="x")) as services:
        assert await services.quota() is await services.quota()
