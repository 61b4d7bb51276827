"""How often somebody has signed out of a profile, told to the processes that wait for the person meanwhile.

It is the size of a file that grows by one byte each time: no crash can leave a part of it, no two processes lose one.
"""

import logging
import os
from pathlib import Path

from copilot_mcp.auth.safe_files import open_private
from copilot_mcp.errors import AuthenticationError

__all__ = ["SignOuts"]

logger = logging.getLogger(__name__)


class SignOuts:
    """Those counted in the file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def count(self) -> int:
        """How many there were. Quick enough for an event loop."""
        try:
            return self._path.lstat().st_size
        except OSError:
            return 0

    def add(self) -> None:
        """Count one more. What prevents that does not prevent the sign-out, of which others then do not hear."""
        try:
            descriptor = open_private(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            try:
                os.write(descriptor, b".")
            finally:
                os.close(descriptor)
        except (OSError, AuthenticationError) as error:
            logger.warning(
                "%s cannot be used (%s): a code that another process shows now can still be approved.",
                self._path,
                type(error).__name__,
            )
