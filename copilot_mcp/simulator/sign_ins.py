"""Who signed in where: client registrations, consent, device codes and refresh tokens of the simulated Entra.

No HTTP here. `entra.py` turns what this module answers or raises into Entra's wire form.
"""

import secrets
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from copilot_mcp.simulator.tenant import Tenant, User
from copilot_mcp.simulator.tokens import GRAPH_RESOURCE

__all__ = [
    "DEFAULT_CLIENT_ID",
    "PRODUCT_SCOPES",
    "EntraRefusalError",
    "Grant",
    "PendingSignIn",
    "SignIns",
    "resource_scopes",
]

DEFAULT_CLIENT_ID: Final = "00000000-0000-4000-8000-00000000c0de"
PRODUCT_SCOPES: Final = (
    "ChannelMessage.Read.All",
    "Chat.Read",
    "ExternalItem.Read.All",
    "FileStorageContainer.Selected",
    "Files.Read.All",
    "Mail.Read",
    "OnlineMeetingTranscript.Read.All",
    "People.Read.All",
    "Sites.Read.All",
)
DEVICE_CODE_LIFETIME_S: Final = 900
_MAX_PENDING = 1_000
_MAX_GRANTS = 10_000
# no vowels and no look-alikes, so that a code spells nothing and is read without mistakes
_USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_OIDC_SCOPES = frozenset({"openid", "profile", "offline_access", "email"})


class EntraRefusalError(Exception):
    """Entra says no. `error` is the OAuth error, `code` the AADSTS number."""

    def __init__(self, error: str, code: int, description: str, *, suberror: str = "") -> None:
        super().__init__(f"AADSTS{code}: {description}")
        self.error = error
        self.code = code
        self.suberror = suberror


@dataclass(slots=True)
class PendingSignIn:
    """A device code between its start and its end. `decision` is the approving user, or False when declined."""

    user_code: str
    client_id: str
    scopes: tuple[str, ...]
    expires_at: float
    interval: int
    decision: User | bool | None = None
    last_poll: float | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token answer is made of. `scopes` are names without prefix, `echo` as the client spelt them."""

    user: User
    client_id: str
    scopes: tuple[str, ...]
    echo: tuple[str, ...]


@dataclass(slots=True)
class _Client:
    name: str
    withheld: dict[str, frozenset[str]] = field(default_factory=dict)


class SignIns:
    """The sign-in state of one tenant; every method may be called from any thread."""

    def __init__(
        self, tenant: Tenant, clock: Callable[[], float], *, interval_s: int, auto_approve: str | None
    ) -> None:
        self._tenant = tenant
        self._clock = clock
        self._interval_s = interval_s
        self._auto_approve = self._known(auto_approve) if auto_approve else None
        self._lock = threading.Lock()
        self._clients = {DEFAULT_CLIENT_ID: _Client("copilot-mcp")}
        self._pending: dict[str, PendingSignIn] = {}
        self._refresh: dict[str, tuple[User, str]] = {}

    def _known(self, who: str) -> User:
        user = self._tenant.user(who)
        if user is None:
            raise LookupError(f"no such user: {who!r}")
        return user

    def register(self, client_id: str, name: str = "A registered application") -> None:
        """Add an app registration with consent to every scope of the product."""
        with self._lock:
            self._clients[client_id] = _Client(name)

    def consent(self, user: str, scopes: Collection[str], client_id: str = DEFAULT_CLIENT_ID) -> None:
        """From now on exactly these scopes (names without prefix) are granted to the client for this user.

        Raises:
            LookupError: no such user or client.
        """
        person = self._known(user)
        with self._lock:
            self._clients[client_id].withheld[person.id] = frozenset(PRODUCT_SCOPES) - frozenset(scopes)

    def client_name(self, client_id: str) -> str:
        """The registered name, for the page a person sees."""
        return self._clients[client_id].name

    def check_client(self, client_id: str) -> None:
        """Raise `EntraRefusalError` unless the client is registered."""
        if client_id not in self._clients:
            raise EntraRefusalError(
                "unauthorized_client", 700016, "The application was not found in the directory of this tenant."
            )

    def start(self, client_id: str, scope: str) -> tuple[str, PendingSignIn]:
        """Begin a sign-in; answers the device code and what is shown to the person."""
        self.check_client(client_id)
        scopes = tuple(scope.split())
        resource_scopes(scopes)
        now = self._clock()
        with self._lock:
            self._forget_expired(now)
            user_code = "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(9))
            pending = PendingSignIn(
                user_code, client_id, scopes, now + DEVICE_CODE_LIFETIME_S, self._interval_s, self._auto_approve
            )
            device_code = secrets.token_urlsafe(48)
            self._pending[device_code] = pending
            return device_code, pending

    def _forget_expired(self, now: float) -> None:
        """Codes are remembered for one more life time, so that a late poll still reads `expired_token`."""
        for device_code, pending in list(self._pending.items()):
            if now > pending.expires_at + DEVICE_CODE_LIFETIME_S or len(self._pending) >= _MAX_PENDING:
                del self._pending[device_code]

    def waiting(self, user_code: str) -> PendingSignIn:
        """The undecided sign-in with this code.

        Raises:
            LookupError: no such code, or it is used, declined or expired.
        """
        wanted = user_code.replace("-", "").replace(" ", "").upper()
        now = self._clock()
        with self._lock:
            for pending in self._pending.values():
                if pending.user_code == wanted and pending.decision is None and now < pending.expires_at:
                    return pending
        raise LookupError("That code is not waiting for a decision. It may have expired or been used.")

    def decide(self, user_code: str, user: str | None) -> User | None:
        """Approve as `user` (key, user name or id), or decline with None.

        Raises:
            LookupError: no such code or user.
        """
        person = self._known(user) if user is not None else None
        self.waiting(user_code).decision = person or False
        return person

    def redeem(self, device_code: str, client_id: str) -> Grant:
        """One poll of the token endpoint with a device code."""
        self.check_client(client_id)
        now = self._clock()
        with self._lock:
            pending = self._pending.get(device_code)
            if pending is None or pending.client_id != client_id:
                raise EntraRefusalError("bad_verification_code", 70018, "The device code is not known.")
            if now >= pending.expires_at:
                raise EntraRefusalError("expired_token", 70020, "The device code has expired.")
            if pending.decision is False:
                raise EntraRefusalError("authorization_declined", 70016, "The person declined the sign-in.")
            if not isinstance(pending.decision, User):
                raise self._still_waiting(pending, now)
            del self._pending[device_code]
            return self._granted(pending.decision, client_id, pending.scopes, whole=False)

    @staticmethod
    def _still_waiting(pending: PendingSignIn, now: float) -> EntraRefusalError:
        too_soon = pending.last_poll is not None and now - pending.last_poll < pending.interval * 0.8
        pending.last_poll = now
        if too_soon:
            pending.interval += 5
            return EntraRefusalError("slow_down", 70016, "The client polls too often.")
        return EntraRefusalError("authorization_pending", 70016, "Authorization is pending. Continue polling.")

    def refresh(self, refresh_token: str, client_id: str, scope: str) -> Grant:
        """Exchange a refresh token for tokens with `scope`, which may differ from the first sign-in's."""
        self.check_client(client_id)
        scopes = tuple(scope.split())
        resource_scopes(scopes)
        with self._lock:
            known = self._refresh.get(refresh_token)
            if known is None or known[1] != client_id:
                raise EntraRefusalError("invalid_grant", 50173, "The grant was revoked; sign in again.")
            return self._granted(known[0], client_id, scopes, whole=True)

    def _granted(self, user: User, client_id: str, scopes: tuple[str, ...], *, whole: bool) -> Grant:
        """What of `scopes` is consented; with `whole`, all of it must be."""
        withheld = self._clients[client_id].withheld.get(user.id, frozenset())
        allowed = {name: spelt for name, spelt in resource_scopes(scopes).items() if name not in withheld}
        if ".default" in allowed:
            prefix = allowed.pop(".default").removesuffix(".default")
            allowed |= {name: prefix + name for name in PRODUCT_SCOPES if name not in withheld}
        if not allowed or (whole and withheld & resource_scopes(scopes).keys()):
            text = "The person or an administrator has not consented to use the application."
            raise EntraRefusalError("invalid_grant", 65001, text, suberror="consent_required")
        return Grant(user, client_id, tuple(allowed), tuple(allowed.values()))

    def refresh_token(self, grant: Grant) -> str:
        """A new refresh token. Older ones stay valid, as Entra leaves them."""
        token = f"1.{secrets.token_urlsafe(64)}"
        with self._lock:
            if len(self._refresh) >= _MAX_GRANTS:
                del self._refresh[next(iter(self._refresh))]
            self._refresh[token] = (grant.user, grant.client_id)
        return token

    def revoke(self, user: str) -> None:
        """End everything the user signed in to: their refresh tokens are refused from now on.

        Raises:
            LookupError: no such user.
        """
        person = self._known(user)
        with self._lock:
            self._refresh = {token: held for token, held in self._refresh.items() if held[0].id != person.id}


def resource_scopes(scopes: Collection[str]) -> dict[str, str]:
    """Graph's scope names among `scopes` -> as they were spelt. OpenID Connect's own are left out.

    Raises:
        EntraRefusalError: another resource, or a scope that Graph does not have.
    """
    names: dict[str, str] = {}
    known = {name.casefold(): name for name in (*PRODUCT_SCOPES, ".default")}
    for spelt in scopes:
        prefix, _, bare = spelt.rpartition("/")
        if spelt in _OIDC_SCOPES:
            continue
        if prefix and prefix.casefold() != GRAPH_RESOURCE:
            raise EntraRefusalError("invalid_resource", 500011, "The resource principal was not found in this tenant.")
        if bare.casefold() not in known:
            raise EntraRefusalError("invalid_client", 650053, "The application asked for a scope that does not exist.")
        names[known[bare.casefold()]] = spelt
    return names
