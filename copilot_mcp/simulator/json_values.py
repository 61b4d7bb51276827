"""JSON as it comes in: only what can go out again is let in.

Python's reader also takes `NaN`, numbers that become infinite, halves of surrogate pairs and any depth that its stack
bears. None of these can be written as JSON in UTF-8, so that whatever later shows such a value would fail in its place.
"""

import json
from math import isfinite
from typing import Any, Final

__all__ = ["read_value", "writable"]

MAX_DEPTH: Final = 100


def read_value(content: bytes | str) -> Any:
    """The JSON value of a text.

    Raises:
        ValueError: It is no JSON, is nested deeper than 100 levels, or could not be written again.
    """
    try:
        value = json.loads(content)
    except RecursionError:
        raise ValueError("the value is nested too deep") from None
    if not writable(value):
        raise ValueError("the value cannot be written as JSON")
    return value


def writable(value: Any) -> bool:
    """Whether a value of JSON's types can be written as JSON in UTF-8, no deeper than 100 levels."""
    level = [value]
    for _ in range(MAX_DEPTH):
        if not all(_plain(each) for each in level):
            return False
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return True
    return False


def _inside(value: Any) -> list[Any]:
    """What the value holds, the names of members among it."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    return list(value) if isinstance(value, list | tuple) else []


def _plain(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    try:
        str(value if isinstance(value, str) else "").encode()
    except UnicodeEncodeError:
        return False
    return True
