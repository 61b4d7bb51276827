"""Small request bodies of the tenant's own addresses."""

import json
from typing import Any, Final

from starlette.requests import Request

__all__ = ["limited_body", "small_object"]

_MAX_BYTES: Final = 10_000


async def limited_body(request: Request) -> bytes:
    """The body, empty when it is larger than any of ours."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MAX_BYTES:
            return b""
    return bytes(content)


async def small_object(request: Request) -> dict[str, Any]:
    """The JSON object of a small body; anything else is an empty one."""
    try:
        value = json.loads(await limited_body(request))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
