"""Halves of surrogate pairs in what a host sends, read as U+FFFD.

JavaScript writes them where it cuts a text inside an emoji (`"a\\ud83d"`). They are no Unicode and cannot be encoded,
so the SDK's JSON reader refuses the whole message or lets them in, by transport and era (tried with mcp 2.3.0).
"""

import re
from typing import Any

__all__ = ["mended", "mended_json"]

_HALF = re.compile(r"[\ud800-\udfff]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_MARK = r"\ufffd"


def mended_json(text: str) -> str:
    """JSON text of the same length whose escapes stand for whole characters only."""
    return _ESCAPE.sub(lambda found: _MARK if found[1] else found[0], text)


def mended(value: Any) -> Any:
    """A JSON value whose texts and names hold whole characters only."""
    if isinstance(value, str):
        return value if value.isascii() else _HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [mended(member) for member in value]
    if isinstance(value, dict):
        return {mended(name): mended(member) for name, member in value.items()}
    return value
