"""Graph's answers before they become HTTP: bodies, refusals in Graph's error shape, and headers.

Kept apart from HTTP because an item of a `$batch` is the same answer without a connection of its own.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

from copilot_mcp.simulator.faults import Fault

__all__ = ["GraphRefusalError", "Reply", "RequestIds", "fault_reply", "graph_time", "html_page"]


@dataclass(slots=True)
class Reply:
    """A status with a JSON value, or with `text` of another media type, or with a stream of bytes.

    `notes` are facts for the trace alone.
    """

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    media_type: str = "application/json"
    stream: AsyncIterator[bytes] | None = None
    events: list[Any] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


class GraphRefusalError(Exception):
    """Graph says no: a status, Graph's code and a sentence for people."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def reply(self, ids: "RequestIds") -> Reply:
        """The refusal in Graph's error shape."""
        inner = {"date": ids.date.strftime("%Y-%m-%dT%H:%M:%S")} | ids.headers()
        body = {"error": {"code": self.code, "message": self.message, "innerError": inner}}
        return Reply(self.status, body, self.headers)


@dataclass(frozen=True, slots=True)
class RequestIds:
    """The ids that every Graph answer carries. `client_request_id` echoes the caller's."""

    date: datetime
    client_request_id: str
    request_id: str = field(default_factory=lambda: str(uuid4()))

    @classmethod
    def of(cls, seconds: float, client_request_id: str | None) -> "RequestIds":
        """Ids for a request that came at `seconds` since the epoch."""
        request_id = str(uuid4())
        return cls(datetime.fromtimestamp(seconds, UTC), client_request_id or request_id, request_id)

    def headers(self) -> dict[str, str]:
        """The two id headers."""
        return {"request-id": self.request_id, "client-request-id": self.client_request_id}

    def http_date(self) -> str:
        """The value of the Date header."""
        return format_datetime(self.date, usegmt=True)


def graph_time(seconds: float) -> str:
    """Seconds since the epoch as Graph writes them: UTC with seven fractional digits."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def html_page(status: int, sentence: str) -> Reply:
    """A page as a gateway or a captive portal sends it where JSON is due."""
    return Reply(status, text=f"<!DOCTYPE html><html><body><h1>{sentence}</h1></body></html>", media_type="text/html")


def fault_reply(fault: Fault, ids: RequestIds) -> Reply:
    """The answer of a fault of stage `answer`, as Graph or its gateway gives it."""
    if fault.name in ("html", "entra_down"):
        return html_page(fault.status or (200 if fault.name == "html" else 503), "The service cannot be reached")
    if fault.name == "empty":
        return Reply(fault.status or 200, text="")
    if fault.name == "refusal":
        return Reply(403, _explaining_conversation(ids))
    status, code, message = _REFUSALS[fault.name]
    if fault.name == "wrapped_refusal" and fault.status is not None:
        message = _WRAPPED.format(fault.status)
    retry = _retry_after(fault, ids)
    if fault.form != "json":
        page = html_page(status, "The service cannot be reached") if fault.form == "html" else Reply(status, text="")
        page.headers.update(retry)
        return page
    return GraphRefusalError(status, code, message, retry).reply(ids)


def _retry_after(fault: Fault, ids: RequestIds) -> dict[str, str]:
    """The header in the form that the fault is about."""
    value = fault.retry_after or _WAITS.get(fault.name)
    if fault.name == "throttled_date":
        value = format_datetime(ids.date + timedelta(seconds=fault.seconds or 7), usegmt=True)
    return {} if value is None else {"Retry-After": value}


_WAITS: Mapping[str, str] = {
    "throttled": "10",
    "throttled_decimal": "2.5",
    "throttled_garbage": "soon",
    "throttled_negative": "-5",
    "throttled_huge": "1000000000",
}
_WRAPPED = "Got Non-2xx response from the chat service. Status = {}"
_THROTTLED = (429, "TooManyRequests", "Too many requests; wait and try again.")
_REFUSALS: Mapping[str, tuple[int, str, str]] = {
    "unauthorized": (401, "InvalidAuthenticationToken", "Continuous access evaluation resulted in a refusal."),
    "forbidden": (403, "Forbidden", "UnknownError"),
    "no_licence": (403, "NoLicense", "The user has no licence for this operation."),
    "not_found": (404, "ResourceNotFound", "The resource was not found."),
    "conversation_gone": (404, "ConversationNotFound", "The conversation was not found."),
    "conflict": (409, "Conflict", "The conversation is busy with another turn."),
    "throttled": _THROTTLED,
    "throttled_date": _THROTTLED,
    "throttled_decimal": _THROTTLED,
    "throttled_garbage": _THROTTLED,
    "throttled_negative": _THROTTLED,
    "throttled_huge": _THROTTLED,
    "throttled_silent": (429, "UnknownError", ""),
    "server_error": (500, "InternalServerError", "An unexpected error occurred."),
    "wrapped_refusal": (
        500,
        "internalServerError",
        _WRAPPED.format("403 (Forbidden)"),
    ),
    "bad_gateway": (502, "BadGateway", "The back end gave no proper answer."),
    "unavailable": (503, "ServiceUnavailable", "The service is temporarily unavailable."),
    "gateway_timeout": (504, "GatewayTimeout", "The back end did not answer in time."),
}


def _explaining_conversation(ids: RequestIds) -> dict[str, Any]:
    """A refusal that looks like a conversation."""
    when = graph_time(ids.date.timestamp())
    sentence = "You cannot use Copilot here: an administrator has switched it off for your account."
    message = {
        "@odata.type": "#microsoft.graph.copilotConversationResponseMessage",
        "id": str(uuid4()),
        "text": sentence,
        "createdDateTime": when,
        "adaptiveCards": [],
        "attributions": [],
    }
    envelope = {"id": str(uuid4()), "createdDateTime": when, "displayName": "", "state": "active", "turnCount": 0}
    return envelope | {"messages": [message]}
