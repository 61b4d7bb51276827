"""Signing in with a device code (RFC 8628): the person types a short code into a page on any device.

The states are: nothing pending; waiting for the person, with one code; then signed in, declined, expired, refused or
cancelled. The deadline is ours, because MSAL does not report it. Nothing is stored before the answer is checked, so a
success that comes after a cancellation leaves no trace.
"""

import copy
import logging
import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio

from copilot_mcp.auth.answers import Account, unreadable
from copilot_mcp.auth.entra import DeviceFlow, Entra
from copilot_mcp.auth.refusals import NoAnswerError, expired_code, is_pending, is_slow_down, refusal_error
from copilot_mcp.errors import AuthenticationError, CopilotMcpError

__all__ = ["DeviceCodeSignIn", "SignInAttempt", "unforeseen"]

logger = logging.getLogger(__name__)

STARTS_PER_HOUR = 5
"""A model that keeps asking must not wear a person down. Counted in each process for itself."""

_INTERVAL_S = (1, 30)
_LIFE_S = (60, 900)
_LONGEST_INTERVAL_S = 60
_MAX_POLLS = 1000
_MAX_DEVICE_CODE = 8192
_USER_CODE = re.compile(r"[A-Za-z0-9-]{1,32}")

Sleep = Callable[[float], Awaitable[None]]
Store = Callable[[DeviceFlow, dict[str, Any], frozenset[str], Callable[[], bool]], Account]
"""Checks a success and stores it, in a worker thread; the last argument tells whether it is still wanted."""


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """What to show to the person. Nothing here is secret: the code is worth nothing without their approval.

    Attributes:
        user_code: to be typed into the page.
        verification_uri: the page, on a host of the cloud's list.
        expires_at: UTC; afterwards the code is worth nothing.
        interval: seconds between our questions to Entra, to begin with.
        for_claims: whether it shall satisfy a claims challenge, so that a token had without it is no substitute.
    """

    user_code: str
    verification_uri: str
    expires_at: datetime
    interval: int
    for_claims: bool = False


@dataclass(slots=True)
class _Pending:
    attempt: SignInAttempt
    names: frozenset[str]
    claims: str | None
    deadline: float
    interval: float
    flow: DeviceFlow = field(repr=False)
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    waiters: int = 0
    cancelled: bool = False
    scope: anyio.CancelScope | None = None
    account: Account | None = None
    error: CopilotMcpError | None = None

    def is_open(self, now: float) -> bool:
        """Whether the person may still approve it."""
        return not self.cancelled and self.account is None and self.error is None and now < self.deadline

    def covers(self, names: frozenset[str], claims: str | None) -> bool:
        """Whether its approval would give these permissions and satisfy these claims."""
        return names <= self.names and claims in (None, self.claims)

    def cancel(self) -> None:
        self.cancelled = True
        if self.scope is not None:
            self.scope.cancel()


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
    """At most one attempt at a time in a process; all calls from one event loop. `clock` gives seconds since 1970."""

    def __init__(self, entra: Entra, store: Store, *, clock: Callable[[], float], sleep: Sleep) -> None:
        self._entra = entra
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._starting = anyio.Lock()
        self._starts: deque[float] = deque(maxlen=STARTS_PER_HOUR)
        self._pending: _Pending | None = None
        self._cancels = 0

    async def start(self, scopes: Sequence[str], claims: str | None = None) -> SignInAttempt:
        """Get a code to show. While one is pending that covers these scopes and claims, the same is given again.

        Raises:
            AuthenticationError: Entra refused, sent something that must not be shown, or five codes were made within
                the hour (`sign_in_limit`).
        """
        names, cancels = frozenset(scopes), self._cancels
        async with self._starting:
            now = self._clock()
            pending = self._pending
            if pending is not None and pending.is_open(now) and pending.covers(names, claims):
                return pending.attempt
            self._check_limit(now)
            if pending is not None:
                pending.cancel()
            flow = await self._entra.run(partial(self._entra.begin, sorted(names), claims))
            if self._cancels != cancels:
                raise _cancelled()
            self._pending = self._checked(flow, names)
            self._starts.append(now)
            return self._pending.attempt

    async def wait(self, attempt: SignInAttempt) -> Account:
        """Wait until the person has decided.

        Asks no faster than Entra allows. Several callers may wait for one attempt. When the last of them is
        cancelled, so is the attempt.

        Raises:
            AuthenticationError: Declined, expired, refused, cancelled, or not the attempt that is pending.
        """
        pending = self._pending
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
        """The attempt that the person may still approve and that satisfies these claims, whatever its scopes."""
        pending = self._pending
        usable = pending is not None and pending.is_open(self._clock()) and claims in (None, pending.claims)
        return pending.attempt if pending is not None and usable else None

    def is_open(self, attempt: SignInAttempt) -> bool:
        """Whether the person may still approve this attempt."""
        pending = self._pending
        return pending is not None and pending.attempt == attempt and pending.is_open(self._clock())

    def cancel(self) -> None:
        """Give up the pending attempt, also one that is being started; a later approval has no effect."""
        self._cancels += 1
        if self._pending is not None and self._pending.is_open(self._clock()):
            self._pending.cancel()

    def _check_limit(self, now: float) -> None:
        if len(self._starts) == STARTS_PER_HOUR and now - self._starts[0] < 3600:
            minutes = max(1, round((3600 - (now - self._starts[0])) / 60))
            raise AuthenticationError(
                f"{STARTS_PER_HOUR} sign-ins were started within an hour.",
                f"Wait {minutes} minutes.",
                kind="sign_in_limit",
            )

    def _checked(self, flow: DeviceFlow, names: frozenset[str]) -> _Pending:
        """The attempt in Entra's answer, after every part that is shown or trusted has been checked."""
        answer = flow.answer
        if "error" in answer:
            raise refusal_error(answer, self._entra.asked.by("", names))
        user_code, device_code, page = (answer.get(name) for name in ("user_code", "device_code", "verification_uri"))
        if not isinstance(user_code, str) or not _USER_CODE.fullmatch(user_code):
            raise unreadable("no user code")
        if not isinstance(device_code, str) or not 0 < len(device_code) <= _MAX_DEVICE_CODE:
            raise unreadable("no device code")
        if not isinstance(page, str) or not self._entra.asked.cloud.may_show(page):
            raise unreadable("a sign-in page on an unknown host")
        interval = _clamped(answer.get("interval"), _INTERVAL_S)
        # MSAL counts this down and would never return for 0.
        answer["interval"] = interval
        deadline = self._clock() + _clamped(answer.get("expires_in"), _LIFE_S)
        ends = datetime.fromtimestamp(deadline, UTC)
        attempt = SignInAttempt(user_code, page, ends, interval, flow.claims is not None)
        return _Pending(attempt, names, flow.claims, deadline, interval, flow)

    async def _decide(self, pending: _Pending) -> None:
        """Fill in the account or the error, or leave both out when the attempt was cancelled."""
        if pending.cancelled:
            return
        with anyio.CancelScope() as pending.scope:
            try:
                answer = await self._poll(pending)
                store = partial(self._store, pending.flow, answer, pending.names, lambda: not pending.cancelled)
                pending.account = await self._entra.run(store)
            except Exception as error:
                # It runs beside the server's other work, which an exception would end.
                pending.error = error if isinstance(error, CopilotMcpError) else unforeseen(error)
        pending.scope = None

    async def _poll(self, pending: _Pending) -> dict[str, Any]:
        """The answer that ends the waiting; a fault of the network or of Entra does not end it.

        The first question is asked at once, as MSAL does: the interval lies between two questions (RFC 8628, 3.2).
        """
        fault: NoAnswerError | None = None
        for _ in range(_MAX_POLLS):
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
                pending.interval = min(pending.interval + 5, _LONGEST_INTERVAL_S)
            left = pending.deadline - self._clock()
            if left <= 0:
                break
            asked_for = min(fault.retry_after or 0.0, _LONGEST_INTERVAL_S) if fault else 0.0
            await self._sleep(min(max(pending.interval, asked_for), left))
        raise fault or expired_code()


def _clamped(value: object, limits: tuple[int, int]) -> int:
    """A whole number within the limits; the lower limit for anything else."""
    low, high = limits
    return min(max(value, low), high) if isinstance(value, int) else low
