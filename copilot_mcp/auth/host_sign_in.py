"""A sign-in that a tool call begins and the person finishes while the server goes on.

The call that found nobody signed in gives the code to the host and may end; a task of the server's own waits for the
person. Whoever calls next has a token, or is told the code again, or once why the sign-in failed.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from copilot_mcp.auth.answers import Account
from copilot_mcp.auth.credential import Credential
from copilot_mcp.auth.device_code import unforeseen
from copilot_mcp.auth.joined_code import SignedInMeanwhileError
from copilot_mcp.auth.prompts import SignInAttempt
from copilot_mcp.errors import CopilotMcpError

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["HostSignIn"]


CONSENT_PAUSE_S = 3600.0
"""For so long a person is not asked again for the same permission: no means no, whatever a model would like."""


@dataclass(slots=True)
class _Waiting:
    """A sign-in under way: `calls` wait for it now, and for the answers to `asked` a host comes back by itself.

    `consents` are the permissions that the person was asked to grant with it. One that is `given_up` goes on for
    another process alone.
    """

    attempt: SignInAttempt
    names: frozenset[str]
    done: anyio.Event = field(default_factory=anyio.Event)
    error: CopilotMcpError | None = None
    calls: int = 0
    asked: set[str] = field(default_factory=set)
    consents: set[str] = field(default_factory=set)
    given_up: bool = False


class HostSignIn:
    """Tokens of a credential, and the sign-in behind them. All calls from one event loop.

    `tasks` has to live as long as the server; `announce` shows a new code to whoever reads standard error.

    Attributes:
        successes: how many sign-ins have succeeded so far.
    """

    def __init__(
        self,
        credential: Credential,
        tasks: "TaskGroup",
        *,
        announce: Callable[[SignInAttempt], None] = lambda attempt: None,
        wait_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._credential = credential
        self._tasks = tasks
        self._announce = announce
        self._wait_s = wait_s
        self._monotonic = monotonic
        self.successes = 0
        self._starting = anyio.Lock()
        self._waiting: _Waiting | None = None
        self._news: Account | None = None
        self._consents_asked: dict[str, float] = {}

    async def token(self, scopes: Sequence[str], *, rejected: str | None = None, claims: str | None = None) -> str:
        """A token of the credential. A sign-in that was waiting for these scopes is over, wherever it was done.

        One that is to satisfy a claims challenge goes on: operations that are not challenged have tokens all along.

        Raises:
            AuthenticationRequiredError: A sign-in is needed; `start` begins one.
            AuthenticationError: Entra refused, or cannot be reached.
        """
        token = await self._credential.token(scopes, rejected=rejected, claims=claims)
        waiting = self._waiting
        if waiting is not None and waiting.names <= frozenset(scopes) and not waiting.attempt.for_claims:
            self.cancel()
        return token

    @property
    def shared(self) -> bool:
        """See `Credential.shared`."""
        return self._credential.shared

    def offers_consent(self, scopes: Sequence[str]) -> bool:
        """Whether the person is asked to grant these permissions themselves: each once an hour, or being asked now."""
        waiting = self._waiting
        failed = waiting is not None and waiting.error is not None and waiting.names >= frozenset(scopes)
        if waiting is not None and not waiting.given_up and (failed or not waiting.done.is_set()):
            return True
        least = self._monotonic() - CONSENT_PAUSE_S
        return any(self._consents_asked.get(scope, least) <= least for scope in scopes)

    async def start(
        self, scopes: Sequence[str], *, consent: bool = False, since: int | None = None, seen: str | None = None
    ) -> SignInAttempt | None:
        """The code to show: that of the sign-in under way, else a new one. None when one has just succeeded.

        A sign-in for other scopes is shared too: a new one would void the code that the person is typing, and once
        somebody is signed in, a refresh brings the rest. With `consent` somebody is, and keeps what is granted.
        A call that found nobody when `successes` was `since` needs no other sign-in than the one that came meanwhile,
        and one that found the sign-in `seen` (its error's `sign_in_id`) none when another process has brought a newer.

        Raises:
            AuthenticationError: The sign-in before this one failed, which is said once; or Entra gives no code.
        """
        async with self._starting:
            if since is not None and self.successes > since and not consent:
                return None
            try:
                attempt = await self._started(scopes, consent, since, seen)
            except SignedInMeanwhileError as meanwhile:
                self._news = meanwhile.account
                return None
            if attempt is not None and self._waiting is not None:
                self._waiting.given_up = False
                self._waiting.consents.update(scopes if consent else ())
            return attempt

    async def _started(
        self, scopes: Sequence[str], consent: bool, since: int | None, seen: str | None
    ) -> SignInAttempt | None:
        waiting = self._waiting
        under_way = self._credential.sign_in_under_way()
        if waiting is not None and waiting.attempt == under_way:
            return under_way
        if waiting is not None and not self._credential.sign_in_is_open(waiting.attempt):
            await waiting.done.wait()  # decided, in this moment or long ago
            self._waiting = None
            for_less = waiting.attempt.elsewhere or not waiting.names >= frozenset(scopes)
            before_the_call = since is not None and self.successes <= since
            if waiting.error is None and not before_the_call and not (consent and for_less):
                return None
            if waiting.error is not None and waiting.error.kind != "sign_in_cancelled":
                raise waiting.error
        account = await self._credential.account() if consent else None
        granted = account.scopes if account is not None else ()
        attempt = await self._credential.start_sign_in([*scopes, *granted], seen=seen)
        if consent and not attempt.elsewhere:
            self._consents_asked |= dict.fromkeys(scopes, self._monotonic())
        if self._waiting is None or self._waiting.attempt != attempt:
            self._waiting = _Waiting(attempt, frozenset(scopes))
            self._tasks.start_soon(self._finish, self._waiting)
            self._announce(attempt)
        return attempt

    async def ended(self, attempt: SignInAttempt) -> bool:
        """Wait for the person, at most `wait_s` seconds; False when they have not decided by then."""
        waiting = self._waiting
        if waiting is None or waiting.attempt != attempt:
            return True
        waiting.calls += 1
        try:
            with anyio.move_on_after(self._wait_s):
                await waiting.done.wait()
        finally:
            waiting.calls -= 1
        return waiting.done.is_set()

    def check(self, attempt: SignInAttempt) -> None:
        """Say why this attempt failed, if it did.

        Raises:
            AuthenticationError: It was declined, expired or refused.
        """
        waiting = self._waiting
        if waiting is not None and waiting.attempt == attempt and waiting.error is not None:
            self._waiting = None
            raise waiting.error

    def news(self) -> Account | None:
        """Who has signed in since this was last asked: said once, so that a person sees if it was somebody else."""
        account, self._news = self._news, None
        return account

    def expect(self, attempt: SignInAttempt, question: str) -> None:
        """Note that a host asks the person to use this code, and will come back with their answer to `question`."""
        waiting = self._waiting
        if waiting is not None and waiting.attempt == attempt:
            waiting.asked.add(question)

    def answered(self, question: str) -> None:
        """Note that it has."""
        if self._waiting is not None:
            self._waiting.asked.discard(question)

    def give_up(self, attempt: SignInAttempt) -> None:
        """Cancel this attempt for a call that wants it no more, unless another call waits for it or asks for it.

        While another process shows its code, the person may be typing that, so it goes on.
        """
        waiting = self._waiting
        if waiting is None or waiting.attempt != attempt:
            return
        # A code of another process is noted here first: one that is used may have been for less.
        self._consents_asked |= dict.fromkeys(waiting.consents, self._monotonic())
        if waiting.calls == 0 and not waiting.asked:
            waiting.given_up = True
            if self._credential.give_up_sign_in():
                self._waiting = None

    def cancel(self) -> None:
        """Cancel a sign-in under way; a later approval has no effect."""
        self._waiting = None
        self._credential.cancel_sign_in()

    async def _finish(self, waiting: _Waiting) -> None:
        try:
            self._news = await self._credential.finish_sign_in(waiting.attempt)
            self.successes += 1
        except Exception as error:
            waiting.error = error if isinstance(error, CopilotMcpError) else unforeseen(error)
        finally:
            waiting.done.set()
