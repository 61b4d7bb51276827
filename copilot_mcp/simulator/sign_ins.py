"""Who signed in where: app registrations, sign-ins by device code and browser, and what tokens they give.

No HTTP here. `entra.py` turns what this module answers or raises into Entra's wire form.
"""

import itertools
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from copilot_mcp.simulator.consents import Consents
from copilot_mcp.simulator.device_codes import DeviceCodes, PendingSignIn
from copilot_mcp.simulator.entra_errors import entra_refusal
from copilot_mcp.simulator.policies import Policies
from copilot_mcp.simulator.refresh_tokens import RefreshTokens
from copilot_mcp.simulator.scopes import DEFAULT, resource_scopes, whole_names
from copilot_mcp.simulator.secrets_issued import SecretsIssued
from copilot_mcp.simulator.sessions import Flow, Grant, Session
from copilot_mcp.simulator.tenant import Tenant, User

__all__ = ["DEFAULT_CLIENT_ID", "SignIns"]

DEFAULT_CLIENT_ID: Final = "00000000-0000-4000-8000-00000000c0de"
_NO_CLAIMS: Final[Mapping[str, Any]] = {}


class SignIns:
    """The sign-in state of one tenant; every method may be called from any thread."""

    def __init__(
        self, tenant: Tenant, clock: Callable[[], float], *, interval_s: int, auto_approve: str | None
    ) -> None:
        self._tenant = tenant
        self._clock = clock
        self._lock = threading.Lock()
        self._clients = {DEFAULT_CLIENT_ID: "copilot-mcp"}
        self._numbers = itertools.count(1)
        self.latest = 0
        self.auto_approve = self.known(auto_approve) if auto_approve else None
        self.issued = SecretsIssued()
        self.consents = Consents()
        self.policies = Policies()
        self.refresh_tokens = RefreshTokens(clock, self.issued)
        self.codes = DeviceCodes(clock, self.issued, interval_s=interval_s, auto_approve=self.auto_approve)

    def known(self, who: str) -> User:
        """The person with this key, user name or id.

        Raises:
            LookupError: nobody has it.
        """
        user = self._tenant.user(who)
        if user is None:
            raise LookupError(f"no such user: {who!r}")
        return user

    @property
    def users(self) -> tuple[User, ...]:
        """The people of the tenant."""
        return self._tenant.users

    def register(self, client_id: str, name: str = "A registered application") -> None:
        """Add an app registration with consent to every scope of the product."""
        with self._lock:
            self._clients[client_id] = name

    def consent(self, user: str, scopes: Collection[str], client_id: str = DEFAULT_CLIENT_ID) -> None:
        """From now on exactly these scopes (names without prefix) are granted to the client for this user.

        Raises:
            LookupError: no such user or client.
        """
        person = self.known(user)
        self.client_name(client_id)
        self.consents.put_exactly(client_id, person.id, scopes)

    def client_name(self, client_id: str) -> str:
        """The registered name, for the page a person sees.

        Raises:
            LookupError: no such client.
        """
        return self._clients[client_id]

    def check_client(self, client_id: str) -> None:
        """Raise `EntraRefusalError` unless the client is registered."""
        if client_id not in self._clients:
            raise entra_refusal(700016)

    def start(self, client_id: str, scope: str, claims: Mapping[str, Any] = _NO_CLAIMS) -> tuple[str, PendingSignIn]:
        """Begin a sign-in; answers the device code and what is shown to the person."""
        self.check_client(client_id)
        scopes = tuple(scope.split())
        resource_scopes(scopes)
        return self.codes.start(client_id, scopes, claims)

    def decide(self, user_code: str, user: str | None, *, agreed: bool = True) -> User | None:
        """Approve as `user` (key, user name or id), or decline with None.

        `agreed` says whether the person consents to what is asked for the first time.

        Raises:
            LookupError: no such code or user.
            EntraRefusalError: the person's page says that a policy or a missing approval stops them. The code goes on
                waiting, and its client is told nothing.
        """
        person = self.known(user) if user is not None else None
        pending = self.codes.waiting(user_code)
        if person is not None:
            self.stop_at_the_page("device", person, pending.client_id, pending.scopes)
        pending.agreed = agreed
        pending.decision = person or False
        return person

    def stop_at_the_page(self, flow: Flow, user: User, client_id: str, scopes: Collection[str]) -> None:
        """Raise `EntraRefusalError` for what only the browser shows."""
        rule = self.policies.find(flow, user, None, self._clock())
        if rule is not None and rule.shown == "browser":
            raise rule.refusal()
        if self.consents.having("admin", client_id, user.id, whole_names(resource_scopes(scopes))):
            raise entra_refusal(90094)

    def redeem(self, device_code: str, client_id: str, claims: Mapping[str, Any] = _NO_CLAIMS) -> Grant:
        """One poll of the token endpoint with a device code."""
        self.check_client(client_id)
        pending = self.codes.approved(device_code, client_id)
        assert isinstance(pending.decision, User)
        self.admit("device", pending.decision, client_id, pending.scopes, agreed=pending.agreed)
        self.codes.forget(device_code)
        asked = {**pending.claims, **claims}
        session = self.begin("device", pending.decision, client_id, asked)
        return self.granted(session, pending.scopes, asked, whole=False)

    def admit(self, flow: Flow, user: User, client_id: str, scopes: Collection[str], *, agreed: bool) -> None:
        """Policies first, then consent.

        Raises:
            EntraRefusalError: one of them stops the person, and the client is told.
        """
        rule = self.policies.find(flow, user, None, self._clock())
        if rule is not None:
            raise rule.refusal()
        self.consents.ask(client_id, user.id, whole_names(resource_scopes(scopes)), agreed=agreed)

    def begin(self, flow: Flow, user: User, client_id: str, claims: Mapping[str, Any]) -> Session:
        """A person who was let in signs in; `claims` are the members asked of the access token."""
        with self._lock:
            self.latest = next(self._numbers)
            return Session(user, client_id, self.latest, self._clock(), flow, claims)

    def refresh(self, refresh_token: str, client_id: str, scope: str, claims: Mapping[str, Any] = _NO_CLAIMS) -> Grant:
        """Exchange a refresh token for tokens with `scope`, which may differ from the first sign-in's."""
        self.check_client(client_id)
        scopes = tuple(scope.split())
        resource_scopes(scopes)
        session = self.refresh_tokens.session(refresh_token, client_id)
        rule = self.policies.find("refresh", session.user, session, self._clock(), claims)
        # A session begun by device code stays marked as such: a block of that flow stops its refreshes too.
        if rule is None and session.flow == "device":
            rule = self.policies.find("device", session.user, session, self._clock())
        if rule is not None:
            raise rule.refusal()
        grant = self.granted(session, scopes, claims, whole=True)
        self.refresh_tokens.spend(refresh_token, client_id)
        return grant

    def granted(
        self,
        session: Session,
        scopes: Collection[str],
        claims: Mapping[str, Any],
        *,
        whole: bool,
        nonce: str = "",
    ) -> Grant:
        """What of `scopes` is consented; with `whole`, all of it must be."""
        names = resource_scopes(scopes)
        wanted = whole_names(names)
        user, client_id = session.user, session.client_id
        held = self.consents.having("granted", client_id, user.id, wanted)
        missing = names.keys() - {DEFAULT} - set(held)
        if not held or (whole and missing):
            raise entra_refusal(65001)
        echo = tuple(wanted[name] for name in held)
        return Grant(user, client_id, held, echo, session, claims, nonce)

    def refresh_token(self, grant: Grant) -> str:
        """A new refresh token."""
        return self.refresh_tokens.issue(grant.session)

    def revoke(self, user: str) -> None:
        """End everything the user signed in to: their refresh tokens are refused from now on.

        Raises:
            LookupError: no such user.
        """
        self.refresh_tokens.revoke(self.known(user).id)
