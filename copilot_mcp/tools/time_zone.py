"""Time zones as Graph wants them: IANA names only. A Windows name gets a 400 from the service."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

__all__ = ["FALLBACK_ZONE", "checked_zone", "local_zone"]

FALLBACK_ZONE = "Etc/UTC"
"""Sent only when nobody named a zone and the system does not tell its own."""


def local_zone() -> str:
    """The IANA name of this machine's time zone."""
    from tzlocal import get_localzone_name

    try:
        name: str | None = get_localzone_name()
    except (LookupError, OSError, ValueError):  # a machine set up with a zone that no database knows
        name = None
    return name or FALLBACK_ZONE


def checked_zone(name: str) -> str:
    """`name` unchanged where the zone database knows it.

    Raises:
        ValueError: It does not; the text names the IANA zone that was probably meant.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"is not an IANA time zone name; {_meant(name)}") from None
    return name


def _meant(name: str) -> str:
    from difflib import get_close_matches

    from tzlocal.windows_tz import win_tz

    windows = {known.lower(): zone for known, zone in win_tz.items()}
    zone = windows.get(name.strip().lower())
    if zone is not None:
        return f"that is a Windows name, write {zone}."
    known = {each.lower(): each for each in available_timezones()}
    near = get_close_matches(name.strip().lower().replace(" ", "_"), known, n=1, cutoff=0.7)
    return f"did you mean {known[near[0]]}?" if near else "write one such as Europe/Berlin."
