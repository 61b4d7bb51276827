"""Time zones: IANA names pass, everything else is answered with the name that was probably meant."""

from zoneinfo import ZoneInfo

import pytest

from copilot_mcp.tools.time_zone import checked_zone, local_zone


def test_an_iana_name_passes_unchanged() -> None:
    assert checked_zone("America/New_York") == "America/New_York"


def test_the_local_zone_is_an_iana_name() -> None:
    assert ZoneInfo(local_zone()).key == local_zone()


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("Eastern Standard Time", "that is a Windows name, write America/New_York."),
        ("america/new york", "did you mean America/New_York?"),
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("posix/Europe/Berlin", "did you mean Europe/Berlin?"),
        ("New York", "did you mean America/New_York?"),
        ("berlin", "did you mean Europe/Berlin?"),
        ("CEST", "write one such as Europe/Berlin."),
        ("AEST", "write one such as Europe/Berlin."),
        ("est", "did you mean EST?"),
        ("localtime", "write one such as Europe/Berlin."),
        ("Factory", "write one such as Europe/Berlin."),
        ("UTC+1", "or Etc/GMT-1 for that offset."),
        ("GMT-05:00", "or Etc/GMT+5 for that offset."),
        ("+99", "write one such as Europe/Berlin."),
        ("Mars/Olympus Mons", "write one such as Europe/Berlin."),
        ("", "write one such as Europe/Berlin."),
        ("../../etc/passwd", "write one such as Europe/Berlin."),
    ],
)
def test_any_other_name_is_refused_with_a_remedy(name: str, remedy: str) -> None:
    with pytest.raises(ValueError, match="is not an IANA time zone name") as caught:
        checked_zone(name)
    assert str(caught.value).endswith(remedy)
