"""copilot_retrieve, end to end in memory: what is sent, what comes back, and every way it fails."""

from collections.abc import Callable
from typing import Any

import pytest
from mcp import Client

from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

QUESTION = "How many weeks of parental leave do we get?"
HR1 = "https://contoso.sharepoint.com/sites/HR1/"


def requests(simulator: Simulator) -> list[dict[str, Any]]:
    """Every retrieval the tenant received."""
    return [entry for entry in simulator.exchanges if entry["operation"] == "retrieval"]


async def find(client: Client, **arguments: Any) -> tuple[str, dict[str, Any]]:
    result = await client.call_tool(
        "copilot_retrieve", {"queryString": QUESTION, "dataSource": "sharePoint", **arguments}
    )
    text = result.content[0].text
    assert not result.is_error, text
    return text, dict(result.structured_content or {})


async def refused(client: Client, **arguments: Any) -> tuple[str, dict[str, Any]]:
    result = await client.call_tool(
        "copilot_retrieve", {"queryString": QUESTION, "dataSource": "sharePoint", **arguments}
    )
    assert result.is_error
    assert result.structured_content is None
    return result.content[0].text, dict((result.meta or {})["copilot-mcp/error"])


async def test_both_halves_hold_every_hit_with_its_facts(client: Client) -> None:
    text, result = await find(client, resourceMetadata=["title", "author"])
    assert result["tenant"] == "simulated tenant"
    assert result["requestsUsed"] == 1
    assert result["hits"]
    for hit in result["hits"]:
        assert list(hit["resourceMetadata"]) == ["author"]
        assert hit["title"] != hit["webUrl"].rsplit("/", 1)[1]
        facts = [hit["title"], hit["webUrl"], hit["id"], hit["resourceType"], hit["resourceMetadata"]["author"]]
        facts += [hit["label"]] if "label" in hit else []
        facts += [extract["id"] for extract in hit["extracts"]]
        facts += [line for extract in hit["extracts"] for line in extract["text"].strip().splitlines()]
        assert [fact for fact in facts if fact not in text] == []
    assert "simulated tenant" in text


async def test_the_best_hit_comes_first(client: Client) -> None:
    _, result = await find(client)
    best = [max(extract["relevanceScore"] for extract in hit["extracts"]) for hit in result["hits"]]
    assert best == sorted(best, reverse=True)
    assert "parental" in result["hits"][0]["title"].lower()


async def test_a_title_that_was_not_asked_for_is_the_end_of_the_address(client: Client) -> None:
    _, result = await find(client, maximumNumberOfResults="1")
    (hit,) = result["hits"]
    assert hit["title"] == hit["webUrl"].rsplit("/", 1)[1]
    assert "resourceMetadata" not in hit


SEVERAL = "has several names in one entry; give each name an entry of its own"


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("title,author", ', for instance ["title", "author"].'),
        (["title; author"], ', for instance ["title", "author"].'),
        (["fileType", "title,author"], ', for instance ["fileType", "title", "author"].'),
        ("title,", "."),
        (",".join(f"property{number}" for number in range(20)), "."),
    ],
)
async def test_property_names_in_one_text_are_refused_with_the_list_to_write(
    client: Client, simulator: Simulator, given: Any, hint: str
) -> None:
    text, facts = await refused(client, resourceMetadata=given)
    assert text.startswith(f"`resourceMetadata` {SEVERAL}{hint} Nothing was sent.")
    more = {"queryString": QUESTION, "dataSource": "sharePoint", "resourceMetadata": given}
    text, _ = await refused(client, moreRequests=[more])
    assert text.startswith(f"`moreRequests[0].resourceMetadata` {SEVERAL}{hint} Nothing was sent.")
    assert (facts["kind"], requests(simulator)) == ("invalid_arguments", [])


@pytest.mark.parametrize("given", [["title", "author"], '["title", "author"]'])
async def test_property_names_may_be_a_list_or_its_json(client: Client, simulator: Simulator, given: Any) -> None:
    await find(client, resourceMetadata=given)
    assert requests(simulator)[0]["request"]["resourceMetadata"] == ["title", "author"]


async def test_a_filter_narrows_and_is_handed_back_as_sent(client: Client, simulator: Simulator) -> None:
    text, result = await find(client, filterExpression=f'Path:"{HR1}"')
    assert {hit["webUrl"].startswith(HR1) for hit in result["hits"]} == {True}
    assert result["filterExpression"] == f'Path:"{HR1}"'
    assert f'Path:"{HR1}"' in text
    assert requests(simulator)[0]["request"]["filterExpression"] == f'Path:"{HR1}"'


async def test_a_filter_with_a_warning_is_sent_in_canonical_form_and_said(client: Client, simulator: Simulator) -> None:
    raw = "LastModifiedTime >= 2024-07-22 AND LastModifiedTime <= 2026-12-31"
    canonical = "LastModifiedTime>=2024-07-22 AND LastModifiedTime<=2026-12-31"
    text, result = await find(client, filterExpression=raw)
    assert result["filterExpression"] == canonical
    assert requests(simulator)[0]["request"]["filterExpression"] == canonical
    assert any("canonical" in note for note in result["notes"])
    assert "canonical" in text


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        (f'Path: "{HR1}"', "SPACE_IN_RESTRICTION"),
        ("FileType:docx and Author:Adele", "LOWERCASE_OPERATOR"),
        ("FileType eq 'docx'", "FOREIGN_OPERATOR"),
        ("(FileType:docx", "UNBALANCED_PAREN"),
        ("Owner:Adele", "UNKNOWN_PROPERTY"),
        ("   ", "EMPTY_FILTER"),
    ],
)
async def test_a_filter_that_cannot_be_read_is_never_sent(
    client: Client, simulator: Simulator, expression: str, code: str
) -> None:
    text, facts = await refused(client, filterExpression=expression)
    assert facts["kind"] == "invalid_filter"
    assert code in [diagnostic["code"] for diagnostic in facts["diagnostics"]]
    assert code in text
    assert requests(simulator) == []


async def test_the_refusal_says_what_to_write(client: Client) -> None:
    text, _ = await refused(client, filterExpression=f'Path: "{HR1}" and FileType = docx')
    assert f'Write: Path:"{HR1}" AND ' in text


async def test_two_people_see_different_hits_for_the_same_question(connect: Callable[..., Any]) -> None:
    question = "What is the settlement position in the Fabrikam matter?"
    _, adele = await find(await connect(user="adele"), queryString=question)
    _, megan = await find(await connect(user="megan"), queryString=question)
    assert any("/sites/Legal/" in hit["webUrl"] for hit in adele["hits"])
    assert not any("/sites/Legal/" in hit["webUrl"] for hit in megan["hits"])


async def test_connectors_are_chosen_in_the_configuration(client: Client) -> None:
    connections = {"externalItem": {"connections": [{"connectionId": "ContosoIT"}]}}
    _, result = await find(
        client, queryString="The VPN drops", dataSource="externalItem", dataSourceConfiguration=connections
    )
    assert result["hits"]
    assert {hit["resourceType"] for hit in result["hits"]} == {"externalItem"}
    assert {"contosoit" in hit["webUrl"] for hit in result["hits"]} == {True}
    assert all("label" not in hit for hit in result["hits"])


async def test_thumbnails_are_asked_for_in_beta(client: Client, simulator: Simulator) -> None:
    text, result = await find(client, includeThumbnails=True)
    assert requests(simulator)[0]["path"] == "/beta/copilot/retrieval"
    pictured = [hit for hit in result["hits"] if "thumbnails" in hit]
    assert pictured
    assert "thumbnail of page" in text


async def test_v1_is_used_otherwise(client: Client, simulator: Simulator) -> None:
    await find(client)
    assert requests(simulator)[0]["path"] == "/v1.0/copilot/retrieval"


async def test_no_hits_are_said_without_concluding_anything(client: Client) -> None:
    text, result = await find(client, queryString="zyzzyva qwxz", filterExpression='Filename:"nothing.docx"')
    assert result["hits"] == []
    assert "does not prove that nothing exists" in result["notes"][-1]
    assert "does not prove that nothing exists" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"queryString": "x" * 1501}, "`queryString` has 1,501 characters; at most 1,500 are allowed."),
        ({"queryString": " "}, "`queryString` is blank"),
        ({"resourceMetadata": ["title", " "]}, "`resourceMetadata[1]` is blank"),
        ({"maximumNumberOfResults": 0}, "`maximumNumberOfResults` is 0; it must be 1 to 25."),
        ({"maximumNumberOfResults": 26}, "`maximumNumberOfResults` is 26; it must be 1 to 25."),
        ({"filterExpresion": "x"}, "did you mean `filterExpression`?"),
        ({"dataSource": "teams"}, '`dataSource` is "teams"; it must be one of'),
        (
            {"dataSourceConfiguration": {"externalItem": {"connections": [{"connectionId": "ContosoIT"}]}}},
            "`dataSourceConfiguration.externalItem` does not go with `dataSource` sharePoint.",
        ),
        (
            {
                "dataSource": "externalItem",
                "dataSourceConfiguration": {
                    "externalItem": {"connections": [{"connectionId": "ContosoIT"}]},
                    "sharePointEmbedded": {"containerTypeId": "x"},
                },
            },
            "`dataSourceConfiguration.sharePointEmbedded` does not go with `dataSource` externalItem.",
        ),
        ({"dataSource": "sharePointEmbedded"}, "needs `dataSourceConfiguration.sharePointEmbedded.containerTypeId`."),
    ],
)
async def test_bad_arguments_are_refused_before_anything_is_sent(
    client: Client, simulator: Simulator, arguments: dict[str, Any], sentence: str
) -> None:
    text, facts = await refused(client, **arguments)
    assert sentence in text
    assert facts["kind"] == "invalid_arguments"
    assert requests(simulator) == []


@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        ("unauthorized", "token_rejected", 401),
        ("forbidden", "forbidden", 403),
        ("no_licence", "licence", 403),
        ("not_found", "not_enabled", 404),
        ("server_error", "service", 500),
        ("html", "captive_portal", 200),
        ("cut_body", "service", 200),
    ],
)
async def test_a_fault_is_said_with_its_kind(
    client: Client, simulator: Simulator, fault: str, kind: str, status: int
) -> None:
    simulator.faults.add(fault, operation="retrieval", times=None)
    _, facts = await refused(client)
    assert (facts["kind"], facts.get("status")) == (kind, status)


@pytest.mark.parametrize(
    ("fault", "kind", "status"), [("throttled", "throttled", 429), ("unavailable", "service", 503)]
)
async def test_a_long_wait_is_given_back_instead_of_waited_for(
    client: Client, simulator: Simulator, fault: str, kind: str, status: int
) -> None:
    simulator.faults.add(fault, operation="retrieval", times=None, retry_after="600")
    text, facts = await refused(client)
    assert (facts["kind"], facts["status"], facts["retryAfterSeconds"]) == (kind, status, 600.0)
    assert "Next try in 600 s." in text


async def test_a_short_wait_is_waited_for_and_counted(client: Client, simulator: Simulator) -> None:
    simulator.faults.add("throttled", operation="retrieval", retry_after="0")
    _, result = await find(client)
    assert result["requestsUsed"] == 2


async def test_signed_out_begins_a_sign_in_and_says_how_to_go_on(connect: Callable[..., Any]) -> None:
    text, facts = await refused(await connect(signs_in=False))
    assert facts["kind"] == "sign_in_pending"
    assert facts["userCode"] in text
    assert "Call this tool again when they are done" in text
    assert "`copilot-mcp login` in a terminal would not reach this process" in text
