"""Every secret this tenant has handed out, so that a search over printed output finds a leak and says which."""

import base64
import threading
from collections.abc import Collection
from typing import Final

__all__ = ["SECRET_MARK", "SECRET_MARKS", "SecretsIssued"]

SECRET_MARK: Final = "simulated-secret"
"""Stands in every device code, authorization code and refresh token, and in a claim of every JWT."""

_LIMIT: Final = 50_000
_SHORTEST: Final = 9


def _in_base64(mark: bytes) -> tuple[str, ...]:
    """What is constant of the mark inside base64url, at each of the three places where it may begin."""
    found = []
    for place in range(3):
        text = base64.urlsafe_b64encode(b"\0" * place + mark).decode().rstrip("=")
        whole = text[: (place + len(mark)) * 8 // 6]
        found.append(whole[-(-place * 8 // 6) :])
    return tuple(found)


SECRET_MARKS: Final = (SECRET_MARK, *_in_base64(SECRET_MARK.encode()))
"""The texts of which at least one is in every secret but user codes; to be searched for from another process."""


class SecretsIssued:
    """Values and what they are: access_token, refresh_token, id_token, device_code, user_code, authorization_code.

    May be used from any thread. Beyond 50,000 the oldest are forgotten.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kinds: dict[str, str] = {}

    def add(self, kind: str, value: str) -> str:
        """Remember a secret and answer it."""
        with self._lock:
            if len(self._kinds) >= _LIMIT:
                del self._kinds[next(iter(self._kinds))]
            self._kinds[value] = kind
        return value

    @property
    def values(self) -> dict[str, str]:
        """Each secret and its kind, oldest first."""
        with self._lock:
            return dict(self._kinds)

    def found_in(self, text: str, *, shown: Collection[str] = ("user_code",)) -> list[str]:
        """The kinds of the secrets that stand in `text`, sorted, each once.

        Kinds in `shown` are not looked for: a user code is meant for the person's eyes. A JWT is found by its
        signature alone too, and a text with a mark in it counts as `marked` when the secret itself is not known.
        """
        kinds = {
            kind
            for value, kind in self.values.items()
            if kind not in shown and len(value) >= _SHORTEST and value.rsplit(".", 1)[-1] in text
        }
        if not kinds and any(mark in text for mark in SECRET_MARKS):
            kinds = {"marked"}
        return sorted(kinds)
