"""A code that another process shows and waits for: shown here too, its success found in the cache that both share."""

from collections.abc import Awaitable, Callable

from copilot_mcp.auth.answers import Account
from copilot_mcp.auth.file_lock import HeldFile
from copilot_mcp.auth.prompts import SignInAttempt
from copilot_mcp.errors import AuthenticationError

__all__ = ["JoinedCode", "SignedInMeanwhileError"]

LOOK_S = 1.0
"""Seconds between two looks."""


class SignedInMeanwhileError(AuthenticationError):
    """No code is needed: another process has just brought a sign-in, that of `account`."""

    kind = "signed_in_meanwhile"

    def __init__(self, account: Account) -> None:
        super().__init__("Somebody has signed in meanwhile.", "Call again.")
        self.account = account


class JoinedCode:
    """One such code. `known` is the sign-in that the cache held before it was shown, empty for none.

    `seat` is held while we show it, so that the other process goes on for us.
    """

    def __init__(self, attempt: SignInAttempt, known: str, seat: HeldFile | None) -> None:
        self.attempt = attempt
        self._known = known
        self._seat = seat
        self._over = False

    def is_open(self, now: float) -> bool:
        """Whether the person may still use it, as far as we have seen."""
        return not self._over and now < self.attempt.expires_at.timestamp()

    def cancel(self) -> None:
        """Wait for it no more; the other process goes on, unless its own person has given it up."""
        self._over = True
        seat, self._seat = self._seat, None
        if seat is not None:
            seat.release()

    async def wait(
        self,
        is_shown: Callable[[], Awaitable[bool]],
        account: Callable[[], Awaitable[Account | None]],
        sleep: Callable[[float], Awaitable[None]],
    ) -> Account:
        """Wait until somebody has signed in, or the other process has ended its waiting.

        Raises:
            AuthenticationError: It ended without a sign-in, or ours was cancelled (`sign_in_cancelled`).
        """
        while not self._over:
            shown = await is_shown()  # before the look at the cache: the other process saves, then lets go
            now = await account()
            if now is not None and now.sign_in_id != self._known:
                self.cancel()
                return now
            if not shown:
                break
            await sleep(LOOK_S)
        self.cancel()
        raise AuthenticationError(
            "The sign-in that another copilot-mcp process had begun ended without an account.",
            "Run `copilot-mcp login` to start again.",
            kind="sign_in_cancelled",
        )
