"""Where Microsoft's documents, samples and SDK contradict each other or keep silent: what this client holds to.

Every point known has its test here, named after the fact; `POINTS` keeps count, and says why a few concern no tool.
"""

import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from mcp import Client
from pydantic import ValidationError

from copilot_mcp.auth import CLOUDS
from copilot_mcp.errors import ServiceUnavailableError
from copilot_mcp.graph import (
    CHAT_SCOPES,
    RETRIEVAL_SCOPES,
    ChatBody,
    CopilotConversation,
    CopilotConversationResponseMessage,
    GraphClient,
    RetrievalBody,
    RetrievalHit,
    RetrievalThumbnail,
    SearchSensitivityLabelInfo,
    StreamReader,
)
from copilot_mcp.graph.json_reader import read_json
from copilot_mcp.graph.refusals import Answer, refusal
from copilot_mcp.kql import parse, properties_for
from copilot_mcp.kql.match import Item, matches
from copilot_mcp.simulator import Simulator
from copilot_mcp.tools import TOOLS
from copilot_mcp.tools.labels import label_of

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
OUT_OF_SCOPE = "no tool of ours searches; "
TURN = {"message": {"text": "Who keeps the keys of the observatory?"}, "locationHint": {"timeZone": "Etc/UTC"}}

POINTS = (
    "test_examples_of_chat_are_chats_and_those_of_retrieval_are_retrievals",
    "test_retrieval_goes_to_v1_and_chat_to_beta",
    "test_the_number_of_results_goes_out_as_a_number_within_its_range",
    "test_a_missing_score_stays_missing",
    "test_two_spellings_of_the_tooltip_come_out_as_one",
    "test_the_mark_of_encryption_may_be_missing",
    "test_hits_and_messages_share_one_label",
    "test_a_label_id_that_is_no_guid_is_kept",
    "test_a_missing_label_and_one_of_nulls_are_no_label",
    "test_no_blank_stands_around_an_operator",
    "test_a_filter_with_a_syntax_error_is_not_sent",
    "test_status_is_read_as_state",
    "test_the_time_of_a_conversation_is_that_of_its_turn",
    "test_messages_are_those_of_one_turn",
    "test_a_message_has_an_id_of_its_own",
    "test_who_said_a_message_goes_by_its_position",
    "test_the_agent_is_left_out",
    "test_the_context_is_left_out",
    "test_empty_cards_are_dropped",
    "test_stream_texts_are_cumulative_and_increments_survive",
    "test_an_event_may_be_spread_over_lines",
    "test_a_stream_may_have_any_media_type",
    "test_actions_go_to_their_short_address",
    "test_conversations_are_not_listed_read_or_deleted",
    "test_response_options_are_not_sent",
    "test_embedded_containers_are_a_preview_on_v1",
    "test_a_hit_may_have_many_extracts",
    "test_hits_are_put_in_order_here",
    "test_metadata_is_found_in_any_case",
    "test_thumbnails_come_under_two_names_and_with_odd_prefixes",
    "test_json_with_a_trailing_comma_is_not_read",
    "test_each_data_source_has_its_own_permissions",
    "test_arguments_have_graphs_own_names",
    OUT_OF_SCOPE + "there is no next page in retrieval or chat",
    OUT_OF_SCOPE + "hosts of hits are not judged",
    "test_types_of_hits_are_open",
    OUT_OF_SCOPE + "its health does not matter",
    "test_chat_is_promised_where_the_pages_agree",
    "test_a_refusal_names_licence_and_pay_as_you_go",
    "test_the_data_source_may_be_spelt_in_any_case",
    "test_paths_keep_their_slash_and_are_compared_without",
    "test_china_signs_in_where_entras_own_pages_say",
    "test_a_turn_may_take_five_minutes_and_is_not_repeated",
    "test_file_addresses_go_out_as_given",
    "test_times_are_kept_as_sent",
    "another product's answers; none of our tools asks it",
)


def test_every_point_has_its_test() -> None:
    assert len(POINTS) == 46
    named = [name for name in POINTS if name.startswith("test_")]
    here = {name for name in globals() if name.startswith("test_")} - {"test_every_point_has_its_test"}
    assert (set(named), len(named)) == (here, len(here))


def retrieval(**members: Any) -> dict[str, Any]:
    return RetrievalBody.model_validate({"queryString": "keys", "dataSource": "sharePoint"} | members).payload()


def conversation(*messages: dict[str, Any], **members: Any) -> CopilotConversation:
    return CopilotConversation.model_validate({"id": "c", "messages": messages} | members)


def test_examples_of_chat_are_chats_and_those_of_retrieval_are_retrievals(examples: dict[str, Any]) -> None:
    founding = [examples[f"ex{number:03}"] for number in (1, 2, 4, 5, 6)]
    assert {"queryString" in entry["request"]["body"] for entry in founding} == {True}
    for number in (41, 42, 43, 44):
        entry = examples[f"ex{number:03}"]
        body = ChatBody.model_validate(entry["request"]["body"])
        answer = CopilotConversation.model_validate(entry["response"]["body"]).answer(body.message.text)
        assert answer is not None and answer.text


@pytest.mark.anyio
async def test_retrieval_goes_to_v1_and_chat_to_beta(wire: Any, replies: Any, payload: Any) -> None:
    async with wire.open(replies(httpx.Response(200, json=payload("retrieval.json")))) as graph:
        await graph.retrieve(RetrievalBody(query_string="keys", data_source="sharePoint"))
        await graph.retrieve(RetrievalBody(query_string="keys", data_source="sharePoint", include_thumbnails=True))
    async with wire.open(replies(httpx.Response(200, json=payload("chat-answer.json")))) as graph:
        await graph.chat("c", ChatBody.model_validate(TURN))
    assert [path.split("/")[1] for path in wire.paths] == ["v1.0", "beta", "beta"]


def test_the_number_of_results_goes_out_as_a_number_within_its_range() -> None:
    assert retrieval(maximumNumberOfResults="10")["maximumNumberOfResults"] == 10
    for wrong in (0, 26, "26", "ten", 2.5):
        with pytest.raises(ValidationError):
            retrieval(maximumNumberOfResults=wrong)


def test_a_missing_score_stays_missing() -> None:
    hit = RetrievalHit.model_validate({"extracts": [{"text": "a"}, {"text": "b", "relevanceScore": 0}]})
    assert [extract.relevance_score for extract in hit.extracts] == [None, 0.0]


def test_two_spellings_of_the_tooltip_come_out_as_one() -> None:
    for spelling in ("tooltip", "toolTip"):
        label = label_of(SearchSensitivityLabelInfo.model_validate({"displayName": "Secret", spelling: "Keep it."}))
        assert label is not None
        assert label.model_dump(by_alias=True, exclude_none=True) == {"displayName": "Secret", "tooltip": "Keep it."}


def test_the_mark_of_encryption_may_be_missing() -> None:
    read = [
        SearchSensitivityLabelInfo.model_validate(body) for body in ({}, {"isEncrypted": None}, {"isEncrypted": True})
    ]
    assert [label.is_encrypted for label in read] == [None, None, True]


def test_hits_and_messages_share_one_label() -> None:
    label = {"displayName": "Secret", "priority": 3}
    hit = RetrievalHit.model_validate({"sensitivityLabel": label})
    message = CopilotConversationResponseMessage.model_validate({"sensitivityLabel": label})
    assert hit.sensitivity_label == message.sensitivity_label == SearchSensitivityLabelInfo.model_validate(label)


def test_a_label_id_that_is_no_guid_is_kept() -> None:
    hit = RetrievalHit.model_validate({"sensitivityLabel": {"sensitivityLabelId": "f71f-777ea76e2s8"}})
    assert hit.sensitivity_label is not None
    assert hit.sensitivity_label.sensitivity_label_id == "f71f-777ea76e2s8"


def test_a_missing_label_and_one_of_nulls_are_no_label() -> None:
    nulls = dict.fromkeys(("sensitivityLabelId", "displayName", "tooltip", "priority", "color", "isEncrypted"))
    bodies: list[dict[str, Any]] = [
        {},
        {"sensitivityLabel": None},
        {"sensitivityLabel": nulls},
        {"sensitivityLabel": {}},
    ]
    assert [RetrievalHit.model_validate(body).sensitivity_label for body in bodies] == [None] * 4


def test_no_blank_stands_around_an_operator() -> None:
    for text in ("LastModifiedTime >= 2024-07-22", "LastModifiedTime>= 2024-07-22"):
        parsed = parse(text, properties_for("sharePoint"), now=NOW)
        written = {parsed.canonical, *(each.suggestion for each in parsed.diagnostics)}
        assert "LastModifiedTime>=2024-07-22" in written


@pytest.mark.anyio
async def test_a_filter_with_a_syntax_error_is_not_sent(client: Client, simulator: Simulator) -> None:
    arguments = {"queryString": "keys", "dataSource": "sharePoint", "filterExpression": '(Author:"Ines"'}
    result = await client.call_tool("copilot_retrieve", arguments)
    assert result.is_error
    assert simulator.received == {}


def test_status_is_read_as_state(payload: Any) -> None:
    assert CopilotConversation.model_validate(payload("conversation-created.json")).state == "active"
    assert conversation(state="disengagedForRai").disengaged


def test_the_time_of_a_conversation_is_that_of_its_turn(payload: Any) -> None:
    read = CopilotConversation.model_validate(payload("chat-answer.json"))
    assert read.created_date_time == read.messages[0].created_date_time


@pytest.mark.anyio
async def test_messages_are_those_of_one_turn(open_tenant: Any) -> None:
    graph: GraphClient = open_tenant().graph
    created = await graph.create_conversation()
    body = ChatBody.model_validate(TURN)
    turns = [await graph.chat(created.id, body) for _ in range(2)]
    assert [(turn.turn_count, len(turn.messages)) for turn in turns] == [(1, 2), (2, 2)]


def test_a_message_has_an_id_of_its_own(payload: Any) -> None:
    read = CopilotConversation.model_validate(payload("chat-answer.json"))
    assert [message.id for message in read.messages] == ["m-echo", "m-answer"]
    assert read.id not in ("m-echo", "m-answer")


def test_who_said_a_message_goes_by_its_position(payload: Any) -> None:
    body = payload("chat-answer.json")
    read = CopilotConversation.model_validate(body)
    assert len({message["@odata.type"] for message in body["messages"]}) == 1
    assert read.answer(TURN["message"]["text"]) is read.messages[-1]
    assert conversation({"text": "Hi"}).answer("Hi") is None


def test_the_agent_is_left_out() -> None:
    assert conversation(agentId=None).model_extra == conversation(agentId="a").model_extra == {}


def test_the_context_is_left_out() -> None:
    read = conversation(**{"@odata.context": "https://back-end.internal/$metadata"})
    assert "back-end" not in json.dumps(read.model_dump(mode="json"))


def test_empty_cards_are_dropped() -> None:
    card = {"type": "AdaptiveCard", "body": []}
    read = [
        CopilotConversationResponseMessage.model_validate({"adaptiveCards": cards}).adaptive_cards
        for cards in ([], [{}], None, "none", [{}, card])
    ]
    assert read == [[], [], [], [], [card]]


@pytest.mark.anyio
async def test_stream_texts_are_cumulative_and_increments_survive(open_tenant: Any, simulator: Simulator) -> None:
    graph: GraphClient = open_tenant().graph
    body, ends = ChatBody.model_validate(TURN), []
    for fault in (None, "deltas"):
        if fault:
            simulator.faults.add(fault)
        created = await graph.create_conversation()
        async with graph.chat_over_stream(created.id, body) as turn:
            snapshots = [snapshot.text async for snapshot in turn]
        ends.append((snapshots[-2], snapshots[-1]))
    assert ends[0] == ends[1] and ends[0][0] == ends[0][1]


def test_an_event_may_be_spread_over_lines() -> None:
    event = {"messages": [{"text": "one"}], "turnCount": 1}
    for framed in (json.dumps(event, indent=2), json.dumps(event, indent=2).replace("\n", "\ndata: ")):
        reader = StreamReader()
        assert reader.feed(f"data: {framed}\nid:1\n\n".encode()) + reader.close() == [event]


@pytest.mark.anyio
@pytest.mark.parametrize("media_type", ["text/event-stream", "event/stream", "application/octet-stream", "text/json"])
async def test_a_stream_may_have_any_media_type(wire: Any, stream_bytes: bytes, media_type: str) -> None:
    answer = httpx.Response(200, headers={"Content-Type": media_type}, stream=httpx.ByteStream(stream_bytes))
    body = ChatBody.model_validate(TURN)
    async with wire.open(lambda _: answer) as graph, graph.chat_over_stream("c", body) as turn:
        assert len([snapshot async for snapshot in turn]) == 4
    assert turn.complete


@pytest.mark.anyio
async def test_actions_go_to_their_short_address(wire: Any, replies: Any, payload: Any) -> None:
    async with wire.open(replies(httpx.Response(200, json=payload("chat-answer.json")))) as graph:
        await graph.chat("c", ChatBody.model_validate(TURN))
        async with graph.chat_over_stream("c", ChatBody.model_validate(TURN)):
            pass
    assert wire.paths == [f"/beta/copilot/conversations/c/{action}" for action in ("chat", "chatOverStream")]


def test_conversations_are_not_listed_read_or_deleted() -> None:
    offered = {name for name, _ in inspect.getmembers(GraphClient, inspect.isfunction) if not name.startswith("_")}
    assert offered == {"create_conversation", "chat", "chat_over_stream", "retrieve", "retrieve_many"}


def test_response_options_are_not_sent() -> None:
    with pytest.raises(ValidationError):
        ChatBody.model_validate(TURN | {"responseOptions": {"isDeltaStreamingEnabled": True}})


def test_embedded_containers_are_a_preview_on_v1() -> None:
    configuration = {"sharePointEmbedded": {"containerTypeId": "type"}}
    body = {"queryString": "keys", "dataSource": "sharePointEmbedded", "dataSourceConfiguration": configuration}
    assert RetrievalBody.model_validate(body).needs_beta is False
    (retrieve,) = (tool for tool in TOOLS if tool.name == "copilot_retrieve")
    assert "sharePointEmbedded (preview)" in json.dumps(retrieve.request.model_json_schema(by_alias=True))


def test_a_hit_may_have_many_extracts() -> None:
    hit = RetrievalHit.model_validate({"extracts": [{"text": str(number)} for number in range(5)]})
    assert [extract.text for extract in hit.extracts] == ["0", "1", "2", "3", "4"]


@pytest.mark.anyio
async def test_hits_are_put_in_order_here(client: Client, simulator: Simulator) -> None:
    arguments = {"queryString": "How many weeks of parental leave do we get?", "dataSource": "sharePoint"}
    result = await client.call_tool("copilot_retrieve", arguments)

    def best(hits: list[Any]) -> list[float]:
        return [max(extract["relevanceScore"] for extract in hit["extracts"]) for hit in hits]

    sent = best(simulator.exchanges[-1]["response"]["retrievalHits"])
    assert sent != sorted(sent, reverse=True)
    assert best((result.structured_content or {})["hits"]) == sorted(sent, reverse=True)


def test_metadata_is_found_in_any_case() -> None:
    hit = RetrievalHit.model_validate({"resourceMetadata": {"title": "Keys"}})
    assert (hit.metadata("Title"), hit.metadata("TITLE"), hit.metadata("author")) == ("Keys", "Keys", None)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"content": "/9j/4AAQ", "mediaType": "image/jpeg"}, ("/9j/4AAQ", "image/jpeg")),
        ({"content": "base64/9j/4AAQ", "mimeType": "image/jpg"}, ("/9j/4AAQ", "image/jpeg")),
        ({"content": "data:image/png;base64,iVBORw0K", "mimeType": "image/png"}, ("iVBORw0K", "image/png")),
        ({"content": "not base64!", "mediaType": "image/png"}, ("", "image/png")),
    ],
)
def test_thumbnails_come_under_two_names_and_with_odd_prefixes(sent: dict[str, str], read: tuple[str, str]) -> None:
    thumbnail = RetrievalThumbnail.model_validate(sent)
    assert (thumbnail.content, thumbnail.media_type) == read


@pytest.mark.parametrize("content", [b'{"retrievalHits": [],}', b'{"retrievalHits": [{"webUrl": "x"},]}'])
def test_json_with_a_trailing_comma_is_not_read(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"line 1"):
        read_json(content)


def test_each_data_source_has_its_own_permissions() -> None:
    files = ("Files.Read.All", "Sites.Read.All")
    assert {source: RETRIEVAL_SCOPES[source] for source in ("sharePoint", "oneDriveBusiness", "externalItem")} == {
        "sharePoint": files,
        "oneDriveBusiness": files,
        "externalItem": ("ExternalItem.Read.All",),
    }
    assert len(CHAT_SCOPES) == 7


def test_arguments_have_graphs_own_names() -> None:
    schemas: dict[str, Callable[..., Any]] = {tool.name: tool.request.model_json_schema for tool in TOOLS}
    chat, retrieve = (set(schemas[name](by_alias=True)["properties"]) for name in ("copilot_chat", "copilot_retrieve"))
    assert chat >= {"message", "locationHint", "additionalContext", "contextualResources"}
    assert retrieve >= {
        "queryString",
        "dataSource",
        "dataSourceConfiguration",
        "filterExpression",
        "resourceMetadata",
        "maximumNumberOfResults",
        "includeThumbnails",
    }


def test_types_of_hits_are_open() -> None:
    assert RetrievalHit.model_validate({"resourceType": "unknownFutureValue"}).resource_type == "unknownFutureValue"


def test_chat_is_promised_where_the_pages_agree() -> None:
    offered = {name: cloud.chat for name, cloud in CLOUDS.items() if not cloud.simulated}
    assert offered == {"global": "yes", "usgov-l4": "maybe", "usgov-l5": "maybe", "china": "no"}


@pytest.mark.parametrize(("status", "code"), [(402, ""), (403, "Forbidden"), (403, "NoLicense")])
def test_a_refusal_names_licence_and_pay_as_you_go(status: int, code: str) -> None:
    error = refusal(Answer(status, {}, {"error": {"code": code}}), now=NOW)
    assert "licence" in error.hint and "pay-as-you-go" in error.hint


@pytest.mark.parametrize("spelling", ["sharePoint", "SharePoint", "SHAREPOINT", "sharepoint"])
def test_the_data_source_may_be_spelt_in_any_case(spelling: str) -> None:
    assert retrieval(dataSource=spelling)["dataSource"] == "sharePoint"


def test_paths_keep_their_slash_and_are_compared_without() -> None:
    properties, site = properties_for("sharePoint"), "https://contoso.sharepoint.com/sites/HR"
    for path in (site, f"{site}/"):
        parsed = parse(f'Path:"{path}"', properties, now=NOW)
        assert parsed.canonical == f'Path:"{path}"'
        assert parsed.tree is not None
        for url in (site, f"{site}/", f"{site}/Leave.docx"):
            assert matches(parsed.tree, Item({"path": (url,)}), properties, now=NOW)


def test_china_signs_in_where_entras_own_pages_say() -> None:
    assert CLOUDS["china"].authority == "https://login.partner.microsoftonline.cn"
    assert CLOUDS["china"].may_show("https://login.chinacloudapi.cn/devicelogin")


@pytest.mark.anyio
async def test_a_turn_may_take_five_minutes_and_is_not_repeated(wire: Any, replies: Any) -> None:
    async with wire.open(replies(httpx.ReadTimeout("silence"))) as graph:
        with pytest.raises(ServiceUnavailableError):
            await graph.chat("c", ChatBody.model_validate(TURN))
    (request,) = wire.requests
    assert request.extensions["timeout"]["read"] >= 300


def test_file_addresses_go_out_as_given() -> None:
    url = "https://contoso.sharepoint.com/sites/HR/Shared Documents/Leave%20policy.docx"
    body = ChatBody.model_validate(TURN | {"contextualResources": {"files": [{"uri": url}]}})
    assert body.payload()["contextualResources"] == {"files": [{"uri": url}]}


@pytest.mark.parametrize("when", ["2026-03-02T08:16:48.14175Z", "2026-03-02T08:16:40.5512007Z", "yesterday", ""])
def test_times_are_kept_as_sent(when: str) -> None:
    assert conversation(createdDateTime=when).created_date_time == when
