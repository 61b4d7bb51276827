"""A streamed turn: snapshots while it comes, the truth about how it ended."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest

from copilot_mcp.errors import (
    ConversationGoneError,
    PermissionDeniedError,
    ServiceUnavailableError,
    ThrottledError,
)
from copilot_mcp.graph import ChatBody, ChatSnapshot, GraphClient
from copilot_mcp.graph.turn import SETTLED_AFTER_S

pytestmark = pytest.mark.anyio

PROMPT = "Who keeps the keys of the observatory?"
TURN = ChatBody.model_validate({"message": {"text": PROMPT}, "locationHint": {"timeZone": "Etc/UTC"}})
EVENTS = {"Content-Type": "text/event-stream", "request-id": "req-1"}


class Body(httpx.AsyncByteStream):
    """Hands over pieces; an exception among them is raised; says whether it was closed."""

    def __init__(self, *pieces: bytes | Exception, then_wait: bool = False) -> None:
        self.pieces = pieces
        self.then_wait = then_wait
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece
        if self.then_wait:
            await anyio.sleep_forever()

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed = True


def event(*texts: str, turns: int = 0, title: str = "Intermediate Conversation Update", **members: Any) -> bytes:
    messages = [{"id": f"m{number}", "text": text} for number, text in enumerate(texts)]
    envelope = {"id": "c", "displayName": title, "turnCount": turns, "state": "active", "messages": messages} | members
    return f"data: {json.dumps(envelope)}\nid:1\n\n".encode()


FINAL = event(PROMPT, "Ines keeps them.", turns=1, title=PROMPT)


async def snapshots(wire: Any, body: Body, headers: dict[str, str] = EVENTS) -> tuple[list[ChatSnapshot], Any]:
    async with wire.open(lambda _: httpx.Response(200, headers=headers, stream=body)) as graph:
        async with graph.chat_over_stream("c", TURN) as turn:
            seen = [snapshot async for snapshot in turn]
        assert body.closed
    return seen, turn


def shown(seen: list[ChatSnapshot]) -> list[tuple[str, bool]]:
    return [(snapshot.text, snapshot.final) for snapshot in seen]


async def test_events_without_text_take_nothing_away(wire: Any) -> None:
    empty = event(PROMPT, "", turns=1, title=PROMPT)
    seen, turn = await snapshots(wire, Body(event("Ines"), event(""), event("Ines keeps"), event(" \n"), empty))
    assert shown(seen) == [
        ("Ines", False),
        ("Ines", False),
        ("Ines keeps", False),
        ("Ines keeps", False),
        ("Ines keeps", True),
    ]
    assert turn.complete


async def test_an_error_after_an_empty_event_hands_out_the_text_before(wire: Any) -> None:
    failed = b'data: {"error": {"code": "x"}}\n\n'
    with pytest.raises(ServiceUnavailableError) as caught:
        await snapshots(wire, Body(event("Ines keeps"), event(""), failed))
    assert caught.value.partial_text == "Ines keeps"


@pytest.mark.parametrize("size", [1, 37, 100_000])
async def test_snapshots_grow_until_the_final_one(wire: Any, stream_bytes: bytes, size: int) -> None:
    pieces = [stream_bytes[start : start + size] for start in range(0, len(stream_bytes), size)]
    seen, turn = await snapshots(wire, Body(*pieces))
    assert [snapshot.final for snapshot in seen] == [False, False, False, True]
    assert [len(snapshot.text) for snapshot in seen[:2]] == [40, 140]
    assert seen[2].text == seen[3].text
    assert seen[3].conversation.turn_count == 1
    assert (turn.complete, turn.ending, turn.requests_used, turn.request_id) == (True, "final", 1, "req-1")
    assert (seen[3].conversation.request_id, seen[3].conversation.requests_used) == ("req-1", 1)
    request = wire.requests[0]
    assert request.headers["accept"] == "text/event-stream, application/json"
    assert request.url.path == "/beta/copilot/conversations/c/chatOverStream"


@pytest.mark.parametrize(
    ("pieces", "ending"),
    [
        ((event("Ines"),), "cut"),
        ((event("Ines"), b'data: {"id": "c", "mess'), "cut"),
        ((event("Ines"), httpx.RemoteProtocolError("peer closed")), "cut"),
        ((event("Ines"), httpx.ReadError("reset")), "cut"),
        ((event("Ines"), httpx.ReadTimeout("idle")), "idle"),
    ],
)
async def test_broken_stream_keeps_the_last_snapshot(wire: Any, pieces: tuple[Any, ...], ending: str) -> None:
    seen, turn = await snapshots(wire, Body(*pieces))
    assert shown(seen) == [("Ines", False)]
    assert (turn.complete, turn.ending) == (False, ending)
    assert len(wire.requests) == 1


async def test_turn_that_takes_too_long_ends_at_the_limit(wire: Any) -> None:
    body = Body(event("Ines"), then_wait=True)
    opened = wire.open(lambda _: httpx.Response(200, headers=EVENTS, stream=body))
    async with opened as graph, graph.chat_over_stream("c", TURN) as turn:
        seen = [await anext(turn)]
        wire.seconds = 330.0
        seen += [snapshot async for snapshot in turn]
    assert (shown(seen), turn.ending, body.closed) == ([("Ines", False)], "time_limit", True)


async def test_empty_stream_is_incomplete(wire: Any) -> None:
    seen, turn = await snapshots(wire, Body())
    assert (seen, turn.ending) == ([], "cut")


async def test_reading_stops_at_the_final_event(wire: Any) -> None:
    seen, turn = await snapshots(wire, Body(event("Ines"), FINAL, then_wait=True))
    assert (shown(seen), turn.complete) == ([("Ines", False), ("Ines keeps them.", True)], True)


TRANSLATED = "Zwischenstand der Unterhaltung"
FOLLOW_UP = "Where is the dome?"
"""The title of the final event in a later turn: the first prompt of the conversation."""


@pytest.mark.parametrize("end", [b"", b'data: {"id": "c", "mess', httpx.RemoteProtocolError("peer closed")])
async def test_echo_before_the_turn_is_counted_is_no_end(wire: Any, end: Any) -> None:
    seen, turn = await snapshots(wire, Body(event(PROMPT, "Ines"), event(PROMPT, "Ines keeps them."), end))
    assert (shown(seen), turn.ending) == ([("Ines", False), ("Ines keeps them.", False)], "cut")


async def test_translated_title_of_a_growing_answer_is_no_end(wire: Any) -> None:
    texts = ["Ines", "Ines keeps", "Ines keeps them."]
    seen, turn = await snapshots(wire, Body(*(event(PROMPT, text, turns=1, title=TRANSLATED) for text in texts)))
    assert (shown(seen), turn.complete) == ([(text, False) for text in texts], False)


async def test_final_event_after_translated_ones_ends_the_turn(wire: Any) -> None:
    growing = (event(PROMPT, text, turns=1, title=TRANSLATED) for text in ("Ines", "Ines keeps"))
    final = event(PROMPT, "Ines keeps them.", turns=1, title=FOLLOW_UP)
    seen, turn = await snapshots(wire, Body(*growing, final))
    assert shown(seen)[1:] == [("Ines keeps", False), ("Ines keeps them.", False), ("Ines keeps them.", True)]
    assert turn.complete


async def test_title_seen_while_the_answer_grew_marks_the_final_event(wire: Any) -> None:
    final = event(PROMPT, "Ines keeps them.", turns=2, title=FOLLOW_UP)
    body = Body(event("Ines", title=TRANSLATED), final, then_wait=True)
    seen, turn = await snapshots(wire, body)
    assert (shown(seen), turn.complete) == ([("Ines", False), ("Ines keeps them.", True)], True)


@pytest.mark.parametrize("title", [PROMPT, FOLLOW_UP, ""])
async def test_an_echo_after_texts_without_one_ends_the_turn_whatever_its_title(wire: Any, title: str) -> None:
    events = (event("Ines", title=title), event(PROMPT, "Ines keeps them.", turns=1, title=title))
    seen, turn = await snapshots(wire, Body(*events, then_wait=True))
    assert (shown(seen), turn.complete) == ([("Ines", False), ("Ines keeps them.", True)], True)


@pytest.mark.parametrize("then_wait", [True, False])
async def test_final_event_alone_ends_a_first_turn_at_once(wire: Any, then_wait: bool) -> None:
    seen, turn = await snapshots(wire, Body(FINAL, then_wait=then_wait))
    assert (shown(seen), turn.complete) == ([("Ines keeps them.", True)], True)


@pytest.mark.parametrize(
    "before", [(), (event(title=FOLLOW_UP),), (event(PROMPT, title=FOLLOW_UP),)], ids=["alone", "start", "echo"]
)
async def test_final_event_alone_ends_a_later_turn_when_nothing_more_comes(wire: Any, before: Any) -> None:
    final = event(PROMPT, "Yes.", turns=2, title=FOLLOW_UP)
    opened = wire.open(lambda _: httpx.Response(200, headers=EVENTS, stream=Body(*before, final, then_wait=True)))
    async with opened as graph, graph.chat_over_stream("c", TURN) as turn:
        seen = [await anext(turn)]
        wire.seconds += SETTLED_AFTER_S
        seen += [snapshot async for snapshot in turn]
    assert (shown(seen), turn.complete) == ([("Yes.", False), ("Yes.", True)], True)


async def test_the_intermediate_title_before_tells_a_later_turns_final_event(wire: Any) -> None:
    final = event(PROMPT, "Yes.", turns=2, title=FOLLOW_UP)
    seen, turn = await snapshots(wire, Body(event(), final, then_wait=True))
    assert (shown(seen), turn.complete) == ([("Yes.", True)], True)


@pytest.mark.parametrize("event_before", [b"", event("Ines")])
async def test_closed_conversation_is_not_waited_for(wire: Any, event_before: bytes) -> None:
    closed = event(PROMPT, turns=1, state="disengagedForRai")
    body = Body(*([event_before] if event_before else []), closed, then_wait=True)
    opened = wire.open(lambda _: httpx.Response(200, headers=EVENTS, stream=body))
    async with opened as graph, graph.chat_over_stream("c", TURN) as turn:
        seen = [await anext(turn)] + ([await anext(turn)] if event_before else [])
        wire.seconds += SETTLED_AFTER_S
        seen += [snapshot async for snapshot in turn]
    assert (seen[-1].conversation.disengaged, turn.complete, turn.ending) == (True, False, "cut")


@pytest.mark.parametrize("fault", [httpx.ReadTimeout("idle"), httpx.RemoteProtocolError("peer closed")])
@pytest.mark.parametrize(
    "body", [event("Ines") + FINAL.partition(b"\n")[0], FINAL.removeprefix(b"data: ").partition(b"\n")[0]]
)
async def test_last_line_without_its_end_is_read_though_the_connection_breaks(
    wire: Any, body: bytes, fault: Exception
) -> None:
    seen, turn = await snapshots(wire, Body(body, fault))
    assert (shown(seen)[-1], turn.complete) == (("Ines keeps them.", True), True)


@pytest.mark.parametrize("behind", [b"", event(), b'data: {"error": {"code": "x"}}\n\n', event("Less")])
async def test_what_comes_together_with_the_final_event_takes_nothing_away(wire: Any, behind: bytes) -> None:
    seen, turn = await snapshots(wire, Body(event("Ines"), FINAL + behind))
    assert (shown(seen)[1:], turn.complete) == ([("Ines keeps them.", True)], True)


async def test_newer_final_event_that_came_together_counts(wire: Any) -> None:
    newer = event(PROMPT, "Ines keeps them all.", turns=1, title=PROMPT, state="disengagedForRai")
    seen, turn = await snapshots(wire, Body(event("Ines"), FINAL + newer))
    assert (shown(seen)[1:], turn.complete) == ([("Ines keeps them all.", True)], True)
    assert seen[-1].conversation.disengaged


async def test_answer_that_goes_on_under_the_title_of_its_prompt_is_not_said_to_be_whole(wire: Any) -> None:
    texts = ("Ines", "Ines keeps", "Ines keeps them.")
    seen, turn = await snapshots(wire, Body(b"".join(event(PROMPT, text, turns=1, title=PROMPT) for text in texts)))
    assert (shown(seen)[-1], turn.ending) == (("Ines keeps them.", False), "cut")


async def test_answer_that_goes_on_without_its_echo_is_not_said_to_be_whole(wire: Any) -> None:
    looks_final = event(PROMPT, "Ines keeps", turns=1, title=TRANSLATED)
    seen, turn = await snapshots(wire, Body(looks_final, event("Ines keeps them.", title=TRANSLATED)))
    assert (shown(seen), turn.complete) == ([("Ines keeps", False), ("Ines keeps them.", False)], False)


async def test_increments_beside_the_echo_are_joined(wire: Any) -> None:
    pieces = ("One long beginning. ", "Two. ", "three")
    seen, turn = await snapshots(wire, Body(*(event(PROMPT, piece) for piece in pieces)))
    assert (seen[-1].text, turn.complete) == ("One long beginning. Two. three", False)


async def test_long_increments_are_whole_when_the_stream_is_cut(wire: Any) -> None:
    pieces = ["Begin with this ", *["and on "] * 3_000]
    seen, turn = await snapshots(wire, Body(b"".join(map(event, pieces))))
    assert (seen[-1].text, seen[-1].final, turn.ending) == ("".join(pieces), False, "cut")
    failed = b'data: {"error": {"code": "x"}}\n\n'
    with pytest.raises(ServiceUnavailableError) as caught:
        await snapshots(wire, Body(b"".join(map(event, pieces)), failed))
    assert caught.value.partial_text == "".join(pieces)


async def test_final_text_is_not_joined_to_increments(wire: Any) -> None:
    pieces = [event(piece, title=FOLLOW_UP) for piece in ("The keys are ", "with ", "Ines")]
    final = event(PROMPT, "The keys: with Ines.", turns=1, title=FOLLOW_UP)
    seen, turn = await snapshots(wire, Body(*pieces, final))
    assert shown(seen)[2:] == [("The keys are with Ines", False), ("The keys: with Ines.", True)]
    assert turn.complete


async def test_lines_of_json_without_a_stream_are_read_to_their_end(wire: Any) -> None:
    lines = b"".join(event(*texts).removeprefix(b"data: ") for texts in (("Ines",), ("Ines keeps",)))
    seen, turn = await snapshots(wire, Body(lines), {"Content-Type": "application/x-ndjson"})
    assert (shown(seen), turn.complete) == ([("Ines keeps", False)], False)


async def test_leaving_early_closes_the_connection(wire: Any) -> None:
    body = Body(event("Ines"), then_wait=True)
    async with wire.open(lambda _: httpx.Response(200, headers=EVENTS, stream=body)) as graph:
        async with graph.chat_over_stream("c", TURN) as turn:
            assert (await anext(turn)).text == "Ines"
        assert body.closed
        assert [snapshot async for snapshot in turn] == []
    assert turn.complete is False


async def test_cancelling_closes_the_connection(wire: Any) -> None:
    body = Body(event("Ines"), then_wait=True)
    async with wire.open(lambda _: httpx.Response(200, headers=EVENTS, stream=body)) as graph:
        with anyio.CancelScope() as scope:
            async with graph.chat_over_stream("c", TURN) as turn:
                async for _ in turn:
                    scope.cancel()
        assert (body.closed, scope.cancelled_caught) == (True, True)


async def test_error_of_the_reader_closes_the_connection(wire: Any) -> None:
    body = Body(event("Ines"), then_wait=True)
    async with wire.open(lambda _: httpx.Response(200, headers=EVENTS, stream=body)) as graph:
        with pytest.raises(LookupError):
            async with graph.chat_over_stream("c", TURN) as turn:
                await anext(turn)
                raise LookupError
    assert body.closed


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        ({"code": "internalServerError", "message": "Status = 403 (Forbidden)"}, PermissionDeniedError),
        ({"code": "TooManyRequests", "message": ""}, ThrottledError),
        ({"code": "generalException"}, ServiceUnavailableError),
    ],
)
async def test_error_in_the_stream_is_raised_with_the_text_so_far(
    wire: Any, error: dict[str, str], error_class: type[Exception]
) -> None:
    body = Body(event("Ines keeps"), f"data: {json.dumps({'error': error})}\n\n".encode(), FINAL)
    with pytest.raises(error_class) as caught:
        await snapshots(wire, body)
    assert body.closed
    assert (getattr(caught.value, "partial_text", ""), getattr(caught.value, "requests_used", 0)) == ("Ines keeps", 1)
    assert "Ines" not in str(caught.value)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "text/event-stream", ""])
async def test_json_answer_is_one_conversation(wire: Any, payload: Any, content_type: str) -> None:
    text = json.dumps(payload("chat-answer.json"), indent=2).encode()
    seen, turn = await snapshots(wire, Body(text), {"Content-Type": content_type})
    assert [(snapshot.final, snapshot.conversation.turn_count) for snapshot in seen] == [(True, 1)]
    assert turn.complete


async def test_json_answer_without_an_echo_is_final_too(wire: Any) -> None:
    text = json.dumps({"id": "c", "messages": [{"text": "Ines."}]}).encode()
    seen, turn = await snapshots(wire, Body(text), {"Content-Type": "application/json"})
    assert (shown(seen), turn.ending) == ([("Ines.", True)], "final")


@pytest.mark.parametrize(
    ("page", "content_type"),
    [
        (b"<html>Welcome</html>", "text/html"),
        (b"\n  <!DOCTYPE html>\n<html>Welcome", "text/event-stream"),
        (b"Access denied", "text/html; charset=utf-8"),
    ],
)
async def test_page_instead_of_a_stream_is_a_portal(wire: Any, page: bytes, content_type: str) -> None:
    body = Body(page)
    with pytest.raises(ServiceUnavailableError) as caught:
        await snapshots(wire, body, {"Content-Type": content_type})
    assert (caught.value.kind, caught.value.requests_used, body.closed) == ("captive_portal", 1, True)
    assert "again" not in caught.value.hint.replace("do not send it again", "")


async def test_page_is_not_read_to_its_end(wire: Any) -> None:
    with pytest.raises(ServiceUnavailableError):
        await snapshots(wire, Body(b"<html>\n", then_wait=True), {"Content-Type": "text/html"})


async def test_stream_labelled_as_a_page_is_read(wire: Any) -> None:
    seen, turn = await snapshots(wire, Body(event("Ines"), FINAL), {"Content-Type": "text/html"})
    assert (shown(seen)[-1], turn.complete) == (("Ines keeps them.", True), True)


@pytest.mark.parametrize("pieces", [(event(),), (httpx.ReadError("reset"),)])
async def test_broken_or_empty_stream_labelled_as_a_page_is_no_portal(wire: Any, pieces: Any) -> None:
    seen, turn = await snapshots(wire, Body(*pieces), {"Content-Type": "text/html"})
    assert (seen, turn.ending) == ([], "cut")


async def test_refusal_before_the_stream_has_a_json_body(wire: Any, replies: Any) -> None:
    async with wire.open(replies(httpx.Response(404, json={"error": {"code": "itemNotFound"}}))) as graph:
        with pytest.raises(ConversationGoneError):
            async with graph.chat_over_stream("c", TURN):
                raise AssertionError("opened")
    assert len(wire.requests) == 1


async def test_rewritten_words_replace_the_old_ones(wire: Any) -> None:
    texts = ["Ines keeps the", "Ines holds the keys", "No. Tom", "No. Tom keeps them."]
    seen, _ = await snapshots(wire, Body(*(event(text) for text in texts), FINAL))
    assert [snapshot.text for snapshot in seen] == [*texts, "Ines keeps them."]


async def test_passing_rewrite_does_not_double_the_answer(wire: Any) -> None:
    texts = ["Ines keeps", "In other words: Ines keeps", "Ines keeps the keys", "Tom!", "Ines keeps the keys. Yes."]
    seen, _ = await snapshots(wire, Body(*(event(text) for text in texts)))
    assert [snapshot.text for snapshot in seen] == texts


async def test_rewrites_in_a_row_are_not_joined_once_a_snapshot_has_grown(wire: Any) -> None:
    grown = ["Ines keeps the keys", "Ines keeps the keys of the dome"]
    texts = [*grown, "Let me look.", "Tom has them", "No: Ines", "Perhaps nobody", "Ines. ", "Ines. She keeps them"]
    seen, _ = await snapshots(wire, Body(*(event(text) for text in texts), FINAL))
    assert [snapshot.text for snapshot in seen] == [*texts, "Ines keeps them."]


async def test_increments_are_joined_once_they_are_plain(wire: Any) -> None:
    pieces = ["Ines ", "keeps ", "all ", "the ", "keys."]
    seen, _ = await snapshots(wire, Body(*(event(piece) for piece in pieces), event("Ines keeps all the keys. So.")))
    assert [snapshot.text for snapshot in seen] == [
        "Ines ",
        "keeps ",
        "Ines keeps all ",
        "Ines keeps all the ",
        "Ines keeps all the keys.",
        "Ines keeps all the keys. So.",
    ]


async def test_closed_conversation_is_told_once_with_the_text_so_far(wire: Any) -> None:
    closed = event(state="disengagedForRai")
    seen, turn = await snapshots(wire, Body(event("Ines"), closed, closed))
    assert [(one.text, one.conversation.state, len(one.conversation.messages)) for one in seen] == [
        ("Ines", "active", 1),
        ("Ines", "disengagedForRai", 1),
    ]
    assert turn.complete is False


async def test_conversation_closed_before_any_answer_is_told(wire: Any) -> None:
    seen, _ = await snapshots(wire, Body(event(state="disengagedForRai")))
    assert [(one.text, one.conversation.disengaged, one.final) for one in seen] == [("", True, False)]


async def test_events_without_an_answer_and_odd_ones_are_passed_over(wire: Any) -> None:
    seen, turn = await snapshots(wire, Body(event(), event(PROMPT), b"data: {bad}\n\n", b"data: [1]\n\n", FINAL))
    assert (shown(seen), turn.complete) == ([("Ines keeps them.", True)], True)


async def test_documented_streams_end_with_the_whole_answer(wire: Any, examples: dict[str, Any]) -> None:
    for number in (45, 46, 47, 48, 53, 54, 55, 56):
        entry = examples[f"ex0{number}"]
        body = ChatBody.model_validate(entry["request"]["body"])
        stream = Body(entry["response"]["body_text"].encode())
        async with wire.open(lambda _, stream=stream: httpx.Response(200, headers=EVENTS, stream=stream)) as graph:
            client: GraphClient = graph
            async with client.chat_over_stream("c", body) as turn:
                seen = [snapshot async for snapshot in turn]
        assert turn.complete
        assert seen[-1].conversation.turn_count >= 1
        assert [snapshot.text for snapshot in seen[-2:]] == [seen[-1].text] * 2
