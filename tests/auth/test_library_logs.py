"""What msal and httpx may no longer log."""

import logging
import subprocess
import sys

import pytest

from copilot_mcp.auth.library_logs import HidingFormatter, hide_secrets, quiet_libraries

LEAKING = logging.getLogger("msal.oauth2cli.oauth2")


@pytest.mark.shows("L9")
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET 200 in 3 ms", "GET 200 in 3 ms"),
        ("Authorization: Bearer eyJhbGciOiJub25lIn0.eyJhIjoxfQ.abc-_ end", "Authorization: Bearer (hidden) end"),
        ("eyJhbGciOiJub25lIn0.eyJhIjoxfQ.", "(hidden)"),
        ("refresh_token=0.AAAAbbbbCCCCddddEEEEffff&x=1", "refresh_token=(hidden)&x=1"),
        ('{"device_code": "AAAAbbbbCCCCddddEEEEffff", "n": 1}', '{"device_code": "(hidden)", "n": 1}'),
        ("client_secret='AAAAbbbbCCCCdddd~EEE.ffff'", "client_secret='(hidden)'"),
        ("status code: 200, request 7d2f3c50-0000-4000-8000-000000000001", None),
        ("the code is short", "the code is short"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_at_the_last_moment(text: str, shown: str | None) -> None:
    assert hide_secrets(text) == (text if shown is None else shown)


@pytest.mark.shows("L9")
def test_traceback_is_searched_too() -> None:
    secret = ".".join(("eyJhbGciOiJub25lIn0", "eyJhIjoxfQ", "sig"))
    try:
        raise ValueError(secret)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed with %s", (secret,), sys.exc_info())
    text = HidingFormatter("%(message)s").format(record)
    assert secret not in text
    assert text.startswith("failed with (hidden)\nTraceback")
    assert text.endswith("ValueError: (hidden)")


def test_filters_are_there_before_the_first_call_of_msal() -> None:
    """In a process of its own: nobody but the first use of MSAL has set them up."""
    code = (
        "import logging, httpx, anyio\n"
        "from copilot_mcp.auth import CLOUDS, Credential, MemoryCache\n"
        "def handler(request):\n"
        "    state = [f'{n} {logging.getLogger(n).level}' for n in ('msal', 'httpx')]\n"
        "    print(state, len(logging.getLogger('msal.oauth2cli.oauth2').filters))\n"
        "    raise httpx.ConnectError('down')\n"
        "async def main():\n"
        "    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:\n"
        "        try:\n"
        "            await Credential(CLOUDS['global'], 'x', 'y', MemoryCache(), http).start_sign_in(['Mail.Read'])\n"
        "        except Exception as error:\n"
        "            print(error.kind)\n"
        "anyio.run(main)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["['msal 30', 'httpx 30'] 1", "offline"]
