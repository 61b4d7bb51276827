"""The person of a serving process: how they sign in from inside the host, and who does it for them in a simulation."""

import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.to_thread
import click

from copilot_mcp.cli._say import say
from copilot_mcp.cli._terminal import fitted
from copilot_mcp.errors import AuthenticationRequiredError

if TYPE_CHECKING:
    from copilot_mcp.auth import Credential, HostSignIn, SignInAttempt
    from copilot_mcp.settings import Settings

__all__ = ["Approver", "Person", "SelfApproved", "SignInServices", "announce"]

logger = logging.getLogger(__name__)


class SignInServices(Protocol):
    """What of the services a sign-in needs."""

    settings: "Settings"
    host_sign_in: "HostSignIn | None"

    async def sign_in(self) -> "HostSignIn":
        """The sign-in behind the Graph client, opened with it."""
        ...


class Approver(Protocol):
    """A simulated tenant that approves as one of its people."""

    async def approve(self, attempt: "SignInAttempt") -> None:
        """Approve a sign-in."""
        ...


class Person:
    """The sign-in of a serving process, which opens its clients when somebody first needs them."""

    def __init__(self, services: SignInServices) -> None:
        self._services = services

    def offers_consent(self, scopes: Sequence[str]) -> bool:
        """See `HostSignIn.offers_consent`."""
        return self._services.host_sign_in is not None and self._services.host_sign_in.offers_consent(scopes)

    @property
    def shared(self) -> bool:
        """See `HostSignIn.shared`."""
        return self._services.host_sign_in is not None and self._services.host_sign_in.shared

    @property
    def successes(self) -> int:
        """See `HostSignIn.successes`."""
        return self._services.host_sign_in.successes if self._services.host_sign_in is not None else 0

    async def start(
        self, scopes: Sequence[str], *, consent: bool = False, since: int | None = None, seen: str | None = None
    ) -> "SignInAttempt | None":
        """See `HostSignIn.start`."""
        return await (await self._services.sign_in()).start(scopes, consent=consent, since=since, seen=seen)

    async def ended(self, attempt: "SignInAttempt") -> bool:
        """See `HostSignIn.ended`."""
        return await (await self._services.sign_in()).ended(attempt)

    def check(self, attempt: "SignInAttempt") -> None:
        """See `HostSignIn.check`."""
        if self._services.host_sign_in is not None:
            self._services.host_sign_in.check(attempt)

    def expect(self, attempt: "SignInAttempt", question: str) -> None:
        """See `HostSignIn.expect`."""
        if self._services.host_sign_in is not None:
            self._services.host_sign_in.expect(attempt, question)

    def answered(self, question: str) -> None:
        """See `HostSignIn.answered`."""
        if self._services.host_sign_in is not None:
            self._services.host_sign_in.answered(question)

    def give_up(self, attempt: "SignInAttempt") -> None:
        """See `HostSignIn.give_up`."""
        if self._services.host_sign_in is not None:
            self._services.host_sign_in.give_up(attempt)

    async def greeting(self) -> str:
        """Who has just signed in, in which tenant, with which permissions, and where that is kept; said once."""
        account = self._services.host_sign_in.news() if self._services.host_sign_in else None
        if account is None:
            return ""
        from copilot_mcp.cli._account import where_kept

        greeting = (
            f"Signed in as {account.name} <{account.username}>, tenant {account.tenant_id}; granted: "
            f"{', '.join(account.scopes)}."
        )
        try:
            place = await anyio.to_thread.run_sync(where_kept, self._services.settings)
        except Exception as error:
            logger.warning("Where the sign-in is kept cannot be said (%s).", type(error).__name__)
            return greeting
        return f"{greeting} {place}"


class SelfApproved:
    """Tokens of a simulated tenant: signs in by device code when first asked, approved by the tenant itself."""

    def __init__(self, credential: "Credential", tenant: Approver, scopes: Sequence[str]) -> None:
        self._credential = credential
        self._tenant = tenant
        self._scopes = scopes
        self._signing_in = anyio.Lock()

    async def token(self, scopes: Sequence[str], *, rejected: str | None = None, claims: str | None = None) -> str:
        """A token for `scopes`.

        Raises:
            AuthenticationError: The tenant refused.
        """
        try:
            return await self._credential.token(scopes, rejected=rejected, claims=claims)
        except AuthenticationRequiredError:
            async with self._signing_in:
                if await self._credential.account() is None:
                    await self._sign_in()
            return await self._credential.token(scopes)

    async def _sign_in(self) -> None:
        attempt = await self._credential.start_sign_in(self._scopes)
        await self._tenant.approve(attempt)
        await self._credential.finish_sign_in(attempt)


def announce(attempt: "SignInAttempt") -> None:
    """The page and the code, to standard error: prompts never mix with an answer or a protocol."""
    minutes = max(1, round((attempt.expires_at - datetime.now(UTC)).total_seconds() / 60))
    say(f"To sign in, open {attempt.verification_uri}")
    code = click.style(attempt.user_code, bold=True)
    say(fitted(f"and enter the code {code} within {minutes} minutes.", sys.stderr))
    say(fitted("The page must name your own app registration; stop if it names another app.", sys.stderr))
