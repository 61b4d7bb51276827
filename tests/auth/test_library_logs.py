"""What msal and httpx may no longer log."""

import logging

import pytest

from copilot_mcp.auth import quiet_libraries

LEAKING = logging.getLogger("msal.oauth2cli.oauth2")


def test_unreadable_token_answer_is_logged_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    quiet_libraries()
    try:
        raise ValueError("an-access-token")
    except ValueError:
        LEAKING.exception("Token response is not in json format: %s", '{"access_token":"an-access-token')
    (record,) = caplog.records
    assert record.getMessage() == "The sign-in service sent an answer that cannot be read."
    assert (record.args, record.exc_info, record.exc_text, record.stack_info) == (None, None, None, None)
    assert "an-access-token" not in caplog.text


def test_warnings_of_the_library_pass_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    quiet_libraries()
    LEAKING.warning("an ordinary %s", "warning")
    assert caplog.messages == ["an ordinary warning"]


def test_details_of_the_libraries_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    quiet_libraries()
    for name in ("msal.token_cache", "msal.application", "httpx", "httpcore.http11", "urllib3.connectionpool"):
        logging.getLogger(name).info("https://graph.microsoft.com/beta/copilot/conversations/an-id")
    assert caplog.records == []


def test_calling_again_adds_no_second_filter() -> None:
    quiet_libraries()
    before = list(LEAKING.filters)
    quiet_libraries()
    assert LEAKING.filters == before
