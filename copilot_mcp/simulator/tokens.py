"""Access tokens and ID tokens of the simulated tenant: RS256 with a key made when the first one is needed.

Keys exist in memory only and die with the process. Times are checked against the injected clock, not the
machine's.
"""

import base64
import itertools
import json
import secrets
import threading
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from copilot_mcp.simulator.secrets_issued import SECRET_MARK, SecretsIssued
from copilot_mcp.simulator.tenant import User

__all__ = ["GRAPH_RESOURCE", "ISSUER", "TENANT_ID", "TokenError", "Tokens", "key_id_of"]

TENANT_ID: Final = "00000000-0000-4000-8000-000000000001"
GRAPH_RESOURCE: Final = "https://graph.copilot-mcp.test"
ISSUER: Final = f"https://login.copilot-mcp.test/{TENANT_ID}/v2.0"
ACCESS_TOKEN_LIFETIME_S: Final = 3600
CLOCK_SKEW_S: Final = 300


class TokenError(Exception):
    """A bearer token that Graph refuses. The text is Graph's kind of sentence and holds nothing of the token."""


def key_id_of(key: rsa.RSAPublicKey) -> str:
    """The id under which a key is published, derived from it."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_numbers().n.to_bytes(256, "big"))
    return base64.urlsafe_b64encode(digest.finalize()[:20]).rstrip(b"=").decode()


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _first_key() -> rsa.RSAPrivateKey:
    """One key for all tenants of a process, until they rotate it: making one takes a quarter of a second."""
    return _new_key()


class Tokens:
    """Makes and checks the tenant's tokens. `clock` gives seconds since the epoch, `life_s` is settable."""

    def __init__(self, clock: Callable[[], float], issued: SecretsIssued) -> None:
        self._clock = clock
        self._issued = issued
        self._lock = threading.Lock()
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self._numbers = itertools.count(1)
        self.life_s = ACCESS_TOKEN_LIFETIME_S

    def _signing_key(self) -> tuple[rsa.RSAPrivateKey, str]:
        with self._lock:
            if not self._keys:
                self._add(_first_key())
            key_id = next(reversed(self._keys))
            return self._keys[key_id], key_id

    def _add(self, key: rsa.RSAPrivateKey) -> None:
        self._keys[key_id_of(key.public_key())] = key

    def rotate_key(self, *, keep_old: bool = True) -> None:
        """Sign with a new key from now on. Tokens of an old key that is not kept are refused."""
        self._signing_key()
        with self._lock:
            if not keep_old:
                self._keys.clear()
            self._add(_new_key())

    def jwks(self) -> dict[str, Any]:
        """The public keys as Entra publishes them, the newest first."""
        self._signing_key()
        with self._lock:
            keys = list(reversed(self._keys.items()))
        return {"keys": [_published(key_id, key.public_key()) for key_id, key in keys]}

    def access_token(
        self, user: User, client_id: str, resource: str, scopes: Collection[str], changes: Mapping[str, Any]
    ) -> str:
        """A token for one resource; `scopes` are names without the resource's prefix.

        `changes` are further claims, or others than usual; None takes a claim out.
        """
        claims = self._common(user) | {
            "aud": resource,
            "appid": client_id,
            "azp": client_id,
            "idtyp": "user",
            "scp": " ".join(scopes),
            "upn": user.username,
        }
        return self._issued.add("access_token", self._sign(claims, changes))

    def id_token(self, user: User, client_id: str, changes: Mapping[str, Any]) -> str:
        """The ID token for the client itself; `changes` as above."""
        return self._issued.add("id_token", self._sign(self._common(user) | {"aud": client_id}, changes))

    def new_id(self) -> str:
        """A token id, which bears the mark of a secret."""
        return f"{SECRET_MARK}-{next(self._numbers)}-{secrets.token_urlsafe(6)}"

    def _common(self, user: User) -> dict[str, Any]:
        now = int(self._clock())
        return {
            "iss": ISSUER,
            "iat": now,
            "nbf": now,
            "exp": now + self.life_s,
            "tid": TENANT_ID,
            "oid": user.id,
            "sub": user.id,
            "name": user.name,
            "preferred_username": user.username,
            "uti": self.new_id(),
            "ver": "2.0",
        }

    def _sign(self, claims: dict[str, Any], changes: Mapping[str, Any]) -> str:
        key, key_id = self._signing_key()
        whole = {name: value for name, value in (claims | dict(changes)).items() if value is not None}
        return jwt.encode(whole, key, algorithm="RS256", headers={"kid": key_id})

    def check(self, token: str, resource: str) -> Mapping[str, Any]:
        """The claims of a valid access token for `resource`.

        Raises:
            TokenError: signature, issuer, audience or life time is wrong.
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key_of(token),
                algorithms=["RS256"],
                issuer=ISSUER,
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidSignatureError:
            raise TokenError("Signature is invalid.") from None
        except jwt.PyJWTError:
            raise TokenError("The token is malformed.") from None
        if claims.get("aud") != resource:
            raise TokenError("Access token validation failure. Invalid audience.")
        now = self._clock()
        if now >= claims["exp"]:
            raise TokenError("Lifetime validation failed, the token is expired.")
        if now < claims["nbf"] - CLOCK_SKEW_S:
            raise TokenError("Lifetime validation failed, the token is not yet valid.")
        return claims

    def _key_of(self, token: str) -> rsa.RSAPublicKey:
        """The key that a token names, or the one in use."""
        current, _ = self._signing_key()
        with self._lock:
            return self._keys.get(str(jwt.get_unverified_header(token).get("kid")), current).public_key()


def _published(key_id: str, key: rsa.RSAPublicKey) -> dict[str, Any]:
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key))
    return {"kty": "RSA", "use": "sig", "kid": key_id, "n": public["n"], "e": public["e"], "alg": "RS256"}
