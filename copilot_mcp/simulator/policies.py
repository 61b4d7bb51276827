"""Conditional Access: who is stopped, in which way of asking for tokens, and where the person sees it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from copilot_mcp.simulator.entra_errors import EntraRefusalError, entra_refusal
from copilot_mcp.simulator.sessions import FLOWS, Flow, Session, access_token_claims
from copilot_mcp.simulator.tenant import User

__all__ = ["Policies", "Policy", "Shown"]

_NO_CLAIMS: Final[Mapping[str, Any]] = {}

Shown = Literal["browser", "client"]
"""Where a block shows: on the person's page alone, while the client knows nothing, or in the client's answer."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule. Without `user_id` it is for everybody.

    With `until_sign_in` a sign-in later than number `after` meets it; where `claims` were given, only one that asked
    for them. With `every_s` it strikes sign-ins that are older than so many seconds. With `if_asked` it spares
    a refresh that asks for none of its claims: a challenge of Graph is about an operation, not about the sign-in.
    """

    number: int
    user_id: str | None = None
    flows: tuple[Flow, ...] = FLOWS
    shown: Shown = "browser"
    claims: Mapping[str, Any] | None = None
    until_sign_in: bool = False
    every_s: float | None = None
    after: int = 0
    if_asked: bool = False

    def refusal(self) -> EntraRefusalError:
        """What the person or the client is told."""
        return entra_refusal(self.number, claims=self.claims)

    def strikes(
        self, flow: Flow, user: User, session: Session | None, now: float, claims: Mapping[str, Any] = _NO_CLAIMS
    ) -> bool:
        """Whether it stops this person now; `session` is the sign-in that a refresh goes back to, `claims` are the
        members that the refresh asks of the access token."""
        if flow not in self.flows or self.user_id not in (None, user.id):
            return False
        if session is None:
            return not self.until_sign_in and self.every_s is None
        if self.if_asked and not any(name in claims for name in access_token_claims(self.claims)):
            return False
        if self.every_s is not None:
            return now - session.at >= self.every_s
        return not (self.until_sign_in and self._met_by(session))

    def _met_by(self, session: Session) -> bool:
        asked = access_token_claims(self.claims)
        return session.number > self.after and all(session.claims.get(name) == asked[name] for name in asked)


class Policies:
    """The rules of one tenant; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Policy] = []

    def add(self, policy: Policy) -> None:
        """From now on this rule counts.

        Raises:
            ValueError: no such number, way of asking or place.
        """
        policy.refusal()
        if not policy.flows or not set(policy.flows) <= set(FLOWS):
            raise ValueError(f"flows must be among {', '.join(FLOWS)}")
        if policy.shown not in ("browser", "client"):
            raise ValueError("shown must be browser or client")
        with self._lock:
            self._rules.append(policy)

    def drop(self, user_id: str | None = None) -> None:
        """Forget the rules about this person, or every rule."""
        with self._lock:
            self._rules = [rule for rule in self._rules if user_id is not None and rule.user_id != user_id]

    @property
    def rules(self) -> tuple[Policy, ...]:
        """Those that count, oldest first."""
        with self._lock:
            return tuple(self._rules)

    def find(
        self, flow: Flow, user: User, session: Session | None, now: float, claims: Mapping[str, Any] = _NO_CLAIMS
    ) -> Policy | None:
        """The first rule that stops this person."""
        return next((rule for rule in self.rules if rule.strikes(flow, user, session, now, claims)), None)
