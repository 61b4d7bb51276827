"""A simulated Microsoft 365 tenant on loopback: fake Entra, fake Graph, real search over real text.

    with Simulator() as simulator:
        base_url = simulator.start()

It owes nothing to the client it stands in for: both follow the same documents, each by itself. Importing this
package is cheap; the web server, the database and the cryptography are loaded when a `Simulator` is made.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Self

from copilot_mcp.simulator.faults import FAULTS, Fault, Faults
from copilot_mcp.simulator.tenant import Connection, Document, Label, Site, Tenant, User

if TYPE_CHECKING:
    from copilot_mcp.simulator.certificates import Certificate
    from copilot_mcp.simulator.identity import Identity
    from copilot_mcp.simulator.secrets_issued import SecretsIssued

__all__ = [
    "FAULTS",
    "HOURLY_LIMIT",
    "Connection",
    "Document",
    "Fault",
    "Faults",
    "Label",
    "Simulator",
    "Site",
    "Tenant",
    "User",
    "load_company",
    "load_folder",
]


HOURLY_LIMIT: Final = 200
"""Retrievals that the API answers a person in an hour."""


def load_company() -> Tenant:
    """The built-in fictional company."""
    from copilot_mcp.simulator import company

    return company.load_company()


def load_folder(path: "str | PathLike[str]", *, max_files: int = 20_000) -> Tenant:
    """Any folder of Markdown, text or HTML files as a tenant; files beyond `max_files` are left out and counted.

    Raises:
        OSError: The folder does not exist or is no folder.
    """
    from copilot_mcp.simulator import folder

    return folder.load_folder(path, max_files=max_files)


class Simulator:
    """One simulated tenant with all its state. It may be used from any thread.

    Args:
        tenant: what it holds; the built-in company when left out.
        clock: seconds since the epoch, as `time.time`; decides over codes, tokens and dates.
        sleep: waits so many seconds; for the pace and for the fault `slow`.
        pace: seconds between two events of a streamed answer.
        interval: seconds a client should wait between two polls of a device code.
        auto_approve: key or user name of the person who approves every sign-in at once, for demonstrations.
        key: what the page and the tenant's own addresses ask for before they decide or tell anything; needed where
            the documents are somebody's own, since every program of the machine can reach a loopback port.
        hourly_limit: retrievals that each person may send in an hour, as Microsoft says; None for no limit.

    Raises:
        LookupError: `auto_approve` names nobody.
    """

    def __init__(
        self,
        tenant: Tenant | None = None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        pace: float = 0.0,
        interval: int = 1,
        auto_approve: str | None = None,
        key: str | None = None,
        hourly_limit: int | None = HOURLY_LIMIT,
    ) -> None:
        from copilot_mcp.simulator.assembly import Assembly
        from copilot_mcp.simulator.serving import LoopbackServer

        self.tenant = tenant or load_company()
        self._parts = Assembly(
            self.tenant,
            clock,
            sleep,
            pace=pace,
            interval=interval,
            auto_approve=auto_approve,
            key=key,
            base=lambda: self.url,
            hourly_limit=hourly_limit,
        )
        self._serve = LoopbackServer
        self._server: LoopbackServer | None = None

    @property
    def app(self) -> Callable[..., Awaitable[None]]:
        """The ASGI application. Routes do not depend on the Host, which must be loopback or end in `.test`."""
        return self._parts.app

    @property
    def url(self) -> str:
        """Where it listens, `http://127.0.0.1` while it does not."""
        return self._server.url if self._server else "http://127.0.0.1"

    def start(self, port: int = 0, *, certificate: "Certificate | None" = None) -> str:
        """Listen on 127.0.0.1 from a thread of its own and answer the base URL; port 0 takes a free one.

        With `certificate` it speaks TLS and shows a certificate that is good, untrusted, expired or for a wrong name;
        all but the untrusted one are signed by the authority of `authority_pem`.

        Raises:
            OSError: the port is taken.
            RuntimeError: it listens already.
            ValueError: there is no such certificate.
        """
        if self._server is not None:
            raise RuntimeError("the simulated tenant is already listening")
        tls = self._parts.authority.context(certificate) if certificate else None
        self._server = self._serve(self.app, port, tls)
        return self._server.url

    @property
    def authority_pem(self) -> str:
        """The certificate authority of this tenant, for a client that is to trust it."""
        return self._parts.authority.pem

    def stop(self) -> None:
        """Stop listening, within a second. What the tenant remembers stays."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._parts.close()

    @property
    def users(self) -> tuple[User, ...]:
        """The people who can sign in."""
        return self.tenant.users

    @property
    def faults(self) -> Faults:
        """Where faults are asked for: `simulator.faults.add("throttled", operation="retrieval")`."""
        return self._parts.faults

    @property
    def trace(self) -> list[dict[str, Any]]:
        """What was asked and answered, oldest first, without texts and secrets; at most 1,000 entries."""
        return self._parts.trace.entries

    @property
    def exchanges(self) -> list[dict[str, Any]]:
        """The same with whole JSON bodies, at most 200; tokens and device codes are never in it."""
        return self._parts.trace.exchanges

    @property
    def received(self) -> dict[str, int]:
        """POSTs that came in since the trace was cleared, by operation, whatever was answered."""
        return self._parts.trace.received

    @property
    def turns_recorded(self) -> int:
        """Chat turns that were taken, in all conversations, since the tenant was made."""
        return self._parts.conversations.recorded

    def clear_trace(self) -> None:
        """Forget the trace, the exchanges and what was received."""
        self._parts.trace.clear()

    @property
    def identity(self) -> "Identity":
        """Where sign-in is controlled: consent, policies, claims challenges, keys, rotation of refresh tokens."""
        return self._parts.identity

    @property
    def secrets_issued(self) -> "SecretsIssued":
        """Every token and code handed out: `simulator.secrets_issued.found_in(text)` names the kinds that leaked."""
        return self._parts.sign_ins.issued

    def approve(self, user_code: str, user: str, *, consent: bool = True) -> int | None:
        """Approve a sign-in as this person (key, user name or id), who does or does not consent where asked.

        Answers the AADSTS number that the person's page shows when a policy or a missing approval stops them; the
        code then goes on waiting.

        Raises:
            LookupError: the code is not waiting, or nobody has that name.
        """
        return self._parts.approve(user_code, user, consent=consent)

    def decline(self, user_code: str) -> None:
        """Refuse a sign-in.

        Raises:
            LookupError: the code is not waiting.
        """
        self._parts.sign_ins.decide(user_code, None)

    def consent(self, user: str, scopes: Collection[str]) -> None:
        """From now on grant exactly these scopes (names without prefix) to the default client for this person."""
        self._parts.sign_ins.consent(user, scopes)

    def revoke(self, user: str) -> None:
        """End everything this person signed in to: refresh tokens are refused from now on."""
        self._parts.sign_ins.revoke(user)

    def register(self, client_id: str, name: str = "A registered application") -> None:
        """Add an app registration besides the default one."""
        self._parts.sign_ins.register(client_id, name)
