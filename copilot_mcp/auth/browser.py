"""Signing in with a browser on this machine: authorization code with PKCE (RFC 7636), answered on loopback (RFC 8252).

Opens nothing by itself: whoever asks gets the address to show.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import anyio

from copilot_mcp.auth.answers import Account
from copilot_mcp.auth.device_code import Store
from copilot_mcp.auth.entra import Entra
from copilot_mcp.auth.refusals import refusal_error
from copilot_mcp.errors import AuthenticationError

__all__ = ["sign_in_with_browser"]

BROWSER_TIMEOUT_S = 300.0

Show = Callable[[str], Awaitable[None]]
"""Shows an address to the person."""


async def sign_in_with_browser(
    entra: Entra,
    store: Store,
    scopes: Sequence[str],
    show: Show,
    *,
    claims: str | None = None,
    timeout_s: float = BROWSER_TIMEOUT_S,
) -> Account:
    """Show the address, wait for the browser's answer, redeem it once, and store what it brings.

    Raises:
        AuthenticationError: Declined, refused, or nobody finished in time. Nothing was stored.
    """
    from copilot_mcp.auth.loopback_receiver import opened_receiver

    names = frozenset(scopes)
    answer: dict[str, str] = {}
    async with opened_receiver() as receiver:
        flow = await entra.run(partial(entra.begin_browser, sorted(names), receiver.redirect_uri, claims))
        receiver.state = str(flow.answer["state"])
        await show(str(flow.answer["auth_uri"]))  # on the authority's host: the adapter checked the discovery document
        with anyio.move_on_after(timeout_s):
            answer = await receiver.answer()
    if not answer:
        raise _nobody_came(timeout_s)
    tokens = await entra.run(partial(entra.redeem, flow, answer))
    if "error" in tokens:
        raise refusal_error(tokens, entra.asked.by("", names))
    return await entra.run(partial(store, flow, tokens, names, lambda: True))


def _nobody_came(timeout_s: float) -> AuthenticationError:
    return AuthenticationError(
        f"No browser came back within {round(timeout_s / 60)} minutes.",
        "Start again; the page has to be opened on this very machine.",
        kind="sign_in_expired",
    )
