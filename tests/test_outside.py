"""A token from outside, at the command line and in the server: said, checked at the start, used without a sign-in."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from mcp import Client

from copilot_mcp.auth import CLOUDS, Credential, MemoryCache, Origin, file_origin, open_http, variable_origin
from copilot_mcp.cli import app
from copilot_mcp.cli._outside import TOKEN_VARIABLE, check_at_start, chosen_origin
from copilot_mcp.cli._services import GraphServices
from copilot_mcp.errors import AuthenticationError, SettingsError, ThrottledError
from copilot_mcp.server import build_server
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import Simulator
from tests.auth.test_outside_token import NOW, token

QUESTION = {"queryString": "parental leave", "dataSource": "sharePoint"}
FRESH = 4_000_000_000


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    def invoked(*arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(app, arguments, env=variables, prog_name="copilot-mcp")

    return invoked


def test_status_says_audience_person_expiry_and_closed_tools(run: Any) -> None:
    result = run("status", COPILOT_MCP_TOKEN=token(exp=FRESH))
    assert result.exit_code == 0, result.output
    assert "comes from the environment variable COPILOT_MCP_TOKEN: for https://graph.microsoft.com, as" in result.stdout
    assert "until 2096-10-02 07:06 UTC" in result.stdout
    assert "It carries Files.Read.All, Mail.Read." in result.stdout
    assert "copilot_chat needs them" in result.stdout
    assert "SECRETMARK" not in result.output


def test_status_as_json(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(token(exp=FRESH))
    facts = json.loads(run("status", "--json", "--token-file", str(path)).stdout)
    assert facts["outsideToken"] == {
        "origin": f"the file {path}",
        "audience": "https://graph.microsoft.com",
        "expires": "2096-10-02T07:06:40+00:00",
    }
    assert (facts["signedIn"], facts["account"]["username"], facts["cache"]) == (True, "alice@contoso.example", None)
    assert facts["closedTools"] == ["copilot_chat", "copilot_retrieve"]


def test_status_as_json_of_a_token_that_cannot_serve_names_the_error(run: Any) -> None:
    result = run("status", "--json", COPILOT_MCP_TOKEN=token(exp=FRESH, idtyp="app"))
    facts = json.loads(result.stdout)
    assert (result.exit_code, facts["signedIn"]) == (1, False)
    assert "a token of an application without a person" in facts["error"]["message"]
    assert "SECRETMARK" not in result.output


def test_serve_refuses_at_once_a_token_that_can_never_serve(run: Any) -> None:
    result = run("serve", COPILOT_MCP_TOKEN=token(exp=FRESH, idtyp="app"))
    assert result.exit_code == 1
    assert "gives a token of an application without a person" in result.stderr
    assert "SECRETMARK" not in result.output


def test_token_that_has_expired_is_only_warned_of(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    check_at_start(variable_origin(TOKEN_VARIABLE, token(exp=NOW)), "global")
    check_at_start(file_origin(tmp_path / "none"), "global")
    err = capsys.readouterr().err
    assert "WARNING: The environment variable COPILOT_MCP_TOKEN gives a token that expired" in err
    assert "WARNING: The token cannot be read from the file" in err
    with pytest.raises(AuthenticationError, match="not for Microsoft Graph"):
        check_at_start(variable_origin(TOKEN_VARIABLE, token(exp=FRESH, aud="x")), "global")


def test_variable_is_taken_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, " abc ")
    origin = chosen_origin(None, None)
    assert origin is not None
    assert TOKEN_VARIABLE not in os.environ
    assert chosen_origin(None, None) is None


def test_two_places_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "abc")
    with pytest.raises(SettingsError, match="COPILOT_MCP_TOKEN and --token-file are set"):
        chosen_origin(None, Path("x"))


@pytest.mark.anyio
async def test_server_uses_the_token_of_a_command_and_asks_nobody(
    simulator: Simulator, settings: Settings, in_process: Any, era: Any, tmp_path: Path, capsys: Any
) -> None:
    cloud = CLOUDS["simulated"]
    async with open_http(httpx.ASGITransport(simulator.app)) as http:
        credential = Credential(cloud, cloud.tenant_id or "", cloud.client_id or "", MemoryCache(), http)
        attempt = await credential.start_sign_in(["Files.Read.All", "Sites.Read.All"])
        simulator.approve(attempt.user_code, "adele")
        await credential.finish_sign_in(attempt)
        secret = await credential.token(["Files.Read.All", "Sites.Read.All"])
    (tmp_path / "token").write_text(secret)
    origin = file_origin(tmp_path / "token")
    async with (
        GraphServices(settings, in_process(simulator, signs_in=False), origin=origin) as services,
        Client(build_server(services, settings, person=services.person), mode=era) as client,
    ):
        assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error
        chat: Any = await client.call_tool("copilot_chat", {"message": "Hello"})
        simulator.faults.add("unauthorized", operation="retrieval", times=2)
        refused: Any = await client.call_tool("copilot_retrieve", QUESTION)
        with pytest.raises(SettingsError, match="nobody can sign in here"):
            await services.sign_in()
    assert chat.meta["copilot-mcp/error"]["kind"] == "scopes_missing"
    assert "Closed until then: copilot_chat" in chat.content[0].text
    assert refused.meta["copilot-mcp/error"]["kind"] == "token_rejected"
    assert "is read again at the next call" in refused.content[0].text
    err = capsys.readouterr().err
    assert "as adele@contoso.example, until" in err
    assert "enter the code" not in err
    assert secret not in err


@pytest.mark.anyio
async def test_requests_with_a_token_from_outside_count_from_the_first_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    limited = Settings(max_requests_per_day=1)

    async def take(origin: Origin) -> str | None:
        """One request of a process that has just begun; the kind of its refusal."""
        async with GraphServices(limited, origin=origin) as services:
            try:
                await (await services.quota()).take(1, datetime(2026, 11, 26, tzinfo=UTC))
            except ThrottledError as error:
                return error.kind
        return None

    adele, megan = (variable_origin(TOKEN_VARIABLE, token(exp=FRESH, oid=person)) for person in ("adele", "megan"))
    assert [await take(adele), await take(adele), await take(megan)] == [None, "day_limit", None]
    with pytest.raises(AuthenticationError, match=TOKEN_VARIABLE):
        await take(variable_origin(TOKEN_VARIABLE, "no token"))
