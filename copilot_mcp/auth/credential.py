"""The one source of tokens: memory first, then the cache, then one refresh, and never a prompt.

A cancelled caller does not cancel a refresh that others wait for. Tokens in memory are used only while the cache is
as it was, so a sign-out in another process counts at once.
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from copilot_mcp.auth.answers import Account, read_grant
from copilot_mcp.auth.broker import sign_in_with_broker
from copilot_mcp.auth.browser import BROWSER_TIMEOUT_S, Show, sign_in_with_browser
from copilot_mcp.auth.cache_content import Content, account_in, stored_tokens, without_token
from copilot_mcp.auth.clouds import Cloud
from copilot_mcp.auth.device_code import DeviceCodeSignIn, Sleep
from copilot_mcp.auth.entra import DeviceFlow, Entra
from copilot_mcp.auth.flights import Flights
from copilot_mcp.auth.new_sign_in import store_sign_in
from copilot_mcp.auth.prompts import SharedPrompts, SignInAttempt, prompts_beside
from copilot_mcp.auth.refusals import conditions_changed, may_pass, refusal_error, scopes_missing, signed_out
from copilot_mcp.auth.renewal import check_person, erased, renewed, with_tokens_of
from copilot_mcp.auth.sign_in_cache import SignInCache
from copilot_mcp.auth.token_facts import TokenFacts, read_facts
from copilot_mcp.auth.token_memory import FRESH_S, HeldToken, TokenMemory
from copilot_mcp.claims import believed_claims
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError, CopilotMcpError

if TYPE_CHECKING:
    import httpx
    from anyio.abc import TaskGroup

__all__ = ["Credential"]

logger = logging.getLogger(__name__)

LAST_RESORT_S = 30.0
"""A token with less left is not used even when no new one can be had."""


class Credential:
    """One person's sign-in to one app. All calls from one event loop; `http` belongs to the caller.

    Scopes are permission names without prefix, such as `Files.Read.All`. `clock` gives seconds since 1970. A refresh
    runs in `tasks`; without them its first caller's cancellation waits for it.
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
        tasks: "TaskGroup | None" = None,
    ) -> None:
        self._cloud = cloud
        self._client_id = client_id
        self._cache = cache
        self._clock = clock
        self._entra = Entra(cloud, tenant, client_id, http, clock=clock)
        self._prompts = prompts_beside(cache, cloud, clock)
        self._sign_in = DeviceCodeSignIn(
            self._entra, self._store, self._prompts, self.account, clock=clock, sleep=sleep
        )
        self._memory = TokenMemory(clock, cache.stamp)
        self._flights: Flights[tuple[frozenset[str], str | None], HeldToken] = Flights(tasks)

    @property
    def shared(self) -> bool:
        """Whether a sign-in of another process serves this one, as they keep it in the same place."""
        return isinstance(self._prompts, SharedPrompts)

    async def token(self, scopes: Sequence[str], *, rejected: str | None = None, claims: str | None = None) -> str:
        """An access token for these scopes with more than five minutes left, where that can be had.

        `rejected` is a token that Graph answered 401 to: it is forgotten, and one refresh is made. `claims` is the JSON
        text of the challenge that came along; where a refresh cannot satisfy it, the next sign-in is asked to.

        Raises:
            AuthenticationRequiredError: Nobody is signed in, or the saved sign-in is of no use any more.
            AuthenticationError: Entra refused, granted less (`scopes_missing`), or cannot be reached.
        """
        names = frozenset(scopes)
        if not names:
            raise ValueError("at least one scope is needed")
        if token := self._memory.token(names, rejected):
            return token
        errand, key = partial(self._renew, names, rejected, claims), (names, claims)
        try:
            held, ours = await self._flights.join(key, errand)
            if held.token == rejected and not ours:  # an errand that did not know of the rejection
                held, _ = await self._flights.join(key, errand)
        except AuthenticationRequiredError as error:
            error.scopes = tuple(sorted(names))
            raise
        return held.token

    async def _renew(self, names: frozenset[str], rejected: str | None, claims: str | None) -> HeldToken:
        """One errand to the cache and, where it must be, to Entra."""
        self._memory.check_refusal(names)
        self._memory.keep_claims(claims)
        stamps = [self._cache.stamp()]
        try:
            held = await self._entra.run(partial(self._acquire, names, rejected, claims, stamps))
        except CopilotMcpError as error:
            self._memory.keep_refusal(names, stamps[-1], error)
            raise
        self._memory.keep(names, held)
        self._memory.meet_claims(claims)
        return held

    async def start_sign_in(
        self, scopes: Sequence[str], *, limited: bool = True, seen: str | None = None
    ) -> SignInAttempt:
        """Get a code to show to the person; the same one while it is pending, in whatever process.

        At most five an hour, or any number where the person asked for it themselves (not `limited`). Its approval also
        satisfies a claims challenge that came within the last fifteen minutes. `seen` is the `sign_in_id` of the error
        that calls for it.

        Raises:
            SignedInMeanwhileError: Another process has brought a sign-in after that one.
            AuthenticationError: Entra refused or cannot be reached.
        """
        return await self._sign_in.start(scopes, self._memory.claims(), limited=limited, seen=seen)

    def sign_in_under_way(self) -> SignInAttempt | None:
        """The code that the person may still use, for whatever scopes; None where it would not satisfy the claims."""
        return self._sign_in.under_way(self._memory.unmet_claims())

    async def finish_sign_in(self, attempt: SignInAttempt) -> Account:
        """Wait for the person's decision. Another account takes the place only with `replace_account`.

        The account's scopes may be fewer than asked for; `missing_scopes` names the rest.

        Raises:
            AuthenticationError: Declined, expired, refused or cancelled. Nothing was stored.
        """
        account = await self._sign_in.wait(attempt)
        self._memory.forget()
        return account

    async def browser_sign_in(
        self, scopes: Sequence[str], show: Show, *, timeout_s: float = BROWSER_TIMEOUT_S
    ) -> Account:
        """Sign in with a browser on this machine, at the address that `show` is given.

        Raises:
            AuthenticationError: Declined, refused, or nobody finished in time. Nothing was stored.
        """
        account = await sign_in_with_browser(
            self._entra, self._store, scopes, show, claims=self._memory.claims(), timeout_s=timeout_s
        )
        self._memory.forget()
        return account

    async def broker_sign_in(self, scopes: Sequence[str]) -> Account:
        """Sign in through the broker of the operating system. A caller who is cancelled leaves at once.

        Raises:
            SettingsError: There is no broker here.
            AuthenticationError: Declined or refused. Nothing was stored.
        """
        account = await sign_in_with_broker(self._entra, self._store, scopes, claims=self._memory.claims())
        self._memory.forget()
        return account

    def sign_in_is_open(self, attempt: SignInAttempt) -> bool:
        """Whether the person may still approve this attempt."""
        return self._sign_in.is_open(attempt)

    def cancel_sign_in(self) -> None:
        """Give up a pending sign-in at once; a later approval has no effect."""
        self._sign_in.cancel()

    def give_up_sign_in(self) -> bool:
        """Cancel for this process alone: one whose code another process shows goes on. Whether it is over."""
        return self._sign_in.give_up()

    async def account(self) -> Account | None:
        """Who is signed in, from the cache alone, opened again only when it has changed; None when nobody is."""
        if (known := self._memory.account()) is None:
            stamp = self._cache.stamp()
            known = self._memory.keep_account(account_in(await self._entra.run(self._cache.read)), stamp)
        return known.account

    async def missing_scopes(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """Which of these have not been granted so far, sorted; all of them when nobody is signed in."""
        account = await self.account()
        return tuple(sorted(set(scopes) - set(account.scopes if account else ())))

    def describe(self, token: str) -> TokenFacts | None:
        """What a token of ours says of itself."""
        return read_facts(token)

    def consent_link(self, scopes: Sequence[str]) -> str:
        """The page where an administrator approves these permissions for everyone."""
        return self._entra.asked.by("", scopes).consent_link()

    async def sign_out(self) -> None:
        """Forget account and tokens, here and for every process that shares the cache. Entra is not told.

        Waits for a refresh under way, so that its answer is forgotten too. A code that another process shows is void.
        """
        self._sign_in.cancel()
        self._memory.forget()
        with anyio.CancelScope(shield=True):
            await self._entra.run(self._prompts.void)  # first: what is saved before it is erased
            await self._entra.run(partial(erased, self._cache))
        self._memory.forget()

    def _acquire(
        self, names: frozenset[str], rejected: str | None, claims: str | None, stamps: list[object]
    ) -> HeldToken:
        """A token from the cache, or from one refresh; adds the stamp of a change. Runs in a worker thread."""
        if rejected is not None:
            stamps.append(self._cache.update(partial(without_token, secret=rejected)))
        # A token in the cache may be older than the claims, so with claims there is always a refresh.
        held = self._cached(names, rejected, FRESH_S)
        if held is not None and claims is None:
            return held
        with self._cache.refreshing():
            held = self._cached(names, rejected, FRESH_S)
            if held is not None and claims is None:
                return held
            try:
                return self._refresh(names, claims)
            except AuthenticationError as error:
                held = self._cached(names, rejected, LAST_RESORT_S) if may_pass(error) else None
                if held is None:
                    raise
                logger.warning("No new token can be had; the old one is used while it lasts.")
                return held

    def _cached(self, names: frozenset[str], rejected: str | None, least_s: float) -> HeldToken | None:
        """The cached token for these scopes that lasts longest, when it lasts longer than `least_s` seconds."""
        stamp, content, now = self._cache.stamp(), self._cache.read(), self._clock()
        account = account_in(content)
        if account is None:
            raise signed_out()
        found = [
            HeldToken(secret, ends, stamp)
            for secret, ends, renew in stored_tokens(content, account, self._client_id, self._cloud, names)
            if secret != rejected and ends - now > least_s and (renew > now or least_s < FRESH_S)
        ]
        return max(found, key=lambda held: held.ends, default=None)

    def _refresh(self, names: frozenset[str], claims: str | None = None) -> HeldToken:
        before = self._cache.read()
        if (account := account_in(before)) is None:
            raise signed_out()
        try:
            return self._redeemed(before, account, names, claims)
        except CopilotMcpError as error:
            error.sign_in_id = account.sign_in_id
            raise

    def _redeemed(self, before: Content, account: Account, names: frozenset[str], claims: str | None) -> HeldToken:
        asked = self._entra.asked.by(account.tenant_id, names)
        answer, after = self._entra.refresh(before, account, asked.scopes, claims)
        if "error" in answer:
            self._memory.keep_claims(believed_claims(answer.get("claims")))
            new = names - frozenset(account.scopes) or names  # what is granted is not what is missing
            error = refusal_error(answer, self._entra.asked.by(account.tenant_id, new))
            vague = isinstance(error, AuthenticationRequiredError) and not error.code.startswith("AADSTS")
            raise conditions_changed() if claims is not None and vague else error
        check_person(answer, self._client_id, account)
        save = partial(renewed, before=before, account=account)
        try:
            grant = read_grant(answer, self._cloud, names)
        except AuthenticationError:
            # The new refresh token is the person's, and with strict rotation the old one is spent.
            self._cache.update(partial(save, after=with_tokens_of(before, after), scopes=frozenset()))
            raise
        ends = self._clock() + grant.life_s
        stamp = self._cache.update(partial(save, after=after, scopes=grant.scopes))
        if missing := names - grant.scopes:
            raise scopes_missing(sorted(missing), asked)
        return HeldToken(grant.token, ends, stamp)

    def _store(
        self, flow: DeviceFlow, answer: dict[str, Any], names: frozenset[str], wanted: Callable[[], bool]
    ) -> Account:
        replace = self.replace_account
        return store_sign_in(self._entra, self._cache, flow, answer, names, wanted, replace_account=replace)
