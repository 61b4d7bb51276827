"""The one source of tokens: memory first, then the cache, then one refresh, and never a prompt.

A cancelled caller does not cancel a refresh that others wait for: a refresh runs to its end, which is at most
fifteen seconds away. Tokens in memory are used only while the cache is as it was, so a sign-out in another process
counts at once.
"""

import copy
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from copilot_mcp.auth.answers import Account, person_of, read_grant, unreadable
from copilot_mcp.auth.cache_content import (
    Content,
    account_in,
    merged,
    refuse_other_person,
    stored_tokens,
    with_account,
    without_token,
)
from copilot_mcp.auth.clouds import Cloud
from copilot_mcp.auth.device_code import DeviceCodeSignIn, SignInAttempt, Sleep
from copilot_mcp.auth.entra import DeviceFlow, Entra
from copilot_mcp.auth.refusals import NoAnswerError, refusal_error, scopes_missing, signed_out
from copilot_mcp.auth.token_cache import SignInCache
from copilot_mcp.errors import AuthenticationError, CopilotMcpError

if TYPE_CHECKING:
    import httpx

__all__ = ["Credential"]

logger = logging.getLogger(__name__)

FRESH_S = 300.0
"""A token with less left is renewed, as MSAL does."""

LAST_RESORT_S = 30.0
"""A token with less left is not used even when no new one can be had."""

REFUSAL_MEMORY_S = 30.0
"""How long a refusal is repeated without asking, so that a model's retries do not look like an attack to Entra."""


_LOCAL_KINDS = ("signed_out", "cache_unsafe", "cache_locked", "cache_reset", "cache_shut")
"""Refusals that cost Entra nothing, and that the person may have cured a moment later."""

_OPENID_SCOPES = frozenset({"openid", "profile", "offline_access", "email"})
"""MSAL asks for them by itself; they are no permissions of Graph."""


@dataclass(frozen=True, slots=True)
class _Held:
    token: str = field(repr=False)
    ends: float
    stamp: object


@dataclass(frozen=True, slots=True)
class _Refused:
    until: float
    stamp: object
    error: CopilotMcpError


class Credential:
    """One person's sign-in to one app. All calls from one event loop; `http` belongs to the caller.

    Scopes are permission names without prefix, such as `Files.Read.All`. `clock` gives seconds since 1970.
    """

    replace_account = False
    """Whether a sign-in by another person than the one who is signed in takes the place."""

    def __init__(
        self,
        cloud: Cloud,
        tenant: str,
        client_id: str,
        cache: SignInCache,
        http: "httpx.AsyncClient",
        *,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = anyio.sleep,
    ) -> None:
        self._cloud = cloud
        self._client_id = client_id
        self._cache = cache
        self._clock = clock
        self._entra = Entra(cloud, tenant, client_id, http, clock=clock)
        self._sign_in = DeviceCodeSignIn(self._entra, self._store, clock=clock, sleep=sleep)
        self._held: dict[frozenset[str], _Held] = {}
        self._refused: dict[frozenset[str], _Refused] = {}
        self._flights: dict[frozenset[str], anyio.Lock] = {}

    async def token(self, scopes: Sequence[str], *, rejected: str | None = None) -> str:
        """An access token for these scopes with more than five minutes left, where that can be had.

        `rejected` is a token that Graph answered 401 to: it is forgotten, and one refresh is made.

        Raises:
            AuthenticationRequiredError: Nobody is signed in, or the saved sign-in is of no use any more.
            AuthenticationError: Entra refused, granted less (`scopes_missing`), or cannot be reached.
        """
        names = frozenset(scopes)
        if not names:
            raise ValueError("at least one scope is needed")
        if (held := self._remembered(names, rejected)) is not None:
            return held.token
        async with self._flights.setdefault(names, anyio.Lock()):
            if (held := self._remembered(names, rejected)) is not None:
                return held.token
            self._repeat_refusal(names)
            stamp = self._cache.stamp()
            try:
                with anyio.CancelScope(shield=True):
                    self._held[names] = await self._entra.run(partial(self._acquire, names, rejected))
            except CopilotMcpError as error:
                self._remember_refusal(names, stamp, error)
                raise
            return self._held[names].token

    async def start_sign_in(self, scopes: Sequence[str]) -> SignInAttempt:
        """Get a code to show to the person; the same one while it is pending. At most five an hour.

        Raises:
            AuthenticationError: Entra refused or cannot be reached.
        """
        return await self._sign_in.start(scopes)

    async def finish_sign_in(self, attempt: SignInAttempt) -> Account:
        """Wait for the person's decision; the new account takes the place of the old one.

        The account's scopes may be fewer than asked for; `missing_scopes` names the rest.

        Raises:
            AuthenticationError: Declined, expired, refused or cancelled. Nothing was stored.
        """
        account = await self._sign_in.wait(attempt)
        self._forget()
        return account

    def cancel_sign_in(self) -> None:
        """Give up a pending sign-in at once; a later approval has no effect."""
        self._sign_in.cancel()

    async def account(self) -> Account | None:
        """Who is signed in, from the cache alone; None when nobody is."""
        return account_in(await self._entra.run(self._cache.read))

    async def missing_scopes(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """Which of these have not been granted so far, sorted; all of them when nobody is signed in."""
        account = await self.account()
        return tuple(sorted(set(scopes) - set(account.scopes if account else ())))

    async def sign_out(self) -> None:
        """Forget account and tokens, here and for every process that shares the cache. Entra is not told.

        Waits for a refresh under way, so that its answer is forgotten too.
        """
        self._sign_in.cancel()
        self._forget()
        with anyio.CancelScope(shield=True):
            await self._entra.run(self._erase)
        self._forget()

    def _forget(self) -> None:
        self._held.clear()
        self._refused.clear()

    def _erase(self) -> None:
        with self._cache.refreshing():
            self._cache.erase()

    def _remembered(self, names: frozenset[str], rejected: str | None) -> _Held | None:
        held = self._held.get(names)
        if held is None or held.token == rejected or held.ends - self._clock() <= FRESH_S:
            return None
        return held if held.stamp == self._cache.stamp() else None

    def _repeat_refusal(self, names: frozenset[str]) -> None:
        refused = self._refused.get(names)
        if refused is not None and refused.until > self._clock() and refused.stamp == self._cache.stamp():
            raise copy.copy(refused.error)

    def _remember_refusal(self, names: frozenset[str], stamp: object, error: CopilotMcpError) -> None:
        if error.kind in _LOCAL_KINDS:
            return
        named = error.retry_after or 0.0 if isinstance(error, NoAnswerError) else REFUSAL_MEMORY_S
        wait = min(named, REFUSAL_MEMORY_S)
        self._refused[names] = _Refused(self._clock() + wait, stamp, error)

    def _acquire(self, names: frozenset[str], rejected: str | None) -> _Held:
        """A token from the cache, or from one refresh. Runs in a worker thread."""
        held = self._cached(names, rejected, FRESH_S)
        if held is not None:
            return held
        with self._cache.refreshing():
            held = self._cached(names, rejected, FRESH_S)
            if held is not None:
                return held
            if rejected is not None:
                self._cache.update(partial(without_token, secret=rejected))
            try:
                return self._refresh(names)
            except NoAnswerError:
                held = self._cached(names, rejected, LAST_RESORT_S)
                if held is None:
                    raise
                logger.warning("No new token can be had; the old one is used while it lasts.")
                return held

    def _cached(self, names: frozenset[str], rejected: str | None, least_s: float) -> _Held | None:
        """The cached token for these scopes that lasts longest, when it lasts longer than `least_s` seconds."""
        stamp, content, now = self._cache.stamp(), self._cache.read(), self._clock()
        account = account_in(content)
        if account is None:
            raise signed_out()
        found = [
            _Held(secret, ends, stamp)
            for secret, ends, renew, granted in stored_tokens(content, account, self._client_id, self._cloud)
            if names <= granted and secret != rejected and ends - now > least_s and (renew > now or least_s < FRESH_S)
        ]
        return max(found, key=lambda held: held.ends, default=None)

    def _refresh(self, names: frozenset[str]) -> _Held:
        before = self._cache.read()
        account = account_in(before)
        if account is None:
            raise signed_out()
        asked = self._entra.asked.by(account.tenant_id, names)
        answer, after = self._entra.refresh(before, account, asked.scopes)
        if "error" in answer:
            raise refusal_error(answer, asked)
        grant = read_grant(answer, self._cloud, names)
        self._check_person(answer, account)
        ends = self._clock() + grant.life_s
        stamp = self._cache.update(partial(_renewed, before=before, after=after, account=account, scopes=grant.scopes))
        if missing := names - grant.scopes:
            raise scopes_missing(sorted(missing), asked)
        return _Held(grant.token, ends, stamp)

    def _check_person(self, answer: dict[str, Any], account: Account) -> None:
        """Refuse tokens for anybody but the person who signed in."""
        if not person_of(answer, self._client_id, tenant="").same_person(account):
            logger.warning("security: wrong_person_answer")
            raise unreadable("tokens for another person")

    def _store(
        self, flow: DeviceFlow, answer: dict[str, Any], names: frozenset[str], wanted: Callable[[], bool]
    ) -> Account:
        """Check a success and make it the sign-in. Runs in a worker thread."""
        grant = read_grant(answer, self._cloud, names)
        person = person_of(answer, self._client_id, self._entra.tenant_id(flow))
        content, home_account_id = self._entra.signed_in(flow)
        account = replace(
            person,
            scopes=tuple(sorted(grant.scopes - _OPENID_SCOPES)),
            home_account_id=home_account_id,
            sign_in_id=secrets.token_hex(8),
        )

        def signed_in(current: Content) -> Content:
            if not wanted():
                raise AuthenticationError("The sign-in was cancelled.", kind="sign_in_cancelled")
            if not self.replace_account:
                refuse_other_person(current, account)
            return with_account(content, account)

        self._cache.update(signed_in)
        return account


def _renewed(current: Content, *, before: Content, after: Content, account: Account, scopes: frozenset[str]) -> Content:
    """The newest content with a refresh in it, unless that sign-in is over."""
    newest = account_in(current)
    if newest is None or newest.sign_in_id != account.sign_in_id:
        raise signed_out()
    granted = tuple(sorted({*newest.scopes, *scopes} - _OPENID_SCOPES))
    return with_account(merged(current, before, {**before, **after}), replace(newest, scopes=granted))
