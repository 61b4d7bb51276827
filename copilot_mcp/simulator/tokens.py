"""Access tokens and ID tokens of the simulated tenant: RS256 with a key made when the first one is needed.

The key exists in memory only and dies with the simulator. Times are checked against the injected clock, not the
machine's.
"""

import base64
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from copilot_mcp.simulator.tenant import User

__all__ = ["GRAPH_RESOURCE", "ISSUER", "TENANT_ID", "TokenError", "Tokens"]

TENANT_ID: Final = "00000000-0000-4000-8000-000000000001"
GRAPH_RESOURCE: Final = "https://graph.copilot-mcp.test"
ISSUER: Final = f"https://login.copilot-mcp.test/{TENANT_ID}/v2.0"
ACCESS_TOKEN_LIFETIME_S: Final = 3600
CLOCK_SKEW_S: Final = 300


class TokenError(Exception):
    """A bearer token that Graph refuses. The text is Graph's kind of sentence and holds nothing of the token."""


class Tokens:
    """Makes and checks the tenant's tokens. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._key: rsa.RSAPrivateKey | None = None
        self._key_id = ""

    def _signing_key(self) -> tuple[rsa.RSAPrivateKey, str]:
        with self._lock:
            if self._key is None:
                self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
                digest = hashes.Hash(hashes.SHA256())
                digest.update(self._key.public_key().public_numbers().n.to_bytes(256, "big"))
                self._key_id = base64.urlsafe_b64encode(digest.finalize()[:20]).rstrip(b"=").decode()
            return self._key, self._key_id

    def jwks(self) -> dict[str, Any]:
        """The public key as Entra publishes it."""
        key, key_id = self._signing_key()
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
        return {
            "keys": [{"kty": "RSA", "use": "sig", "kid": key_id, "n": public["n"], "e": public["e"], "alg": "RS256"}]
        }

    def access_token(self, user: User, client_id: str, resource: str, scopes: list[str]) -> str:
        """A token for one resource; `scopes` are names without the resource's prefix."""
        claims = self._common(user) | {
            "aud": resource,
            "appid": client_id,
            "azp": client_id,
            "idtyp": "user",
            "scp": " ".join(scopes),
            "upn": user.username,
        }
        return self._sign(claims)

    def id_token(self, user: User, client_id: str) -> str:
        """The ID token for the client itself."""
        return self._sign(self._common(user) | {"aud": client_id})

    def _common(self, user: User) -> dict[str, Any]:
        now = int(self._clock())
        return {
            "iss": ISSUER,
            "iat": now,
            "nbf": now,
            "exp": now + ACCESS_TOKEN_LIFETIME_S,
            "tid": TENANT_ID,
            "oid": user.id,
            "sub": user.id,
            "name": user.name,
            "preferred_username": user.username,
            "ver": "2.0",
        }

    def _sign(self, claims: dict[str, Any]) -> str:
        key, key_id = self._signing_key()
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": key_id})

    def check(self, token: str, resource: str) -> Mapping[str, Any]:
        """The claims of a valid access token for `resource`.

        Raises:
            TokenError: signature, issuer, audience or life time is wrong.
        """
        key, _ = self._signing_key()
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public_key(),
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
