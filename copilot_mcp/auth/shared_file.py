"""A small text file that one user's processes share, such as a count. It holds no secret and is never in the way.

Kept as safely as the sign-in beside it: mode 0600 in a directory of mode 0700, no links followed, changed under a
lock. Unlike the sign-in it is not worth a failure, nor a wait for the disk: where the file cannot be used, the text
goes on in memory, with one warning.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from copilot_mcp.auth.file_lock import LockTimeoutError, locked
from copilot_mcp.auth.safe_files import open_private, private_directory, read_private
from copilot_mcp.errors import AuthenticationError

__all__ = ["SharedFile"]

logger = logging.getLogger(__name__)

MAX_BYTES = 262_144
LOCK_TIMEOUT_S = 0.5


class SharedFile:
    """The file at `path`, which is made when it is first written to, with its lock beside it."""

    def __init__(self, path: Path, *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self._path = path
        self._lock_timeout_s = lock_timeout_s
        self._spare = ""
        self._warned = False

    def update(self, change: Callable[[str], str]) -> None:
        """Put `change(text)` in the text's place; an error of `change` is raised and leaves the text as it is.

        Blocks while another process changes the file; call it from a worker thread. A crash in the middle of
        writing leaves an unreadable text, so `change` must bear with one, and with being called again when the disk
        refuses what it gave.
        """
        try:
            private_directory(self._path.parent)
            with locked(self._path.with_suffix(".lock"), self._lock_timeout_s):
                self._change(change)
        except (OSError, LockTimeoutError, AuthenticationError) as error:
            if not self._warned:
                logger.warning("%s cannot be used (%s); going on in memory.", self._path, type(error).__name__)
                self._warned = True
            self._spare = change(self._spare)

    def _change(self, change: Callable[[str], str]) -> None:
        data = read_private(self._path, MAX_BYTES) or b""
        self._spare = data.decode("utf-8", "replace") if len(data) <= MAX_BYTES else ""
        text = change(self._spare)
        with os.fdopen(open_private(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(text.encode())
        self._spare = text
