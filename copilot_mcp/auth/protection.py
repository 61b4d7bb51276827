"""How a saved sign-in is encrypted: what each operating system offers, behind one small interface.

Windows encrypts by itself (DPAPI). macOS and Linux keep small secrets, so there the file is encrypted with a key of
its own, and the key alone lies in the Keychain or in the Secret Service (`sealing`). That way every system has the
same file: replaced in one step, safe from crashes, compared by its stamp. And a key store that is locked, slow or
gone in the middle of the day does not matter to a process that has the key.

It protects from other users, stolen disks and backups, not from another program of the same user.
"""

import sys
from typing import Protocol

__all__ = ["DamagedSealError", "NoProtectionError", "Protection", "is_sealed", "platform_protection"]

SEALED = b"copilot-mcp sealed "
"""How every encrypted file begins; a plain one begins with a brace."""


class NoProtectionError(Exception):
    """The operating system encrypts nothing for us now. Nothing is lost by it; it may at another time.

    Attributes:
        reason: why, as the end of a sentence.
        remedy: what a person can do about it, a sentence.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class DamagedSealError(Exception):
    """The encrypted bytes can never be read again: cut, changed, of another machine, or their key is gone."""


class Protection(Protocol):
    """Encrypts the bytes of one file. Every method may block for five seconds; call them from a worker thread."""

    @property
    def name(self) -> str:
        """What it is called on this system, for a sentence."""

    def seal(self, data: bytes, replaced: bytes | None) -> bytes:
        """The encrypted form of `data`, which is to take the place of `replaced`. Call it with the file locked.

        Raises:
            NoProtectionError: It cannot be encrypted now.
        """

    def unseal(self, sealed: bytes) -> bytes:
        """The data in an encrypted form.

        Raises:
            NoProtectionError: It cannot be opened now.
            DamagedSealError: It can never be opened.
        """

    def prepare(self) -> None:
        """Wait for a slow key store now rather than with the file locked. Never raises."""

    def prove(self) -> None:
        """Write something, read it back and remove it.

        Raises:
            NoProtectionError: That was not possible.
        """

    def release(self) -> None:
        """Drop what is in memory for a file that is gone. Never raises."""

    def forget(self) -> None:
        """Make every copy of what was encrypted unreadable, as far as that is possible. Never raises."""


def is_sealed(data: bytes) -> bool:
    """Whether a file's bytes are an encrypted form."""
    return data.startswith(SEALED)


def platform_protection(file_name: str) -> Protection:
    """What this system has for the file of this name. Touches nothing yet."""
    if sys.platform == "win32":  # pragma: no cover - the last branch is the one this system has
        from copilot_mcp.auth.dpapi import DataProtection

        return DataProtection(file_name)
    from copilot_mcp.auth.sealing import KeyedProtection

    if sys.platform == "darwin":  # pragma: no cover - the last branch is the one this system has
        from copilot_mcp.auth.keychain import Keychain

        return KeyedProtection(file_name, Keychain(file_name))
    from copilot_mcp.auth.secret_service import SecretService

    return KeyedProtection(file_name, SecretService(file_name))
