"""build_filter, end to end in memory: typed conditions, raw expressions, and what it refuses."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from copilot_mcp.tools.filter import BuildFilterResult, FilterDiagnostic, render

pytestmark = pytest.mark.anyio

FOUNDING = [f"ex{number:03}" for number in range(4, 17) if number != 6]  # the sixth has no filter


async def build(client: Client, **arguments: Any) -> tuple[str, dict[str, Any]]:
    result = await client.call_tool("build_filter", {"dataSource": "sharePoint", **arguments})
    text = result.content[0].text
    assert not result.is_error, text
    return text, dict(result.structured_content or {})


def condition(name: str, operator: str, *values: str) -> dict[str, Any]:
    return {"property": name, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("given", "expression"),
    [
        (condition("Author", "contains", "Megan Bowen"), 'Author:"Megan Bowen"'),
        (condition("author", "equals", "Megan Bowen"), 'Author="Megan Bowen"'),
        (condition("FileExtension", "contains", ".DOCX"), 'FileExtension:"docx"'),
        (condition("Filename", "startsWith", "Plan"), None),
        (condition("FileType", "contains", "pdf", "docx"), 'FileType:"pdf" OR FileType:"docx"'),
        (condition("FileType", "notEquals", "pdf", "docx"), 'FileType<>"pdf" AND FileType<>"docx"'),
        (
            condition("InformationProtectionLabelId", "equals", "{f0ddcc93-d3c0-4993-b5cc-76b0a283e252}"),
            'InformationProtectionLabelId="f0ddcc93-d3c0-4993-b5cc-76b0a283e252"',
        ),
        (condition("LastModifiedTime", "atLeast", "2024-07-22"), "LastModifiedTime>=2024-07-22"),
        (condition("LastModifiedTime", "atMost", "2024-07-22"), "LastModifiedTime<=2024-07-22"),
        (condition("LastModifiedTime", "lessThan", "2024-07-22"), "LastModifiedTime<2024-07-22"),
        (condition("LastModifiedTime", "greaterThan", "2024-07-22"), "LastModifiedTime>2024-07-22"),
        (
            condition("LastModifiedTime", "between", "2024-07-22", "2025-01-08"),
            "LastModifiedTime:2024-07-22..2025-01-08",
        ),
        (condition("ModifiedBy", "contains", "Adele Vance"), 'ModifiedBy:"Adele Vance"'),
        (
            condition("Path", "startsWith", "https://contoso.sharepoint.com/sites/HR1"),
            'Path:"https://contoso.sharepoint.com/sites/HR1/"',
        ),
        (
            condition("SiteID", "equals", "e2cf7e40-d689-41de-99ee-a423811a253c"),
            'SiteID="e2cf7e40-d689-41de-99ee-a423811a253c"',
        ),
        (condition("Title", "hasValue"), "Title:*"),
    ],
)
async def test_each_property_and_operator_becomes_kql(
    client: Client, given: dict[str, Any], expression: str | None
) -> None:
    text, result = await build(client, all=[given])
    assert result["valid"] is True
    if expression is not None:
        assert result["filterExpression"] == expression
    assert result["filterExpression"] in text
    assert result["explanation"] in text
    assert result["tenant"] == "simulated tenant"


async def test_an_error_of_a_condition_points_into_no_text(client: Client) -> None:
    text, result = await build(client, all=[condition("LastModifiedTime", "between", "2025-01-02", "2025-01-01")])
    assert (result["valid"], result["filterExpression"]) == (False, None)
    message = "all[0] (LastModifiedTime between): the range ends before it begins; swap the two values."
    assert f"- error RANGE_REVERSED: {message}" in text


async def test_all_any_and_none_are_joined(client: Client) -> None:
    _, result = await build(
        client,
        all=[condition("LastModifiedTime", "atLeast", "2024-01-01")],
        any=[condition("FileType", "contains", "pdf"), condition("FileType", "contains", "docx")],
        none=[condition("Author", "contains", "Megan Bowen")],
    )
    assert result["filterExpression"] == (
        'LastModifiedTime>=2024-01-01 AND (FileType:"pdf" OR FileType:"docx") AND NOT Author:"Megan Bowen"'
    )


async def test_connector_properties_are_taken_as_they_are(client: Client) -> None:
    _, result = await build(
        client, dataSource="externalItem", all=[condition("Label_Title", "contains", "Corporate VPN")]
    )
    assert result["filterExpression"] == 'Label_Title:"Corporate VPN"'
    assert [found["code"] for found in result["diagnostics"]] == ["PROPERTY_UNVERIFIED"]


async def test_repairs_are_listed(client: Client) -> None:
    text, result = await build(client, all=[condition("FileExtension", "contains", ".DOCX")])
    assert len(result["repairs"]) >= 1
    assert result["repairs"][0] in text


async def test_the_spacing_trap_is_closed(client: Client) -> None:
    raw = "LastModifiedTime >= 2024-07-22 AND LastModifiedTime <= 2025-01-08"
    _, result = await build(client, expression=raw)
    assert result["valid"] is True
    assert result["filterExpression"] == "LastModifiedTime>=2024-07-22 AND LastModifiedTime<=2025-01-08"
    assert result["repairs"]


async def test_an_invalid_expression_is_an_ordinary_result(client: Client) -> None:
    text, result = await build(client, expression="Author eq 'Megan Bowen'")
    assert result["valid"] is False
    assert result["filterExpression"] is None
    (first, *_) = result["diagnostics"]
    assert set(first) >= {"code", "severity", "message", "start", "end"}
    assert first["code"] in text
    assert any(found.get("suggestion") == 'Author:"Megan Bowen"' for found in result["diagnostics"])
    assert 'Author:"Megan Bowen"' in text


async def test_a_relative_date_is_answered_with_an_absolute_one(client: Client) -> None:
    _, result = await build(client, expression='LastModifiedTime>="last 7 days"')
    assert result["valid"] is False
    suggestion = result["diagnostics"][0]["suggestion"]
    assert suggestion.startswith("LastModifiedTime>=20")
    _, repaired = await build(client, expression=suggestion)
    assert repaired["valid"] is True


async def test_a_wrong_condition_is_an_ordinary_result_too(client: Client) -> None:
    _, result = await build(client, all=[condition("LastModifiedTime", "atLeast", "last tuesday")])
    assert result["valid"] is False
    assert result["diagnostics"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "There is nothing to build or check."),
        ({"all": [], "any": []}, "There is nothing to build or check."),
        ({"all": [condition("Title", "hasValue")], "expression": "Title:*"}, "exclude each other"),
        ({"all": [condition("Title", "like", "x")]}, '`all[0].operator` is "like"; it must be one of'),
        ({"all": [{"property": "Title", "operator": "contains", "value": "x"}]}, "did you mean `all[0].values`?"),
    ],
)
async def test_bad_arguments_are_refused(client: Client, arguments: dict[str, Any], sentence: str) -> None:
    result = await client.call_tool("build_filter", {"dataSource": "sharePoint", **arguments})
    assert result.is_error
    assert sentence in result.content[0].text


def authors(count: int, name: str = "Person") -> list[dict[str, Any]]:
    return [condition("Author", "equals", *(f"{name} {number}" for number in range(count)))]


async def refusal_of_retrieval(client: Client, expression: str) -> str:
    asked = {"queryString": "What is new?", "dataSource": "sharePoint", "filterExpression": expression}
    result = await client.call_tool("copilot_retrieve", asked)
    return result.content[0].text if result.is_error else ""


async def test_what_retrieval_refuses_as_too_long_is_not_offered(client: Client) -> None:
    for count in (100, 175, 176, 177, 178, 179, 180, 200):
        joined = " OR ".join(f'Author="Person {number}"' for number in range(count))
        for given in ({"all": authors(count)}, {"expression": joined}):
            text, result = await build(client, **given)
            refused = await refusal_of_retrieval(client, joined)
            assert result["valid"] is (not refused)
            assert result["filterExpression"] == (None if refused else joined)
            if refused:
                assert "FILTER_TOO_LONG" in refused
                message = f"The filter has {len(joined):,} characters; at most 4,096 are sent."
                assert result["diagnostics"] == [
                    {"code": "FILTER_TOO_LONG", "severity": "error", "message": message, "start": 0, "end": 0}
                ]
                assert text.startswith(
                    "Not valid.\nToo long to be sent: search several times, with a part of the values each.\n"
                    f"- error FILTER_TOO_LONG: {message}"
                )


async def test_a_text_whose_canonical_form_is_short_enough_is_offered(client: Client) -> None:
    _, result = await build(client, expression='Title="VPN"' + " " * 5000)
    assert (result["valid"], result["filterExpression"], result["diagnostics"]) == (True, 'Title="VPN"', [])
    assert await refusal_of_retrieval(client, result["filterExpression"]) == ""


def half_sizes(text: str, result: dict[str, Any]) -> list[int]:
    return [-(-len(half.encode()) // 3) for half in (text, json.dumps(result, ensure_ascii=False))]


@pytest.mark.parametrize(
    "given",
    [
        {"all": authors(3000)},
        {"all": [condition("LastModifiedTime", "atLeast", f"day {number}") for number in range(2000)]},
        {"all": [condition("x" * 50_000, "equals", "y")]},
        {"all": [condition("Path", "startsWith", f"https://contoso.sharepoint.com/sites/HR{i}") for i in range(999)]},
        {"all": authors(90, "项目项目项目项目项目项目项目项目")},
        {"expression": " AND ".join(f"Colour{number}:red" for number in range(190))},
    ],
)
async def test_a_result_stays_under_the_budget_and_counts_what_is_missing(connect: Any, given: dict[str, Any]) -> None:
    client = await connect(max_tokens=1500)
    text, result = await build(client, **given)
    _, whole = await build(await connect(max_tokens=0), **given)
    assert (result["valid"], result["filterExpression"]) == (whole["valid"], whole["filterExpression"])
    kept = max(half_sizes("", {"filterExpression": result["filterExpression"]}))
    assert max(half_sizes(text, result)) <= max(1500, kept + 600)
    for name in ("diagnostics", "repairs"):
        before = re.search(rf"(\d+) more {name} are not listed", whole["explanation"])
        missing = len(whole[name]) - len(result[name]) + (int(before[1]) if before else 0)
        assert (f"{missing} more {name} are not listed." in result["explanation"]) is (missing > 0)
        assert bool(result[name]) is bool(whole[name])
    assert result["explanation"] in text


async def test_empty_members_say_no_more_than_none(client: Client) -> None:
    title = condition("Title", "contains", "VPN")
    plain = await build(client, all=[title])
    for expression in ("", " "):
        assert await build(client, all=[title], any=[], none=[], expression=expression, connectorSchema=[]) == plain
    _, alone = await build(client, expression="", all=[])
    assert [found["code"] for found in alone["diagnostics"]] == ["EMPTY_FILTER"]
    _, unverified = await build(client, dataSource="externalItem", expression="prio>=3", connectorSchema=[])
    assert [found["code"] for found in unverified["diagnostics"]] == ["PROPERTY_UNVERIFIED"]


@pytest.mark.parametrize("name", FOUNDING)
async def test_every_filter_of_the_founding_document_is_read(client: Client, name: str) -> None:
    path = os.environ.get("COPILOT_MCP_EXAMPLES")
    if not path:
        pytest.skip("COPILOT_MCP_EXAMPLES does not name the documented examples")
    examples = {each["id"]: each for each in json.loads(Path(path).read_text("utf-8"))["examples"]}
    request = examples[name]["request"]
    body = request.get("body") or request["body_fragment"]
    expression = body["filterExpression"]
    source = "externalItem" if "Label_Title" in expression else "sharePoint"
    _, result = await build(client, dataSource=source, expression=expression)
    assert result["valid"] is True, (expression, result["diagnostics"])


SCHEMA = [
    {"name": "state", "type": "string", "isQueryable": True, "isExactMatchRequired": True, "labels": ["title"]},
    {"name": "priority", "type": "int64", "isQueryable": "true", "isRefinable": True, "aliases": ["prio"]},
    {"name": "draft", "type": "string", "isQueryable": False, "isRetrievable": True},
]


@pytest.mark.parametrize(
    ("values", "expression"),
    [
        ([2], "priority=2"),
        (2, "priority=2"),
        (2.0, "priority=2"),
        ([2, "3"], "priority=2 OR priority=3"),
        ("[2, 3]", "priority=2 OR priority=3"),
        (-12, "priority=-12"),
        (10**15, "priority=1000000000000000"),
    ],
)
async def test_numbers_are_values(client: Client, values: Any, expression: str) -> None:
    given = {"property": "priority", "operator": "equals", "values": values}
    _, result = await build(client, dataSource="externalItem", connectorSchema=SCHEMA, all=[given])
    assert (result["filterExpression"], result["diagnostics"]) == (expression, [])


@pytest.mark.parametrize(
    ("kind", "values", "expression"),
    [
        ("double", [2.5], "worth=2.5"),
        ("double", [-0.00001, 1e16], "worth=-0.00001 OR worth=10000000000000000"),
        ("boolean", [True], "worth=true"),
        ("boolean", False, "worth=false"),
        ("string", [7, True], 'worth="7" OR worth="true"'),
    ],
)
async def test_a_value_is_written_as_kql_has_it(client: Client, kind: str, values: Any, expression: str) -> None:
    given = {"property": "worth", "operator": "equals", "values": values}
    schema = [{"name": "worth", "type": kind, "isQueryable": True}]
    _, result = await build(client, dataSource="externalItem", connectorSchema=schema, all=[given])
    assert (result["filterExpression"], result["diagnostics"]) == (expression, [])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"a": 1}, "`all[0].values` must be a list."),
        ([{"a": 1}], "`all[0].values[0]` must be a string."),
        ([[1]], "`all[0].values[0]` must be a string."),
        ("[1e999]", "`all[0].values[0]` must be a string."),
    ],
)
async def test_what_is_no_value_is_refused_offline(client: Client, values: Any, sentence: str) -> None:
    given = {"property": "priority", "operator": "equals", "values": values}
    result = await client.call_tool("build_filter", {"dataSource": "externalItem", "all": [given]})
    end = " (simulated tenant: not Microsoft 365)"
    assert result.content[0].text == f"{sentence} Correct the arguments and call again. [invalid_arguments]{end}"


async def test_a_connector_schema_checks_names_types_and_aliases(client: Client) -> None:
    given = {"dataSource": "externalItem", "connectorSchema": SCHEMA}
    _, unverified = await build(client, dataSource="externalItem", expression="prio>=3")
    assert [found["code"] for found in unverified["diagnostics"]] == ["PROPERTY_UNVERIFIED"]
    _, checked = await build(client, expression="PRIO>=3 AND state:open", **given)
    assert (checked["filterExpression"], checked["diagnostics"]) == ('priority>=3 AND state:"open"', [])
    _, typed = await build(client, all=[condition("prio", "atLeast", "3")], **given)
    assert typed["filterExpression"] == "priority>=3"
    for expression, code in (
        ("draft:x", "NOT_QUERYABLE"),
        ("colour:red", "UNKNOWN_PROPERTY"),
        ("priority:high", "BAD_NUMBER"),
        ("state>open", "OPERATOR_TYPE_MISMATCH"),
    ):
        _, refused = await build(client, expression=expression, **given)
        assert (refused["valid"], refused["diagnostics"][0]["code"]) == (False, code)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"connectorSchema": SCHEMA}, "`connectorSchema` does not go with `dataSource` sharePoint."),
        (
            {"dataSource": "externalItem", "connectorSchema": [{"nam": "x"}]},
            "`connectorSchema[0].nam` is not an argument; did you mean `connectorSchema[0].name`?",
        ),
        ({"dataSource": "externalItem", "connectorSchema": [{"type": "string"}]}, "`connectorSchema[0].name`"),
    ],
)
async def test_a_wrong_connector_schema_is_refused(client: Client, arguments: dict[str, Any], sentence: str) -> None:
    given = {"dataSource": "sharePoint", "expression": "a:b", **arguments}
    result = await client.call_tool("build_filter", given)
    assert result.is_error
    assert sentence in result.content[0].text


async def test_a_value_with_backticks_cannot_end_the_code_block(client: Client) -> None:
    text, result = await build(client, expression='Title:"a ``` b ```` c"')
    expression = result["filterExpression"]
    assert "````" in expression
    assert text.startswith(f"Valid. filterExpression:\n`````\n{expression}\n`````\n")


def test_a_suggestion_with_backticks_is_one_code_span() -> None:
    found = FilterDiagnostic(severity="error", code="X", start=0, end=1, message="No.", suggestion="`a`` b")
    result = BuildFilterResult(
        valid=False, filter_expression=None, explanation="Do not.", diagnostics=[found], repairs=[]
    )
    assert render(result).splitlines()[-1] == "- error X at 0-1: No. Write: ``` `a`` b ```"
