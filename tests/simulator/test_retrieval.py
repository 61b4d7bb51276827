"""The Retrieval API over the wire: scoping, trimming, metadata, labels, limits."""

import json
from base64 import b64decode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import Simulator

HR1 = "https://contoso.sharepoint.com/sites/HR1/"
HR2 = "https://contoso.sharepoint.com/sites/HR2"
LEAVE = {"queryString": "How long is parental leave?", "dataSource": "sharePoint"}
VPN = {"queryString": "VPN drops at home", "dataSource": "externalItem"}
Opener = Callable[..., Awaitable[httpx.AsyncClient]]


async def hits(graph: httpx.AsyncClient, body: dict[str, Any], version: str = "v1.0") -> list[dict[str, Any]]:
    answer = await graph.post(f"/{version}/copilot/retrieval", json=body)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["retrievalHits"]
    found: list[dict[str, Any]] = answer.json()["retrievalHits"]
    return found


def urls(found: list[dict[str, Any]]) -> set[str]:
    return {each["webUrl"] for each in found}


@pytest.mark.anyio
async def test_a_hit_has_the_documented_form(graph: httpx.AsyncClient) -> None:
    body = LEAVE | {
        "filterExpression": f'Path:"{HR1}" AND Title:"Parental leave"',
        "resourceMetadata": ["title", "author", "LastModifiedTime", "fileExtension", "nothing"],
    }

    (hit,) = await hits(graph, body)

    scores = [extract["relevanceScore"] for extract in hit["extracts"]]
    assert hit["webUrl"] == f"{HR1}Shared Documents/Parental leave.docx"
    assert hit["resourceType"] == "listItem"
    assert hit["resourceMetadata"] == {
        "title": "Parental leave, Americas",
        "author": "Alex Wilber;Adele Vance",
        "LastModifiedTime": "2026-03-02T16:40:00Z",
        "fileExtension": "docx",
    }
    assert hit["sensitivityLabel"] == {
        "sensitivityLabelId": "c302e9f6-7d5a-4b14-ae28-5f91b3d40003",
        "displayName": "Confidential\\All Employees",
        "toolTip": "For employees of Contoso only. Do not send outside the company.",
        "priority": 2,
        "color": "#f7b500",
    }
    assert 1 <= len(scores) <= 3
    assert all(0 < score < 1 for score in scores)
    assert [list(extract) for extract in hit["extracts"]] == [["text", "relevanceScore"]] * len(scores)


@pytest.mark.anyio
async def test_metadata_is_empty_unless_asked_for_and_a_label_missing_unless_there(graph: httpx.AsyncClient) -> None:
    found = await hits(graph, LEAVE)

    assert [each["resourceMetadata"] for each in found] == [{}] * len(found)
    assert all("thumbnails" not in each for each in found)


@pytest.mark.anyio
async def test_a_connector_hit_has_its_properties_and_neither_score_nor_label(graph: httpx.AsyncClient) -> None:
    body = VPN | {"resourceMetadata": ["Title", "ticketId", "tags", "createdDate", "channel", "building"]}

    found = await hits(graph, body | {"filterExpression": 'ticketId:"INC4711"'})

    assert [each["resourceMetadata"] for each in found] == [
        {
            "Title": "VPN drops every ten minutes on home Wi-Fi",
            "ticketId": "INC4711",
            "tags": "vpn;wifi;remote work",
            "createdDate": "2026-09-11T07:48:00Z",
            "channel": "portal",
        }
    ]
    assert found[0]["resourceType"] == "externalItem"
    assert "sensitivityLabel" not in found[0]
    assert {name for extract in found[0]["extracts"] for name in extract} == {"text"}


@pytest.mark.anyio
async def test_each_data_source_has_its_own_hits(graph: httpx.AsyncClient) -> None:
    question = {"queryString": "leave project plan ticket VPN"}
    hosts = {}
    for source in ("sharePoint", "oneDriveBusiness", "externalItem"):
        found = await hits(graph, question | {"dataSource": source})
        hosts[source] = {url.split("/")[2] for url in urls(found)}

    assert hosts["sharePoint"] == {"contoso.sharepoint.com"}
    assert hosts["oneDriveBusiness"] == {"contoso-my.sharepoint.com"}
    assert hosts["externalItem"] <= {"contosoit.contoso.example", "contosofacilities.contoso.example"}


@pytest.mark.anyio
async def test_a_person_sees_what_they_may_read(graph_of: Opener) -> None:
    question = {"queryString": "Fabrikam Northwind contract review legal matter", "dataSource": "sharePoint"}
    adele, megan = await graph_of("adele"), await graph_of("megan")

    own = {"queryString": "notes project plan", "dataSource": "oneDriveBusiness"}
    assert any("/sites/Legal/" in url for url in urls(await hits(adele, question)))
    assert not any("/sites/Legal/" in url for url in urls(await hits(megan, question)))
    assert all("/personal/megan_" in url for url in urls(await hits(megan, own)))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("expression", "sites"),
    [
        (f'Path:"{HR1}"', {"HR1"}),
        (f'path:"{HR1}" OR path:"{HR2}"', {"HR1", "HR2"}),
        (f'Path:"{HR1}" AND FileType:"xlsx" AND Author:"Nobody"', set()),
        ('SiteID:"8c4e2f71-3b05-4d98-b2c6-7f1a5e60d822"', {"HR1"}),
        (f'Path:"{HR2}" AND LastModifiedTime>=2020-01-01', {"HR2"}),
    ],
)
async def test_a_filter_scopes_the_search(
    graph: httpx.AsyncClient, simulator: Simulator, expression: str, sites: set[str]
) -> None:
    found = await hits(graph, LEAVE | {"filterExpression": expression})

    assert {url.split("/")[4] for url in urls(found)} == sites
    assert simulator.trace[-1]["filter"] == expression
    assert simulator.trace[-1]["filterIgnored"] is False


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("expression", "code"),
    [
        (f'Path:"{HR1}" AND', "DANGLING_OPERATOR"),
        (f'(Path:"{HR1}"', "UNBALANCED_PAREN"),
        ('Colour:"red"', "UNKNOWN_PROPERTY"),
        (f'Path:"{HR1}" AND LastModifiedTime >=2024-01-01', "SPACE_BEFORE_COMPARISON"),
        ("", "EMPTY_FILTER"),
    ],
)
async def test_a_malformed_filter_is_ignored_and_only_the_trace_knows(
    graph: httpx.AsyncClient, simulator: Simulator, expression: str, code: str
) -> None:
    unscoped = await hits(graph, LEAVE)
    found = await hits(graph, LEAVE | {"filterExpression": expression})

    assert found == unscoped
    assert simulator.trace[-1]["filterIgnored"] is True
    assert code in simulator.trace[-1]["filterCodes"]
    assert "filterIgnored" not in json.dumps(simulator.exchanges[-1])


@pytest.mark.anyio
async def test_a_filter_can_be_dropped_by_fault(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    body = LEAVE | {"filterExpression": f'Path:"{HR1}"'}
    simulator.faults.add("drop_filters")

    dropped, kept = await hits(graph, body), await hits(graph, body)

    assert urls(kept) < urls(dropped)
    assert simulator.trace[-2]["filterCodes"] == ["DROPPED_BY_FAULT"]


@pytest.mark.anyio
async def test_connections_are_chosen_by_configuration(graph: httpx.AsyncClient) -> None:
    body = VPN | {"queryString": "ticket laptop badge heating VPN room"}

    def of(*ids: str) -> dict[str, Any]:
        connections = [{"connectionId": each} for each in ids]
        return body | {"dataSourceConfiguration": {"externalItem": {"connections": connections}}}

    one = await hits(graph, of("ContosoIT"))
    both = await hits(graph, of("ContosoIT", "ContosoFacilities"))

    assert {url.split("/")[2] for url in urls(one)} == {"contosoit.contoso.example"}
    assert len(both) > len(one)


@pytest.mark.anyio
async def test_connector_properties_are_typed_by_their_schema(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    body = VPN | {"queryString": "ticket laptop VPN", "resourceMetadata": ["priority"]}

    urgent = await hits(graph, body | {"filterExpression": "priority<=2"})
    await hits(graph, body | {"filterExpression": 'channel:"portal"'})

    assert urgent
    assert {int(each["resourceMetadata"]["priority"]) for each in urgent} <= {1, 2}
    assert simulator.trace[-1]["filterCodes"] == ["NOT_QUERYABLE"]


@pytest.mark.anyio
async def test_the_number_of_results_is_kept_also_as_text(graph: httpx.AsyncClient) -> None:
    numbers = [len(await hits(graph, LEAVE | {"maximumNumberOfResults": value})) for value in (1, "2", None)]

    assert numbers[:2] == [1, 2]
    assert 2 < numbers[2] <= 25


@pytest.mark.anyio
async def test_thumbnails_come_in_beta_alone(graph: httpx.AsyncClient) -> None:
    body = LEAVE | {"includeThumbnails": True, "filterExpression": f'Path:"{HR1}"'}

    found = await hits(graph, body, "beta")
    refused = await graph.post("/v1.0/copilot/retrieval", json=body)

    assert refused.status_code == 400
    hit = next(each for each in found if "thumbnails" in each)
    pages = {number for extract in hit["extracts"] for number in extract["pageNumbers"]}
    assert {each["pageNumber"] for each in hit["thumbnails"]} == pages
    assert {each["mediaType"] for each in hit["thumbnails"]} == {"image/png"}
    assert all(b64decode(each["content"]).startswith(b"\x89PNG") for each in hit["thumbnails"])


@pytest.mark.anyio
async def test_nothing_relevant_is_an_empty_list(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    assert await hits(graph, LEAVE | {"queryString": "quantum chromodynamics"}) == []
    assert simulator.trace[-1]["hits"] == 0


@pytest.mark.anyio
async def test_embedded_containers_are_known_but_there_are_none(graph: httpx.AsyncClient) -> None:
    body = LEAVE | {
        "dataSource": "sharePointEmbedded",
        "dataSourceConfiguration": {"sharePointEmbedded": {"containerTypeId": "x"}},
    }

    assert await hits(graph, body | {"filterExpression": 'CodeOWSTEXT="1"'}) == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    "change",
    [
        {"queryString": None},
        {"queryString": "  "},
        {"queryString": "x" * 1501},
        {"dataSource": None},
        {"dataSource": "SharePoint"},
        {"maximumNumberOfResults": 0},
        {"maximumNumberOfResults": 26},
        {"maximumNumberOfResults": "ten"},
        {"maximumNumberOfResults": True},
        {"maximumNumberOfResults": 1.5},
        {"resourceMetadata": "title"},
        {"resourceMetadata": [1]},
        {"resourceMetadata": {}},
        {"resourceMetadata": 0},
        {"resourceMetadata": False},
        {"filterExpression": 7},
        {"filterExpresion": "misspelt"},
        {"dataSourceConfiguration": []},
        {"dataSourceConfiguration": {"externalItem": {"connections": [{"connectionId": "ContosoIT"}]}}},
        {"dataSource": "externalItem", "dataSourceConfiguration": {"externalItem": {}}},
        {"dataSource": "externalItem", "dataSourceConfiguration": {"externalItem": {"connections": [{}]}}},
        {
            "dataSource": "externalItem",
            "dataSourceConfiguration": {"externalItem": {"connections": [{"connectionId": "Nowhere"}]}},
        },
        {"dataSource": "sharePointEmbedded"},
    ],
)
async def test_a_malformed_request_is_refused(graph: httpx.AsyncClient, change: dict[str, Any]) -> None:
    answer = await graph.post("/v1.0/copilot/retrieval", json=LEAVE | change)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")


@pytest.mark.anyio
async def test_hits_have_the_documented_members(graph: httpx.AsyncClient, examples: Path) -> None:
    documented = {each["id"]: each["response"] for each in json.loads(examples.read_text())["examples"]}
    sample = documented["ex017"]["body"]["retrievalHits"][0]
    external = documented["ex002"]["body"]["retrievalHits"][0]

    mine = (await hits(graph, LEAVE | {"filterExpression": f'Path:"{HR1}"'}))[0]
    ticket = (await hits(graph, VPN))[0]

    assert list(mine) == list(sample)
    assert list(mine["sensitivityLabel"]) == list(sample["sensitivityLabel"])
    assert list(mine["extracts"][0]) == list(sample["extracts"][0])
    assert list(ticket) == list(external)
    assert list(ticket["extracts"][0]) == list(external["extracts"][0])
