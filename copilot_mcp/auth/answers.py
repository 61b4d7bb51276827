"""What the sign-in service may answer, checked before anybody believes it.

MSAL hands on whatever the service sends (measured with msal 1.39): a success without a token, a token for somebody
else, a life of a million years. These functions take MSAL's answer and give checked values or a typed refusal; no
refusal quotes the answer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from copilot_mcp.auth.clouds import Cloud
from copilot_mcp.auth.identifiers import is_guid
from copilot_mcp.errors import AuthenticationError

__all__ = ["CONSUMERS_TENANT", "Account", "Grant", "is_token", "person_of", "read_grant", "without_stumbles"]

_MAX_TOKEN = 65_536
_MAX_LIFE_S = 90 * 24 * 3600
_TIMES = ("expires_in", "ext_expires_in", "expires_on", "refresh_in")
_LATEST = 10**11
_HEADER_SAFE = re.compile(r"[!-~]+")
_SCOPE = re.compile(r"[!-~]{1,200}")
CONSUMERS_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant that Microsoft uses for personal accounts."""


def is_token(text: object) -> bool:
    """Whether this can be sent as a bearer token: printable ASCII of a sane length."""
    return isinstance(text, str) and 0 < len(text) <= _MAX_TOKEN and _HEADER_SAFE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Account:
    """The person who signed in, as the ID token names them. Nothing here is secret.

    Attributes:
        username: usually an address; for showing, never for choosing.
        name: display name, may be empty.
        tenant_id: the directory that signed the person in.
        scopes: permission names granted so far, without prefix, sorted.
        object_id: the person within `tenant_id`.
        home_account_id: MSAL's key, the person's home object and tenant.
        sign_in_id: made anew at each sign-in, so a late answer for an earlier one is recognised.
    """

    username: str
    name: str
    tenant_id: str
    scopes: tuple[str, ...]
    object_id: str = field(default="", repr=False)
    home_account_id: str = field(default="", repr=False)
    sign_in_id: str = field(default="", repr=False)

    def same_person(self, other: "Account") -> bool:
        """Whether tenant and object are the same."""
        return (self.tenant_id, self.object_id) == (other.tenant_id, other.object_id)


@dataclass(frozen=True, slots=True)
class Grant:
    """An access token with what is known about it.

    Attributes:
        token: the bearer token.
        life_s: seconds it is good for, counted from the answer.
        scopes: permission names it carries, without prefix.
    """

    token: str = field(repr=False)
    life_s: int
    scopes: frozenset[str]


def unreadable(what: str) -> AuthenticationError:
    """The refusal for an answer that breaks the protocol; `what` is our own word for the part that is wrong."""
    return AuthenticationError(
        f"The sign-in service sent an answer that cannot be used ({what}).",
        "Try again; if it stays, look for a proxy that changes answers.",
        kind="bad_answer",
    )


def without_stumbles(answer: Mapping[str, Any], asked: str = "") -> dict[str, Any]:
    """A token answer without what MSAL would stumble over as a whole, and so lose the new refresh token in it.

    A time may be a number or one in text, as older endpoints of Entra write it; any other is left out, and
    `read_grant` misses it. Where no scopes are named they are those `asked` for (RFC 6749, 5.1); an access token
    whose scopes cannot be read is of no use and left out.
    """
    kept = dict(answer)
    for name in _TIMES:
        if name in kept:
            value = _whole_number(kept.pop(name))
            kept |= {} if value is None else {name: value}
    scope = kept.get("scope")
    if not isinstance(scope, str):
        kept["scope"] = asked if scope is None else ""
        if scope is not None:
            kept.pop("access_token", None)
    return kept


def _whole_number(value: object) -> int | None:
    """A number of seconds, be it in text; None where it is none that anybody can mean."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:20])
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LATEST else None


def read_grant(answer: Mapping[str, Any], cloud: Cloud, asked: frozenset[str]) -> Grant:
    """The token in an answer that holds no `error`.

    Where the answer names no scopes, those `asked` for were granted (RFC 6749, 5.1). It may spell them in another
    case, which makes no difference to Entra; the grant spells them as they were asked for.

    Raises:
        AuthenticationError: The answer is not a usable token (`bad_answer`), or the token works only for a device's
            key that this program does not have (`token_protection`).
    """
    token, life_s = answer.get("access_token"), _whole_number(answer.get("expires_in"))
    if not isinstance(token, str) or not is_token(token):
        raise unreadable("no token")
    if life_s is None or not 0 < life_s <= _MAX_LIFE_S:
        raise unreadable("no usable lifetime")
    kind = answer.get("token_type", "Bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise AuthenticationError(
            "Your organisation asks for tokens that are bound to a device, which this sign-in cannot provide.",
            "Ask an administrator for an exception.",
            kind="token_protection",
        )
    scope = answer.get("scope")
    if scope is None or scope == "":
        return Grant(token, life_s, asked)
    if not isinstance(scope, str) or not all(_SCOPE.fullmatch(part) for part in scope.split()):
        raise unreadable("no readable scopes")
    spelt = {name.casefold(): name for name in asked}
    names = (cloud.scope_name(part) for part in scope.split())
    return Grant(token, life_s, frozenset(spelt.get(name.casefold(), name) for name in names))


def person_of(answer: Mapping[str, Any], client_id: str, tenant: str) -> Account:
    """The person an answer is about, from its ID token; `tenant` is the directory that was asked.

    The ID token came straight from the sign-in service over TLS, so its signature need not be checked again
    (OpenID Connect Core, 3.1.3.7).

    Raises:
        AuthenticationError: There is no ID token for this app (`bad_answer`), a personal account (`personal_account`),
            or an account of another tenant (`user_not_in_tenant`).
    """
    claims = answer.get("id_token_claims")
    if not isinstance(claims, Mapping):
        raise unreadable("no ID token")
    tenant_id, object_id = claims.get("tid"), claims.get("oid")
    if not isinstance(tenant_id, str) or not isinstance(object_id, str) or not is_guid(tenant_id) or not object_id:
        raise unreadable("nobody named in the ID token")
    if claims.get("aud") != client_id:
        raise unreadable("ID token for another app")
    if tenant_id.lower() == CONSUMERS_TENANT:
        raise AuthenticationError(
            "Personal Microsoft accounts cannot use the Microsoft 365 Copilot APIs.",
            "Sign in with a work or school account.",
            kind="personal_account",
        )
    if is_guid(tenant) and tenant.lower() != tenant_id.lower():
        raise AuthenticationError(
            "The account that signed in belongs to another tenant than the configured one.",
            "Sign in with an account of the configured tenant; nothing was stored.",
            kind="user_not_in_tenant",
        )
    return Account(
        username=_shown(claims.get("preferred_username") or claims.get("upn")),
        name=_shown(claims.get("name")),
        tenant_id=tenant_id.lower(),
        scopes=(),
        object_id=object_id.lower(),
    )


def _shown(value: object) -> str:
    """A name that can be shown on one line: no control characters, at most 200 characters."""
    return "".join(letter for letter in value if letter.isprintable())[:200] if isinstance(value, str) else ""
