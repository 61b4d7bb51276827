"""Front matter of Markdown files: `key: value` lines between two lines of three dashes.

A small part of YAML on purpose: one line is one key, `[a, b]` and indented `- a` lines are lists. Lines in any
other form are left out, never an error: the files belong to other people.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time

__all__ = ["FrontMatter", "parse_instant", "split_front_matter"]

_FENCE = "---"
_KEY = re.compile(r"([A-Za-z_][\w.\- ]*?)\s*:(?:\s+(.*)|\s*)$")
_ITEM = re.compile(r"\s*-\s+(.*)$")
_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})$")
_MAX_LINES = 200

FrontMatter = Mapping[str, tuple[str, ...]]


def split_front_matter(text: str) -> tuple[FrontMatter, str]:
    """Part a file's text into its front matter (keys in lower case, values always lists) and its body."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if not lines or lines[0].rstrip() != _FENCE:
        return {}, text
    end = next((i for i, line in enumerate(lines[1 : _MAX_LINES + 1], start=1) if line.rstrip() == _FENCE), None)
    if end is None:
        return {}, text
    return _pairs(lines[1:end]), "\n".join(lines[end + 1 :]).lstrip("\n")


def _pairs(lines: list[str]) -> dict[str, tuple[str, ...]]:
    pairs: dict[str, tuple[str, ...]] = {}
    key = ""
    for line in lines:
        item = _ITEM.match(line)
        if item and key:
            pairs[key] = (*pairs[key], _unquoted(item[1]))
            continue
        found = _KEY.match(line)
        key = found[1].strip().lower() if found else ""
        if found:
            pairs[key] = _values(found[2] or "")
    return {name: values for name, values in pairs.items() if values}


def _values(text: str) -> tuple[str, ...]:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return tuple(value for part in text[1:-1].split(",") if (value := _unquoted(part)))
    value = _unquoted(text)
    return (value,) if value else ()


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1].strip()
    return text


def parse_instant(text: str) -> datetime | None:
    """Read an ISO date or date-time, or `MM/DD/YYYY` as Microsoft's pages write it; UTC where no zone stands."""
    american = _US_DATE.match(text.strip())
    try:
        if american:
            month, day, year = (int(part) for part in american.groups())
            return datetime.combine(date(year, month, day), time(), UTC)
        instant = datetime.fromisoformat(text.strip())
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
