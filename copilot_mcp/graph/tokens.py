"""Where tokens come from, and what becomes of a turn whose token was refused."""

from collections.abc import Sequence
from typing import Protocol

from copilot_mcp.errors import AuthenticationRequiredError, GraphError, PermissionDeniedError

_NOT_CURED_KINDS = ("app_only_token", "personal_account", "clock_skew")


class TokenSource(Protocol):
    """Where tokens come from."""

    async def token(self, scopes: Sequence[str], *, rejected: str | None = None, claims: str | None = None) -> str:
        """A bearer token for these permissions (names without the cloud's prefix).

        `rejected` is a token that Graph has just answered 401 to: it must not be given again. `claims` is the JSON
        text of the claims challenge that came with the refusal, if one did.
        """


async def renew_after_turn(tokens: TokenSource, scopes: Sequence[str], rejected: str, claims: str | None) -> None:
    """Get a token that serves the next call. The turn itself is not sent again, whoever signs in meanwhile.

    Raises:
        CopilotMcpError: None can be had.
    """
    try:
        await tokens.token(scopes, rejected=rejected, claims=claims)
    except AuthenticationRequiredError as error:
        error.after_turn = True
        raise


def token_renewed(refused: GraphError) -> GraphError:
    """What is said of a turn whose token was refused and then renewed; a reason that no new token cures stays."""
    if refused.kind in _NOT_CURED_KINDS:
        return refused
    error = PermissionDeniedError(
        f"Microsoft Graph refused the token ({refused.status}), so the question was not taken. The sign-in has been "
        "renewed.",
        "Ask again.",
        kind="token_renewed",
        status=refused.status,
        code=refused.code,
        request_id=refused.request_id,
    )
    error.scopes, error.who = refused.scopes, "user"
    return error
