"""Where a sign-in is kept between runs: one small file, or nowhere.

The content is what MSAL serialises, five sections of entries, and one section of ours that names the account. MSAL's
own persisted cache is not used: it writes in place, a crash leaves a lock that blocks for ever, and a damaged file
stops every later sign-in (measured with msal-extensions 1.3.1). Here MSAL works on a copy, and only checked changes
are merged into the file, under a lock, into what the file holds at that moment.

The file is encrypted where the operating system can (`protection`). Where it cannot, a sign-in lasts as long as the
process, unless a plain file was asked for. A file keeps its form while its account stays the same: what is in clear
is encrypted as soon as that is possible, and what is encrypted is never put in clear by a refresh.
"""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from copilot_mcp.auth.cache_content import Content, account_in, is_other_persons, refuse_other_person
from copilot_mcp.auth.cache_file import CacheFile, Form, Found, damaged, shut, why
from copilot_mcp.auth.cache_place import MOUNTS, cache_file_name, data_directory, network_file_system
from copilot_mcp.auth.file_lock import LockTimeoutError, locked
from copilot_mcp.auth.keeping import Keeping
from copilot_mcp.auth.protection import NoProtectionError, Protection, platform_protection
from copilot_mcp.auth.safe_files import private_directory, remove_leftovers, unsafe_directory
from copilot_mcp.auth.sign_in_cache import Change, MemoryCache, SignInCache
from copilot_mcp.errors import AuthenticationError

__all__ = ["Change", "MemoryCache", "SignInCache", "TokenCache", "cache_file_name"]

logger = logging.getLogger(__name__)

LOCK_TIMEOUT_S = 10.0
REFRESH_LOCK_TIMEOUT_S = 20.0
"""A little longer than one refresh may take; after that we refresh beside the holder rather than not at all."""


class TokenCache:
    """Keeps the sign-in in a file of mode 0600 in a directory of mode 0700, encrypted by `protection`.

    Without a protection, or with `plain`, the file is in clear. Processes may share it. When the disk refuses a write,
    nothing can be encrypted, or a file is there that cannot be opened now, the content stays in memory, a warning is
    logged, and the next change tries again. It is dropped when that file turns out to be another person's. A damaged
    file is removed with a warning.
    """

    def __init__(
        self,
        path: Path,
        *,
        protection: Protection | None = None,
        plain: bool = False,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        refresh_timeout_s: float = REFRESH_LOCK_TIMEOUT_S,
        mounts: Path = MOUNTS,
    ) -> None:
        self._path = path
        self._protection = protection
        self._plain = plain or protection is None
        self._file = CacheFile(path, protection)
        self._lock_timeout_s = lock_timeout_s
        self._refresh_timeout_s = refresh_timeout_s
        self._mounts = mounts
        self._lock_path = path.with_suffix(".lock")
        self._refresh_path = path.with_suffix(".refresh")
        self._turn = threading.RLock()
        self._checked = False
        self._prepared = False
        self._left_in_clear = False
        self._unsaved: str | None = None
        self._unsaved_beside: object = None
        self._unsaved_changes = 0
        self._unsaved_unseen = False

    @classmethod
    def of(
        cls,
        profile: str,
        cloud: str,
        tenant: str,
        client_id: str,
        *,
        directory: Path | None = None,
        plain: bool = False,
    ) -> "TokenCache":
        """The cache of a profile, in the user's data directory unless told otherwise. Touches no disk yet.

        Raises:
            SettingsError: See `cache_file_name`.
        """
        name = cache_file_name(profile, cloud, tenant, client_id)
        return cls((directory or data_directory()) / name, protection=platform_protection(name), plain=plain)

    @property
    def path(self) -> Path:
        """The file; it exists only while somebody is signed in."""
        return self._path

    def read(self) -> Content:
        """A copy of the newest content.

        Raises:
            AuthenticationRequiredError: The file was damaged and has been removed (`cache_reset`), or its key cannot
                be had at this moment (`cache_shut`).
            AuthenticationError: The file or directory is not safe to use (`cache_unsafe`), or is another person's than
                the sign-in in memory, which is dropped (`other_account`).
        """
        with self._turn:
            if (unsaved := self._in_memory()) is not None:
                return unsaved
            if not self._path.parent.is_dir():
                return {}
            self._check_directory()
            if not self._prepared and not any(self._path.parent.glob(f"{self._path.name}.*.tmp")):
                self._prepared = True
            found = self._file.look()
            in_clear = found.form is Form.PLAIN and not self._plain and not self._left_in_clear
            if found.form is Form.DAMAGED or in_clear or not self._prepared:
                with self._exclusive() as writable:
                    found = self._settled(writable=writable)
            if found.form is Form.DAMAGED:
                raise damaged()
            if found.obstacle is not None:
                raise shut(self._path, found.obstacle)
            return found.content

    def update(self, change: Change) -> object:
        """Apply `change` to the newest content, write it where that changed it, and give the new stamp.

        Raises:
            AuthenticationError: As for `read`, or another process holds the lock for too long (`cache_locked`).
        """
        with self._turn:
            if self._protection is not None:
                self._protection.prepare()
            with self._exclusive() as writable:
                found = self._file.look() if self._unsaved is not None else None
                unsaved = self._in_memory(found)
                if unsaved is None or found is None:
                    found = self._settled(writable=writable)
                base = found.content if unsaved is None else unsaved
                before = json.dumps(base)
                content = change(base)
                if unsaved is None and json.dumps(content) == before:
                    return self.stamp()  # writing it would make a file anew that a sign-out has just removed
                if found.obstacle is None or _sign_in(content):
                    self._keep(content, found, writable=writable)
                return self.stamp()

    def erase(self) -> None:
        """Remove the file, and the key it was encrypted with.

        Raises:
            AuthenticationError: As for `update`, or the disk refuses (`cache_unwritable`).
        """
        with self._turn:
            self._drop_unsaved()
            if not self._path.parent.is_dir():
                return
            with self._exclusive():
                self._file.remove()

    def stamp(self) -> object:
        """The file's identity, time and size, and how often memory took its place; never None."""
        return (self._file.stamp(), self._unsaved_changes)

    def is_in_clear(self) -> bool:
        """Whether there is a file that is not encrypted. Asks no key store."""
        return self._file.is_in_clear()

    def keeping(self) -> Keeping:
        """How the sign-in is kept that is saved now, or how one would be where there is none.

        Raises:
            AuthenticationError: As for `update`.
        """
        with self._turn, self._exclusive() as writable:
            return self._file.keeping(self._settled(writable=writable), plain=self._plain)

    def prospect(self) -> Keeping:
        """How a sign-in would be kept that is made now. Tries it, in the folder; raises as `keeping` does."""
        with self._turn, self._exclusive():
            return self._file.prospect(self._file.look(), plain=self._plain)

    @contextmanager
    def refreshing(self) -> Iterator[None]:
        """Hold the refresh lock. Without it the block runs all the same: a stuck process must not stop this one."""
        with ExitStack() as held:
            try:
                self._check_directory()
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
                self._check_directory()
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

    def _check_directory(self) -> None:
        private_directory(self._path.parent)
        if not self._checked:
            if kind := network_file_system(self._path.parent, self._mounts):
                raise unsafe_directory(
                    self._path.parent,
                    f"is on a network file system ({kind}), whose locks cannot be trusted",
                    "Set XDG_DATA_HOME to a folder on a local disk, or use `--cache memory`.",
                )
            self._checked = True

    def _settled(self, *, writable: bool) -> Found:
        """What the file holds, repaired: a damaged one is gone, one in clear is encrypted. Needs the lock."""
        found = self._file.look()
        if found.form is Form.DAMAGED:
            self._file.discard()
            logger.warning("The saved sign-in could not be read and was removed; sign in again.")
        if found.form is not Form.PLAIN or self._plain:
            return found
        try:
            if not writable:
                raise OSError
            self._file.write(json.dumps(found.content), found, in_clear=False)
        except (OSError, NoProtectionError) as error:
            if not self._left_in_clear:
                logger.warning(
                    "The saved sign-in in %s is in clear, as an earlier version or `--cache plain` left it, and cannot "
                    "be encrypted: %s. It stays in use; `copilot-mcp logout` removes it.",
                    self._path,
                    why(error),
                )
            self._left_in_clear = True
            return found
        logger.warning("The saved sign-in in %s was in clear and is encrypted now.", self._path)
        return self._file.look()

    def _in_memory(self, found: Found | None = None) -> Content | None:
        """What could not be saved, as long as no other process has changed the file meanwhile."""
        if self._unsaved is None or self._file.stamp() != self._unsaved_beside:
            self._drop_unsaved()
            return None
        content: Content = json.loads(self._unsaved)
        account = account_in(content)
        if self._unsaved_unseen and is_other_persons(now := (found or self._file.look()).content, account):
            self._drop_unsaved()
            refuse_other_person(now, account)
        return content

    def _drop_unsaved(self) -> None:
        if self._unsaved is not None:
            self._unsaved, self._unsaved_unseen = None, False
            self._unsaved_changes += 1

    def _keep(self, content: Content, found: Found, *, writable: bool) -> None:
        """Write the content, or hold it in memory."""
        text = json.dumps(content)
        same = _sign_in(content) == _sign_in(found.content)
        kept = found.form if same else Form.NONE
        try:
            if not writable:
                raise OSError
            if found.obstacle is not None:
                raise found.obstacle
            self._file.write(text, found, in_clear=kept is not Form.SEALED if self._plain else kept is Form.PLAIN)
        except (OSError, NoProtectionError) as error:
            if found.form is Form.PLAIN and not same:
                # It is another sign-in's, it is over, and it is in clear.
                self._file.discard()
            if self._unsaved is None:
                logger.warning("The sign-in cannot be saved and is kept in memory only: %s.", why(error))
            self._unsaved, self._unsaved_beside = text, self._file.stamp()
            self._unsaved_unseen = found.obstacle is not None
            self._unsaved_changes += 1
            return
        self._unsaved, self._unsaved_unseen = None, False


def _sign_in(content: Content) -> str:
    account = account_in(content)
    return account.sign_in_id if account is not None else ""
