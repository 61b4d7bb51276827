"""chatOverStream in the form it was seen in."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import Simulator
from copilot_mcp.simulator.conversations import Conversation, turn_of
from copilot_mcp.simulator.prose import Answer
from copilot_mcp.simulator.stream import stream_turn

QUESTION = "How many weeks of parental leave in Europe?"
TURN = {
    "message": {"text": QUESTION},
    "locationHint": {"timeZone": "Etc/UTC"},
    "contextualResources": {"webContext": {"isWebEnabled": False}},
}


async def streamed(graph: httpx.AsyncClient) -> str:
    conversation = (await graph.post("/beta/copilot/conversations", json={})).json()["id"]
    answer = await graph.post(f"/beta/copilot/conversations/{conversation}/chatOverStream", json=TURN)
    assert answer.status_code == 200
    return answer.text


def events_of(stream: str) -> list[dict[str, Any]]:
    """Our own reading of the frames: `data:` up to the `id:` line that closes them."""
    found = re.findall(r"data: (.*?)\n?\r?\nid:(\d+)\r?\n\r?\n", stream, re.DOTALL)
    assert [int(number) for _, number in found] == list(range(1, len(found) + 1))
    return [json.loads(text) for text, _ in found]


@pytest.mark.anyio
async def test_snapshots_grow_and_the_last_event_has_everything(graph: httpx.AsyncClient) -> None:
    *progress, final = events_of(await streamed(graph))

    texts = [event["messages"][0]["text"] for event in progress if event["messages"]]
    assert {event["displayName"] for event in progress} == {"Intermediate Conversation Update"}
    assert [event["turnCount"] for event in progress[:2]] == [0, 1]
    assert [event["messages"] for event in progress[:2] + progress[-2:]] == [[], [], [], []]
    assert len(texts) > 5
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    echo, answer = final["messages"]
    assert (final["displayName"], final["turnCount"], echo["text"]) == (QUESTION, 1, QUESTION)
    assert answer["text"] == texts[-1]
    assert {event["messages"][0]["id"] for event in progress if event["messages"]} == {answer["id"]}
    assert "agentId" in final
    assert final["agentId"] is None


@pytest.mark.anyio
async def test_marks_are_never_cut_and_agree_with_the_attributions(graph: httpx.AsyncClient) -> None:
    for event in events_of(await streamed(graph)):
        for message in event["messages"][-1:]:
            text = message["text"]
            tags = len(set(re.findall(r"<([A-Z]\w*)>(.*?)</\1>", text)))
            kinds = [each["attributionType"] for each in message["attributions"]]
            assert text.count("<File>") == text.count("</File>")
            assert kinds.count("annotation") == tags
            assert kinds.count("citation") == len(set(re.findall(r"\[\^(\d+)\^\]", text)))


@pytest.mark.anyio
async def test_the_card_says_the_same_with_links(graph: httpx.AsyncClient) -> None:
    final = events_of(await streamed(graph))[-1]

    (card,) = final["messages"][1]["adaptiveCards"]
    (block,) = card["body"]
    assert (card["type"], card["version"], block["type"], block["wrap"]) == ("AdaptiveCard", "1.0", "TextBlock", True)
    assert "<File>" not in block["text"]
    assert "[^1^]" not in block["text"]
    assert re.search(r" \[1\]\(https://\S+\)", block["text"])


@pytest.mark.anyio
@pytest.mark.parametrize("pace", [0.25])
async def test_the_pace_is_kept_between_events_only(graph: httpx.AsyncClient, waits: Any) -> None:
    events = events_of(await streamed(graph))

    assert waits.asked == [0.25] * (len(events) - 1)


@pytest.mark.anyio
async def test_a_cut_stream_has_no_final_event(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("cut_stream")
    events = events_of(await streamed(graph))

    assert {event["displayName"] for event in events} == {"Intermediate Conversation Update"}
    assert events[-1]["messages"]


@pytest.mark.anyio
async def test_an_error_in_the_stream_ends_it(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("stream_error")
    events = events_of(await streamed(graph))

    assert list(events[-1]) == ["error"]
    assert events[-2]["messages"]


@pytest.mark.anyio
async def test_deltas_add_up_to_the_answer(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("deltas")
    *progress, final = events_of(await streamed(graph))

    parts = [event["messages"][0]["text"] for event in progress if event["messages"]]
    assert "".join(parts) == final["messages"][1]["text"]


@pytest.mark.anyio
async def test_a_rewrite_takes_words_back(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("rewrites")
    *progress, final = events_of(await streamed(graph))

    texts = [event["messages"][0]["text"] for event in progress if event["messages"]]
    pairs = pairwise(texts)
    assert sum(not later.startswith(earlier) for earlier, later in pairs) == 2
    assert texts[-1] == final["messages"][1]["text"]


@pytest.mark.anyio
async def test_crlf_framing_has_comments(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("crlf")
    stream = await streamed(graph)

    assert stream.startswith(": keep-alive\r\ndata: {")
    assert "\n" not in stream.replace("\r\n", "")
    assert len(events_of(stream)) > 5


@pytest.mark.anyio
async def test_the_final_event_can_hold_line_breaks(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("line_breaks")
    stream = await streamed(graph)

    final = stream.split("data: ")[-1]
    assert len(final.split("\n")) > 10
    assert events_of(stream)[-1]["turnCount"] == 1


@pytest.mark.anyio
async def test_an_empty_answer_streams_no_snapshot(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("empty_answer")
    events = events_of(await streamed(graph))

    assert [len(event["messages"]) for event in events] == [0, 0, 0, 0, 2]
    assert events[-1]["messages"][1]["adaptiveCards"] == []


@pytest.mark.anyio
async def test_the_exchange_keeps_the_events(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    events = events_of(await streamed(graph))

    exchange = simulator.exchanges[-1]
    assert (exchange["operation"], exchange["status"], exchange["request"]) == ("chatOverStream", 200, TURN)
    assert exchange["response"] == events


@pytest.mark.anyio
async def test_events_have_the_members_of_the_captures(graph: httpx.AsyncClient, examples: Path) -> None:
    documented = {each["id"]: each["response"] for each in json.loads(examples.read_text())["examples"]}
    captured = re.findall(r"data: (\{.*\})\nid:\d+ ?\n", documented["ex053"]["body_text"])
    theirs = [json.loads(text) for text in captured]

    mine = events_of(await streamed(graph))

    assert list(mine[0]) == list(theirs[0])
    growing = next(event for event in mine if event["messages"])
    sample = next(event for event in theirs if event["messages"])
    assert list(growing["messages"][0]) == list(sample["messages"][0])
    assert set(growing["messages"][0]["adaptiveCards"][0]) == set(sample["messages"][0]["adaptiveCards"][0])


@pytest.mark.anyio
async def test_a_stream_left_early_frees_its_conversation(waits: Any) -> None:
    conversation = Conversation("c", "adele", 0.0)
    turn = turn_of(conversation, "Hi", Answer(("Hello there.",)), 0.0, 1.0)
    seen: list[Any] = []
    stream = stream_turn(turn, conversation, (), seen, lambda: waits(1.0))

    await anext(stream)
    busy = conversation.busy
    await stream.aclose()

    assert (busy, conversation.busy, len(seen)) == (True, False, 1)
