"""All checks together against the simulated tenant, as a real one would be met, and against a world that is broken."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from copilot_mcp.auth import CLOUDS, Credential, Keeping, MemoryCache, TokenFacts
from copilot_mcp.cli._services import sign_in_scopes
from copilot_mcp.doctor import Finding, Given, Outside, Section, Subject, Verdict, Way, examine, worst
from copilot_mcp.errors import AuthenticationError, CopilotMcpError, SettingsError
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio
CLOUD = CLOUDS["simulated"]
SETTINGS = Settings(CLOUD.name, CLOUD.tenant_id or "", CLOUD.client_id)
GIVEN = [
    Given("cloud", CLOUD.name, "flag"),
    Given("tenant", CLOUD.tenant_id or "", "flag"),
    Given("client-id", CLOUD.client_id or "", "flag"),
]


async def resolve(name: str) -> Sequence[str]:
    return ["192.0.2.1"]


def kept() -> Keeping:
    return Keeping(Path("/data/x.json"), "the Secret Service")


@pytest.fixture
async def http(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator.app)) as client:
        yield client


@pytest.fixture
def credential(http: httpx.AsyncClient) -> Credential:
    return Credential(CLOUD, SETTINGS.tenant, SETTINGS.client_id or "", MemoryCache(), http)


@pytest.fixture
def subject(http: httpx.AsyncClient, credential: Credential) -> Any:
    """Makes a subject in good health, changed where asked."""

    def made(**changes: Any) -> Subject:
        from time import time

        way = Way(http, resolve, lambda host: "", time)
        whole: dict[str, Any] = {
            "settings": SETTINGS,
            "given": GIVEN,
            "files": [],
            "environment": {},
            "known_variables": [],
            "least_secret": 32,
            "way": way,
            "keeping": kept,
            "credential": credential,
            "place": "a desktop",
            "browser": True,
        }
        return Subject(**(whole | changes))

    return made


async def sign_in(credential: Credential, simulator: Simulator, scopes: Sequence[str]) -> None:
    attempt = await credential.start_sign_in(scopes)
    simulator.approve(attempt.user_code, "adele")
    await credential.finish_sign_in(attempt)


def told(findings: Sequence[Finding]) -> dict[str, Verdict]:
    return {finding.topic: finding.verdict for finding in findings}


async def test_everything_in_order_is_no_problem(subject: Any, credential: Credential, simulator: Simulator) -> None:
    await sign_in(credential, simulator, sign_in_scopes())
    findings = await examine(subject())
    assert [finding.section for finding in findings] == sorted(
        (finding.section for finding in findings), key=list(Section).index
    )
    verdicts = told(findings)
    del verdicts["program"]
    assert verdicts == {
        "python": "ok",
        "versions": "ok",
        "place": "ok",
        "cloud": "ok",
        "tenant": "ok",
        "client-id": "ok",
        "tenant-known": "ok",
        "proxy": "ok",
        "certificates": "ok",
        "host:login.copilot-mcp.test": "ok",
        "host:graph.copilot-mcp.test": "ok",
        "clock": "ok",
        "cache": "ok",
        "account": "ok",
        "scopes:copilot_chat": "ok",
        "scopes:copilot_retrieve:sharepoint-and-onedrive": "ok",
        "scopes:copilot_retrieve:connectors": "ok",
        "token": "ok",
        "licence": "note",
    }


async def test_some_permissions_open_some_tools_and_the_link_names_the_rest(
    subject: Any, credential: Credential, simulator: Simulator
) -> None:
    await sign_in(credential, simulator, ("Files.Read.All", "Sites.Read.All"))
    findings = await examine(subject())
    verdicts = told(findings)
    assert (verdicts["scopes:copilot_chat"], verdicts["token"], worst(findings)) == ("warning", "ok", "warning")
    (consent,) = [finding for finding in findings if finding.topic == "consent"]
    assert consent.remedy.startswith(f"{CLOUD.authority}/{SETTINGS.tenant}/v2.0/adminconsent?")


async def test_signed_out_is_the_one_problem_and_nobody_is_asked_to_sign_in(subject: Any, simulator: Simulator) -> None:
    findings = await examine(subject())
    assert [finding.topic for finding in findings if finding.verdict is Verdict.PROBLEM] == ["account"]
    assert not [entry for entry in simulator.trace if "devicecode" in str(entry) or "token" in str(entry)]


async def test_a_tenant_that_is_not_known_is_told_without_a_sign_in(subject: Any) -> None:
    stranger = "99999999-0000-4000-8000-000000000001"
    settings = Settings(CLOUD.name, stranger, CLOUD.client_id)
    given = [GIVEN[0], Given("tenant", stranger, "flag"), GIVEN[2]]
    assert told(await examine(subject(settings=settings, given=given)))["tenant-known"] == "problem"


async def test_a_sign_in_that_is_refused_now_is_told_with_its_kind(
    subject: Any, credential: Credential, simulator: Simulator
) -> None:
    class Refusing:
        def __getattr__(self, name: str) -> Any:
            return getattr(credential, name)

        async def token(self, scopes: Sequence[str]) -> str:
            raise AuthenticationError("It was revoked.", "Sign in again.", kind="session_revoked")

    await sign_in(credential, simulator, sign_in_scopes())
    findings = await examine(subject(credential=Refusing()))
    (token,) = [finding for finding in findings if finding.topic == "token"]
    assert (token.verdict, token.what, token.facts["kind"]) == (Verdict.PROBLEM, "It was revoked.", "session_revoked")


async def test_a_cache_that_is_refused_is_told_once(subject: Any) -> None:
    def unsafe() -> Keeping:
        raise AuthenticationError("Others can read it.", "Run chmod 600 x.", kind="cache_unsafe")

    verdicts = told(await examine(subject(keeping=unsafe)))
    assert verdicts["cache"] == "problem"
    assert "account" not in verdicts


async def test_without_a_network_the_rest_is_told_and_no_token_is_asked_for(
    subject: Any, credential: Credential, simulator: Simulator
) -> None:
    await sign_in(credential, simulator, sign_in_scopes())
    error: CopilotMcpError = SettingsError("The proxy named in the environment cannot be used.", "Check HTTPS_PROXY.")
    findings = await examine(subject(way=error))
    verdicts = told(findings)
    assert (verdicts["proxy"], verdicts["account"], verdicts["clock"]) == ("problem", "ok", "note")
    assert {"token", "tenant-known", "host:graph.copilot-mcp.test"} & set(verdicts) == set()


async def test_no_app_registration_leaves_no_account_to_look_for(subject: Any) -> None:
    settings = Settings(CLOUD.name, CLOUD.tenant_id or "", None)
    given = [*GIVEN[:2], Given("client-id", "", "default")]
    verdicts = told(await examine(subject(settings=settings, given=given)))
    assert (verdicts["client-id"], verdicts["account"]) == ("problem", "problem")


async def test_a_token_from_outside_takes_the_place_of_the_sign_in(subject: Any) -> None:
    facts = TokenFacts(
        "https://graph.microsoft.com", 4e9, frozenset(sign_in_scopes()), False, False, "t", "a@b.example"
    )

    async def good() -> TokenFacts:
        return facts

    async def bad() -> TokenFacts:
        raise AuthenticationError("The file gives no token.", "Write one.", kind="outside_token_missing")

    verdicts = told(await examine(subject(outside=Outside("the file x", good))))
    assert (verdicts["outside-token"], verdicts["scopes:copilot_chat"]) == ("ok", "ok")
    assert {"account", "cache", "token", "client-id", "tenant"} & set(verdicts) == set()
    assert told(await examine(subject(outside=Outside("the file x", bad))))["outside-token"] == "problem"
