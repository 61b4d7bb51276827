"""A lock between processes that a crash cannot leave behind.

The operating system holds it and lets go when the process ends, however it ends. The file is never deleted, because
deleting it would let two processes lock two different files of one name. The owner's process id stands in it, for
the message only.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from copilot_mcp.auth.safe_files import open_private, private_directory

__all__ = ["HeldFile", "LockTimeoutError", "hold", "locked", "text_of_holder"]

_FIRST_WAIT_S = 0.001
_LONGEST_WAIT_S = 0.025
_GLANCE_S = 0.02
"""Longer than `text_of_holder` has the lock, shorter than anybody notices."""

_MOST_BYTES = 4096


class LockTimeoutError(Exception):
    """The lock was not free in time; `owner` is the process id found in the file, empty when unknown."""

    def __init__(self, owner: str) -> None:
        super().__init__("the lock is held by another process")
        self.owner = owner


if sys.platform == "win32":  # pragma: no cover - the other branch is the one this system has
    import errno
    import msvcrt

    _BYTE = _MOST_BYTES
    """The locked byte lies behind the text, because Windows forbids reading what another process locked."""

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextmanager
def locked(
    path: Path,
    timeout_s: float,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the lock file at `path` while the block runs. Blocks the thread; call it from a worker thread.

    Raises:
        LockTimeoutError: It was not free within `timeout_s` seconds.
        AuthenticationError: The file is a link or not ours (`cache_unsafe`).
        OSError: The directory cannot be written to, or its file system has no locks.
    """
    descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        _wait(descriptor, monotonic() + timeout_s, monotonic, sleep)
        try:
            _sign(descriptor)
            yield
        finally:
            _unlock(descriptor)
    finally:
        os.close(descriptor)


class HeldFile:
    """A small file whose lock is ours until `release`: everybody of this user may read it, only we write."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> str:
        """The text, as the last holder left it."""
        return _text(self._descriptor)

    def write(self, text: str) -> None:
        """Put `text` (less than 4 KiB) in the place of the text; a crash in the middle leaves a part of it.

        Raises:
            OSError: The disk refuses.
        """
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, text.encode())

    def release(self) -> None:
        """Let the lock go."""
        try:
            _unlock(self._descriptor)
        finally:
            os.close(self._descriptor)


def hold(path: Path) -> HeldFile | None:
    """Take the lock of the file at `path`, which is made where it is missing; None while another has it.

    Raises:
        AuthenticationError: The file or its directory is a link or not ours (`cache_unsafe`).
        OSError: The directory cannot be written to, or its file system has no locks.
    """
    private_directory(path.parent)
    descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    with ExitStack() as failed:
        failed.callback(os.close, descriptor)
        try:
            _wait(descriptor, time.monotonic() + _GLANCE_S, time.monotonic, time.sleep)
        except LockTimeoutError:
            return None
        failed.pop_all()
    return HeldFile(descriptor)


def text_of_holder(path: Path) -> str | None:
    """What stands in the file while somebody has its lock; None while nobody has.

    Raises:
        AuthenticationError: The file is a link or not ours (`cache_unsafe`).
        OSError: It is not there or cannot be opened.
    """
    descriptor = open_private(path, os.O_RDWR)
    try:
        if _try_lock(descriptor):
            _unlock(descriptor)
            return None
        return _text(descriptor)
    finally:
        os.close(descriptor)


def _text(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, _MOST_BYTES).decode("utf-8", "replace")


def _wait(descriptor: int, deadline: float, monotonic: Callable[[], float], sleep: Callable[[float], None]) -> None:
    wait_s = _FIRST_WAIT_S
    while not _try_lock(descriptor):
        if monotonic() >= deadline:
            raise LockTimeoutError(_owner(descriptor))
        sleep(wait_s)
        wait_s = min(wait_s * 2, _LONGEST_WAIT_S)


def _sign(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, str(os.getpid()).encode())


def _owner(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    text = os.read(descriptor, 20).decode("ascii", "replace").strip()
    return text if text.isdigit() else ""
