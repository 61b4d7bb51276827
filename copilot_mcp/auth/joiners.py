"""Which processes show a code that another one made, so that its maker does not void it under the person's hands.

Each of them holds the lock of one small file beside the saved sign-in, in which the code stands. The operating system
lets it go when that process ends, however it ends.
"""

from contextlib import suppress
from pathlib import Path

from copilot_mcp.auth.file_lock import HeldFile, hold, text_of_holder
from copilot_mcp.errors import AuthenticationError

__all__ = ["Joiners"]

_MOST = 8
"""Further ones show the code as well, and nobody goes on for their sake."""


class Joiners:
    """Those of the codes that are shared by way of the file at `path`; nobody where that is None."""

    def __init__(self, path: Path | None = None) -> None:
        self._seats = [path.with_suffix(f".joined{number}") for number in range(_MOST)] if path is not None else []

    def join(self, code: str) -> HeldFile | None:
        """Take part until the file is released; None where that cannot be told. Blocks a moment."""
        with suppress(OSError, AuthenticationError):
            for seat in self._seats:
                if (held := hold(seat)) is not None:
                    held.write(code)
                    return held
        return None

    def wait_for(self, code: str) -> bool:
        """Whether some other process shows this code. Quick enough for an event loop."""
        return any(_text(seat) == code for seat in self._seats)


def _text(seat: Path) -> str | None:
    with suppress(OSError, AuthenticationError):
        return text_of_holder(seat)
    return None
