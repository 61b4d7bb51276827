"""Refresh tokens: families that descend from one sign-in, kept as Entra keeps them or rotated strictly."""

import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from copilot_mcp.simulator.entra_errors import entra_refusal
from copilot_mcp.simulator.secrets_issued import SECRET_MARK, SecretsIssued
from copilot_mcp.simulator.sessions import Session

__all__ = ["RefreshTokens", "Rotation"]

Rotation = Literal["normal", "strict"]
"""`normal`: a used token goes on working, as with Entra. `strict`: its second use ends the whole family."""

INACTIVE_S: Final = 90 * 24 * 3600.0
_MAX_TOKENS: Final = 10_000


@dataclass(slots=True)
class _Token:
    session: Session
    issued_at: float
    used: bool = False


class RefreshTokens:
    """The refresh tokens of one tenant; may be used from any thread."""

    def __init__(self, clock: Callable[[], float], issued: SecretsIssued) -> None:
        self._clock = clock
        self._issued = issued
        self._lock = threading.Lock()
        self._tokens: dict[str, _Token] = {}
        self._ended: set[int] = set()
        self._counts: Counter[str] = Counter()
        self.rotation: Rotation = "normal"

    def issue(self, session: Session) -> str:
        """A new token of the session's family."""
        value = self._issued.add("refresh_token", f"1.{SECRET_MARK}-{secrets.token_urlsafe(64)}")
        with self._lock:
            if len(self._tokens) >= _MAX_TOKENS:
                del self._tokens[next(iter(self._tokens))]
            self._tokens[value] = _Token(session, self._clock())
        return value

    def session(self, value: str, client_id: str) -> Session:
        """The sign-in behind a token that may be used now.

        Raises:
            EntraRefusalError: unknown or revoked (50173), unused for 90 days (700082), or used twice under strict
                rotation (70000), which ends the family.
        """
        with self._lock:
            return self._usable(value, client_id).session

    def spend(self, value: str, client_id: str) -> None:
        """Use a token up, once everything else has been found in order.

        Raises:
            EntraRefusalError: as `session`.
        """
        with self._lock:
            token = self._usable(value, client_id)
            token.used = True
            self._counts[token.session.user.id] += 1

    def _usable(self, value: str, client_id: str) -> _Token:
        token = self._tokens.get(value)
        if token is None or token.session.client_id != client_id:
            raise entra_refusal(50173)
        if token.used and self.rotation == "strict":
            self._ended.add(token.session.number)
        if token.session.number in self._ended:
            raise entra_refusal(70000)
        if self._clock() - token.issued_at >= INACTIVE_S:
            raise entra_refusal(700082)
        return token

    def revoke(self, user_id: str) -> None:
        """Forget every token of this person."""
        with self._lock:
            self._tokens = {value: kept for value, kept in self._tokens.items() if kept.session.user.id != user_id}

    def count(self, user_id: str) -> int:
        """How many refreshes this person's tokens have paid for."""
        with self._lock:
            return self._counts[user_id]
