"""What an answer without success means: one error class for each next step.

Decides on the HTTP status, then on Graph's code, never on the message, which is for people and changes. The one
exception is a 5xx that wraps the refusal of the service behind it and names that status nowhere else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from copilot_mcp.errors import (
    ConversationGoneError,
    GraphError,
    InvalidRequestError,
    PermissionDeniedError,
    ServiceUnavailableError,
    ThrottledError,
)
from copilot_mcp.graph.conversation import DISENGAGED
from copilot_mcp.graph.faults import MAY_BE_RECORDED, try_later
from copilot_mcp.graph.forbidden import Access, Reason, is_forbidden, reason_of_403, reason_of_token
from copilot_mcp.graph.json_reader import JsonLimitError, read_json
from copilot_mcp.http_dates import read_http_date

RETRY_AFTER_CAP_S = 86_400.0
"""A service that asks for more than a day has made a mistake, and nobody waits longer in one sitting."""

_NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,20})?", re.ASCII)
_WRAPPED_STATUS = re.compile(r"Status\s*=\s*(\d{3})\b")
MAX_CLOCK_SKEW_S = 330
_MENDED_BY_THE_CALLER = (400, 413, 414, 422)
_CURED_BY_THE_PERSON = (
    "reauth_required", "token_rejected", "back_end_refused", "clock_skew", "personal_account", "app_only_token",
)  # fmt: skip
_SAFE_CODE = re.compile(r"[\w.\- ]{1,80}", re.ASCII)
_SAFE_ID = re.compile(r"[\w\-]{1,80}", re.ASCII)


Excess = Literal["", "too_large", "too_deep"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer or a batch item, read whole. Header names are in small letters.

    Attributes:
        excess: it passed a limit, so that the body was not read to its end or not at all.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    is_html: bool = False
    excess: Excess = ""


def read_answer(status: int, headers: Mapping[str, str], content: bytes | None) -> Answer:
    """Read a body as JSON; `body` is None where it is empty, cut or something else. No content: it was too large."""
    small = {name.casefold(): value for name, value in headers.items()}
    is_html = "html" in small.get("content-type", "").casefold()
    if content is None:
        return Answer(status, small, None, is_html, "too_large")
    body: Any = None
    excess: Excess = ""
    try:
        body = read_json(content) if content.strip() else None
    except JsonLimitError:
        excess = "too_deep"
    except ValueError:
        pass
    return Answer(status, small, body, is_html or content.lstrip()[:1] == b"<", excess)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait, at most a day, from a number or an HTTP date; None when it is missing or makes no sense.

    A date is taken against the answer's own `Date`, so that a wrong clock of this machine does not matter.
    """
    value = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(value):
        return min(float(value), RETRY_AFTER_CAP_S)
    moment = read_http_date(value)
    if moment is None:
        return None
    seconds = (moment - (read_http_date(headers.get("date", "")) or now)).total_seconds()
    return min(max(0.0, seconds), RETRY_AFTER_CAP_S)


def refusal(
    answer: Answer,
    *,
    now: datetime,
    on_conversation: bool = False,
    request_id: str = "",
    in_stream: bool = False,
    access: Access | None = None,
) -> GraphError:
    """The error that an answer stands for.

    `request_id` is used where the answer names none. `on_conversation`: a 404 means the conversation. `in_stream`: the
    HTTP status was 200, that of `answer` is what its error object amounts to. `access` tells one 403 from another.
    """
    code, message, inner_id = _named(answer.body)
    status = _wrapped(answer.status, message) or answer.status
    wrapped = status != answer.status or (in_stream and _wrapped(500, message) is not None)
    reason = _reason(status, code, answer, wrapped, access)
    if on_conversation and _is_disengaged(code, answer.body):
        reason = None
        error_class, kind, sentence, hint = _DISENGAGED
    else:
        error_class, kind, sentence, hint = _meaning(status, answer, on_conversation, now, reason, wrapped)
    if status == answer.status and 300 <= status < 400:
        sentence = "Microsoft Graph answered with a redirect, which is not followed"
    error = error_class(
        f"{sentence} ({_shown(answer, code, in_stream)}).",
        hint,
        kind=kind,
        status=200 if in_stream else answer.status,
        code=code,
        request_id=safe_id(answer.headers.get("request-id")) or inner_id or request_id,
        retry_after=retry_after(answer.headers, now) if status in (429, 503) else None,
    )
    # The reason of a refusal that the caller can mend stands in Graph's own words alone; nothing goes by them.
    error.partial_text = _explanation(answer.body) or (message if answer.status in _MENDED_BY_THE_CALLER else "")
    if error_class is PermissionDeniedError:
        error.who = "user" if kind in _CURED_BY_THE_PERSON else "administrator"
    error.certainty, error.missing_scopes = (reason.certainty, reason.missing) if reason else ("", ())
    return error


def _shown(answer: Answer, code: str, in_stream: bool) -> str:
    where = "in the answer" if in_stream else str(answer.status)
    return f"{where}, {code}" if code else where


def _reason(status: int, code: str, answer: Answer, wrapped: bool, access: Access | None) -> Reason | None:
    if status not in (402, 403):
        return reason_of_token(access) if status == 401 and not wrapped else None
    return reason_of_403(status, code, answer.headers.get("www-authenticate", ""), wrapped=wrapped, access=access)


def stream_refusal(
    body: Mapping[str, Any], *, now: datetime, request_id: str = "", on_conversation: bool = True
) -> GraphError:
    """The error that an `error` object under status 200 stands for, by its code: inside a stream, or as a body."""
    code, message, _ = _named(body)
    status = _wrapped(500, message)
    if status is None and is_forbidden(code):
        status = 403
    if status is None and ("throttl" in code.casefold() or "toomanyrequests" in code.casefold()):
        status = 429
    answer = Answer(status or 500, {}, body)
    return refusal(answer, now=now, on_conversation=on_conversation, request_id=request_id, in_stream=True)


_Meaning = tuple[type[GraphError], str, str, str]


def _meaning(
    status: int, answer: Answer, on_conversation: bool, now: datetime, reason: Reason | None, wrapped: bool
) -> _Meaning:
    if reason is not None:
        return PermissionDeniedError, reason.kind, reason.sentence, reason.hint
    if status == 401:
        return _meaning_of_wrapped_401(on_conversation) if wrapped else _meaning_of_401(answer, now)
    if status == 404:
        return _meaning_of_404(on_conversation)
    if status == 409:
        return _meaning_of_409(on_conversation)
    if status == 429:
        hint = "Wait before asking again; asking earlier counts against the limit."
        return ThrottledError, "throttled", "Microsoft Graph is throttling this account", hint
    if status in (407, 511) or (answer.is_html and status < 300):
        hint = "Open a browser, sign in to the network, then try again."
        if on_conversation:
            hint = f"Open a browser and sign in to the network. {MAY_BE_RECORDED}"
        return ServiceUnavailableError, "captive_portal", "A proxy or portal answered instead of Microsoft Graph", hint
    if 400 <= status < 500 and status not in (408, 424):
        hint = "Correct the arguments; the same request will fail again."
        return InvalidRequestError, "invalid_request", "Microsoft Graph did not accept the request", hint
    hint = try_later(on_conversation)
    if status in (408, 504):
        return ServiceUnavailableError, "timeout", "Microsoft Graph did not finish in time", hint
    if answer.excess and status < 300:
        less = "" if on_conversation else " A retrieval can ask for less: fewer results, or a narrower question."
        return ServiceUnavailableError, "service", _EXCESSES[answer.excess], hint + less
    sentence = "Microsoft Graph gave an answer that cannot be read" if status < 300 else "Microsoft Graph failed"
    return ServiceUnavailableError, "service", sentence, hint


_DISENGAGED: _Meaning = (
    ConversationGoneError,
    "disengaged",
    "The responsible-AI filter of Microsoft 365 has closed this conversation",
    "Start a new one: leave the conversation id out.",
)


def _is_disengaged(code: str, body: Any) -> bool:
    """Whether a turn was refused because the filter had closed its conversation, before or by this very turn."""
    state = body.get("state") if isinstance(body, dict) else None
    return "disengaged" in code.casefold() or state == DISENGAGED


_EXCESSES: Mapping[Excess, str] = {
    "too_large": "Microsoft Graph's answer is larger than any real one and was not read to its end",
    "too_deep": "Microsoft Graph's answer has more members than any real one and was not read",
}


def _meaning_of_409(on_conversation: bool) -> _Meaning:
    if on_conversation:
        hint = "Wait until the turn before has ended, then send this one again."
        return ServiceUnavailableError, "conversation_busy", "The conversation is busy with another turn", hint
    return ServiceUnavailableError, "service", "The request met a conflict in Microsoft Graph", "Try again soon."


def _meaning_of_401(answer: Answer, now: datetime) -> _Meaning:
    minutes = _minutes_apart(answer.headers.get("date", ""), now)
    if minutes:
        sentence = f"This computer's clock is {minutes} minutes off, so Microsoft Graph refuses its tokens"
        return PermissionDeniedError, "clock_skew", sentence, "Set the clock, then try again."
    if "insufficient_claims" in answer.headers.get("www-authenticate", ""):
        hint = "Run `copilot-mcp login` to sign in again."
        return PermissionDeniedError, "reauth_required", "The conditions of access have changed", hint
    hint = "Run `copilot-mcp login` to sign in again."
    return PermissionDeniedError, "token_rejected", "Microsoft Graph refuses the sign-in", hint


def _meaning_of_wrapped_401(on_conversation: bool) -> _Meaning:
    """Graph took the token and the request: what failed lies behind it, and a turn may have been recorded."""
    hint = f"{try_later(on_conversation)} If it stays so, run `copilot-mcp login` to sign in again."
    return PermissionDeniedError, "back_end_refused", "The service behind Microsoft Graph refused the sign-in", hint


def _minutes_apart(date: str, now: datetime) -> int:
    """How far this computer's clock is from that of the answer; 0 below six minutes, or where it is not known."""
    there = read_http_date(date)
    apart = abs(there - now).total_seconds() if there is not None else 0.0
    return round(apart / 60) if apart > MAX_CLOCK_SKEW_S else 0


def _meaning_of_404(on_conversation: bool) -> _Meaning:
    if on_conversation:
        hint = "Start a new conversation: leave the conversation id out."
        return ConversationGoneError, "conversation_gone", "The conversation does not exist any more", hint
    hint = "The service may be missing in this cloud or not be switched on in this tenant. Ask an administrator."
    return PermissionDeniedError, "not_enabled", "Microsoft Graph does not offer this operation here", hint


def _wrapped(status: int, message: str) -> int | None:
    """The refusal inside a 5xx: the chat back end's own 4xx, which is final."""
    found = _WRAPPED_STATUS.search(message) if status >= 500 else None
    inner = int(found[1]) if found else 0
    return inner if 400 <= inner < 500 else None


def _named(body: Any) -> tuple[str, str, str]:
    """Code, message and request id of an error body, empty where missing or odd."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, str):
        return _safe(_SAFE_CODE, error), "", ""
    if not isinstance(error, dict):
        return "", "", ""
    inner = error.get("innerError") or error.get("innererror")
    request_id = inner.get("request-id") if isinstance(inner, dict) else None
    message = error.get("message")
    return (
        _safe(_SAFE_CODE, error.get("code")),
        message if isinstance(message, str) else "",
        safe_id(request_id),
    )


def safe_id(value: Any) -> str:
    """A request id that may be shown and logged, empty where it is anything else."""
    return _safe(_SAFE_ID, value)


def _safe(pattern: re.Pattern[str], value: Any) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""


def _explanation(body: Any) -> str:
    """Some refusals are a conversation whose last message says why."""
    messages = body.get("messages") if isinstance(body, dict) else None
    last = messages[-1] if isinstance(messages, list) and messages else None
    text = last.get("text") if isinstance(last, dict) else None
    return text if isinstance(text, str) else ""
