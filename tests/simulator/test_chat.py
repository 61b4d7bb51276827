"""Conversations over the wire, in the documented form."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import Simulator
from copilot_mcp.simulator.conversations import MAX_CONVERSATIONS, Conversations
from copilot_mcp.simulator.replies import GraphRefusalError

UTC = {"timeZone": "Etc/UTC"}
NO_WEB = {"webContext": {"isWebEnabled": False}}
NO_LABEL = dict.fromkeys(("sensitivityLabelId", "displayName", "tooltip", "priority", "color", "isEncrypted"))
Opener = Callable[..., Awaitable[httpx.AsyncClient]]


def turn(text: str, **more: Any) -> dict[str, Any]:
    return {"message": {"text": text}, "locationHint": UTC, "contextualResources": NO_WEB, **more}


async def created(graph: httpx.AsyncClient) -> str:
    return str((await graph.post("/beta/copilot/conversations", json={})).json()["id"])


async def asked(graph: httpx.AsyncClient, conversation: str, text: str, **more: Any) -> dict[str, Any]:
    answer = await graph.post(f"/beta/copilot/conversations/{conversation}/chat", json=turn(text, **more))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.anyio
async def test_a_conversation_is_created_with_status_and_without_turns(graph: httpx.AsyncClient) -> None:
    answer = await graph.post("/beta/copilot/conversations", json={})

    body = answer.json()
    assert answer.status_code == 201
    assert len(body.pop("id")) == 36
    assert body == {
        "createdDateTime": "2026-10-01T12:00:00.0000000Z",
        "displayName": "",
        "status": "active",
        "turnCount": 0,
    }


@pytest.mark.anyio
async def test_a_turn_answers_with_the_echo_and_the_answer(graph: httpx.AsyncClient) -> None:
    conversation = await created(graph)

    body = await asked(graph, conversation, "How many weeks of parental leave in Europe?")

    echo, answer = body["messages"]
    assert {name: body[name] for name in ("id", "displayName", "state", "turnCount")} == {
        "id": conversation,
        "displayName": "How many weeks of parental leave in Europe?",
        "state": "active",
        "turnCount": 1,
    }
    assert echo["text"] == "How many weeks of parental leave in Europe?"
    assert (echo["adaptiveCards"], echo["attributions"], echo["sensitivityLabel"]) == ([], [], NO_LABEL)
    assert answer["adaptiveCards"] == [{}]
    assert "26" in answer["text"]
    assert "[^1^]" in answer["text"]
    kinds = [each["attributionType"] for each in answer["attributions"]]
    assert kinds == sorted(kinds)
    assert set(kinds) == {"annotation", "citation"}


@pytest.mark.anyio
async def test_an_answer_bears_the_strictest_label_of_what_it_used(graph_of: Opener) -> None:
    labels = {}
    for user in ("adele", "megan"):
        graph = await graph_of(user)
        body = await asked(graph, await created(graph), "How many weeks of parental leave in Europe?")
        labels[user] = body["messages"][1]["sensitivityLabel"]

    assert labels["adele"]["displayName"] == "Confidential\\HR Only"
    assert labels["megan"] == {
        "sensitivityLabelId": "c302e9f6-7d5a-4b14-ae28-5f91b3d40003",
        "displayName": "Confidential\\All Employees",
        "tooltip": "For employees of Contoso only. Do not send outside the company.",
        "priority": 2,
        "color": "#f7b500",
        "isEncrypted": False,
    }


@pytest.mark.anyio
async def test_later_turns_keep_the_title_and_count_on(graph: httpx.AsyncClient) -> None:
    conversation = await created(graph)
    await asked(graph, conversation, "What is the retention schedule for contracts?")

    body = await asked(graph, conversation, "and who wrote it?")

    assert (body["turnCount"], body["displayName"]) == (2, "What is the retention schedule for contracts?")
    assert len(body["messages"]) == 2
    assert "was written by <Person>" in body["messages"][1]["text"]


@pytest.mark.anyio
async def test_answers_hold_only_what_the_person_may_read(graph_of: Opener) -> None:
    question = "What does the Fabrikam matter in the legal files say?"
    texts = {}
    for user in ("adele", "megan"):
        graph = await graph_of(user)
        texts[user] = (await asked(graph, await created(graph), question))["messages"][1]

    assert "sites/Legal" in json.dumps(texts["adele"])
    assert "sites/Legal" not in json.dumps(texts["megan"])


@pytest.mark.anyio
async def test_a_conversation_belongs_to_one_person(graph_of: Opener) -> None:
    adele, megan = await graph_of("adele"), await graph_of("megan")
    conversation = await created(adele)

    answer = await megan.post(f"/beta/copilot/conversations/{conversation}/chat", json=turn("Hello"))

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ConversationNotFound")


@pytest.mark.anyio
async def test_the_sdks_long_action_names_are_understood(graph: httpx.AsyncClient) -> None:
    conversation = await created(graph)
    base = f"/beta/copilot/conversations/{conversation}/microsoft.graph.copilot"

    whole = await graph.post(f"{base}.chat", json=turn("VPN"))
    stream = await graph.post(f"{base}.chatOverStream", json=turn("VPN"))

    assert whole.json()["turnCount"] == 1
    assert stream.headers["content-type"] == "text/event-stream"


@pytest.mark.anyio
async def test_the_web_is_on_unless_switched_off(graph: httpx.AsyncClient) -> None:
    conversation = await created(graph)

    default = await asked(graph, conversation, "VPN set-up", contextualResources={})
    off = await asked(graph, conversation, "VPN set-up")

    urls = [[each["seeMoreWebUrl"] for each in body["messages"][1]["attributions"]] for body in (default, off)]
    assert [any("www.example.com" in url for url in each) for each in urls] == [True, False]


@pytest.mark.anyio
async def test_an_attached_file_is_what_the_answer_stands_on(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    document = next(each for each in simulator.tenant.documents if "Parental leave.docx" in each.url)
    files = {"files": [{"uri": document.url.replace(" ", "%20") + "?web=1"}], **NO_WEB}

    body = await asked(graph, await created(graph), "Summarize this for me.", contextualResources=files)

    answer = body["messages"][1]
    cited = [each for each in answer["attributions"] if each["attributionType"] == "citation"]
    assert [each["seeMoreWebUrl"] for each in cited] == [document.url.replace(" ", "%20")]
    assert "Parental leave.docx" in answer["text"]


@pytest.mark.anyio
async def test_a_file_that_may_not_be_read_is_only_counted(graph_of: Opener, simulator: Simulator) -> None:
    megan = await graph_of("megan")
    legal = next(each for each in simulator.tenant.documents if "/sites/Legal/" in each.url)
    files = {"files": [{"uri": legal.url}, {"uri": "https://contoso.sharepoint.com/none.docx"}], **NO_WEB}

    body = await asked(megan, await created(megan), "Summarize these files", contextualResources=files)

    assert body["messages"][1]["text"].startswith("I could not open 2 of the files you named.")
    assert legal.title not in json.dumps(body)


@pytest.mark.anyio
async def test_added_context_is_marked_as_external(graph: httpx.AsyncClient) -> None:
    context = [{"text": "Project Zebra starts on 3 May. Unrelated words.", "description": "notes"}]

    body = await asked(graph, await created(graph), "When does project Zebra start?", additionalContext=context)

    assert "Project Zebra starts on 3 May.[^external^]" in body["messages"][1]["text"]


@pytest.mark.anyio
async def test_a_disengaged_conversation_refuses_later_turns(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    conversation = await created(graph)
    simulator.faults.add("disengaged", operation="chat")

    body = await asked(graph, conversation, "VPN")
    later = await graph.post(f"/beta/copilot/conversations/{conversation}/chat", json=turn("VPN"))

    assert body["state"] == "disengagedForRai"
    assert body["messages"][1]["attributions"] == []
    assert (later.status_code, later.json()["error"]["code"]) == (403, "ConversationDisengaged")


@pytest.mark.anyio
async def test_an_empty_answer_and_a_forgotten_conversation(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    conversation = await created(graph)
    simulator.faults.add("empty_answer")
    empty = await asked(graph, conversation, "VPN")
    simulator.faults.add("conversation_gone")

    gone = [await graph.post(f"/beta/copilot/conversations/{conversation}/chat", json=turn("VPN")) for _ in range(2)]

    assert empty["messages"][1]["text"] == ""
    assert [each.status_code for each in gone] == [404, 404]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message": {"text": "Hi"}},
        {"message": {"text": " "}, "locationHint": UTC},
        {"message": {"text": 5}, "locationHint": UTC},
        {"message": "Hi", "locationHint": UTC},
        {"message": {"text": "x" * 128_001}, "locationHint": UTC},
        {"message": {"text": "Hi"}, "locationHint": {"timeZone": "Pacific Standard Time"}},
        {"message": {"text": "Hi"}, "locationHint": {"timeZone": "../../etc/passwd"}},
        {"message": {"text": "Hi"}, "locationHint": {"timeZone": "Europe"}},
        {"message": {"text": "Hi"}, "locationHint": {**UTC, "city": "Oslo"}},
        {"message": {"text": "Hi"}, "locationHint": {**UTC, "latitude": "52.5"}},
        {"message": {"text": "Hi"}, "locationHint": {**UTC, "longitude": True}},
        {"message": {"text": "Hi"}, "locationHint": {**UTC, "countryOrRegion": 47}},
        {"message": {"text": "Hi"}, "locationHint": {**UTC, "countryOrRegionConfidence": []}},
        {"message": {"text": "Hi"}, "locationHint": UTC, "responseOptions": [True]},
        {"message": {"text": "Hi"}, "locationHint": UTC, "responseOptions": {"isAnnotationsEnabled": "yes"}},
        {"message": {"text": "Hi"}, "locationHint": UTC, "additionalContext": [{"text": "x", "description": 1}]},
        {"message": {"text": "Hi"}, "locationHint": UTC, "temperature": 1},
        {"message": {"text": "Hi"}, "locationHint": UTC, "additionalContext": "text"},
        {"message": {"text": "Hi"}, "locationHint": UTC, "additionalContext": [{"description": "no text"}]},
        {"message": {"text": "Hi"}, "locationHint": UTC, "contextualResources": {"files": [{}]}},
        {"message": {"text": "Hi"}, "locationHint": UTC, "contextualResources": {"mail": []}},
        {"message": {"text": "Hi"}, "locationHint": UTC, "contextualResources": {"webContext": {"isWebEnabled": "no"}}},
    ],
)
async def test_a_malformed_turn_is_refused_and_not_counted(graph: httpx.AsyncClient, body: dict[str, Any]) -> None:
    conversation = await created(graph)

    answer = await graph.post(f"/beta/copilot/conversations/{conversation}/chat", json=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")
    assert (await asked(graph, conversation, "VPN"))["turnCount"] == 1


@pytest.mark.anyio
async def test_every_documented_member_of_a_turn_is_taken(graph: httpx.AsyncClient) -> None:
    place = {"latitude": 52, "longitude": 13.4, "countryOrRegion": "DE", "countryOrRegionConfidence": 0.9}
    body = {
        "message": {"text": "VPN"},
        "locationHint": {**UTC, **place, "@odata.type": "#microsoft.graph.location"},
        "additionalContext": [{"text": "At home.", "description": "where"}],
        "responseOptions": {"isAnnotationsEnabled": True, "isDeltaStreamingEnabled": None, "@odata.note": "x"},
    }

    answer = await graph.post(f"/beta/copilot/conversations/{await created(graph)}/chat", json=body)

    assert (answer.status_code, answer.json()["turnCount"]) == (200, 1)


@pytest.mark.anyio
async def test_a_conversation_needs_no_body_and_takes_no_members(graph: httpx.AsyncClient) -> None:
    without = await graph.post("/beta/copilot/conversations")
    odd = await graph.post("/beta/copilot/conversations", json={"title": "Mine"})

    assert (without.status_code, odd.status_code) == (201, 400)


def test_the_oldest_conversation_is_forgotten_when_there_are_too_many(clock: Any) -> None:
    conversations = Conversations(clock)
    first = conversations.create("adele")
    for _ in range(MAX_CONVERSATIONS):
        last = conversations.create("adele")

    with pytest.raises(GraphRefusalError), conversations.taking_turn(first.id, "adele"):
        pass
    with conversations.taking_turn(last.id, "adele") as held:
        assert held.busy


@pytest.mark.anyio
async def test_shapes_have_the_documented_members(graph: httpx.AsyncClient, examples: Path) -> None:
    documented = {each["id"]: each["response"] for each in json.loads(examples.read_text())["examples"]}
    conversation = await graph.post("/beta/copilot/conversations", json={})
    body = await asked(graph, conversation.json()["id"], "How many weeks of parental leave in Europe?")

    sample = documented["ex041"]["body"]
    assert list(conversation.json()) == list(documented["ex040"]["body"])
    assert list(body) == list(sample)
    for mine, theirs in zip(body["messages"], sample["messages"], strict=True):
        assert list(mine) == list(theirs)
        assert mine["@odata.type"] == theirs["@odata.type"]
        assert list(mine["sensitivityLabel"]) == list(theirs["sensitivityLabel"])
    assert set(body["messages"][1]["attributions"][0]) == set(sample["messages"][1]["attributions"][0])
