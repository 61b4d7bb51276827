"""Dates of the language: literals, the seven keywords, and the relative wordings it does not have.

Instants are counted in ticks of 100 nanoseconds, UTC, the resolution of a literal's seven-digit fraction.
A date without a time, and a keyword, stand for the closed interval of that day or period.
"""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

TICKS_PER_SECOND = 10_000_000
TICKS_PER_DAY = 86_400 * TICKS_PER_SECOND
KEYWORDS = ("today", "yesterday", "this week", "this month", "last month", "this year", "last year")

_LITERAL = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,7}))?(Z)?)?", re.ASCII
)
_OFFSET = re.compile(r"(.*[T ].*?)(?:([+-])([0-9]{2}):?([0-9]{2}))", re.DOTALL)
_SHIFT = re.compile(r"(?:today|now|getdate|utcnow)(?:\(\))?\s*([+-])\s*([0-9]{1,5})\s*([a-z]*)")
_ADDED = re.compile(
    r"\(?(?:get-date|datetime\.(?:utc)?now|date\.today)(?:\(\))?\)?\.add(hour|day|month|year)s\(([+-]?)([0-9]{1,5})\)?"
)
_BARE_SHIFT = re.compile(r"([+-])([0-9]{1,5})\s*([a-z]+)")
_AGO = re.compile(r"(?:ago\(\s*)?([0-9]{1,5})\s*([a-z]+)(?:\s+ago|\s*\))")
_DURATION = re.compile(r"-?p([0-9]{1,5})([dwmy])")
_LAST = re.compile(r"(?:the\s+)?(?:last|past|previous)\s+([0-9]{1,5})\s*([a-z]+)")
_RELATIVE_START = re.compile(
    r"@|\{?(?:today|now|tomorrow|yesterday)\b|[+-][0-9]+\s*[a-z]|-?p[0-9]+[a-z]"
    r"|(?:this|last|next|past|previous|current|the)\b|ago\b|[0-9]+\s*(?:h|d|w|m|y|hour|day|week|month|year)s?\b"
)
_UNITS = {"": "d", "d": "d", "w": "w", "m": "m", "y": "y", "h": "h"} | {
    f"{word}{plural}": word[0] for word in ("hour", "day", "week", "month", "year") for plural in ("", "s")
}


def canonical_date(text: str) -> str | None:
    """The literal in canonical form (a time gets its `Z`), or None when it is no real UTC date."""
    found = _LITERAL.fullmatch(text)
    if not found or not _is_real(found):
        return None
    return text if found[4] is None or found[8] else f"{text}Z"


def looks_like_date(text: str) -> bool:
    """Whether the text has the shape of a date literal, real or not."""
    return _LITERAL.fullmatch(text) is not None


def _is_real(found: re.Match[str]) -> bool:
    try:
        hour, minute, second = (int(found[index] or 0) for index in (4, 5, 6))
        datetime(int(found[1]), int(found[2]), int(found[3]), hour, minute, second)
    except ValueError:
        return False
    return True


def literal_period(text: str) -> tuple[int, int]:
    """First and last tick of a canonical literal: a day, or one instant twice."""
    found = _LITERAL.fullmatch(text)
    if not found:
        raise ValueError("not a date literal")
    day = date(int(found[1]), int(found[2]), int(found[3])).toordinal() * TICKS_PER_DAY
    if found[4] is None:
        return day, day + TICKS_PER_DAY - 1
    seconds = (int(found[4]) * 60 + int(found[5])) * 60 + int(found[6])
    instant = day + seconds * TICKS_PER_SECOND + int((found[7] or "0").ljust(7, "0"))
    return instant, instant


def utc(now: datetime) -> datetime:
    """`now` in UTC; a time without zone is taken as UTC."""
    return now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)


def keyword_days(name: str, today: date, week_start: int = 0) -> tuple[date, date]:
    """First and last day of a keyword's period; `week_start` counts from 0 for Monday."""
    first_of_month, first_of_year = today.replace(day=1), today.replace(month=1, day=1)
    monday = today - timedelta(days=(today.weekday() - week_start) % 7)
    end_of_last_month = first_of_month - timedelta(days=1)
    periods = {
        "today": (today, today),
        "yesterday": (today - timedelta(days=1),) * 2,
        "this week": (monday, monday + timedelta(days=6)),
        "this month": (first_of_month, today.replace(day=monthrange(today.year, today.month)[1])),
        "last month": (end_of_last_month.replace(day=1), end_of_last_month),
        "this year": (first_of_year, today.replace(month=12, day=31)),
        "last year": (first_of_year.replace(year=today.year - 1), first_of_year - timedelta(days=1)),
        "last week": (monday - timedelta(days=7), monday - timedelta(days=1)),
        "tomorrow": (today + timedelta(days=1),) * 2,
    }
    return periods[name]


def keyword_period(name: str, now: datetime) -> tuple[int, int]:
    """First and last tick of a keyword's period."""
    first, last = keyword_days(name, utc(now).date())
    return first.toordinal() * TICKS_PER_DAY, (last.toordinal() + 1) * TICKS_PER_DAY - 1


def instant_ticks(text: str) -> int | None:
    """The tick of a document's own date, which may bear an offset or more digits; None when it cannot be read."""
    if len(text) > 64:  # no date is that long
        return None
    text = re.sub(r"(\.[0-9]{7})[0-9]+", r"\1", text.strip().upper().replace(" ", "T", 1))
    found = _OFFSET.fullmatch(text)
    minutes = 0
    if found:
        minutes = (int(found[3]) * 60 + int(found[4])) * (1 if found[2] == "+" else -1)
        text = found[1]
    literal = canonical_date(text)
    return None if literal is None else literal_period(literal)[0] - minutes * 60 * TICKS_PER_SECOND


def keyword(text: str) -> str | None:
    """The keyword this text is, with case and spacing folded, or None."""
    folded = " ".join(text.casefold().split())
    return folded if folded in KEYWORDS else None


def is_relative(text: str) -> bool:
    """Whether the text is a relative wording outside the seven keywords."""
    return _RELATIVE_START.match(" ".join(text.casefold().split())) is not None


def relative_period(text: str, now: datetime) -> tuple[str, str] | None:
    """First and last literal that a relative wording means, or None when it cannot be told.

    `today-7d` and `3 weeks ago` mean one day, `now` and `now-36h` one moment, each twice; `last 7 days` means that day
    until today.
    """
    now = utc(now)
    folded = _folded(text)
    if folded in {*KEYWORDS, "last week", "tomorrow"}:
        first, last = keyword_days(folded, now.date())
        return first.isoformat(), last.isoformat()
    if folded in {"now", "now()", "utcnow()", "getdate()"}:
        return (_moment(now),) * 2
    since = _shift(folded, now)
    return None if since is None else (since, now.date().isoformat() if is_lasting(text) else since)


def is_lasting(text: str) -> bool:
    """Whether the wording means a number of units until now: `last 30 days` is bounded by its first day alone."""
    return _LAST.fullmatch(_folded(text)) is not None


def _folded(text: str) -> str:
    return " ".join(text.casefold().strip("{}@ ").split())


def _shift(folded: str, now: datetime) -> str | None:
    """The day or, for hours, the moment that lies a number of units before or after now."""
    for pattern in (_SHIFT, _BARE_SHIFT):
        found = pattern.fullmatch(folded)
        if found:
            start = now.replace(hour=0, minute=0, second=0) if folded.startswith("today") else now
            return shifted(start, int(found[2]) * (1 if found[1] == "+" else -1), found[3])
    found = _ADDED.fullmatch(folded)
    if found:
        return shifted(now, int(f"{found[2]}{found[3]}"), found[1])
    for pattern in (_AGO, _DURATION, _LAST):
        found = pattern.fullmatch(folded)
        if found:
            return shifted(now, -int(found[1]), found[2])
    return None


def _moment(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def shifted(now: datetime, count: int, unit: str) -> str | None:
    """The day `count` units from `now`, for hours the moment.

    Months and years keep the day where the month has it, else its last day.
    """
    short, day = _UNITS.get(unit), now.date()
    try:
        if short == "h":
            return _moment(now + timedelta(hours=count))
        if short in ("m", "y"):
            months = day.year * 12 + day.month - 1 + count * (12 if short == "y" else 1)
            year, month = divmod(months, 12)
            return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1])).isoformat()
        spans = {"d": timedelta(days=count), "w": timedelta(weeks=count)}
        return (day + spans[short]).isoformat() if short in spans else None
    except (ValueError, OverflowError):
        return None
