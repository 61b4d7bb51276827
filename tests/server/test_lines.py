"""Every line on standard input is taken or answered."""

import io
import json
import logging
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from copilot_mcp.server.half_characters import mended, mended_json
from copilot_mcp.server.lines import AnsweredLines

pytestmark = pytest.mark.anyio

PARSE_ERROR, INVALID_REQUEST = -32700, -32600
NO_JSON = "This line is no JSON: send one JSON-RPC message a line, in UTF-8."
WRONG_ID = "`id` must be a string or a whole number."
SECRET = "a question"


async def heard(*lines: str) -> tuple[list[Any], list[Any]]:
    """What the server gets of the lines, and what is answered for it."""
    written = io.StringIO()
    given = anyio.wrap_file(io.StringIO("".join(f"{line}\n" for line in lines)))
    taken = []
    async with (
        stdio_server(given, anyio.wrap_file(written)) as (read, answers),
        answers,
        AnsweredLines(read, answers) as messages,
    ):
        async for item in messages:
            assert isinstance(item, SessionMessage)
            assert messages.last_context is not None
            taken.append(item.message.model_dump(mode="json", exclude_unset=True))
    return taken, [json.loads(line) for line in written.getvalue().splitlines()]


def message(**members: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", **members})


def deep(levels: int) -> str:
    return message(params={"a": 0}).replace("0}", '{"b":' * levels + "1" + "}" * levels + "}")


@pytest.mark.parametrize(
    ("line", "code", "number", "sentence"),
    [
        (f"{SECRET}: no JSON", PARSE_ERROR, None, NO_JSON),
        ("", PARSE_ERROR, None, NO_JSON),
        ('{"jsonrpc": "2.0", "id": 7, "method"', PARSE_ERROR, None, NO_JSON),
        ('{"a": "\\ud800"', PARSE_ERROR, None, NO_JSON),
        ("\ufeff", PARSE_ERROR, None, NO_JSON),
        (deep(100_000), PARSE_ERROR, None, NO_JSON),
        (deep(300), INVALID_REQUEST, 7, "The message is nested too deeply."),
        (deep(300).replace("2.0", "1.0"), INVALID_REQUEST, 7, '`jsonrpc` must be "2.0".'),
        (f"[{message()}]", INVALID_REQUEST, None, "Batches are not taken: send each message on a line of its own."),
        (f'"{SECRET}"', INVALID_REQUEST, None, "A message must be a JSON object."),
        (message(params=[]), INVALID_REQUEST, 7, "`params` must be an object."),
        (message(params=[], id="a"), INVALID_REQUEST, "a", "`params` must be an object."),
        (message(params=[SECRET], id=1.5), INVALID_REQUEST, None, f"{WRONG_ID} `params` must be an object."),
        (message(params=["\ud800"]), INVALID_REQUEST, 7, "`params` must be an object."),
        (message(id=1.5), INVALID_REQUEST, None, WRONG_ID),
        (message(id=None), INVALID_REQUEST, None, WRONG_ID),
        (message(id=True, params={"name": "\ud800"}), INVALID_REQUEST, None, WRONG_ID),
        (message(method=5), INVALID_REQUEST, 7, "`method` must be a string."),
        (message(jsonrpc="1.0"), INVALID_REQUEST, 7, '`jsonrpc` must be "2.0".'),
        ('{"id": 7, "method": "tools/list"}', INVALID_REQUEST, 7, '`jsonrpc` must be "2.0".'),
        ('{"jsonrpc": "2.0", "id": 7}', INVALID_REQUEST, 7, "`method` must be a string."),
        (
            '{"jsonrpc": "2.0", "id": 7, "result": 5}',
            INVALID_REQUEST,
            None,
            "`result` or `error` is not as in JSON-RPC 2.0.",
        ),
        (
            message(method=5, result=3, error=4),
            INVALID_REQUEST,
            None,
            "This is no JSON-RPC message.",
        ),
    ],
)
async def test_a_line_that_is_no_message_is_answered(
    line: str, code: int, number: Any, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "copilot_mcp"):
        taken, answered = await heard(line, message(id=8))
    assert [each["id"] for each in taken] == [8]
    assert answered == [{"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": sentence}}]
    logged = [(record.levelname, record.getMessage()) for record in caplog.records if record.name.startswith("copilot")]
    assert logged == [("WARNING", f"A line on standard input is no message: answered with error {code}.")]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (r"a\ud800b", "a\ufffdb"),
        (r"\uDC00\uD83D", "\ufffd\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\\ud800 \"\ud800", '\\ud800 "\ufffd'),
        (r"C:\\\ud800", "C:\\\ufffd"),
    ],
)
async def test_half_of_a_character_is_read_as_its_mark(text: str, read: str) -> None:
    line = message(params={"name": "HERE"}).replace("HERE", text)
    taken, answered = await heard(line)
    assert ([each["params"] for each in taken], answered) == ([{"name": read}], [])
    assert len(mended_json(line)) == len(line)
    assert mended({f"x{text}": [json.loads(f'"{text}"'), 1, None]}) == {f"x{text}": [read, 1, None]}


async def test_a_byte_order_mark_is_no_part_of_the_message() -> None:
    taken, answered = await heard("\ufeff" + message(), message(id=8))
    assert ([each["id"] for each in taken], answered) == ([7, 8], [])


async def test_whatever_else_the_reader_hands_over_is_answered() -> None:
    send, receive = anyio.create_memory_object_stream[Any](1)
    answers, answered = anyio.create_memory_object_stream[SessionMessage](1)

    reader: Any = SimpleNamespace(last_context=None, receive=receive.receive, aclose=receive.aclose)
    async with send, answers, answered:
        await send.send(ValueError(SECRET))
        send.close()
        async with AnsweredLines(reader, answers) as lines:
            assert [item async for item in lines] == []
        error: Any = answered.receive_nowait().message
    assert (error.id, error.error.message) == (None, "This is no JSON-RPC message.")


async def test_a_host_that_has_gone_is_not_answered() -> None:
    given = anyio.wrap_file(io.StringIO("no JSON\n" + message() + "\n"))
    async with stdio_server(given, anyio.wrap_file(io.StringIO())) as (read, answers):
        await answers.aclose()
        async with AnsweredLines(read, answers) as lines:
            assert [item.message.id async for item in lines] == [7]
