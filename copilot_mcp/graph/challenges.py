"""Claims challenges: what Graph wants proved before it takes a token again.

A challenge stands in `WWW-Authenticate` of a 401 or 403: scheme Bearer, `error="insufficient_claims"`, and `claims`,
base64 of a JSON object. There may be several header lines and schemes, parameters in any order, quoted or not, padded
or not. Whatever is not exactly that is no challenge; its `authorization_uri` is never looked at.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping

from copilot_mcp.claims import MAX_CLAIMS, believed_claims

MAX_HEADER = 16_384

_ITEM = re.compile(r'([\w!#$%&\'*+.^`|~-]+)([ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?', re.ASCII)
_ESCAPE = re.compile(r"\\(.)")
_PLAIN_ALPHABET = str.maketrans("-_", "+/")


def challenge_in(status: int, headers: Mapping[str, str]) -> str | None:
    """The challenge of an answer; only a 401 and a 403 can have one."""
    return claims_challenge(headers) if status in (401, 403) else None


def claims_challenge(headers: Mapping[str, str]) -> str | None:
    """The challenge as JSON text, None where there is none that can be believed. Header names are in small letters."""
    value = headers.get("www-authenticate", "")
    if len(value) > MAX_HEADER:
        return None
    for scheme, parameters in _challenges(value):
        if scheme == "bearer" and parameters.get("error", "").casefold() == "insufficient_claims":
            claims = _decoded(parameters.get("claims", ""))
            if claims is not None:
                return claims
    return None


def _challenges(value: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Scheme and parameters of each challenge in the header, names in small letters."""
    scheme: str | None = None
    parameters: dict[str, str] = {}
    for name, assigned, quoted, bare in _ITEM.findall(value):
        if assigned:
            parameters.setdefault(name.casefold(), _ESCAPE.sub(r"\1", quoted) or bare)
            continue
        if scheme is not None:
            yield scheme, parameters
        scheme, parameters = name.casefold(), {}
    if scheme is not None:
        yield scheme, parameters


def _decoded(claims: str) -> str | None:
    """The challenge behind the base64, where it can be believed."""
    if not 0 < len(claims) <= MAX_CLAIMS:
        return None
    plain = claims.rstrip("=").translate(_PLAIN_ALPHABET)
    try:
        text = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return believed_claims(text)
