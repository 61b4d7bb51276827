"""Where tokens come from, and what becomes of a request whose token was refused."""

from collections.abc import Sequence
from typing import Protocol

from copilot_mcp.errors import CopilotMcpError, GraphError, PermissionDeniedError

_NOT_CURED_KINDS = ("app_only_token", "personal_account", "clock_skew")


class TokenSource(Protocol):
    """Where tokens come from."""

    async def token(self, scopes: Sequence[str], *, rejected: str | None = None, claims: str | None = None) -> str:
        """A bearer token for these permissions (names without the cloud's prefix).

        `rejected` is a token that Graph has just answered 401 to: it must not be given again. `claims` is the JSON
        text of the claims challenge that came with the refusal, if one did.
        """


class Bearer:
    """The token of one call, be it one request or the items of a batch.

    It is renewed once for a plain refusal and once for a claims challenge, never more: what refuses a token that was
    had just now would refuse the next one too.
    """

    def __init__(self, tokens: TokenSource, scopes: Sequence[str]) -> None:
        self.scopes = tuple(scopes)
        self._tokens = tokens
        self._rejected: str | None = None
        self._new: str | None = None
        self._renewed = False
        self._challenged = False

    async def token(self) -> str:
        """The token to send next, asked for anew each time; never one that was refused.

        Raises:
            CopilotMcpError: None can be had.
        """
        new, self._new = self._new, None
        return new or await self._tokens.token(self.scopes, rejected=self._rejected)

    async def renew(self, rejected: str, claims: str | None) -> bool:
        """Get a new token in the place of one that was refused; False where that was done before.

        `claims` is the JSON text of the challenge that came with the refusal, if one did.

        Raises:
            CopilotMcpError: None can be had.
        """
        if self._renewed and (claims is None or self._challenged):
            return False
        self._renewed, self._challenged = True, self._challenged or claims is not None
        self._rejected = rejected
        self._new = await self._tokens.token(self.scopes, rejected=rejected, claims=claims)
        return True


async def renew_after_turn(tokens: TokenSource, scopes: Sequence[str], rejected: str, claims: str | None) -> None:
    """Get a token that serves the next call. The turn itself is not sent again, whoever signs in meanwhile.

    Raises:
        CopilotMcpError: None can be had.
    """
    try:
        await tokens.token(scopes, rejected=rejected, claims=claims)
    except CopilotMcpError as error:  # whatever a sign-in cures: the call would be made again after it
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
