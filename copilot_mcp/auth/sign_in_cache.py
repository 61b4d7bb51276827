"""What a credential needs of a place that keeps a sign-in, and the place that forgets with the process."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeAlias

from copilot_mcp.auth.cache_content import Content

__all__ = ["Change", "MemoryCache", "SignInCache"]

Change: TypeAlias = Callable[[Content], Content]
"""Makes the new content out of the newest one; it may raise to leave everything as it is."""


class SignInCache(Protocol):
    """What the credential needs of a cache. Every method may block for a moment; call them from a worker thread."""

    def read(self) -> Content:
        """A copy of the newest content, empty when nobody is signed in."""

    def update(self, change: Change) -> object:
        """Apply `change` to the newest content and keep the result; no other process's change is lost.

        Gives the stamp of what was kept.
        """

    def erase(self) -> None:
        """Forget everything."""

    def stamp(self) -> object:
        """A value that differs whenever the content may have changed. Quick enough for an event loop."""

    def refreshing(self) -> AbstractContextManager[None]:
        """Held around a refresh, so that of many processes with one expired token one asks for the next."""


class MemoryCache:
    """Keeps the sign-in as long as the process lives and never touches a disk."""

    def __init__(self, *, refresh_timeout_s: float = 20.0) -> None:
        self._refresh_timeout_s = refresh_timeout_s
        self._lock = threading.Lock()
        self._refresh_lock = threading.Lock()
        self._text = "{}"
        self._changes = 0

    def read(self) -> Content:
        """A copy of the content."""
        content: Content = json.loads(self._text)
        return content

    def update(self, change: Change) -> object:
        """Apply the change."""
        with self._lock:
            self._text = json.dumps(change(self.read()))
            self._changes += 1
            return self._changes

    def erase(self) -> None:
        """Forget everything."""
        self.update(lambda _: {})

    def stamp(self) -> object:
        """How many changes there were."""
        return self._changes

    @contextmanager
    def refreshing(self) -> Iterator[None]:
        """A lock: errands for two sets of scopes would redeem the same refresh token, which may work only once.

        After a while it goes on without, as a file's does.
        """
        held = self._refresh_lock.acquire(timeout=self._refresh_timeout_s)
        try:
            yield
        finally:
            if held:
                self._refresh_lock.release()
