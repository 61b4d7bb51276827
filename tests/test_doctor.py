"""`copilot-mcp doctor` in process: what a person and a program get, how it ends, and what it never shows."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import click
import pytest
from click.testing import CliRunner, Result

from copilot_mcp.auth import CLOUDS, Credential, LoopbackTransport, TokenCache, open_http
from copilot_mcp.cli import app
from copilot_mcp.cli._services import sign_in_scopes
from copilot_mcp.cli.doctor import files_read, lines, report
from copilot_mcp.doctor import Finding, Section, Verdict
from copilot_mcp.simulator import Simulator, Tenant
from tests.auth.test_outside_token import token

CLIENT = "00001111-aaaa-2222-bbbb-3333cccc4444"
FRESH = 4_000_000_000
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in a home of its own, without variables of ours, on a network that answers nothing."""
    for name in [name for name in os.environ if name.startswith(("COPILOT_MCP_", "SSL_CERT_", "DBUS_"))]:
        monkeypatch.delenv(name)
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://me:SECRETMARK@127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")

    def invoked(*arguments: str, **variables: str) -> Result:
        result = CliRunner().invoke(app, ["doctor", *arguments], env=variables, prog_name="copilot-mcp")
        assert "SECRETMARK" not in result.output
        assert "Traceback" not in result.output
        return result

    return invoked


@pytest.fixture
def tenant(company: Tenant) -> Iterator[Simulator]:
    """A tenant on a socket where Adele approves every sign-in at once."""
    with Simulator(company, auto_approve="adele") as simulator:
        simulator.start()
        yield simulator


def findings(result: Result) -> dict[str, Any]:
    return {finding["topic"]: finding for finding in json.loads(result.stdout)["findings"]}


def test_nothing_set_up_ends_with_1_and_says_what_to_do(run: Run) -> None:
    result = run()
    assert result.exit_code == 1
    headings = [line for line in result.stdout.splitlines() if line and not line.startswith(" ")]
    assert headings[:-1] == ["This machine", "Configuration", "Network", "Sign-in"]
    assert "the tools cannot work until that is put right." in headings[-1]
    assert "  problem  No app registration is set: --client-id (or COPILOT_MCP_CLIENT_ID) is missing." in result.stdout
    assert (
        "  problem  login.microsoftonline.com cannot be reached through the proxy http://127.0.0.1:9: " in result.stdout
    )
    assert "HTTPS_PROXY http://127.0.0.1:9" in result.stdout


def test_each_value_is_shown_with_its_source(run: Run, tmp_path: Path) -> None:
    settings = tmp_path / "names.toml"
    settings.write_text('[names.sites]\nHR = "https://contoso.sharepoint.com/sites/HR/"\n')
    result = run(
        "--json",
        "--tenant",
        "contoso.onmicrosoft.com",
        "--settings",
        str(settings),
        "--allow-property",
        "One",
        "--allow-property",
        "Two",
        COPILOT_MCP_CLIENT_ID=CLIENT,
        COPILOT_MCP_CACHE="memory",
        COPILOT_MCP_CHAT="sync",
        COPILOT_MCP_CLIENTID="SECRETMARK",
        COPILOT_MCP_SECRET="SECRETMARK" * 4,
    )
    found = findings(result)
    sources = {topic: each["facts"] for topic, each in found.items() if "source" in each["facts"]}
    assert sources == {
        "cloud": {"value": "global", "source": "default", "variable": "COPILOT_MCP_CLOUD"},
        "tenant": {"value": "contoso.onmicrosoft.com", "source": "flag", "variable": "COPILOT_MCP_TENANT_ID"},
        "client-id": {"value": CLIENT, "source": "environment", "variable": "COPILOT_MCP_CLIENT_ID"},
        "option:cache": {"value": "memory", "source": "environment", "variable": "COPILOT_MCP_CACHE"},
        "option:chat": {"value": "sync", "source": "environment", "variable": "COPILOT_MCP_CHAT"},
        "option:settings": {"value": str(settings), "source": "flag", "variable": "COPILOT_MCP_SETTINGS"},
        "option:allow-property": {"value": "One, Two", "source": "flag", "variable": "COPILOT_MCP_ALLOW_PROPERTY"},
    }
    assert found["defaults"]["facts"]["port"] == "8765"
    assert found[f"settings-file:{settings}"]["facts"] == {"path": str(settings), "names": 1}
    assert found["variable:COPILOT_MCP_CLIENTID"]["remedy"] == "Did you mean COPILOT_MCP_CLIENT_ID?"
    assert found["secret"]["verdict"] == "ok"
    assert "COPILOT_MCP_CHAT" in found["host-environment"]["facts"]["variables"]
    assert (found["cache"]["verdict"], found["account"]["verdict"]) == ("note", "note")


def test_a_settings_file_that_cannot_be_read_is_a_problem(run: Run, tmp_path: Path) -> None:
    settings = tmp_path / "names.toml"
    settings.write_text("[names")
    found = findings(run("--json", "--settings", str(settings)))[f"settings-file:{settings}"]
    assert (found["verdict"], found["remedy"]) == ("problem", "Correct it there.")


def test_settings_files_in_the_usual_places_are_looked_for_but_not_for_a_simulated_tenant(run: Run) -> None:
    assert {each.names for each in files_read(None, simulated=False)} == {None}
    assert files_read(None, simulated=True) == []


def test_a_kept_sign_in_is_shown_with_its_permissions(run: Run, tenant: Simulator) -> None:
    cache, cloud = TokenCache.of("default", "global", "organizations", CLIENT, plain=True), CLOUDS["simulated"]

    async def sign_in() -> None:
        async with open_http(LoopbackTransport(tenant.url)) as http:
            credential = Credential(cloud, cloud.tenant_id or "", cloud.client_id or "", cache, http)
            await credential.finish_sign_in(await credential.start_sign_in(sign_in_scopes()))

    anyio.run(sign_in)
    found = findings(run("--json", COPILOT_MCP_CLIENT_ID=CLIENT, COPILOT_MCP_CACHE="plain"))
    assert found["account"]["facts"]["username"] == "adele@contoso.example"
    assert (found["cache"]["verdict"], found["cache"]["facts"]["path"]) == ("warning", str(cache.path))
    assert found["scopes:copilot_chat"]["verdict"] == "ok"
    assert "token" not in found  # the network does not answer


def test_a_token_from_outside_is_never_shown(run: Run, tmp_path: Path) -> None:
    result = run("--json", COPILOT_MCP_TOKEN=token(exp=FRESH))
    found = findings(result)
    assert found["option:token"]["facts"]["value"] == "set, and not shown"
    assert found["outside-token"]["facts"]["origin"] == "the environment variable COPILOT_MCP_TOKEN"
    assert found["scopes:copilot_chat"]["verdict"] == "problem"
    file = tmp_path / "token"
    file.write_text(token(exp=FRESH))
    found = findings(run("--json", "--token-file", str(file)))
    assert found["option:token-file"]["facts"]["source"] == "flag"


def test_the_arguments_of_a_token_command_are_not_shown(run: Run) -> None:
    found = findings(run("--json", COPILOT_MCP_TOKEN_COMMAND="false --password=SECRETMARK"))
    assert found["option:token-command"]["facts"]["value"] == "the command false"
    assert found["outside-token"]["facts"]["kind"] == "outside_token_missing"


def test_a_proxy_that_cannot_be_used_is_a_problem_and_not_the_end(run: Run) -> None:
    found = findings(run("--json", HTTPS_PROXY="nonsense://SECRETMARK", https_proxy="nonsense://SECRETMARK"))
    assert found["proxy"]["verdict"] == "problem"
    assert found["cache"]["section"] == "sign-in"


def test_the_simulated_tenant_is_shown_without_a_sign_in(run: Run, tmp_path: Path) -> None:
    result = run("--simulate")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("simulated tenant: not Microsoft 365.\n")
    assert "simulate = yes (from --simulate)." in result.stdout
    assert "graph.copilot-mcp.test answers in " in result.stdout
    assert "signs adele in by itself" in result.stdout
    assert result.stdout.endswith("Nothing was found that prevents the tools from working.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_running_simulated_tenant_is_joined(run: Run, tenant: Simulator) -> None:
    result = run("--json", "--simulate-url", f"{tenant.url}#SECRETMARK", "--signed-out")
    assert result.exit_code == 0, result.output
    found = findings(result)
    assert json.loads(result.stdout)["simulated"] is True
    assert found["option:simulate-url"]["facts"]["value"] == tenant.url
    assert (found["clock"]["verdict"], found["tenant-known"]["verdict"]) == ("ok", "ok")
    assert found["account"]["facts"] == {"user": None}
    assert not [entry for entry in tenant.trace if "token" in str(entry)]


def test_a_simulated_tenant_that_is_not_there_is_a_problem(run: Run) -> None:
    result = run("--json", "--simulate-url", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "does not answer as a simulated tenant" in findings(result)["simulated-tenant"]["what"]


FOUND = [
    Finding(Section.MACHINE, "python", Verdict.OK, "Python is here and has a sentence that needs more than one line."),
    Finding(Section.NETWORK, "proxy", Verdict.WARNING, "Odd.", "Do this, and then do that, until it is all right."),
]


def test_lines_fit_the_terminal() -> None:
    assert [click.unstyle(line) for line in lines(FOUND, simulated=False, width=50)] == [
        "This machine",
        "  ok       Python is here and has a sentence",
        "           that needs more than one line.",
        "\nNetwork",
        "  warning  Odd.",
        "           > Do this, and then do that, until it",
        "             is all right.",
        "\nNo problem, 1 warning: nothing was found that prevents the tools from working.",
    ]


def test_a_program_gets_stable_members() -> None:
    noon = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    whole = json.loads(json.dumps(report(FOUND[1:], simulated=False, now=noon)))
    del whole["version"]
    assert whole == {
        "time": "2026-03-02T12:00:00+00:00",
        "simulated": False,
        "verdict": "warning",
        "findings": [
            {
                "section": "network",
                "topic": "proxy",
                "verdict": "warning",
                "what": "Odd.",
                "remedy": "Do this, and then do that, until it is all right.",
                "facts": {},
            }
        ],
    }
