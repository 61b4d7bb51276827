"""With `--json` whatever goes wrong is one object on standard output, with the exit status it has without."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from copilot_mcp.cli import app

CLIENT = "00001111-aaaa-2222-bbbb-3333cccc4444"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, arguments, prog_name="copilot-mcp")


COMMANDS = [("status",), ("doctor",), ("filter", "check", "a:b"), ("filter", "explain", "a:b"), ("filter", "build")]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_wrong_option_is_a_usage_error(run: Any, command: tuple[str, ...]) -> None:
    plain, result = run(*command, "--no-such"), run(*command, "--json", "--no-such")
    assert (plain.exit_code, plain.stdout, result.exit_code, result.stderr) == (2, "", 2, "")
    path = " ".join(["copilot-mcp", *(word for word in command if word != "a:b")])
    assert json.loads(result.stdout) == {
        "error": {"kind": "usage", "message": "No such option '--no-such'.", "hint": f"Run `{path} --help`."}
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("status", "--cloud", "nowhere"),
            "Invalid value for '--cloud' (env var: 'COPILOT_MCP_CLOUD'): 'nowhere' is not",
        ),
        (("status", "--cache", "loud"), "Invalid value for '--cache' (env var: 'COPILOT_MCP_CACHE'): 'loud' is not"),
        (("filter", "chekc"), "No such command 'chekc'."),
        (("statsu",), "No such command 'statsu'."),
        (("\udcff",), "No such command '"),
        (("status", "a word too many"), "Got unexpected extra argument (a word too many)"),
    ],
)
def test_wrong_value_or_command_is_a_usage_error(run: Any, arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments, "--json")
    told = json.loads(result.stdout)["error"]
    assert (result.exit_code, result.stderr, told["kind"]) == (2, "", "usage")
    assert told["message"].startswith(message)


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "--client-id", "not an id"),
        ("status", "--client-id", CLIENT, "--profile", "../x"),
        ("status", "--token-file", "token", "--token-command", "token"),
        ("filter", "build", "--conditions", "missing.json"),
        ("filter", "check", "--file", "missing.txt"),
    ],
    ids=" ".join,
)
def test_error_of_ours_is_told_with_kind_message_and_hint(run: Any, arguments: tuple[str, ...]) -> None:
    plain, result = run(*arguments), run(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (plain.exit_code, "")
    error = json.loads(result.stdout)["error"]
    assert sorted(error) == ["hint", "kind", "message"]
    assert f"{error['message']} {error['hint']}".strip() in " ".join(plain.stderr.split())


def test_status_keeps_its_facts_beside_the_error(run: Any) -> None:
    told = json.loads((result := run("status", "--json")).stdout)
    assert (result.exit_code, told["signedIn"], told["error"]["kind"]) == (1, False, "settings")


def test_word_after_the_end_of_the_options_asks_for_nothing(run: Any) -> None:
    result = run("status", "--", "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Got unexpected extra argument (--json)" in result.stderr
