"""The file of a saved sign-in: what is in it, and how it gets there; `token_cache` says who may touch it when."""

import enum
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from copilot_mcp.auth.cache_content import Content, content_of
from copilot_mcp.auth.keeping import Keeping
from copilot_mcp.auth.protection import DamagedSealError, NoProtectionError, Protection, is_sealed
from copilot_mcp.auth.safe_files import prove_private, read_private, replace_private
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError

__all__ = ["CacheFile", "Form", "Found", "damaged", "shut", "why"]

MAX_CONTENT = 8 * 1_048_576
_MAX_FILE = MAX_CONTENT + 65_536
"""Encryption adds a little."""

_HEAD_BYTES = 100
NO_PROTECTION = NoProtectionError("nothing on this system encrypts for us", "Leave it as it is")


class Form(enum.Enum):
    """What a look at the file finds."""

    NONE = "no file"
    PLAIN = "in clear"
    SEALED = "encrypted, and opened"
    SHUT = "encrypted, and its key cannot be had now"
    DAMAGED = "not to be read, now or ever"


@dataclass(frozen=True, slots=True)
class Found:
    """What the file holds. `data` are its bytes, `obstacle` says why a file is `SHUT`."""

    form: Form
    content: Content = field(default_factory=dict, repr=False)
    data: bytes | None = field(default=None, repr=False)
    obstacle: NoProtectionError | None = None


class CacheFile:
    """One file, encrypted by `protection` where that is given."""

    def __init__(self, path: Path, protection: Protection | None) -> None:
        self._path = path
        self._protection = protection

    def stamp(self) -> object:
        """Identity, time and size; None without a file."""
        try:
            state = self._path.stat(follow_symlinks=False)
        except OSError:
            return None
        return (state.st_ino, state.st_mtime_ns, state.st_size)

    def is_in_clear(self) -> bool:
        """Whether there is a file that is not encrypted."""
        with suppress(AuthenticationError):
            data = read_private(self._path, _HEAD_BYTES)
            return data is not None and not is_sealed(data)
        return False

    def look(self) -> Found:
        """Read and check the file.

        Raises:
            AuthenticationError: It is not safe to use (`cache_unsafe`).
        """
        data = read_private(self._path, _MAX_FILE)
        if data is None:
            if self._protection is not None:
                self._protection.release()
            return Found(Form.NONE)
        form, text = Form.PLAIN, data
        if is_sealed(data):
            if self._protection is None:
                return Found(Form.SHUT, data=data, obstacle=NO_PROTECTION)
            form = Form.SEALED
            try:
                text = self._protection.unseal(data)
            except NoProtectionError as error:
                return Found(Form.SHUT, data=data, obstacle=error)
            except DamagedSealError:
                return Found(Form.DAMAGED)
        content = content_of(text, MAX_CONTENT)
        return Found(Form.DAMAGED) if content is None else Found(form, content, data)

    def write(self, text: str, replaced: Found, *, in_clear: bool) -> None:
        """Put the content in the file's place, encrypted where there is a protection. Needs the lock.

        Raises:
            OSError: The disk refuses.
            NoProtectionError: It cannot be encrypted.
        """
        data = text.encode()
        if not in_clear and self._protection is not None:
            data = self._protection.seal(data, replaced.data)
        replace_private(self._path, data)

    def discard(self) -> None:
        """Remove a file that is of no use, without a copy, because it holds secrets; a disk may refuse."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the file and its key. Needs the lock.

        Raises:
            AuthenticationError: The disk refuses (`cache_unwritable`), or the file is not safe to use.
        """
        data = read_private(self._path, _MAX_FILE)
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            raise AuthenticationError(
                f"The saved sign-in in {self._path} cannot be removed, because the disk refuses.",
                "Remove that file yourself.",
                kind="cache_unwritable",
            ) from None
        if data is not None and is_sealed(data) and self._protection is not None:
            self._protection.forget()

    def keeping(self, found: Found, *, plain: bool) -> Keeping:
        """How this file keeps what is in it, or would keep a sign-in where there is none."""
        if found.form is Form.SEALED and self._protection is not None:
            return Keeping(self._path, self._protection.name)
        would = self.prospect(found, plain=plain)
        if found.form is Form.PLAIN and would.path is None:
            return Keeping(self._path, reason=would.reason, remedy=would.remedy)
        return would

    def prospect(self, found: Found, *, plain: bool) -> Keeping:
        """How a sign-in would be kept that is made now; tries it. Needs the lock.

        Nothing takes the place of a file that cannot be opened now, least of all one in clear: it may be opened later.
        """
        if found.obstacle is not None:
            return Keeping(None, reason=found.obstacle.reason, remedy=found.obstacle.remedy, occupied=True)
        try:
            prove_private(self._path)
        except OSError as error:
            reason = f"{self._path.parent} cannot be written to ({error.strerror})"
            return Keeping(None, reason=reason, remedy="Make it writable, or make room there")
        if plain or self._protection is None:
            return Keeping(
                self._path,
                reason="a plain file was asked for (`--cache plain`)",
                remedy="Leave `--cache plain` out where a keyring can be had, or use `--cache memory`",
            )
        try:
            self._protection.prove()
        except NoProtectionError as error:
            return Keeping(None, reason=error.reason, remedy=error.remedy)
        return Keeping(self._path, self._protection.name)


def why(error: OSError | NoProtectionError) -> str:
    """The end of a sentence: why nothing was saved."""
    if isinstance(error, NoProtectionError):
        return f"{error.reason} ({error.remedy})"
    return f"the disk refuses ({error.strerror or 'it cannot be written to'})"


def damaged() -> AuthenticationRequiredError:
    """The refusal after a file that could never be read again."""
    return AuthenticationRequiredError(
        "The saved sign-in could not be read and was removed.", "Run `copilot-mcp login`.", kind="cache_reset"
    )


def shut(path: Path, obstacle: NoProtectionError) -> AuthenticationRequiredError:
    """The refusal for an encrypted file whose key cannot be had now; nothing is lost."""
    return AuthenticationRequiredError(
        f"A sign-in is saved in {path}, encrypted, but it cannot be opened: {obstacle.reason}.",
        f"{obstacle.remedy} and try again, or sign in again.",
        kind="cache_shut",
    )
