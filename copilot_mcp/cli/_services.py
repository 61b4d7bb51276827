"""What a serving process shares: one HTTP client, one credential, one Graph client, opened when first needed."""

import functools
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import anyio

from copilot_mcp import __version__
from copilot_mcp.auth import CLOUDS
from copilot_mcp.cli._outside import announce_token
from copilot_mcp.cli._person import Person, SelfApproved, announce
from copilot_mcp.errors import AuthenticationRequiredError, SettingsError
from copilot_mcp.settings import Settings

if TYPE_CHECKING:
    import httpx
    from anyio.abc import TaskGroup

    from copilot_mcp.auth import (
        Credential,
        HostSignIn,
        MemoryCache,
        Origin,
        OutsideToken,
        SignInAttempt,
        TokenCache,
    )
    from copilot_mcp.graph import GraphClient, TokenSource
    from copilot_mcp.tools import OpenTurns
    from copilot_mcp.tools.quota import Quota

__all__ = ["GraphServices", "LocalTenant", "open_cache", "open_credential", "sign_in_scopes"]

USER_AGENT = "copilot-mcp"
SIGN_IN_WAIT_S = 45.0
"""How long a call waits for a person who has agreed to open the page; hosts give up a call after a minute or so."""


class LocalTenant(Protocol):
    """A simulated tenant that this process may reach: the transport that dials it, and who approves a sign-in."""

    async def open(self) -> "httpx.AsyncBaseTransport":
        """Bring the tenant up where that is ours to do; the transport that dials it."""
        ...

    async def approve(self, attempt: "SignInAttempt") -> None:
        """Approve a sign-in as the demo's user."""
        ...

    async def aclose(self) -> None:
        """End what `open` started."""
        ...

    @property
    def signs_in(self) -> bool:
        """Whether the demo's user is signed in without being asked."""
        ...

    @property
    def address(self) -> str | None:
        """Its address on loopback, None where it is only reached from inside this process."""
        ...


@dataclass(frozen=True, slots=True)
class _Opened:
    """What the first call opened, for those after it."""

    graph: "GraphClient"
    credential: "Credential | OutsideToken"
    tokens: "TokenSource"


class GraphServices:
    """The Graph client of the process; opened by the first call that needs it, closed with the process.

    Listing tools therefore costs no import of an HTTP or identity library.
    """

    _tasks: "TaskGroup"
    """Sign-ins and refreshes that outlive the call that began them; there while the services are open."""

    def __init__(
        self,
        settings: Settings,
        tenant: LocalTenant | None = None,
        *,
        origin: "Origin | None" = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        sign_in_wait_s: float = SIGN_IN_WAIT_S,
    ) -> None:
        from copilot_mcp.tools import OpenTurns

        self.settings = settings
        self._sleep = sleep
        self._monotonic = monotonic
        self._sign_in_wait_s = sign_in_wait_s
        self._tenant = tenant
        self._origin = origin
        self._stack = AsyncExitStack()
        self._opening = anyio.Lock()
        self._opened: _Opened | None = None
        self._turns = OpenTurns()
        self._quotas: dict[str | None, Quota] = {}
        self.host_sign_in: HostSignIn | None = None

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        await self._turns.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        try:
            await self._turns.__aexit__(kind, error, where)  # while the client that they use is still there
        finally:
            try:
                self._tasks.cancel_scope.cancel()
                await self._tasks.__aexit__(None, None, None)
            finally:
                with anyio.CancelScope(shield=True):
                    await self._stack.aclose()

    @property
    def turns(self) -> "OpenTurns":
        """The chat turns of the process; those that still run end with it."""
        return self._turns

    @property
    def person(self) -> Person | None:
        """Who can sign in from inside the host; None where tokens come without a person."""
        return None if self._origin or (self._tenant and self._tenant.signs_in) else Person(self)

    async def sign_in(self) -> "HostSignIn":
        """The sign-in behind the Graph client, opened with it.

        Raises:
            SettingsError: Tokens come from outside.
        """
        await self._open_once()
        if self.host_sign_in is None:
            raise SettingsError("Tokens come from outside, so nobody can sign in here.", "Renew the token there.")
        return self.host_sign_in

    async def graph(self) -> "GraphClient":
        """The one Graph client.

        Raises:
            SettingsError: No app registration is set.
        """
        return (await self._open_once()).graph

    async def identity(self) -> str:
        """The signed-in person, by cloud, directory and object.

        Raises:
            SettingsError: No app registration is set.
            AuthenticationRequiredError: Nobody is signed in.
            AuthenticationError: Entra refused.
        """
        from copilot_mcp.graph import CHAT_SCOPES

        opened = await self._open_once()
        await opened.tokens.token(CHAT_SCOPES)  # so that somebody is signed in, and the cache says who
        account = await opened.credential.account()
        if account is None:
            raise AuthenticationRequiredError("The account was signed out a moment ago.", "Run `copilot-mcp login`.")
        return f"{self.settings.cloud}/{account.tenant_id}/{account.object_id}"

    async def quota(self) -> "Quota":
        """The count of the person whose tokens are used; one for all of a simulated tenant.

        Raises:
            SettingsError: No app registration is set.
            AuthenticationError: A token from outside cannot be had or is of no use.
        """
        from copilot_mcp.cli._quota import open_quota

        opened = await self._open_once()
        if self._origin is not None:
            await opened.tokens.token(())  # nobody knows whose it is before it is read
        account = None if self.settings.simulated else await opened.credential.account()
        person = account.home_account_id if account else None
        if person not in self._quotas:
            self._quotas[person] = open_quota(self.settings, person)
        return self._quotas[person]

    async def _open_once(self) -> "_Opened":
        async with self._opening:
            if self._opened is None:
                self._opened = await self._open()
            return self._opened

    async def _open(self) -> "_Opened":
        if not self.settings.client_id and self._origin is None:
            raise SettingsError(
                "No app registration is set: COPILOT_MCP_CLIENT_ID (or --client-id) is missing.",
                "Set it to the application (client) id of your app registration; without a tenant, try "
                "`copilot-mcp serve --simulate`.",
            )
        from copilot_mcp.auth import open_http
        from copilot_mcp.graph import GraphClient

        transport = None
        if self._tenant:
            self._stack.push_async_callback(self._tenant.aclose)
            transport = await self._tenant.open()
        http = await self._stack.enter_async_context(open_http(transport))
        tokens, credential = self._tokens(http)
        graph = GraphClient(
            http,
            CLOUDS[self.settings.cloud].graph_root,
            tokens,
            user_agent=f"{USER_AGENT}/{__version__}",
            sleep=self._sleep,
            monotonic=self._monotonic,
            reader=credential,
        )
        return _Opened(graph, credential, tokens)

    def _tokens(self, http: "httpx.AsyncClient") -> "tuple[TokenSource, Credential | OutsideToken]":
        """Who gives the tokens, and who can say whose they are."""
        from copilot_mcp.auth import HostSignIn, OutsideToken

        if self._origin is not None:
            told = functools.partial(announce_token, origin=self._origin)
            outside = OutsideToken(CLOUDS[self.settings.cloud], self._origin, told=told)
            return outside, outside
        credential = open_credential(self.settings, http, tasks=self._tasks, sleep=self._sleep)
        self._stack.callback(credential.cancel_sign_in)
        self.host_sign_in = HostSignIn(credential, self._tasks, announce=announce, wait_s=self._sign_in_wait_s)
        if self._tenant and self._tenant.signs_in:
            return SelfApproved(credential, self._tenant, sign_in_scopes()), credential
        return self.host_sign_in, credential


def sign_in_scopes() -> tuple[str, ...]:
    """Every permission that some tool needs; what a sign-in asks for."""
    from copilot_mcp.tools import TOOLS

    return tuple(sorted({scope for tool in TOOLS for scope in tool.scopes}))


def open_credential(
    settings: Settings,
    http: "httpx.AsyncClient",
    *,
    tasks: "TaskGroup | None" = None,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> "Credential":
    """The person's credential in the configured cloud and tenant, kept where the settings say."""
    from copilot_mcp.auth import Credential

    cloud, cache = CLOUDS[settings.cloud], open_cache(settings)
    return Credential(cloud, settings.tenant, settings.client_id or "", cache, http, sleep=sleep, tasks=tasks)


def open_cache(settings: Settings) -> "MemoryCache | TokenCache":
    """Where the sign-in is kept. A simulated tenant never opens a stored one."""
    from copilot_mcp.auth import MemoryCache, TokenCache

    if settings.simulated or settings.cache == "memory":
        return MemoryCache()
    return TokenCache.of(
        settings.profile, settings.cloud, settings.tenant, settings.client_id or "", plain=settings.cache == "plain"
    )
