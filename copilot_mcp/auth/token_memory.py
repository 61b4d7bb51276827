"""What the process remembers between two calls: tokens, refusals, and the claims that the next sign-in must satisfy.

Everything is tied to the cache's stamp, so that a sign-in or sign-out of any process makes it void at once.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

from copilot_mcp.auth.answers import Account
from copilot_mcp.auth.refusals import NoAnswerError, may_pass
from copilot_mcp.errors import CopilotMcpError

__all__ = ["FRESH_S", "HeldToken", "TokenMemory"]

FRESH_S = 300.0
"""A token with less left is renewed, as MSAL does."""

REFUSAL_MEMORY_S = 30.0
"""How long a refusal is repeated without asking, so that a model's retries do not look like an attack to Entra."""

LOOP_MEMORY_S = 300.0
"""The same after Entra has said that there were too many identical requests."""

CLAIMS_MEMORY_S = 900.0
"""How long claims wait for the sign-in that satisfies them."""

_LOCAL_KINDS = ("signed_out", "cache_unsafe", "cache_locked", "cache_reset", "cache_shut")
"""Refusals that cost Entra nothing, and that the person may have cured a moment later."""


@dataclass(frozen=True, slots=True)
class HeldToken:
    """A token, when it ends (seconds since 1970), and the cache's stamp when it was had."""

    token: str = field(repr=False)
    ends: float
    stamp: object


@dataclass(frozen=True, slots=True)
class _Refused:
    until: float
    stamp: object
    error: CopilotMcpError


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """Who was signed in, if anybody, while the cache had this stamp."""

    account: Account | None
    stamp: object


class TokenMemory:
    """By set of permission names. `clock` gives seconds since 1970, `stamp` that of the cache as it is now."""

    def __init__(self, clock: Callable[[], float], stamp: Callable[[], object]) -> None:
        self._clock = clock
        self._stamp = stamp
        self._held: dict[frozenset[str], HeldToken] = {}
        self._refused: dict[frozenset[str], _Refused] = {}
        self._claims: tuple[str, float] | None = None
        self._met = False
        self._account: KnownAccount | None = None

    def token(self, names: frozenset[str], rejected: str | None) -> str | None:
        """A token that is not `rejected`, lasts for more than five minutes, and belongs to the sign-in of now."""
        held = self._held.get(names)
        if held is None or held.token == rejected or held.ends - self._clock() <= FRESH_S:
            return None
        return held.token if held.stamp == self._stamp() else None

    def keep(self, names: frozenset[str], held: HeldToken) -> None:
        """Remember a token."""
        self._held[names] = held

    def account(self) -> KnownAccount | None:
        """Who is signed in, where the cache still is as it was when that was looked up."""
        return self._account if self._account is not None and self._account.stamp == self._stamp() else None

    def keep_account(self, account: Account | None, stamp: object) -> KnownAccount:
        """Remember who is signed in; `stamp` is from before the look."""
        self._account = KnownAccount(account, stamp)
        return self._account

    def check_refusal(self, names: frozenset[str]) -> None:
        """Raise the refusal that was met a moment ago."""
        refused = self._refused.get(names)
        if refused is not None and refused.until > self._clock() and refused.stamp == self._stamp():
            raise copy.copy(refused.error)

    def keep_refusal(self, names: frozenset[str], stamp: object, error: CopilotMcpError) -> None:
        """Remember a refusal that Entra gave while the cache had this stamp."""
        if error.kind in _LOCAL_KINDS:
            return
        wait = LOOP_MEMORY_S if error.kind == "retry_loop" else REFUSAL_MEMORY_S
        if may_pass(error):
            named = error.retry_after if isinstance(error, NoAnswerError) else None
            wait = min(named or 0.0, REFUSAL_MEMORY_S)
        self._refused[names] = _Refused(self._clock() + wait, stamp, error)

    def keep_claims(self, claims: str | None) -> None:
        """Remember claims that a refresh could not satisfy, for the next sign-in."""
        if claims is not None:
            self._claims, self._met = (claims, self._clock() + CLAIMS_MEMORY_S), False

    def meet_claims(self, claims: str | None) -> None:
        """Note that a refresh has satisfied these claims. Graph may refuse its token all the same, so they stay."""
        self._met = self._met or (self._claims is not None and self._claims[0] == claims)

    def unmet_claims(self) -> str | None:
        """The claims that only a sign-in can satisfy."""
        return None if self._met else self.claims()

    def claims(self) -> str | None:
        """The claims that a sign-in of now should satisfy."""
        return self._claims[0] if self._claims is not None and self._claims[1] > self._clock() else None

    def forget(self) -> None:
        """Forget all of it: somebody signed in or out."""
        self._held.clear()
        self._refused.clear()
        self._claims = None
        self._account = None
