"""Hits held against the filter: those proven outside are withheld or marked, and none inside ever is."""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from copilot_mcp.kql import Item, matches, parse, properties_for
from copilot_mcp.kql.evidence import verdict
from copilot_mcp.simulator import Simulator, Tenant
from copilot_mcp.simulator.metadata import values_of
from copilot_mcp.tools.filter import TOOL as FILTER_TOOL
from copilot_mcp.tools.scope import Scope

pytestmark = pytest.mark.anyio

QUESTION = "How many weeks of parental leave do we get?"
HR1 = "https://contoso.sharepoint.com/sites/HR1/"
NOW = datetime(2025, 6, 18, 12, tzinfo=UTC)


async def find(client: Any, **arguments: Any) -> tuple[str, dict[str, Any]]:
    given = {"queryString": QUESTION, "dataSource": "sharePoint", **arguments}
    result = await client.call_tool("copilot_retrieve", given)
    assert not result.is_error, result.content[0].text
    return result.content[0].text, dict(result.structured_content)


async def refusal(client: Any, expression: str) -> str:
    given = {"queryString": QUESTION, "dataSource": "sharePoint", "filterExpression": expression}
    result = await client.call_tool("copilot_retrieve", given)
    assert result.is_error
    return str(result.content[0].text)


async def test_hits_outside_a_dropped_filter_are_withheld_and_counted(client: Any, simulator: Simulator) -> None:
    _, everything = await find(client)
    simulator.faults.add("drop_filters", times=None)
    text, result = await find(client, filterExpression=f'Path:"{HR1}"')
    inside = [hit["webUrl"] for hit in everything["hits"] if hit["webUrl"].startswith(HR1)]
    outside = len(everything["hits"]) - len(inside)
    assert 0 < outside < len(everything["hits"])
    assert sorted(hit["webUrl"] for hit in result["hits"]) == sorted(inside)
    note = (
        f"{outside} hits outside the filter were withheld: the service seems to have ignored it. Ask again, or with "
        "another filter; --outside mark shows such hits."
    )
    assert note in result["notes"]
    assert note in text
    assert (result["filterHonoured"], "filter honoured: no" in text) == ("no", True)


async def test_hits_outside_can_be_shown_marked_instead(connect: Callable[..., Any], simulator: Simulator) -> None:
    client = await connect(outside="mark")
    simulator.faults.add("drop_filters", times=None)
    text, result = await find(client, filterExpression=f'Path:"{HR1}"')
    marked = [hit for hit in result["hits"] if hit.get("outsideFilter")]
    assert marked
    assert [hit["webUrl"] for hit in marked if hit["webUrl"].startswith(HR1)] == []
    assert [hit for hit in result["hits"] if not hit.get("outsideFilter") and not hit["webUrl"].startswith(HR1)] == []
    assert text.count("OUTSIDE THE FILTER") == len(marked)
    assert any(note.startswith(f"{len(marked)} hits outside the filter marked as such") for note in result["notes"])
    assert result["filterHonoured"] == "no"


async def test_one_hit_outside_is_said_in_the_singular(client: Any, simulator: Simulator) -> None:
    simulator.faults.add("drop_filters", times=None)
    _, result = await find(client, filterExpression='FileType:"xyz"', maximumNumberOfResults=1)
    assert result["hits"] == []
    assert result["notes"] == [
        "1 hit outside the filter was withheld: the service seems to have ignored it. Ask again, or with another "
        "filter; --outside mark shows such hits.",
    ]


@pytest.mark.parametrize(
    ("expression", "honoured"),
    [
        (f'Path:"{HR1}"', "yes"),
        ('FileType:"docx" OR FileType:"pdf" OR FileType:"md" OR FileType:"aspx"', "yes"),
        ("LastModifiedTime>=2015-01-01", "yes"),
        ("NOT Title:zyzzyva", "yes"),
        ('Filename:"nothing.docx"', "unclear"),
    ],
)
async def test_a_filter_that_was_kept_is_said_to_be(client: Any, expression: str, honoured: str) -> None:
    text, result = await find(client, filterExpression=expression)
    assert result["filterHonoured"] == honoured
    assert f"filter honoured: {honoured}" in text
    assert not any("withheld" in note for note in result["notes"])


async def test_what_a_filter_is_warned_of_comes_with_what_to_write(client: Any) -> None:
    text, result = await find(client, filterExpression='Path:"https://contoso.sharepoint.com/sites/HR1"')
    note = f'siblings match too: …/HR1 also matches …/HR10. Write: Path:"{HR1}"'
    assert [each.partition("/ ")[2] for each in result["notes"]] == [note]
    assert note in text


async def test_words_that_did_not_come_back_leave_it_unclear(client: Any, simulator: Simulator) -> None:
    simulator.faults.add("drop_filters", times=None)
    _, result = await find(client, filterExpression="Author:Nobody")
    assert result["hits"]
    assert result["filterHonoured"] == "unclear"


async def test_without_a_filter_nothing_is_said_about_one(client: Any) -> None:
    text, result = await find(client)
    assert "filterHonoured" not in result
    assert "filter honoured" not in text


async def test_metadata_for_the_proof_is_asked_for_and_not_shown(client: Any, simulator: Simulator) -> None:
    expression = "LastModifiedTime>=2015-01-01 AND NOT Author:Nobody"
    text, result = await find(client, filterExpression=expression)
    assert simulator.exchanges[-1]["request"]["resourceMetadata"] == ["LastModifiedTime", "Author"]
    assert [hit for hit in result["hits"] if "resourceMetadata" in hit] == []
    assert "LastModifiedTime:" not in text.replace(expression, "")
    _, asked = await find(client, filterExpression=expression, resourceMetadata=["author"])
    assert simulator.exchanges[-1]["request"]["resourceMetadata"] == ["author", "LastModifiedTime"]
    assert {tuple(hit["resourceMetadata"]) for hit in asked["hits"]} == {("author",)}


async def test_the_label_of_a_hit_counts_as_the_value_of_its_property(client: Any, simulator: Simulator) -> None:
    simulator.faults.add("drop_filters", times=None)
    expression = 'InformationProtectionLabelId="00000000-0000-0000-0000-000000000000"'
    _, everything = await find(client)
    _, result = await find(client, filterExpression=expression)
    assert [hit for hit in result["hits"] if "label" in hit] == []
    assert len(result["hits"]) == len([hit for hit in everything["hits"] if "label" not in hit])


async def test_a_filter_over_the_length_limit_is_refused(client: Any, simulator: Simulator) -> None:
    text = await refusal(client, " OR ".join(f'Title:"part number {number:04}"' for number in range(160)))
    assert "FILTER_TOO_LONG" in text
    assert "Shorten it, or search several times" in text
    assert [each for each in simulator.exchanges if each["operation"] == "retrieval"] == []


async def test_a_filter_whose_canonical_text_is_too_long_is_refused(client: Any) -> None:
    typed = " OR ".join(f"title:a{number:03}" for number in range(290))
    assert len(typed) <= 4096
    assert "FILTER_TOO_LONG" in await refusal(client, typed)


async def test_a_new_property_is_let_through_on_request(connect: Callable[..., Any]) -> None:
    assert "UNKNOWN_PROPERTY" in await refusal(await connect(), 'Topic:"leave"')
    client = await connect(allow_property=("Topic",))
    text, result = await find(client, filterExpression='topic:"leave"')
    assert result["filterExpression"] == 'Topic:"leave"'
    assert "not checked" in text
    built = await client.call_tool(FILTER_TOOL.name, {"dataSource": "sharePoint", "expression": 'Topic:"leave"'})
    assert built.structured_content["valid"] is True


def test_a_verdict_over_all_hits() -> None:
    assert Scope.honoured([]) == "unclear"
    assert Scope.honoured(["inside", "inside"]) == "yes"
    assert Scope.honoured(["inside", "unclear"]) == "unclear"
    assert Scope.honoured(["unclear", "outside", "inside"]) == "no"


def random_filter(random_: random.Random, vocabulary: Mapping[str, list[str]], depth: int = 0) -> str:
    """A filter out of values that documents really have, so that it selects some of them."""
    if depth < 3 and random_.random() < 0.5:
        parts = [random_filter(random_, vocabulary, depth + 1) for _ in range(random_.randint(2, 3))]
        return f"({random_.choice([' AND ', ' OR ']).join(parts)})"
    negation = "NOT " if random_.random() < 0.25 else ""
    name = random_.choice(list(vocabulary))
    value = random_.choice(vocabulary[name])
    if name == "LastModifiedTime":
        return f"{negation}{name}{random_.choice([':', '=', '<>', '<', '<=', '>', '>='])}{value[:10]}"
    operator = random_.choice([":", ":", "=", "<>"])
    if name == "Path":
        value = value[: random_.randint(len("https://con"), len(value))]
    return f'{negation}{name}{operator}"{value}"'


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("whole", [True, False], ids=["metadata came back", "no metadata"])
def test_no_hit_inside_is_ever_proven_outside(company: Tenant, seed: int, whole: bool) -> None:
    random_ = random.Random(seed)
    properties = properties_for("sharePoint")
    documents = [each for each in company.documents if each.source == "sharePoint"]
    vocabulary: dict[str, list[str]] = {}
    for document in documents:
        for name, values in values_of(document).items():
            known = properties.find(name)
            if known is not None and known.status == "supported":
                vocabulary.setdefault(known.name, []).extend(value for value in values if '"' not in value)
    inside = outside = 0
    for _ in range(60):
        parsed = parse(random_filter(random_, vocabulary), properties)
        if parsed.tree is None or not parsed.valid:
            continue
        for document in documents:
            values = values_of(document)
            holds = matches(parsed.tree, Item(values, document.body), properties, now=NOW)
            metadata = {name: ";".join(each) for name, each in values.items() if whole and name != "path"}
            found = verdict(parsed.tree, document.url, metadata, properties, now=NOW)
            inside += holds
            outside += found == "outside"
            assert not (holds and found == "outside"), (parsed.canonical, document.url)
    assert inside > 200
    assert outside > 200
