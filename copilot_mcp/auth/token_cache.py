"""Where a sign-in is kept between runs: one small file, or nowhere.

The content is what MSAL serialises, five sections of entries, and one section of ours that names the account. MSAL's
own persisted cache is not used: it writes in place, a crash leaves a lock that blocks for ever, and a damaged file
stops every later sign-in (measured with msal-extensions 1.3.1). Here MSAL works on a copy, and only checked changes
are merged into the file, under a lock, into what the file holds at that moment.

The file is not encrypted. Its mode keeps other users out, not other programs of the same user.
"""

import hashlib
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol, TypeAlias

from copilot_mcp.auth.cache_content import Content, content_of
from copilot_mcp.auth.file_lock import LockTimeoutError, locked
from copilot_mcp.auth.safe_files import private_directory, read_private, remove_leftovers, replace_private
from copilot_mcp.errors import AuthenticationError, SettingsError

__all__ = ["Change", "MemoryCache", "SignInCache", "TokenCache", "cache_file_name"]

logger = logging.getLogger(__name__)

MAX_FILE = 8 * 1_048_576
LOCK_TIMEOUT_S = 10.0
REFRESH_LOCK_TIMEOUT_S = 20.0
"""A little longer than one refresh may take; after that we refresh beside the holder rather than not at all."""

_PROFILE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_DEVICES = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")

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


def cache_file_name(profile: str, cloud: str, tenant: str, client_id: str) -> str:
    """The file for a profile: derived, so that no input reaches a path and two tenants never share a file.

    Raises:
        SettingsError: The profile name is not `[a-z0-9][a-z0-9_-]{0,31}`, or is a device name of Windows.
    """
    if not _PROFILE.fullmatch(profile) or _DEVICES.fullmatch(profile):
        raise SettingsError(
            "The profile name is not usable.",
            "Use 1 to 32 lower-case letters, digits, `-` and `_`, beginning with a letter or digit.",
        )
    identity = json.dumps([profile, cloud, tenant.lower(), client_id.lower()])
    return f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.json"


class MemoryCache:
    """Keeps the sign-in as long as the process lives and never touches a disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
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

    def refreshing(self) -> AbstractContextManager[None]:
        """Nothing: no other process can see this cache."""
        return nullcontext()


class TokenCache:
    """Keeps the sign-in in a file of mode 0600 in a directory of mode 0700.

    Processes may share the file. When the disk refuses a write, the content stays in memory, a warning is logged,
    and the next change tries again. A damaged file is removed with a warning.
    """

    def __init__(
        self,
        path: Path,
        *,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        refresh_timeout_s: float = REFRESH_LOCK_TIMEOUT_S,
    ) -> None:
        self._path = path
        self._lock_timeout_s = lock_timeout_s
        self._refresh_timeout_s = refresh_timeout_s
        self._lock_path = path.with_suffix(".lock")
        self._refresh_path = path.with_suffix(".refresh")
        self._prepared = False
        self._unsaved: str | None = None
        self._unsaved_changes = 0

    @classmethod
    def of(
        cls, profile: str, cloud: str, tenant: str, client_id: str, *, directory: Path | None = None
    ) -> "TokenCache":
        """The cache of a profile, in the user's data directory unless told otherwise. Touches no disk yet.

        Raises:
            SettingsError: See `cache_file_name`.
        """
        name = cache_file_name(profile, cloud, tenant, client_id)
        if directory is None:
            from platformdirs import user_data_dir

            directory = Path(user_data_dir("copilot-mcp", appauthor=False, roaming=False))
        return cls(directory / name)

    @property
    def path(self) -> Path:
        """The file; it exists only while somebody is signed in."""
        return self._path

    def read(self) -> Content:
        """A copy of the newest content.

        Raises:
            AuthenticationError: The file or directory is not safe to use (`cache_unsafe`).
        """
        if self._unsaved is not None:
            content: Content = json.loads(self._unsaved)
            return content
        if not self._path.parent.is_dir():
            return {}
        private_directory(self._path.parent)
        content_read = self._load()
        if content_read is not None:
            return content_read
        with self._exclusive():
            return self._load_or_remove()

    def update(self, change: Change) -> object:
        """Apply `change` to the newest content, write it, and give the new stamp.

        Raises:
            AuthenticationError: `cache_unsafe`, or another process holds the lock for too long (`cache_locked`).
        """
        with self._exclusive() as writable:
            base: Content = json.loads(self._unsaved) if self._unsaved is not None else self._load_or_remove()
            text = json.dumps(change(base))
            self._keep(text, writable=writable)
            return self.stamp()

    def erase(self) -> None:
        """Remove the file.

        Raises:
            AuthenticationError: As for `update`.
        """
        with self._exclusive():
            self._unsaved = None
            self._unsaved_changes += 1
            self._path.unlink(missing_ok=True)

    def stamp(self) -> object:
        """Identity, time and size of the file; None without a file."""
        try:
            state = self._path.stat(follow_symlinks=False)
        except OSError:
            return (None, self._unsaved_changes)
        return (state.st_ino, state.st_mtime_ns, state.st_size, self._unsaved_changes)

    @contextmanager
    def refreshing(self) -> Iterator[None]:
        """Hold the refresh lock. Without it the block runs all the same: a stuck process must not stop this one."""
        with ExitStack() as held:
            try:
                private_directory(self._path.parent)
                held.enter_context(locked(self._refresh_path, self._refresh_timeout_s))
            except LockTimeoutError as error:
                logger.warning("Process %s has been refreshing a token for long; going on without it.", error.owner)
            except OSError:
                logger.debug("No lock can be made beside the token cache; going on without one.")
            yield

    @contextmanager
    def _exclusive(self) -> Iterator[bool]:
        """Hold the lock; gives False where the disk cannot be written to, so that no lock is needed."""
        with ExitStack() as held:
            try:
                private_directory(self._path.parent)
                held.enter_context(locked(self._lock_path, self._lock_timeout_s))
            except LockTimeoutError as error:
                raise AuthenticationError(
                    f"Another copilot-mcp process ({error.owner or 'unknown'}) holds the token cache.",
                    "Try again in a moment; if it stays, end that process.",
                    kind="cache_locked",
                ) from None
            except OSError:
                yield False
                return
            if not self._prepared:
                remove_leftovers(self._path)
                self._prepared = True
            yield True

    def _load(self) -> Content | None:
        """What the file holds; None when it is damaged."""
        data = read_private(self._path, MAX_FILE)
        return {} if data is None else content_of(data, MAX_FILE)

    def _load_or_remove(self) -> Content:
        """What the file holds; a damaged file is removed, without a copy, because it holds secrets. Needs the lock."""
        content = self._load()
        if content is not None:
            return content
        self._path.unlink(missing_ok=True)
        logger.warning("The saved sign-in could not be read and was removed; sign in again.")
        return {}

    def _keep(self, text: str, *, writable: bool) -> None:
        try:
            if not writable:
                raise OSError
            replace_private(self._path, text.encode())
        except OSError:
            if self._unsaved is None:
                logger.warning("The sign-in cannot be saved to disk and is kept in memory only.")
            self._unsaved = text
            self._unsaved_changes += 1
            return
        self._unsaved = None
