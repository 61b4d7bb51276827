"""Dates in foreign shapes, and relative wordings once the day is known, turned into restrictions."""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

from . import _words as words
from ._dates import canonical_date, is_lasting, keyword, literal_period, relative_period, utc
from .printer import value_to_kql
from .tree import DateValue, IntervalValue, Node, Operator, RangeValue, Restriction, Span, replace, walk

_DAY = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})")
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_DAY_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED = re.compile(
    r"(?:([0-9]{1,2})(?:st|nd|rd|th)?[ \-](?:of )?)?([a-z]{3,9})\.?[ \-]"
    r"(?:([0-9]{1,2})(?:st|nd|rd|th)?,?[ \-])?([0-9]{4})"
)
_MONTH = re.compile(r"([0-9]{4})(?:[-/]([0-9]{1,2}))?")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]{1,12})?)?"
    r"(?:\s?(Z|UTC|GMT)|\s?([+-][0-9]{2}):?([0-9]{2}))?",
    re.IGNORECASE,
)
_LUCENE_RANGE = re.compile(r"[\[{]\s?(\S{1,40})\s{1,4}TO\s{1,4}(\S{1,40}?)\s?[\]}]")


def meant_dates(name: str, op: Operator, text: str, now: datetime | None, span: Span | None) -> Node | None:
    """The restriction on dates that `text` probably meant, or None."""
    lucene = _LUCENE_RANGE.fullmatch(text)
    if lucene:
        text = f"{lucene[1]}..{lucene[2]}"
    left, dots, right = text.partition("..")
    if dots:
        return _range(name, left, right, now, span)
    folded = keyword(text)
    if folded and op in (":", "="):
        return Restriction(name, op, IntervalValue(folded), span)
    period = meant_period(text, now)
    if period is None:
        return None
    first, last = period
    if op in words.ORDERING:
        ends = op in (">", "<=") and not is_lasting(text)
        return Restriction(name, op, DateValue(last if ends else first), span)
    if first == last:  # a moment reckoned from now means its day, where nothing is before or after it
        exact = canonical_date(text) or meant_time(text)
        return Restriction(name, op, DateValue(first if exact else first[:10]), span)
    if op == "<>":
        return None
    if now is not None and not folded and last == utc(now).date().isoformat():  # up to now
        return Restriction(name, ">=", DateValue(first), span)
    return Restriction(name, op, RangeValue(DateValue(first), DateValue(last)), span)


def meant_period(text: str, now: datetime | None, month_first: bool | None = None) -> tuple[str, str] | None:
    """First and last literal of the period that `text` means: a day or a time is both at once.

    `month_first` settles 5/1/2025, where nothing else does.
    """
    text = text.strip().strip("'\"{}")
    literal = canonical_date(text) or _day(text, month_first) or _named_day(text) or meant_time(text)
    if literal:
        return literal, literal
    if now is not None:
        period = relative_period(text, now)
        if period:
            return period
    return _month_or_year(text)


def _day(text: str, month_first: bool | None) -> str | None:
    found = _DAY.fullmatch(text) or _COMPACT.fullmatch(text)
    if found:
        return _real(int(found[1]), int(found[2]), int(found[3]))
    found = _DAY_LAST.fullmatch(text)
    if not found:
        return None
    first, second, year = int(found[1]), int(found[3]), int(found[4])
    year += 2000 if year < 100 else 0
    order = _month_comes_first(text)
    order = month_first if order is None and first != second else order
    if order is None and first != second:
        return None  # nobody can tell month and day apart
    return _real(year, second, first) if order is False else _real(year, first, second)


def _month_comes_first(text: str) -> bool | None:
    """Whether the month stands before the day, None where nothing tells; dots are used where the day comes first."""
    found = _DAY_LAST.fullmatch(text.strip().strip("'\""))
    if not found or (found[2] != "." and int(found[1]) <= 12 and int(found[3]) <= 12):
        return None
    return found[2] != "." and int(found[1]) <= 12


def _named_day(text: str) -> str | None:
    """22 July 2024, July 22nd, 2024 or 22-Jul-2024."""
    found = _NAMED.fullmatch(" ".join(text.casefold().split()))
    if not found or (found[1] is None) is (found[3] is None) or found[2][:3] not in _MONTHS:
        return None
    return _real(int(found[4]), _MONTHS.index(found[2][:3]) + 1, int(found[1] or found[3]))


def _real(year: int, month: int, day: int) -> str | None:
    return canonical_date(f"{year:04}-{month:02}-{day:02}")


def meant_time(text: str) -> str | None:
    """A time in a near ISO shape, with an offset or without seconds, as a UTC literal."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    fraction = (found[5] or "")[:8]
    local = canonical_date(f"{found[1]}T{found[2]}:{found[3]}:{found[4] or '00'}{fraction}")
    if local is None or found[7] is None:
        return local
    sign = -1 if found[7].startswith("-") else 1
    offset = timedelta(hours=int(found[7]), minutes=sign * int(found[8]))
    try:
        moment = datetime.fromisoformat(local[:19]).replace(tzinfo=UTC) - offset
    except OverflowError:
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z" if moment.year >= 1000 else None


def _month_or_year(text: str) -> tuple[str, str] | None:
    named = _NAMED.fullmatch(text.casefold())
    if named and not named[1] and not named[3] and named[2][:3] in _MONTHS:
        text = f"{named[4]}-{_MONTHS.index(named[2][:3]) + 1}"
    found = _MONTH.fullmatch(text)
    if not found or found[1] == "0000":
        return None
    year = int(found[1])
    first, last = (int(found[2]),) * 2 if found[2] else (1, 12)
    if not 1 <= first <= 12:
        return None
    return date(year, first, 1).isoformat(), date(year, last, monthrange(year, last)[1]).isoformat()


def _range(name: str, left: str, right: str, now: datetime | None, span: Span | None) -> Node | None:
    order = _month_comes_first(left) if _month_comes_first(left) is not None else _month_comes_first(right)
    start, end = meant_period(left, now, order), meant_period(right, now, order)
    if start and end:
        if literal_period(start[0])[0] > literal_period(end[1])[1]:
            start, end = end, start
        return Restriction(name, ":", RangeValue(DateValue(start[0]), DateValue(end[1])), span)
    if start and right.strip() in ("", "*"):
        return Restriction(name, ">=", DateValue(start[0]), span)
    return Restriction(name, "<=", DateValue(end[1]), span) if end and left.strip() in ("", "*") else None


def with_explicit_dates(tree: Node, now: datetime) -> Node:
    """The tree with the keywords that bound something, or end a range, turned into dates."""
    for node in list(walk(tree)):
        if not isinstance(node, Restriction):
            continue
        value, text = node.value, ""
        if isinstance(value, IntervalValue) and node.op not in (":", "="):
            text = value.name
        elif isinstance(value, RangeValue) and isinstance(value.start, DateValue | IntervalValue):
            text = f"{value_to_kql(value.start)}..{value_to_kql(value.end)}"
        dated = meant_dates(node.property, node.op, text, now, node.span) if text else None
        tree = replace(tree, node, dated) if dated is not None else tree
    return tree
