"""What each fault does to an answer, read in raw HTTP."""

import gzip
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

QUESTION = "How many weeks of parental leave in Europe?"
RETRIEVAL = {"queryString": QUESTION, "dataSource": "sharePoint"}
TURN = {"message": {"text": QUESTION}, "locationHint": {"timeZone": "Etc/UTC"}}
HUNDRED_MB = 100 * 1024 * 1024


@pytest.fixture
async def turn_path(graph: httpx.AsyncClient) -> str:
    conversation = (await graph.post("/beta/copilot/conversations", json={})).json()["id"]
    return f"/beta/copilot/conversations/{conversation}"


async def retrieved(graph: httpx.AsyncClient) -> httpx.Response:
    return await graph.post("/v1.0/copilot/retrieval", json=RETRIEVAL)


async def streamed(graph: httpx.AsyncClient, path: str) -> str:
    return (await graph.post(f"{path}/chatOverStream", json=TURN)).text


def plain_events(stream: str) -> list[dict[str, Any]]:
    """The events of an unspoilt framing, half an event at the end left out."""
    lines = [line[6:] for line in stream.split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line.endswith("}")]


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("throttled", "10"),
        ("throttled_date", "Thu, 01 Oct 2026 12:00:07 GMT"),
        ("throttled_decimal", "2.5"),
        ("throttled_silent", None),
        ("throttled_garbage", "soon"),
        ("throttled_negative", "-5"),
        ("throttled_huge", "1000000000"),
    ],
)
async def test_a_throttled_answer_says_its_wait_in_its_own_form(
    graph: httpx.AsyncClient, simulator: Simulator, name: str, header: str | None
) -> None:
    simulator.faults.add(name)
    answer = await retrieved(graph)
    assert (answer.status_code, answer.headers.get("retry-after")) == (429, header)


@pytest.mark.parametrize(("name", "status"), [("bad_gateway", 502), ("unavailable", 503), ("gateway_timeout", 504)])
@pytest.mark.parametrize(("form", "opening"), [("json", '{"error"'), ("html", "<!DOCTYPE html>"), ("empty", "")])
async def test_a_gateway_answers_in_three_forms(
    graph: httpx.AsyncClient, simulator: Simulator, name: str, status: int, form: str, opening: str
) -> None:
    simulator.faults.add(name, form=form, retry_after="4")
    answer = await retrieved(graph)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "4")
    assert answer.text.startswith(opening) and bool(answer.text) == bool(opening)


async def test_a_busy_conversation_and_an_empty_body(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("conflict")
    simulator.faults.add("empty")
    answers = [await retrieved(graph), await retrieved(graph)]
    assert [(each.status_code, bool(each.content)) for each in answers] == [(409, True), (200, False)]


@pytest.mark.parametrize(("status", "sent"), [(200, True), (204, False), (205, False), (304, False), (404, True)])
async def test_a_page_has_a_body_where_its_status_allows_one(
    graph: httpx.AsyncClient, simulator: Simulator, status: int, sent: bool
) -> None:
    simulator.faults.add("html", operation="retrieval", status=status)
    answer = await retrieved(graph)
    assert (answer.status_code, bool(answer.content)) == (status, sent)


@pytest.mark.parametrize("name", ["drop_connection", "reset_after_headers"])
async def test_a_reset_comes_after_the_request_is_carried_out(
    graph: httpx.AsyncClient, simulator: Simulator, turn_path: str, name: str
) -> None:
    simulator.faults.add(name, operation="chat")
    with pytest.raises(ConnectionResetError):
        await graph.post(f"{turn_path}/chat", json=TURN)
    assert simulator.turns_recorded == 1


async def test_bytes_come_late_or_one_by_one(graph: httpx.AsyncClient, simulator: Simulator, waits: Any) -> None:
    whole = (await retrieved(graph)).content
    simulator.faults.add("slow_first_byte")
    simulator.faults.add("trickle", times=2)
    assert (await retrieved(graph)).content == whole
    assert waits.asked == [90.0] + [1.0] * len(whole)
    waits.asked.clear()
    assert (await retrieved(graph)).content == whole
    assert waits.asked == [1.0] * len(whole)


async def test_the_media_type_can_be_wrong(graph: httpx.AsyncClient, simulator: Simulator, turn_path: str) -> None:
    simulator.faults.add("wrong_type", times=2)
    answer = await retrieved(graph)
    stream = await graph.post(f"{turn_path}/chatOverStream", json=TURN)
    assert (answer.headers["content-type"], bool(answer.json()["retrievalHits"])) == ("text/plain", True)
    assert (stream.headers["content-type"], stream.text.startswith("data: {")) == ("application/json", True)


async def test_a_big_body_is_still_json(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("big_body")
    answer = await retrieved(graph)
    assert len(answer.content) > HUNDRED_MB
    assert len(json.loads(answer.content).pop("padding")) == HUNDRED_MB


async def test_a_bomb_is_small_until_it_is_unpacked(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    plain = (await retrieved(graph)).json()
    simulator.faults.add("gzip_bomb")
    request = graph.build_request("POST", "/v1.0/copilot/retrieval", json=RETRIEVAL)
    answer = await graph.send(request, stream=True)
    packed = b"".join([chunk async for chunk in answer.aiter_raw()])
    unpacked = json.loads(gzip.decompress(packed))
    assert len(packed) < HUNDRED_MB // 200
    assert len(unpacked.pop("padding")) == HUNDRED_MB
    assert unpacked == plain


async def test_a_deep_body_is_balanced(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("deep_json")
    content = (await retrieved(graph)).text
    assert content.startswith('{"deep":' + "[" * 100_000 + "]" * 100_000 + ",")
    with pytest.raises(RecursionError):
        json.loads(content)


async def test_values_are_other_than_promised(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    for name in ("unknown_members", "unknown_values", "null_labels", "nan_scores"):
        simulator.faults.add(name)
    body = (await retrieved(graph)).json()
    hit = body["retrievalHits"][0]
    assert body["newFlag"] is True and hit["newMember"]["nested"]
    assert hit["resourceType"] == "aValueOfTomorrow"
    label = hit["sensitivityLabel"]
    assert (label["displayName"], label["priority"], label["sensitivityLabelId"]) == (None, None, None)
    assert [str(extract["relevanceScore"]) for extract in hit["extracts"]] == ["nan"] * len(hit["extracts"])
    simulator.faults.add("missing_scores")
    body = (await retrieved(graph)).json()
    assert [
        extract for hit in body["retrievalHits"] for extract in hit["extracts"] if "relevanceScore" in extract
    ] == []


async def test_a_turn_has_the_same_odd_values(graph: httpx.AsyncClient, simulator: Simulator, turn_path: str) -> None:
    simulator.faults.add("unknown_values", times=2)
    whole = (await graph.post(f"{turn_path}/chat", json=TURN)).json()
    events = plain_events(await streamed(graph, turn_path))
    assert {whole["state"], *(event["state"] for event in events)} == {"aValueOfTomorrow"}


@pytest.mark.parametrize("at", [1, 4, -2, -1])
async def test_a_stream_is_cut_where_it_was_asked(
    graph: httpx.AsyncClient, simulator: Simulator, turn_path: str, at: int
) -> None:
    whole = len(plain_events(await streamed(graph, turn_path)))
    number = at if at > 0 else whole + 1 + at
    simulator.faults.add("cut_stream", at=at)
    simulator.faults.add("cut_event", at=at)
    cut = await streamed(graph, turn_path)
    # Both struck the first stream; the half event is the last that went out.
    assert len(plain_events(cut)) == number - 1
    assert not cut.endswith("\n")
    simulator.faults.add("stream_error", at=at)
    events = plain_events(await streamed(graph, turn_path))
    assert [list(event) for event in events[-1:]] == [["error"]] and len(events) == number


async def test_an_error_object_as_the_last_event_has_no_card_to_break(
    graph: httpx.AsyncClient, simulator: Simulator, turn_path: str
) -> None:
    simulator.faults.add("stream_error", at=-1, status=401)
    simulator.faults.add("line_breaks")
    events = plain_events(await streamed(graph, turn_path))
    message = "The turn failed after it had begun. Status = 401"
    assert events[-1] == {"error": {"code": "InternalServerError", "message": message}}


async def test_a_wrapped_refusal_names_the_status_that_was_asked(
    graph: httpx.AsyncClient, simulator: Simulator, turn_path: str
) -> None:
    simulator.faults.add("wrapped_refusal", status=401)
    answer = await graph.post(f"{turn_path}/chat", json=TURN)
    message = "Got Non-2xx response from the chat service. Status = 401"
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, message)


async def test_the_middle_is_where_a_stream_breaks_unless_said(
    graph: httpx.AsyncClient, simulator: Simulator, turn_path: str
) -> None:
    simulator.faults.add("reset_stream")
    with pytest.raises(ConnectionResetError):
        await streamed(graph, turn_path)
    simulator.faults.add("cut_event")
    assert len(plain_events(await streamed(graph, turn_path))) > 4


async def test_the_final_event_can_be_missing(graph: httpx.AsyncClient, simulator: Simulator, turn_path: str) -> None:
    simulator.faults.add("no_final")
    events = plain_events(await streamed(graph, turn_path))
    assert {event["displayName"] for event in events} == {"Intermediate Conversation Update"}
    assert [len(event["messages"]) for event in events[-3:]] == [1, 0, 0]


async def test_the_final_event_can_hold_an_answer_without_text(
    graph: httpx.AsyncClient, simulator: Simulator, turn_path: str
) -> None:
    simulator.faults.add("disengaged_event", at=-1)
    simulator.faults.add("empty_final")
    events = plain_events(await streamed(graph, turn_path))
    assert [message["text"] for message in events[-1]["messages"]] == [QUESTION, ""]
    assert events[-1]["state"] == "disengagedForRai"
    assert events[-4]["messages"][0]["text"]


async def test_a_conversation_can_be_closed_in_any_event(
    graph: httpx.AsyncClient, simulator: Simulator, turn_path: str
) -> None:
    simulator.faults.add("disengaged_event", at=3)
    states = [event["state"] for event in plain_events(await streamed(graph, turn_path))]
    assert states[:2] == ["active"] * 2 and set(states[2:]) == {"disengagedForRai"}
    assert (await graph.post(f"{turn_path}/chat", json=TURN)).status_code == 403


async def test_frames_have_every_form(graph: httpx.AsyncClient, simulator: Simulator, turn_path: str) -> None:
    told = {}
    for name in ("comments", "no_blank_lines", "multi_line", "data_lines"):
        simulator.faults.add(name)
        told[name] = await streamed(graph, turn_path)
    assert told["comments"].startswith(": keep-alive\n\ndata: {") and "\n: and another\nid:1\n" in told["comments"]
    assert "\n\n" not in told["no_blank_lines"]
    assert told["multi_line"].startswith('data: {\n  "@odata.context"')
    fields = {line.partition(":")[0] for line in told["data_lines"].split("\n") if line}
    assert fields == {"data", "id"} and told["data_lines"].startswith("data: {\ndata:   ")


async def test_a_whole_body_can_stand_in_for_a_stream(
    graph: httpx.AsyncClient, simulator: Simulator, turn_path: str
) -> None:
    simulator.faults.add("whole_body")
    answer = await graph.post(f"{turn_path}/chatOverStream", json=TURN)
    assert answer.headers["content-type"] == "application/json"
    assert [message["text"] == QUESTION for message in answer.json()["messages"]] == [True, False]


async def test_a_spoilt_stream_leaves_the_conversation_free(
    graph: httpx.AsyncClient, simulator: Simulator, turn_path: str
) -> None:
    for name in ("reset_after_headers", "reset_stream", "gzip_bomb"):
        simulator.faults.add(name, operation="chatOverStream")
        request = graph.build_request("POST", f"{turn_path}/chatOverStream", json=TURN)
        try:
            answer = await graph.send(request, stream=True)
            await drained(answer.aiter_raw())
        except ConnectionResetError:
            pass
        assert (await graph.post(f"{turn_path}/chat", json=TURN)).status_code == 200


async def drained(chunks: AsyncIterator[bytes]) -> None:
    async for _ in chunks:
        pass


async def batch(graph: httpx.AsyncClient, names: Sequence[str] = ("1", "2", "3")) -> list[tuple[str, int]]:
    items = [
        {
            "id": name,
            "method": "POST",
            "url": "/copilot/retrieval",
            "headers": {"Content-Type": "application/json"},
            "body": RETRIEVAL,
        }
        for name in names
    ]
    answer = await graph.post("/v1.0/$batch", json={"requests": items})
    return [(each["id"], each["status"]) for each in answer.json()["responses"]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("batch_reordered", [("3", 200), ("2", 200), ("1", 200)]),
        ("batch_missing", [("2", 200), ("3", 200)]),
        ("batch_doubled", [("1", 200), ("1", 200), ("2", 200), ("3", 200)]),
        ("batch_unknown_id", [("nobody-asked", 200), ("1", 200), ("2", 200), ("3", 200)]),
        ("batch_item_424", [("1", 424), ("2", 200), ("3", 200)]),
        ("batch_item_429", [("1", 429), ("2", 200), ("3", 200)]),
        ("batch_item_401", [("1", 401), ("2", 200), ("3", 200)]),
        ("batch_item_claims", [("1", 401), ("2", 200), ("3", 200)]),
        ("batch_item_claims,status=403", [("1", 403), ("2", 200), ("3", 200)]),
    ],
)
async def test_a_batch_answer_is_spoilt(
    graph: httpx.AsyncClient, simulator: Simulator, name: str, expected: list[tuple[str, int]]
) -> None:
    simulator.faults.add_spec(name)
    assert await batch(graph) == expected
    assert sorted(await batch(graph)) == [("1", 200), ("2", 200), ("3", 200)]


async def test_nothing_is_left_to_spoil_when_every_item_is_missing(
    graph: httpx.AsyncClient, simulator: Simulator
) -> None:
    simulator.faults.add("batch_missing", times=4)
    for _ in range(3):
        simulator.faults.add("batch_missing")
    assert await batch(graph) == []


async def test_an_item_has_odd_values_of_its_own(graph: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("unknown_members", operation="retrieval")
    assert len(await batch(graph)) == 3
    assert simulator.faults.waiting == ()


async def test_a_reordered_batch_goes_by_the_order_of_the_requests(
    graph: httpx.AsyncClient, simulator: Simulator
) -> None:
    names = [*(str(number) for number in range(1, 13)), "b", "a"]
    simulator.faults.add("batch_reordered")
    assert [name for name, _ in await batch(graph, names)] == names[::-1]
