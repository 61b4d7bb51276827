"""Dates in HTTP headers, as every part that speaks to a service reads them."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["read_http_date"]


def read_http_date(value: str) -> datetime | None:
    """The moment that a header such as `Date` or `Retry-After` names; None where it names none.

    A date without a zone is in UTC, as all are by RFC 9110, 5.6.7.
    """
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):  # what odd dates were seen to raise
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
