"""The three places a token from outside may come from. None of them is ever written, and none of their text is logged.

A command runs without a shell, without our standard input (which may belong to a protocol) and without our secrets in
its environment; what it writes to standard error is dropped, as it may repeat the token. A file may be a pipe that
nobody writes to, or lie on a disk that hangs: it is waited for a few seconds.
"""

import os
import shlex
import shutil
import stat
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import Future, wait
from functools import partial
from pathlib import Path

import anyio

from copilot_mcp.auth.child_environment import without_our_secrets
from copilot_mcp.auth.daemon_thread import in_daemon_thread
from copilot_mcp.auth.outside_token import Origin
from copilot_mcp.errors import AuthenticationError, SettingsError

__all__ = ["command_origin", "file_origin", "variable_origin"]

COMMAND_TIMEOUT_S = 30.0
FILE_TIMEOUT_S = 5.0
_MAX_TEXT = 262_144


def variable_origin(name: str, value: str) -> Origin:
    """The value of an environment variable, which stays the same until the program is started again."""

    async def read() -> str:
        return value

    renew = "Set it to a fresh token and start the server again."
    return Origin(f"the environment variable {name}", read, renew, at_start=True)


def file_origin(path: Path, *, timeout_s: float = FILE_TIMEOUT_S) -> Origin:
    """A file, read again whenever a new token is needed."""
    file = _File(path, timeout_s)
    return Origin(file.name, file.read, "Write a fresh token there; it is read again at the next call.", at_start=True)


class _File:
    """A file whose reading may block for ever. A read that is given up goes on, and the next one waits for it.

    Two readers of one pipe would take the token from each other, and there would be a thread more at each call.
    """

    def __init__(self, path: Path, timeout_s: float) -> None:
        self.name = f"the file {path}"
        self._path = path
        self._timeout_s = timeout_s
        self._late: Future[tuple[bytes, bool]] | None = None

    async def read(self) -> str:
        reading, self._late = self._late, None
        if reading is None or (reading.done() and not _came_from_pipe(reading)):
            reading = _begin_to_read(self._path)
        try:
            await in_daemon_thread(partial(wait, [reading], self._timeout_s))
        finally:
            ended = reading.done()
            self._late = None if ended else reading
        if not ended:
            raise self._missing(f"nothing came within {self._timeout_s:g} seconds")
        try:
            content, _ = reading.result()
        except OSError as error:
            raise self._missing(error.strerror) from None
        return content.decode("utf-8", "replace")

    def _missing(self, reason: str | None) -> AuthenticationError:
        return AuthenticationError(
            f"The token cannot be read from {self.name} ({reason}).",
            "Write a token there, readable by you alone.",
            kind="outside_token_missing",
        )


def _begin_to_read(path: Path) -> "Future[tuple[bytes, bool]]":
    """The content to come, and whether it can be read only once. The process does not wait for it at its end."""
    reading: Future[tuple[bytes, bool]] = Future()

    def work() -> None:
        try:
            with path.open("rb") as file:
                regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
                reading.set_result((file.read(_MAX_TEXT), not regular))
        except Exception as error:
            reading.set_exception(error)

    threading.Thread(target=work, name="copilot-mcp token file", daemon=True).start()
    return reading


def _came_from_pipe(reading: "Future[tuple[bytes, bool]]") -> bool:
    """Whether a read that has ended took away what nobody else can read any more."""
    return reading.exception() is None and reading.result()[1]


def command_origin(
    command: str,
    *,
    environment: Mapping[str, str],
    timeout_s: float = COMMAND_TIMEOUT_S,
    windows: bool = os.name == "nt",
) -> Origin:
    """A command that prints a token, run again whenever a new one is needed. It is no shell line.

    Raises:
        SettingsError: The command cannot be read, or there is no such program.
    """
    try:
        words = [word.strip('"') if windows else word for word in shlex.split(command, posix=not windows)]
    except ValueError:
        words = []
    program = shutil.which(words[0]) if words else None
    if program is None:
        raise SettingsError(
            f"--token-command: {words[0] if words else 'this'} is not a program that can be run.",
            "Name a program and its arguments; it is run without a shell.",
        )
    clean = without_our_secrets(environment)
    name = f"the command {words[0]}"

    async def read() -> str:
        return await _output([program, *words[1:]], clean, timeout_s, name)

    return Origin(name, read, "Run it by hand to see what it says; it is run again at the next call.")


async def _output(words: list[str], environment: dict[str, str], timeout_s: float, name: str) -> str:
    finished = None
    reason = f"did not end within {round(timeout_s)} seconds"
    try:
        with anyio.move_on_after(timeout_s):
            finished = await anyio.run_process(
                words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, env=environment
            )
    except OSError as error:
        reason = f"cannot be started ({error.strerror})"
    if finished is not None and finished.returncode == 0:
        return finished.stdout[:_MAX_TEXT].decode("utf-8", "replace")
    if finished is not None:
        reason = f"ended with status {finished.returncode}"
    raise AuthenticationError(
        f"{name[:1].upper()}{name[1:]} that should give the token {reason}.",
        "Run it by hand to see what it says.",
        kind="outside_token_missing",
    )
