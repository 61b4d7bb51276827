"""The time that a call has for its token: a source of tokens may hang, and nothing else would end the call then."""

from collections.abc import Awaitable
from typing import TypeVar

import anyio

from copilot_mcp.errors import AuthenticationError

T = TypeVar("T")


async def in_time(left_s: float, asking: Awaitable[T]) -> T:
    """What the asking for a token gives, where it does so within the seconds that are left.

    Raises:
        AuthenticationError: It does not.
        CopilotMcpError: As the source of tokens says.
    """
    with anyio.move_on_after(max(0.0, left_s)):
        return await asking
    raise AuthenticationError(
        "No access token could be had within the time of this call, so the request was not sent.",
        "Try again. If it stays, `copilot-mcp doctor` looks for what hangs.",
        kind="token_timeout",
        who="nobody",
    )
