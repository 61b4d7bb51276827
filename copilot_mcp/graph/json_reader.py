"""JSON from outside, within limits: what no real answer needs is not read, however well-formed it is.

NaN and the infinities, which Python's reader takes and JSON does not know, are read as null.
"""

import json
import re
from typing import Any

DEPTH_CAP = 64
MEMBERS_CAP = 100_000
"""Of one text. A batch of twenty answers with 25 documents each has some 20,000."""

UNREADABLE = (ValueError, RecursionError)
# Raw line breaks inside a string are what some streams really send.
DECODER = json.JSONDecoder(strict=False, parse_constant=lambda name: None)

_CONTAINERS = frozenset({dict, list})  # the reader makes no others; looked up quicker than compared twice
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class JsonLimitError(ValueError):
    """Well-formed, perhaps, but deeper or larger than any real answer."""


def read_json(content: bytes) -> Any:
    """The value of a whole body.

    Raises:
        JsonLimitError: It is too deep or has too many members.
        ValueError: It is no JSON.
    """
    text = content.decode(json.detect_encoding(content), "replace")
    check_size(text)
    try:
        value = DECODER.decode(text)
    except RecursionError:
        raise JsonLimitError("too deep") from None
    return checked(value, text)


def check_size(text: str) -> None:
    """Refuse a text with too many members, before anything is made of it.

    Raises:
        JsonLimitError: It has too many.
    """
    # The first tests are quick and nearly always enough; only then are the commas of texts told apart.
    if len(text) > MEMBERS_CAP and text.count(",") > MEMBERS_CAP and _STRING.sub("", text).count(",") > MEMBERS_CAP:
        raise JsonLimitError("too many members")


def checked(value: Any, text: str) -> Any:
    """The value of a text, with halves of characters replaced: services cut texts where UTF-16 has one in two parts.

    Raises:
        JsonLimitError: It is too deep.
    """
    if type(value) in _CONTAINERS:  # walking what was read is quicker than counting brackets in its text
        _check_depth(value)
    # Looking for one character is many times quicker than for three, and most texts have no escapes.
    return _mended(value) if "\\" in text and ("\\ud" in text or "\\uD" in text) else value


def _check_depth(value: dict[str, Any] | list[Any]) -> None:
    """Every event of a stream passes here, and nearly all have fewer members than could be nested too deep."""
    found: list[Any] = [value]
    for outer in found:
        for member in outer.values() if type(outer) is dict else outer:
            if type(member) in _CONTAINERS:
                found.append(member)  # and is looked at in its turn
        if len(found) > DEPTH_CAP:
            _check_levels(value)
            return


def _check_levels(value: dict[str, Any] | list[Any]) -> None:
    level: list[Any] = [value]
    for _ in range(DEPTH_CAP):
        level = [
            member
            for outer in level
            for member in (outer.values() if type(outer) is dict else outer)
            if type(member) in _CONTAINERS
        ]
        if not level:
            return
    raise JsonLimitError("too deep")


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_mended(member) for member in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(member) for name, member in value.items()}
    return value
