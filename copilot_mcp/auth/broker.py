"""The broker: the part of an operating system that signs people in for all programs and binds tokens to the device.

MSAL reaches it through `pymsalruntime`, an extra of msal that exists for Windows, macOS and some Linux systems, WSL
among them. It was never run here, where there is none: what follows is its documented use, and what msal 1.39 does by
its source. Where a broker is absent or cannot start, MSAL opens a browser instead without a word; here that is
refused. And nothing can end a broker's window but the person, so it gets a thread that the process does not wait for.
"""

import importlib
import importlib.util
import platform as machines
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from copilot_mcp.auth.answers import Account
from copilot_mcp.auth.daemon_thread import in_daemon_thread
from copilot_mcp.auth.library_logs import quiet_libraries
from copilot_mcp.auth.refusals import refusal_error
from copilot_mcp.errors import AuthenticationError, CopilotMcpError, SettingsError

if TYPE_CHECKING:
    from copilot_mcp.auth.device_code import Store
    from copilot_mcp.auth.entra import Entra

__all__ = ["BROKER_TIMEOUT_S", "broker_flags", "require_broker", "sign_in_with_broker"]

BROKER_TIMEOUT_S = 300.0
_FLAGS = {"win32": "enable_broker_on_windows", "darwin": "enable_broker_on_mac", "linux": "enable_broker_on_linux"}
"""The one for Linux is MSAL's for WSL, too."""

_OTHERWISE = "Use `copilot-mcp login`, with or without `--browser`."


def broker_flags(platform: str = sys.platform) -> dict[str, bool]:
    """What MSAL's application is told so that it asks the broker of this system."""
    return {_FLAGS[platform]: True} if platform in _FLAGS else {}


def require_broker(platform: str = sys.platform, machine: str | None = None) -> None:
    """Make sure that MSAL can reach a broker. Imports its library; call it from a worker thread.

    Raises:
        SettingsError: There is none for this system, or its library is not installed or does not start.
    """
    if platform not in _FLAGS:
        raise SettingsError(f"MSAL offers no sign-in broker on {platform}.", _OTHERWISE)
    machine = machine or machines.machine()
    if platform == "darwin" and machine != "arm64":
        raise SettingsError(f"MSAL offers no sign-in broker on a Mac without Apple silicon ({machine}).", _OTHERWISE)
    if importlib.util.find_spec("pymsalruntime") is None:
        raise SettingsError(
            "The sign-in broker of this system cannot be reached: the Python package pymsalruntime is not installed.",
            "Install it into the same environment with `pip install 'msal[broker]'` (Windows, macOS, and Linux with "
            "Microsoft's broker), or use `copilot-mcp login`, with or without `--browser`.",
        )
    quiet_libraries()
    try:
        importlib.import_module("msal.broker")
    except Exception as error:
        raise no_broker(type(error).__name__) from None


def no_broker(why: str) -> SettingsError:
    """The refusal where MSAL would go on with a browser."""
    return SettingsError(
        f"The sign-in broker of this system cannot be started ({why}), so no sign-in was begun and nothing was opened.",
        _OTHERWISE,
    )


async def sign_in_with_broker(
    entra: "Entra",
    store: "Store",
    scopes: Sequence[str],
    *,
    claims: str | None = None,
    timeout_s: float = BROKER_TIMEOUT_S,
) -> Account:
    """Let the system's broker sign the person in. A caller who is cancelled leaves at once, and nothing is stored.

    Raises:
        SettingsError: There is no broker here.
        AuthenticationError: Declined, refused, or not finished in time. Nothing was stored.
    """
    await entra.run(require_broker)
    names = frozenset(scopes)
    flow = await entra.run(partial(entra.begin_broker, sorted(names), claims))
    answer = None
    with anyio.move_on_after(timeout_s):
        answer = await in_daemon_thread(partial(entra.ask_broker, flow, sorted(names)))
    if answer is None:
        raise AuthenticationError(
            f"The sign-in broker did not finish within {round(timeout_s / 60)} minutes.",
            "What it does now has no effect: close its window and start again.",
            kind="sign_in_expired",
        )
    if "error" in answer:
        raise _refused(answer, refusal_error(answer, entra.asked.by("", names)))
    return await entra.run(partial(store, flow, answer, names, lambda: True))


def _refused(answer: dict[str, Any], error: CopilotMcpError) -> CopilotMcpError:
    """Entra's refusal, or the broker's own, which names no reason that a person could use."""
    if answer["error"] != "broker_error" or error.kind != "sign_in_failed":
        return error
    return AuthenticationError(
        "The sign-in broker was closed or refused.",
        "On Linux, Microsoft's identity broker has to be installed and running. Start again, or use "
        "`copilot-mcp login`, with or without `--browser`.",
        kind="sign_in_failed",
    )
