"""The key of a saved sign-in in the Secret Service of a Linux desktop: GNOME Keyring, KWallet, KeePassXC.

Nothing here ever prompts, and all of one visit ends within five seconds: a server in the background must not put a
window before a person, nor wait for one. `secretstorage` sets no time limits (read in 3.5), so its connection gets a
deadline here. msal-extensions' own way needs PyGObject, which a virtual environment rarely has.
"""

import base64
import os
import secrets
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copilot_mcp.auth.protection import NoProtectionError

if TYPE_CHECKING:
    from secretstorage import Collection

__all__ = ["SecretService"]

LIMIT_S = 5.0
"""For one visit: connecting, every question and every answer together."""

RUNTIME = Path("/run/user")
_LABEL = "copilot-mcp: key of the saved sign-in"
_UNLOCK = "Unlock the keyring"
_INSTALL = "Install and unlock a keyring (GNOME Keyring or KWallet) in this desktop session"


class SecretService:
    """The key of one file, in the default collection. `runtime` is where the login manager puts each user's bus."""

    name = "the Secret Service (the desktop's keyring)"

    def __init__(self, file_name: str, *, limit_s: float = LIMIT_S, runtime: Path = RUNTIME) -> None:
        self._attributes = {"application": "copilot-mcp", "cache": file_name}
        self._limit_s = limit_s
        self._runtime = runtime

    def get(self) -> bytes | None:
        """The key; None when the keyring is open and holds none."""
        with self._visit() as collection:
            return _read(collection, self._attributes)

    def put(self, key: bytes) -> None:
        """Keep the key, and read it back."""
        with self._visit() as collection:
            _write(collection, self._attributes, key)

    def delete(self) -> None:
        """Remove the key."""
        with self._visit() as collection:
            _remove(collection, self._attributes)

    def prove(self) -> None:
        """Write, read and remove a trial item."""
        trial = {**self._attributes, "trial": secrets.token_hex(8)}
        with self._visit() as collection:
            try:
                _write(collection, trial, b"trial")
            finally:
                _remove(collection, trial)

    @contextmanager
    def _visit(self) -> Iterator["Collection"]:
        """The default collection, open, over a connection that ends with the block."""
        try:
            import secretstorage

            connection = _connect(self._limit_s, self._runtime)
            try:
                collection = secretstorage.get_collection_by_alias(connection, "default")
                collection.ensure_not_locked()
                yield collection
            finally:
                connection.close()
        except NoProtectionError:
            raise
        except Exception as error:
            # The libraries fail in many ways, and a message of theirs may quote what was sent.
            raise NoProtectionError(*_told(error, self._limit_s)) from None


def _told(error: Exception, limit_s: float) -> tuple[str, str]:
    """Why the keyring cannot be used, and the remedy."""
    match type(error).__name__:
        case "ModuleNotFoundError" | "ImportError":
            return "the Python package secretstorage is not installed", "Install copilot-mcp with its dependencies"
        case "TimeoutError":
            return f"the keyring did not answer within {limit_s:g} seconds", _UNLOCK
        case "LockedException":
            return "the keyring is locked", _UNLOCK
        case "ItemNotFoundException":
            return "the keyring has no default collection", "Make a default keyring"
        case "SecretServiceNotAvailableException":
            return "no keyring is running", _INSTALL
        case "KeyError" | "FileNotFoundError" | "ConnectionRefusedError":
            return "there is no desktop session with a keyring (no D-Bus session bus)", _INSTALL
        case name:
            return f"the keyring cannot be used ({name})", _INSTALL


def _read(collection: "Collection", attributes: dict[str, str]) -> bytes | None:
    for item in collection.search_items(attributes):
        # A search for some attributes finds items that have more.
        if "trial" in item.get_attributes() and "trial" not in attributes:
            continue
        try:
            return base64.b64decode(item.get_secret(), validate=True)
        except ValueError:
            return None
    return None


def _write(collection: "Collection", attributes: dict[str, str], key: bytes) -> None:
    collection.create_item(_LABEL, attributes, base64.b64encode(key), replace=True)
    if _read(collection, attributes) != key:
        raise NoProtectionError("the keyring did not give back what it was given", "Look at the keyring's own settings")


def _remove(collection: "Collection", attributes: dict[str, str]) -> None:
    for item in collection.search_items(attributes):
        item.delete()


def _connect(limit_s: float, runtime: Path) -> Any:
    """A connection to the session bus on which everything together may take `limit_s` seconds."""
    from jeepney.bus import get_bus
    from jeepney.io.blocking import DBusConnection, prep_socket

    class Bounded(DBusConnection):  # type: ignore[misc]  # jeepney ships no types
        """Every wait of the library ends in `receive`, and every prompt begins with `filter`."""

        def receive(self, *, timeout: float | None = None) -> Any:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            return super().receive(timeout=left if timeout is None else min(left, timeout))

        def filter(self, *_: Any, **__: Any) -> Any:
            raise NoProtectionError(
                "the keyring wants to ask a person first", "Let copilot-mcp use the keyring without being asked"
            )

    deadline = time.monotonic() + limit_s
    bus = _bus(lambda: str(get_bus("SESSION")), runtime)
    link: socket.socket = prep_socket(bus, timeout=limit_s)
    try:
        link.settimeout(limit_s)
        return Bounded(link)
    except BaseException:
        link.close()
        raise


def _bus(named: Callable[[], str], runtime: Path) -> str:
    """The session bus: the one the library names, else the one at its usual place.

    MCP hosts start servers with few variables, and the bus's address is seldom among them.
    """
    try:
        return named()
    except KeyError:
        if sys.platform == "win32":  # pragma: no cover - no session bus there
            raise
        usual = runtime / str(os.geteuid()) / "bus"
        state = usual.lstat()
        if not stat.S_ISSOCK(state.st_mode) or state.st_uid != os.geteuid():
            raise FileNotFoundError from None
        return str(usual)
