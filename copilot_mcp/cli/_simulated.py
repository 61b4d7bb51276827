"""The simulated tenant of a command: started in this process, or joined where it runs already."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

import anyio

from copilot_mcp.auth import CLOUDS
from copilot_mcp.cli._say import say
from copilot_mcp.errors import SettingsError
from copilot_mcp.settings import Settings

if TYPE_CHECKING:
    import httpx

    from copilot_mcp.auth import LoopbackTransport, SignInAttempt
    from copilot_mcp.simulator import Simulator, Tenant, User

__all__ = [
    "DEMO_USER",
    "JoinedTenant",
    "LocalUser",
    "StartedTenant",
    "chosen_tenant",
    "load_tenant",
    "simulated_settings",
]

DEMO_USER = "adele"
APPROVE_TIMEOUT_S = 10
STREAM_PACE_S = 0.03
"""Seconds between two snapshots of a streamed answer, so that progress can be seen."""


def simulated_settings(settings: Settings) -> Settings:
    """The same settings for the simulated row of the clouds: its own tenant and client id, nothing kept on disk."""
    cloud = CLOUDS["simulated"]
    return replace(
        settings,
        cloud=cloud.name,
        tenant=cloud.tenant_id or "",
        client_id=cloud.client_id,
        cache="memory",
        simulated=True,
    )


def chosen_tenant(
    *, simulate: bool, simulate_url: str | None, documents: Path | None, user: str | None, signed_out: bool
) -> "StartedTenant | JoinedTenant | None":
    """What the simulation options ask for; None means Microsoft 365 itself.

    Raises:
        SettingsError: The options contradict each other.
    """
    if simulate and simulate_url is not None:
        raise SettingsError(
            "--simulate (or COPILOT_MCP_SIMULATE) starts a tenant inside this process, --simulate-url (or "
            "COPILOT_MCP_SIMULATE_URL) joins one that runs already.",
            "Leave one of the two out.",
        )
    if simulate_url is not None:
        if documents is not None:
            raise SettingsError(
                "--documents (or COPILOT_MCP_DOCUMENTS) does not go with --simulate-url: that tenant has its documents "
                "already.",
                "Leave it out, or take --simulate instead of --simulate-url.",
            )
        return JoinedTenant(simulate_url, user or DEMO_USER, signs_in=not signed_out)
    if simulate:
        return StartedTenant(documents, user or DEMO_USER, signs_in=not signed_out)
    if documents is not None:
        raise SettingsError(
            "--documents (or COPILOT_MCP_DOCUMENTS) needs --simulate.", "Add that, or leave --documents out."
        )
    if user or signed_out:
        named = "--as (or COPILOT_MCP_AS)" if user else "--signed-out (or COPILOT_MCP_SIGNED_OUT)"
        raise SettingsError(f"{named} needs --simulate or --simulate-url.", "Add one, or leave it out.")
    return None


def load_tenant(documents: Path | None) -> "Tenant":
    """The built-in company, or the folder's documents.

    Raises:
        SettingsError: The folder holds nothing that can be searched.
    """
    from copilot_mcp.simulator import load_company, load_folder

    if documents is None:
        return load_company()
    tenant = load_folder(str(documents))
    if not tenant.documents and tenant.left_out:
        raise SettingsError(
            f"--documents {documents} holds no file that can be loaded. {tenant.left_out_sentence}",
            "Name a folder of Markdown, text or HTML files in UTF-8, none larger than 4 MiB.",
        )
    if not tenant.documents:
        raise SettingsError(
            f"--documents {documents} holds no Markdown, text or HTML file.", "Name a folder that does."
        )
    return tenant


@dataclass(frozen=True, slots=True)
class LocalUser:
    """Somebody of a simulated tenant."""

    name: str
    username: str


class StartedTenant:
    """A tenant inside this process, brought up by the first call that needs it and ended with the process."""

    def __init__(self, documents: Path | None, user: str, *, signs_in: bool) -> None:
        self._documents = documents
        self._user = user
        self._tenant: Tenant | None = None
        self._simulator: Simulator | None = None
        self._running = ExitStack()
        self.signs_in = signs_in
        self.private = documents is not None
        """Whether it holds documents of the person's own."""
        self.announces = True
        """Whether it says where it is, for people who may look at it while it runs."""

    def load(self) -> "Tenant":
        """Read what it holds, once; says which files were left out.

        Raises:
            SettingsError: The folder holds nothing that can be searched.
        """
        if self._tenant is None:
            self._tenant = load_tenant(self._documents)
            if self._tenant.left_out:
                say(self._tenant.left_out_sentence)
        return self._tenant

    async def open(self) -> "httpx.AsyncBaseTransport":
        """Start the tenant on a free loopback port."""
        from copilot_mcp.auth import LoopbackTransport

        self._simulator = await anyio.to_thread.run_sync(self._started)
        return LoopbackTransport(self._simulator.url)

    def _started(self) -> "Simulator":
        from copilot_mcp.simulator import Simulator

        tenant = self.load()
        self._found(tenant)
        # A key that nobody is told: with the person's own documents inside, only this process may approve.
        key = token_urlsafe() if self.private else None
        simulator = self._running.enter_context(Simulator(tenant, pace=STREAM_PACE_S, key=key))
        url = simulator.start()
        page = "" if self.private else f"; its page to sign in: {url}/devicelogin"
        if self.announces:
            say(f"Simulated tenant at {url} ({len(tenant.documents)} documents){page}")
        return simulator

    async def user(self) -> LocalUser:
        """Who would sign in; nothing is started.

        Raises:
            SettingsError: There is no such user, or nothing to load.
        """
        found = self._found(await anyio.to_thread.run_sync(self.load))
        return LocalUser(found.name, found.username)

    def _found(self, tenant: "Tenant") -> "User":
        known = {user.key: user for user in tenant.users}
        _check_user(self._user, list(known))
        return known[self._user]

    async def approve(self, attempt: "SignInAttempt") -> None:
        """The tenant approves as the demo's user."""
        if self._simulator is not None:
            self._simulator.approve(attempt.user_code, self._user)
            say(f"Signed in to the simulated tenant as {self._user}, by device code, approved by the tenant.")

    @property
    def address(self) -> str | None:
        """Its address on loopback, None before it is up."""
        return self._simulator.url if self._simulator else None

    async def aclose(self) -> None:
        """End the tenant."""
        await anyio.to_thread.run_sync(self._running.close)


class JoinedTenant:
    """A tenant that runs in another process on this machine. `url` may end in `#` and the tenant's start-up key."""

    private = True

    def __init__(self, url: str, user: str, *, signs_in: bool) -> None:
        address, _, key = url.partition("#")
        self._url = address.rstrip("/")
        self.address: str | None = self._url
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._user = user
        self.signs_in = signs_in

    async def open(self) -> "httpx.AsyncBaseTransport":
        """The transport that dials it.

        Raises:
            SettingsError: The address is not a loopback address, nobody answers there, or not to this key or user.
        """
        transport = self._transport()
        await self.user()
        return transport

    def _transport(self) -> "LoopbackTransport":
        from copilot_mcp.auth import LoopbackTransport

        try:
            return LoopbackTransport(self._url)
        except ValueError as error:
            raise SettingsError(
                f"--simulate-url {self._url} cannot be joined: {error}.", "Start one with `copilot-mcp simulate`."
            ) from None

    async def user(self) -> LocalUser:
        """Who would sign in; it is asked who is there.

        Raises:
            SettingsError: As for `open`.
        """
        self._transport()  # nothing but loopback is asked
        facts = await self._ask("GET", "")
        try:
            people = {person["key"]: LocalUser(person["name"], person["username"]) for person in facts["users"]}
        except (LookupError, TypeError):
            raise self._absent("no users") from None
        _check_user(self._user, list(people))
        return people[self._user]

    async def approve(self, attempt: "SignInAttempt") -> None:
        """Ask the tenant to approve as the demo's user, by a call.

        Raises:
            SettingsError: The tenant is not there any more.
        """
        await self._ask("POST", "/approve", {"user_code": attempt.user_code, "user": self._user})
        say(f"Signed in to the simulated tenant as {self._user}, by device code, approved by the tenant.")

    async def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        import httpx

        try:
            async with httpx.AsyncClient(trust_env=False, timeout=APPROVE_TIMEOUT_S, headers=self._headers) as http:
                answer = await http.request(method, f"{self._url}/simulator{path}", json=body)
                if answer.status_code == httpx.codes.UNAUTHORIZED:
                    raise SettingsError(
                        f"--simulate-url {self._url} asks for its start-up key.",
                        "Give the whole address that `copilot-mcp simulate` printed, with `#` and the key.",
                    )
                return answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._absent(type(error).__name__) from None

    def _absent(self, reason: str) -> SettingsError:
        return SettingsError(
            f"--simulate-url {self._url} does not answer as a simulated tenant ({reason}).",
            "Start one with `copilot-mcp simulate`.",
        )

    async def aclose(self) -> None:
        """Nothing: whoever started the tenant ends it."""


def _check_user(user: str, known: list[str]) -> None:
    if user not in known:
        raise SettingsError(
            f"--as {user}: the simulated tenant does not know this user.", f"Known are {', '.join(known)}."
        )
