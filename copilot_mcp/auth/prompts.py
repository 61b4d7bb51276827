"""What the person is asked, one code at a time: by one process, or by all that share the profile's saved sign-in.

Where a sign-in is kept, a small file beside it says which code is shown and when codes were made within the hour, so
that many servers show one and count together. A sign-out voids what was shown before it, in whatever process. The
process that waits for the person holds the file's lock, which the operating system lets go when that process ends,
however it ends. In the file is only what was shown: the device code, with which a sign-in is redeemed, never leaves
its process.
"""

import json
import logging
import math
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import anyio
import anyio.from_thread

from copilot_mcp.auth.clouds import Cloud
from copilot_mcp.auth.file_lock import HeldFile, hold, text_of_holder
from copilot_mcp.auth.joiners import Joiners
from copilot_mcp.auth.sign_in_cache import SignInCache
from copilot_mcp.auth.sign_outs import SignOuts
from copilot_mcp.auth.token_cache import TokenCache
from copilot_mcp.errors import AuthenticationError

__all__ = [
    "LONGEST_INTERVAL_S",
    "LONGEST_LIFE_S",
    "USER_CODE",
    "MemoryPrompts",
    "Prompts",
    "SharedPrompts",
    "SignInAttempt",
    "Turn",
    "prompts_beside",
]

logger = logging.getLogger(__name__)

STARTS_PER_HOUR = 5
"""A model that keeps asking must not wear a person down."""

LONGEST_LIFE_S = 900
LONGEST_INTERVAL_S = 60
USER_CODE = re.compile(r"[A-Za-z0-9-]{1,32}")

WAIT_S = 30.0
"""How long another process may take to get its code; after that we ask beside it rather than not at all."""

_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """What to show to the person. Nothing here is secret: the code is worth nothing without their approval.

    Attributes:
        user_code: to be typed into the page.
        verification_uri: the page, on a host of the cloud's list.
        expires_at: UTC; afterwards the code is worth nothing.
        interval: seconds between our questions to Entra, to begin with.
        for_claims: whether it shall satisfy a claims challenge, so that a token had without it is no substitute.
        elsewhere: whether another process has asked for it and waits for the person.
    """

    user_code: str
    verification_uri: str
    expires_at: datetime
    interval: int
    for_claims: bool = False
    elsewhere: bool = False


class Turn:
    """The right to ask the person, until `release`. `starts` are seconds since 1970; `file` is None without sharing.

    `sign_outs` counts those of other processes, None where there are none.
    """

    def __init__(self, starts: list[float], file: HeldFile | None = None, sign_outs: SignOuts | None = None) -> None:
        self._starts = starts
        self._file = file
        self._sign_outs = sign_outs
        self._sign_outs_before = self._count()
        self._write(None)  # what the last process showed is over

    def check(self, now: float) -> None:
        """Make sure that the person has not been asked too often.

        Raises:
            AuthenticationError: Five times within the hour (`sign_in_limit`).
        """
        # A time to come is from before the clock was set back.
        recent = [start for start in self._starts if 0 <= now - start < 3600][-STARTS_PER_HOUR:]
        if len(recent) == STARTS_PER_HOUR:
            minutes = max(1, round((3600 - (now - recent[0])) / 60))
            raise AuthenticationError(
                f"{STARTS_PER_HOUR} sign-ins were started within an hour.",
                f"Wait {minutes} minutes.",
                kind="sign_in_limit",
            )

    def publish(self, attempt: SignInAttempt, now: float) -> None:
        """Count this start, and let other processes show the same."""
        self._starts.append(now)
        del self._starts[:-STARTS_PER_HOUR]
        self._write(attempt)

    def is_void(self) -> bool:
        """Whether somebody has signed out since, so that an approval must have no effect."""
        return self._count() != self._sign_outs_before

    def release(self) -> None:
        """Let others ask; may be called again."""
        self._write(None)
        file, self._file = self._file, None
        if file is not None:
            file.release()

    def _write(self, attempt: SignInAttempt | None) -> None:
        """A disk may refuse: then others wait a while and ask for themselves."""
        if self._file is not None:
            with suppress(OSError):
                shown = attempt and _entry(attempt, self._sign_outs_before)
                self._file.write(json.dumps({"starts": self._starts, "shown": shown}))

    def _count(self) -> int:
        return self._sign_outs.count() if self._sign_outs is not None else 0


class Prompts(Protocol):
    """Who may ask the person, and which other processes show what we ask. Call them from a worker thread."""

    joiners: Joiners

    def begin(self) -> Turn | SignInAttempt:
        """The right to ask, or what another process asks already."""

    def is_shown(self, attempt: SignInAttempt) -> bool:
        """Whether another process still waits for the person to use this code."""

    def void(self) -> None:
        """Somebody signs out: whatever is asked now, in whatever process, must bring nothing any more."""


class MemoryPrompts:
    """Counts for this process alone; `sign_outs` of others may void what it asks."""

    def __init__(self, sign_outs: SignOuts | None = None) -> None:
        self._starts: list[float] = []
        self._sign_outs = sign_outs
        self.joiners = Joiners()

    def begin(self) -> Turn:
        """The right to ask."""
        return Turn(self._starts, sign_outs=self._sign_outs)

    def is_shown(self, attempt: SignInAttempt) -> bool:
        """False: there is no other process."""
        return False

    def void(self) -> None:
        """Nothing to do: there is no other process."""


def _nap(seconds: float) -> None:
    """A worker thread's sleep, which ends with the caller that waits for it."""
    anyio.from_thread.check_cancelled()  # `run` hears of no cancellation that came before it
    anyio.from_thread.run(anyio.sleep, seconds)


class SharedPrompts:
    """Shared by the processes that use the file at `path`, as long as `kept` says that they share what it brings.

    Where the file cannot be used, this process counts for itself. `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        cloud: Cloud,
        kept: Callable[[], bool],
        clock: Callable[[], float],
        *,
        wait_s: float = WAIT_S,
        monotonic: Callable[[], float] = time.monotonic,
        nap: Callable[[float], None] = _nap,
    ) -> None:
        self.joiners = Joiners(path)
        self._path = path
        self._cloud = cloud
        self._kept = kept
        self._clock = clock
        self._wait_s = wait_s
        self._monotonic = monotonic
        self._nap = nap
        self._sign_outs = SignOuts(path.with_suffix(".signouts"))
        self._alone = MemoryPrompts(self._sign_outs)

    def begin(self) -> Turn | SignInAttempt:
        """The right to ask, or what another process asks; waits while that one is about to."""
        try:
            if not self._kept():
                return self._alone.begin()
            deadline = self._monotonic() + self._wait_s
            while (file := hold(self._path)) is None:
                if (shown := self._shown()) is not None:
                    return shown
                if self._monotonic() >= deadline:
                    logger.warning("Another process has been about to ask for a sign-in for long; asking beside it.")
                    return self._alone.begin()
                self._nap(_PAUSE_S)
            return Turn(_starts_in(file.read()), file, self._sign_outs)
        except (OSError, AuthenticationError) as error:
            logger.warning("%s cannot be used (%s); sign-ins are counted alone.", self._path, type(error).__name__)
            return self._alone.begin()

    def is_shown(self, attempt: SignInAttempt) -> bool:
        """Whether the process that showed this code still waits for it."""
        with suppress(OSError, AuthenticationError):
            return self._shown() == attempt
        return False

    def void(self) -> None:
        """Count a sign-out, where anybody ever asked."""
        if self._path.exists():
            self._sign_outs.add()

    def _shown(self) -> SignInAttempt | None:
        """What another process asks now. Its page is held to the same hosts as one that came from Entra."""
        text = text_of_holder(self._path)
        shown = _document(text).get("shown") if text is not None else None
        if not isinstance(shown, dict) or shown.get("signOuts") != self._sign_outs.count():
            return None
        code, page = shown.get("code"), shown.get("page")
        ends, interval = _number(shown.get("ends")), _number(shown.get("interval"))
        if not isinstance(code, str) or not USER_CODE.fullmatch(code):
            return None
        if not isinstance(page, str) or not self._cloud.may_show(page):
            return None
        if not 0 < ends - self._clock() <= LONGEST_LIFE_S or not 0 < interval <= LONGEST_INTERVAL_S:
            return None
        for_claims = shown.get("forClaims") is True
        return SignInAttempt(code, page, datetime.fromtimestamp(ends, UTC), int(interval), for_claims, elsewhere=True)


def prompts_beside(cache: SignInCache, cloud: Cloud, clock: Callable[[], float]) -> Prompts:
    """Shared where the sign-in would be kept in a file, this process's own where it ends with the process."""
    if not isinstance(cache, TokenCache):
        return MemoryPrompts()
    return SharedPrompts(cache.path.with_suffix(".prompt"), cloud, lambda: cache.prospect().path is not None, clock)


def _entry(attempt: SignInAttempt, sign_outs: int) -> dict[str, Any]:
    return {
        "code": attempt.user_code,
        "page": attempt.verification_uri,
        "ends": attempt.expires_at.timestamp(),
        "interval": attempt.interval,
        "forClaims": attempt.for_claims,
        "signOuts": sign_outs,
    }


def _document(text: str) -> dict[str, Any]:
    """The object in a text; empty for one that a crash cut off."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _starts_in(text: str) -> list[float]:
    starts = _document(text).get("starts")
    return [_number(start) for start in starts] if isinstance(starts, list) else []


def _number(value: object) -> float:
    """The number; for anything else one that is neither smaller nor greater than any."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
