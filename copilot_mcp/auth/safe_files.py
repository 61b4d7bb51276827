"""Files that only this user may read: opened without following links, checked, and replaced in one step.

On Windows the profile directory keeps other users out by its own access list, so the checks of modes and owners are
made on the other systems.
"""

import os
import secrets
import shlex
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path

from copilot_mcp.errors import AuthenticationError

__all__ = [
    "open_private",
    "private_directory",
    "prove_private",
    "read_private",
    "remove_leftovers",
    "replace_private",
    "unsafe_directory",
]

_PRIVATE_FILE = 0o600
_PRIVATE_DIRECTORY = 0o700
_OTHERS = 0o077
_OTHERS_WRITE = 0o022
_TRIAL_BYTES = 65_536
_TICK_NS = 1000
"""Windows keeps time in steps of 100 ns."""

_REPLACE_TRIES = 40
_REPLACE_WAIT_S = 0.025

# Windows has neither flag; its directory rights keep strangers from planting a link.
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def unsafe_directory(path: Path, what: str, remedy: str) -> AuthenticationError:
    """The refusal of a place (`cache_unsafe`); `what` follows its name, `remedy` is a sentence."""
    return AuthenticationError(f"{path} {what}, so the saved sign-in in it is not used.", remedy, kind="cache_unsafe")


def _unsafe(path: Path, what: str, command: str) -> AuthenticationError:
    return unsafe_directory(path, what, f"Repair it with: {command} {shlex.quote(str(path))}")


def private_directory(path: Path) -> None:
    """Make the directory with mode 0700, or check that it is ours. One that others may read is tightened.

    Raises:
        AuthenticationError: It is a link, belongs to somebody else, or others may write to it (`cache_unsafe`).
        OSError: It cannot be made.
    """
    _make(path)
    if sys.platform == "win32":  # pragma: no cover - modes and owners do not exist there
        return
    state = path.lstat()
    if not stat.S_ISDIR(state.st_mode):
        raise _unsafe(path, "is a link and not a directory", "rm")
    if state.st_uid != os.geteuid():
        raise _unsafe(path, "belongs to another user", "sudo chown -R $(id -u)")
    if state.st_mode & _OTHERS_WRITE:
        raise _unsafe(path, "can be written to by others", "chmod 700")
    if state.st_mode & _OTHERS:
        path.chmod(_PRIVATE_DIRECTORY)


def _make(path: Path) -> None:
    """Make the directory, and the ones it lies in with the same mode: `mkdir` would leave those to the umask."""
    if not path.parent.exists():
        _make(path.parent)
    path.mkdir(mode=_PRIVATE_DIRECTORY, exist_ok=True)


def open_private(path: Path, flags: int) -> int:
    """Open a regular file of ours and return its descriptor; a file that is made gets mode 0600.

    Raises:
        AuthenticationError: It is a link, no regular file, somebody else's, or open to others (`cache_unsafe`).
        OSError: It does not exist or cannot be opened.
    """
    if path.is_symlink():
        raise _unsafe(path, "is a link", "rm")
    try:
        descriptor = os.open(path, flags | _NO_LINKS | _BINARY, _PRIVATE_FILE)
    except IsADirectoryError:  # to be told from a disk that refuses, without which one goes on
        raise _unsafe(path, "is not a regular file", "rm -r") from None
    try:
        _check_file(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_file(path: Path, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise _unsafe(path, "is not a regular file", "rm -r")
    if sys.platform == "win32":  # pragma: no cover - modes and owners do not exist there
        return
    if state.st_uid != os.geteuid():
        raise _unsafe(path, "belongs to another user", "sudo chown $(id -u)")
    if state.st_mode & _OTHERS:
        raise _unsafe(path, "can be read by others", "chmod 600")


def read_private(path: Path, limit: int) -> bytes | None:
    """The file's bytes, at most `limit` + 1 of them; None when there is no file.

    Raises:
        AuthenticationError: See `open_private`.
    """
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        raise _unsafe(path, "cannot be opened", "chmod 600") from None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit + 1)


def replace_private(path: Path, data: bytes) -> None:
    """Put `data` in the file's place so that a reader, or a crash, meets the old bytes or the new, never a part.

    Raises:
        OSError: The disk is full or read-only; the old file is intact.
    """
    temporary = _written(path, data)
    try:
        _move_on(temporary, path)
        _replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _settle(path.parent)


def prove_private(path: Path) -> None:
    """Write as much beside `path` as a saved sign-in may need, and remove it.

    Raises:
        OSError: The disk is full or read-only.
    """
    _written(path, bytes(_TRIAL_BYTES)).unlink()


def _written(path: Path, data: bytes) -> Path:
    """A new file beside `path` that holds `data`, safe on the disk."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS | _BINARY, _PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _move_on(temporary: Path, path: Path) -> None:
    """Give the new file a later time than the old one, also when the clock is set back or ticks slowly.

    Readers tell a change by number, time and size, and a file system may give an old file's number to a new one.
    """
    try:
        old = path.lstat().st_mtime_ns
    except OSError:
        return
    if temporary.lstat().st_mtime_ns <= old:
        os.utime(temporary, ns=(old + _TICK_NS, old + _TICK_NS))


def _settle(directory: Path) -> None:
    """Bring a rename to the disk, so that a power cut does not bring back a refresh token that was used up."""
    if sys.platform == "win32":  # pragma: no cover - a directory cannot be opened there
        return
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _replace(temporary: Path, path: Path) -> None:
    if sys.platform != "win32":
        temporary.replace(path)
        return
    # Windows refuses while a reader has the file open, which lasts microseconds.
    for _ in range(_REPLACE_TRIES):  # pragma: no cover - the branch above is the one this system has
        try:
            temporary.replace(path)
            return
        except PermissionError:
            time.sleep(_REPLACE_WAIT_S)
    temporary.replace(path)  # pragma: no cover - see above


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files that processes killed during `replace_private(path, …)` left; call it locked.

    One that cannot be removed stays: it is in nobody's way.
    """
    for leftover in path.parent.glob(f"{path.name}.*.tmp"):
        with suppress(OSError):
            leftover.unlink(missing_ok=True)
