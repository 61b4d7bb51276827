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
from copilot_mcp.cli._doctor_report import lines, report
from copilot_mcp.cli._services import sign_in_scopes
from copilot_mcp.cli.doctor import files_read
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


WRONG = {
    "web": ("nevr", "'nevr' is not one of 'ask', 'never'.", "to ask or never, or leave it out."),
    "call-limit": ("5m", "'5m' is not a valid integer range.", "to a whole number from 1 to 300, or leave it out."),
    "transport": ("htp", "'htp' is not one of 'stdio', 'http', 'sse'.", "to stdio, http or sse, or leave it out."),
    "time-zone": (
        "Mars",
        "'Mars' is not an IANA time zone name; write one such as Europe/Berlin.",
        ", or leave it out.",
    ),
    "max-tokens": ("-1", "-1 is not in the range x>=0.", "to 0 or more, or leave it out."),
    "log-level": ("loud", "'loud' is not one of", "to debug, info, warning or error, or leave it out."),
    "cache": ("loud", "'loud' is not one of", "to auto, plain or memory, or leave it out."),
    "documents": ("no/such", "Directory 'no/such' does not exist.", ", or leave it out."),
    "profile": ("../x", "The profile name (--profile or COPILOT_MCP_PROFILE) is not usable.", "Use 1 to 32 "),
    "allow-property": ("a:b", "'a:b' is no property name", "Give the name as filters spell it."),
}


@pytest.mark.parametrize("variable", [False, True])
@pytest.mark.parametrize("name", WRONG)
def test_a_value_with_which_serve_does_not_start_is_a_problem(run: Run, name: str, variable: bool) -> None:
    value, what, remedy = WRONG[name]
    flag, named = f"--{name}", f"COPILOT_MCP_{name.upper().replace('-', '_')}"
    arguments, variables = ((), {named: value}) if variable else ((flag, value), {})
    served = CliRunner().invoke(app, ["serve", "--simulate", *arguments], env=variables)
    result = run("--simulate", "--json", *arguments, **variables)
    assert served.exit_code in (1, 2)
    assert (result.exit_code, result.stderr) == (1, "")
    (found,) = [each for each in findings(result).values() if each["verdict"] == "problem"]
    source = "environment" if variable else "flag"
    assert (found["topic"], found["facts"]) == (
        f"option:{name}",
        {"value": None, "source": source, "variable": named},
    )
    assert what in found["what"]
    assert (named if variable else flag) in found["what"]
    assert remedy in found["remedy"]


@pytest.mark.parametrize(
    ("topic", "variables"),
    [
        ("cloud", {"COPILOT_MCP_CLOUD": "moon"}),
        ("tenant", {"COPILOT_MCP_TENANT_ID": "SECRETMARK/x"}),
        ("tenant", {"COPILOT_MCP_TENANT_ID": "consumers"}),
        ("client-id", {"COPILOT_MCP_CLIENT_ID": "SECRETMARK"}),
    ],
)
@pytest.mark.parametrize("arguments", [("--simulate",), ()])
def test_a_wrong_account_option_is_a_problem_also_where_a_simulated_one_takes_its_place(
    run: Run, arguments: tuple[str, ...], topic: str, variables: dict[str, str]
) -> None:
    found = findings(run("--json", *arguments, **variables))[topic]
    assert (found["verdict"], found["facts"]["source"], found["facts"]["value"]) == ("problem", "environment", None)
    assert found["remedy"]


def test_a_switch_that_is_neither_on_nor_off_is_a_problem(run: Run) -> None:
    found = findings(run("--json", COPILOT_MCP_SIMULATE="maybe"))["option:simulate"]
    assert found["verdict"] == "problem"
    assert found["remedy"] == "Set --simulate (or COPILOT_MCP_SIMULATE) to true or false, or leave it out."


def test_every_option_of_serve_is_taken_and_shown(run: Run) -> None:
    given = {"web": "never", "call-limit": "100", "chat": "sync", "transport": "http", "time-zone": "Europe/Berlin"}
    given |= {"max-tokens": "100", "quota": "refuse", "port": "9999", "text": "full", "max-requests": "2"}
    result = run("--simulate", "--json", *(word for name, value in given.items() for word in (f"--{name}", value)))
    assert result.exit_code == 0, result.output
    shown = {topic.partition(":")[2]: each["facts"] for topic, each in findings(result).items() if "option:" in topic}
    del shown["simulate"]
    assert {name: (facts["value"], facts["source"]) for name, facts in shown.items()} == {
        name: (value, "flag") for name, value in given.items()
    }


@pytest.mark.parametrize(
    ("arguments", "topic", "sentence"),
    [
        (("--as", "megan"), "simulation", "--as (or COPILOT_MCP_AS) needs --simulate or --simulate-url."),
        (
            ("--simulate-url", "http://127.0.0.1:9", "--documents", "."),
            "simulation",
            "--documents (or COPILOT_MCP_DOCUMENTS) does not go with --simulate-url",
        ),
        (("--simulate", "--simulate-url", "http://127.0.0.1:9"), "simulation", "joins one that runs already."),
        (("--port", "1"), "transport-options", "--port would be ignored: the transport is stdio."),
        (("--token-file", "a", "--token-command", "b"), "token", "Tokens come from one place, and --token-file and"),
        (("--transport", "http", "--host", "0.0.0.0"), "host", "--host 0.0.0.0 is not a loopback address."),
    ],
)
def test_options_that_contradict_each_other_are_a_problem_and_not_the_end(
    run: Run, arguments: tuple[str, ...], topic: str, sentence: str
) -> None:
    found = findings(run("--json", *arguments))
    assert found[f"option:{topic}"]["verdict"] == "problem"
    assert sentence in found[f"option:{topic}"]["what"]
    assert found["python"]["verdict"] == "ok"


@pytest.mark.parametrize(
    ("variables", "user"), [({"AS": "megan"}, "megan"), ({"SIGNED_OUT": "1"}, None), ({"PORT": "9"}, "adele")]
)
def test_variables_say_who_signs_in_and_may_hold_a_port_for_another_server(
    run: Run, variables: dict[str, str], user: str | None
) -> None:
    result = run("--simulate", "--json", **{f"COPILOT_MCP_{name}": value for name, value in variables.items()})
    assert (result.exit_code, findings(result)["account"]["facts"]) == (0, {"user": user})


@pytest.mark.parametrize(("transport", "verdict"), [("stdio", "warning"), ("http", "problem")])
def test_a_short_secret_is_a_problem_where_the_http_server_is_to_start(run: Run, transport: str, verdict: str) -> None:
    found = findings(run("--json", "--transport", transport, COPILOT_MCP_SECRET="short"))["secret"]
    assert found["verdict"] == verdict


def test_tenant_common_is_warned_of_once(run: Run) -> None:
    result = run("--json", "--tenant", "common")
    assert (findings(result)["tenant"]["verdict"], result.stderr) == ("warning", "")


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
    assert result.stderr == ""  # no address that is dead when it is read
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
