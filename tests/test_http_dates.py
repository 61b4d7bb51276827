"""Dates of HTTP headers, in every form that services send."""

from datetime import UTC, datetime, timedelta

import pytest

from copilot_mcp.http_dates import read_http_date

MOMENT = datetime(2026, 3, 2, 8, 0, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "Mon, 02 Mar 2026 08:00:07 GMT",
        "Mon, 02 Mar 2026 08:00:07",
        "Mon, 02 Mar 2026 08:00:07 -0000",
        "Mon, 02 Mar 2026 09:00:07 +0100",
    ],
)
def test_a_date_is_a_moment_in_utc_whatever_the_zone_of_this_computer(value: str) -> None:
    moment = read_http_date(value)
    assert moment == MOMENT
    assert moment is not None and moment.utcoffset() in (timedelta(0), timedelta(hours=1))


@pytest.mark.parametrize(
    "value", ["", "soon", "7", "Mon, 99 Mar 2026 08:00:07 GMT", "Mon, 02 Mar 2026 08:00:07 +9999999", "\x00"]
)
def test_what_is_no_date_is_none(value: str) -> None:
    assert read_http_date(value) is None
