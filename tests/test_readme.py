"""README, server.json, help texts and code say the same."""

import json
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
from click.testing import CliRunner

from copilot_mcp import __version__
from copilot_mcp.auth import CLOUDS
from copilot_mcp.cli import COMMANDS, app
from copilot_mcp.graph import CHAT_SCOPES, RETRIEVAL_SCOPES
from copilot_mcp.tools import TOOLS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SERVER: dict[str, Any] = json.loads((ROOT / "server.json").read_text("utf-8"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def commands() -> dict[str, click.Command]:
    """Every command by its words, those of groups too."""
    context = click.Context(app)
    found = {name: app.get_command(context, name) for name in COMMANDS}
    known = {name: command for name, command in found.items() if command is not None}
    groups = {name: group.commands for name, group in known.items() if isinstance(group, click.Group)}
    return known | {f"{group} {name}": each for group, inner in groups.items() for name, each in inner.items()}


def test_the_tool_table_lists_every_tool_in_order() -> None:
    assert [row[0].strip("`") for row in table("The tools")] == [tool.name for tool in TOOLS]


def test_the_command_table_lists_every_command_in_order() -> None:
    assert [row[0].strip("`") for row in table("Commands")] == list(COMMANDS)


def test_the_dependency_table_lists_every_dependency() -> None:
    declared = [re.split(r"[^A-Za-z0-9_.-]", line)[0] for line in PROJECT["dependencies"]]
    assert re.findall(r"`([\w-]+)`", " ".join(row[0] for row in table("Dependencies"))) == declared


def test_the_scopes_of_the_readme_are_those_of_the_code() -> None:
    section = README.split("## Use a real tenant")[1].split("3. **Licence**")[0]
    rows = [line for line in section.splitlines() if line.strip().startswith("|")][2:]
    listed = [set(re.findall(r"`(\w+(?:\.\w+)+)`", row)) for row in rows]
    expected = [set(CHAT_SCOPES), set(RETRIEVAL_SCOPES["sharePoint"]), set(RETRIEVAL_SCOPES["externalItem"])]
    assert listed == expected


def test_options_and_variables_that_the_readme_names_exist() -> None:
    options = {option for command in commands().values() for each in command.params for option in each.opts}
    variables = {str(each.envvar) for command in commands().values() for each in command.params if each.envvar}
    variables |= {"COPILOT_MCP_SECRET", "COPILOT_MCP_TOKEN"}  # never flags, which other users could read
    foreign = {"--help", "--version", "--matrix"}  # the last is pytest's, from our conftest
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) - foreign <= options
    assert set(re.findall(r"COPILOT_MCP_[A-Z_]+", README)) <= variables


def test_every_option_of_serve_has_a_variable_which_its_help_names() -> None:
    without = [each.name for each in commands()["serve"].params if not each.envvar]
    assert without == []
    hidden = [each for each in commands()["serve"].params if isinstance(each, click.Option) and not each.show_envvar]
    assert hidden == []


def test_the_readme_names_the_ids_that_the_simulated_tenant_knows() -> None:
    assert re.findall(r"`(0{8}-[0-9a-f-]{27})`", README) == [
        CLOUDS["simulated"].client_id,
        CLOUDS["simulated"].tenant_id,
    ]


def test_the_two_commands_stand_in_the_readme() -> None:
    blocks = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)
    assert blocks[0] == "pip install . && copilot-mcp demo"
    assert 'pip install ".[test]" && pytest' in blocks
    assert PROJECT["requires-python"] == ">=3.11"
    assert "Python 3.11 or newer" in README


def test_host_configurations_are_json_that_starts_serve() -> None:
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", README, re.DOTALL)]
    entries = [next(iter(next(iter(block.values())).values())) for block in blocks]
    assert [next(iter(block)) for block in blocks] == ["mcpServers", "servers"]
    for entry in entries:
        assert entry["command"] == "copilot-mcp"
        with app.make_context("copilot-mcp", list(entry["args"])) as context:
            command = app.get_command(context, entry["args"][0])
            assert command is not None
            command.make_context("serve", entry["args"][1:], parent=context).close()


def test_the_library_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)\n```", README, re.DOTALL)
    exec(block, {})
    assert capsys.readouterr().out.splitlines() == re.findall(r"\)  # (.*)", block)


def test_the_registry_mark_is_the_name_in_server_json() -> None:
    assert f"mcp-name: {SERVER['name']} " in README


def test_server_json_agrees_with_the_package() -> None:
    (package,) = SERVER["packages"]
    assert SERVER["version"] == package["version"] == PROJECT["version"] == __version__
    assert package["identifier"] == PROJECT["name"]
    assert 1 <= len(SERVER["description"]) <= 100
    serve = {str(each.envvar): each for each in commands()["serve"].params}
    variables = {each["name"]: each for each in package["environmentVariables"]}
    # The package is started over stdio by itself; the token is never a flag, which other users could read.
    elsewhere = {"COPILOT_MCP_TRANSPORT", "COPILOT_MCP_HOST", "COPILOT_MCP_PORT", "COPILOT_MCP_SIMULATE_URL", "None"}
    assert set(variables) == set(serve) - elsewhere | {"COPILOT_MCP_TOKEN"}
    assert variables.pop("COPILOT_MCP_TOKEN")["isSecret"]
    for name, variable in variables.items():
        option = serve[name]
        default = option.to_info_dict().get("default", None)
        assert variable.get("default", None) == (None if default is None else str(default).lower())
        assert variable.get("choices") == (list(option.type.choices) if isinstance(option.type, click.Choice) else None)


def test_server_json_holds_only_keys_of_the_registry() -> None:
    known = {"$schema", "name", "title", "description", "version", "packages"}
    package = {"registryType", "identifier", "version", "runtimeHint", "transport"}
    package |= {"packageArguments", "environmentVariables"}
    variable = {"name", "description", "isRequired", "isSecret", "default", "choices", "format"}
    assert set(SERVER) <= known
    assert [set(each) - package for each in SERVER["packages"]] == [set()]
    assert not any(set(each) - variable for each in SERVER["packages"][0]["environmentVariables"])
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", SERVER["name"])


def test_the_changelog_begins_with_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.findall(r"^## (\S+?),", changelog, re.MULTILINE)[0] == __version__


def test_help_texts_are_as_recorded(
    check_snapshot: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [name for name in os.environ if name.startswith("COPILOT_MCP_")]:
        monkeypatch.delenv(variable)
    texts = []
    for arguments in ([], *(name.split() for name in commands())):
        result = CliRunner().invoke(app, [*arguments, "--help"], prog_name="copilot-mcp", terminal_width=100)
        assert result.exit_code == 0
        texts.append(f"$ copilot-mcp {' '.join([*arguments, '--help'])}\n{result.output}")
    check_snapshot("help.txt", "\n".join(texts))


def test_clouds_of_the_option_are_those_of_the_table() -> None:
    (option,) = [each for each in commands()["serve"].params if each.name == "cloud"]
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == [name for name, cloud in CLOUDS.items() if not cloud.simulated]


def test_server_json_is_valid_against_the_registrys_schema() -> None:
    examples = os.environ.get("COPILOT_MCP_EXAMPLES")
    if not examples:
        pytest.skip("COPILOT_MCP_EXAMPLES does not name the documented examples; the schema lies beside them")
    schema = json.loads((Path(examples).parent / "server.schema.json").read_text("utf-8"))
    assert list(jsonschema.Draft7Validator(schema).iter_errors(SERVER)) == []
