"""Every value with its source, and what is wrong with it."""

import pytest

from copilot_mcp.doctor import FileRead, Given, Verdict
from copilot_mcp.doctor.configuration import (
    client_finding,
    cloud_finding,
    given_findings,
    host_environment_findings,
    secret_findings,
    settings_file_findings,
    tenant_finding,
    unknown_variable_findings,
    value_findings,
)
from copilot_mcp.errors import SettingsError

CLIENT = "00001111-aaaa-2222-bbbb-3333cccc4444"


def client(value: str, source: str = "environment") -> Given:
    return Given("client-id", value, source, "COPILOT_MCP_CLIENT_ID")  # type: ignore[arg-type]  # parametrized


def tenant(value: str) -> Given:
    return Given("tenant", value, "flag", "COPILOT_MCP_TENANT_ID")


def test_an_app_registration_is_shown_with_its_source() -> None:
    found = client_finding(client(CLIENT))
    assert (found.verdict, found.what) == (
        Verdict.OK,
        f"App registration {CLIENT} (from the environment, COPILOT_MCP_CLIENT_ID).",
    )
    assert found.facts == {"value": CLIENT, "source": "environment", "variable": "COPILOT_MCP_CLIENT_ID"}


def test_no_app_registration_is_a_problem() -> None:
    missing = client_finding(client("", "default"))
    assert missing.verdict is Verdict.PROBLEM
    assert "--client-id (or COPILOT_MCP_CLIENT_ID) is missing" in missing.what
    assert "`copilot-mcp serve --simulate`" in missing.remedy


def test_a_value_that_was_refused_is_a_problem_and_not_shown() -> None:
    wrong = Given("client-id", "", "environment", "COPILOT_MCP_CLIENT_ID", "It has no such form.", "Copy the id.")
    given = [Given("cloud", "global", "default"), tenant("contoso.onmicrosoft.com"), wrong]
    for outside in (True, False):
        found = value_findings(given, outside=outside)[-1]
        assert (found.topic, found.verdict, found.remedy) == ("client-id", Verdict.PROBLEM, "Copy the id.")
        assert found.what == "client-id (from the environment, COPILOT_MCP_CLIENT_ID): It has no such form."
        assert found.facts == {"value": None, "source": "environment", "variable": "COPILOT_MCP_CLIENT_ID"}
    (both,) = given_findings([Given("token", "", "together", "", "Two are set.", "Leave one.")])
    assert (both.topic, both.verdict, both.what) == ("option:token", Verdict.PROBLEM, "Two are set.")


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("contoso.onmicrosoft.com", Verdict.OK),
        (CLIENT, Verdict.OK),
        ("organizations", Verdict.NOTE),
        ("common", Verdict.WARNING),
    ],
)
def test_a_tenant_is_judged_by_its_form(value: str, verdict: Verdict) -> None:
    found = tenant_finding(tenant(value))
    assert found.verdict is verdict
    assert bool(found.remedy) is (verdict is not Verdict.OK)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [("global", Verdict.OK), ("usgov-l4", Verdict.WARNING), ("usgov-l5", Verdict.WARNING), ("china", Verdict.PROBLEM)],
)
def test_a_cloud_is_judged_by_what_it_offers(name: str, verdict: Verdict) -> None:
    assert cloud_finding(Given("cloud", name, "default")).verdict is verdict


def test_with_a_token_from_outside_tenant_and_app_are_somebody_elses_matter() -> None:
    given = [Given("cloud", "global", "default"), tenant("contoso.onmicrosoft.com"), client("")]
    assert [each.topic for each in value_findings(given, outside=True)] == ["cloud"]
    assert [each.topic for each in value_findings(given, outside=False)] == ["cloud", "tenant", "client-id"]


def test_each_chosen_value_has_a_line_and_defaults_share_one() -> None:
    given = [
        Given("cloud", "global", "flag"),
        Given("cache", "plain", "environment", "COPILOT_MCP_CACHE"),
        Given("profile", "work", "flag"),
        Given("chat", "stream", "default"),
        Given("port", "8765", "default"),
        Given("time-zone", "", "default"),
    ]
    assert [each.what for each in given_findings(given)] == [
        "cache = plain (from the environment, COPILOT_MCP_CACHE).",
        "profile = work (from --profile).",
        "By default: chat stream, port 8765.",
    ]
    assert (
        given_findings([Given("simulate", "yes", "simulated")])[0].what == "simulate = yes (of the simulated tenant)."
    )


def test_settings_files_are_named_counted_and_judged() -> None:
    wrong = SettingsError("The settings file x is no TOML.", "Correct it there.")
    found = settings_file_findings([FileRead("/a", 1), FileRead("/b", None), FileRead("/c", None, wrong)])
    assert [(each.verdict, each.what, each.remedy) for each in found] == [
        (Verdict.OK, "Settings file /a: 1 name.", ""),
        (Verdict.PROBLEM, "The settings file x is no TOML.", "Correct it there."),
    ]
    (none,) = settings_file_findings([FileRead("/a", None), FileRead("/b", None)])
    assert none.what == "No settings file (looked for /a and /b); none is needed."
    assert settings_file_findings([]) == []


def test_a_misspelt_variable_is_named_with_the_one_that_was_meant_and_never_its_value() -> None:
    known = ["COPILOT_MCP_CLIENT_ID", "COPILOT_MCP_CLOUD"]
    found = unknown_variable_findings(
        ["COPILOT_MCP_CLIENTID", "COPILOT_MCP_CLOUD", "COPILOT_MCP_ZZZZZZ", "HOME"], known
    )
    assert [(each.verdict, each.what, each.remedy) for each in found] == [
        (
            Verdict.WARNING,
            "COPILOT_MCP_CLIENTID is set, and no setting has that name.",
            "Did you mean COPILOT_MCP_CLIENT_ID?",
        ),
        (
            Verdict.WARNING,
            "COPILOT_MCP_ZZZZZZ is set, and no setting has that name.",
            "Remove it; `copilot-mcp serve --help` names those there are.",
        ),
    ]


def test_what_only_this_shell_knows_is_told_once() -> None:
    (found,) = host_environment_findings([client(CLIENT), tenant("x")], ["https_proxy", "HOME", "SSL_CERT_FILE"])
    assert found.verdict is Verdict.NOTE
    assert found.facts == {"variables": ["COPILOT_MCP_CLIENT_ID", "SSL_CERT_FILE", "https_proxy"]}
    assert host_environment_findings([tenant("x")], ["HOME"]) == []


def test_only_the_length_of_a_start_up_secret_is_looked_at() -> None:
    assert secret_findings(None, 32) == []
    (long,), (short,) = secret_findings("SECRETMARK" * 4, 32), secret_findings("SECRETMARK", 32)
    assert (long.verdict, short.verdict) == (Verdict.OK, Verdict.WARNING)
    assert "SECRETMARK" not in repr((long, short))
