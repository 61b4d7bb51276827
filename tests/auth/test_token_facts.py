"""What an access token says of itself."""

import base64
import json
from typing import Any

import pytest

from copilot_mcp.auth.token_facts import TokenFacts, read_facts


def token(claims: Any) -> str:
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return f"e30.{base64.urlsafe_b64encode(body).rstrip(b'=').decode()}.SECRETMARK"


def test_delegated_token_is_read() -> None:
    claims = {
        "aud": "https://graph.microsoft.com",
        "exp": 1767225600,
        "scp": "Mail.Read Chat.Read",
        "tid": "t",
        "upn": "a@b",
    }
    expected = TokenFacts(
        "https://graph.microsoft.com", 1767225600.0, frozenset({"Mail.Read", "Chat.Read"}), False, False, "t", "a@b"
    )
    assert read_facts(token(claims)) == expected


@pytest.mark.parametrize(
    ("claims", "app_only"),
    [
        ({"idtyp": "app", "scp": "Mail.Read"}, True),
        ({"roles": ["Mail.Read"]}, True),
        ({"roles": ["Mail.Read"], "scp": "Mail.Read"}, False),
        ({"scp": "Mail.Read"}, False),
        ({}, False),
    ],
)
def test_token_without_a_person_is_told(claims: dict[str, Any], app_only: bool) -> None:
    facts = read_facts(token(claims))
    assert facts is not None
    assert facts.app_only is app_only


def test_personal_account_is_told_by_its_tenant() -> None:
    facts = read_facts(token({"tid": "9188040D-6C67-4C5B-B112-36A304B66DAD", "preferred_username": "me"}))
    assert facts is not None
    assert (facts.personal, facts.username) == (True, "me")


@pytest.mark.parametrize("claims", [{"aud": ["x"], "exp": True, "scp": " ", "tid": 7, "upn": "a\nb"}, {"exp": "soon"}])
def test_claims_of_another_form_are_unknown(claims: dict[str, Any]) -> None:
    assert read_facts(token(claims)) == TokenFacts(None, None, None, False, False, None, None)


@pytest.mark.parametrize(
    "text",
    ["", "opaque", "a.b", "a.!!.c", token(b"[1]"), token(b"{"), token(b"[" * 3000), f"{token({})}{'x' * 70_000}"],
)
def test_token_of_another_form_is_unknown(text: str) -> None:
    assert read_facts(text) is None
