"""Ids of conversations: opaque where Graph gave them, checked where a caller did, never a way to elsewhere."""

import pytest

from copilot_mcp.errors import ArgumentError, ServiceUnavailableError
from copilot_mcp.graph.conversation_ids import conversation_path, new_conversation_path

HOME = "/beta/copilot/conversations/"


@pytest.mark.parametrize(
    ("conversation_id", "segment"),
    [
        ("c-1", "c-1"),
        ("a/b", "a%2Fb"),
        ("a%2Fb", "a%252Fb"),
        ("a\\b?c#d e", "a%5Cb%3Fc%23d%20e"),
        ("19:meeting_x@thread.v2", "19%3Ameeting_x%40thread.v2"),
        ("/a/", "%2Fa%2F"),
        ("a" * 2_000, "a" * 2_000),
    ],
)
def test_new_id_is_percent_encoded_whatever_it_holds(conversation_id: str, segment: str) -> None:
    assert new_conversation_path(conversation_id) == HOME + segment


@pytest.mark.parametrize(
    "conversation_id",
    ["", " ", ".", "..", "../x", "a/../b", "a\\..\\b", "%2e%2e", "a%2F%2e%2e", "%252e%252e%252fx", "a//b", "/",
     "a\nb", "a%0d%0ab", "\ud800", "a" * 2_001],
)  # fmt: skip
def test_new_id_that_leads_elsewhere_is_the_services_fault(conversation_id: str) -> None:
    with pytest.raises(ServiceUnavailableError) as caught:
        new_conversation_path(conversation_id)
    assert str(caught.value) == (
        "Microsoft Graph gave the new conversation an id that cannot be part of an address. The question was not sent. "
        "Try again later."
    )


@pytest.mark.parametrize("conversation_id", ["", "..", "a/b", "a%2Fb", "a\\b", "%252e%252e", "a\nb", "a" * 201])
def test_odd_id_of_a_caller_is_refused(conversation_id: str) -> None:
    with pytest.raises(ArgumentError, match="conversationId is not the id of a conversation"):
        conversation_path(conversation_id)


def test_id_of_a_caller_is_percent_encoded() -> None:
    assert conversation_path("a b@c") == HOME + "a%20b%40c"
