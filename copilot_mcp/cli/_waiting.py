"""What a person sees while a sign-in waits for them: the code to read aloud, the minutes left, and a hint in time."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import anyio

__all__ = ["HINT_AFTER_S", "keep_company", "spoken"]

HINT_AFTER_S = 90
"""By then somebody who can sign in has typed the code; who still waits may have been blocked in the browser."""

BLOCKED_HINT = 'If the browser said "blocked", your organisation does not allow device codes: {}.'
_TICK_S = 1.0
_WORDS = (
    "Alfa Bravo Charlie Delta Echo Foxtrot Golf Hotel India Juliett Kilo Lima Mike November Oscar Papa Quebec Romeo "
    "Sierra Tango Uniform Victor Whiskey X-ray Yankee Zulu zero one two three four five six seven eight nine"
)
_ALPHABET = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", _WORDS.split(), strict=True))


def spoken(code: str) -> str:
    """The code in the spelling alphabet of radio, so that it can be read aloud."""
    return " ".join(_ALPHABET.get(letter.upper(), "dash") for letter in code)


async def keep_company(
    expires_at: datetime,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    say: Callable[[str], None],
    rewrite: Callable[[str], None] | None,
    otherwise: str,
) -> None:
    """Count down until `expires_at`, and give the hint once, which ends with what to do `otherwise`.

    `rewrite` replaces the last line of a terminal.
    """
    started = now()
    hinted = False
    while (left := (expires_at - now()).total_seconds()) > 0:
        if not hinted and (now() - started).total_seconds() >= HINT_AFTER_S:
            hinted = True
            if rewrite is not None:
                rewrite("")
            say(BLOCKED_HINT.format(otherwise))
        if rewrite is not None:
            minutes, seconds = divmod(int(left), 60)
            rewrite(f"Waiting for you: {minutes}:{seconds:02d} left.")
        await sleep(min(_TICK_S, left))
    if rewrite is not None:
        rewrite("")
