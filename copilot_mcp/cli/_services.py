"""What a serving process shares: one HTTP client, one credential, one Graph client, opened when first needed."""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import anyio

from copilot_mcp import __version__
from copilot_mcp.auth import CLOUDS
from copilot_mcp.errors import AuthenticationRequiredError, SettingsError
from copilot_mcp.settings import Settings

if TYPE_CHECKING:
    import httpx

    from copilot_mcp.auth import Credential, MemoryCache, SignInAttempt, TokenCache
    from copilot_mcp.graph import GraphClient, TokenSource
    from copilot_mcp.tools import OpenTurns
    from copilot_mcp.tools.quota import Quota

__all__ = ["GraphServices", "LocalTenant", "open_cache", "open_credential", "sign_in_scopes"]

USER_AGENT = "copilot-mcp"


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


@dataclass(frozen=True, slots=True)
class _Opened:
    """What the first call opened, for those after it."""

    graph: "GraphClient"
    credential: "Credential"
    tokens: "TokenSource"


class GraphServices:
    """The Graph client of the process; opened by the first call that needs it, closed with the process.

    Listing tools therefore costs no import of an HTTP or identity library.
    """

    def __init__(
        self,
        settings: Settings,
        tenant: LocalTenant | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        from copilot_mcp.tools import OpenTurns

        self._settings = settings
        self._sleep = sleep
        self._monotonic = monotonic
        self._tenant = tenant
        self._stack = AsyncExitStack()
        self._opening = anyio.Lock()
        self._opened: _Opened | None = None
        self._turns = OpenTurns()
        self._quotas: dict[str | None, Quota] = {}

    async def __aenter__(self) -> Self:
        await self._turns.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        try:
            await self._turns.__aexit__(kind, error, where)  # while the client that they use is still there
        finally:
            with anyio.CancelScope(shield=True):
                await self._stack.aclose()

    @property
    def turns(self) -> "OpenTurns":
        """The chat turns of the process; those that still run end with it."""
        return self._turns

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
        return f"{self._settings.cloud}/{account.tenant_id}/{account.object_id}"

    async def quota(self) -> "Quota":
        """The count of the person who is signed in; one for all of a simulated tenant.

        Raises:
            SettingsError: No app registration is set.
        """
        from copilot_mcp.cli._quota import open_quota

        opened = await self._open_once()
        account = None if self._settings.simulated else await opened.credential.account()
        person = account.home_account_id if account else None
        if person not in self._quotas:
            self._quotas[person] = open_quota(self._settings, person)
        return self._quotas[person]

    async def _open_once(self) -> "_Opened":
        async with self._opening:
            if self._opened is None:
                self._opened = await self._open()
            return self._opened

    async def _open(self) -> "_Opened":
        if not self._settings.client_id:
            raise SettingsError(
                "No app registration is set: COPILOT_MCP_CLIENT_ID (or --client-id) is missing.",
                "Set it to the application (client) id of your app registration; without a tenant, try "
                "`copilot-mcp serve --simulate`.",
            )
        from copilot_mcp.auth import open_http
        from copilot_mcp.graph import GraphClient

        cloud = CLOUDS[self._settings.cloud]
        transport = None
        if self._tenant:
            self._stack.push_async_callback(self._tenant.aclose)
            transport = await self._tenant.open()
        http = await self._stack.enter_async_context(open_http(transport))
        credential = self._credential = open_credential(self._settings, http)
        self._stack.callback(credential.cancel_sign_in)
        tokens: TokenSource = credential
        if self._tenant and self._tenant.signs_in:
            tokens = SelfApproved(credential, self._tenant)
        graph = GraphClient(
            http,
            cloud.graph_root,
            tokens,
            user_agent=f"{USER_AGENT}/{__version__}",
            sleep=self._sleep,
            monotonic=self._monotonic,
        )
        return _Opened(graph, credential, tokens)


class SelfApproved:
    """Tokens of a simulated tenant: signs in by device code when first asked, approved by the tenant itself."""

    def __init__(self, credential: "Credential", tenant: LocalTenant) -> None:
        self._credential = credential
        self._tenant = tenant
        self._signing_in = anyio.Lock()

    async def token(self, scopes: Sequence[str], *, rejected: str | None = None) -> str:
        """A token for `scopes`.

        Raises:
            AuthenticationError: The tenant refused.
        """
        try:
            return await self._credential.token(scopes, rejected=rejected)
        except AuthenticationRequiredError:
            async with self._signing_in:
                if await self._credential.account() is None:
                    await self._sign_in()
            return await self._credential.token(scopes)

    async def _sign_in(self) -> None:
        attempt = await self._credential.start_sign_in(sign_in_scopes())
        await self._tenant.approve(attempt)
        await self._credential.finish_sign_in(attempt)


def sign_in_scopes() -> tuple[str, ...]:
    """Every permission that some tool needs; what a sign-in asks for."""
    from copilot_mcp.tools import TOOLS

    return tuple(sorted({scope for tool in TOOLS for scope in tool.scopes}))


def open_credential(settings: Settings, http: "httpx.AsyncClient") -> "Credential":
    """The person's credential in the configured cloud and tenant, kept where the settings say."""
    from copilot_mcp.auth import Credential

    cloud = CLOUDS[settings.cloud]
    return Credential(cloud, settings.tenant, settings.client_id or "", open_cache(settings), http)


def open_cache(settings: Settings) -> "MemoryCache | TokenCache":
    """Where the sign-in is kept. A simulated tenant never opens a stored one."""
    from copilot_mcp.auth import MemoryCache, TokenCache

    if settings.simulated or settings.cache == "memory":
        return MemoryCache()
    return TokenCache.of(
        settings.profile, settings.cloud, settings.tenant, settings.client_id or "", plain=settings.cache == "plain"
    )
