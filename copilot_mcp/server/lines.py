"""Every line on standard input is taken or answered: the SDK's server passes over those that its reader refuses.

A host that sent such a line would wait until its own time limit, and nobody would learn why (tried with mcp 2.3.0).
"""

import json
import logging
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol, Self

import anyio
from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    RequestId,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from copilot_mcp.server.half_characters import mended_json

__all__ = ["AnsweredLines"]

logger = logging.getLogger(__name__)

_BYTE_ORDER_MARK = "\ufeff"
_WRONG_ID = "`id` must be a string or a whole number."


class _Lines(Protocol):
    """The SDK's reading end, as far as its server uses it."""

    last_context: Any

    async def receive(self) -> SessionMessage | Exception: ...

    async def aclose(self) -> None: ...


class _Answers(Protocol):
    async def send(self, item: SessionMessage, /) -> None: ...


class AnsweredLines:
    """The reading end of `stdio_server`, for the server to read from in its place.

    A line that the SDK refused comes through where it can be mended (half of a character, a byte order mark); any
    other is answered with a JSON-RPC error on `answers`, and logged without its text.
    """

    def __init__(self, lines: _Lines, answers: _Answers) -> None:
        self._lines = lines
        self._answers = answers

    @property
    def last_context(self) -> Any:
        """Where the SDK looks for the context of the sender."""
        return self._lines.last_context

    async def receive(self) -> SessionMessage | Exception:
        """The next message that can be taken."""
        while True:
            item = await self._lines.receive()
            message = _read_again(item) if isinstance(item, Exception) else item.message
            if _has_lost_its_id(message):
                message = _refusal(INVALID_REQUEST, _WRONG_ID)
            if isinstance(item, SessionMessage) and message is item.message:
                return item
            if not isinstance(message, _OurError):
                return SessionMessage(message)
            logger.warning("A line on standard input is no message: answered with error %d.", message.error.code)
            with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):  # the host has gone
                await self._answers.send(SessionMessage(message))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Close the stream beneath."""
        await self._lines.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, places: TracebackType | None
    ) -> None:
        await self.aclose()


class _OurError(JSONRPCError):
    """An error that we answer with, told apart from one that the host sent."""


def _refusal(code: int, sentence: str, about: RequestId | None = None) -> _OurError:
    return _OurError(jsonrpc="2.0", id=about, error=ErrorData(code=code, message=sentence))


def _has_lost_its_id(message: JSONRPCMessage) -> bool:
    """Whether the SDK took a request for a notification, as it does where the id is null, `true` or a fraction.

    A request without any id looks the same, and is as wrong: MCP has no such notification.
    """
    return isinstance(message, JSONRPCNotification) and not message.method.startswith("notifications/")


def _read_again(refused: Exception) -> JSONRPCMessage:
    """The message in a line that the SDK's reader refused, or the answer to it."""
    details = refused.errors(include_url=False) if isinstance(refused, ValidationError) else []
    line = next((detail["input"] for detail in details if detail["type"] == "json_invalid"), None)
    if line is None:
        # All of the value stands where all of it is wrong, or a member missing; only nonsense has neither.
        whole = (each["input"] for each in details if len(each["loc"]) == 1 or each["type"] == "missing")
        return _answer_to(next(whole, None))
    mended = mended_json(line).lstrip(_BYTE_ORDER_MARK)
    if mended != line:
        try:
            return jsonrpc_message_adapter.validate_json(mended, by_name=False)
        except ValidationError as error:
            return _read_again(error)  # once more: nothing is left to mend
    try:
        value = json.loads(line)  # goes deeper than the SDK's reader, so that the id is known
    except (ValueError, RecursionError):
        return _refusal(PARSE_ERROR, "This line is no JSON: send one JSON-RPC message a line, in UTF-8.")
    if isinstance(value, dict) and not _faults(value):
        return _refusal(INVALID_REQUEST, "The message is nested too deeply.", _id_of(value))
    return _answer_to(value)


def _answer_to(value: Any) -> _OurError:
    if isinstance(value, list):
        return _refusal(INVALID_REQUEST, "Batches are not taken: send each message on a line of its own.")
    if value is None:
        return _refusal(INVALID_REQUEST, "This is no JSON-RPC message.")
    if not isinstance(value, dict):
        return _refusal(INVALID_REQUEST, "A message must be a JSON object.")
    return _refusal(INVALID_REQUEST, " ".join(_faults(value)), _id_of(value))


def _faults(value: dict[str, Any]) -> list[str]:
    found = []
    if value.get("jsonrpc") != "2.0":
        found.append('`jsonrpc` must be "2.0".')
    if "id" in value and not _is_id(value["id"]):
        found.append(_WRONG_ID)
    if "result" in value or "error" in value:
        found.append("`result` or `error` is not as in JSON-RPC 2.0.")
    elif not isinstance(value.get("method"), str):
        found.append("`method` must be a string.")
    if not isinstance(value.get("params"), dict | None):
        found.append("`params` must be an object.")
    return found


def _id_of(value: dict[str, Any]) -> RequestId | None:
    """The id to answer to. That of a broken response is ours: the host would take it for one of its own."""
    given = value.get("id")
    return given if _is_id(given) and not {"result", "error"} & value.keys() else None


def _is_id(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
