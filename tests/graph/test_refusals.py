"""Status first, then code, never the message: one class for each next step."""

from datetime import UTC, datetime
from typing import Any

import pytest

from copilot_mcp.errors import (
    ConversationGoneError,
    GraphError,
    InvalidRequestError,
    PermissionDeniedError,
    ServiceUnavailableError,
    ThrottledError,
)
from copilot_mcp.graph.refusals import Answer, read_answer, refusal, stream_refusal

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def error_of(status: int, code: str = "", *, headers: dict[str, str] | None = None, **options: Any) -> GraphError:
    return refusal(Answer(status, headers or {}, {"error": {"code": code}}), now=NOW, **options)


@pytest.mark.parametrize(
    ("status", "code", "error_class", "kind"),
    [
        (400, "BadRequest", InvalidRequestError, "invalid_request"),
        (401, "InvalidAuthenticationToken", PermissionDeniedError, "token_rejected"),
        (402, "", PermissionDeniedError, "licence"),
        (403, "NoLicense", PermissionDeniedError, "licence"),
        (403, "ConditionalAccessPolicy", PermissionDeniedError, "policy"),
        (403, "Authorization_RequestDenied", PermissionDeniedError, "consent"),
        (403, "Forbidden", PermissionDeniedError, "forbidden"),
        (404, "", PermissionDeniedError, "not_enabled"),
        (405, "", InvalidRequestError, "invalid_request"),
        (407, "", ServiceUnavailableError, "captive_portal"),
        (408, "", ServiceUnavailableError, "timeout"),
        (409, "", ServiceUnavailableError, "service"),
        (413, "", InvalidRequestError, "invalid_request"),
        (422, "", InvalidRequestError, "invalid_request"),
        (424, "", ServiceUnavailableError, "service"),
        (429, "UnknownError", ThrottledError, "throttled"),
        (500, "", ServiceUnavailableError, "service"),
        (502, "", ServiceUnavailableError, "service"),
        (503, "", ServiceUnavailableError, "service"),
        (504, "", ServiceUnavailableError, "timeout"),
        (507, "", ServiceUnavailableError, "service"),
        (511, "", ServiceUnavailableError, "captive_portal"),
    ],
)
def test_status_and_code_decide(status: int, code: str, error_class: type[GraphError], kind: str) -> None:
    error = error_of(status, code)
    assert (type(error), error.kind, error.status, error.code) == (error_class, kind, status, code)
    assert error.message.endswith(f"({status}, {code})." if code else f"({status}).")
    assert error.hint


def test_missing_conversation_is_not_a_missing_service() -> None:
    error = error_of(404, "itemNotFound", on_conversation=True)
    assert (type(error), error.kind) == (ConversationGoneError, "conversation_gone")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, {"error": {"code": "ConversationDisengaged", "message": "Closed."}}),
        (400, {"error": {"code": "conversationDisengagedForRai"}}),
        (403, {"state": "disengagedForRai", "messages": [{"text": "I cannot talk about that."}]}),
    ],
)
def test_refusal_of_a_closed_conversation_says_that_it_is_closed(status: int, body: dict[str, Any]) -> None:
    error = refusal(Answer(status, {}, body), now=NOW, on_conversation=True)
    assert (type(error), error.kind, error.status) == (ConversationGoneError, "disengaged", status)
    assert error.hint == "Start a new one: leave the conversation id out."
    assert "licence" not in str(error)


def test_error_of_a_closed_conversation_inside_a_stream_says_so() -> None:
    error = stream_refusal({"error": {"code": "ConversationDisengaged"}}, now=NOW)
    assert (type(error), error.kind) == (ConversationGoneError, "disengaged")


def test_page_after_a_turn_does_not_invite_a_second_one() -> None:
    page = Answer(200, {}, None, is_html=True)
    assert refusal(page, now=NOW, on_conversation=True).hint == (
        "Open a browser and sign in to the network. "
        "The chat turn may have been recorded: do not send it again as it is."
    )
    assert refusal(page, now=NOW).hint == "Open a browser, sign in to the network, then try again."


@pytest.mark.parametrize("status", [200, 408, 500, 503, 504])
def test_only_a_chat_turn_is_warned_of_its_traces(status: int) -> None:
    assert error_of(status).hint == "Try again later."
    turn = error_of(status, on_conversation=True)
    assert turn.hint == "Try later. The chat turn may have been recorded: do not send it again as it is."


def test_conflict_of_a_conversation_is_another_turn() -> None:
    error = error_of(409, "conflict", on_conversation=True)
    assert (type(error), error.kind) == (ServiceUnavailableError, "conversation_busy")


def test_challenge_of_a_403_is_a_policy() -> None:
    error = error_of(403, headers={"www-authenticate": 'Bearer error="insufficient_claims"'})
    assert error.kind == "policy"


def test_documented_shapes_are_read(payload: Any) -> None:
    throttled = refusal(Answer(429, {"retry-after": "12"}, payload("error-throttled.json")), now=NOW)
    assert throttled.details() == {
        "kind": "throttled",
        "status": 429,
        "code": "UnknownError",
        "requestId": "7d2f3c50-0000-4000-8000-000000000001",
        "retryAfterSeconds": 12.0,
    }
    unlicensed = refusal(Answer(403, {"request-id": "from-header"}, payload("error-no-licence.json")), now=NOW)
    assert unlicensed.details() == {
        "kind": "licence",
        "status": 403,
        "code": "NoLicense",
        "requestId": "from-header",
        "whoActs": "administrator",
        "certainty": "certain",
    }


def test_refusal_of_the_back_end_is_unwrapped(payload: Any) -> None:
    error = refusal(Answer(500, {}, payload("error-wrapped.json")), now=NOW, on_conversation=True)
    assert (type(error), error.kind, error.status, error.code) == (
        PermissionDeniedError,
        "licence",
        500,
        "internalServerError",
    )
    assert "IC3" not in str(error)


@pytest.mark.parametrize("message", ["Status = 502", "Status = 999", "no status", "Status = 4030"])
def test_other_wrapped_numbers_change_nothing(message: str) -> None:
    error = refusal(Answer(500, {}, {"error": {"code": "x", "message": message}}), now=NOW)
    assert (type(error), error.kind) == (ServiceUnavailableError, "service")


def test_wrapped_status_counts_only_inside_a_failure() -> None:
    error = refusal(Answer(400, {}, {"error": {"code": "x", "message": "Status = 403"}}), now=NOW)
    assert type(error) is InvalidRequestError


@pytest.mark.parametrize(("status", "kept"), [(400, True), (422, True), (500, False), (403, False), (429, False)])
def test_graphs_own_words_are_kept_where_the_caller_can_mend_the_request(status: int, kept: bool) -> None:
    words = "A 'connectionId' does not exist in this tenant."
    error = refusal(Answer(status, {}, {"error": {"code": "x", "message": words}}), now=NOW)
    assert (error.partial_text, words in str(error)) == (words if kept else "", False)


def test_conversation_as_a_refusal_keeps_its_explanation_out_of_the_message(payload: Any) -> None:
    error = refusal(Answer(403, {}, payload("refusal-conversation.json")), now=NOW)
    assert error.partial_text == "Copilot is not enabled for your account."
    assert "enabled for your account" not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"error": None},
        {"error": []},
        {"error": {"code": 5, "message": 7, "innerError": "x"}},
        {"error": {"code": "<script>", "innerError": {"request-id": "a b\nc"}}},
        {"messages": [5]},
        {"messages": [{"text": 5}]},
    ],
)
def test_odd_bodies_leave_the_status(body: Any) -> None:
    error = refusal(Answer(500, {}, body), now=NOW, request_id="ours")
    assert (error.details(), error.partial_text) == ({"kind": "service", "status": 500, "requestId": "ours"}, "")


def test_error_given_as_a_word_is_a_code() -> None:
    assert refusal(Answer(400, {}, {"error": "invalid_request"}), now=NOW).code == "invalid_request"


@pytest.mark.parametrize(
    ("content", "headers", "body", "is_html"),
    [
        (b'{"a": 1}', {"Content-Type": "application/json"}, {"a": 1}, False),
        (b"", {}, None, False),
        (b"{cut", {}, None, False),
        (b" <html>", {}, None, True),
        (b"oops", {"CONTENT-TYPE": "text/html"}, None, True),
        (b"\xff\xfe", {}, None, False),
        (b"[" * 200_000, {}, None, False),
    ],
)
def test_bodies_are_read_as_far_as_they_can(content: bytes, headers: dict[str, str], body: Any, is_html: bool) -> None:
    answer = read_answer(200, headers, content)
    assert (answer.body, answer.is_html) == (body, is_html)


@pytest.mark.parametrize(
    ("error", "error_class", "kind"),
    [
        ({"code": "Forbidden"}, PermissionDeniedError, "forbidden"),
        ({"code": "NoLicense"}, PermissionDeniedError, "licence"),
        ({"code": "TooManyRequests"}, ThrottledError, "throttled"),
        ({"code": "x", "message": "Status = 404"}, ConversationGoneError, "conversation_gone"),
        ({"code": "internalServerError"}, ServiceUnavailableError, "service"),
    ],
)
def test_error_inside_a_stream_goes_by_its_code(
    error: dict[str, str], error_class: type[GraphError], kind: str
) -> None:
    found = stream_refusal({"error": error}, now=NOW, request_id="req")
    assert (type(found), found.kind, found.status, found.request_id) == (error_class, kind, 200, "req")
    assert found.message.endswith(f"(in the answer, {error['code']}).")


def test_documented_errors_are_read(examples: dict[str, Any]) -> None:
    found = {}
    for name in ("ex094", "ex097", "ex098", "ex099", "ex100"):
        response = examples[name]["response"]
        headers = {key.casefold(): value for key, value in response.get("headers", {}).items()}
        error = refusal(Answer(response["status"], headers, response["body"]), now=NOW)
        found[name] = (error.kind, error.code, bool(error.request_id), error.retry_after)
    assert found == {
        "ex094": ("throttled", "TooManyRequests", True, 10.0),
        "ex097": ("licence", "internalServerError", False, None),
        "ex098": ("forbidden", "Forbidden", True, None),
        "ex099": ("licence", "NoLicense", True, None),
        "ex100": ("throttled", "UnknownError", True, None),
    }
