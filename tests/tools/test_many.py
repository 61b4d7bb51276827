"""Several retrievals in one call: one round trip, each with its own filter and its own result or error."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from mcp import Client

from copilot_mcp.cli._services import GraphServices
from copilot_mcp.server import build_server
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

QUESTION = "How many weeks of parental leave do we get?"
VPN = "What can I do when the VPN drops?"
HR1 = 'Path:"https://contoso.sharepoint.com/sites/HR1/"'
HR2 = 'Path:"https://contoso.sharepoint.com/sites/HR2/"'
TICKETS = {"queryString": VPN, "dataSource": "externalItem"}


def sent(simulator: Simulator) -> list[tuple[str, list[dict[str, Any]]]]:
    """What the tenant received: path and bodies of each request."""
    return [
        (entry["path"], [item["body"] for item in entry["request"].get("requests", ())] or [entry["request"]])
        for entry in simulator.exchanges
        if entry["operation"] in ("retrieval", "batch")
    ]


async def call(client: Client, *more: dict[str, Any], **arguments: Any) -> Any:
    given = {"queryString": QUESTION, "dataSource": "sharePoint", "moreRequests": list(more), **arguments}
    return await client.call_tool("copilot_retrieve", given)


async def find(client: Client, *more: dict[str, Any], **arguments: Any) -> tuple[str, dict[str, Any]]:
    result = await call(client, *more, **arguments)
    assert not result.is_error, result.content[0].text
    return result.content[0].text, dict(result.structured_content)


async def refused(client: Client, *more: dict[str, Any], **arguments: Any) -> tuple[str, dict[str, Any]]:
    result = await call(client, *more, **arguments)
    assert result.is_error
    assert result.structured_content is None
    return result.content[0].text, dict(result.meta["copilot-mcp/error"])


async def test_several_requests_go_in_one_batch_and_no_filter_is_inherited(
    client: Client, simulator: Simulator
) -> None:
    text, result = await find(
        client,
        {**TICKETS, "resourceMetadata": ["ticketId"]},
        {"queryString": "What is planned?", "dataSource": "OneDriveBusiness", "maximumNumberOfResults": "3"},
        filterExpression=HR1,
        resourceMetadata=["title"],
        maximumNumberOfResults=5,
    )
    common = {"resourceMetadata": ["title"], "maximumNumberOfResults": 5}
    assert sent(simulator) == [
        (
            "/v1.0/$batch",
            [
                {"queryString": QUESTION, "dataSource": "sharePoint", "filterExpression": HR1, **common},
                {**TICKETS, **common, "resourceMetadata": ["ticketId"]},
                {
                    "queryString": "What is planned?",
                    "dataSource": "oneDriveBusiness",
                    **common,
                    "maximumNumberOfResults": 3,
                },
            ],
        )
    ]
    asked = result["requests"]
    assert [(each["number"], each["dataSource"], each.get("filterExpression")) for each in asked] == [
        (1, "sharePoint", HR1),
        (2, "externalItem", None),
        (3, "oneDriveBusiness", None),
    ]
    assert [each.get("filterHonoured") for each in asked] == ["yes", None, None]
    assert ("filterHonoured" in result, result["requestsUsed"]) == (False, 3)  # two had no filter to honour
    assert "dataSource" not in result
    assert "filterExpression" not in result
    assert f"Request 1, sharePoint, filter `{HR1}`, filter honoured: yes: {asked[0]['hits']} hits" in text
    assert f"{len(result['hits'])} hits of 3 requests; 3 requests used." in text


async def test_hits_of_all_are_merged_and_say_which_request_found_them(client: Client) -> None:
    _, one = await find(client)
    _, result = await find(client, {"queryString": QUESTION, "dataSource": "sharePoint"}, TICKETS)
    by_id = {hit["id"]: hit for hit in result["hits"]}
    assert len(by_id) == len(result["hits"])
    for hit in one["hits"]:
        assert by_id[hit["id"]]["requests"] == [1, 2]
        assert [each["id"] for each in by_id[hit["id"]]["extracts"]] == [each["id"] for each in hit["extracts"]]
        assert "requests" not in hit
    tickets = [place for place, hit in enumerate(result["hits"]) if hit["requests"] == [3]]
    assert tickets
    assert tickets[0] == 1


async def test_every_id_stands_in_both_halves(client: Client) -> None:
    text, result = await find(client, TICKETS)
    ids = [hit["id"] for hit in result["hits"]]
    passages = [extract["id"] for hit in result["hits"] for extract in hit["extracts"]]
    assert [each for each in ids if f"\n[{each}] " not in text] == []
    assert [each for each in passages if f"\n[{each}" not in text] == []
    assert len({*ids, *passages}) == len(ids) + len(passages)


async def test_labels_are_said_once_the_strictest_first(client: Client) -> None:
    settlement = {"queryString": "Who may read the settlement papers of the matter?", "dataSource": "sharePoint"}
    text, result = await find(client, settlement, queryString="How are performance reviews and salaries decided?")
    labels = result["sensitivityLabels"]
    priorities = [label["priority"] for label in labels]
    assert len(labels) > 1
    assert priorities == sorted(priorities, reverse=True)
    assert {hit["label"] for hit in result["hits"] if "label" in hit} == {label["displayName"] for label in labels}
    assert text.count(labels[0]["tooltip"]) == 1
    assert f"Labels, strictest first: {labels[0]['displayName']} (" in text


async def test_more_requests_than_allowed_are_refused_before_anything_is_sent(
    connect: Callable[..., Any], simulator: Simulator
) -> None:
    text, facts = await refused(await connect(), TICKETS, TICKETS, TICKETS)
    assert text.startswith("This call asks for 4 requests; at most 3 are allowed in one. Nothing was sent.")
    assert "--max-requests" in text
    assert facts["kind"] == "invalid_arguments"
    wide = await connect(max_requests=20)
    text, _ = await refused(wide, *[TICKETS] * 20)
    assert "`moreRequests` has 20 entries; at most 19 are allowed." in text
    assert sent(simulator) == []
    _, result = await find(wide, *[TICKETS] * 19)
    assert result["requestsUsed"] == 20
    assert len(sent(simulator)) == 1


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"queryString": "x", "dataSource": "sharePoint", "filterExpresion": "x"}, "did you mean `moreRequests[0].fil"),
        ({"queryString": "x"}, "`moreRequests[0].dataSource` is missing"),
        ({**TICKETS, "moreRequests": []}, "`moreRequests[0].moreRequests` is not an argument"),
    ],
)
async def test_members_of_more_requests_are_checked_by_name(
    client: Client, simulator: Simulator, more: dict[str, Any], sentence: str
) -> None:
    text, _ = await refused(client, more)
    assert sentence in text
    assert sent(simulator) == []


async def test_a_wrong_filter_in_one_request_costs_no_other_its_answer(client: Client, simulator: Simulator) -> None:
    wrong = {"queryString": QUESTION, "dataSource": "sharePoint", "filterExpression": 'Path: "x"'}
    embedded = {"queryString": QUESTION, "dataSource": "sharePointEmbedded"}
    text, result = await find(client, wrong, embedded)
    assert [len(bodies) for _, bodies in sent(simulator)] == [1]
    assert [each.get("hits", 0) > 0 for each in result["requests"]] == [True, False, False]
    assert "SPACE_IN_RESTRICTION" in result["requests"][1]["error"]
    assert result["requests"][1]["error"].endswith("[invalid_filter]")
    assert "filterExpression" not in result["requests"][1]
    assert result["requests"][2]["error"].endswith("[invalid_arguments]")
    assert result["requestsUsed"] == 1
    assert f"Request 2, sharePoint: not answered. {result['requests'][1]['error']}" in text


async def test_when_every_filter_is_wrong_nothing_is_sent_and_the_diagnostics_come(
    client: Client, simulator: Simulator
) -> None:
    wrong = {"queryString": QUESTION, "dataSource": "sharePoint", "filterExpression": "(x"}
    text, facts = await refused(client, wrong, filterExpression='Path: "x"')
    assert text.startswith("None of the 2 requests was answered. (1) ")
    assert "SPACE_IN_RESTRICTION" in text
    assert "(2) " in text
    assert facts["kind"] == "invalid_filter"
    assert facts["diagnostics"]
    assert sent(simulator) == []


async def test_a_throttled_item_is_sent_again_alone_and_counted(client: Client, simulator: Simulator) -> None:
    simulator.faults.add("throttled", operation="retrieval", retry_after="0")
    _, result = await find(client, TICKETS)
    assert [len(bodies) for _, bodies in sent(simulator)] == [2, 1]
    assert (result["requestsUsed"], [each["hits"] > 0 for each in result["requests"]]) == (3, [True, True])


async def test_a_long_wait_is_the_own_error_of_its_request(client: Client, simulator: Simulator) -> None:
    simulator.faults.add("throttled", operation="retrieval", retry_after="600")
    _, result = await find(client, TICKETS)
    assert result["requests"][0]["error"].endswith("Next try in 600 s. [throttled]")
    assert result["requests"][1]["hits"] > 0
    assert result["requestsUsed"] == 2


async def test_one_error_speaks_of_all_where_none_was_answered(client: Client, simulator: Simulator) -> None:
    simulator.faults.add("no_licence", operation="batch")
    text, facts = await refused(client, TICKETS)
    assert text.startswith("None of the 2 requests was answered. No licence or billing covers this request")
    assert facts["kind"] == "licence"


async def test_the_facts_of_one_error_are_those_of_all(client: Client, simulator: Simulator) -> None:
    """Whoever reads the facts alone must not try again too early, nor count too little."""
    for seconds in ("120", "600"):
        simulator.faults.add("throttled", operation="retrieval", retry_after=seconds)
    wrong = {"queryString": QUESTION, "dataSource": "sharePoint"}
    text, facts = await refused(client, TICKETS, wrong, filterExpression="(x")
    assert text.startswith("None of the 3 requests was answered. (1) ")
    assert (facts["kind"], facts["status"], facts["retryAfterSeconds"], facts["requestsUsed"]) == (
        "throttled",
        429,
        600,
        2,
    )


async def test_where_nothing_was_answered_a_sign_in_that_mends_it_is_offered(connect: Callable[..., Any]) -> None:
    client = await connect(signs_in=False)
    text, facts = await refused(client, {"queryString": QUESTION, "dataSource": "sharePoint"}, filterExpression="a b")
    assert facts["kind"] == "sign_in_pending"
    assert "Call this tool again when they are done" in text


async def test_a_dropped_filter_is_seen_for_each_request(client: Client, simulator: Simulator) -> None:
    simulator.faults.add("drop_filters", times=None)
    filtered = {"queryString": QUESTION, "dataSource": "sharePoint", "filterExpression": HR2}
    _, result = await find(client, filtered, TICKETS, filterExpression=HR1)
    assert [each.get("filterHonoured") for each in result["requests"]] == ["no", "no", None]
    assert result["filterHonoured"] == "no"
    assert {hit["webUrl"].split("/")[4] for hit in result["hits"] if hit["requests"] != [3]} == {"HR1", "HR2"}
    withheld = [note for note in result["notes"] if "withheld" in note]
    assert [note.partition(":")[0] for note in withheld] == ["Request 1", "Request 2"]


async def test_notes_name_the_requests_they_are_about(client: Client) -> None:
    nothing = {"queryString": "zyzzyva qwxz", "dataSource": "sharePoint"}
    text, result = await find(client, nothing, nothing)
    assert [note.split(" ")[:3] for note in result["notes"]] == [["Requests", "2,", "3:"]] * 2
    assert "looks like a list of keywords" in result["notes"][0]
    assert "does not prove that nothing exists" in result["notes"][1]
    assert [note for note in result["notes"] if note not in text] == []


async def test_thumbnails_send_their_request_in_beta(client: Client, simulator: Simulator) -> None:
    _, result = await find(
        client, {"queryString": QUESTION, "dataSource": "sharePoint", "includeThumbnails": True}, filterExpression=HR2
    )
    assert [path for path, _ in sent(simulator)] == ["/v1.0/$batch", "/beta/$batch"]
    assert [hit for hit in result["hits"] if "thumbnails" in hit and hit["requests"] == [1]] == []
    assert [hit for hit in result["hits"] if "thumbnails" in hit]


@pytest.fixture
async def counted(
    simulator: Simulator, settings: Settings, in_process: Any, era: Any
) -> AsyncIterator[Callable[..., Any]]:
    """A client whose person has used up `used` retrievals of the hour."""
    services = GraphServices(settings, in_process(simulator))
    async with services, Client(build_server(services, settings), mode=era) as client:

        async def opened(used: int) -> Client:
            await (await services.quota()).take(used, datetime.now(UTC))
            return client

        yield opened


async def test_what_is_probably_left_of_the_hour_is_said(counted: Callable[..., Any]) -> None:
    client = await counted(158)
    _, result = await find(client)
    assert result["notes"] == []
    text, result = await find(client)
    assert result["notes"][0].startswith("Quota: about 160 of this person's 200 retrievals an hour are used")
    assert result["notes"][0] in text


async def test_a_full_hour_is_refused_only_once_the_service_has_throttled(
    counted: Callable[..., Any], simulator: Simulator
) -> None:
    client = await counted(250)
    await find(client)
    simulator.faults.add("throttled", operation="retrieval", retry_after="600")
    await refused(client)
    before = len(sent(simulator))
    text, facts = await refused(client)
    assert "About 252 of 200 retrievals of the hour are used, and Microsoft 365 has throttled this person" in text
    assert facts["kind"] == "throttled"
    assert len(sent(simulator)) == before


async def test_the_limit_of_a_day_counts_every_request(connect: Callable[..., Any], simulator: Simulator) -> None:
    client = await connect(max_requests_per_day=3)
    await find(client, TICKETS)
    text, facts = await refused(client, TICKETS)
    assert (facts["kind"], "limit of 3 a day" in text) == ("day_limit", True)
    await find(client)
    assert [len(bodies) for _, bodies in sent(simulator)] == [2, 1]


async def test_a_small_budget_cuts_between_passages(connect: Callable[..., Any]) -> None:
    _, whole = await find(await connect())
    text, result = await find(await connect(max_tokens=1_500))
    passages = {extract["text"] for hit in whole["hits"] for extract in hit["extracts"]}
    shown = [extract["text"] for hit in result["hits"] for extract in hit["extracts"]]
    assert 0 < len(shown) < len(passages)
    assert set(shown) <= passages
    assert f"{len(shown)} of {len(passages)} extracts shown;" in text
    assert len(text.encode()) <= 4_500 + len("\n\n(simulated tenant: not Microsoft 365)")
