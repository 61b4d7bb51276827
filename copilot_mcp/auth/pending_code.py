"""A code of this process that the person may be typing, and what became of it."""

from dataclasses import dataclass, field

import anyio

from copilot_mcp.auth.answers import Account
from copilot_mcp.auth.entra import DeviceFlow
from copilot_mcp.auth.prompts import SignInAttempt, Turn
from copilot_mcp.errors import CopilotMcpError

__all__ = ["PendingCode"]


@dataclass(slots=True)
class PendingCode:
    """One such code; one that is `given_up` is polled for another process alone."""

    attempt: SignInAttempt
    names: frozenset[str]
    claims: str | None
    deadline: float
    interval: float
    flow: DeviceFlow = field(repr=False)
    turn: Turn = field(repr=False)
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    waiters: int = 0
    cancelled: bool = False
    given_up: bool = False
    scope: anyio.CancelScope | None = None
    account: Account | None = None
    error: CopilotMcpError | None = None

    def is_open(self, now: float) -> bool:
        """Whether the person may still approve it."""
        return not self.cancelled and self.account is None and self.error is None and now < self.deadline

    def is_usable(self, now: float) -> bool:
        """Whether their approval would count."""
        return self.is_open(now) and not self.turn.is_void()

    def covers(self, names: frozenset[str], claims: str | None) -> bool:
        """Whether its approval would give these permissions and satisfy these claims."""
        return names <= self.names and claims in (None, self.claims)

    def is_wanted(self) -> bool:
        """Whether nobody has cancelled it, here or by a sign-out in another process. Asked in a worker thread."""
        return not self.cancelled and not self.turn.is_void()

    def cancel(self) -> None:
        """Give it up; a later approval has no effect."""
        self.cancelled = True
        self.turn.release()
        if self.scope is not None:
            self.scope.cancel()
        else:
            self.flow.forget()
