"""Time zones as Graph wants them: IANA names only. A Windows name gets a 400 from the service."""

import re
from zoneinfo import available_timezones

__all__ = ["FALLBACK_ZONE", "checked_zone", "local_zone"]

FALLBACK_ZONE = "Etc/UTC"
"""Sent only when nobody named a zone and the system does not tell its own."""

_NO_ZONES = frozenset({"localtime", "Factory", "posixrules"})
"""Files of the database that name no zone."""

_OFFSET = re.compile(r"(?:utc|gmt)? ?([+-])0?(\d{1,2})(?::?00)?", re.IGNORECASE)


def local_zone() -> str:
    """The IANA name of this machine's time zone."""
    from tzlocal import get_localzone_name

    try:
        name: str | None = get_localzone_name()
    except (LookupError, OSError, ValueError):  # a machine set up with a zone that no database knows
        name = None
    return name or FALLBACK_ZONE


def checked_zone(name: str) -> str:
    """`name` unchanged where the zone database lists it.

    Not merely where a file of that name can be opened: some systems read `europe/berlin` or `posix/Europe/Berlin`
    too, which the service does not know.

    Raises:
        ValueError: It does not; the text names the IANA zone that was probably meant.
    """
    if name in available_timezones() - _NO_ZONES:
        return name
    raise ValueError(f"is not an IANA time zone name; {_meant(name)}")


def _meant(name: str) -> str:
    from difflib import get_close_matches

    from tzlocal.windows_tz import win_tz

    windows = {known.lower(): zone for known, zone in win_tz.items()}
    zone = windows.get(name.strip().lower())
    if zone is not None:
        return f"that is a Windows name, write {zone}."
    known = {each.lower(): each for each in available_timezones() - _NO_ZONES}
    offset = _OFFSET.fullmatch(name.strip())
    if offset is not None:
        # In these names the sign is that of POSIX, the other way round.
        fixed = f"Etc/GMT{'-' if offset[1] == '+' else '+'}{offset[2]}"
        if fixed.lower() in known:
            return f"write a place such as Europe/Berlin, or {fixed} for that offset."
    near = get_close_matches(name.strip().lower().replace(" ", "_"), known, n=1, cutoff=0.7)
    return f"did you mean {known[near[0]]}?" if near else "write one such as Europe/Berlin."
