"""What other people's libraries may log while they hold our secrets.

Measured with msal 1.39: a token answer that is not JSON is logged whole, tokens included, at ERROR; at DEBUG the
device code and names of people appear. httpx logs complete addresses at INFO, and conversation ids are part of them.
"""

import logging
import re

__all__ = ["HidingFormatter", "hide_secrets", "quiet_libraries"]

_LEAKING_LOGGER = "msal.oauth2cli.oauth2"
_CAPPED_LOGGERS = ("msal", "msal_extensions", "httpx", "httpcore", "urllib3")


class _HideAnswer(logging.Filter):
    """Replaces a record that carries the sign-in service's answer by a fixed sentence."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, without what it held."""
        if record.levelno >= logging.ERROR or "not in json" in str(record.msg):
            record.msg = "The sign-in service sent an answer that cannot be read."
            record.args = None
            record.exc_info = None
            record.exc_text = None
            record.stack_info = None
        return True


_JWT = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*){1,4}")
_NAMED = re.compile(r"(?i)((?:token|secret|assertion|code|bearer)[\"']?(?:\s*[:=]\s*|\s+)[\"']?)([\w.~+/-]{20,}=*)")
HIDDEN = "(hidden)"


def hide_secrets(text: str) -> str:
    """The text without what looks like a token or follows the name of a secret. A net, not the method."""
    return _NAMED.sub(rf"\1{HIDDEN}", _JWT.sub(HIDDEN, text))


class HidingFormatter(logging.Formatter):
    """Formats as usual, tracebacks included, and hides last what should never have come this far."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        return hide_secrets(super().format(record))


def quiet_libraries() -> None:
    """Cap and filter the loggers of msal and httpx; call it before the first sign-in. Calling again changes nothing."""
    for name in _CAPPED_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    leaking = logging.getLogger(_LEAKING_LOGGER)
    if not any(isinstance(present, _HideAnswer) for present in leaking.filters):
        leaking.addFilter(_HideAnswer())
