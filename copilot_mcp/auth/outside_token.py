"""A token that somebody else got: from an environment variable, a file or a command.

For machines on which no sign-in of ours is allowed. Such a token is kept in memory only, never refreshed, and read
before it is used: one for another API, for an application or for a personal account is refused with the reason.
"""

import copy
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio

from copilot_mcp.auth.answers import Account, is_token
from copilot_mcp.auth.clouds import Cloud
from copilot_mcp.auth.token_facts import TokenFacts, read_facts
from copilot_mcp.errors import AuthenticationError

__all__ = ["Origin", "OutsideToken", "checked_token"]

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
"""Microsoft Graph's own application id; older tokens name it as their audience."""

LEAST_LEFT_S = 60.0
"""A token with less left is asked for anew."""

_JSON_MEMBERS = ("accessToken", "access_token", "token")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the token comes from.

    Attributes:
        name: for sentences, such as `the file /run/token`.
        read: gives the text that holds the token; may raise `AuthenticationError`.
        renew: what the person does about a token that is of no use.
        at_start: reading it costs nothing, so that a wrong one can be refused when the server starts.
    """

    name: str
    read: Callable[[], Awaitable[str]] = field(repr=False)
    renew: str
    at_start: bool = False


class OutsideToken:
    """Gives the token of an origin to the Graph client. All calls from one event loop.

    `clock` gives seconds since 1970; `told` hears of each token once, when it was read and found usable.
    """

    def __init__(
        self,
        cloud: Cloud,
        origin: Origin,
        *,
        clock: Callable[[], float] = time.time,
        told: Callable[[TokenFacts], None] = lambda facts: None,
    ) -> None:
        self._cloud = cloud
        self._origin = origin
        self._clock = clock
        self._told = told
        self._reading = anyio.Lock()
        self._reads_ended = 0
        self._outcome: TokenFacts | Exception = LookupError("nothing was read")
        self._token = ""
        self._facts: TokenFacts | None = None

    async def token(self, scopes: Sequence[str], *, rejected: str | None = None, claims: str | None = None) -> str:
        """The token, where it carries these permissions.

        Raises:
            AuthenticationError: It cannot be had, is of the wrong kind, has expired, carries less, or Graph refused it
                and the origin has no other.
        """
        ended = self._reads_ended
        async with self._reading:
            facts = self._facts
            if facts is None or self._token == rejected or self._left(facts) < LEAST_LEFT_S:
                facts = await self._read(since=ended)
        if self._token == rejected:
            raise self._rejected(claims)
        missing = sorted(set(scopes) - (facts.scopes or frozenset()))
        if missing:
            error = AuthenticationError(
                f"The token from {self._origin.name} does not carry {', '.join(missing)}.",
                f"Get one with these permissions. {self._origin.renew}",
                kind="scopes_missing",
                who="administrator",
            )
            error.scopes = tuple(missing)
            raise error
        return self._token

    async def account(self) -> Account | None:
        """Whose token it is.

        Raises:
            AuthenticationError: As for `token`.
        """
        facts = self._facts or await self.facts()
        tenant_id, object_id = facts.tenant_id or "", facts.object_id or facts.username or ""
        return Account(
            username=facts.username or "",
            name="",
            tenant_id=tenant_id,
            scopes=tuple(sorted(facts.scopes or ())),
            object_id=object_id,
            home_account_id=f"{object_id}.{tenant_id}",
        )

    async def facts(self) -> TokenFacts:
        """What the token says of itself, read anew.

        Raises:
            AuthenticationError: As for `token`.
        """
        ended = self._reads_ended
        async with self._reading:
            return await self._read(since=ended)

    def describe(self, token: str) -> TokenFacts | None:
        """What a token says of itself."""
        return read_facts(token)

    def consent_link(self, scopes: Sequence[str]) -> str:
        """None that we know: the app registration is somebody else's."""
        return ""

    async def _read(self, *, since: int) -> TokenFacts:
        """Read, unless a read ended while the caller waited: `since` is how many had ended when they asked.

        What that one brought serves all who waited for it, a failure too: a command that hangs does so once for all,
        not once for each. A caller who is cancelled takes their read along, and the next one begins another.
        """
        if self._reads_ended == since:
            try:
                self._outcome = await self._read_anew()
            except Exception as error:
                self._outcome = error
            self._reads_ended += 1
        if isinstance(self._outcome, Exception):
            raise copy.copy(self._outcome)
        return self._outcome

    async def _read_anew(self) -> TokenFacts:
        text = await self._origin.read()
        token, facts = checked_token(text, self._cloud, self._origin, self._clock())
        new, self._token, self._facts = token != self._token, token, facts
        if new:
            self._told(facts)
        return facts

    def _left(self, facts: TokenFacts) -> float:
        return (facts.expires or 0.0) - self._clock()

    def _rejected(self, claims: str | None) -> AuthenticationError:
        if claims is not None:
            return AuthenticationError(
                f"The conditions of access have changed, and the token from {self._origin.name} does not meet them.",
                self._origin.renew,
                kind="reauth_required",
            )
        return AuthenticationError(
            f"Microsoft Graph refuses the token from {self._origin.name}.", self._origin.renew, kind="token_rejected"
        )


def checked_token(text: str, cloud: Cloud, origin: Origin, now: float) -> tuple[str, TokenFacts]:
    """The token in a text, and what it says of itself; plain, after `Bearer`, or in JSON as tools of Azure print it.

    Raises:
        AuthenticationError: There is no token, or one that cannot serve. The text is never quoted.
    """
    token = _token_in(text.strip())
    facts = read_facts(token) if is_token(token) else None
    if facts is None or facts.expires is None:
        raise _unusable(origin, "outside_token_unreadable", "gives no access token for a work or school account")
    if facts.audience is None or facts.audience.rstrip("/").lower() not in (cloud.graph_root, GRAPH_APP_ID):
        shown = facts.audience if facts.audience and facts.audience.isprintable() else "another API"
        reason = f"gives a token for {shown[:200]}, not for Microsoft Graph ({cloud.graph_root})"
        raise _unusable(origin, "wrong_audience", reason)
    if facts.app_only:
        reason = "gives a token of an application without a person, and the Copilot APIs answer people only"
        raise _unusable(origin, "app_only_token", reason)
    if facts.personal:
        raise _unusable(
            origin, "personal_account", "gives a token of a personal Microsoft account, which has no Copilot"
        )
    if facts.scopes is None:
        raise _unusable(origin, "outside_token_unreadable", "gives a token that names no permissions")
    if facts.expires <= now:
        ended = datetime.fromtimestamp(facts.expires, UTC)
        raise _unusable(origin, "outside_token_expired", f"gives a token that expired at {ended:%Y-%m-%d %H:%M} UTC")
    return token, facts


def _token_in(text: str) -> str:
    if text.startswith("{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return ""
        found = next((document[name] for name in _JSON_MEMBERS if isinstance(document.get(name), str)), "")
        return str(found).strip()
    scheme, _, rest = text.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else text


def _unusable(origin: Origin, kind: str, reason: str) -> AuthenticationError:
    return AuthenticationError(f"{origin.name[:1].upper()}{origin.name[1:]} {reason}.", origin.renew, kind=kind)
