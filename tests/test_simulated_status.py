"""`copilot-mcp status` of a simulated tenant: what a server would use there, and that it is not Microsoft 365."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from copilot_mcp.cli import app
from copilot_mcp.cli._services import sign_in_scopes
from copilot_mcp.simulator import Simulator, Tenant

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in a home of its own, without variables of ours, on a network that answers nothing."""
    for name in [name for name in os.environ if name.startswith("COPILOT_MCP_")]:
        monkeypatch.delenv(name)
    for name in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    def invoked(*arguments: str, **variables: str) -> Result:
        result = CliRunner().invoke(app, ["status", *arguments], env=variables, prog_name="copilot-mcp")
        assert list(tmp_path.iterdir()) == []
        return result

    return invoked


@pytest.fixture
def tenant(company: Tenant) -> Iterator[Simulator]:
    with Simulator(company, key="the-key") as simulator:
        simulator.start()
        yield simulator


def test_a_simulated_tenant_cannot_be_mistaken_and_signs_somebody_in(run: Run) -> None:
    result = run("--simulate")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "simulated tenant: not Microsoft 365.",
        "Tenant 00000000-0000-4000-8000-000000000001, client 00000000-0000-4000-8000-00000000c0de.",
        "The simulated tenant signs adele@contoso.example in by itself when a tool is first called, with every "
        "permission. Nothing of a simulated sign-in is kept.",
    ]


def test_facts_are_those_that_a_server_would_have(run: Run) -> None:
    result = run("--simulate", "--json", COPILOT_MCP_AS="megan")
    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert told["account"] == {"username": "megan@contoso.example", "name": "Megan Bowen", "tenantId": told["tenant"]}
    assert (told["simulated"], told["signedIn"], told["granted"]) == (True, True, list(sign_in_scopes()))
    assert (told["missing"], told["closedTools"], told["closedUses"]) == ([], [], [])


def test_signed_out_means_that_nobody_is_signed_in_and_ends_with_1(run: Run) -> None:
    plain, facts = run("--simulate", "--signed-out"), run("--simulate", "--signed-out", "--json")
    assert (plain.exit_code, facts.exit_code) == (1, 1)
    assert "Nobody signs in by itself (--signed-out): the first tool that is called says how to." in plain.stdout
    told = json.loads(facts.stdout)
    assert (told["signedIn"], told["account"], told["closedTools"]) == (
        False,
        None,
        ["copilot_chat", "copilot_retrieve"],
    )


@pytest.mark.parametrize("variable", [False, True])
def test_a_joined_tenant_is_asked_and_nobody_signs_in_to_it(run: Run, tenant: Simulator, variable: bool) -> None:
    url = f"{tenant.url}#the-key"
    result = run(COPILOT_MCP_SIMULATE_URL=url) if variable else run("--simulate-url", url)
    assert result.exit_code == 0, result.output
    assert "signs adele@contoso.example in by itself" in result.stdout
    assert not [entry for entry in tenant.trace if "token" in str(entry)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--simulate-url", "http://127.0.0.1:9"), "does not answer as a simulated tenant"),
        (("--simulate-url", "http://contoso.example"), "cannot be joined"),
        (("--simulate", "--as", "nobody"), "Known are adele, megan"),
        (("--as", "megan"), "needs --simulate or --simulate-url."),
        (("--simulate", "--simulate-url", "http://127.0.0.1:9"), "Leave one of the two out."),
    ],
)
def test_what_cannot_be_told_ends_with_1_and_a_sentence(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    plain, facts = run(*arguments), run(*arguments, "--json")
    assert (plain.exit_code, plain.stdout, facts.exit_code) == (1, "", 1)
    assert sentence in " ".join(plain.stderr.split())
    told = json.loads(facts.stdout)
    assert (told["signedIn"], told["error"]["kind"]) == (False, "settings")
