"""Time zones as Graph wants them: IANA names only. A Windows name gets a 400 from the service."""

import re
from functools import cache
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
    if name in _known():
        return name
    raise ValueError(f"is not an IANA time zone name; {_meant(name)}")


@cache
def _known() -> frozenset[str]:
    """The names of the database, whose files take ten milliseconds to list."""
    return frozenset(available_timezones() - _NO_ZONES)


def _meant(name: str) -> str:
    from difflib import get_close_matches

    from tzlocal.windows_tz import win_tz

    windows = {known.lower(): zone for known, zone in win_tz.items()}
    zone = windows.get(name.strip().lower())
    if zone is not None:
        return f"that is a Windows name, write {zone}."
    known = {each.lower(): each for each in sorted(_known())}
    offset = _OFFSET.fullmatch(name.strip())
    if offset is not None:
        # In these names the sign is that of POSIX, the other way round.
        fixed = f"Etc/GMT{'-' if offset[1] == '+' else '+'}{offset[2]}"
        if fixed.lower() in known:
            return f"write a place such as Europe/Berlin, or {fixed} for that offset."
    written = name.strip().lower().replace(" ", "_")
    if "/" not in written and written not in known:
        # A place alone means its zone. An abbreviation is never near another one: EST is 7 hours from CEST.
        places = {each.rpartition("/")[2].lower(): each for each in known.values() if "/" in each}
        return f"did you mean {places[written]}?" if written in places else "write one such as Europe/Berlin."
    near = get_close_matches(written, known, n=1, cutoff=0.7)
    return f"did you mean {known[near[0]]}?" if near else "write one such as Europe/Berlin."
