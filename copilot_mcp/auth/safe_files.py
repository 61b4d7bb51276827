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
from pathlib import Path

from copilot_mcp.errors import AuthenticationError

__all__ = ["open_private", "private_directory", "read_private", "remove_leftovers", "replace_private"]

_PRIVATE_FILE = 0o600
_PRIVATE_DIRECTORY = 0o700
_OTHERS = 0o077
_OTHERS_WRITE = 0o022
_REPLACE_TRIES = 40
_REPLACE_WAIT_S = 0.025

# Windows has neither flag; its directory rights keep strangers from planting a link.
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def _unsafe(path: Path, what: str, command: str) -> AuthenticationError:
    return AuthenticationError(
        f"{path} {what}, so the saved sign-in in it is not used.",
        f"Repair it with: {command} {shlex.quote(str(path))}",
        kind="cache_unsafe",
    )


def private_directory(path: Path) -> None:
    """Make the directory with mode 0700, or check that it is ours. One that others may read is tightened.

    Raises:
        AuthenticationError: It is a link, belongs to somebody else, or others may write to it (`cache_unsafe`).
        OSError: It cannot be made.
    """
    path.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
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


def open_private(path: Path, flags: int) -> int:
    """Open a regular file of ours and return its descriptor; a file that is made gets mode 0600.

    Raises:
        AuthenticationError: It is a link, no regular file, somebody else's, or open to others (`cache_unsafe`).
        OSError: It does not exist or cannot be opened.
    """
    if path.is_symlink():
        raise _unsafe(path, "is a link", "rm")
    descriptor = os.open(path, flags | _NO_LINKS | _BINARY, _PRIVATE_FILE)
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
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS | _BINARY, _PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
    """Remove the temporary files that processes killed during `replace_private(path, …)` left; call it locked."""
    for leftover in path.parent.glob(f"{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)
