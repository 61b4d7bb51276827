"""What an access token says of itself, read without a key: good for explaining and refusing, never for trusting.

Microsoft calls Graph's tokens opaque, so whatever cannot be read is unknown, not wrong.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from copilot_mcp.auth.answers import CONSUMERS_TENANT

__all__ = ["TokenFacts", "read_facts"]

_MAX_TOKEN = 65_536


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """Claims of a token; None where it does not say.

    Attributes:
        audience: the API it is for.
        expires: seconds since 1970.
        scopes: delegated permissions without prefix, None when it names none.
        app_only: it belongs to an application and no person.
        personal: it belongs to a personal Microsoft account.
        tenant_id: the directory that issued it.
        username: of the person, for showing.
        object_id: the person within the directory.
    """

    audience: str | None
    expires: float | None
    scopes: frozenset[str] | None
    app_only: bool
    personal: bool
    tenant_id: str | None
    username: str | None
    object_id: str | None = None


def read_facts(token: str) -> TokenFacts | None:
    """The facts in a token, None when it is not of a form that can be read."""
    claims = _claims(token)
    if claims is None:
        return None
    scopes, audience, expires = claims.get("scp"), claims.get("aud"), claims.get("exp")
    tenant_id = _text(claims.get("tid"))
    without_person = claims.get("idtyp") == "app" or (not scopes and "roles" in claims)
    return TokenFacts(
        audience=audience if isinstance(audience, str) else None,
        expires=float(expires) if isinstance(expires, int | float) and not isinstance(expires, bool) else None,
        scopes=frozenset(scopes.split()) if isinstance(scopes, str) and scopes.strip() else None,
        app_only=without_person,
        personal=tenant_id is not None and tenant_id.lower() == CONSUMERS_TENANT,
        tenant_id=tenant_id,
        username=_text(claims.get("upn")) or _text(claims.get("preferred_username")),
        object_id=_text(claims.get("oid")),
    )


def _claims(token: str) -> dict[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _MAX_TOKEN:
        return None
    body = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        claims = json.loads(base64.b64decode(body, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _text(value: object) -> str | None:
    """Text that can be shown on one line."""
    return value[:200] if isinstance(value, str) and value and value.isprintable() else None
