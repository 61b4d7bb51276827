"""A file encrypted with a key that a key store holds: AES-256-GCM, one key for each file, gone with the sign-in.

The key store is asked once in a process's life, and again when another process has signed out and in meanwhile,
which shows in the key's fingerprint at the head of the file. The file's name is authenticated, so that one profile's
file cannot be put in another's place.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from copilot_mcp.auth.protection import SEALED, DamagedSealError, NoProtectionError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["KEY_BYTES", "KeyStore", "KeyedProtection"]

KEY_BYTES = 32
FAILURE_MEMORY_S = 30.0
"""How long a key store that failed is left alone, so that one that hangs costs five seconds once and not each call."""

_HEAD = SEALED + b"1 key\n"
_FINGERPRINT_BYTES = 8
_NONCE_BYTES = 12


class KeyStore(Protocol):
    """Where the operating system keeps the key of one file. Each method ends within five seconds.

    Every method may raise `NoProtectionError`.
    """

    @property
    def name(self) -> str:
        """What it is called, for a sentence."""

    def get(self) -> bytes | None:
        """The key; None when the store is open and holds none."""

    def put(self, key: bytes) -> None:
        """Keep the key in the place of an earlier one, and read it back."""

    def delete(self) -> None:
        """Remove the key."""

    def prove(self) -> None:
        """Write something, read it back and remove it."""


@dataclass(frozen=True, slots=True)
class _Key:
    secret: bytes = field(repr=False)

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha256(b"copilot-mcp key" + self.secret).digest()[:_FINGERPRINT_BYTES]


class KeyedProtection:
    """Encrypts one file with the key in `store`. `monotonic` gives seconds that never go back."""

    def __init__(self, file_name: str, store: KeyStore, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._context = _HEAD + file_name.encode()
        self._store = store
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._key: _Key | None = None
        self._failure: tuple[float, NoProtectionError] | None = None

    @property
    def name(self) -> str:
        """The store's."""
        return self._store.name

    def seal(self, data: bytes, replaced: bytes | None) -> bytes:
        """See `Protection`. The key in memory is used only while the file is encrypted with it, because another
        process may have signed out, which deletes the key."""
        with self._lock:
            key = self._key
            if key is None or replaced is None or _fingerprint(replaced) != key.fingerprint:
                key = self._key = self._stored() or self._created()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _HEAD + key.fingerprint + nonce + _cipher(key).encrypt(nonce, data, self._context)

    def unseal(self, sealed: bytes) -> bytes:
        """See `Protection`."""
        from cryptography.exceptions import InvalidTag

        fingerprint = _fingerprint(sealed)
        if fingerprint is None:
            raise DamagedSealError
        with self._lock:
            if self._key is None or self._key.fingerprint != fingerprint:
                self._key = self._stored()
            key = self._key
        if key is None or key.fingerprint != fingerprint:
            raise DamagedSealError
        body = sealed[len(_HEAD) + _FINGERPRINT_BYTES :]
        try:
            return _cipher(key).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], self._context)
        except (InvalidTag, ValueError):
            raise DamagedSealError from None

    def prepare(self) -> None:
        """Get the key, where there is one."""
        with self._lock:
            if self._key is None:
                try:
                    self._key = self._stored()
                except NoProtectionError:
                    return

    def prove(self) -> None:
        """See `Protection`. A key that is there has been written and read."""
        with self._lock:
            if self._stored() is None:
                self._asked(self._store.prove)

    def release(self) -> None:
        """Drop the key: another process signed out, and deleted it."""
        with self._lock:
            self._key = None

    def forget(self) -> None:
        """Delete the key, so that copies of the file in a backup stay closed for ever."""
        with self._lock:
            self._key = None
            try:
                self._asked(self._store.delete)
            except NoProtectionError:
                return

    def _stored(self) -> _Key | None:
        secret: list[bytes | None] = []
        self._asked(lambda: secret.append(self._store.get()))
        return _Key(secret[0]) if secret[0] is not None and len(secret[0]) == KEY_BYTES else None

    def _created(self) -> _Key:
        key = _Key(secrets.token_bytes(KEY_BYTES))
        self._asked(lambda: self._store.put(key.secret))
        return key

    def _asked(self, ask: Callable[[], None]) -> None:
        if self._failure is not None and self._monotonic() < self._failure[0]:
            raise NoProtectionError(self._failure[1].reason, self._failure[1].remedy)
        try:
            ask()
        except NoProtectionError as error:
            self._failure = (self._monotonic() + FAILURE_MEMORY_S, error)
            raise
        self._failure = None


def _fingerprint(sealed: bytes) -> bytes | None:
    """Which key the bytes are encrypted with; None when they have another form."""
    if not sealed.startswith(_HEAD):
        return None
    return sealed[len(_HEAD) :][:_FINGERPRINT_BYTES]


def _cipher(key: _Key) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key.secret)
