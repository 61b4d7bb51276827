"""Device codes between their start and their end."""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from copilot_mcp.simulator.entra_errors import EntraRefusalError, entra_refusal
from copilot_mcp.simulator.secrets_issued import SECRET_MARK, SecretsIssued
from copilot_mcp.simulator.tenant import User

__all__ = ["DEVICE_CODE_LIFETIME_S", "DeviceCodes", "PendingSignIn"]

DEVICE_CODE_LIFETIME_S: Final = 900
_MAX_PENDING: Final = 1_000
# no vowels and no look-alikes, so that a code spells nothing and is read without mistakes
_USER_CODE_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass(slots=True)
class PendingSignIn:
    """A device code between its start and its end. `decision` is the approving user, or False when declined.

    `agreed` says whether the person consents to what nobody has consented to yet.
    """

    user_code: str
    client_id: str
    scopes: tuple[str, ...]
    expires_at: float
    interval: int
    decision: User | bool | None = None
    agreed: bool = True
    last_poll: float | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)


class DeviceCodes:
    """The codes of one tenant; may be used from any thread."""

    def __init__(
        self, clock: Callable[[], float], issued: SecretsIssued, *, interval_s: int, auto_approve: User | None
    ) -> None:
        self._clock = clock
        self._issued = issued
        self._interval_s = interval_s
        self._auto_approve = auto_approve
        self._lock = threading.Lock()
        self._pending: dict[str, PendingSignIn] = {}

    def start(self, client_id: str, scopes: tuple[str, ...], claims: Mapping[str, Any]) -> tuple[str, PendingSignIn]:
        """A new device code, and what is shown to the person."""
        now = self._clock()
        user_code = "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(9))
        device_code = f"{SECRET_MARK}-{secrets.token_urlsafe(48)}"
        expires_at = now + DEVICE_CODE_LIFETIME_S
        pending = PendingSignIn(
            user_code, client_id, scopes, expires_at, self._interval_s, self._auto_approve, claims=claims
        )
        with self._lock:
            self._forget_expired(now)
            self._pending[device_code] = pending
        self._issued.add("user_code", user_code)
        self._issued.add("device_code", device_code)
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

    def approved(self, device_code: str, client_id: str) -> PendingSignIn:
        """The sign-in of a code that a person has approved; it stays until `forget`.

        Raises:
            EntraRefusalError: not known, expired, declined, or still waiting.
        """
        now = self._clock()
        with self._lock:
            pending = self._pending.get(device_code)
            if pending is None or pending.client_id != client_id:
                raise entra_refusal(70018)
            if now >= pending.expires_at:
                raise entra_refusal(70020)
            if pending.decision is False:
                raise entra_refusal("authorization_declined", text="The person declined the sign-in.")
            if not isinstance(pending.decision, User):
                raise _still_waiting(pending, now)
            return pending

    def forget(self, device_code: str) -> None:
        """A code is good once: end it.

        Raises:
            EntraRefusalError: somebody else was faster.
        """
        with self._lock:
            if self._pending.pop(device_code, None) is None:
                raise entra_refusal(70018)


def _still_waiting(pending: PendingSignIn, now: float) -> EntraRefusalError:
    too_soon = pending.last_poll is not None and now - pending.last_poll < pending.interval * 0.8
    pending.last_poll = now
    if too_soon:
        pending.interval += 5
        return entra_refusal("slow_down", text="The client polls too often.")
    return entra_refusal("authorization_pending")
