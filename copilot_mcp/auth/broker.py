"""The broker: the part of an operating system that signs people in for all programs and binds tokens to the device.

MSAL reaches it through `pymsalruntime`, an extra of msal that exists for Windows, macOS and some Linux systems. It was
never run here, where there is none: what follows is its documented use.
"""

import importlib.util
import sys

from copilot_mcp.errors import SettingsError

__all__ = ["broker_flags", "require_broker"]

BROKER_TIMEOUT_S = 300
_FLAGS = {"win32": "enable_broker_on_windows", "darwin": "enable_broker_on_mac", "linux": "enable_broker_on_linux"}


def broker_flags(platform: str = sys.platform) -> dict[str, bool]:
    """What MSAL's application is told so that it asks the broker of this system."""
    return {_FLAGS[platform]: True} if platform in _FLAGS else {}


def require_broker(platform: str = sys.platform) -> None:
    """Make sure that MSAL can reach a broker.

    Raises:
        SettingsError: There is none for this system, or its library is not installed.
    """
    if platform not in _FLAGS:
        raise SettingsError(
            f"MSAL offers no sign-in broker on {platform}.", "Use `copilot-mcp login`, with or without `--browser`."
        )
    if importlib.util.find_spec("pymsalruntime") is None:
        raise SettingsError(
            "The sign-in broker of this system cannot be reached: the Python package pymsalruntime is not installed.",
            "Install it into the same environment with `pip install 'msal[broker]'` (Windows, macOS, and Linux with "
            "Microsoft's broker), or use `copilot-mcp login`, with or without `--browser`.",
        )
