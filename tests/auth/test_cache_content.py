"""The content of a saved sign-in: what is believed, and how changes are merged."""

import json
from typing import Any

import pytest

from copilot_mcp.auth import CLOUDS
from copilot_mcp.auth.answers import Account
from copilot_mcp.auth.cache_content import account_in, content_of, merged, msal_text, stored_tokens, with_account

ACCOUNT = Account("a@b.example", "A", "tenant", ("Mail.Read",), "object", "home", "sign-in")
ACCESS = {
    "secret": "s",
    "expires_on": "1800000000",
    "target": "https://graph.microsoft.com/Mail.Read openid",
    "home_account_id": "home",
    "client_id": "app",
}
REFRESH = {"secret": "s", "home_account_id": "home", "client_id": "app"}
PERSON = {"home_account_id": "home", "environment": "login.microsoftonline.com", "authority_type": "MSSTS"}


def read(document: Any, limit: int = 10_000) -> Any:
    return content_of(json.dumps(document).encode(), limit)


def test_whole_content_is_read_as_it_was_written() -> None:
    content = with_account(
        {
            "AccessToken": {"k": ACCESS | {"refresh_on": "1799999999", "cached_at": "1"}},
            "RefreshToken": {"k": REFRESH | {"last_modification_time": "1"}},
            "IdToken": {"k": {"secret": "s", "home_account_id": "home"}},
            "Account": {"k": PERSON},
            "AppMetadata": {"k": {"client_id": "app"}},
        },
        ACCOUNT,
    )
    assert read(content) == content
    assert account_in(content) == ACCOUNT
    assert json.loads(msal_text(content)) == {name: content[name] for name in content if name != "CopilotMcp"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\x00\x01",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b'{"AccessToken": []}',
        b'{"AccessToken": {"k": []}}',
        b'{"AccessToken": {"k": {}}}',
        b'{"Unknown": {}}',
        b'{"AccessToken":' * 100_000,
        b" " * 10_001,
    ],
)
def test_damaged_bytes_are_no_content(data: bytes) -> None:
    assert content_of(data, 10_000 if data.startswith(b" ") else 10**7) is None


@pytest.mark.parametrize("field", ["secret", "expires_on", "target", "home_account_id", "client_id"])
def test_access_token_without_a_field_is_no_content(field: str) -> None:
    assert read({"AccessToken": {"k": {name: value for name, value in ACCESS.items() if name != field}}}) is None


@pytest.mark.parametrize(
    "expires_on", [1800000000, "soon", "-5", "", "1.5", "99999999999999", "٣", None, "9" * 5000, "100000000000"]
)
def test_time_that_msal_cannot_read_is_no_content(expires_on: Any) -> None:
    assert read({"AccessToken": {"k": ACCESS | {"expires_on": expires_on}}}) is None


def test_refresh_time_is_checked_too() -> None:
    assert read({"AccessToken": {"k": ACCESS | {"refresh_on": "x"}}}) is None
    assert read({"RefreshToken": {"k": REFRESH | {"last_modification_time": None}}}) is None


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"account": {}},
        {"account": {"username": "a"}},
        {"account": dict.fromkeys(("username", "name", "tenant_id", "object_id", "home_account_id", "sign_in_id"), "")},
    ],
)
def test_incomplete_account_is_no_account(entry: dict[str, Any]) -> None:
    assert account_in({"CopilotMcp": entry}) is None


def test_difference_is_merged_into_the_newest_content() -> None:
    before = {"S": {"kept": {"v": 1}, "changed": {"v": 1}, "gone": {"v": 1}}}
    after = {"S": {"kept": {"v": 1}, "changed": {"v": 2}, "new": {"v": 3}}, "T": {"new": {"v": 4}}}
    current = {"S": {"kept": {"v": 9}, "changed": {"v": 1}, "gone": {"v": 1}, "other": {"v": 5}}}
    assert merged(current, before, after) == {
        "S": {"kept": {"v": 9}, "changed": {"v": 2}, "other": {"v": 5}, "new": {"v": 3}},
        "T": {"new": {"v": 4}},
    }
    assert current["S"]["changed"] == {"v": 1}


def test_tokens_of_this_account_and_app_are_found_by_permission_name() -> None:
    content = {
        "AccessToken": {
            "1": ACCESS,
            "2": ACCESS | {"secret": "t", "target": "Mail.Read", "refresh_on": "1700000000"},
            "3": ACCESS | {"home_account_id": "another"},
            "4": ACCESS | {"client_id": "another"},
        }
    }
    cloud = CLOUDS["global"]
    for name in ("Mail.Read", "mail.read"):
        assert list(stored_tokens(content, ACCOUNT, "app", cloud, {name})) == [("s", 1.8e9, 1.8e9), ("t", 1.8e9, 1.7e9)]
    assert list(stored_tokens(content, ACCOUNT, "app", cloud, {"Mail.Read", "Chat.Read"})) == []
