"""Entra's answer to the wish for a device code, checked before any of it is shown or trusted."""

from datetime import UTC, datetime

from copilot_mcp.auth.answers import unreadable
from copilot_mcp.auth.entra import DeviceFlow
from copilot_mcp.auth.prompts import LONGEST_LIFE_S, USER_CODE, SignInAttempt
from copilot_mcp.auth.refusals import Asked, refusal_error

__all__ = ["read_attempt"]

_INTERVAL_S = (1, 30)
_LIFE_S = (60, LONGEST_LIFE_S)
_MAX_DEVICE_CODE = 8192


def read_attempt(flow: DeviceFlow, asked: Asked, now: float) -> SignInAttempt:
    """The attempt in the answer, its interval and its life kept within limits. `now` is in seconds since 1970.

    Raises:
        AuthenticationError: Entra refused, or a part must not be shown or is missing (`bad_answer`).
    """
    answer = flow.answer
    if "error" in answer:
        raise refusal_error(answer, asked)
    user_code, device_code, page = (answer.get(name) for name in ("user_code", "device_code", "verification_uri"))
    if not isinstance(user_code, str) or not USER_CODE.fullmatch(user_code):
        raise unreadable("no user code")
    if not isinstance(device_code, str) or not 0 < len(device_code) <= _MAX_DEVICE_CODE:
        raise unreadable("no device code")
    if not isinstance(page, str) or not asked.cloud.may_show(page):
        raise unreadable("a sign-in page on an unknown host")
    interval = _clamped(answer.get("interval"), _INTERVAL_S)
    # MSAL counts this down and would never return for 0.
    answer["interval"] = interval
    ends = datetime.fromtimestamp(now + _clamped(answer.get("expires_in"), _LIFE_S), UTC)
    return SignInAttempt(user_code, page, ends, interval, flow.claims is not None)


def _clamped(value: object, limits: tuple[int, int]) -> int:
    """A whole number within the limits; the lower limit for anything else."""
    low, high = limits
    return min(max(value, low), high) if isinstance(value, int) else low
