"""Where this program runs, and what that means for a sign-in: whose browser can come back, and what may be opened."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Surroundings", "look_around"]

_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
_CONTAINER_VARIABLES = ("REMOTE_CONTAINERS", "KUBERNETES_SERVICE_HOST", "container")

_OUTSIDE = "`copilot-mcp serve` with `--token-command`, `--token-file` or COPILOT_MCP_TOKEN"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """One kind of place.

    Attributes:
        name: for sentences, with its article.
        browser_comes_back: a browser of the person can reach a port of this machine's loopback.
        opener: the program that opens an address in a graphical browser, None where there is none for sure.
    """

    name: str
    browser_comes_back: bool
    opener: tuple[str, ...] | None = None

    @property
    def without_device_codes(self) -> str:
        """What is left where an organisation does not allow device codes; the end of a sentence."""
        if self.browser_comes_back:
            return "use `copilot-mcp login --browser`"
        return f"no browser can come back to {self.name}, so take a token from outside: {_OUTSIDE}"


def look_around(
    environment: Mapping[str, str] = os.environ,
    platform: str = sys.platform,
    exists: Callable[[str], bool] = lambda path: Path(path).exists(),
    which: Callable[[str], str | None] = shutil.which,
) -> Surroundings:
    """Tell the place by what it sets; the narrowest first, since an SSH session may lead into a container."""
    if environment.get("CODESPACES"):
        return Surroundings("a codespace", browser_comes_back=False)
    if any(map(environment.get, _CONTAINER_VARIABLES)) or any(map(exists, _CONTAINER_FILES)):
        return Surroundings("a container", browser_comes_back=False)
    if any(map(environment.get, ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"))):
        return Surroundings("an SSH session", browser_comes_back=False)
    if environment.get("WSL_DISTRO_NAME") or environment.get("WSL_INTEROP"):
        return Surroundings("the Windows Subsystem for Linux", browser_comes_back=True, opener=_found(which, "wslview"))
    if platform == "win32":
        return Surroundings("a Windows desktop", True, ("rundll32", "url.dll,FileProtocolHandler"))
    if platform == "darwin":
        return Surroundings("a Mac", True, ("open",))
    if environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        return Surroundings("a desktop", browser_comes_back=True, opener=_found(which, "xdg-open"))
    return Surroundings("a machine without a display", browser_comes_back=False)


def _found(which: Callable[[str], str | None], program: str) -> tuple[str, ...] | None:
    path = which(program)
    return (path,) if path else None
