"""The stream reader: any framing, cut anywhere."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from copilot_mcp.graph import StreamReader, read_events


def read(stream: bytes, size: int | None = None, reader: StreamReader | None = None) -> list[dict[str, Any]]:
    reader = reader or StreamReader()
    step = size or max(1, len(stream))
    events = [event for start in range(0, len(stream), step) for event in reader.feed(stream[start : start + step])]
    return events + reader.close()


def outcome(stream: bytes, size: int | None = None) -> tuple[list[dict[str, Any]], int, bool]:
    reader = StreamReader()
    return read(stream, size, reader), reader.skipped, reader.cut


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("size", [1, 2, 7, 1024, None])
def test_captured_framing_is_read_however_it_is_cut(stream_bytes: bytes, line_end: bytes, size: int | None) -> None:
    events, skipped, cut = outcome(stream_bytes.replace(b"\n", line_end), size)
    assert [len(event["messages"]) for event in events] == [0, 0, 1, 1, 1, 0, 2]
    assert (skipped, cut) == (0, False)
    assert events[6]["messages"][1]["text"] == events[4]["messages"][0]["text"]
    assert events[6]["messages"][1]["adaptiveCards"] == events[4]["messages"][0]["adaptiveCards"]


@pytest.mark.parametrize("size", [1, 3, None])
def test_pretty_printed_event_is_one_event(stream_bytes: bytes, size: int | None) -> None:
    events = read(stream_bytes)
    printed = "".join(f"data: {json.dumps(event, indent=2)}\nid:{n}\n\n" for n, event in enumerate(events, 1))
    assert outcome(printed.encode(), size) == (events, 0, False)


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b'data: {"a":1}\ndata: {"a":2}\n', [{"a": 1}, {"a": 2}]),
        (b'data:{"a":1}\n\ndata:   {"a":2} \n', [{"a": 1}, {"a": 2}]),
        (b'\xef\xbb\xbfdata: {"a":1}\n\n', [{"a": 1}]),
        (b': keep-alive\n\ndata: {"a":1}\n: keep-alive\n\n', [{"a": 1}]),
        (b'event: update\nretry: 5\nid: 7\ndata: {"a":1}\n', [{"a": 1}]),
        (b'data: {"a":1}', [{"a": 1}]),
        (b'data:\n{"a":\n1}\n', [{"a": 1}]),
        (b"data:\n\n", []),
        (b"data:\nid:1\n", []),
        (b'data: {"a":1}\n\ndata: [DONE]\n\ndata: {"a":2}\n\n', [{"a": 1}]),
        (b'{\n"a": 1\n}\n', [{"a": 1}]),
        (b"stray text\n", []),
        (b"", []),
    ],
)
@pytest.mark.parametrize("size", [1, None])
def test_framing_seen_in_the_field_is_accepted(stream: bytes, events: list[dict[str, int]], size: int | None) -> None:
    assert outcome(stream, size) == (events, 0, False)


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        # The standard's form: each line of one event has its own `data:`.
        (b'data: {"a":\ndata: [1,\ndata: 2]}\n\n', [{"a": [1, 2]}]),
        # A blank line, a comment and stream fields inside an object.
        (b'data: {"a":\n\n: keep-alive\nid:3\nevent: x\n1}\n', [{"a": 1}]),
        # A line that begins with a colon and belongs to the object.
        (b'data: {"a"\n: 1}\n', [{"a": 1}]),
        # Real line breaks inside a string, and brackets and quotes that mean nothing there.
        (b'data: {"a":"one\ntwo }] \\" {\n\nid:9\n\\\\"}\n\n', [{"a": 'one\ntwo }] " {\n\nid:9\n\\'}]),
        (b'data: {"a":"x", "b": ["{", "\\"]"],\n"c":{}}\n', [{"a": "x", "b": ["{", '"]'], "c": {}}]),
    ],
)
@pytest.mark.parametrize("size", [1, None])
def test_object_over_several_lines_is_put_together(stream: bytes, events: list[Any], size: int | None) -> None:
    assert outcome(stream, size) == (events, 0, False)


@pytest.mark.parametrize(
    "broken",
    [
        b"data: {bad}\n\n",
        b"data: hello\n\n",
        b"data: 5\n\n",
        b'data: {"a":1} {"b":2}\n\n',
        b"data: [1]\n\n",
        b'data: {"a":\n: x\nbad}\n\n',
        b'data: {"a": "cut in a string\n\n',
        b'data: {"a": {"b": 1,\n\n',
        b"data: " + b"[" * 100_000 + b"]" * 100_000 + b"\n\n",
    ],
)
@pytest.mark.parametrize("size", [64, None])
def test_unreadable_event_is_skipped_unless_it_is_the_last(broken: bytes, size: int | None) -> None:
    assert outcome(b'data: {"n":1}\n\n' + broken + b'data: {"n":2}\n\n', size) == ([{"n": 1}, {"n": 2}], 1, False)
    assert outcome(b'data: {"n":1}\n\n' + broken, size) == ([{"n": 1}], 1, True)


def test_text_that_looks_like_an_event_stays_inside_its_string() -> None:
    stream = b'data: {"a":"first\n\ndata: {not json\nlast"}\n\n'
    assert outcome(stream) == ([{"a": "first\n\ndata: {not json\nlast"}], 0, False)


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_stream_cut_inside_an_event_says_so(end: bytes) -> None:
    assert outcome(b'data: {"n":1}\n\ndata: {"n":' + end) == ([{"n": 1}], 1, True)


def test_characters_cut_in_two_are_joined_again() -> None:
    assert outcome('data: {"t":"café 🔑"}\n\n'.encode(), 1) == ([{"t": "café 🔑"}], 0, False)


def test_invalid_bytes_cost_a_character_not_the_event() -> None:
    assert outcome(b'data: {"t":"a\xffb"}\n\n') == ([{"t": "a\ufffdb"}], 0, False)


@pytest.mark.parametrize("size", [1, 5, None])
def test_oversized_event_is_given_up_and_the_next_is_read(size: int | None) -> None:
    long_line = b'data: {"a":"' + b"x" * 200 + b'"}\n\n'
    many_lines = b'data: {"a":[\n' + b"1,\n" * 200
    for broken in (long_line, many_lines):
        reader = StreamReader(cap_bytes=100)
        assert read(broken + b'\n\ndata: {"n":2}\n\n', size, reader) == [{"n": 2}]
        assert (reader.skipped, reader.cut) == (1, False)


def test_oversized_last_line_is_never_held() -> None:
    reader = StreamReader(cap_bytes=100)
    for _ in range(1000):
        assert reader.feed(b"data: xxxxxxxx"[:6] + b"x" * 50) == []
    assert (reader.close(), reader.skipped, reader.cut) == ([], 1, True)


@pytest.mark.anyio
async def test_events_come_one_by_one_while_bytes_come(stream_bytes: bytes) -> None:
    taken: list[int] = []

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(stream_bytes), 100):
            taken.append(start)
            yield stream_bytes[start : start + 100]

    reader = StreamReader()
    progress = [len(taken) async for _ in read_events(chunks(), reader)]
    assert progress == sorted(set(progress)) or len(set(progress)) > 3
    assert (len(progress), reader.cut, reader.skipped) == (7, False, 0)


@pytest.mark.anyio
async def test_reading_stops_at_done() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b'data: {"n":1}\n\ndata: [DONE]\n\n'
        raise AssertionError("read past the end")

    assert [event async for event in read_events(chunks())] == [{"n": 1}]


@pytest.mark.parametrize("size", [1, None])
def test_documented_streams_yield_every_event(examples: dict[str, Any], size: int | None) -> None:
    found = {}
    for number in (45, 46, 47, 48, 53, 54, 55, 56):
        entry = examples[f"ex0{number}"]
        events, skipped, cut = outcome(entry["response"]["body_text"].encode(), size)
        prompt = entry["request"]["body"]["message"]["text"]
        final = [message["text"] == prompt for message in events[-1]["messages"]]
        found[number] = (len(events), skipped, cut, final)
    counts = {45: 3, 46: 3, 47: 3, 48: 3, 53: 8, 54: 8, 55: 6, 56: 6}
    assert found == {number: (count, 0, False, [True, False]) for number, count in counts.items()}
