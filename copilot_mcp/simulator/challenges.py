"""Claims challenges of Graph: 401 for a person until a token comes that was asked for with the claims.

Graph sends them only to a client that declared the capability `cp1`; another client's tokens go on working until
they expire, as documented. It is the service behind an operation that evaluates access, so one challenge may concern
one data source alone, and each item of a batch is checked by itself.
"""

import base64
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from copilot_mcp.simulator.replies import GraphRefusalError
from copilot_mcp.simulator.sessions import Grant, access_token_claims

__all__ = ["REVOKED_CLAIMS", "Challenge", "Challenges", "challenge_header", "challenge_refusal"]

# Graph's own application id, as its challenges name it.
_GRAPH_APP: Final = "00000003-0000-0000-c000-000000000000"
_AUTHORIZE: Final = "https://login.copilot-mcp.test/common/oauth2/authorize"
REVOKED_CLAIMS: Final = {"access_token": {"nbf": {"essential": True, "value": "1790856000"}}}
"""What Graph asks for after a session was revoked: a token from after that moment."""

_LIMIT: Final = 10_000


def challenge_header(claims: Mapping[str, Any]) -> str:
    """The value of `WWW-Authenticate`."""
    encoded = base64.b64encode(json.dumps(claims, separators=(",", ":")).encode()).decode()
    return (
        f'Bearer realm="", authorization_uri="{_AUTHORIZE}", client_id="{_GRAPH_APP}", error="insufficient_claims", '
        f'claims="{encoded}"'
    )


def challenge_refusal(header: str, status: int = 401) -> GraphRefusalError:
    """Graph's 401 or 403 that asks for more claims, with this value of `WWW-Authenticate`."""
    message = "Continuous access evaluation resulted in challenge with result: InteractionRequired."
    code = "InvalidAuthenticationToken" if status == 401 else "Forbidden"
    return GraphRefusalError(status, code, message, {"WWW-Authenticate": header})


@dataclass(slots=True)
class Challenge:
    """What one person's tokens lack. `met_from` is the number of the first token that had it.

    `header` replaces the value of `WWW-Authenticate`; an `endless` one is never met. With `sources` only retrievals
    from these data sources are challenged. The status is 401 or 403.
    """

    user_id: str
    claims: Mapping[str, Any]
    header: str = ""
    endless: bool = False
    sources: frozenset[str] = frozenset()
    status: int = 401
    met_from: int | None = None

    def concerns(self, user_id: object, source: str) -> bool:
        """Whether this person is challenged in a retrieval from `source`, empty for any other operation."""
        return self.user_id == user_id and (not self.sources or source in self.sources)

    def lets_pass(self, number: int, asked: Mapping[str, Any]) -> bool:
        """Whether a token passes that was asked for with these members; the first that does opens for later ones."""
        wanted = access_token_claims(self.claims)
        if self.met_from is None and all(asked.get(name) == value for name, value in wanted.items()):
            self.met_from = number
        return not self.endless and self.met_from is not None and number >= self.met_from


class Challenges:
    """The challenges of one tenant; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[Challenge] = []
        self._asked: dict[str, tuple[int, Mapping[str, Any]]] = {}
        self._count = 0

    def add(self, challenge: Challenge) -> None:
        """From now on this person's tokens are challenged."""
        with self._lock:
            self._open.append(challenge)

    def drop(self, user_id: str | None = None) -> None:
        """Forget the challenges of this person, or all."""
        with self._lock:
            self._open = [each for each in self._open if user_id is not None and each.user_id != user_id]

    def note(self, token_id: str, grant: Grant) -> None:
        """Remember with which claims a token was asked for."""
        with self._lock:
            if len(self._asked) >= _LIMIT:
                del self._asked[next(iter(self._asked))]
            self._count += 1
            self._asked[token_id] = (self._count, {**grant.session.claims, **grant.claims})

    def check(self, claims: Mapping[str, Any], source: str = "") -> None:
        """Let the token with these claims pass; `source` is the data source of a retrieval.

        Raises:
            GraphRefusalError: 401, or 403, with the challenge.
        """
        if "cp1" not in claims.get("xms_cc", ()):
            return
        with self._lock:
            number, asked = self._asked.get(str(claims.get("uti")), (0, {}))
            for each in self._open:
                if each.concerns(claims.get("oid"), source) and not each.lets_pass(number, asked):
                    raise challenge_refusal(each.header or challenge_header(each.claims), each.status)
