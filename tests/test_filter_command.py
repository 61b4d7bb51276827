"""`copilot-mcp filter`: what it prints, how it ends, and what it reads."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from copilot_mcp.cli import app
from copilot_mcp.cli._filter_input import MAX_BYTES
from copilot_mcp.kql.codes import code_table
from copilot_mcp.kql.diagnostics import CODES
from copilot_mcp.kql.properties import DATA_SOURCES

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
SCHEMA = [{"name": "priority", "type": "int64", "isQueryable": True, "aliases": ["prio"]}]
EXTERNAL = ("--data-source", "externalItem")

Run = Callable[..., Result]


def nested(levels: int) -> str:
    """Conditions in so many groups, one in the other."""
    one = '{"property": "Title", "operator": "contains", "values": ["x"]}'
    return '{"all": [' * levels + one + "]}" * levels


def condition(**changes: Any) -> str:
    """One condition as JSON, changed."""
    return json.dumps({"all": [{"property": "Title", "operator": "equals", "values": ["x"]} | changes]})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a `filter` command in a home of its own."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "LOCALAPPDATA", "PROGRAMDATA"):
        monkeypatch.setenv(name, str(tmp_path))

    def invoked(*arguments: str, text: str | bytes | None = None, color: bool = False) -> Result:
        return CliRunner().invoke(app, ["filter", *arguments], input=text, color=color, prog_name="copilot-mcp")

    return invoked


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.split("\n") if line]


def test_the_readme_shows_what_check_prints(run: Run) -> None:
    section = README.split("### Filters at the command line")[1]
    shown = section.split("```console\n")[1].split("```")[0]
    command, _, output = shown.partition("\n")
    expression = re.fullmatch(r"\$ copilot-mcp filter check '(.*)'", command)
    assert expression is not None
    result = run("check", expression[1])
    assert (result.exit_code, result.stdout) == (1, output)


def test_a_valid_filter_is_shown_in_the_form_to_send(run: Run) -> None:
    result = run("check", "filetype:docx")
    assert (result.exit_code, result.stdout) == (0, 'valid, send it in this form:\n  FileType:"docx"\n')
    result = run("check", 'FileType:"docx"')
    assert (result.exit_code, result.stdout) == (0, 'valid\n  FileType:"docx"\n')


def test_a_valid_filter_with_a_warning_ends_well(run: Run) -> None:
    result = run("check", "author:Megan filetype:docx")
    assert result.exit_code == 0
    assert "  warning IMPLICIT_AND: " in result.stdout
    assert '    Write: Author:"Megan" AND FileType:"docx"\n' in result.stdout


def test_each_line_of_a_file_is_a_filter(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "filters.txt"
    file.write_bytes("\ufeff# ours\n\nFileType:docx\r\n  \nTitle:日本語 foo\n".encode())
    expected = (
        'Line 3: valid, send it in this form:\n  FileType:"docx"\n'
        "Line 5: not valid: do not send it, it would be ignored.\n"
        "  error UNQUOTED_MULTIWORD: Only the first word belongs to Title; quote the whole value.\n"
        "    Title:日本語 foo\n"
        "    ^^^^^^^^^^^^^^^^\n"
        '    Write: Title:"日本語 foo"\n'
        "2 filters: 1 valid, 1 not valid.\n"
    )
    from_file = run("check", "--file", str(file))
    assert (from_file.exit_code, from_file.stdout) == (1, expected)
    for arguments in (["check"], ["check", "-"], ["check", "--file", "-"]):
        piped = run(*arguments, text=file.read_bytes())
        assert (piped.exit_code, piped.stdout) == (1, expected)


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_only_a_line_feed_ends_a_filter(run: Run, mark: str) -> None:
    result = run("check", "--json", text=f'Title:"a{mark}b"\r\nFileType:pdf\n'.encode())
    assert [(row["line"], row["expression"]) for row in rows(result)] == [
        (1, f'Title:"a{mark}b"'),
        (2, "FileType:pdf"),
    ]


def test_json_is_one_object_a_line(run: Run) -> None:
    result = run("check", "--json", text="FileType:docx\nAuthor eq 'M'\n")
    assert result.exit_code == 1
    good, bad = rows(result)
    assert good == {
        "line": 1,
        "expression": "FileType:docx",
        "dataSource": "sharePoint",
        "valid": True,
        "filterExpression": 'FileType:"docx"',
        "diagnostics": good["diagnostics"],
        "omitted": 0,
    }
    assert {one["severity"] for one in good["diagnostics"]} == {"information"}
    assert (bad["line"], bad["valid"], bad["filterExpression"]) == (2, False, None)
    assert bad["diagnostics"][0]["suggestion"] == 'Author:"M"'


def test_colours_come_only_where_they_are_asked_for(run: Run) -> None:
    assert "\x1b[31m" in run("check", "a", color=True).stdout
    assert "\x1b" not in run("check", "a").stdout


def test_what_a_terminal_would_act_on_is_shown_as_a_picture(run: Run) -> None:
    result = run("check", "Title:\x1b[31mred\x7f \u202eabc")
    assert "Title:␛[31mred␡ □abc" in result.stdout
    assert not set("\x1b\x7f\u202e") & set(result.stdout)


@pytest.mark.parametrize("space", ["\u3000", "\xa0", "\u2003", "\u202f", "\u1680"])
@pytest.mark.parametrize("command", ["check", "explain"])
def test_a_text_to_copy_keeps_its_spaces(run: Run, command: str, space: str) -> None:
    valid = run(command, f'title:"会議{space}資料"')
    assert valid.exit_code == 0
    assert valid.stdout.split("\n")[1] == f'  Title:"会議{space}資料"'
    wrong = run(command, f'Titel:"会議{space}資料"')
    assert f'    Titel:"会議{space}資料"\n' in wrong.stdout
    assert "□" not in valid.stdout + wrong.stdout


@pytest.mark.parametrize("mark", ["\u202e", "\u200b", "\ue000"])
def test_a_text_that_is_not_shown_as_it_is_is_not_to_be_copied(run: Run, mark: str) -> None:
    said = "  Not to be copied from here: □ and the like stand for characters that cannot be shown. Use --json.\n"
    for expression in (f'title:"a{mark}b"', f'Title eq "a{mark}b"'):
        result = run("check", expression)
        assert result.stdout.endswith(said)
        assert result.stdout.count(said) == 1
        assert mark not in result.stdout
        (row,) = rows(run("check", "--json", expression))
        assert mark in (row["filterExpression"] or row["diagnostics"][0]["suggestion"])


@pytest.mark.parametrize("escape", ["\x9b2J", "\u202eabc", "\u2028x"])
def test_an_explanation_is_shown_as_a_picture_too(run: Run, escape: str) -> None:
    explained = run("explain", f'Title:"a{escape}"')
    built = run("build", "--all", "Title", "contains", f"a{escape}")
    assert explained.exit_code == built.exit_code == 0, (explained.output, built.output)
    assert "Items where Title contains" in explained.stdout and "Items where Title contains" in built.stderr
    assert escape[0] not in explained.stdout + built.stderr


def test_a_long_filter_is_cut_around_the_finding(run: Run) -> None:
    result = run("check", " AND ".join(["FileType:pdf"] * 20) + " AND Auther:x")
    shown = result.stdout.splitlines()
    assert shown[2] == "    …ND FileType:pdf AND Auther:x"
    assert shown[3].strip() == "^^^^^^"
    assert shown[2].index("Auther") == shown[3].index("^")


def test_explain_says_what_a_filter_finds(run: Run) -> None:
    result = run("explain", "LastModifiedTime>=2025-01-01 title:x")
    assert result.exit_code == 0
    assert "Items where all of (LastModifiedTime is on or after 2025-01-01 (UTC); Title contains" in result.stdout
    assert "Today is " in result.stdout
    assert result.stdout.count("IMPLICIT_AND") == 1
    path = run("explain", 'Path:"https://contoso.sharepoint.com/sites/HR1"').stdout
    assert path.count("PATH_NO_TRAILING_SLASH") == 1
    (row,) = rows(run("explain", "--json", "title:x"))
    assert row["explanation"] == 'Items where Title contains the word "x". Data source: sharePoint.'
    (row,) = rows(run("explain", "--json", "title"))
    assert row["explanation"] is None


def test_findings_past_the_limit_are_counted(run: Run) -> None:
    result = run("check", " AND ".join(f"x{number}" for number in range(60)))
    assert "10 more findings are not listed." in result.stdout


def test_build_writes_the_filter_alone_to_standard_output(run: Run) -> None:
    result = run(
        *("build", "--all", "author", "contains", "Megan Bowen", "--any", "FileType", "equals", ".DOCX"),
        *("--any", "FileType", "equals", "pdf", "--none", "Title", "hasValue", ""),
        *("--all", "LastModifiedTime", "between", "2025-01-01..2025-03-31"),
    )
    assert result.exit_code == 0
    assert result.stdout == (
        'Author:"Megan Bowen" AND LastModifiedTime:2025-01-01..2025-03-31 AND '
        '(FileType="docx" OR FileType="pdf") AND NOT Title:*\n'
    )
    assert "Items where all of" in result.stderr
    assert "  repaired FileType: .DOCX became docx\n" in result.stderr


def test_a_condition_that_cannot_be_built_ends_with_status_1(run: Run) -> None:
    result = run("build", "--all", "Author", "atLeast", "M")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error OPERATOR_TYPE_MISMATCH: all[0] (Author atLeast)" in result.stderr


def test_conditions_come_from_a_file_and_nest(run: Run) -> None:
    data = {
        "any": [
            {"property": "Author", "operator": "equals", "values": ["Megan Bowen"]},
            {"all": [{"property": "FileType", "operator": "equals", "values": ["pdf", "docx"]}], "none": []},
        ]
    }
    result = run("build", "--conditions", "-", "--json", text=json.dumps(data))
    (row,) = rows(result)
    assert result.exit_code == 0
    assert row["filterExpression"] == 'Author="Megan Bowen" OR FileType="pdf" OR FileType="docx"'
    assert (row["valid"], row["repairs"], row["diagnostics"], row["omitted"]) == (True, [], [], 0)
    assert row["explanation"].startswith("Items where any of")
    (bad,) = rows(run("build", "--json", "--all", "Colour", "equals", "red"))
    assert (bad["valid"], bad["filterExpression"], bad["explanation"]) == (False, None, None)


def test_names_of_a_settings_file_work_in_conditions(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ours.toml"
    file.write_text('[names.sites]\nHR = "https://contoso.sharepoint.com/sites/HR/"\n', "utf-8")
    result = run("build", "--settings", str(file), "--all", "Path", "contains", "hr")
    assert (result.exit_code, result.stdout) == (0, 'Path:"https://contoso.sharepoint.com/sites/HR/"\n')
    assert "the name hr stands for" in result.stderr


@pytest.mark.parametrize("data", [SCHEMA, {"baseType": "microsoft.graph.externalItem", "properties": SCHEMA}])
def test_a_connector_schema_is_read_whole_or_as_a_list(run: Run, tmp_path: Path, data: Any) -> None:
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(data), "utf-8")
    result = run("check", "--data-source", "externalItem", "--connector-schema", str(file), "PRIO>=3")
    assert (result.exit_code, result.stdout) == (0, "valid, send it in this form:\n  priority>=3\n")


def test_a_property_can_be_let_through(run: Run) -> None:
    assert run("check", "Topic:x").exit_code == 1
    assert run("check", "--allow-property", "Topic", "Topic:x").exit_code == 0
    refused = run("check", "--allow-property", "Foo Bar", "Topic:x")
    assert refused.exit_code != 0
    assert "--allow-property (or COPILOT_MCP_ALLOW_PROPERTY): 'Foo Bar' is no property name" in refused.stderr


def test_codes_explains_every_code_or_one(run: Run) -> None:
    whole = run("codes")
    assert whole.exit_code == 0
    assert [line[4:] for line in whole.stdout.splitlines() if line.startswith("### ")] != []
    assert sorted(line[4:] for line in whole.stdout.splitlines() if line.startswith("### ")) == sorted(CODES)
    one = run("codes", "or_window")
    assert one.stdout.startswith("### OR_WINDOW\n")
    assert "- Severity: warning\n" in one.stdout
    assert "\x1b[1m### OR_WINDOW" in run("codes", "or_window", color=True).stdout


def test_codes_for_programs(run: Run) -> None:
    (one,) = rows(run("codes", "lowercase_operator", "--json"))
    assert one.pop("meaning") and one.pop("fix")
    assert one == {
        "code": "LOWERCASE_OPERATOR",
        "severity": "error",
        "example": one["example"],
        "dataSource": "sharePoint",
        "corrected": one["corrected"],
    }
    assert [row["code"] for row in rows(run("codes", "--json"))] == [row.code for row in code_table()]


@pytest.mark.parametrize("given", ["SHAREPOINT", "onedrivebusiness", "externalItem"])
def test_a_data_source_is_taken_in_any_case_and_shown_as_it_is_spelt(run: Run, given: str) -> None:
    (row,) = rows(run("check", "--json", "--data-source", given, "Title:x"))
    assert row["dataSource"].lower() == given.lower()
    assert row["dataSource"] in DATA_SOURCES
    wrong = run("check", "--data-source", "mail", "Title:x")
    assert "'mail' is not one of 'sharePoint', 'oneDriveBusiness', 'externalItem'," in wrong.stderr


WRONG_USAGE = (
    "An expression and --file exclude each other.",
    "--connector-schema does not go with --data-source sharePoint",
    "Standard input can be read only once.",
    "Give conditions with --all, --any, --none, or else a file",
    "There is no code NOPE. There are: ",
    "There is no code □. There are: ",
)


@pytest.mark.parametrize(
    ("arguments", "text", "sentence"),
    [
        (["check", "x", "--file", "-"], "", "An expression and --file exclude each other."),
        (["check"], "\n# only this\n", "There is no filter in the input."),
        (["check"], b"\xff", "Standard input is not UTF-8 (byte 0)."),
        (["check", "--file", "none.txt"], "", "The file none.txt cannot be read (No such file or directory)."),
        (["check"], b"#" * (MAX_BYTES + 1), "Standard input is larger than 16 MiB."),
        (
            ["check", "--connector-schema", "-", "x"],
            "[]",
            "--connector-schema does not go with --data-source sharePoint",
        ),
        *(
            ([*arguments, *EXTERNAL, "--connector-schema", "-"], "[]", "Standard input can be read only once.")
            for arguments in (["check"], ["explain", "-"], ["check", "--file", "-"], ["build", "--conditions", "-"])
        ),
        (["build"], "", "Give conditions with --all, --any, --none, or else a file"),
        (["build", "--conditions", "-"], "{", "Standard input is no JSON"),
        (["build", "--conditions", "-"], "[" * 100_000, "Standard input is no JSON"),
        (["build", "--conditions", "-"], "{}", "The conditions: a group has `all`, `any` or `none`."),
        (["build", "--conditions", "-"], '{"all": [{"any": 1}]}', "all[0].any is no list."),
        (["build", "--conditions", "-"], '{"all": [1]}', "all[0]: a condition has `property` and `operator`"),
        (
            ["build", "--conditions", "-"],
            '{"all": [{"property": "A", "operator": "equals", "values": [1]}]}',
            "all[0]: a condition has",
        ),
        (["build", "--conditions", "-"], nested(300), "The conditions: groups are nested more than 100 levels deep."),
        (["build", "--conditions", "-"], nested(101), "The conditions: groups are nested more than 100 levels deep."),
        (["build", "--conditions", "-"], nested(100), "groups are nested more than 33 levels deep."),
        (
            ["build", "--conditions", "-"],
            condition(property="\ud800"),
            "all[0]: a text is no Unicode text (character 1).",
        ),
        (
            ["build", "--conditions", "-"],
            condition(operator="e\ud800"),
            "all[0]: a text is no Unicode text (character 2).",
        ),
        (
            ["build", "--conditions", "-"],
            condition(values=["a", "\udfff"]),
            "all[0]: a text is no Unicode text (character 1).",
        ),
        (["build", "--all", "Title", "equals", "\udcff"], "", "A condition is no Unicode text (character 1)."),
        (["build", "--none", "Title\udcff", "equals", "x"], "", "A condition is no Unicode text (character 6)."),
        (["build", "--any", "Title", "\udcff", "x"], "", "A condition is no Unicode text (character 1)."),
        (["check", "Title:\udcff"], "", "The expression is no Unicode text (character 7)."),
        (["explain", "Title:\udcff"], "", "The expression is no Unicode text (character 7)."),
        (["check", "--file", "\udcff"], "", "The file \\udcff cannot be read (No such file or directory)."),
        (["codes", "NOPE"], "", "There is no code NOPE. There are: "),
        (["codes", "\udcff"], "", "There is no code □. There are: "),
    ],
)
def test_wrong_input_is_said(run: Run, arguments: list[str], text: str | bytes, sentence: str) -> None:
    usage: bool = sentence in WRONG_USAGE
    plain, as_json = run(*arguments, text=text), run(*arguments, "--json", text=text)
    assert (plain.exit_code, as_json.exit_code) == (2, 2) if usage else (1, 1)
    assert sentence in plain.stderr
    assert sentence in as_json.stdout.replace("\\\\", "\\")
    error = rows(as_json)[0].get("error")  # none where the conditions could be read, and findings say what is wrong
    if usage:
        assert (error["kind"], error["hint"]) == ("usage", f"Run `copilot-mcp filter {arguments[0]} --help`.")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("check", "Error: There is no filter to read. Give one as an argument"),
        ("explain --json", '{"error": {"kind": "usage", "message": "There is no filter to read. '),
        ("check -", "Error: Standard input is closed. Name a file"),
        ("check --json --file -", '{"error": {"kind": "settings", "message": "Standard input is closed."'),
        ("build --conditions -", "Error: Standard input is closed. Name a file"),
        (
            "explain --data-source externalItem --connector-schema - x:y",
            "Error: Standard input is closed. Name a file",
        ),
    ],
)
def test_closed_standard_input_is_nothing_given(arguments: str, sentence: str) -> None:
    # What Python makes of a shell's `<&-`.
    program = "import sys; sys.stdin = None; from copilot_mcp.cli import main; main()"
    command = [sys.executable, "-P", "-c", program, "filter", *arguments.split()]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    told, empty = (result.stdout, result.stderr) if "--json" in arguments else (result.stderr, result.stdout)
    assert (result.returncode, empty) == (2 if "There is no filter" in sentence else 1, "")
    assert sentence in told


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("1", "Standard input is no connector schema."),
        ('{"properties": 1}', "Standard input is no connector schema."),
        ("[1]", "Standard input is no connector schema."),
        ('[{"type": "string"}]', "Standard input: A schema property has a name. Correct it there."),
        ('[{"name": "x", "isQueryable": "false"}]', "Standard input: The schema property x: each member that begins"),
        ('[{"name": "x", "aliases": "yz"}]', "Standard input: The schema property x: `aliases` is a list of texts."),
        ('[{"name": "\\ud800"}]', "Standard input: a text of the schema is no Unicode text (character 1)."),
        ('[{"name": "x", "type": "\\ud800"}]', "Standard input: a text of the schema is no Unicode text"),
        ('[{"name": "x", "aliases": ["\\ud800"]}]', "Standard input: a text of the schema is no Unicode text"),
        ('[{"name": "x", "aliases": 5}]', "Standard input: The schema property x: `aliases` is a list of texts."),
    ],
)
def test_a_wrong_schema_is_said(run: Run, data: str, sentence: str) -> None:
    arguments = ("--data-source", "externalItem", "--connector-schema", "-", "x:y")
    for command in ("check", "explain"):
        plain, as_json = run(command, *arguments, text=data), run(command, *arguments, "--json", text=data)
        assert (plain.exit_code, plain.stdout, as_json.exit_code, as_json.stderr) == (1, "", 1, "")
        told = rows(as_json)[0]["error"]
        assert sentence in plain.stderr
        assert sentence in f"{told['message']} {told['hint']}"
