"""Who has consented to what: one state per application, person and scope."""

import threading
from collections.abc import Collection, Iterable
from typing import Final, Literal, get_args

from copilot_mcp.simulator.entra_errors import entra_refusal
from copilot_mcp.simulator.scopes import PRODUCT_SCOPES

__all__ = ["CONSENT_STATES", "ConsentState", "Consents"]

ConsentState = Literal["granted", "withheld", "user", "admin"]
"""`withheld` is left out of a sign-in in silence; `user` asks the person at the next sign-in; `admin` refuses the
sign-in, because only an administrator may approve. A refresh is refused in all three."""

CONSENT_STATES: Final[tuple[ConsentState, ...]] = get_args(ConsentState)


class Consents:
    """The states; what was never set is granted. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[tuple[str, str, str], ConsentState] = {}

    def put(self, client_id: str, user_id: str, scopes: Iterable[str], state: ConsentState) -> None:
        """Set the state of these scopes (names without prefix)."""
        with self._lock:
            self._states.update(((client_id, user_id, name), state) for name in scopes)

    def put_exactly(self, client_id: str, user_id: str, scopes: Collection[str]) -> None:
        """These scopes are granted, every other is withheld."""
        self.put(client_id, user_id, PRODUCT_SCOPES, "withheld")
        self.put(client_id, user_id, scopes, "granted")

    def state(self, client_id: str, user_id: str, scope: str) -> ConsentState:
        """The state of one scope."""
        with self._lock:
            return self._states.get((client_id, user_id, scope), "granted")

    def having(self, state: ConsentState, client_id: str, user_id: str, scopes: Iterable[str]) -> tuple[str, ...]:
        """Those of the scopes that are in this state."""
        return tuple(name for name in scopes if self.state(client_id, user_id, name) == state)

    def ask(self, client_id: str, user_id: str, scopes: Collection[str], *, agreed: bool) -> None:
        """What a sign-in does before it gives tokens: ask the person for what nobody has consented to yet.

        Raises:
            EntraRefusalError: an administrator has to approve (90094), or the person does not agree (65004).
        """
        if self.having("admin", client_id, user_id, scopes):
            raise entra_refusal(90094)
        asked = self.having("user", client_id, user_id, scopes)
        if asked and not agreed:
            raise entra_refusal(65004)
        self.put(client_id, user_id, asked, "granted")
