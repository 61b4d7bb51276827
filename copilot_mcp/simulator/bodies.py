"""Small request bodies of the tenant's own addresses."""

from typing import Any, Final

from starlette.requests import Request

from copilot_mcp.simulator.json_values import read_value

__all__ = ["BadBodyError", "limited_body", "small_object"]

_MAX_BYTES: Final = 10_000


class BadBodyError(ValueError):
    """The body is not what the address takes."""


async def limited_body(request: Request) -> bytes:
    """The body, empty when it is larger than any of ours."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MAX_BYTES:
            return b""
    return bytes(content)


async def small_object(request: Request) -> dict[str, Any]:
    """The JSON object of a small body.

    Raises:
        BadBodyError: it is something else, or larger than 10,000 bytes.
    """
    try:
        value = read_value(await limited_body(request))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BadBodyError("the body must be a JSON object of at most 10,000 bytes")
    return value
