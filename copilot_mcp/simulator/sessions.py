"""One sign-in of one person to one application, and what a token answer is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from copilot_mcp.simulator.entra_errors import entra_refusal
from copilot_mcp.simulator.json_values import read_value
from copilot_mcp.simulator.tenant import User

__all__ = ["FLOWS", "Flow", "Grant", "Session", "access_token_claims", "claims_asked"]

Flow = Literal["device", "browser", "refresh"]
"""How tokens are asked for."""

FLOWS: Final[tuple[Flow, ...]] = ("device", "browser", "refresh")


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in by a person. `number` counts sign-ins, `at` is in seconds since the epoch.

    `claims` are the members that were asked of the access token at that sign-in.
    """

    user: User
    client_id: str
    number: int
    at: float
    flow: Flow = "device"
    claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token answer is made of. `scopes` are names without prefix, `echo` as the client spelt them.

    `claims` are the members asked of this access token, `nonce` goes into the ID token.
    """

    user: User
    client_id: str
    scopes: tuple[str, ...]
    echo: tuple[str, ...]
    session: Session
    claims: Mapping[str, Any] = field(default_factory=dict)
    nonce: str = ""

    @property
    def capable(self) -> bool:
        """Whether the client says that it can handle claims challenges: the capability `cp1`."""
        asked = self.claims.get("xms_cc")
        values = asked.get("values") if isinstance(asked, Mapping) else None
        return isinstance(values, list) and "cp1" in values


def access_token_claims(claims: Any) -> dict[str, Any]:
    """The members that a claims request asks of the access token; empty when it asks none."""
    asked = claims.get("access_token") if isinstance(claims, Mapping) else None
    return dict(asked) if isinstance(asked, Mapping) else {}


def claims_asked(form: Mapping[str, str]) -> dict[str, Any]:
    """What a request asks of the access token by its member `claims` (OpenID Connect Core, 5.5).

    Raises:
        EntraRefusalError: it is no JSON object.
    """
    text = form.get("claims")
    if not text:
        return {}
    try:
        claims = read_value(text)
    except ValueError:
        claims = None
    if not isinstance(claims, dict):
        raise entra_refusal(900144, text="The claims parameter is not valid JSON.")
    return access_token_claims(claims)
