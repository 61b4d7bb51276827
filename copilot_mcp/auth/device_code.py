"""Signing in with a device code (RFC 8628): the person types a short code into a page on any device.

The states are: nothing pending; waiting for the person, with one code; then signed in, declined, expired, refused or
cancelled. The deadline is ours, because MSAL does not report it. Nothing is stored before the answer is checked, so a
success that comes after a cancellation leaves no trace.
"""

import copy
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import anyio

from copilot_mcp.auth.answers import Account
from copilot_mcp.auth.device_answer import read_attempt
from copilot_mcp.auth.entra import DeviceFlow, Entra
from copilot_mcp.auth.joined_code import JoinedCode, SignedInMeanwhileError
from copilot_mcp.auth.pending_code import PendingCode
from copilot_mcp.auth.prompts import LONGEST_INTERVAL_S, Prompts, SignInAttempt, Turn
from copilot_mcp.auth.refusals import NoAnswerError, expired_code, is_pending, is_slow_down, refusal_error
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError, CopilotMcpError

__all__ = ["DeviceCodeSignIn", "unforeseen"]

logger = logging.getLogger(__name__)

_MAX_POLLS = 1000

Sleep = Callable[[float], Awaitable[None]]
Store = Callable[[DeviceFlow, dict[str, Any], frozenset[str], Callable[[], bool]], Account]
"""Checks a success and stores it, in a worker thread; the last argument tells whether it is still wanted."""


def _cancelled() -> AuthenticationError:
    return AuthenticationError(
        "The sign-in was cancelled.", "Run `copilot-mcp login` to start again.", kind="sign_in_cancelled"
    )


def unforeseen(error: Exception) -> AuthenticationError:
    """For what nobody foresaw; its words stay unsaid, because they may hold an answer of Entra's."""
    logger.error("A sign-in failed with %s.", type(error).__name__)
    return AuthenticationError(
        f"The sign-in failed inside copilot-mcp ({type(error).__name__}).",
        "Start it again; if it stays, this is a defect of copilot-mcp.",
        kind="sign_in_failed",
        who="operator",
    )


class DeviceCodeSignIn:
    """At most one attempt at a time, here and where `prompts` are shared; all calls from one event loop.

    `account` tells who is signed in, `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        entra: Entra,
        store: Store,
        prompts: Prompts,
        account: Callable[[], Awaitable[Account | None]],
        *,
        clock: Callable[[], float],
        sleep: Sleep,
    ) -> None:
        self._entra = entra
        self._store = store
        self._prompts = prompts
        self._account = account
        self._clock = clock
        self._sleep = sleep
        self._starting = anyio.Lock()
        self._pending: PendingCode | None = None
        self._joined: JoinedCode | None = None
        self._cancels = 0

    async def start(
        self, scopes: Sequence[str], claims: str | None = None, *, limited: bool = True, seen: str | None = None
    ) -> SignInAttempt:
        """Get a code to show. While one is pending that covers these scopes and claims, the same is given again.

        One that another process shows is given whatever its scopes: a second code would void the one that the person
        is typing, and once somebody is signed in, a refresh brings the rest. `seen` is the sign-in that was found
        wanting, empty for none; without it, the one that is saved now.

        Raises:
            SignedInMeanwhileError: The saved sign-in is another one by now, so nobody has to be asked.
            AuthenticationError: Entra refused, sent something that must not be shown, or five codes were made within
                the hour and it is `limited` (`sign_in_limit`).
        """
        names, cancels = frozenset(scopes), self._cancels
        async with self._starting:
            now, pending = self._clock(), self._pending
            if pending is not None and pending.is_usable(now) and pending.covers(names, claims):
                pending.given_up = False
                return pending.attempt
            if self._joined is not None and self._joined.is_open(now):
                return self._joined.attempt
            if pending is not None:
                if limited:
                    pending.turn.check(now)
                pending.cancel()
            if self._joined is not None:
                self._joined.cancel()
            known = await self._known(seen)
            turn = await self._entra.run(self._prompts.begin)
            if isinstance(turn, SignInAttempt):
                return await self._join(turn, known)
            try:
                await self._check_newest(known)
                if limited:
                    turn.check(now)
                return await self._begun(turn, names, claims, cancels)
            except BaseException:
                turn.release()
                raise

    async def _join(self, attempt: SignInAttempt, known: str) -> SignInAttempt:
        seat = await self._entra.run(partial(self._prompts.joiners.join, attempt.user_code))
        self._joined = JoinedCode(attempt, known, seat)
        return attempt

    async def _check_newest(self, known: str) -> None:
        """Look before another's code is shown, and again in our turn: who had it before saved first, then let go."""
        if (account := await self._saved()) is not None and account.sign_in_id != known:
            raise SignedInMeanwhileError(account)

    async def _begun(self, turn: Turn, names: frozenset[str], claims: str | None, cancels: int) -> SignInAttempt:
        """A new code, made in our turn."""
        flow = await self._entra.run(partial(self._entra.begin, sorted(names), claims))
        if self._cancels != cancels:
            raise _cancelled()
        attempt = read_attempt(flow, self._entra.asked.by("", names), self._clock())
        turn.publish(attempt, self._clock())
        deadline = attempt.expires_at.timestamp()
        self._pending = PendingCode(attempt, names, flow.claims, deadline, attempt.interval, flow, turn)
        return attempt

    async def _known(self, seen: str | None) -> str:
        """The sign-in that was `seen`, else the one that is saved now; empty for none or one that cannot be read."""
        if seen is not None:
            await self._check_newest(seen)
            return seen
        account = await self._saved()
        return account.sign_in_id if account is not None else ""

    async def _saved(self) -> Account | None:
        with suppress(AuthenticationRequiredError, AuthenticationError):
            return await self._account()
        return None

    async def wait(self, attempt: SignInAttempt) -> Account:
        """Wait until the person has decided.

        Asks no faster than Entra allows. Several callers may wait for one attempt. When the last of them is
        cancelled, so is the attempt.

        Raises:
            AuthenticationError: Declined, expired, refused, cancelled, or not the attempt that is pending.
        """
        pending = self._pending
        if self._joined is not None and self._joined.attempt == attempt:
            is_shown = partial(self._entra.run, partial(self._prompts.is_shown, attempt))
            return await self._joined.wait(is_shown, self._account, self._sleep)
        if pending is None or pending.attempt != attempt:
            raise _cancelled()
        pending.waiters += 1
        try:
            async with pending.lock:
                if pending.account is None and pending.error is None:
                    await self._decide(pending)
        finally:
            pending.waiters -= 1
            if pending.waiters == 0 and pending.is_open(self._clock()):
                pending.cancel()
        if pending.account is not None:
            return pending.account
        raise copy.copy(pending.error) if pending.error is not None else _cancelled()

    def under_way(self, claims: str | None) -> SignInAttempt | None:
        """The attempt that the person may still approve and that satisfies these claims, whatever its scopes.

        One of another process is given whatever it satisfies: it comes first, and ours after it. Whoever asks shows it
        again, so one that was given up goes on.
        """
        pending, joined, now = self._pending, self._joined, self._clock()
        if joined is not None and joined.is_open(now):
            return joined.attempt
        if pending is None or not pending.is_usable(now) or claims not in (None, pending.claims):
            return None
        pending.given_up = False
        return pending.attempt

    def is_open(self, attempt: SignInAttempt) -> bool:
        """Whether the person may still approve this attempt."""
        pending, joined, now = self._pending, self._joined, self._clock()
        if joined is not None and joined.attempt == attempt:
            return joined.is_open(now)
        return pending is not None and pending.attempt == attempt and pending.is_usable(now)

    def give_up(self) -> bool:
        """Cancel, but while another process shows our code wait on for its sake; whether it is over at once."""
        pending = self._pending
        if pending is not None and pending.is_usable(self._clock()) and self._is_joined(pending):
            pending.given_up = True
            return False
        self.cancel()
        return True

    def _is_joined(self, pending: PendingCode) -> bool:
        return self._prompts.joiners.wait_for(pending.attempt.user_code)

    def cancel(self) -> None:
        """Give up the pending attempt, also one that is being started; a later approval has no effect."""
        self._cancels += 1
        if self._joined is not None:
            self._joined.cancel()
        if self._pending is not None and self._pending.is_open(self._clock()):
            self._pending.cancel()

    async def _decide(self, pending: PendingCode) -> None:
        """Fill in the account or the error, or leave both out when the attempt was cancelled."""
        if pending.cancelled:
            return
        with anyio.CancelScope() as pending.scope:
            try:
                answer = await self._poll(pending)
                store = partial(self._store, pending.flow, answer, pending.names, pending.is_wanted)
                pending.account = await self._entra.run(store)
            except Exception as error:
                # It runs beside the server's other work, which an exception would end.
                pending.error = error if isinstance(error, CopilotMcpError) else unforeseen(error)
        pending.scope = None
        pending.flow.forget()
        pending.turn.release()

    async def _poll(self, pending: PendingCode) -> dict[str, Any]:
        """The answer that ends the waiting; a fault of the network or of Entra does not end it.

        The first question is asked at once, as MSAL does: the interval lies between two questions (RFC 8628, 3.2).
        """
        fault: NoAnswerError | None = None
        for _ in range(_MAX_POLLS):
            if not pending.is_wanted() or (pending.given_up and not self._is_joined(pending)):
                pending.cancel()  # the next request is not made
            try:
                answer = await self._entra.run(partial(self._entra.poll, pending.flow))
                fault = None
            except NoAnswerError as error:
                answer, fault = {}, error
            if fault is None and "error" not in answer:
                return answer
            if fault is None and not is_pending(answer):
                raise refusal_error(answer, self._entra.asked.by("", pending.names))
            if is_slow_down(answer):
                pending.interval = min(pending.interval + 5, LONGEST_INTERVAL_S)
            left = pending.deadline - self._clock()
            if left <= 0:
                break
            asked_for = min(fault.retry_after or 0.0, LONGEST_INTERVAL_S) if fault else 0.0
            await self._sleep(min(max(pending.interval, asked_for), left))
        raise fault or expired_code()
