"""The three places a token from outside may come from. None of them is ever written, and none of their text is logged.

A command runs without a shell, without our standard input (which may belong to a protocol) and without our secrets in
its environment; what it writes to standard error is dropped, as it may repeat the token.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import anyio

from copilot_mcp.auth.outside_token import Origin
from copilot_mcp.errors import AuthenticationError, SettingsError

__all__ = ["command_origin", "file_origin", "variable_origin"]

COMMAND_TIMEOUT_S = 30.0
_MAX_TEXT = 262_144
_SECRET_VARIABLES = ("COPILOT_MCP_TOKEN", "COPILOT_MCP_SECRET")


def variable_origin(name: str, value: str) -> Origin:
    """The value of an environment variable, which stays the same until the program is started again."""

    async def read() -> str:
        return value

    renew = "Set it to a fresh token and start the server again."
    return Origin(f"the environment variable {name}", read, renew, at_start=True)


def file_origin(path: Path) -> Origin:
    """A file, read again whenever a new token is needed."""
    name = f"the file {path}"

    async def read() -> str:
        try:
            async with await anyio.open_file(path, "rb") as file:
                return (await file.read(_MAX_TEXT)).decode("utf-8", "replace")
        except OSError as error:
            raise AuthenticationError(
                f"The token cannot be read from {name} ({error.strerror}).",
                "Write a token there, readable by you alone.",
                kind="outside_token_missing",
            ) from None

    return Origin(name, read, "Write a fresh token there; it is read again at the next call.", at_start=True)


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
    clean = {key: value for key, value in environment.items() if key not in _SECRET_VARIABLES}
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
