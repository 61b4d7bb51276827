"""A saved sign-in encrypted by Windows for this user (DPAPI), by msal-extensions' calls of the system's library.

Read, not run: this project has been tried on Linux only. The file's name goes in as entropy, so that one profile's
file cannot be put in another's place.
"""

from collections.abc import Callable
from typing import Any

from copilot_mcp.auth.protection import SEALED, DamagedSealError, NoProtectionError

__all__ = ["DataProtection"]

_HEAD = SEALED + b"1 dpapi\n"
_INVALID_DATA = 13
_REMEDY = "Sign in to Windows with a password or PIN, not by a service account without a profile"


def _system_agent(entropy: str) -> Any:
    from msal_extensions.windows import WindowsDataProtectionAgent

    return WindowsDataProtectionAgent(entropy=entropy)


class DataProtection:
    """Encrypts one file. `open_agent` gives an object with msal-extensions' `protect` and `unprotect`."""

    name = "Windows (DPAPI, for your account on this computer)"

    def __init__(self, file_name: str, *, open_agent: Callable[[str], Any] = _system_agent) -> None:
        self._entropy = f"copilot-mcp {file_name}"
        self._open = open_agent

    def seal(self, data: bytes, replaced: bytes | None) -> bytes:
        """See `Protection`."""
        try:
            sealed: bytes = self._open(self._entropy).protect(data.decode())
        except Exception as error:
            raise NoProtectionError(f"Windows refused to encrypt ({type(error).__name__})", _REMEDY) from None
        return _HEAD + sealed

    def unseal(self, sealed: bytes) -> bytes:
        """See `Protection`. Only bytes that Windows calls invalid are given up for good: a task that runs without the
        person's profile cannot open them either, and must not cost the person the sign-in."""
        if not sealed.startswith(_HEAD):
            raise DamagedSealError
        try:
            agent = self._open(self._entropy)
        except Exception as error:
            raise NoProtectionError(f"DPAPI cannot be used ({type(error).__name__})", _REMEDY) from None
        try:
            text: str = agent.unprotect(sealed[len(_HEAD) :])
        except Exception as error:
            if getattr(error, "winerror", None) == _INVALID_DATA:
                raise DamagedSealError from None
            raise NoProtectionError("Windows cannot decrypt it for this account on this computer", _REMEDY) from None
        return text.encode()

    def prepare(self) -> None:
        """Nothing: DPAPI answers at once."""

    def prove(self) -> None:
        """Encrypt and decrypt a few bytes.

        Raises:
            NoProtectionError: That was not possible.
        """
        try:
            intact = self.unseal(self.seal(b"trial", None)) == b"trial"
        except DamagedSealError:
            intact = False
        if not intact:
            raise NoProtectionError("Windows did not give back what it encrypted", _REMEDY)

    def release(self) -> None:
        """Nothing: nothing is held."""

    def forget(self) -> None:
        """Nothing: the key is Windows' own, and serves other programs too."""
