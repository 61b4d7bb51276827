"""What the client does with answers that are too large, too deep, packed too tightly or otherwise beyond reason."""

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from copilot_mcp.errors import GraphError, InvalidRequestError, ServiceUnavailableError
from copilot_mcp.graph import ChatBody, RetrievalBody

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
BODY = RetrievalBody(query_string="keys", data_source="sharePoint")
PICTURES = RetrievalBody(query_string="keys", data_source="sharePoint", include_thumbnails=True)
TURN = ChatBody.model_validate({"message": {"text": "Hi"}, "locationHint": {"timeZone": "Etc/UTC"}})
SECRET_WORDS = "the merger closes on Friday"


class Endless(httpx.AsyncByteStream):
    """A body without end, in pieces of a megabyte."""

    def __init__(self) -> None:
        self.served = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.served += 1
            yield b" " * MIB

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("status", "error_class"), [(400, InvalidRequestError), (200, ServiceUnavailableError)])
async def test_endless_body_is_cut_off_and_asked_for_once(
    wire: Any, status: int, error_class: type[GraphError]
) -> None:
    endless = Endless()
    async with wire.open(lambda _: httpx.Response(status, stream=endless)) as graph:
        with pytest.raises(error_class) as caught:
            await graph.retrieve(BODY)
    assert (endless.served, endless.closed) == (5 if status == 200 else 2, True)
    assert (caught.value.requests_used, len(wire.requests)) == (1, 1)


@pytest.mark.parametrize(
    ("call", "megabytes"),
    [
        (lambda graph: graph.create_conversation(), 1),
        (lambda graph: graph.retrieve(BODY), 4),
        (lambda graph: graph.chat("c", TURN), 8),
        (lambda graph: graph.retrieve(PICTURES), 32),
        (lambda graph: graph.retrieve_many([BODY]), 32),
    ],
    ids=["create", "retrieve", "chat", "pictures", "batch"],
)
async def test_each_operation_has_its_limit(wire: Any, call: Any, megabytes: int) -> None:
    endless = Endless()
    async with wire.open(lambda _: httpx.Response(200, stream=endless)) as graph:
        try:
            (error,) = await call(graph)
        except GraphError as raised:
            error = raised
    assert endless.served == megabytes + 1
    assert (type(error), error.kind, error.status) == (ServiceUnavailableError, "service", 200)
    assert "larger than any real one" in error.message and error.hint


@pytest.mark.parametrize(
    "content",
    [b'{"retrievalHits":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"retrievalHits":[' + b"{}," * 200_000 + b"{}]}"],
    ids=["deep", "crowded"],
)
async def test_answer_with_too_much_in_it_is_said_and_asked_for_once(wire: Any, replies: Any, content: bytes) -> None:
    async with wire.open(replies(httpx.Response(200, content=content))) as graph:
        with pytest.raises(ServiceUnavailableError) as caught:
            await graph.retrieve(BODY)
    assert (caught.value.requests_used, wire.slept) == (1, [])
    assert str(caught.value) == (
        "Microsoft Graph's answer has more members than any real one and was not read (200). Try again later. "
        "A retrieval can ask for less: fewer results, or a narrower question."
    )


async def test_body_that_cannot_be_unpacked_is_asked_for_again(wire: Any) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        content = b"no gzip" if len(wire.requests) == 1 else gzip.compress(b'{"retrievalHits": []}')
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(content))

    async with wire.open(handler) as graph:
        assert (await graph.retrieve(BODY)).requests_used == 2


async def test_turn_whose_answer_cannot_be_unpacked_is_not_sent_again(wire: Any) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Encoding": "br"}, stream=httpx.ByteStream(b"x"))

    async with wire.open(handler) as graph:
        with pytest.raises(ServiceUnavailableError) as caught:
            await graph.chat("c", TURN)
    assert (caught.value.message, len(wire.requests)) == ("The answer of graph.lumen.test cannot be unpacked.", 1)
    assert "do not send it again" in caught.value.hint


@pytest.mark.parametrize("code", ["InternalServerError", "TooManyRequests"])
async def test_error_object_under_a_good_status_is_an_error(wire: Any, replies: Any, code: str) -> None:
    body = {"error": {"code": code, "message": SECRET_WORDS}}
    async with wire.open(replies(httpx.Response(200, json=body))) as graph:
        for turn, send in ((False, lambda: graph.retrieve(BODY)), (True, lambda: graph.chat("c", TURN))):
            with pytest.raises(GraphError) as caught:
                await send()
            assert (caught.value.code, caught.value.status, caught.value.requests_used) == (code, 200, 1)
            assert SECRET_WORDS not in str(caught.value)
            assert ("chat turn" in caught.value.hint) is (turn and code == "InternalServerError")


async def test_hints_speak_of_a_turn_only_after_a_turn(wire: Any, replies: Any) -> None:
    async with wire.open(replies(httpx.Response(500, json={}))) as graph:
        hints = []
        for send in (lambda: graph.create_conversation(), lambda: graph.retrieve(BODY), lambda: graph.chat("c", TURN)):
            with pytest.raises(ServiceUnavailableError) as caught:
                await send()
            hints.append(caught.value.hint)
    turn = "Try later. The chat turn may have been recorded: do not send it again as it is."
    assert hints == ["Try again later.", "Try again later.", turn]


async def test_request_id_that_is_none_is_not_shown(wire: Any, replies: Any) -> None:
    headers = {"request-id": f"<b>{SECRET_WORDS}</b>"}
    async with wire.open(replies(httpx.Response(200, json={"retrievalHits": []}, headers=headers))) as graph:
        response = await graph.retrieve(BODY)
    assert response.request_id == wire.requests[0].headers["client-request-id"]


async def test_score_that_is_no_number_is_missing(wire: Any, replies: Any) -> None:
    scores = ["NaN", "-Infinity", "1e999", "null", '"high"', "0.5"]
    extracts = ",".join(f'{{"text":"t","relevanceScore":{score}}}' for score in scores)
    content = f'{{"retrievalHits":[{{"webUrl":"https://x.test","extracts":[{extracts}]}}]}}'.encode()
    async with wire.open(replies(httpx.Response(200, content=content))) as graph:
        (hit,) = (await graph.retrieve(BODY)).retrieval_hits
    assert [extract.relevance_score for extract in hit.extracts] == [None, None, None, None, None, 0.5]


async def test_whole_answer_may_keep_silent_as_long_as_a_turn_may_take(wire: Any, replies: Any, payload: Any) -> None:
    async with wire.open(replies(httpx.Response(200, json=payload("chat-answer.json")))) as graph:
        await graph.chat("c", TURN)
        async with graph.chat_over_stream("c", TURN):
            pass
    silences = [request.extensions["timeout"]["read"] for request in wire.requests]
    assert silences[0] >= 300.0 and silences[1] == 60.0


async def read_stream(wire: Any, answer: httpx.Response) -> tuple[str, list[str], bool]:
    async with wire.open(lambda _: answer) as graph, graph.chat_over_stream("c", TURN) as turn:
        texts = [snapshot.text async for snapshot in turn]
    return turn.ending, texts, turn.complete


def event(text: str, title: str = "Intermediate Conversation Update", *, echo: bool = False) -> str:
    messages = [{"text": "Hi"}] * echo + [{"text": text}]
    body = {"id": "c", "displayName": title, "turnCount": int(echo), "messages": messages}
    return f"data: {json.dumps(body)}\nid:1\n\n"


STREAM = event("One") + event("One two") + event("One two three", "Hi", echo=True)


@pytest.mark.parametrize(
    "media_type", ["text/event-stream", "event/stream", "application/json", "application/octet-stream", ""]
)
async def test_stream_is_a_stream_whatever_its_media_type_says(wire: Any, media_type: str) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    answer = httpx.Response(200, headers=headers, stream=httpx.ByteStream(STREAM.encode()))
    assert await read_stream(wire, answer) == ("final", ["One", "One two", "One two three"], True)


async def test_body_in_place_of_a_stream_is_one_answer(wire: Any, payload: Any) -> None:
    answer = httpx.Response(200, json=payload("chat-answer.json"))
    ending, texts, complete = await read_stream(wire, answer)
    assert (ending, len(texts), complete) == ("final", 1, True)


async def test_stream_under_another_good_status_is_read(wire: Any) -> None:
    assert (await read_stream(wire, httpx.Response(206, stream=httpx.ByteStream(STREAM.encode()))))[0] == "final"


async def test_packed_stream_is_read_as_it_comes(wire: Any) -> None:
    packed = gzip.compress(STREAM.encode())
    answer = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(packed))
    assert await read_stream(wire, answer) == ("final", ["One", "One two", "One two three"], True)


async def test_stream_that_never_ends_is_left_with_what_it_said(wire: Any) -> None:
    class Flood(httpx.AsyncByteStream):
        served = 0

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield event("One").encode()
            while True:
                Flood.served += 1
                yield b": " + b"x" * MIB + b"\n"

    ending, texts, complete = await read_stream(wire, httpx.Response(200, stream=Flood()))
    assert (ending, texts, complete) == ("too_large", ["One"], False)
    assert Flood.served == 64


async def test_deep_and_crowded_events_are_skipped(wire: Any) -> None:
    deep = 'data: {"deep":' + "[" * 100_000 + "]" * 100_000 + "}\n\n"
    crowded = 'data: {"a":[' + "{}," * 200_000 + "{}]}\n\n"
    spread = 'data: {"deep":\n' + "[\n" * 70 + "]\n" * 70 + "}\n\n"
    shallow = 'data: {"deep":\n' + "[" * 65 + "\n" + "]" * 65 + "}\n\n"
    content = event("One") + deep + crowded + spread + shallow + STREAM
    answer = httpx.Response(200, stream=httpx.ByteStream(content.encode()))
    assert (await read_stream(wire, answer))[0::2] == ("final", True)


async def test_half_a_character_in_a_snapshot_costs_that_character(wire: Any) -> None:
    content = event("One").replace("One", r"One \ud83d") + STREAM
    answer = httpx.Response(200, stream=httpx.ByteStream(content.encode()))
    assert (await read_stream(wire, answer))[1][0] == "One \ufffd"
