"""The key of a saved sign-in in the macOS Keychain, by msal-extensions' calls of the system's library.

Read, not run: this project has been tried on Linux only. The Keychain lists the Python interpreter as the program
that may read the item, so a script that runs in the same interpreter may read it too.
"""

import base64
import secrets
import threading
from collections.abc import Callable
from typing import Any

from copilot_mcp.auth.protection import NoProtectionError

__all__ = ["Keychain"]

LIMIT_S = 5.0
SERVICE = "copilot-mcp"
_NOT_FOUND = -25300
_REMEDY = "Unlock the login keychain and allow Python to use it"


def _system_keychain() -> Any:
    from msal_extensions.osx import Keychain as SystemKeychain

    return SystemKeychain()


class Keychain:
    """The key of one file. `open_keychain` gives an object with msal-extensions' three methods."""

    name = "the macOS Keychain"

    def __init__(
        self, file_name: str, *, limit_s: float = LIMIT_S, open_keychain: Callable[[], Any] = _system_keychain
    ) -> None:
        self._account = file_name
        self._limit_s = limit_s
        self._open = open_keychain

    def get(self) -> bytes | None:
        """The key; None when the Keychain is open and holds none."""
        return self._bounded(lambda: self._read(self._account))

    def put(self, key: bytes) -> None:
        """Keep the key, and read it back."""
        self._bounded(lambda: self._write(self._account, key))

    def delete(self) -> None:
        """Put an empty value in the key's place: msal-extensions offers no way to remove an item."""
        if self.get() is not None:
            self._bounded(lambda: self._write(self._account, b""))

    def prove(self) -> None:
        """Write and read a trial item, the same one each time, since it cannot be removed."""
        self._bounded(lambda: self._write("trial", secrets.token_bytes(8)))

    def _read(self, account: str) -> bytes | None:
        with self._open() as keychain:
            try:
                text = keychain.get_generic_password(SERVICE, account)
            except OSError as error:
                if getattr(error, "exit_status", None) == _NOT_FOUND:
                    return None
                raise
        try:
            return base64.b64decode(text, validate=True) or None
        except ValueError:
            return None

    def _write(self, account: str, value: bytes) -> None:
        with self._open() as keychain:
            keychain.set_generic_password(SERVICE, account, base64.b64encode(value).decode())
        if self._read(account) != (value or None):
            raise NoProtectionError("the Keychain did not give back what it was given", _REMEDY)

    def _bounded(self, work: Callable[[], bytes | None]) -> bytes | None:
        """Do the work in a thread that is left to itself when the system asks the person and nobody answers."""
        outcome: list[bytes | Exception | None] = []

        def run() -> None:
            try:
                outcome.append(work())
            except Exception as error:
                outcome.append(error)

        thread = threading.Thread(target=run, name="copilot-mcp-keychain", daemon=True)
        thread.start()
        thread.join(self._limit_s)
        if not outcome:
            raise NoProtectionError(f"the Keychain did not answer within {self._limit_s:g} seconds", _REMEDY)
        result = outcome[0]
        if isinstance(result, NoProtectionError):
            raise result
        if isinstance(result, Exception):
            raise NoProtectionError(f"the Keychain cannot be used ({type(result).__name__})", _REMEDY)
        return result
